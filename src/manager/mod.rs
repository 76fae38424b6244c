//! Warming before fan-out: jobs over many splits, joined by readers, watched and ended by
//! operators; and triggers, which warm without being asked.

mod births;
mod builder;
mod busy;
mod catalog;
mod core;
mod daily;
mod event;
mod forecast;
mod gate;
mod habit;
mod heat;
mod job;
mod jobs;
#[expect(clippy::module_inception, reason = "the noun of this room")]
mod manager;
mod settings;
mod statistics;
mod trigger;

pub use builder::ManagerBuilder;
pub use event::Event;
pub use heat::{HotPair, HotRequest};
pub use job::{JobHandle, JobId, JobItem, JobState, JobStatus};
pub use manager::{Manager, ShutdownReport};
pub use settings::{HeatSettings, ManagerSettings};
pub use statistics::{ManagerSnapshot, SourceStatistics, WaitBucket};
pub use trigger::{
    PredictiveSettings, TickReport, Trigger, TriggerContext, TriggerHandle, TriggerSettings,
    TriggerState, TriggerStatus, Wanted,
};
