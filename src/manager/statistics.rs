use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::job::Target;
use super::tally::{Ended, Tallies, Tally};
use crate::filter::Fingerprint;
use crate::search::SearchReport;
use crate::split::SplitAddress;
use crate::store::{Origin, Traffic, Use};
use crate::telemetry::list;
use crate::warmup::{Statistics, Warmth};

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
    /// Joins, by outcome: those of readers, and one for each search, the worst of its splits.
    pub joins: BTreeMap<&'static str, u64>,
    /// How long these waited.
    pub join_waits: Vec<WaitBucket>,
    /// Splits that were classified, by warmth.
    pub classified: BTreeMap<&'static str, u64>,
    /// By split: the 1,024 that something happened to last.
    pub splits: BTreeMap<String, Tally>,
    /// By fingerprint, likewise.
    pub fingerprints: BTreeMap<String, Tally>,
    /// What the warmer has done and holds.
    pub warmer: Statistics,
}

/// What was warmed for one source: `prewarm`, or a trigger.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct SourceStatistics {
    /// Its warmups.
    #[serde(flatten)]
    pub tally: Tally,
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
pub(super) struct Counters {
    counts: Mutex<Counts>,
    splits: Tallies,
    fingerprints: Tallies,
}

#[derive(Clone, Default)]
struct Counts {
    ended_jobs: BTreeMap<&'static str, u64>,
    sources: BTreeMap<String, Source>,
    joins: BTreeMap<&'static str, u64>,
    waits: [u64; WAIT_BOUNDS_MS.len() + 1],
    classified: BTreeMap<&'static str, u64>,
}

#[derive(Clone)]
struct Source {
    tally: Tally,
    origin: Arc<Origin>,
}

impl Source {
    fn new(name: &str) -> Self {
        Self {
            tally: Tally::default(),
            origin: Origin::new(name),
        }
    }

    fn snapshot(self) -> SourceStatistics {
        SourceStatistics {
            usage: self.origin.usage(),
            tally: self.tally,
        }
    }
}

impl Counts {
    fn source(&mut self, name: &str) -> &mut Source {
        let source = self.sources.entry(name.to_owned());
        source.or_insert_with(|| Source::new(name))
    }
}

impl Counters {
    /// With what the warmups of `source` count what becomes of their bytes. After a
    /// [reset](Self::reset) it is another one.
    pub(super) fn origin(&self, source: &str) -> Arc<Origin> {
        Arc::clone(&self.lock().source(source).origin)
    }

    pub(super) fn count_job(&self, state: &'static str) {
        list::JOBS.add_of(state, 1);
        *self.lock().ended_jobs.entry(state).or_default() += 1;
    }

    pub(super) fn count_warmup(&self, source: &str, target: &Target, ended: &Ended<'_>) {
        self.lock().source(source).tally.count(ended);
        let split = target.split.path().to_string();
        self.splits.change(split, |tally| tally.count(ended));
        let fingerprint = target.request.fingerprint().to_string();
        self.fingerprints
            .change(fingerprint, |tally| tally.count(ended));
    }

    /// Counts what was sent for documents of hits.
    pub(super) fn count_documents(&self, source: &str, traffic: Traffic) {
        self.lock().source(source).tally.count_more(traffic);
    }

    pub(super) fn count_join(
        &self,
        split: &SplitAddress,
        fingerprint: Fingerprint,
        outcome: &'static str,
        waited: Duration,
    ) {
        self.count_wait(outcome, waited);
        let split = split.path().to_string();
        self.splits.change(split, |tally| tally.count_join(outcome));
        self.fingerprints
            .change(fingerprint.to_string(), |tally| tally.count_join(outcome));
    }

    /// Counts a search, which joins all of its splits at once and waits once.
    pub(super) fn count_search(&self, fingerprint: Fingerprint, report: &SearchReport) {
        self.count_wait(report.outcome, Duration::from_micros(report.join_us));
        self.fingerprints.change(fingerprint.to_string(), |tally| {
            tally.count_join(report.outcome);
        });
    }

    fn count_wait(&self, outcome: &'static str, waited: Duration) {
        let bucket =
            WAIT_BOUNDS_MS.partition_point(|&bound| u128::from(bound) < waited.as_millis());
        let mut counts = self.lock();
        *counts.joins.entry(outcome).or_default() += 1;
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
        self.splits.reset();
        self.fingerprints.reset();
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
            splits: self.splits.snapshot(),
            fingerprints: self.fingerprints.snapshot(),
            warmer,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
