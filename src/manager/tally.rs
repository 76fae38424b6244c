use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::Serialize;

use crate::store::Traffic;
use crate::warmup::Outcome;

/// Splits, and fingerprints, that are counted apart: those that something happened to last.
const KEPT: u64 = 1024;

/// What was warmed for somebody or something: a source, a split, or the fingerprint of a request.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// Warmups that ended well.
    pub warmed: u64,
    /// Warmups that failed, by kind of error.
    pub failed: BTreeMap<String, u64>,
    /// The share of `warmed` in both, from 0 to 1; none when there were none.
    pub success_rate: Option<f64>,
    /// Requests sent for them, for those that were given up, and for documents of hits (which are
    /// told by source only).
    pub gets: u64,
    /// Bytes fetched likewise.
    pub bytes: u64,
    /// How long all these took, one after the other, in microseconds.
    pub wall_us: u64,
    /// When the last of `warmed` ended, in milliseconds since 1970.
    pub last_warmed: Option<u64>,
    /// Joins, by outcome.
    pub joins: BTreeMap<&'static str, u64>,
}

/// How a warmup ended.
pub(super) struct Ended<'a> {
    /// None when it was given up: that tells nothing of how well it would have ended.
    pub(super) outcome: Option<&'a Outcome>,
    /// What was sent for it.
    pub(super) traffic: Traffic,
    pub(super) took: Duration,
    /// Milliseconds since 1970.
    pub(super) at: u64,
}

impl Tally {
    pub(super) fn count(&mut self, ended: &Ended<'_>) {
        self.gets += ended.traffic.gets;
        self.bytes += ended.traffic.bytes;
        self.wall_us += u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX);
        match ended.outcome {
            None => return,
            Some(outcome) if outcome.is_warm() => {
                self.warmed += 1;
                self.last_warmed = self.last_warmed.max(Some(ended.at));
            }
            Some(Outcome::Failed(error)) => {
                let kind = format!("{:?}", error.kind());
                *self.failed.entry(kind).or_default() += 1;
            }
            Some(outcome) => *self.failed.entry(outcome.name().to_owned()).or_default() += 1,
        }
        let all = self.warmed + self.failed.values().sum::<u64>();
        self.success_rate = Some(self.warmed as f64 / all as f64);
    }

    /// Counts what was sent beside the warmups.
    pub(super) fn count_more(&mut self, traffic: Traffic) {
        self.gets += traffic.gets;
        self.bytes += traffic.bytes;
    }

    pub(super) fn count_join(&mut self, outcome: &'static str) {
        *self.joins.entry(outcome).or_default() += 1;
    }
}

/// Tallies by name, as many as are [kept](KEPT).
pub(super) struct Tallies(Cache<String, Arc<Mutex<Tally>>>);

impl Default for Tallies {
    fn default() -> Self {
        let cache = Cache::builder()
            .name("forewarm-tallies")
            .max_capacity(KEPT)
            // Not by frequency: an operator asks about what happened lately.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self(cache)
    }
}

impl Tallies {
    /// Changes the tally of that name.
    pub(super) fn change(&self, name: String, change: impl FnOnce(&mut Tally)) {
        let tally = self.0.get_with(name, Arc::default);
        change(&mut lock(&tally));
    }

    pub(super) fn snapshot(&self) -> BTreeMap<String, Tally> {
        let tallies = self.0.iter();
        let tallies = tallies.map(|(name, tally)| (name.as_ref().clone(), lock(&tally).clone()));
        tallies.collect()
    }

    pub(super) fn reset(&self) {
        self.0.invalidate_all();
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn what_failed_counts_against_what_was_warmed() {
        let tallies = Tallies::default();
        let mut traffic = Traffic::default();
        (traffic.gets, traffic.bytes) = (3, 700);
        let failed = Outcome::Failed(Error::corrupt("no split"));
        let outcomes = [Some(Outcome::Ready), Some(failed), None];
        for (at, outcome) in outcomes.iter().enumerate() {
            let ended = Ended {
                outcome: outcome.as_ref(),
                traffic,
                took: Duration::from_millis(2),
                at: at as u64,
            };
            tallies.change("a.split".to_owned(), |tally| tally.count(&ended));
        }
        tallies.change("a.split".to_owned(), |tally| tally.count_join("ready"));
        let tally = &tallies.snapshot()["a.split"];
        assert_eq!((tally.warmed, tally.failed["Corrupt"]), (1, 1));
        assert_eq!((tally.failed.len(), tally.success_rate), (1, Some(0.5)));
        assert_eq!((tally.gets, tally.bytes, tally.wall_us), (9, 2100, 6000));
        assert_eq!((tally.last_warmed, tally.joins["ready"]), (Some(0), 1));
        tallies.reset();
        assert!(tallies.snapshot().is_empty());
    }

    #[test]
    fn only_so_many_names_are_kept_and_the_latest_are() {
        let tallies = Tallies::default();
        for n in 0..5000 {
            tallies.change(format!("{n:05}.split"), |tally| tally.count_join("ready"));
            tallies.0.run_pending_tasks();
        }
        let kept = tallies.snapshot();
        assert_eq!(kept.len() as u64, KEPT);
        assert!(kept.contains_key("04999.split"));
    }
}
