//! Warming before fan-out: jobs over many splits, joined by readers, watched and ended by
//! operators; and triggers, which warm without being asked.

mod births;
mod body;
mod builder;
mod busy;
mod catalog;
mod core;
mod daily;
mod decayed;
mod event;
mod folder;
mod forecast;
mod gate;
mod habit;
mod heat;
mod hot_set;
mod job;
mod jobs;
#[expect(clippy::module_inception, reason = "the noun of this room")]
mod manager;
mod readiness;
mod settings;
mod statistics;
mod tally;
mod trigger;

pub use body::RequestBody;
pub use builder::ManagerBuilder;
pub use event::Event;
pub use heat::{HotPair, HotRequest};
pub use hot_set::{
    HotSetFile, HotSetObject, HotSetSettings, HotSetState, HotSetStatus, HotSetStore,
};
pub use job::{JobHandle, JobId, JobItem, JobState, JobStatus};
pub use manager::{Manager, ShutdownReport};
pub use readiness::{Readiness, ReadinessState};
pub use settings::{HeatSettings, ManagerSettings};
pub use statistics::{ManagerSnapshot, SourceStatistics, WaitBucket};
pub use tally::Tally;
pub use trigger::{
    EventBinding, EventsSettings, PredictiveSettings, PreloadSettings, RefreshSettings,
    ScheduleSettings, ScheduleStatus, ScheduledSettings, TickReport, Trigger, TriggerContext,
    TriggerHandle, TriggerSettings, TriggerState, TriggerStatus, Wanted,
};
