//! Requests that are bound to what happens.

mod binding;
mod settings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;

use binding::{filled, filled_text};
pub use settings::{EventBinding, EventsSettings};

use super::{Trigger, TriggerContext, TriggerSettings, Wanted};
use crate::error::Result;
use crate::filter::SearchRequest;
use crate::manager::event::Event;
use crate::split::SplitAddress;

/// Its name.
pub(in crate::manager) const EVENTS: &str = "events";

/// Warms what is bound to events. Those that come close together are acted on together; those that
/// come while it is off wait, as many as fit.
#[derive(Debug)]
pub(in crate::manager) struct Events {
    settings: EventsSettings,
    arrived: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of coming, each once.
    pending: Vec<Event>,
    seen: u64,
    coalesced: u64,
    dropped: u64,
}

impl Events {
    /// Acts by settings that have no problems.
    pub(in crate::manager) fn new(settings: EventsSettings) -> Self {
        Self {
            settings,
            arrived: Notify::new(),
            state: Mutex::default(),
        }
    }

    /// What one event wants warm.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when what the event says makes no request.
    fn wanted_by(&self, event: &Event, splits: &[SplitAddress]) -> Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        let bindings = self.settings.bindings.iter();
        for binding in bindings.filter(|binding| binding.event == event.name()) {
            let prefix = filled_text(&binding.prefix, event);
            let splits: Vec<&SplitAddress> = match event {
                Event::SplitPublished { split, .. } => vec![split],
                _ => {
                    let all = splits.iter();
                    all.filter(|split| split.path().as_ref().starts_with(&prefix))
                        .collect()
                }
            };
            for request in &binding.requests {
                let request = SearchRequest::from_value(&filled(request, event))?;
                let request = Arc::new(request);
                let of_splits = splits.iter().copied();
                wanted.extend(of_splits.map(|split| Wanted::new(split.clone(), request.clone())));
            }
        }
        Ok(wanted)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Trigger for Events {
    fn name(&self) -> &str {
        EVENTS
    }

    fn settings(&self) -> TriggerSettings {
        self.settings.trigger.clone()
    }

    async fn due(&self, context: &TriggerContext) {
        while self.lock().pending.is_empty() {
            self.arrived.notified().await;
        }
        context.interval().await;
    }

    /// Keeps an event that anything is bound to.
    fn note(&self, event: &Event) {
        let mut bindings = self.settings.bindings.iter();
        if !bindings.any(|binding| binding.event == event.name()) {
            return;
        }
        let mut state = self.lock();
        state.seen += 1;
        if state.pending.contains(event) {
            state.coalesced += 1;
        } else if state.pending.len() >= self.settings.max_pending {
            state.dropped += 1;
        } else {
            state.pending.push(event.clone());
        }
        drop(state);
        self.arrived.notify_one();
    }

    async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>> {
        let pending = std::mem::take(&mut self.lock().pending);
        let splits = context.splits();
        let mut wanted = Vec::new();
        let mut wrong = None;
        for event in &pending {
            match self.wanted_by(event, &splits) {
                Ok(more) => wanted.extend(more),
                Err(error) => {
                    let event = event.name();
                    tracing::warn!(event, error = error.chain(), "an event makes no request");
                    wrong = Some(error);
                }
            }
        }
        match wrong {
            // One that is wrong does not keep the others from being warmed.
            Some(error) if wanted.is_empty() => Err(error),
            _ => Ok(wanted),
        }
    }

    fn details(&self) -> Value {
        let state = self.lock();
        json!({
            "seen": state.seen,
            "coalesced": state.coalesced,
            "dropped": state.dropped,
            "pending": state.pending.len(),
        })
    }
}
