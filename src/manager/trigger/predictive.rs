//! Warms what is expected to be asked: what is hot and was evicted, and what hot requests will ask
//! of splits that have just come.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use object_store::path::Path;
use serde::Serialize;
use serde_json::Value;

use super::components::{ComponentHeat, Density};
use super::predictive_settings::PredictiveSettings;
use super::settings::TriggerSettings;
use super::{Trigger, TriggerContext, Wanted};
use crate::error::Result;
use crate::filter::Fingerprint;
use crate::manager::forecast::Forecast;
use crate::plan::Component;
use crate::split::SplitAddress;
use crate::store::Traffic;
use crate::warmup::{Warmer, Warmth};

/// Rounds of a warmup that no plan tells of.
const ROUNDS: u64 = 3;
/// Bytes of a warmup that no plan tells of, where none tells of any other.
const BYTES: u64 = 64 << 10;
/// The least part of `proactive` that a request must be expected itself, however often others read
/// what it lacks.
const OWN_SHARE: f64 = 0.5;
/// How often the pause doubles after which a pair is listed again that did not stay warm.
const MAX_DOUBLINGS: u32 = 8;

/// Warms what is expected to be asked.
#[derive(Debug)]
pub(in crate::manager) struct Predictive {
    settings: PredictiveSettings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What was listed lately, and may not be warm for all that.
    tried: HashMap<(Path, Fingerprint), Tried>,
    look: Look,
}

/// A pair that was listed.
#[derive(Clone, Copy, Debug)]
struct Tried {
    /// How often since it was last asked.
    times: u32,
    /// When, in milliseconds since 1970.
    at: u64,
    /// Searches of its habit then.
    searches: u64,
}

/// What the last look found, for the trigger's status.
#[derive(Clone, Debug, Default, Serialize)]
struct Look {
    /// Pairs whose expectation was above the threshold.
    considered: usize,
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
    /// Asks that are expected of all that was listed.
    expected: f64,
    /// How often components are read, over the splits that were looked at for `proactive`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    components: BTreeMap<Component, Density>,
}

/// A pair that is not warm.
struct Candidate {
    forecast: Forecast,
    /// What warming it would send, when a plan tells.
    cost: Option<Traffic>,
    /// How often an average byte of what it lacks is expected to be read, in asks.
    worth: f64,
    score: f64,
}

/// What a round and a byte cost, in seconds.
struct Prices {
    round: f64,
    byte: f64,
}

impl Predictive {
    pub(in crate::manager) fn new(settings: PredictiveSettings) -> Self {
        Self {
            settings,
            state: Mutex::default(),
        }
    }

    /// What is expected most and at least so often.
    fn expected(&self, context: &TriggerContext, least: f64, now: u64) -> Vec<Forecast> {
        let core = &context.core;
        let mut expected = core.heat.forecasts(&core.catalog.births(), now);
        expected.retain(|forecast| forecast.expected >= least);
        expected.sort_by(|a, b| {
            let by_name = || a.key().cmp(&b.key());
            b.expected.total_cmp(&a.expected).then_with(by_name)
        });
        expected.truncate(self.settings.max_pairs);
        expected
    }

    /// Of these pairs, those that are not warm and were not listed in vain lately.
    fn candidates(
        &self,
        expected: &[Forecast],
        context: &TriggerContext,
        now: u64,
        look: &mut Look,
    ) -> Vec<Candidate> {
        let interval = context.settings().interval;
        look.considered = expected.len();
        let mut by_request: BTreeMap<Fingerprint, Vec<&Forecast>> = BTreeMap::new();
        for forecast in expected {
            by_request
                .entry(forecast.identity)
                .or_default()
                .push(forecast);
        }
        let mut candidates = Vec::new();
        let state = self.lock();
        for forecasts in by_request.into_values() {
            let splits: Vec<SplitAddress> = forecasts.iter().map(|it| it.split.clone()).collect();
            let request = &forecasts[0].request;
            let warmth = context.warmer().classify(&splits, request);
            for (forecast, warmth) in forecasts.into_iter().zip(warmth) {
                let cost = match warmth {
                    Warmth::ProvablyEmpty | Warmth::Cached => {
                        look.warm += 1;
                        continue;
                    }
                    Warmth::Partial(cost) => Some(cost),
                    Warmth::Cold(cost) => cost,
                };
                let tried = state.tried.get(&forecast.key());
                if tried.is_some_and(|tried| tried.holds_back(forecast, interval, now)) {
                    look.held_back += 1;
                    continue;
                }
                candidates.push(Candidate {
                    worth: forecast.expected,
                    forecast: forecast.clone(),
                    cost,
                    score: 0.0,
                });
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
            one.worth >= proactive
        });
    }

