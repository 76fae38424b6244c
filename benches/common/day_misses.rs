//! Why searches of a day were cold.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use forewarm::{Fingerprint, JobState, JobStatus, SplitAddress, Warmth};

use super::day::DAY;

/// A split that has just come: nobody can have warmed it.
const JUST: Duration = Duration::from_secs(2);

/// Why a search was cold: of its cold splits, what could be helped least.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// Its request was not asked before, neither today nor yesterday.
    New,
    /// It was not asked of the split, which has come a moment ago.
    Early,
    /// Not of the split, and of others once in the 24 hours before.
    AskedOnce,
    /// Not of the split, and of others two to five times.
    AskedSeldom,
    /// Not of the split, and of others more than five times, and not warmed all the same.
    AskedOften,
    /// It was warmed ahead, and had left memory.
    LeftWarmed,
    /// It was asked of the split, and had left memory.
    LeftAsked,
}

/// What was asked of which splits, and what was warmed ahead.
#[derive(Default)]
pub struct Misses {
    whys: BTreeMap<Why, u64>,
    /// When requests were asked.
    asked: HashMap<Fingerprint, Vec<Duration>>,
    pairs: HashSet<(String, Fingerprint)>,
    warmed: HashSet<(String, Fingerprint)>,
    born: HashMap<String, Duration>,
}

impl Misses {
    /// A split has come at that time of the two days.
    pub fn note_split(&mut self, split: &SplitAddress, at: Duration) {
        self.born.insert(split.path().to_string(), at);
    }

    /// What jobs have warmed.
    pub fn note_jobs(&mut self, jobs: &[JobStatus]) {
        let items = jobs.iter().flat_map(|job| &job.items);
        let warm = items.filter(|item| item.state == JobState::Complete);
        self.warmed
            .extend(warm.map(|item| (item.split.clone(), item.fingerprint)));
    }

    /// A search at that time; how warm it found its splits, if that counts.
    pub fn note_search(
        &mut self,
        splits: &[SplitAddress],
        request: Fingerprint,
        warmth: &[Warmth],
        at: Duration,
    ) {
        let is_cold = |it: &Warmth| !matches!(it, Warmth::Cached | Warmth::ProvablyEmpty);
        let cold = splits.iter().zip(warmth).filter(|(_, it)| is_cold(it));
        let why = cold.map(|(split, _)| self.why(split.path().as_ref(), request, at));
        if let Some(why) = why.min() {
            *self.whys.entry(why).or_default() += 1;
        }
        self.asked.entry(request).or_default().push(at);
        let paths = splits.iter().map(|split| split.path().to_string());
        self.pairs.extend(paths.map(|path| (path, request)));
    }

    fn why(&self, split: &str, request: Fingerprint, at: Duration) -> Why {
        let Some(asked) = self.asked.get(&request) else {
            return Why::New;
        };
        let pair = (split.to_owned(), request);
        if self.pairs.contains(&pair) {
            return Why::LeftAsked;
        }
        if self.warmed.contains(&pair) {
            return Why::LeftWarmed;
        }
        if self.born.get(split).is_some_and(|born| at < *born + JUST) {
            return Why::Early;
        }
        match asked.iter().filter(|then| **then + DAY > at).count() {
            0 | 1 => Why::AskedOnce,
            2..=5 => Why::AskedSeldom,
            _ => Why::AskedOften,
        }
    }

    /// In parts of so many searches.
    pub fn print(&self, searches: u64) {
        let part = |(why, count): (&Why, &u64)| {
            let share = *count as f64 / searches.max(1) as f64 * 100.0;
            format!("{why:?} {share:.1} %")
        };
        let parts: Vec<_> = self.whys.iter().map(part).collect();
        println!("  cold: {}", parts.join(", "));
    }
}
