//! All metrics, in the order of the document.

use super::{Counter, Gauge, Histogram, Metric};

/// All of them: whatever is added below is added here.
pub(super) const ALL: &[&Metric] = &[
    &STORE_GETS.0,
    &STORE_BYTES.0,
    &STORE_RETRIES.0,
    &STORE_HEDGES.0,
    &STORE_THROTTLED.0,
    &SPLITS_OPENED.0,
    &CACHED_BYTES.0,
    &LEASED_BYTES.0,
    &RESIDENT_BYTES.0,
    &FETCHED_BYTES.0,
    &USED_BYTES.0,
    &WASTED_BYTES.0,
    &WARMING_HITS.0,
    &WARMING_HIT_BYTES.0,
    &WARMING_MISSES.0,
    &WARMING_MISS_BYTES.0,
    &WARMUPS.0,
    &WARMUPS_FAILED.0,
    &WARMUP_SECONDS.0,
    &PLAN_HITS.0,
    &PLAN_MISSES.0,
    &PLANS_HEALED.0,
    &PLAN_STORE_DROPPED.0,
    &PLAN_STORE_FAILURES.0,
    &PLAN_STORE_LOADED.0,
    &PLAN_STORE_REJECTED.0,
    &PLAN_STORE_SAVED.0,
    &HOT_SET_WRITES.0,
    &RUNNING_JOBS.0,
    &JOBS.0,
    &TRIGGER_TICKS.0,
    &JOINS.0,
    &JOIN_WAIT_SECONDS.0,
    &JOIN_SECONDS.0,
    &SEARCHES.0,
    &SEARCH_SECONDS.0,
    &GIVEN_UP_SPLITS.0,
    &SEARCH_HITS.0,
    &LATE_READS.0,
];

pub(crate) const STORE_GETS: Counter = Counter::new(
    "forewarm_store_gets_total",
    "requests",
    "sent to the store, retries included",
);
pub(crate) const STORE_BYTES: Counter =
    Counter::new("forewarm_store_bytes_total", "bytes", "of bodies received");
pub(crate) const STORE_RETRIES: Counter = Counter::new(
    "forewarm_store_retries_total",
    "requests",
    "that were tried again",
);
pub(crate) const STORE_HEDGES: Counter = Counter::new(
    "forewarm_store_hedges_total",
    "requests",
    "sent beside one that was slow to begin",
);
pub(crate) const STORE_THROTTLED: Counter = Counter::new(
    "forewarm_store_throttled_total",
    "requests",
    "that the store refused because it was asked too much",
);
pub(crate) const SPLITS_OPENED: Counter = Counter::new(
    "forewarm_splits_opened_total",
    "splits",
    "opened from the store",
);

pub(crate) const CACHED_BYTES: Gauge = Gauge::new(
    "forewarm_cached_bytes",
    "bytes",
    "of cached extents, bookkeeping included",
);
pub(crate) const LEASED_BYTES: Gauge = Gauge::new(
    "forewarm_leased_bytes",
    "bytes",
    "held by warmups and searches, whether cached or not",
);
pub(crate) const RESIDENT_BYTES: Gauge = Gauge::new(
    "forewarm_resident_bytes",
    "bytes",
    "cached, leased or in flight, each counted once",
);
pub(crate) const FETCHED_BYTES: Counter = Counter::new(
    "forewarm_fetched_bytes_total",
    "bytes",
    "brought into memory, by who had them warmed: `search` when a search wanted them for itself",
)
.by("source");
pub(crate) const USED_BYTES: Counter = Counter::new(
    "forewarm_used_bytes_total",
    "bytes",
    "of these that a search has read for the first time",
)
.by("source");
pub(crate) const WASTED_BYTES: Counter = Counter::new(
    "forewarm_wasted_bytes_total",
    "bytes",
    "of these that left memory before any search has read them",
)
.by("source");

