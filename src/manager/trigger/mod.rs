//! What warms without being asked: triggers of ours and of the caller's.

mod allowance;
mod context;
mod events;
mod handle;
mod post;
mod predictive;
mod preload;
mod preload_settings;
mod refresh;
mod regret;
mod runner;
mod scheduled;
mod settings;
mod status;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

pub use context::TriggerContext;
pub(super) use events::Events;
pub use events::{EventBinding, EventsSettings};
pub use handle::TriggerHandle;
pub(super) use post::Post;
pub(super) use predictive::Predictive;
pub use predictive::PredictiveSettings;
pub(super) use preload::{Preload, Progress};
pub use preload_settings::PreloadSettings;
pub(super) use refresh::Refresh;
pub use refresh::RefreshSettings;
pub(super) use runner::Runner;
pub(super) use scheduled::Scheduled;
pub use scheduled::{ScheduleSettings, ScheduleStatus, ScheduledSettings};
pub use settings::TriggerSettings;
pub use status::{TickReport, TriggerState, TriggerStatus};

use crate::error::Result;
use crate::filter::SearchRequest;
use crate::manager::event::Event;
use crate::split::SplitAddress;

/// A request that is to be warm in a split.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wanted {
    /// Where.
    pub split: SplitAddress,
    /// What for.
    pub request: Arc<SearchRequest>,
    /// How often it is expected to be asked while it is in memory: where memory is full, what is
    /// warmed takes the place of what is wanted less often. Default 1.
    pub asks: f64,
}

impl Wanted {
    /// `request`, in `split`.
    pub fn new(split: SplitAddress, request: impl Into<Arc<SearchRequest>>) -> Self {
        Self {
            split,
            request: request.into(),
            asks: 1.0,
        }
    }

    /// Sets [`asks`](Self::asks).
    pub fn with_asks(mut self, asks: f64) -> Self {
        self.asks = asks;
        self
    }
}

/// Decides what to warm, and when, without being asked by a search.
///
/// The manager does the rest: it warms what is wanted in jobs of
/// [`batch_size`](TriggerSettings::batch_size), under the trigger's budgets, behind what searches
/// wait for, and accounts for what of it they then read.
///
/// # Contract
///
/// Implementers: `due` and `wanted` may be dropped at any await, when the manager stops.
/// `due` is called again after each tick, and returns when there is something to do; it need not
/// look whether the trigger is switched on. `wanted` names what should be warm, the most urgent
/// first; what is warm already costs next to nothing. A panic or an error ends the tick, and is
/// told in the trigger's [status](TriggerStatus); a panic in `due` stops the trigger.
///
/// Users: the manager calls one method of a trigger at a time, but for `note` and `details`, and
/// never runs two ticks at once.
///
/// ```
/// use std::sync::Arc;
///
/// use forewarm::{Clause, Manager, Result, SearchRequest, Trigger, TriggerContext, Wanted, Warmer};
///
/// /// Keeps the start page of each split warm.
/// #[derive(Debug)]
/// struct StartPage(Arc<SearchRequest>);
///
/// #[async_trait::async_trait]
/// impl Trigger for StartPage {
///     fn name(&self) -> &str {
///         "start_page"
///     }
///
///     async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>> {
///         let splits = context.splits();
///         let wanted = splits.iter().map(|split| Wanted::new(split.clone(), self.0.clone()));
///         Ok(wanted.collect())
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let page = SearchRequest::new(Clause::match_all()).size(20);
/// let store = Arc::new(object_store::memory::InMemory::new());
/// let manager = Manager::builder(Warmer::builder(store).build()?)
///     .trigger(StartPage(Arc::new(page)))
///     .build()?;
/// manager.start();
/// assert_eq!(manager.triggers()[0].name(), "start_page");
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Trigger: Debug + Send + Sync {
    /// What it is called in jobs and statistics; no two triggers of a manager have one name, and
    /// none is called `prewarm` or `search`.
    fn name(&self) -> &str;

    /// What to warm now, the most urgent first.
    ///
    /// # Errors
    ///
    /// Any: the tick is over then, and the next one comes in time.
    async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>>;

    /// How it is run at first; can be [changed](TriggerHandle::set_settings) while it runs.
    fn settings(&self) -> TriggerSettings {
        TriggerSettings::default()
    }

    /// Whether it wants what the hits of its requests bring, too, where its
    /// [settings](TriggerSettings::documents) allow that. Default true.
    fn wants_documents(&self) -> bool {
        true
    }

    /// Waits until there is something to do: by default, for the next
    /// [`interval`](TriggerSettings::interval), of which the first begins with the manager.
    async fn due(&self, context: &TriggerContext) {
        context.interval().await;
    }

    /// Is told what is [published](crate::Manager::publish), at once and on the publisher's thread,
    /// whether it is switched on or not: what takes longer belongs into
    /// [`wanted`](Self::wanted).
    fn note(&self, event: &Event) {
        let _ = event;
    }

    /// Is told how a tick went, when all that was wanted is warm, was left out, or failed.
    async fn ticked(&self, context: &TriggerContext, report: &TickReport) {
        let _ = (context, report);
    }

    /// What only it knows, for its status.
    fn details(&self) -> Value {
        Value::Null
    }
}
