//! Warms what is expected to be asked: what is hot and was evicted, and what hot requests will ask
//! of splits that have just come.

mod candidate;
mod components;
mod risk;
mod room;
mod settings;
mod tried;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use object_store::path::Path;
use serde::Serialize;
use serde_json::Value;

pub use settings::PredictiveSettings;

use self::candidate::{Candidate, Prices};
use self::components::{ComponentHeat, Density};
use self::risk::{Readers, Risks};
use self::room::Room;
use self::tried::Tried;
use super::{Trigger, TriggerContext, TriggerSettings, Wanted};
use crate::cache::EXTENT_OVERHEAD_BYTES;
use crate::error::Result;
use crate::filter::Fingerprint;
use crate::manager::forecast::{Forecast, Forecasts};
use crate::plan::Component;
use crate::split::SplitAddress;
use crate::warmup::{Warmer, Warmth};

/// Asks up to which a split is stale, all requests together: none, or hardly any.
const STALE: f64 = 0.1;
/// Bytes in the cache of what no plan tells of, where none tells of any other.
const BYTES: u64 = 64 << 10;

/// Warms what is expected to be asked.
#[derive(Debug)]
pub(in crate::manager) struct Predictive {
    settings: PredictiveSettings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tried: Tried,
    risks: Risks,
    look: Look,
}

/// What the last look found, for the trigger's status.
#[derive(Clone, Debug, Default, Serialize)]
struct Look {
    /// Pairs whose expectation was above the threshold.
    considered: usize,
    /// Of these, those that the cache has no room for beside what is expected more for its size.
    no_room: usize,
    /// Of these, warm or without any match.
    warm: usize,
    /// Of these, listed in vain lately.
    held_back: usize,
    /// Listed as above `predictive`.
    predictive: usize,
    /// Listed as above `proactive` only.
    proactive: usize,
    /// Listed in splits that the request was not asked of yet.
    new: usize,
    /// Splits whose bytes made room for what was listed.
    made_room: usize,
    /// Asks that are expected of all that was listed.
    expected: f64,
    /// How often components are read, over the splits that were looked at for `proactive`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    components: BTreeMap<Component, Density>,
}

/// A pair that was classified.
struct Seen<'a> {
    forecast: &'a Forecast,
    warmth: Warmth,
    /// What it reads, when a plan tells.
    ranges: Option<Vec<Range<u64>>>,
}

impl Predictive {
    pub(in crate::manager) fn new(settings: PredictiveSettings) -> Self {
        Self {
            settings,
            state: Mutex::default(),
        }
    }

    /// What is expected most and at least so often.
    fn expected(&self, context: &TriggerContext, least: f64, now: u64) -> Forecasts {
        let core = &context.core;
        // A copy, for searches wait for the lock.
        let births = core.catalog.births().clone();
        let horizon = u64::try_from(self.settings.horizon.as_millis()).unwrap_or(u64::MAX);
        let mut expected = core.heat.forecasts(&births, least, horizon, now);
        expected.pairs.sort_unstable_by(|a, b| {
            let by_name = || a.by_name(b);
            b.expected.total_cmp(&a.expected).then_with(by_name)
        });
        expected.pairs.truncate(self.settings.max_pairs);
        expected
    }

