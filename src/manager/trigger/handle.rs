use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout_at;

use super::Post;
use super::settings::TriggerSettings;
use super::status::TriggerStatus;
use crate::error::{Error, ErrorKind, Result};
use crate::manager::core::Core;
use crate::store::in_time;

/// A trigger of a manager, to be watched and switched while it runs. Clones are the same.
#[derive(Clone)]
pub struct TriggerHandle {
    pub(in crate::manager) core: Arc<Core>,
    pub(in crate::manager) post: Arc<Post>,
}

impl TriggerHandle {
    /// Its name.
    pub fn name(&self) -> &str {
        self.post.name()
    }

    /// How it is run now.
    pub fn settings(&self) -> TriggerSettings {
        self.post.settings()
    }

    /// Runs it otherwise from now on; what it has under way goes on.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong, and then nothing is changed.
    pub fn set_settings(&self, settings: TriggerSettings) -> Result<()> {
        let problems = settings.problems(self.name());
        if !problems.is_empty() {
            let message = format!("settings of a trigger: {}", problems.join("; "));
            return Err(Error::invalid(message));
        }
        self.post.set_settings(settings);
        Ok(())
    }

    /// Switches it on or off. A tick that runs ends with its job.
    pub fn set_enabled(&self, enabled: bool) {
        self.post.set_enabled(enabled);
    }

    /// What it has done, and does now.
    pub fn status(&self) -> TriggerStatus {
        let origin = self.core.counters.origin(self.name());
        TriggerStatus {
            usage: origin.usage(),
            ..self.post.status()
        }
    }

    /// Has it look now for what to warm, whenever it is due, and waits until that is warm, for at
    /// most `deadline`. A tick that runs already is waited for instead.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when it is switched off, `Timeout` when the deadline passes first, and
    /// `Cancelled` when its manager stops.
    ///
    /// # Cancel safety
    ///
    /// The tick goes on without who waits for it.
    pub async fn warm_now(&self, deadline: Duration) -> Result<TriggerStatus> {
        let name = self.name();
        if !self.post.is_enabled() {
            let message = format!("the trigger {name} is switched off: set_enabled(true) first");
            return Err(Error::invalid(message));
        }
        let mut ended = self.post.ended.subscribe();
        let ticks = self.post.ask();
        self.post.wait(&mut ended, ticks, deadline).await?;
        Ok(self.status())
    }
}

impl Post {
    /// Waits until so many ticks have ended.
    ///
    /// # Errors
    ///
    /// `Timeout`, and `Cancelled` when the runner is gone.
    pub(in crate::manager) async fn wait(
        &self,
        ended: &mut tokio::sync::watch::Receiver<u64>,
        ticks: u64,
        deadline: Duration,
    ) -> Result<()> {
        let name = self.name();
        let waiting = ended.wait_for(|ended| *ended >= ticks);
        match timeout_at(in_time(deadline), waiting).await {
            Ok(Ok(ended)) if *ended == STOPPED => {
                let message = format!("the trigger {name} has stopped");
                Err(Error::new(ErrorKind::Cancelled, message))
            }
            Ok(Ok(_)) => Ok(()),
            _ => {
                let message = format!("the trigger {name} took longer than {deadline:?}");
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }
}

/// As many ticks have ended when no more will.
pub(super) const STOPPED: u64 = u64::MAX;

impl std::fmt::Debug for TriggerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TriggerHandle")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
