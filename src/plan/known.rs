//! The plans that this process knows.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use object_store::path::Path;

use super::entry::{DocumentPlan, PlanEntry, PlanSource, SplitPlan};
use super::store::PlanWriter;
use crate::clock::Clock;
use crate::filter::Fingerprint;
use crate::split::Split;
use crate::store::normalise;
use crate::telemetry::list;

/// How many requests that read the same may each have hits of their own remembered.
const MAX_DOCUMENT_PLANS: usize = 8;

/// How much the hits of one request are taken to bring of one split, over searches of different
/// sets of splits: past it, only what was brought last is remembered.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// How many ranges a plan may have: past it, finding them anew is no slower than keeping them.
const MAX_RANGES: usize = 65_536;

/// How long a plan is replayed before that is written down again.
const TOUCH_SECONDS: u64 = 3600;

/// Plans by split and request, bounded in bytes.
pub(crate) struct KnownPlans {
    cache: Cache<Key, Arc<PlanEntry>>,
    enabled: bool,
    clock: Clock,
    /// To where what is remembered is written.
    writer: Option<Arc<PlanWriter>>,
    hits: AtomicU64,
    misses: AtomicU64,
    healed: AtomicU64,
}

/// Which plan: of what request, in which split.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    split: Path,
    fingerprint: Fingerprint,
}

/// A request, as plans know it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) fingerprint: Fingerprint,
    /// What the fingerprint is of, and what else decides what is read.
    pub(crate) canonical: Arc<str>,
}

