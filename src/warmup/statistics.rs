use serde::Serialize;

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
    /// Reads that plans turned out to lack, and were completed by.
    pub plan_misses: u64,
    /// Number of splits that are open.
    pub opened_splits: u64,
    /// Bytes of splits that are open.
    pub opened_bytes: u64,
    /// Warmups that run, or have finished and can be joined.
    pub warmups: u64,
    /// Reads of the store made by searches, after their warmups.
    pub late_reads: u64,
}
