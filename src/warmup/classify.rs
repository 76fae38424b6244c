//! What warming a split would cost, told from memory alone.

use std::ops::Range;
use std::sync::Arc;

use futures_util::FutureExt;
use serde::Serialize;

use super::warmer::Warmer;
use super::work::Work;
use crate::cache::SplitExtents;
use crate::filter::SearchRequest;
use crate::needs::Demand;
use crate::plan::{Component, PlanEntry, is_proven_empty};
use crate::split::{SchemaKey, Split, SplitAddress};
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
        entry: Arc<PlanEntry>,
        extents: Arc<SplitExtents>,
        ranges: Vec<Range<u64>>,
    },
}

/// What a request reads in a split, by component.
#[derive(Debug, Default)]
pub(crate) struct PlannedReads {
    /// All of it.
    pub(crate) all: Vec<(Component, Range<u64>)>,
    /// What of it is not in memory.
    pub(crate) missing: Vec<(Component, Range<u64>)>,
}

impl Warmer {
    /// Tells what a request reads in a split, from memory alone; nothing unless the split is open
    /// and a plan known.
    pub(crate) fn planned_reads(
        &self,
        address: &SplitAddress,
        request: &SearchRequest,
    ) -> Option<PlannedReads> {
        let split = self.inner.opener.opened(address.path()).now_or_never()??;
        let work = Work::of_request(request);
        let planned = work.planned(&self.settings().expansion)?;
        let entry = self.inner.planner.plans.find(address.path(), planned)?;
        let plan = entry.plan()?;
        if *split.object().version() != entry.version {
            return None;
        }
        let ranges = plan.ranges(work.identity(), true);
        let missing = split.files().extents().missing(ranges.clone(), 0);
        let missing = missing.into_iter().flat_map(|batch| batch.parts);
        Some(PlannedReads {
            all: split.by_component(ranges),
            missing: split.by_component(missing),
        })
    }

