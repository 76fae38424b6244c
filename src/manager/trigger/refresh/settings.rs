use serde::{Deserialize, Serialize};

use crate::manager::trigger::TriggerSettings;

/// Splits that come and go: newcomers are warmed before they are announced.
///
/// ```
/// let settings: forewarm::RefreshSettings =
///     serde_json::from_str(r#"{"prefix": "logs", "trigger": {"interval": 30000}}"#)?;
/// assert_eq!(settings.requests_per_split, 32);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RefreshSettings {
    /// How the trigger is run. At each `interval` the prefix is listed, and what is hot and was
    /// evicted is looked for; what the caller tells is acted on at once.
    pub trigger: TriggerSettings,
    /// Where `*.split` objects come and go. Default none: only what the caller
    /// [tells](crate::Event::SplitPublished) is acted on. A split that is gone from there is retired, one that
    /// was announced by the caller from elsewhere stays.
    pub prefix: Option<String>,
    /// How many requests are warmed in a newcomer: the hottest of those it replaces, or of all
    /// splits when it replaces none. Default 32: most of what is asked is asked often.
    pub requests_per_split: usize,
    /// How many newcomers are warmed and announced together. Default 16, so that the first need
    /// not wait for all.
    pub splits_per_tick: usize,
    /// How hot a request in a split must be to be kept warm though the cache lets go of it: so
    /// many searches lately, each of which counts half after each half-life. Default 4; none keeps
    /// nothing.
    pub keep_above: Option<f64>,
}

impl Default for RefreshSettings {
    fn default() -> Self {
        Self {
            trigger: TriggerSettings::default(),
            prefix: None,
            requests_per_split: 32,
            splits_per_tick: 16,
            keep_above: Some(4.0),
        }
    }
}

impl RefreshSettings {
    /// Sets [`trigger`](Self::trigger).
    pub fn with_trigger(mut self, trigger: TriggerSettings) -> Self {
        self.trigger = trigger;
        self
    }

    /// Sets [`prefix`](Self::prefix).
    pub fn with_prefix(mut self, prefix: Option<String>) -> Self {
        self.prefix = prefix;
        self
    }

    /// Sets [`requests_per_split`](Self::requests_per_split).
    pub fn with_requests_per_split(mut self, requests: usize) -> Self {
        self.requests_per_split = requests;
        self
    }

    /// Sets [`splits_per_tick`](Self::splits_per_tick).
    pub fn with_splits_per_tick(mut self, splits: usize) -> Self {
        self.splits_per_tick = splits;
        self
    }

    /// Sets [`keep_above`](Self::keep_above).
    pub fn with_keep_above(mut self, heat: Option<f64>) -> Self {
        self.keep_above = heat;
        self
    }

    /// Everything that is wrong.
    pub(in crate::manager) fn problems(&self) -> Vec<String> {
        let mut problems = self.trigger.problems("refresh.trigger");
        if let Some(prefix) = &self.prefix
            && let Err(error) = object_store::path::Path::parse(prefix)
        {
            problems.push(format!("refresh.prefix {prefix:?} is no path: {error}"));
        }
        if self.splits_per_tick == 0 {
            problems.push("refresh.splits_per_tick is 0: no split would be announced".to_owned());
        }
        if self
            .keep_above
            .is_some_and(|heat| heat.is_nan() || heat <= 0.0)
        {
            problems.push("refresh.keep_above is not above 0: everything would be kept".to_owned());
        }
        problems
    }
}
