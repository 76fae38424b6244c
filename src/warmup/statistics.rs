use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::warmer::{Inner, Warmer};
use crate::store::Traffic;
use crate::telemetry::list;

/// What a [`Warmer`](crate::Warmer) has done since it was built, and holds now. Bytes of memory include
/// bookkeeping.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Statistics {
    /// Requests sent to the store.
    pub gets: u64,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Requests that the store refused because it was asked too much.
    pub throttled: u64,
    /// Requests sent beside one that was slow to begin; none unless
    /// [`hedge`](crate::StoreSettings::hedge) is set.
    pub hedges: u64,
    /// How long the store takes to the first byte of an answer, in microseconds: a moving average,
    /// which starts at 30 ms.
    pub time_to_first_byte_us: u64,
    /// How many bytes a second one connection to the store brings: a moving average, which starts
    /// at 90 MB/s and learns from bodies of at least 64 KiB.
    pub bandwidth: u64,
    /// The longest gap between two ranges that one GET may bring along, in bytes, as things stand:
    /// see [`merge_gap_bytes`](crate::StoreSettings::merge_gap_bytes).
    pub merge_gap_bytes: u64,
    /// Bytes of cached extents.
    pub cached_bytes: u64,
    /// Number of cached extents.
    pub cached_extents: u64,
    /// Bytes that extents may take.
    pub capacity_bytes: u64,
    /// Bytes held by warmups and searches, whether cached or not.
    pub leased_bytes: u64,
    /// Bytes cached, leased or in flight, each counted once.
    pub resident_bytes: u64,
    /// Bytes brought into memory, ahead of searches or by them, that searches have read; see
    /// [`Use`](crate::Use).
    pub used_bytes: u64,
    /// Bytes brought into memory that left it before any search has read them.
    pub wasted_bytes: u64,
    /// Number of terms and patterns that segments are known not to hold, about.
    pub absences: u64,
    /// Number of plans that are known.
    pub plans: u64,
    /// Bytes of plans that are known.
    pub plan_bytes: u64,
    /// Warmups that went by a plan that was known.
    pub plan_hits: u64,
    /// Reads that plans turned out to lack.
    pub plan_misses: u64,
    /// Plans that were completed by what they lacked.
    pub plans_healed: u64,
    /// Number of splits that are open.
    pub opened_splits: u64,
    /// Bytes of splits that are open.
    pub opened_bytes: u64,
    /// Warmups that run, or have finished and can be joined.
    pub warmups: u64,
    /// Ranges of bytes that were wanted ahead of searches (by warmups, or in the round of the
    /// documents of hits) and were in memory whole. What opening a split reads is not counted.
    pub warming_hits: u64,
    /// Bytes of such ranges that were in memory.
    pub warming_hit_bytes: u64,
    /// Ranges of bytes that were wanted ahead of searches and of which something was missing:
    /// fetched then, or on its way for somebody else.
    pub warming_misses: u64,
    /// Bytes of such ranges that were missing.
    pub warming_miss_bytes: u64,
    /// Reads of searches that were answered from memory. Reads of hot bytes are not counted.
    pub search_hits: u64,
    /// Reads of searches that were not: made of the store after their warmups, or refused in strict
    /// mode.
    pub late_reads: u64,
}

impl Warmer {
    /// What it has done and holds.
    pub fn statistics(&self) -> Statistics {
        let cache = &self.inner.cache;
        let (opened_splits, opened_bytes) = self.inner.opener.usage();
        let (plans, plan_bytes) = self.inner.planner.plans.usage();
        let (plan_hits, plan_misses, plans_healed) = self.inner.planner.plans.counts();
        let Traffic { gets, bytes, .. } = cache.fetcher().totals().snapshot();
        let (usage, looked) = (cache.usage(), cache.looked());
        let estimate = cache.fetcher().estimate();
        let [cached_bytes, leased_bytes, resident_bytes] = self.inner.measure();
        Statistics {
            gets,
            bytes,
            throttled: cache.fetcher().refusals(),
            hedges: cache.fetcher().hedged(),
            time_to_first_byte_us: estimate.first_byte().as_micros() as u64,
            bandwidth: estimate.bytes_per_second() as u64,
            merge_gap_bytes: cache.fetcher().coalescing().gap,
            cached_bytes,
            cached_extents: cache.cached_extents(),
            capacity_bytes: cache.capacity_bytes(),
            leased_bytes,
            resident_bytes,
            used_bytes: usage.used_bytes,
            wasted_bytes: usage.wasted_bytes,
            absences: self.inner.planner.absences.len(),
            plans,
            plan_bytes,
            plan_hits,
            plan_misses,
            plans_healed,
            opened_splits,
            opened_bytes,
            warmups: self.inner.registry.len(),
            warming_hits: looked.hits,
            warming_hit_bytes: looked.hit_bytes,
            warming_misses: looked.misses,
            warming_miss_bytes: looked.miss_bytes,
            search_hits: self.inner.search_hits.load(Ordering::Relaxed),
            late_reads: self.inner.late_reads.load(Ordering::Relaxed),
        }
    }
}

impl Inner {
    /// Tells bytes cached, leased and resident, here and to gauges.
    fn measure(&self) -> [u64; 3] {
        let cache = &self.cache;
        let cached = cache.cached_bytes();
        let (leased, resident) = (cache.leased_bytes(), cache.resident_bytes());
        list::CACHED_BYTES.set(cached);
        list::LEASED_BYTES.set(leased);
        list::RESIDENT_BYTES.set(resident);
        [cached, leased, resident]
    }

    /// Keeps gauges up to date, for as long as there is a warmer.
    pub(super) fn measure_now_and_then(self: &Arc<Self>) {
        /// Recorders are asked for what they know about as often.
        const PAUSE: Duration = Duration::from_secs(10);
        let inner = Arc::downgrade(self);
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                inner.measure();
            }
        });
    }
}
