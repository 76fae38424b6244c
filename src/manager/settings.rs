use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hot_set::HotSetSettings;
use super::trigger::{
    EventsSettings, PredictiveSettings, PreloadSettings, RefreshSettings, ScheduledSettings,
};
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
    /// Warmups that one job has under way at once. Default 128: as many as the store's default
    /// of GETs, for a warmup begins with one; so a job keeps the store busy, and what it holds
    /// unfinished stays small.
    pub max_concurrent_warmups: usize,
    /// Whether [prewarming](crate::Manager::prewarm) also brings what the hits bring (documents,
    /// values of columns), as [triggers](crate::TriggerSettings::documents) do. Default false: the
    /// search that follows at once would be run twice; of use where it follows later, or elsewhere.
    pub prewarm_documents: bool,
    /// Finished jobs that are kept to be looked at, and of these the last that had no more than
    /// 100,000 splits together. Default 256.
    pub finished_jobs: usize,
    /// How long finished jobs are kept. Default 10 minutes, in milliseconds in settings files:
    /// as long as somebody who is asked about a slow search takes to look.
    #[serde(with = "millis")]
    pub finished_jobs_for: Duration,
    /// Warmups that all triggers together have under way at once. Default 32: a quarter of the store's
    /// default of GETs, so that some are free when somebody searches. Those of the trigger with
    /// the greatest [`priority`](crate::TriggerSettings::priority) go first.
    pub max_concurrent_trigger_warmups: usize,
    /// The share of [`lease_bytes`](crate::CacheSettings::lease_bytes) that triggers leave to
    /// searches (0 to 1): while less is free, they warm nothing. Default 0.25.
    pub demand_reserve: f64,
    /// The memory of what was asked.
    pub heat: HeatSettings,
    /// Warms what is bound to events. Default none.
    pub events: Option<EventsSettings>,
    /// Warms what is expected to be asked. Default none: what it fetches costs money, so somebody
    /// has to ask for it.
    pub predictive: Option<PredictiveSettings>,
    /// Warms newcomers before they are announced, and what is hot and was evicted. Default none.
    pub refresh: Option<RefreshSettings>,
    /// Warms at times of the day. Default none.
    pub scheduled: Option<ScheduledSettings>,
    /// How that outlives the process, where it has a [place](crate::ManagerBuilder::hot_set) to.
    pub hot_set: HotSetSettings,
    /// What is warmed when the manager starts. Default nothing.
    pub preload: Option<PreloadSettings>,
}

/// The memory of what was asked lately: what triggers go by.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HeatSettings {
    /// After how long an access counts half. Default 1 hour, in milliseconds in settings files:
    /// long enough that a busy hour is remembered over a quiet one, short enough that yesterday's
    /// incident is not warmed for long.
    #[serde(with = "millis")]
    pub half_life: Duration,
    /// After how long a search counts half in which share of a folder's searches asks the same.
    /// Default 6 hours, in milliseconds in settings files: what is asked now and then shows in no
    /// single hour, and what people ask drifts within a day. How often a folder is searched at all goes
    /// by `half_life`.
    #[serde(with = "millis")]
    pub habit_half_life: Duration,
    /// Bytes it may take. Default 64 MiB, of the 4 GiB that the defaults are for: some 80,000 pairs of a
    /// split and a request, and 6,000 requests, about what is asked in a day of 100,000 searches. A
    /// request that takes more than 1 in 64 of them (of 128 kB of JSON, by default) is not
    /// remembered.
    pub max_bytes: u64,
}

impl Default for HeatSettings {
    fn default() -> Self {
        Self {
            half_life: Duration::from_secs(3600),
            habit_half_life: Duration::from_secs(6 * 3600),
            max_bytes: 64 << 20,
        }
    }
}

impl HeatSettings {
    /// Sets [`half_life`](Self::half_life).
    pub fn with_half_life(mut self, half_life: Duration) -> Self {
        self.half_life = half_life;
        self
    }

    /// Sets [`habit_half_life`](Self::habit_half_life).
    pub fn with_habit_half_life(mut self, half_life: Duration) -> Self {
        self.habit_half_life = half_life;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }
}