impl KnownPlans {
    /// Knows as many plans as fit into `bytes`; none, and forgets at once, when that is 0.
    pub(crate) fn new(bytes: u64, writer: Option<Arc<PlanWriter>>) -> Self {
        let weigh = |key: &Key, entry: &Arc<PlanEntry>| {
            u32::try_from(entry.weight() + key.split.as_ref().len()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .name("forewarm-plans")
            .max_capacity(bytes)
            .weigher(weigh)
            .build();
        Self {
            cache,
            enabled: bytes > 0,
            clock: Clock::system(),
            writer,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            healed: AtomicU64::new(0),
        }
    }

    /// The plan of a request in a split. One whose fingerprint is the same by accident is another
    /// request's, and not found.
    pub(crate) fn find(&self, split: &Path, planned: &Planned) -> Option<Arc<PlanEntry>> {
        let entry = self.cache.get(&Key {
            split: split.clone(),
            fingerprint: planned.fingerprint,
        })?;
        (entry.canonical == *planned.canonical).then_some(entry)
    }

    /// Counts a warmup that replayed a plan, and notes now and then that it is of use, so that a
    /// plan store keeps it.
    pub(crate) fn count_hit(&self, entry: &PlanEntry) {
        if self.clock.seconds().saturating_sub(entry.last_used) >= TOUCH_SECONDS {
            self.insert(self.latest(entry));
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        list::PLAN_HITS.add(1);
    }

    /// Warmups that replayed a plan, reads that plans turned out to lack, and plans that were
    /// completed by them.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.hits), load(&self.misses), load(&self.healed))
    }

    /// Remembers what a request was found to read in a split, normalised; answers what is known now, if
    /// anything is.
    pub(crate) fn record(
        &self,
        split: &Split,
        planned: &Planned,
        search: Vec<Range<u64>>,
        hopeless: &[bool],
    ) -> Option<Arc<PlanEntry>> {
        let object = split.files().extents().object();
        // What has no version may be replaced unnoticed, and then nothing known of it is true.
        if !self.enabled || !object.is_versioned() {
            return None;
        }
        if search.len() > MAX_RANGES {
            return None;
        }
        let known = self.find(split.path(), planned);
        let known = known.filter(|entry| entry.plan.version == *object.version());
        let now = self.clock.seconds();
        let entry = PlanEntry {
            split: split.path().clone(),
            fingerprint: planned.fingerprint,
            canonical: planned.canonical.to_string(),
            plan: SplitPlan {
                version: object.version().clone(),
                footer: split.footer(),
                open: split.open_ranges().to_vec(),
                search,
                documents: known.map_or(Vec::new(), |entry| entry.plan.documents.clone()),
                hopeless: hopeless.to_vec(),
            },
            created: now,
            last_used: now,
            source: PlanSource::Recorded,
        };
        Some(self.insert(entry))
    }

    /// Adds reads that the plan lacked.
    pub(crate) fn heal(&self, entry: &PlanEntry, late: Vec<Range<u64>>) {
        self.misses.fetch_add(late.len() as u64, Ordering::Relaxed);
        list::PLAN_MISSES.add(late.len() as u64);
        tracing::warn!(
            split = %entry.split, fingerprint = %entry.fingerprint, reads = late.len(),
            "a plan was incomplete, and is completed"
        );
        let mut healed = self.latest(entry);
        let search = std::mem::take(&mut healed.plan.search);
        healed.plan.search = normalise(search.into_iter().chain(late).collect());
        if healed.plan.search.len() > MAX_RANGES {
            self.forget(entry);
            return;
        }
        healed.source = PlanSource::Healed;
        self.insert(healed);
        self.healed.fetch_add(1, Ordering::Relaxed);
        list::PLANS_HEALED.add(1);
    }

    /// Remembers what the hits of `request` brought.
    pub(crate) fn note_documents(
        &self,
        entry: &PlanEntry,
        request: Fingerprint,
        ranges: Vec<Range<u64>>,
    ) {
        let mut latest = self.latest(entry);
        let plans = &mut latest.plan.documents;
        let place = plans.iter().position(|plan| plan.request == request);
        let known = place.map(|at| plans.remove(at).ranges).unwrap_or_default();
        let fresh = normalise(ranges);
        // Blocks that a reader keeps decompressed are not read again, so what is known stays; but
        // not for ever, for the hits of another set of splits are others.
        let all = normalise(known.iter().chain(&fresh).cloned().collect());
        if all == known || fresh.len() > MAX_RANGES {
            return;
        }
        let is_too_much = bytes_of(&all) > MAX_DOCUMENT_BYTES;
        let ranges = if is_too_much { fresh } else { all };
        plans.push(DocumentPlan { request, ranges });
        if plans.len() > MAX_DOCUMENT_PLANS {
            plans.remove(0);
        }
        self.insert(latest);
    }

    /// Forgets a plan that is of another version of its object.
    pub(crate) fn forget(&self, entry: &PlanEntry) {
        self.cache.invalidate(&key(entry));
    }

    /// Forgets the plans of a split that is searched no more.
    pub(crate) fn forget_split(&self, path: &Path) {
        for (key, _) in &self.cache {
            if key.split == *path {
                self.cache.invalidate(&*key);
            }
        }
    }

    /// Takes over what another process recorded; what is known already is kept when it was used
    /// later.
    pub(crate) fn add(&self, entry: Arc<PlanEntry>) {
        if !entry.plan.is_sound() {
            tracing::warn!(split = %entry.split, "a plan is left out: its ranges are no split's");
            return;
        }
        let known = self.cache.get(&key(&entry));
        if self.enabled && known.is_none_or(|known| known.age() <= entry.age()) {
            self.cache.insert(key(&entry), entry);
        }
    }

    /// All plans, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<PlanEntry>> {
        self.cache.run_pending_tasks();
        self.cache.iter().map(|(_, entry)| entry).collect()
    }

    pub(crate) fn clear(&self) {
        self.cache.invalidate_all();
    }

    /// Number of plans, and the bytes they take.
    pub(crate) fn usage(&self) -> (u64, u64) {
        self.cache.run_pending_tasks();
        (self.cache.entry_count(), self.cache.weighted_size())
    }

    /// What is known now of what `entry` was once found to be.
    fn latest(&self, entry: &PlanEntry) -> PlanEntry {
        let latest = self.cache.get(&key(entry));
        let same = latest.filter(|latest| latest.plan.version == entry.plan.version);
        same.as_deref().unwrap_or(entry).clone()
    }

    fn insert(&self, mut entry: PlanEntry) -> Arc<PlanEntry> {
        entry.last_used = self.clock.seconds();
        let entry = Arc::new(entry);
        self.cache.insert(key(&entry), Arc::clone(&entry));
        if let Some(writer) = &self.writer {
            writer.record(Arc::clone(&entry));
        }
        entry
    }
}

fn key(entry: &PlanEntry) -> Key {
    Key {
        split: entry.split.clone(),
        fingerprint: entry.fingerprint,
    }
}

fn bytes_of(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}
