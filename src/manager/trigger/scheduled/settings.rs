use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::timetable::Timetable;
use crate::manager::body::RequestBody;
use crate::manager::trigger::TriggerSettings;
use crate::store::millis;

/// Longer than that, a time of the day is none.
const LONGEST_JITTER: Duration = Duration::from_secs(86_400);

/// Requests that are warmed at times of the day.
///
/// ```
/// let settings: forewarm::ScheduledSettings = serde_json::from_str(
///     r#"{"schedules": [{
///         "name": "morning", "cron": "30 7 * * MON-FRI", "zone": "Europe/Paris",
///         "requests": [{"query": {"range": {"at": {"gte": "now-1d/d"}}}, "size": 0}]
///     }]}"#,
/// )?;
/// assert!(settings.schedules[0].enabled);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ScheduledSettings {
    /// How the trigger is run. Its `interval` is how long it sleeps at most before it looks at the
    /// clock again, which somebody may set.
    pub trigger: TriggerSettings,
    /// What is warmed when.
    pub schedules: Vec<ScheduleSettings>,
    /// What jitter is drawn from. Default none: from the system, so that nodes differ.
    pub seed: Option<u64>,
}

/// One schedule.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScheduleSettings {
    /// What it is called; no two have one name.
    pub name: String,
    /// When: five fields as in `crontab` (minute, hour, day of the month, month, day of the week),
    /// or six with seconds before them; also `@hourly` and the like.
    pub cron: String,
    /// Where these are times of the day: a name like `Europe/Paris`. Default `UTC`.
    #[serde(default = "utc")]
    pub zone: String,
    /// Each time is put off by up to so long, a day at most, drawn anew. Default none, in
    /// milliseconds in settings files: so that nodes do not all ask at once, give them some.
    #[serde(default, with = "millis")]
    pub jitter: Duration,
    /// Whether it counts; can be [switched](crate::Manager::set_schedule_enabled). Default true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What is warmed.
    pub requests: Vec<RequestBody>,
    /// In which splits: those whose path begins so. Default all.
    #[serde(default)]
    pub prefix: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn yes() -> bool {
    true
}

impl ScheduleSettings {
    /// A schedule in UTC, without jitter, over all splits.
    pub fn new(
        name: impl Into<String>,
        cron: impl Into<String>,
        requests: impl IntoIterator<Item = impl Into<RequestBody>>,
    ) -> Self {
        Self {
            name: name.into(),
            cron: cron.into(),
            zone: utc(),
            jitter: Duration::ZERO,
            enabled: true,
            requests: requests.into_iter().map(Into::into).collect(),
            prefix: String::new(),
        }
    }

    /// Sets [`zone`](Self::zone).
    pub fn with_zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = zone.into();
        self
    }

    /// Sets [`jitter`](Self::jitter).
    pub fn with_jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// Sets [`enabled`](Self::enabled).
    pub fn with_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets [`prefix`](Self::prefix).
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl ScheduledSettings {
    /// Sets [`trigger`](Self::trigger).
    pub fn with_trigger(mut self, trigger: TriggerSettings) -> Self {
        self.trigger = trigger;
        self
    }

    /// Sets [`schedules`](Self::schedules).
    pub fn with_schedules(mut self, schedules: impl IntoIterator<Item = ScheduleSettings>) -> Self {
        self.schedules = schedules.into_iter().collect();
        self
    }

    /// Sets [`seed`](Self::seed).
    pub fn with_seed(mut self, seed: Option<u64>) -> Self {
        self.seed = seed;
        self
    }

    /// Everything that is wrong.
    pub(in crate::manager) fn problems(&self) -> Vec<String> {
        let mut problems = self.trigger.problems("scheduled.trigger");
        let mut names = BTreeSet::new();
        for schedule in &self.schedules {
            let name = &schedule.name;
            if !names.insert(name) {
                problems.push(format!("scheduled: two schedules are called {name:?}"));
            }
            if let Err(problem) = Timetable::parse(&schedule.cron, &schedule.zone) {
                problems.push(format!("scheduled: {name:?}: {problem}"));
            }
            if schedule.jitter > LONGEST_JITTER {
                problems.push(format!("scheduled: {name:?}: its jitter is above a day"));
            }
            if schedule.requests.is_empty() {
                problems.push(format!("scheduled: {name:?}: it has no requests"));
            }
        }
        problems
    }
}
