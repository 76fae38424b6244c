//! What warming a split would cost, told from memory alone.

use futures_util::FutureExt;
use serde::Serialize;

use super::warmer::Warmer;
use super::work::Work;
use crate::filter::SearchRequest;
use crate::needs::Demand;
use crate::plan::is_proven_empty;
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

impl Warmer {
    /// Tells how warm each of `splits` is for a request, in their order, from plans, extents and
    /// proven absences alone: nothing is fetched, and nothing waited for.
    ///
    /// What it tells is true of the moment. A split that was never opened and has no plan is
    /// [`Cold`](Warmth::Cold), though its object may not exist.
    pub fn classify(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmth> {
        let work = Work::of_request(request);
        let mut demands = Demands::default();
        splits
            .iter()
            .map(|split| self.classify_one(split, &work, &mut demands))
            .collect()
    }

    fn classify_one(&self, address: &SplitAddress, work: &Work, demands: &mut Demands) -> Warmth {
        // A look into a map; it waits only for housekeeping that is due, and then tells less.
        let opened = self.inner.opener.opened(address.path()).now_or_never();
        let opened = opened.flatten();
        let planned = work.planned(&self.settings().expansion);
        let plans = &self.inner.planner.plans;
        let entry = planned.and_then(|planned| plans.find(address.path(), planned));
        let Some(entry) = entry else {
            return match opened {
                Some(split) if self.is_empty(&split, work, demands) => Warmth::ProvablyEmpty,
                _ => Warmth::Cold(None),
            };
        };
        let plan = entry.plan();
        if opened
            .as_ref()
            .is_some_and(|split| *split.object().version() != plan.version)
        {
            return Warmth::Cold(None);
        }
        if !plan.hopeless.is_empty() && plan.hopeless.iter().all(|it| *it) {
            return Warmth::ProvablyEmpty;
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
        match missing {
            0 => Warmth::Cached,
            _ if missing < wanted => Warmth::Partial(traffic),
            _ => Warmth::Cold(Some(traffic)),
        }
    }

    /// Whether absences prove that an open split matches nothing.
    fn is_empty(&self, split: &Split, work: &Work, demands: &mut Demands) -> bool {
        let absences = &self.inner.planner.absences;
        if absences.is_empty() {
            return false;
        }
        let demand = demands.of(split, || {
            let bound = work.bind(split.index(), &self.settings().expansion, false);
            bound.ok().map(|bound| bound.demand)
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
