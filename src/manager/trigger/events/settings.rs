use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::binding::holds_data;
use crate::filter::SearchRequest;
use crate::manager::trigger::TriggerSettings;

/// Requests that are warmed when something [happens](crate::Event).
///
/// ```
/// let settings: forewarm::EventsSettings = serde_json::from_str(
///     r#"{"bindings": [{
///         "event": "tenant_active", "prefix": "logs/{tenant}/",
///         "requests": [{"query": {"term": {"tenant": "{tenant}"}}, "sort": [{"at": "desc"}]}]
///     }]}"#,
/// )?;
/// assert_eq!(settings.bindings[0].event, "tenant_active");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EventsSettings {
    /// How the trigger is run. Events that come within one `interval` of its last tick are kept for
    /// the next one, equal ones once. Default 1 s where `trigger` is not set.
    pub trigger: TriggerSettings,
    /// What is warmed when something happens.
    pub bindings: Vec<EventBinding>,
    /// Different events that are kept for the next tick, those among them of which something was
    /// left out because the manager was off, or the budget or the room for leases was spent.
    /// Default 1,024; past it the newest are dropped, and counted.
    pub max_pending: usize,
}

impl Default for EventsSettings {
    fn default() -> Self {
        Self {
            trigger: TriggerSettings::default().with_interval(Duration::from_secs(1)),
            bindings: Vec::new(),
            max_pending: 1024,
        }
    }
}

/// Requests that are bound to one kind of event.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EventBinding {
    /// Its [name](crate::Event::name).
    pub event: String,
    /// Bodies of `_search`. `{tenant}`, `{node}`, `{split}` and `{data}` in their texts stand for
    /// what the event says: a text that is nothing but `{data}` for any JSON.
    pub requests: Vec<Value>,
    /// In which splits, where the event names none: those whose path begins so, with the same
    /// stand-ins. Default all.
    pub prefix: String,
}

impl EventBinding {
    /// Binds requests to events of that name.
    pub fn new(event: impl Into<String>, requests: impl IntoIterator<Item = Value>) -> Self {
        Self {
            event: event.into(),
            requests: requests.into_iter().collect(),
            prefix: String::new(),
        }
    }

    /// Sets [`prefix`](Self::prefix).
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl EventsSettings {
    /// Sets [`trigger`](Self::trigger).
    pub fn with_trigger(mut self, trigger: TriggerSettings) -> Self {
        self.trigger = trigger;
        self
    }

    /// Sets [`bindings`](Self::bindings).
    pub fn with_bindings(mut self, bindings: impl IntoIterator<Item = EventBinding>) -> Self {
        self.bindings = bindings.into_iter().collect();
        self
    }

    /// Sets [`max_pending`](Self::max_pending).
    pub fn with_max_pending(mut self, events: usize) -> Self {
        self.max_pending = events;
        self
    }

    /// Everything that is wrong.
    pub(in crate::manager) fn problems(&self) -> Vec<String> {
        let mut problems = self.trigger.problems("events.trigger");
        if self.max_pending == 0 {
            problems.push("events.max_pending is 0: nothing would be acted on".to_owned());
        }
        for (at, binding) in self.bindings.iter().enumerate() {
            let place = format!("events.bindings[{at}]");
            if binding.event.is_empty() {
                problems.push(format!("{place}.event is empty: name what it waits for"));
            }
            if binding.requests.is_empty() {
                problems.push(format!(
                    "{place}.requests is empty: nothing would be warmed"
                ));
            }
            for request in &binding.requests {
                // Stand-ins are texts; one for any JSON is told when there is some.
                if !holds_data(request)
                    && let Err(error) = SearchRequest::from_value(request)
                {
                    problems.push(format!("{place}: {}", error.chain()));
                }
            }
        }
        problems
    }
}
