use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::manager::trigger::TriggerSettings;
use crate::store::millis;

/// How the trigger `predictive` works, which warms what is expected to be asked: plain data.
///
/// Expectations are told in *asks*: how often a request will be asked of a split within the next
/// [half-life](crate::HeatSettings::half_life) of the memory that they are made from; or, where it is
/// known how often splits come (of a folder in which they came at four moments or more), until newer
/// ones have taken its place, within [`horizon`](Self::horizon). One of 1.0 comes true, once or more
/// often, 63 times in 100.
///
/// ```
/// let settings: forewarm::PredictiveSettings =
///     serde_json::from_str(r#"{"predictive": 2.0, "trigger": {"bytes_per_hour": 1073741824}}"#)?;
/// assert!(settings.proactive < settings.predictive);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PredictiveSettings {
    /// What it may do, and how often. Beside the [`interval`](TriggerSettings::interval) it looks
    /// each time splits come.
    pub trigger: TriggerSettings,
    /// Asks from which on a pair of a request and a split is warmed. Default 1.3: three in four
    /// are read, and what was asked twice lately is above it.
    pub predictive: f64,
    /// Asks from which on a pair is warmed while nobody searches and nothing else is warmed; at most
    /// as many as `predictive`. A batch of them at a time, so that it is looked again whether that
    /// is still so. Default 0.18: one such pair in six is asked, and most of what it reads others
    /// read as well; over the generated day of `benches/predictive.rs` fewer than three bytes in ten
    /// are wasted. Each costs a few GETs: where those are dear, raise it.
    pub proactive: f64,
    /// Asks from which on a pair is warmed at such times that puts next to no bytes at risk: the less a
    /// pair reads that nobody else is expected to, the less it need be expected itself; one that reads
    /// as much alone as pairs do on average, by `proactive`. At most that. Default 0.06: a search waits
    /// for its first byte however few there are.
    pub least: f64,
    /// How far it is looked ahead, at most. Default 3 hours, in milliseconds in settings files: what is
    /// warmed when a split comes serves for as long as the split is asked, if that is known; and in a few
    /// hours people ask something else.
    #[serde(with = "millis")]
    pub horizon: Duration,
    /// Pairs that one look considers, those that are expected most. Default 8192: telling whether a
    /// pair is warm takes some tens of microseconds, so a look takes a few tenths of a second at most.
    pub max_pairs: usize,
    /// The share of [`capacity_bytes`](crate::CacheSettings::capacity_bytes) that what is expected
    /// may take together (0 to 1), what is expected more often for its size first; the rest is left
    /// alone. Default 0.8: past it, each warmup drives out what another has brought, and what nobody
    /// foresees needs room only while it is searched.
    pub cache_share: f64,
}

impl Default for PredictiveSettings {
    fn default() -> Self {
        Self {
            trigger: TriggerSettings::default(),
            predictive: 1.3,
            proactive: 0.18,
            least: 0.06,
            horizon: Duration::from_secs(3 * 3600),
            max_pairs: 8192,
            cache_share: 0.8,
        }
    }
}

impl PredictiveSettings {
    /// Sets [`trigger`](Self::trigger).
    pub fn with_trigger(mut self, trigger: TriggerSettings) -> Self {
        self.trigger = trigger;
        self
    }

    /// Sets [`predictive`](Self::predictive).
    pub fn with_predictive(mut self, asks: f64) -> Self {
        self.predictive = asks;
        self
    }

    /// Sets [`proactive`](Self::proactive).
    pub fn with_proactive(mut self, asks: f64) -> Self {
        self.proactive = asks;
        self
    }

    /// Sets [`least`](Self::least).
    pub fn with_least(mut self, asks: f64) -> Self {
        self.least = asks;
        self
    }

    /// Sets [`horizon`](Self::horizon).
    pub fn with_horizon(mut self, horizon: Duration) -> Self {
        self.horizon = horizon;
        self
    }

    /// Sets [`max_pairs`](Self::max_pairs).
    pub fn with_max_pairs(mut self, pairs: usize) -> Self {
        self.max_pairs = pairs;
        self
    }

    /// Sets [`cache_share`](Self::cache_share).
    pub fn with_cache_share(mut self, share: f64) -> Self {
        self.cache_share = share;
        self
    }

    /// Everything that is wrong.
    pub(in crate::manager) fn problems(&self) -> Vec<String> {
        let mut problems = self.trigger.problems("predictive.trigger");
        let mut wrong = |is_wrong: bool, what: &str| {
            if is_wrong {
                problems.push(format!("predictive.{what}"));
            }
        };
        wrong(
            !(self.predictive.is_finite() && self.predictive > 0.0),
            "predictive is no number of asks above 0",
        );
        wrong(
            !(self.proactive > 0.0 && self.proactive <= self.predictive),
            "proactive is not above 0, or above predictive",
        );
        wrong(
            !(self.least > 0.0 && self.least <= self.proactive),
            "least is not above 0, or above proactive",
        );
        wrong(
            self.horizon.is_zero(),
            "horizon is 0: nothing would be expected",
        );
        wrong(
            self.max_pairs == 0,
            "max_pairs is 0: nothing would be warmed",
        );
        wrong(
            !(0.0..=1.0).contains(&self.cache_share),
            "cache_share is no share: 0 to 1",
        );
        problems
    }
}
