use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::store::{Origin, Traffic, Use};
use crate::warmup::{Outcome, Statistics, Warmth};

/// Upper bounds of the buckets that waits of joins are counted in, in milliseconds; one more is
/// for all above.
const WAIT_BOUNDS_MS: [u64; 12] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000];

/// What a [`Manager`](crate::Manager) has done since it was built or last
/// [reset](crate::Manager::reset_statistics), and what its warmer holds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ManagerSnapshot {
    /// Whether it is switched on.
    pub enabled: bool,
    /// Jobs that run now.
    pub running_jobs: usize,
    /// Jobs that have ended, by state.
    pub ended_jobs: BTreeMap<&'static str, u64>,
    /// By who asked for it: splits warmed and not.
    pub sources: BTreeMap<String, SourceStatistics>,
    /// Joins, by outcome.
    pub joins: BTreeMap<&'static str, u64>,
    /// How long joins waited.
    pub join_waits: Vec<WaitBucket>,
    /// Splits that were classified, by warmth.
    pub classified: BTreeMap<&'static str, u64>,
    /// What the warmer has done and holds.
    pub warmer: Statistics,
}

/// What was warmed for one source: `prewarm`, or a trigger.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SourceStatistics {
    /// Splits that were warmed.
    pub warmed: u64,
    /// Splits whose warmup failed, by kind of error.
    pub failed: BTreeMap<String, u64>,
    /// Requests sent for them.
    pub gets: u64,
    /// Bytes fetched for them.
    pub bytes: u64,
    /// What became of the bytes that they brought into memory.
    pub usage: Use,
}

/// How many joins waited for how long.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct WaitBucket {
    /// At most this many milliseconds, and more than the bucket before; any longer where there is
    /// none.
    pub up_to_ms: Option<u64>,
    /// Joins.
    pub joins: u64,
}

/// Counts as things happen.
#[derive(Default)]
pub(super) struct Counters(Mutex<Counts>);

#[derive(Clone, Default)]
struct Counts {
    ended_jobs: BTreeMap<&'static str, u64>,
    sources: BTreeMap<String, Source>,
    joins: BTreeMap<&'static str, u64>,
    waits: [u64; WAIT_BOUNDS_MS.len() + 1],
    classified: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Default)]
struct Source {
    /// All but the usage.
    counted: SourceStatistics,
    origin: Arc<Origin>,
}

impl Source {
    fn snapshot(self) -> SourceStatistics {
        SourceStatistics {
            usage: self.origin.usage(),
            ..self.counted
        }
    }
}

impl Counts {
    fn source(&mut self, name: &str) -> &mut Source {
        self.sources.entry(name.to_owned()).or_default()
    }
}

impl Counters {
    /// With what the warmups of `source` count what becomes of their bytes. After a
    /// [reset](Self::reset) it is another one.
    pub(super) fn origin(&self, source: &str) -> Arc<Origin> {
        Arc::clone(&self.lock().source(source).origin)
    }

    pub(super) fn count_job(&self, state: &'static str) {
        metrics::counter!("forewarm_jobs_total", "state" => state).increment(1);
        *self.lock().ended_jobs.entry(state).or_default() += 1;
    }

    pub(super) fn count_warmup(&self, source: &str, outcome: &Outcome, traffic: Traffic) {
        let mut counts = self.lock();
        let source = &mut counts.source(source).counted;
        source.gets += traffic.gets;
        source.bytes += traffic.bytes;
        match outcome {
            outcome if outcome.is_warm() => source.warmed += 1,
            Outcome::Failed(error) => {
                let kind = format!("{:?}", error.kind());
                *source.failed.entry(kind).or_default() += 1;
            }
            outcome => *source.failed.entry(outcome.name().to_owned()).or_default() += 1,
        }
    }

    pub(super) fn count_join(&self, outcome: &Outcome, waited: Duration) {
        let bucket =
            WAIT_BOUNDS_MS.partition_point(|&bound| u128::from(bound) < waited.as_millis());
        let mut counts = self.lock();
        *counts.joins.entry(outcome.name()).or_default() += 1;
        counts.waits[bucket] += 1;
    }

    pub(super) fn count_classified(&self, splits: &[Warmth]) {
        let mut counts = self.lock();
        for warmth in splits {
            *counts.classified.entry(warmth.name()).or_default() += 1;
        }
    }

    pub(super) fn reset(&self) {
        *self.lock() = Counts::default();
    }

    pub(super) fn snapshot(
        &self,
        enabled: bool,
        running_jobs: usize,
        warmer: Statistics,
    ) -> ManagerSnapshot {
        let Counts {
            ended_jobs,
            sources,
            joins,
            waits,
            classified,
        } = self.lock().clone();
        let bounds = WAIT_BOUNDS_MS.into_iter().map(Some).chain([None]);
        let waits = bounds.zip(waits);
        ManagerSnapshot {
            enabled,
            running_jobs,
            ended_jobs,
            sources: sources
                .into_iter()
                .map(|(name, source)| (name, source.snapshot()))
                .collect(),
            joins,
            join_waits: waits
                .map(|(up_to_ms, joins)| WaitBucket { up_to_ms, joins })
                .collect(),
            classified,
            warmer,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