impl Default for ManagerSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            max_concurrent_warmups: 128,
            prewarm_documents: false,
            finished_jobs: 256,
            finished_jobs_for: Duration::from_secs(600),
            max_concurrent_trigger_warmups: 32,
            demand_reserve: 0.25,
            heat: HeatSettings::default(),
            events: None,
            predictive: None,
            refresh: None,
            scheduled: None,
            hot_set: HotSetSettings::default(),
            preload: None,
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

    /// Sets [`prewarm_documents`](Self::prewarm_documents).
    pub fn with_prewarm_documents(mut self, documents: bool) -> Self {
        self.prewarm_documents = documents;
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

    /// Sets [`max_concurrent_trigger_warmups`](Self::max_concurrent_trigger_warmups).
    pub fn with_max_concurrent_trigger_warmups(mut self, warmups: usize) -> Self {
        self.max_concurrent_trigger_warmups = warmups;
        self
    }

    /// Sets [`demand_reserve`](Self::demand_reserve).
    pub fn with_demand_reserve(mut self, share: f64) -> Self {
        self.demand_reserve = share;
        self
    }

    /// Sets [`heat`](Self::heat).
    pub fn with_heat(mut self, heat: HeatSettings) -> Self {
        self.heat = heat;
        self
    }

    /// Sets [`events`](Self::events).
    pub fn with_events(mut self, events: Option<EventsSettings>) -> Self {
        self.events = events;
        self
    }

    /// Sets [`predictive`](Self::predictive).
    pub fn with_predictive(mut self, predictive: Option<PredictiveSettings>) -> Self {
        self.predictive = predictive;
        self
    }

    /// Sets [`refresh`](Self::refresh).
    pub fn with_refresh(mut self, refresh: Option<RefreshSettings>) -> Self {
        self.refresh = refresh;
        self
    }

    /// Sets [`scheduled`](Self::scheduled).
    pub fn with_scheduled(mut self, scheduled: Option<ScheduledSettings>) -> Self {
        self.scheduled = scheduled;
        self
    }

    /// Sets [`hot_set`](Self::hot_set).
    pub fn with_hot_set(mut self, hot_set: HotSetSettings) -> Self {
        self.hot_set = hot_set;
        self
    }

    /// Sets [`preload`](Self::preload).
    pub fn with_preload(mut self, preload: Option<PreloadSettings>) -> Self {
        self.preload = preload;
        self
    }

    /// Checks everything at once.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong.
    pub(super) fn validate(&self) -> Result<()> {
        let problems = self.problems();
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "settings of the manager: {}",
            problems.join("; ")
        )))
    }

    /// Everything that is wrong.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut wrong = |is_wrong: bool, what: &str| {
            if is_wrong {
                problems.push(what.to_owned());
            }
        };
        wrong(
            self.max_concurrent_warmups == 0,
            "max_concurrent_warmups is 0: nothing would be warmed",
        );
        wrong(
            self.max_concurrent_trigger_warmups == 0,
            "max_concurrent_trigger_warmups is 0: triggers would wait for ever",
        );
        wrong(
            !(0.0..=1.0).contains(&self.demand_reserve),
            "demand_reserve is no share: 0 to 1",
        );
        wrong(
            self.heat.half_life.is_zero(),
            "heat.half_life is 0: nothing would be remembered",
        );
        wrong(
            self.heat.habit_half_life < self.heat.half_life,
            "heat.habit_half_life is below half_life: habits would be forgotten before what was lately",
        );
        problems.extend(self.events.iter().flat_map(EventsSettings::problems));
        problems.extend(
            self.predictive
                .iter()
                .flat_map(PredictiveSettings::problems),
        );
        problems.extend(self.refresh.iter().flat_map(RefreshSettings::problems));
        problems.extend(self.scheduled.iter().flat_map(ScheduledSettings::problems));
        problems.extend(self.hot_set.problems());
        let preload = self.preload.as_ref();
        problems.extend(preload.map_or_else(Vec::new, PreloadSettings::problems));
        problems
    }

    /// Names of settings that differ and that count only when a manager is built.
    pub(super) fn fixed_unlike(&self, other: &Self) -> Vec<&'static str> {
        let mut fixed = Vec::new();
        for (name, is_unlike) in [
            ("events", self.events != other.events),
            ("heat", self.heat != other.heat),
            ("predictive", self.predictive != other.predictive),
            ("preload", self.preload != other.preload),
            ("refresh", self.refresh != other.refresh),
            ("scheduled", self.scheduled != other.scheduled),
        ] {
            if is_unlike {
                fixed.push(name);
            }
        }
        fixed
    }
}
