//! Warming before fan-out: jobs over many splits, joined by readers, watched and ended by
//! operators.

mod busy;
mod job;
mod jobs;
#[expect(clippy::module_inception, reason = "the noun of this room")]
mod manager;
mod settings;
mod statistics;

pub use job::{JobHandle, JobId, JobItem, JobState, JobStatus};
pub use manager::{Manager, ShutdownReport};
pub use settings::ManagerSettings;
pub use statistics::{ManagerSnapshot, SourceStatistics, WaitBucket};