    /// Tells how warm each of `splits` is for a request, in their order, from plans, extents, proven
    /// absences and what is [remembered](crate::ResultSettings) alone: nothing is fetched, and nothing
    /// waited for.
    ///
    /// What it tells is true of the moment, and of warming all of them
    /// [together](Self::warm_many). A split that was never opened and has no plan is
    /// [`Cold`](Warmth::Cold), though its object may not exist.
    pub fn classify(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmth> {
        let work = Work::of_request(request);
        let classified = self.classify_work(splits, &work).into_iter();
        classified.map(|(warmth, _)| warmth).collect()
    }

    /// [`classify`](Self::classify), and what each reads in an open split, as far as plans tell.
    pub(crate) fn classify_planned(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
    ) -> Vec<(Warmth, Option<Vec<Range<u64>>>)> {
        let work = Work::of_request(request);
        let classified = self.classify_work(splits, &work).into_iter();
        let planned = classified.map(|(warmth, entry)| {
            let ranges = |entry: Arc<PlanEntry>| Some(entry.plan()?.ranges(work.identity(), true));
            (warmth, entry.and_then(ranges))
        });
        planned.collect()
    }

    /// Tells the cache that ranges of an open split, all in memory, are expected to be read.
    pub(crate) fn touch(&self, address: &SplitAddress, ranges: Vec<Range<u64>>) {
        let opened = self.inner.opener.opened(address.path()).now_or_never();
        if let Some(split) = opened.flatten() {
            split.files().extents().expect_reads(ranges);
        }
    }

    fn classify_work(
        &self,
        splits: &[SplitAddress],
        work: &Work,
    ) -> Vec<(Warmth, Option<Arc<PlanEntry>>)> {
        let mut demands = Demands::default();
        let looks = splits
            .iter()
            .map(|split| self.look(split, work, &mut demands));
        let looks: Vec<Look> = looks.collect();
        let wanted_by_all = match looks.len() {
            // Alone it waits for nobody.
            1 => 0,
            _ => looks.iter().map(Look::wants).sum(),
        };
        let warmth = looks.into_iter().map(|look| look.warmth(wanted_by_all));
        warmth.collect()
    }

    fn look(&self, address: &SplitAddress, work: &Work, demands: &mut Demands) -> Look {
        // A look into a map; it waits only for housekeeping that is due, and then tells less.
        let opened = self.inner.opener.opened(address.path()).now_or_never();
        let opened = opened.flatten();
        let planned = work.planned(&self.settings().expansion);
        let plans = &self.inner.planner.plans;
        let entry = planned.and_then(|planned| plans.find(address.path(), planned));
        if self.settings().results.enabled && self.remembered(address, work) == Some(0) {
            return Look::nothing(Warmth::ProvablyEmpty);
        }
        let planned = entry
            .as_ref()
            .and_then(|entry| Some((entry, entry.plan()?)));
        let Some((entry, plan)) = planned else {
            let wants = u64::from(opened.is_none());
            let warmth = match opened {
                Some(split) if self.is_empty(&split, work, demands) => Warmth::ProvablyEmpty,
                _ => Warmth::Cold(None),
            };
            return Look::Known { warmth, wants };
        };
        let version = opened.as_ref().map(|split| split.object().version());
        if version.is_some_and(|version| *version != entry.version) {
            return Look::nothing(Warmth::Cold(None));
        }
        let object = ObjectHandle::new(address.path().clone(), entry.version.clone());
        let extents = self.inner.cache.split(&object);
        let ranges = plan.ranges(work.identity(), opened.is_some());
        if plan.is_hopeless() {
            return Look::Known {
                warmth: Warmth::ProvablyEmpty,
                wants: extents.wanted(&ranges),
            };
        }
        Look::Planned {
            entry: Arc::clone(entry),
            extents,
            ranges,
        }
    }

    /// Whether absences prove that an open split matches nothing.
    fn is_empty(&self, split: &Split, work: &Work, demands: &mut Demands) -> bool {
        let absences = &self.inner.planner.absences;
        if absences.is_empty() {
            return false;
        }
        let demand = demands.of(split, || {
            let demand = work.demand(split.index(), &self.settings().expansion, false);
            demand.ok()
        });
        demand.is_some_and(|demand| is_proven_empty(split, demand, absences))
    }
}

/// What a request reads in splits of each schema, found out once; nothing where it does not fit.
#[derive(Default)]
struct Demands(Vec<(SchemaKey, Option<Demand>)>);

impl Demands {
    fn of(&mut self, split: &Split, bind: impl FnOnce() -> Option<Demand>) -> Option<&Demand> {
        let key = split.schema_key();
        let place = self.0.iter().position(|(known, _)| *known == key);
        let place = place.unwrap_or_else(|| {
            self.0.push((key, bind()));
            self.0.len() - 1
        });
        self.0[place].1.as_ref()
    }
}

impl Look {
    /// Nothing to be fetched, whatever becomes of the others.
    fn nothing(warmth: Warmth) -> Self {
        Self::Known { warmth, wants: 0 }
    }

    fn wants(&self) -> u64 {
        match self {
            Self::Known { wants, .. } => *wants,
            Self::Planned {
                extents, ranges, ..
            } => extents.wanted(ranges),
        }
    }

    /// How warm the split is, where all of them want so many GETs; and its plan.
    fn warmth(self, wanted_by_all: u64) -> (Warmth, Option<Arc<PlanEntry>>) {
        let (entry, extents, ranges) = match self {
            Self::Known { warmth, .. } => return (warmth, None),
            Self::Planned {
                entry,
                extents,
                ranges,
            } => (entry, extents, ranges),
        };
        let wanted: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let batches = extents.missing(ranges, wanted_by_all);
        let missing: u64 = batches
            .iter()
            .flat_map(|batch| &batch.parts)
            .map(|part| part.end - part.start)
            .sum();
        let traffic = Batch::traffic(&batches);
        let warmth = match missing {
            0 => Warmth::Cached,
            _ if missing < wanted => Warmth::Partial(traffic),
            _ => Warmth::Cold(Some(traffic)),
        };
        (warmth, Some(entry))
    }
}
