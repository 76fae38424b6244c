use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::core::Core;
use super::manager::Manager;
use super::settings::ManagerSettings;
use super::trigger::{Post, Predictive, Trigger};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::warmup::Warmer;

/// Builds a [`Manager`].
#[must_use]
pub struct ManagerBuilder {
    warmer: Warmer,
    settings: ManagerSettings,
    triggers: Vec<Arc<dyn Trigger>>,
    clock: Clock,
}

impl ManagerBuilder {
    pub(super) fn new(warmer: Warmer) -> Self {
        Self {
            warmer,
            settings: ManagerSettings::default(),
            triggers: Vec::new(),
            clock: Clock::system(),
        }
    }

    /// Sets the settings; default is [`ManagerSettings::default`].
    pub fn settings(mut self, settings: ManagerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Adds a trigger of the caller's, beside those that the settings name.
    pub fn trigger(mut self, trigger: impl Trigger + 'static) -> Self {
        self.triggers.push(Arc::new(trigger));
        self
    }

    /// Sets what tells the time of day, which schedules and the decay of heat go by; default is
    /// the system's clock. Intervals and deadlines go by tokio's.
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::from_fn(now);
        self
    }

    /// Builds the manager; [`Manager::start`] starts its triggers.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong, and triggers of one name.
    pub fn build(self) -> Result<Manager> {
        let mut problems = self.settings.problems();
        let mut triggers = self.triggers;
        for trigger in &triggers {
            problems.extend(trigger.settings().problems(trigger.name()));
        }
        if let Some(predictive) = &self.settings.predictive {
            triggers.push(Arc::new(Predictive::new(predictive.clone())));
        }
        let mut names = BTreeSet::new();
        let mut posts = Vec::with_capacity(triggers.len());
        for trigger in triggers {
            let name = trigger.name().to_owned();
            let settings = trigger.settings();
            if !names.insert(name.clone()) {
                problems.push(format!("two triggers are called {name}"));
            }
            posts.push(Post::new(trigger, settings));
        }
        if !problems.is_empty() {
            return Err(Error::invalid(format!(
                "settings of the manager: {}",
                problems.join("; ")
            )));
        }
        let core = Core::new(self.warmer, self.settings, self.clock);
        Ok(Manager::of(Arc::new(core), posts))
    }
}

impl std::fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("settings", &self.settings)
            .field("triggers", &self.triggers)
            .finish_non_exhaustive()
    }
}
