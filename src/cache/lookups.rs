use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::gaps;
use crate::telemetry::list;

/// How much of what was wanted ahead of searches was in memory.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    hits: AtomicU64,
    hit_bytes: AtomicU64,
    misses: AtomicU64,
    miss_bytes: AtomicU64,
}

/// What a look into memory found of ranges that were wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Looked {
    /// Ranges that were there whole.
    pub(crate) hits: u64,
    /// Bytes that were there.
    pub(crate) hit_bytes: u64,
    /// Ranges of which something was missing.
    pub(crate) misses: u64,
    /// Bytes that were missing.
    pub(crate) miss_bytes: u64,
}

impl Looked {
    /// Where all of `wanted` was there.
    pub(super) fn all(wanted: &[Range<u64>]) -> Self {
        Self {
            hits: wanted.len() as u64,
            hit_bytes: wanted.iter().map(|range| range.end - range.start).sum(),
            ..Self::default()
        }
    }

    /// Adds one range, of which the normalised ranges `present` are in memory.
    pub(super) fn add(&mut self, wanted: &Range<u64>, present: &[Range<u64>]) {
        let missing = gaps(wanted, present);
        let missing: u64 = missing.iter().map(|gap| gap.end - gap.start).sum();
        let is_hit = missing == 0;
        self.hits += u64::from(is_hit);
        self.misses += u64::from(!is_hit);
        self.hit_bytes += wanted.end - wanted.start - missing;
        self.miss_bytes += missing;
    }
}

impl Lookups {
    pub(super) fn count(&self, looked: Looked) {
        self.hits.fetch_add(looked.hits, Ordering::Relaxed);
        self.hit_bytes
            .fetch_add(looked.hit_bytes, Ordering::Relaxed);
        self.misses.fetch_add(looked.misses, Ordering::Relaxed);
        self.miss_bytes
            .fetch_add(looked.miss_bytes, Ordering::Relaxed);
        list::WARMING_HITS.add(looked.hits);
        list::WARMING_HIT_BYTES.add(looked.hit_bytes);
        list::WARMING_MISSES.add(looked.misses);
        list::WARMING_MISS_BYTES.add(looked.miss_bytes);
    }

    pub(super) fn snapshot(&self) -> Looked {
        Looked {
            hits: self.hits.load(Ordering::Relaxed),
            hit_bytes: self.hit_bytes.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            miss_bytes: self.miss_bytes.load(Ordering::Relaxed),
        }
    }
}
