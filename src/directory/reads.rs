use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;

use crate::error::Error;
use crate::store::{Traffic, TrafficCounter, normalise};

/// What a search read that was not warmed, beside how much it read that was in memory.
#[derive(Debug, Default)]
pub(crate) struct LateReads {
    count: AtomicU64,
    /// Reads that memory answered, in parts that are summed up in the end: each thread adds to its
    /// own, for they would take a common one from each other.
    found: [Found; FOUND_PARTS],
    /// Made by the first that is fetched: warm searches have none.
    traffic: OnceLock<TrafficCounter>,
    /// Reads of one thread wait for each other; those of two threads do not.
    by_thread: Mutex<HashMap<ThreadId, u64>>,
    failure: OnceLock<Error>,
    /// What was read, by split, up to [`MAX_LATE_RANGES`]: the next warmup can bring it.
    ranges: Mutex<Vec<(u64, Range<u64>)>>,
}

/// More threads than that share some of the parts.
const FOUND_PARTS: usize = 4;

/// A counter and what keeps the next one out of its cache line, of 64 bytes: aligned to one, it would
/// have to be allocated in a slower way.
#[derive(Debug, Default)]
struct Found {
    reads: AtomicU64,
    _apart: [u64; 7],
}

/// How many late reads of one search are noted.
const MAX_LATE_RANGES: usize = 65_536;

impl LateReads {
    /// Counts a late read.
    pub(super) fn note(&self, split: u64, range: &Range<u64>) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        if ranges.len() < MAX_LATE_RANGES {
            ranges.push((split, range.clone()));
        }
    }

    /// What was read late of a split.
    pub(crate) fn ranges(&self, split: u64) -> Vec<Range<u64>> {
        let ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        let of_split = ranges.iter().filter(|(of, _)| *of == split);
        of_split.map(|(_, range)| range.clone()).collect()
    }

    /// Begins a read of the store on this thread; answers where its traffic is counted.
    pub(super) fn begin_fetch(&self) -> TrafficCounter {
        let mut by_thread = self
            .by_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *by_thread.entry(std::thread::current().id()).or_default() += 1;
        self.traffic.get_or_init(TrafficCounter::default).clone()
    }

    /// Takes note of a late read that failed or was refused.
    pub(super) fn fail(&self, error: &Error) {
        let _ = self.failure.set(error.clone());
    }

    /// So many reads were answered from memory.
    pub(super) fn add_found(&self, reads: u64) {
        let thread = rayon::current_thread_index().unwrap_or(0);
        let part = &self.found[thread % FOUND_PARTS].reads;
        part.fetch_add(reads, Ordering::Relaxed);
    }

    /// How many reads were answered from memory, hot bytes left out.
    pub(crate) fn found(&self) -> u64 {
        let parts = self.found.iter();
        parts.map(|part| part.reads.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let traffic = self.traffic.get().map(TrafficCounter::snapshot);
        let by_thread = self
            .by_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Traffic {
            rounds: by_thread.values().copied().max().unwrap_or(0),
            ..traffic.unwrap_or_default()
        }
    }

    /// The first late read that failed or was refused.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }
}

/// What was really read of splits, beyond their hot bytes.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<HashMap<u64, Vec<Range<u64>>>>);

impl Reads {
    pub(super) fn record(&self, split: u64, range: &Range<u64>) {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.entry(split).or_default().push(range.clone());
    }

    /// What was read of a split, sorted.
    pub(crate) fn of(&self, split: u64) -> Vec<Range<u64>> {
        let reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        normalise(reads.get(&split).cloned().unwrap_or_default())
    }

    /// Different bytes that were read.
    pub(crate) fn bytes(&self) -> u64 {
        let reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_split = |ranges: &Vec<Range<u64>>| -> u64 {
            let ranges = normalise(ranges.clone());
            ranges.iter().map(|range| range.end - range.start).sum()
        };
        reads.values().map(of_split).sum()
    }
}
