//! What warming a split would cost, told from memory alone.

use std::ops::Range;
use std::sync::Arc;

use futures_util::FutureExt;
use serde::Serialize;

use super::warmer::Warmer;
use super::work::Work;
use crate::cache::SplitExtents;
use crate::filter::SearchRequest;
use crate::plan::is_proven_empty;
use crate::split::{Split, SplitAddress};
use crate::store::{Batch, ObjectHandle, Traffic};

/// How warm a split is for a request, as far as memory tells: to order, route or skip splits before
/// anything runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warmth {
    /// It matches nothing: searching it can be left out, where nothing but matches is wanted.
    ProvablyEmpty,
    /// Everything that the search reads is in memory: warming it sends no GET.
    Cached,
    /// Some of it is: what warming the rest would send.
    Partial(Traffic),
    /// None of it is. What warming would send, when a plan tells; opening the split and up to two
    /// rounds more when none does.
    Cold(Option<Traffic>),
}

impl Warmth {
    /// Bytes that warming would fetch, when that is known.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::ProvablyEmpty | Self::Cached => Some(0),
            Self::Partial(traffic) => Some(traffic.bytes),
            Self::Cold(traffic) => traffic.map(|traffic| traffic.bytes),
        }
    }

    /// The name in logs and statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProvablyEmpty => "provably_empty",
            Self::Cached => "cached",
            Self::Partial(_) => "partial",
            Self::Cold(_) => "cold",
        }
    }
}

/// What memory tells of a split at first sight.
enum Look {
    /// What warming it is, whatever becomes of the others.
    Known {
        warmth: Warmth,
        /// GETs that it wants in its first round.
        wants: u64,
    },
    /// A plan tells what it reads.
    Planned {
        extents: Arc<SplitExtents>,
        ranges: Vec<Range<u64>>,
    },
}

impl Warmer {
    /// Tells how warm each of `splits` is for a request, in their order, from plans, extents and
    /// proven absences alone: nothing is fetched, and nothing waited for.
    ///
    /// What it tells is true of the moment, and of warming all of them
    /// [together](Self::warm_many). A split that was never opened and has no plan is
    /// [`Cold`](Warmth::Cold), though its object may not exist.
    pub fn classify(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmth> {
        let work = Work::of_request(request);
        let looks: Vec<Look> = splits.iter().map(|split| self.look(split, &work)).collect();
        let wanted_by_all = match looks.len() {
            // Alone it waits for nobody.
            1 => 0,
            _ => looks.iter().map(Look::wants).sum(),
        };
        let warmth = looks.into_iter().map(|look| look.warmth(wanted_by_all));
        warmth.collect()
    }

    fn look(&self, address: &SplitAddress, work: &Work) -> Look {
        // A look into a map; it waits only for housekeeping that is due, and then tells less.
        let opened = self.inner.opener.opened(address.path()).now_or_never();
        let opened = opened.flatten();
        let planned = work.planned(&self.settings().expansion);
        let plans = &self.inner.planner.plans;
        let entry = planned.and_then(|planned| plans.find(address.path(), planned));
        let Some(entry) = entry else {
            let wants = u64::from(opened.is_none());
            let warmth = match opened {
                Some(split) if self.is_empty(&split, work) => Warmth::ProvablyEmpty,
                _ => Warmth::Cold(None),
            };
            return Look::Known { warmth, wants };
        };
        let plan = entry.plan();
        let version = opened.as_ref().map(|split| split.object().version());
        if version.is_some_and(|version| *version != plan.version) {
            let warmth = Warmth::Cold(None);
            return Look::Known { warmth, wants: 0 };
        }
        let object = ObjectHandle::new(address.path().clone(), plan.version.clone());
        let extents = self.inner.cache.split(&object);
        let ranges = plan.ranges(work.identity(), opened.is_some());
        if !plan.hopeless.is_empty() && plan.hopeless.iter().all(|it| *it) {
            return Look::Known {
                warmth: Warmth::ProvablyEmpty,
                wants: extents.wanted(&ranges),
            };
        }
        Look::Planned { extents, ranges }
    }

    /// Whether absences prove that an open split matches nothing.
    fn is_empty(&self, split: &Arc<Split>, work: &Work) -> bool {
        let absences = &self.inner.planner.absences;
        if absences.is_empty() {
            return false;
        }
        let bound = work.bind(split.index(), &self.settings().expansion, false);
        bound.is_ok_and(|bound| is_proven_empty(split, bound.demand, absences))
    }
}

impl Look {
    fn wants(&self) -> u64 {
        match self {
            Self::Known { wants, .. } => *wants,
            Self::Planned { extents, ranges } => extents.wanted(ranges),
        }
    }

    /// How warm the split is, where all of them want so many GETs.
    fn warmth(self, wanted_by_all: u64) -> Warmth {
        let (extents, ranges) = match self {
            Self::Known { warmth, .. } => return warmth,
            Self::Planned { extents, ranges } => (extents, ranges),
        };
        let wanted: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let batches = extents.missing(ranges, wanted_by_all);
        let missing: u64 = batches
            .iter()
            .flat_map(|batch| &batch.parts)
            .map(|part| part.end - part.start)
            .sum();
        let traffic = Batch::traffic(&batches);
        match missing {
            0 => Warmth::Cached,
            _ if missing < wanted => Warmth::Partial(traffic),
            _ => Warmth::Cold(Some(traffic)),
        }
    }
}
