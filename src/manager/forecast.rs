//! What is expected to be asked, by what was asked.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use object_store::path::Path;

use super::births::Births;
use super::habit::{Habit, Outlook};
use super::heat::{Copies, Heat};
use crate::filter::{Fingerprint, SearchRequest};
use crate::split::SplitAddress;

/// How often a request is expected to be asked of a split.
#[derive(Clone, Debug)]
pub(super) struct Forecast {
    pub(super) split: SplitAddress,
    pub(super) request: Arc<SearchRequest>,
    /// Tells the request from all others.
    pub(super) identity: Fingerprint,
    /// Times it will be asked, for as long as it is looked ahead.
    pub(super) expected: f64,
    /// Whether the split has come since the request was last asked of its folder.
    pub(super) is_new: bool,
}

/// What is expected to be asked.
#[derive(Debug, Default)]
pub(super) struct Forecasts {
    /// In no order.
    pub(super) pairs: Vec<Forecast>,
    /// How often splits are expected to be asked, by anything that is known to be asked of them.
    pub(super) splits: HashMap<Path, f64>,
}

impl Forecast {
    /// Tells the pair from all others.
    pub(super) fn key(&self) -> (Path, Fingerprint) {
        (self.split.path().clone(), self.identity)
    }

    /// In the order of paths, then of requests.
    pub(super) fn by_name(&self, other: &Self) -> Ordering {
        let by_path = self.split.path().cmp(other.split.path());
        by_path.then_with(|| self.identity.cmp(&other.identity))
    }
}

impl Heat {
    /// What is expected to be asked so often at least: requests of splits that they were asked of
    /// lately, and of those that came after that. It is looked ahead for a half-life; where it is known
    /// how often splits come, for as long as each is asked, at most `horizon` milliseconds.
    pub(super) fn forecasts(
        &self,
        births: &Births,
        least: f64,
        horizon: u64,
        now: u64,
    ) -> Forecasts {
        let Forecasts {
            mut pairs,
            mut splits,
        } = Forecasts::default();
        let mut copies = Copies::default();
        let (newer, rhythms) = (births.newer(), births.rhythms());
        // The half-lives for which a split stays among the newest.
        let half_life = self.half_lives.lately_ms().max(1);
        let stay = |folder: &str, newer: usize, depth: usize| match rhythms.get(folder) {
            Some(rhythm) => {
                let until = rhythm.until(depth.saturating_sub(newer), now);
                until.min(horizon) as f64 / half_life as f64
            }
            None => 1.0,
        };
        let mut outlooks: HashMap<*const Habit, (Arc<Habit>, Outlook)> = HashMap::new();
        for (key, pair) in &self.pairs {
            let Some((habit, share)) = pair.habit() else {
                continue;
            };
            let outlook = outlooks.entry(Arc::as_ptr(&habit)).or_insert_with(|| {
                let outlook = habit.outlook(now, self.half_lives);
                (habit, outlook)
            });
            let (habit, outlook) = (&outlook.0, outlook.1);
            // Where nobody tells what is served, nothing is newer than anything.
            let newer = newer.get(&key.split).copied().unwrap_or(0);
            let stay = stay(&habit.folder, newer, outlook.depth);
            let expected = outlook.of(newer, share.after(outlook.so_far), stay);
            match splits.get_mut(&key.split) {
                Some(sum) => *sum += expected,
                None => {
                    splits.insert(key.split.clone(), expected);
                }
            }
            if expected >= least
                && births.is_served(&key.split)
                && let Some(request) = copies.find(&pair.asked)
            {
                pairs.push(Forecast {
                    split: pair.split.clone(),
                    request,
                    identity: key.request,
                    expected,
                    is_new: false,
                });
            }
        }
        for (_, habit) in &self.habits {
            let outlook = habit.outlook(now, self.half_lives);
            let searches = outlook.searches * outlook.newest;
            if searches <= 0.0 {
                continue;
            }
            let new = births.since(&habit.folder, outlook.last);
            for (newer, split) in new.take(outlook.depth).enumerate() {
                let expected = searches * stay(&habit.folder, newer, outlook.depth);
                // One that replaces others has their pairs.
                if self.knows(split, habit.asked.identity) {
                    continue;
                }
                *splits.entry(split.path().clone()).or_default() += expected;
                if expected >= least
                    && let Some(request) = copies.find(&habit.asked)
                {
                    pairs.push(Forecast {
                        split: split.clone(),
                        request,
                        identity: habit.asked.identity,
                        expected,
                        is_new: true,
                    });
                }
            }
        }
        Forecasts { pairs, splits }
    }
}
