//! What warming a split would cost, told from memory alone.

use std::ops::Range;
use std::sync::Arc;

use futures_util::FutureExt;
use serde::Serialize;

use super::warmer::Warmer;
use super::work::Work;
use crate::filter::SearchRequest;
use crate::plan::{Component, PlanEntry, is_proven_empty};
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
        let plan = entry.plan();
        if *split.object().version() != plan.version {
            return None;
        }
        let ranges = plan.ranges(work.identity(), true);
        let missing = split.files().extents().missing(ranges.clone());
        let missing = missing.into_iter().flat_map(|batch| batch.parts);
        Some(PlannedReads {
            all: split.by_component(ranges),
            missing: split.by_component(missing),
        })
    }

    /// Tells how warm each of `splits` is for a request, in their order, from plans, extents and
    /// proven absences alone: nothing is fetched, and nothing waited for.
    ///
    /// What it tells is true of the moment. A split that was never opened and has no plan is
    /// [`Cold`](Warmth::Cold), though its object may not exist.
    pub fn classify(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmth> {
        let work = Work::of_request(request);
        splits
            .iter()
            .map(|split| self.classify_one(split, &work).0)
            .collect()
    }

    /// [`classify`](Self::classify), and what each reads in an open split, as far as plans tell.
    pub(crate) fn classify_planned(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
    ) -> Vec<(Warmth, Option<Vec<Range<u64>>>)> {
        let work = Work::of_request(request);
        let planned = |split| {
            let (warmth, entry) = self.classify_one(split, &work);
            let ranges = |entry: Arc<PlanEntry>| entry.plan().ranges(work.identity(), true);
            (warmth, entry.map(ranges))
        };
        splits.iter().map(planned).collect()
    }

    /// Tells the cache that ranges of an open split, all in memory, are expected to be read.
    pub(crate) fn touch(&self, address: &SplitAddress, ranges: Vec<Range<u64>>) {
        let opened = self.inner.opener.opened(address.path()).now_or_never();
        if let Some(split) = opened.flatten() {
            split.files().extents().expect_reads(ranges);
        }
    }

    fn classify_one(
        &self,
        address: &SplitAddress,
        work: &Work,
    ) -> (Warmth, Option<Arc<PlanEntry>>) {
        // A look into a map; it waits only for housekeeping that is due, and then tells less.
        let opened = self.inner.opener.opened(address.path()).now_or_never();
        let opened = opened.flatten();
        let planned = work.planned(&self.settings().expansion);
        let plans = &self.inner.planner.plans;
        let entry = planned.and_then(|planned| plans.find(address.path(), planned));
        let Some(entry) = entry else {
            let warmth = match opened {
                Some(split) if self.is_empty(&split, work) => Warmth::ProvablyEmpty,
                _ => Warmth::Cold(None),
            };
            return (warmth, None);
        };
        let plan = entry.plan();
        if opened
            .as_ref()
            .is_some_and(|split| *split.object().version() != plan.version)
        {
            return (Warmth::Cold(None), None);
        }
        if !plan.hopeless.is_empty() && plan.hopeless.iter().all(|it| *it) {
            return (Warmth::ProvablyEmpty, None);
        }
        let object = ObjectHandle::new(address.path().clone(), plan.version.clone());
        let ranges = plan.ranges(work.identity(), opened.is_some());
        let wanted: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let batches = self.inner.cache.split(&object).missing(ranges);
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
