use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::millis;

/// The most that a hot set may take, and that is read of one.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// How often the [hot set](crate::ManagerBuilder::hot_set) is written, and how much of it: plain
/// data. All of it can change while the manager runs.
///
/// ```
/// use std::time::Duration;
///
/// let settings: forewarm::HotSetSettings = serde_json::from_str(r#"{"interval": 5000}"#)?;
/// assert_eq!(settings.interval, Duration::from_secs(5));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HotSetSettings {
    /// The time between two writes. Default 30 s, in milliseconds in settings files: what a process
    /// that is killed forgets. Where nothing changed, nothing is written.
    #[serde(with = "millis")]
    pub interval: Duration,
    /// Bytes that it may take, as written; the hottest are kept. Default 16 MiB: some 30,000 pairs
    /// with plans of a few ranges each (500 bytes), more than [`HeatSettings`](crate::HeatSettings)
    /// remember. At most 256 MiB.
    pub max_bytes: u64,
    /// Pairs not asked for so long are left out, when writing and when reading. Default 7 days, in
    /// milliseconds in settings files: what is asked once a week is still known.
    #[serde(with = "millis")]
    pub max_age: Duration,
    /// How long one read or write may take. Default 10 s, in milliseconds in settings files: a
    /// place that does not answer must not hold up a shutdown for long.
    #[serde(with = "millis")]
    pub deadline: Duration,
}

impl Default for HotSetSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            max_bytes: 16 << 20,
            max_age: Duration::from_secs(7 * 24 * 3600),
            deadline: Duration::from_secs(10),
        }
    }
}

impl HotSetSettings {
    /// Sets [`interval`](Self::interval).
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`max_age`](Self::max_age).
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets [`deadline`](Self::deadline).
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Everything that is wrong, each behind `hot_set`.
    pub(in crate::manager) fn problems(&self) -> Vec<String> {
        /// A pair with a plan of many ranges still fits.
        const LEAST_BYTES: u64 = 4 << 10;

        let mut problems = Vec::new();
        let mut wrong = |is_wrong: bool, what: &str| {
            if is_wrong {
                problems.push(format!("hot_set.{what}"));
            }
        };
        wrong(
            self.interval < Duration::from_millis(10),
            "interval is below 10 ms: it would do nothing else",
        );
        wrong(
            !(LEAST_BYTES..=MAX_BYTES).contains(&self.max_bytes),
            "max_bytes must be 4 KiB to 256 MiB",
        );
        wrong(
            self.max_age < Duration::from_secs(1),
            "max_age is below 1 s: nothing would be remembered",
        );
        wrong(
            self.deadline.is_zero(),
            "deadline is 0: nothing could be read or written",
        );
        problems
    }
}
