use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::TriggerSettings;
use crate::error::Error;
use crate::filter::SearchRequest;
use crate::store::millis;

/// What is warmed when a manager starts, so that a node joins its fleet warm: plain data.
///
/// ```
/// let settings: forewarm::PreloadSettings = serde_json::from_str(
///     r#"{
///         "requests": [{"query": {"term": {"level": "error"}}, "size": 20}],
///         "trigger": {"bytes_per_hour": 1073741824}
///     }"#,
/// )?;
/// assert!(settings.hot_set && settings.trigger.enabled);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PreloadSettings {
    /// How it is run. Its `interval` is the time after which what was left out, for want of budget
    /// or because it was switched off meanwhile, is tried again.
    pub trigger: TriggerSettings,
    /// Bodies of `_search` requests to warm in every split that is
    /// [served](crate::Manager::announce), before the hot set. Default none.
    pub requests: Vec<Value>,
    /// Whether the hot set of the last run is warmed, the hottest first, where there is
    /// [one](crate::ManagerBuilder::hot_set). Default true.
    pub hot_set: bool,
    /// How long after its start it is tried: what is not under way by then is left to searches, and
    /// from then on the hot set is written as it is. Default 10 minutes, in milliseconds in
    /// settings files: longer than filling a cache takes, and no longer than anybody waits for a
    /// node.
    #[serde(with = "millis")]
    pub deadline: Duration,
}

impl Default for PreloadSettings {
    fn default() -> Self {
        Self {
            trigger: TriggerSettings::default(),
            requests: Vec::new(),
            hot_set: true,
            deadline: Duration::from_secs(600),
        }
    }
}

impl PreloadSettings {
    /// Sets [`trigger`](Self::trigger).
    pub fn with_trigger(mut self, trigger: TriggerSettings) -> Self {
        self.trigger = trigger;
        self
    }

    /// Sets [`requests`](Self::requests).
    pub fn with_requests(mut self, bodies: impl IntoIterator<Item = Value>) -> Self {
        self.requests = bodies.into_iter().collect();
        self
    }

    /// Sets [`hot_set`](Self::hot_set).
    pub fn with_hot_set(mut self, is_warmed: bool) -> Self {
        self.hot_set = is_warmed;
        self
    }

    /// Sets [`deadline`](Self::deadline).
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Everything that is wrong, each behind `preload`.
    pub(in crate::manager) fn problems(&self) -> Vec<String> {
        let mut problems = self.trigger.problems("preload.trigger");
        for (at, body) in self.requests.iter().enumerate() {
            if let Err(error) = SearchRequest::from_value(body) {
                problems.push(format!("preload.requests[{at}]: {}", Error::chain(&error)));
            }
        }
        if self.deadline.is_zero() {
            problems.push("preload.deadline is 0: nothing would be warmed".to_owned());
        }
        problems
    }
}