    /// Of these pairs, those that find room in the cache, are not warm and were not listed in vain
    /// lately. The cache is told of those that are warm, so that they stay.
    fn candidates(
        &self,
        expected: &[Forecast],
        context: &TriggerContext,
        now: u64,
        look: &mut Look,
    ) -> Vec<Candidate> {
        let warmer = context.warmer();
        let interval = context.settings().interval;
        let capacity = warmer.settings().cache.capacity_bytes as f64;
        let mut room = Room::new((capacity * self.settings.cache_share) as u64);
        let (seen, mean) = see(expected, warmer);
        look.considered = seen.len();
        let mut candidates = Vec::new();
        let planned = || {
            let planned = seen.iter();
            planned.filter_map(|one| Some((one.forecast, one.ranges.as_deref()?)))
        };
        let mut readers = Readers::default();
        for (forecast, ranges) in planned() {
            readers.add(forecast.split.path(), ranges, forecast.expected);
        }
        let mut state = self.lock();
        let requests: HashSet<Fingerprint> = expected.iter().map(|it| it.identity).collect();
        state.risks.keep(|request| requests.contains(&request));
        for (forecast, ranges) in planned() {
            let bytes = readers.risk(forecast.split.path(), ranges, forecast.expected);
            // Of the mean of now: another look may know of no plan, and of no mean.
            let risk = bytes / mean.max(1) as f64;
            state.risks.note(forecast.identity, risk);
        }
        for one in seen {
            let split = &one.forecast.split;
            let cost = match one.warmth {
                Warmth::ProvablyEmpty => {
                    look.warm += 1;
                    continue;
                }
                Warmth::Cached => None,
                Warmth::Partial(cost) => Some(cost),
                Warmth::Cold(cost) => cost,
            };
            let fits = match &one.ranges {
                Some(ranges) => room.place(split.path(), ranges),
                None => room.take(mean),
            };
            if one.warmth == Warmth::Cached {
                look.warm += 1;
                if fits && let Some(ranges) = one.ranges {
                    warmer.touch(split, ranges);
                }
            } else if !fits {
                look.no_room += 1;
            } else if state.tried.holds_back(&one.forecast.key(), interval, now) {
                look.held_back += 1;
            } else {
                let mut candidate = Candidate::new(one.forecast.clone(), cost);
                candidate.risk = state.risks.of(one.forecast.identity).unwrap_or(1.0);
                candidates.push(candidate);
            }
        }
        candidates
    }

    /// Of what is expected too seldom for `predictive`, leaves what is worth fetching while nobody
    /// waits for anything: because it is expected often enough for that, or because what it lacks
    /// lies in components that others read as well.
    fn weigh_idle(
        &self,
        candidates: &mut Vec<Candidate>,
        expected: &[Forecast],
        warmer: &Warmer,
        look: &mut Look,
    ) {
        let PredictiveSettings {
            predictive,
            proactive,
            least,
            ..
        } = self.settings;
        let is_idle = |one: &Candidate| one.forecast.expected < predictive;
        let idle = candidates.iter().filter(|one| is_idle(one));
        let mut heats: HashMap<Path, ComponentHeat> = idle
            .map(|one| (one.forecast.split.path().clone(), ComponentHeat::default()))
            .collect();
        for forecast in expected {
            if let Some(heat) = heats.get_mut(forecast.split.path())
                && let Some(reads) = warmer.planned_reads(&forecast.split, &forecast.request)
            {
                heat.add(&reads, forecast.expected);
            }
        }
        let densities: HashMap<Path, BTreeMap<Component, Density>> = heats
            .into_iter()
            .map(|(path, heat)| (path, heat.densities()))
            .collect();
        for (component, density) in densities.values().flatten() {
            let sum = look.components.entry(*component).or_default();
            *sum = sum.add(*density);
        }
        candidates.retain_mut(|one| {
            if !is_idle(one) {
                return true;
            }
            let Forecast { split, request, .. } = &one.forecast;
            if let Some(densities) = densities.get(split.path())
                && let Some(reads) = warmer.planned_reads(split, request)
            {
                one.worth = one.worth.max(Density::of_missing(densities, &reads));
            }
            one.worth >= (proactive * one.risk).clamp(least, proactive)
        });
    }

