//! Requests that are bound to what happens.

mod binding;
mod settings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::sleep;

use binding::{filled, filled_text};
pub use settings::{EventBinding, EventsSettings};

use super::{TickReport, Trigger, TriggerContext, TriggerSettings, Wanted};
use crate::error::Result;
use crate::filter::SearchRequest;
use crate::manager::event::Event;
use crate::split::SplitAddress;
use crate::warmup::Warmth;

/// Its name.
pub(in crate::manager) const EVENTS: &str = "events";

/// Reasons for which an event waits on, when something it wanted was left out.
const HINDRANCES: [&str; 3] = ["budget", "off", "reserve"];

/// Warms what is bound to events. Those that come close together are acted on together; those that
/// come while it is off, or anything else hinders it, wait, as many as fit.
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
    /// What the tick that runs is about.
    taken: Vec<Event>,
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

    /// Whether anything that an event wants is not warm.
    fn wants_more(&self, event: &Event, context: &TriggerContext) -> bool {
        let wanted = self.wanted_by(event, &context.splits());
        wanted.is_ok_and(|wanted| {
            let is_cold = |one: &Wanted| {
                let split = std::slice::from_ref(&one.split);
                let warmth = context.warmer().classify(split, &one.request);
                !matches!(warmth[..], [Warmth::Cached | Warmth::ProvablyEmpty])
            };
            wanted.iter().any(is_cold)
        })
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
        context.pause().await;
        while context.hindrance().is_some() {
            sleep(context.settings().interval).await;
        }
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
        let pending = {
            let mut state = self.lock();
            state.taken = std::mem::take(&mut state.pending);
            state.taken.clone()
        };
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

    async fn ticked(&self, context: &TriggerContext, report: &TickReport) {
        let taken = std::mem::take(&mut self.lock().taken);
        let mut reasons = HINDRANCES.iter();
        if !reasons.any(|reason| report.left_out.contains_key(reason)) {
            return;
        }
        let kept = taken.into_iter();
        let mut kept: Vec<Event> = kept.filter(|it| self.wants_more(it, context)).collect();
        let mut state = self.lock();
        // They came before those that have come meanwhile.
        for event in std::mem::take(&mut state.pending) {
            match kept.contains(&event) {
                true => state.coalesced += 1,
                false => kept.push(event),
            }
        }
        let excess = kept.len().saturating_sub(self.settings.max_pending);
        state.dropped += excess as u64;
        kept.truncate(self.settings.max_pending);
        state.pending = kept;
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
