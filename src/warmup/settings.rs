use std::time::Duration;

use serde::{Deserialize, Serialize};
use tantivy::aggregation::DEFAULT_BUCKET_LIMIT;

use super::results::ResultSettings;
use crate::cache::CacheSettings;
use crate::directory::OnMiss;
use crate::error::{Error, Result};
use crate::filter::ExpansionSettings;
use crate::store::{StoreSettings, millis};

/// Everything a [`Warmer`](crate::Warmer) can be told: plain data, to be read from a settings
/// file. The defaults are meant for a service that has about 4 GiB of memory to spare.
///
/// ```
/// use forewarm::{OnMiss, WarmerSettings};
///
/// let settings: WarmerSettings =
///     serde_json::from_str(r#"{"on_miss": "fail", "cache": {"capacity_bytes": 67108864}}"#)?;
/// assert_eq!(settings.on_miss, OnMiss::Fail);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WarmerSettings {
    /// How many buckets the aggregations of one request may return. Default 65,000, as tantivy's.
    pub aggregation_buckets: u32,
    /// How much memory the aggregations of one request may take while they are collected, in
    /// bytes, as tantivy estimates it. Default 500 MB, as tantivy's.
    pub aggregation_bytes: u64,
    /// How the object store is read.
    pub store: StoreSettings,
    /// How much memory may be taken.
    pub cache: CacheSettings,
    /// How many terms one clause may stand for.
    pub expansion: ExpansionSettings,
    /// What a search does when it reads what was not warmed. Default `fetch`.
    pub on_miss: OnMiss,
    /// How long a search waits for its warmup before it goes on without. Default 30 s, in
    /// milliseconds in settings files.
    #[serde(with = "millis")]
    pub join_deadline: Duration,
    /// How long a finished warmup that nobody holds is kept to be joined. Its leases count
    /// against half of [`lease_bytes`](CacheSettings::lease_bytes). Default 30 s, in milliseconds
    /// in settings files.
    #[serde(with = "millis")]
    pub linger: Duration,
    /// Whether searches are answered by what earlier ones counted. Off by default.
    pub results: ResultSettings,
    /// Whether warmups note each request they send, to be read by
    /// [`Warmup::trace`](crate::Warmup::trace). Default false: it takes about 200 bytes a GET for
    /// as long as the warmup is held, and a lock for a moment at the end of each GET.
    pub trace: bool,
    /// How long a warmup may take, opening included, before it fails with
    /// [`Timeout`](crate::ErrorKind::Timeout). What has arrived stays cached. Default 5 min, in
    /// milliseconds in settings files: longer than anybody waits, so that only what is stuck, or
    /// prefetched behind too much else, is given up.
    #[serde(with = "millis")]
    pub warmup_deadline: Duration,
}

impl Default for WarmerSettings {
    fn default() -> Self {
        Self {
            aggregation_buckets: DEFAULT_BUCKET_LIMIT,
            aggregation_bytes: 500_000_000,
            store: StoreSettings::default(),
            cache: CacheSettings::default(),
            expansion: ExpansionSettings::default(),
            on_miss: OnMiss::default(),
            join_deadline: Duration::from_secs(30),
            linger: Duration::from_secs(30),
            results: ResultSettings::default(),
            trace: false,
            warmup_deadline: Duration::from_secs(300),
        }
    }
}

impl WarmerSettings {
    /// Sets [`aggregation_buckets`](Self::aggregation_buckets).
    pub fn with_aggregation_buckets(mut self, buckets: u32) -> Self {
        self.aggregation_buckets = buckets;
        self
    }

    /// Sets [`aggregation_bytes`](Self::aggregation_bytes).
    pub fn with_aggregation_bytes(mut self, bytes: u64) -> Self {
        self.aggregation_bytes = bytes;
        self
    }

    /// Sets [`store`](Self::store).
    pub fn with_store(mut self, store: StoreSettings) -> Self {
        self.store = store;
        self
    }

    /// Sets [`cache`](Self::cache).
    pub fn with_cache(mut self, cache: CacheSettings) -> Self {
        self.cache = cache;
        self
    }

    /// Sets [`expansion`](Self::expansion).
    pub fn with_expansion(mut self, expansion: ExpansionSettings) -> Self {
        self.expansion = expansion;
        self
    }

    /// Sets [`on_miss`](Self::on_miss).
    pub fn with_on_miss(mut self, on_miss: OnMiss) -> Self {
        self.on_miss = on_miss;
        self
    }

    /// Sets [`join_deadline`](Self::join_deadline).
    pub fn with_join_deadline(mut self, deadline: Duration) -> Self {
        self.join_deadline = deadline;
        self
    }

    /// Sets [`linger`](Self::linger).
    pub fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets [`results`](Self::results).
    pub fn with_results(mut self, results: ResultSettings) -> Self {
        self.results = results;
        self
    }

    /// Sets [`trace`](Self::trace).
    pub fn with_trace(mut self, trace: bool) -> Self {
        self.trace = trace;
        self
    }

    /// Sets [`warmup_deadline`](Self::warmup_deadline).
    pub fn with_warmup_deadline(mut self, deadline: Duration) -> Self {
        self.warmup_deadline = deadline;
        self
    }

    /// Checks everything at once.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong.
    pub(crate) fn validate(&self) -> Result<()> {
        let mut problems = self.store.problems();
        if self.cache.lease_bytes == 0 {
            problems.push("cache.lease_bytes is 0: nothing could be fetched".to_owned());
        }
        if self.aggregation_buckets == 0 {
            problems.push("aggregation_buckets is 0: no aggregation could answer".to_owned());
        }
        if self.aggregation_bytes == 0 {
            problems.push("aggregation_bytes is 0: nothing could be aggregated".to_owned());
        }
        if self.warmup_deadline.is_zero() {
            problems.push("warmup_deadline is 0: no warmup could end".to_owned());
        }
        if self.linger > Duration::from_secs(86_400 * 365) {
            problems.push("linger is over a year: warmups are kept for seconds".to_owned());
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid(format!("settings: {}", problems.join("; "))))
        }
    }
}
