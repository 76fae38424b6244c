//! All metrics, in the order of the document.

use metrics::Label;

use super::{Counter, Gauge, Histogram, Metric};

/// The outcome of what is warm.
static READY: [Label; 1] = [Label::from_static_parts("outcome", "ready")];

/// All of them: whatever is added below is added here.
pub(super) static ALL: &[&Metric] = &[
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
    &REMEMBERED_SPLITS.0,
    &SEARCH_HITS.0,
    &LATE_READS.0,
];

pub(crate) static STORE_GETS: Counter = Counter::new(
    "forewarm_store_gets_total",
    "requests",
    "sent to the store, retries included",
);
pub(crate) static STORE_BYTES: Counter =
    Counter::new("forewarm_store_bytes_total", "bytes", "of bodies received");
pub(crate) static STORE_RETRIES: Counter = Counter::new(
    "forewarm_store_retries_total",
    "requests",
    "that were tried again",
);
pub(crate) static STORE_HEDGES: Counter = Counter::new(
    "forewarm_store_hedges_total",
    "requests",
    "sent beside one that was slow to begin",
);
pub(crate) static STORE_THROTTLED: Counter = Counter::new(
    "forewarm_store_throttled_total",
    "requests",
    "that the store refused because it was asked too much",
);
pub(crate) static SPLITS_OPENED: Counter = Counter::new(
    "forewarm_splits_opened_total",
    "splits",
    "opened from the store",
);

pub(crate) static CACHED_BYTES: Gauge = Gauge::new(
    "forewarm_cached_bytes",
    "bytes",
    "of cached extents, bookkeeping included",
);
pub(crate) static LEASED_BYTES: Gauge = Gauge::new(
    "forewarm_leased_bytes",
    "bytes",
    "held by warmups and searches, whether cached or not",
);
pub(crate) static RESIDENT_BYTES: Gauge = Gauge::new(
    "forewarm_resident_bytes",
    "bytes",
    "cached, leased or in flight, each counted once",
);
pub(crate) static FETCHED_BYTES: Counter = Counter::new(
    "forewarm_fetched_bytes_total",
    "bytes",
    "brought into memory, by who had them warmed: `search` when a search wanted them for itself",
)
.by("source");
pub(crate) static USED_BYTES: Counter = Counter::new(
    "forewarm_used_bytes_total",
    "bytes",
    "of these that a search has read for the first time",
)
.by("source");
pub(crate) static WASTED_BYTES: Counter = Counter::new(
    "forewarm_wasted_bytes_total",
    "bytes",
    "of these that left memory before any search has read them",
)
.by("source");

pub(crate) static WARMING_HITS: Counter = Counter::new(
    "forewarm_warming_hits_total",
    "ranges",
    "wanted ahead of searches that were in memory whole",
);
pub(crate) static WARMING_HIT_BYTES: Counter = Counter::new(
    "forewarm_warming_hit_bytes_total",
    "bytes",
    "wanted ahead of searches that were in memory",
);
pub(crate) static WARMING_MISSES: Counter = Counter::new(
    "forewarm_warming_misses_total",
    "ranges",
    "wanted ahead of searches of which something was missing",
);
pub(crate) static WARMING_MISS_BYTES: Counter = Counter::new(
    "forewarm_warming_miss_bytes_total",
    "bytes",
    "wanted ahead of searches that were missing: fetched then, or on their way",
);
pub(crate) static WARMUPS: Counter = Counter::new("forewarm_warmups_total", "warmups", "started");
pub(crate) static WARMUPS_FAILED: Counter =
    Counter::new("forewarm_warmups_failed_total", "warmups", "failed");
pub(crate) static WARMUP_SECONDS: Histogram = Histogram::new(
    "forewarm_warmup_seconds",
    "from start to ready, opening included",
);

pub(crate) static PLAN_HITS: Counter = Counter::new(
    "forewarm_plan_hits_total",
    "warmups",
    "that went by a plan that was known",
);
pub(crate) static PLAN_MISSES: Counter = Counter::new(
    "forewarm_plan_misses_total",
    "reads",
    "that plans turned out to lack",
);
pub(crate) static PLANS_HEALED: Counter = Counter::new(
    "forewarm_plans_healed_total",
    "plans",
    "completed by what they lacked",
);
pub(crate) static PLAN_STORE_DROPPED: Counter = Counter::new(
    "forewarm_plan_store_dropped_total",
    "rows",
    "not kept, for want of room or because the store stayed away",
);
pub(crate) static PLAN_STORE_FAILURES: Counter = Counter::new(
    "forewarm_plan_store_failures_total",
    "saves",
    "that failed; they are tried again",
);
pub(crate) static PLAN_STORE_LOADED: Counter =
    Counter::new("forewarm_plan_store_loaded_total", "rows", "loaded");
pub(crate) static PLAN_STORE_REJECTED: Counter = Counter::new(
    "forewarm_plan_store_rejected_total",
    "packs",
    "passed over while loading",
);
pub(crate) static PLAN_STORE_SAVED: Counter =
    Counter::new("forewarm_plan_store_saved_total", "rows", "saved");

pub(crate) static HOT_SET_WRITES: Counter = Counter::new(
    "forewarm_hot_set_writes_total",
    "times",
    "that a hot set was due to be written",
)
.by("outcome");
pub(crate) static RUNNING_JOBS: Gauge = Gauge::new(
    "forewarm_running_jobs",
    "jobs",
    "of managers that have not ended",
);
pub(crate) static JOBS: Counter =
    Counter::new("forewarm_jobs_total", "jobs", "of managers that have ended").by("state");

pub(crate) static TRIGGER_TICKS: Counter =
    Counter::new("forewarm_trigger_ticks_total", "ticks", "of triggers").by("source");

pub(crate) static JOINS: Counter = Counter::new("forewarm_joins_total", "joins", "of warmups")
    .by("outcome")
    .usually("ready", &READY);
pub(crate) static JOIN_WAIT_SECONDS: Histogram = Histogram::new(
    "forewarm_join_wait_seconds",
    "that a join waited for its warmup; those that found it finished are not among them",
)
.by("outcome");
pub(crate) static JOIN_SECONDS: Histogram = Histogram::new(
    "forewarm_join_seconds",
    "that a search waited for its warmups",
);
pub(crate) static SEARCHES: Counter = Counter::new(
    "forewarm_searches_total",
    "searches",
    "by the worst outcome of joining the warmups of their splits",
)
.by("outcome")
.usually("ready", &READY);
pub(crate) static SEARCH_SECONDS: Histogram =
    Histogram::new("forewarm_search_seconds", "of searching and merging");
pub(crate) static GIVEN_UP_SPLITS: Counter = Counter::new(
    "forewarm_given_up_splits_total",
    "splits",
    "that progressive searches left out",
);
pub(crate) static REMEMBERED_SPLITS: Counter = Counter::new(
    "forewarm_remembered_splits_total",
    "splits",
    "that searches left out, because how many of their documents match is remembered",
);
pub(crate) static SEARCH_HITS: Counter = Counter::new(
    "forewarm_search_hits_total",
    "reads",
    "of searches that memory answered, hot bytes left out",
);
pub(crate) static LATE_READS: Counter = Counter::new(
    "forewarm_late_reads_total",
    "reads",
    "that searches made, or were refused, beyond what was warmed",
);
