use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::millis;

/// How a [`Manager`](crate::Manager) works: plain data, to be read from a settings file.
///
/// ```
/// let settings: forewarm::ManagerSettings =
///     serde_json::from_str(r#"{"max_concurrent_warmups": 16}"#)?;
/// assert!(settings.enabled);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ManagerSettings {
    /// Whether it warms at all; can be [switched](crate::Manager::set_enabled) while it runs.
    /// Default true.
    pub enabled: bool,
    /// Warmups that one job has under way at once. Default 64: as many as the store's default of
    /// GETs, so that a job keeps the store busy, and what it holds unfinished stays small.
    pub max_concurrent_warmups: usize,
    /// Finished jobs that are kept to be looked at. Default 256.
    pub finished_jobs: usize,
    /// How long finished jobs are kept. Default 10 minutes, in milliseconds in settings files:
    /// as long as somebody who is asked about a slow search takes to look.
    #[serde(with = "millis")]
    pub finished_jobs_for: Duration,
}

impl Default for ManagerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            max_concurrent_warmups: 64,
            finished_jobs: 256,
            finished_jobs_for: Duration::from_secs(600),
        }
    }
}

impl ManagerSettings {
    /// Sets [`enabled`](Self::enabled).
    pub fn with_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets [`max_concurrent_warmups`](Self::max_concurrent_warmups).
    pub fn with_max_concurrent_warmups(mut self, warmups: usize) -> Self {
        self.max_concurrent_warmups = warmups;
        self
    }

    /// Sets [`finished_jobs`](Self::finished_jobs).
    pub fn with_finished_jobs(mut self, jobs: usize) -> Self {
        self.finished_jobs = jobs;
        self
    }

    /// Sets [`finished_jobs_for`](Self::finished_jobs_for).
    pub fn with_finished_jobs_for(mut self, time: Duration) -> Self {
        self.finished_jobs_for = time;
        self
    }

    /// Checks everything at once.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong.
    pub(super) fn validate(&self) -> Result<()> {
        let mut problems = Vec::new();
        if self.max_concurrent_warmups == 0 {
            problems.push("max_concurrent_warmups is 0: nothing would be warmed");
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "settings of the manager: {}",
            problems.join("; ")
        )))
    }
}