    /// Remembers what is listed.
    fn note(&self, listed: &[Candidate], look: Look, context: &TriggerContext, now: u64) {
        let half_life = context.core.settings().heat.half_life.as_millis();
        let oldest = now.saturating_sub(u64::try_from(half_life).unwrap_or(u64::MAX));
        let mut state = self.lock();
        let pairs = listed.iter().map(|one| one.forecast.key());
        state.tried.note(pairs, oldest, now);
        state.look = look;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Trigger for Predictive {
    fn name(&self) -> &str {
        "predictive"
    }

    fn settings(&self) -> TriggerSettings {
        self.settings.trigger.clone()
    }

    fn wants_documents(&self) -> bool {
        // Much of what it expects is not asked, and hits are the least certain part of that.
        false
    }

    async fn due(&self, context: &TriggerContext) {
        let mut splits = context.watch_splits();
        tokio::select! {
            () = context.interval() => (),
            // The catalogue lives as long as the context.
            _ = splits.changed() => (),
        }
    }

    async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>> {
        let now = context.core.clock.millis();
        let mut look = Look::default();
        let PredictiveSettings {
            predictive, least, ..
        } = self.settings;
        let is_quiet = context.core.is_quiet();
        let Forecasts {
            pairs: expected,
            splits,
        } = self.expected(context, least, now);
        let mut listed = self.candidates(&expected, context, now, &mut look);
        if is_quiet {
            self.weigh_idle(&mut listed, &expected, context.warmer(), &mut look);
        } else {
            listed.retain(|one| one.forecast.expected >= predictive);
        }
        Prices::of(context.warmer()).score(&mut listed);
        let is_predicted = |one: &Candidate| one.forecast.expected >= predictive;
        listed.sort_unstable_by(|a, b| {
            let by_kind = is_predicted(b).cmp(&is_predicted(a));
            by_kind
                .then_with(|| b.score.total_cmp(&a.score))
                .then_with(|| a.forecast.by_name(&b.forecast))
        });
        look.predictive = listed.iter().filter(|one| is_predicted(one)).count();
        listed.truncate(look.predictive + context.settings().batch_size);
        look.proactive = listed.len() - look.predictive;
        look.new = listed.iter().filter(|one| one.forecast.is_new).count();
        look.expected = listed.iter().map(|one| one.forecast.expected).sum();
        look.made_room = make_room(&listed, &splits, context);
        self.note(&listed, look, context, now);
        let wanted = listed.into_iter().map(|one| {
            let Forecast { split, request, .. } = one.forecast;
            Wanted::new(split, request).with_asks(one.worth)
        });
        Ok(wanted.collect())
    }

    fn details(&self) -> Value {
        serde_json::to_value(&self.lock().look).unwrap_or_default()
    }
}

/// Lets go of what is cached of splits that are hardly expected to be asked any more, where what is
/// listed needs the room: the cache knows how often they were asked, and would hold on to them.
fn make_room(listed: &[Candidate], splits: &HashMap<Path, f64>, context: &TriggerContext) -> usize {
    let bytes = |one: &Candidate| one.cost.map_or(BYTES, |cost| cost.bytes);
    let needed = listed.iter().map(bytes).sum();
    let is_stale = |path: &Path| splits.get(path).is_none_or(|asks| *asks < STALE);
    match listed.is_empty() {
        true => 0,
        false => context.warmer().make_room(needed, is_stale),
    }
}

/// Classifies pairs: those that are expected most for their size first. Answers also with the mean
/// size of those whose plan is known.
fn see<'a>(expected: &'a [Forecast], warmer: &Warmer) -> (Vec<Seen<'a>>, u64) {
    let mut by_request: BTreeMap<Fingerprint, Vec<&Forecast>> = BTreeMap::new();
    for forecast in expected {
        let of_request = by_request.entry(forecast.identity).or_default();
        of_request.push(forecast);
    }
    let mut seen = Vec::with_capacity(expected.len());
    for forecasts in by_request.into_values() {
        let splits: Vec<SplitAddress> = forecasts.iter().map(|it| it.split.clone()).collect();
        let classified = warmer.classify_planned(&splits, &forecasts[0].request);
        let pairs = forecasts.into_iter().zip(classified);
        seen.extend(pairs.map(|(forecast, (warmth, ranges))| Seen {
            forecast,
            warmth,
            ranges,
        }));
    }
    let sizes = seen.iter().filter_map(Seen::bytes);
    let (count, bytes) = sizes.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes));
    let mean = u64::checked_div(bytes, count).unwrap_or(BYTES);
    let density =
        |one: &Seen<'_>| one.forecast.expected / one.bytes().unwrap_or(mean).max(1) as f64;
    seen.sort_by(|a, b| {
        let by_name = || a.forecast.by_name(b.forecast);
        density(b).total_cmp(&density(a)).then_with(by_name)
    });
    (seen, mean)
}

impl Seen<'_> {
    /// What it takes in the cache, when a plan tells.
    fn bytes(&self) -> Option<u64> {
        let length = |range: &Range<u64>| range.end - range.start + EXTENT_OVERHEAD_BYTES;
        Some(self.ranges.as_ref()?.iter().map(length).sum())
    }
}