    /// Remembers what is listed.
    fn note(&self, listed: &[Candidate], look: Look, half_life: Duration, now: u64) {
        let mut state = self.lock();
        let oldest = now.saturating_sub(u64::try_from(half_life.as_millis()).unwrap_or(u64::MAX));
        state.tried.retain(|_, tried| tried.at >= oldest);
        for Candidate { forecast, .. } in listed {
            let tried = state.tried.entry(forecast.key()).or_insert(Tried {
                times: 0,
                at: now,
                searches: forecast.searches,
            });
            if tried.searches != forecast.searches {
                tried.times = 0;
            }
            tried.times += 1;
            (tried.at, tried.searches) = (now, forecast.searches);
        }
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
            predictive,
            proactive,
            ..
        } = self.settings;
        let is_quiet = context.core.is_quiet();
        let least = match is_quiet {
            true => proactive * OWN_SHARE,
            false => predictive,
        };
        let expected = self.expected(context, least, now);
        let mut listed = self.candidates(&expected, context, now, &mut look);
        if is_quiet {
            self.weigh_idle(&mut listed, &expected, context.warmer(), &mut look);
        }
        Prices::of(context.warmer()).score(&mut listed);
        let is_predicted = |one: &Candidate| one.forecast.expected >= predictive;
        listed.sort_by(|a, b| {
            let by_name = || a.forecast.key().cmp(&b.forecast.key());
            let by_kind = is_predicted(b).cmp(&is_predicted(a));
            by_kind
                .then_with(|| b.score.total_cmp(&a.score))
                .then_with(by_name)
        });
        look.predictive = listed.iter().filter(|one| is_predicted(one)).count();
        listed.truncate(look.predictive + context.settings().batch_size);
        look.proactive = listed.len() - look.predictive;
        look.new = listed.iter().filter(|one| one.forecast.is_new).count();
        look.expected = listed.iter().map(|one| one.forecast.expected).sum();
        self.note(&listed, look, context.core.settings().heat.half_life, now);
        let wanted = listed.into_iter().map(|Candidate { forecast, .. }| {
            Wanted::new(forecast.split, forecast.request).with_asks(forecast.expected)
        });
        Ok(wanted.collect())
    }

    fn details(&self) -> Value {
        serde_json::to_value(&self.lock().look).unwrap_or_default()
    }
}

impl Tried {
    /// Whether it is too early to list the pair again.
    fn holds_back(self, forecast: &Forecast, interval: Duration, now: u64) -> bool {
        if self.searches != forecast.searches {
            return false;
        }
        let pause = interval.saturating_mul(1 << self.times.min(MAX_DOUBLINGS));
        u128::from(now.saturating_sub(self.at)) < pause.as_millis()
    }
}

impl Prices {
    /// As the store is measured to be.
    fn of(warmer: &Warmer) -> Self {
        let statistics = warmer.statistics();
        Self {
            round: statistics.time_to_first_byte_us as f64 / 1e6,
            byte: 1.0 / statistics.bandwidth.max(1) as f64,
        }
    }

    /// Scores each by the seconds that searches are likely to be spared for each second that the
    /// store is busy: what nobody can foretell costs as much as others do.
    fn score(&self, candidates: &mut [Candidate]) {
        let known: Vec<Traffic> = candidates.iter().filter_map(|one| one.cost).collect();
        let bytes: u64 = known.iter().map(|cost| cost.bytes).sum();
        let mean = bytes.checked_div(known.len() as u64).unwrap_or(BYTES);
        for one in candidates {
            let (gets, bytes, rounds) = match one.cost {
                Some(cost) => (cost.gets, cost.bytes, cost.rounds),
                None => (ROUNDS, mean, ROUNDS),
            };
            let likely = 1.0 - (-one.worth).exp();
            let bytes = bytes as f64 * self.byte;
            let spared = rounds as f64 * self.round + bytes;
            let spent = gets as f64 * self.round + bytes;
            one.score = likely * spared / spent.max(f64::MIN_POSITIVE);
        }
    }
}
