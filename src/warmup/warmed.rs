use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::work::Compiled;
use crate::Traffic;
use crate::cache::Lease;
use crate::error::Result;
use crate::filter::{ExpansionSettings, Filter, KeptTerms, SearchRequest};
use crate::plan::PlanEntry;
use crate::split::Split;

/// What expansions come to takes at most so many bytes and one part in so many of what is leased: of
/// which a term takes some bytes in both its dictionary and its postings.
const KEPT_BYTES: u64 = 1 << 10;
const KEPT_SHARE: u64 = 2;

/// More bytes than almost any term takes of that.
const TERM_BYTES: u64 = 8;

/// How a warmup ended.
pub(crate) type Finished = Result<Arc<Warmed>>;

/// What a warmup brought: everything that its search reads in its split.
pub(crate) struct Warmed {
    pub(crate) split: Arc<Split>,
    /// What `compiled` was made from. Others that read the same join too, and compile their own.
    pub(crate) filter: Filter,
    pub(crate) compiled: Compiled,
    pub(crate) lease: Arc<Lease>,
    /// What `compiled` came to when it was first searched.
    pub(crate) kept: KeptTerms,
    /// By segment: whether it is proven to hold no match, so that it need not be searched.
    pub(crate) hopeless: Arc<[bool]>,
    /// What is remembered of it for next time.
    pub(crate) plan: Option<Arc<PlanEntry>>,
    /// Whether that was known, and nothing else was fetched.
    pub(crate) replayed: bool,
    /// Rounds spent on what only tells what it reads while it reads it.
    pub(crate) probe_rounds: u64,
    /// Opening and warming, as far as this warmup paid for it.
    pub(crate) traffic: Traffic,
    pub(crate) opening: Duration,
    pub(crate) warming: Duration,
    /// The request whose documents were last added to the plan.
    pub(crate) noted: Noted,
    /// How many searches have read from the lease.
    pub(crate) searches: AtomicU32,
}

impl Warmed {
    /// Bytes that it keeps alive: those leased, its opened split, and what expansions come to.
    pub(super) fn weight(&self) -> u64 {
        self.lease.bytes() + self.split.weight() + self.kept.weight()
    }

    /// Room for what `compiled` comes to in a split of which `lease` is held.
    pub(super) fn room(
        compiled: &Compiled,
        limits: &ExpansionSettings,
        split: &Split,
        lease: &Lease,
    ) -> KeptTerms {
        let expansions = compiled.expansions.saturating_mul(split.num_segments());
        let terms = limits.max_terms.saturating_mul(expansions as u64);
        let room = KEPT_BYTES + lease.bytes() / KEPT_SHARE;
        KeptTerms::with_room(expansions, room.min(terms.saturating_mul(TERM_BYTES)))
    }

    /// Whether it was warmed by a plan that was known.
    pub(crate) fn is_planned(&self) -> bool {
        self.replayed && self.plan.is_some()
    }

    /// Takes note that a search has read from the lease. The cache sees nothing of that by itself,
    /// and would think hot what was warmed last.
    pub(crate) fn count_search(&self) {
        // As far as the cache counts. Later it is told now and then, for what it has counted fades.
        const TELLING: u32 = 16;
        // Searches at the same moment may be one: what it is counted for need not be exact, and they
        // would wait for each other.
        let searches = self.searches.load(Ordering::Relaxed);
        self.searches
            .store(searches.wrapping_add(1), Ordering::Relaxed);
        if searches < TELLING || searches.is_multiple_of(TELLING) {
            self.split.files().extents().touch(&self.lease);
        }
    }
}

/// A request that need not be noted again.
#[derive(Default)]
pub(crate) struct Noted(Mutex<Option<Arc<SearchRequest>>>);

impl Noted {
    /// Whether `request` brings the same documents as the one noted last.
    pub(crate) fn is(&self, request: &SearchRequest) -> bool {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = noted.as_ref();
        noted.is_some_and(|noted| noted.brings_same(request))
    }

    pub(crate) fn set(&self, request: &Arc<SearchRequest>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Some(Arc::clone(request));
    }
}
