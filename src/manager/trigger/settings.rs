use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::millis;

/// What each trigger may do, and how often: plain data, the same for ours and the caller's.
///
/// ```
/// let settings: forewarm::TriggerSettings =
///     serde_json::from_str(r#"{"interval": 5000, "bytes_per_hour": 1073741824}"#)?;
/// assert!(settings.enabled);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TriggerSettings {
    /// Whether it does anything by itself. Default true: a trigger is there because it was asked
    /// for.
    pub enabled: bool,
    /// The shortest time from one of its ticks to the next. Default 1 minute, in milliseconds in
    /// settings files: new splits come about as often, and looking costs little. A tick that is due
    /// while another runs is left out, not queued.
    #[serde(with = "millis")]
    pub interval: Duration,
    /// How long one tick may take. What is not warm by then is given up, and what has arrived stays
    /// cached. Default 5 minutes, in milliseconds in settings files: as long as one warmup may take
    /// by default, so that only what is stuck or far too much is given up.
    #[serde(with = "millis")]
    pub deadline: Duration,
    /// Warmups of one job. Default 64: budgets, switches and shutdown are looked at between jobs.
    pub batch_size: usize,
    /// Warmups that it has under way at once. Default 16: an eighth of the store's
    /// default of GETs.
    pub max_concurrency: usize,
    /// Whether what the hits of a request bring (documents, values of columns) is warmed too, once
    /// its splits are: for each job and request one search in memory, which nobody sees, tells what
    /// that is. Default true: without it the first search of a split is warm, but has to fetch
    /// these. Hits in the order of their scores are weighed by the words of other splits too, so
    /// some of these may be missed. `predictive` leaves it out in any case.
    pub documents: bool,
    /// Bytes that it may fetch in an hour; what is not used adds up to an hour's. A warmup that no
    /// plan foretells is taken to send what such have sent on average, or 4 requests and 1 MiB
    /// before there was any; what it really sent is settled afterwards. Default none.
    pub bytes_per_hour: Option<u64>,
    /// Requests that it may send in an hour, likewise. Default none.
    pub gets_per_hour: Option<u64>,
    /// Whose jobs go first when several triggers have some: the greatest. Default 100.
    pub priority: u8,
    /// The least share of what it warms that searches must read (0 to 1), or it throttles itself:
    /// for each `judged_bytes` below it, half as much of what it wants, the first half; for each
    /// above it, twice as much again. Default 0.3: what is read saves far more than it cost, but
    /// for two bytes in three that nobody wanted there is a better use.
    pub least_use: f64,
    /// Bytes that were read, or evicted unread, before its use is judged. Default 64 MiB.
    pub judged_bytes: u64,
}

impl Default for TriggerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_secs(60),
            deadline: Duration::from_secs(300),
            batch_size: 64,
            max_concurrency: 16,
            documents: true,
            bytes_per_hour: None,
            gets_per_hour: None,
            priority: 100,
            least_use: 0.3,
            judged_bytes: 64 << 20,
        }
    }
}

impl TriggerSettings {
    /// Sets [`enabled`](Self::enabled).
    pub fn with_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets [`interval`](Self::interval).
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets [`deadline`](Self::deadline).
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets [`batch_size`](Self::batch_size).
    pub fn with_batch_size(mut self, warmups: usize) -> Self {
        self.batch_size = warmups;
        self
    }

    /// Sets [`max_concurrency`](Self::max_concurrency).
    pub fn with_max_concurrency(mut self, warmups: usize) -> Self {
        self.max_concurrency = warmups;
        self
    }

    /// Sets [`documents`](Self::documents).
    pub fn with_documents(mut self, documents: bool) -> Self {
        self.documents = documents;
        self
    }

    /// Sets [`bytes_per_hour`](Self::bytes_per_hour).
    pub fn with_bytes_per_hour(mut self, bytes: Option<u64>) -> Self {
        self.bytes_per_hour = bytes;
        self
    }

    /// Sets [`gets_per_hour`](Self::gets_per_hour).
    pub fn with_gets_per_hour(mut self, gets: Option<u64>) -> Self {
        self.gets_per_hour = gets;
        self
    }

    /// Sets [`priority`](Self::priority).
    pub fn with_priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// Sets [`least_use`](Self::least_use).
    pub fn with_least_use(mut self, share: f64) -> Self {
        self.least_use = share;
        self
    }

    /// Sets [`judged_bytes`](Self::judged_bytes).
    pub fn with_judged_bytes(mut self, bytes: u64) -> Self {
        self.judged_bytes = bytes;
        self
    }

    /// Everything that is wrong, each behind `place`.
    pub(in crate::manager) fn problems(&self, place: &str) -> Vec<String> {
        let mut problems = Vec::new();
        let mut wrong = |is_wrong: bool, what: &str| {
            if is_wrong {
                problems.push(format!("{place}.{what}"));
            }
        };
        wrong(
            self.interval < Duration::from_millis(10),
            "interval is below 10 ms: it would do nothing else",
        );
        wrong(
            self.deadline.is_zero(),
            "deadline is 0: nothing would be warmed",
        );
        wrong(
            self.batch_size == 0,
            "batch_size is 0: nothing would be warmed",
        );
        wrong(
            self.max_concurrency == 0,
            "max_concurrency is 0: nothing would be warmed",
        );
        wrong(
            !(0.0..=1.0).contains(&self.least_use),
            "least_use is no share: 0 to 1",
        );
        wrong(
            self.judged_bytes == 0,
            "judged_bytes is 0: there would be nothing to judge by",
        );
        problems
    }
}