pub(crate) const WARMING_HITS: Counter = Counter::new(
    "forewarm_warming_hits_total",
    "ranges",
    "wanted ahead of searches that were in memory whole",
);
pub(crate) const WARMING_HIT_BYTES: Counter = Counter::new(
    "forewarm_warming_hit_bytes_total",
    "bytes",
    "wanted ahead of searches that were in memory",
);
pub(crate) const WARMING_MISSES: Counter = Counter::new(
    "forewarm_warming_misses_total",
    "ranges",
    "wanted ahead of searches of which something was missing",
);
pub(crate) const WARMING_MISS_BYTES: Counter = Counter::new(
    "forewarm_warming_miss_bytes_total",
    "bytes",
    "wanted ahead of searches that were missing: fetched then, or on their way",
);
pub(crate) const WARMUPS: Counter = Counter::new("forewarm_warmups_total", "warmups", "started");
pub(crate) const WARMUPS_FAILED: Counter =
    Counter::new("forewarm_warmups_failed_total", "warmups", "failed");
pub(crate) const WARMUP_SECONDS: Histogram = Histogram::new(
    "forewarm_warmup_seconds",
    "from start to ready, opening included",
);

pub(crate) const PLAN_HITS: Counter = Counter::new(
    "forewarm_plan_hits_total",
    "warmups",
    "that went by a plan that was known",
);
pub(crate) const PLAN_MISSES: Counter = Counter::new(
    "forewarm_plan_misses_total",
    "reads",
    "that plans turned out to lack",
);
pub(crate) const PLANS_HEALED: Counter = Counter::new(
    "forewarm_plans_healed_total",
    "plans",
    "completed by what they lacked",
);
pub(crate) const PLAN_STORE_DROPPED: Counter = Counter::new(
    "forewarm_plan_store_dropped_total",
    "rows",
    "not kept, for want of room or because the store stayed away",
);
pub(crate) const PLAN_STORE_FAILURES: Counter = Counter::new(
    "forewarm_plan_store_failures_total",
    "saves",
    "that failed; they are tried again",
);
pub(crate) const PLAN_STORE_LOADED: Counter =
    Counter::new("forewarm_plan_store_loaded_total", "rows", "loaded");
pub(crate) const PLAN_STORE_REJECTED: Counter = Counter::new(
    "forewarm_plan_store_rejected_total",
    "packs",
    "passed over while loading",
);
pub(crate) const PLAN_STORE_SAVED: Counter =
    Counter::new("forewarm_plan_store_saved_total", "rows", "saved");

pub(crate) const HOT_SET_WRITES: Counter = Counter::new(
    "forewarm_hot_set_writes_total",
    "times",
    "that a hot set was due to be written",
)
.by("outcome");
pub(crate) const RUNNING_JOBS: Gauge = Gauge::new(
    "forewarm_running_jobs",
    "jobs",
    "of managers that have not ended",
);
pub(crate) const JOBS: Counter =
    Counter::new("forewarm_jobs_total", "jobs", "of managers that have ended").by("state");

pub(crate) const TRIGGER_TICKS: Counter =
    Counter::new("forewarm_trigger_ticks_total", "ticks", "of triggers").by("source");

pub(crate) const JOINS: Counter =
    Counter::new("forewarm_joins_total", "joins", "of warmups").by("outcome");
pub(crate) const JOIN_WAIT_SECONDS: Histogram = Histogram::new(
    "forewarm_join_wait_seconds",
    "that a join waited for its warmup; those that found it finished are not among them",
)
.by("outcome");
pub(crate) const JOIN_SECONDS: Histogram = Histogram::new(
    "forewarm_join_seconds",
    "that a search waited for its warmups",
);
pub(crate) const SEARCHES: Counter = Counter::new(
    "forewarm_searches_total",
    "searches",
    "by the worst outcome of joining the warmups of their splits",
)
.by("outcome");
pub(crate) const SEARCH_SECONDS: Histogram =
    Histogram::new("forewarm_search_seconds", "of searching and merging");
pub(crate) const GIVEN_UP_SPLITS: Counter = Counter::new(
    "forewarm_given_up_splits_total",
    "splits",
    "that progressive searches left out",
);
pub(crate) const SEARCH_HITS: Counter = Counter::new(
    "forewarm_search_hits_total",
    "reads",
    "of searches that memory answered, hot bytes left out",
);
pub(crate) const LATE_READS: Counter = Counter::new(
    "forewarm_late_reads_total",
    "reads",
    "that searches made, or were refused, beyond what was warmed",
);
