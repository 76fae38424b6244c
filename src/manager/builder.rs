use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::core::Core;
use super::hot_set::{HotSetKeeper, HotSetStore};
use super::manager::{Manager, PREWARM};
use super::settings::ManagerSettings;
use super::trigger::{Events, Post, Predictive, Preload, Refresh, Scheduled, Trigger};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::filter::SearchRequest;
use crate::telemetry::SEARCH;
use crate::warmup::Warmer;

/// Who else has splits warmed, and what nobody would find in statistics.
const RESERVED: [&str; 3] = ["", PREWARM, SEARCH];

/// Builds a [`Manager`].
#[must_use]
pub struct ManagerBuilder {
    warmer: Warmer,
    settings: ManagerSettings,
    triggers: Vec<Arc<dyn Trigger>>,
    preload: Vec<SearchRequest>,
    hot_set: Option<Arc<dyn HotSetStore>>,
    clock: Clock,
}

impl ManagerBuilder {
    pub(super) fn new(warmer: Warmer) -> Self {
        Self {
            warmer,
            settings: ManagerSettings::default(),
            triggers: Vec::new(),
            preload: Vec::new(),
            hot_set: None,
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

    /// Keeps what is hot in `store`, so that it is known when the next process starts, and how to
    /// warm it in one round. It is read by [`Manager::start`], which remembers how hot it was;
    /// [`PreloadSettings`](crate::PreloadSettings) have it warmed. Default nowhere.
    ///
    /// What is read there is searched by: a plan that is not true hides hits. Who may write it
    /// decides what is found, as who may write splits does.
    pub fn hot_set(mut self, store: impl HotSetStore + 'static) -> Self {
        self.hot_set = Some(Arc::new(store));
        self
    }

    /// Warms these requests, too, when the manager starts, after those that
    /// [the settings](crate::PreloadSettings::requests) name. Where the settings preload
    /// nothing, their defaults count.
    pub fn preload(mut self, requests: impl IntoIterator<Item = SearchRequest>) -> Self {
        self.preload.extend(requests);
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
    /// `InvalidRequest` that names every setting which is wrong, triggers of one name, and those
    /// whose name is empty, `prewarm` or `search`.
    pub fn build(self) -> Result<Manager> {
        // Not written into the settings, which stay those that were given.
        let preload = match self.preload.is_empty() {
            true => self.settings.preload.clone(),
            false => Some(self.settings.preload.clone().unwrap_or_default()),
        };
        let mut problems = self.settings.problems();
        let mut triggers = Vec::new();
        let mut known = KnownTriggers::default();
        if problems.is_empty() {
            let preload = preload
                .clone()
                .map(|settings| Preload::new(settings, self.preload));
            known = KnownTriggers::of(&self.settings, preload, &mut triggers)?;
        }
        for trigger in &self.triggers {
            problems.extend(trigger.settings().problems(trigger.name()));
        }
        triggers.extend(self.triggers);
        let mut names = BTreeSet::new();
        let mut posts = Vec::with_capacity(triggers.len());
        for trigger in triggers {
            let name = trigger.name().to_owned();
            let settings = trigger.settings();
            if RESERVED.contains(&name.as_str()) {
                problems.push(format!(
                    "no trigger may be called {name:?}: so are others who have splits warmed"
                ));
            }
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
        let warmed = preload.filter(|it| it.hot_set);
        let merge_for = warmed.map(|preload| preload.deadline);
        let hot_set = self
            .hot_set
            .map(|store| HotSetKeeper::new(store, merge_for));
        let core = Core::new(self.warmer, self.settings, self.clock, hot_set);
        Ok(Manager::of(Arc::new(core), posts, known))
    }
}

/// Triggers that the manager itself speaks with.
#[derive(Default)]
pub(super) struct KnownTriggers {
    /// Whose end a node waits for.
    pub(super) preload: Option<Arc<Preload>>,
    /// That is told of splits that are retired.
    pub(super) refresh: Option<Arc<Refresh>>,
    pub(super) scheduled: Option<Arc<Scheduled>>,
}

impl KnownTriggers {
    /// Adds to `all` those that the settings, which have no problems, name.
    fn of(
        settings: &ManagerSettings,
        preload: Option<Preload>,
        all: &mut Vec<Arc<dyn Trigger>>,
    ) -> Result<Self> {
        let mut known = Self::default();
        if let Some(preload) = preload {
            let trigger = Arc::new(preload);
            all.push(Arc::clone(&trigger) as _);
            known.preload = Some(trigger);
        }
        if let Some(settings) = &settings.events {
            all.push(Arc::new(Events::new(settings.clone())));
        }
        if let Some(settings) = &settings.predictive {
            all.push(Arc::new(Predictive::new(settings.clone())));
        }
        if let Some(settings) = &settings.refresh {
            let trigger = Arc::new(Refresh::new(settings.clone()));
            all.push(Arc::clone(&trigger) as _);
            known.refresh = Some(trigger);
        }
        if let Some(settings) = &settings.scheduled {
            let trigger = Arc::new(Scheduled::new(settings.clone())?);
            all.push(Arc::clone(&trigger) as _);
            known.scheduled = Some(trigger);
        }
        Ok(known)
    }
}

impl std::fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("settings", &self.settings)
            .field("triggers", &self.triggers)
            .field("hot_set", &self.hot_set)
            .finish_non_exhaustive()
    }
}
