//! Requests at times of the day.

mod settings;
mod timetable;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::timeout;

pub use settings::{ScheduleSettings, ScheduledSettings};
use timetable::Timetable;

use super::{TickReport, Trigger, TriggerContext, TriggerSettings, Wanted};
use crate::error::{Error, Result};

/// Its name.
pub(in crate::manager) const SCHEDULED: &str = "scheduled";

/// How long after a tick a time may come that its runner has not begun to wait for yet.
const GRACE: Duration = Duration::from_secs(1);

/// Warms requests at times of the day. A time that comes while the trigger is busy with others is
/// due once after that, one that comes while it is off is passed over.
#[derive(Debug)]
pub(in crate::manager) struct Scheduled {
    settings: TriggerSettings,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    schedules: Vec<Schedule>,
    /// When the last tick ended, unless it was off by then.
    busy_until: Option<SystemTime>,
    random: StdRng,
}

#[derive(Debug)]
struct Schedule {
    settings: ScheduleSettings,
    timetable: Timetable,
    /// When it is due next; not known until somebody looks at the clock.
    next: Option<Due>,
    last: Option<SystemTime>,
    runs: u64,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    /// As the timetable has it.
    planned: SystemTime,
    /// Put off by the jitter that was drawn.
    at: SystemTime,
}

/// How a schedule stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ScheduleStatus {
    /// Its name.
    pub name: String,
    /// Whether it counts.
    pub enabled: bool,
    /// When it ran last, in milliseconds since 1970.
    pub last_run: Option<u64>,
    /// When it runs next, jitter included, in milliseconds since 1970; none when it is switched off
    /// or never due again.
    pub next_run: Option<u64>,
    /// How often it ran.
    pub runs: u64,
}

impl Scheduled {
    /// Settings that have no problems.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when a time or zone is none.
    pub(in crate::manager) fn new(settings: ScheduledSettings) -> Result<Self> {
        let schedules = settings.schedules.into_iter().map(|settings| {
            let timetable = Timetable::parse(&settings.cron, &settings.zone);
            Ok(Schedule {
                timetable: timetable.map_err(Error::invalid)?,
                settings,
                next: None,
                last: None,
                runs: 0,
            })
        });
        let state = State {
            schedules: schedules.collect::<Result<_>>()?,
            busy_until: None,
            random: match settings.seed {
                Some(seed) => StdRng::seed_from_u64(seed),
                None => StdRng::from_os_rng(),
            },
        };
        Ok(Self {
            settings: settings.trigger,
            state: Mutex::new(state),
            changed: Notify::new(),
        })
    }

    pub(in crate::manager) fn status(&self, now: SystemTime) -> Vec<ScheduleStatus> {
        let mut state = self.lock();
        state.plan(now);
        state.statuses()
    }

    /// Switches one on or off; false when there is none of that name.
    pub(in crate::manager) fn set_enabled(&self, name: &str, enabled: bool) -> bool {
        let mut state = self.lock();
        let mut schedules = state.schedules.iter_mut();
        let Some(schedule) = schedules.find(|schedule| schedule.settings.name == name) else {
            return false;
        };
        schedule.settings.enabled = enabled;
        schedule.next = None;
        drop(state);
        self.changed.notify_one();
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Finds out when each is due next.
    fn plan(&mut self, now: SystemTime) {
        let Self {
            schedules, random, ..
        } = self;
        for schedule in schedules {
            if schedule.settings.enabled && schedule.next.is_none() {
                schedule.plan(now, random);
            }
        }
    }

    fn statuses(&self) -> Vec<ScheduleStatus> {
        let schedules = self.schedules.iter();
        let status = schedules.map(|schedule| ScheduleStatus {
            name: schedule.settings.name.clone(),
            enabled: schedule.settings.enabled,
            last_run: schedule.last.map(millis),
            next_run: schedule.next.map(|due| millis(due.at)),
            runs: schedule.runs,
        });
        status.collect()
    }

    /// The first of all times.
    fn first(&self) -> Option<SystemTime> {
        let due = self.schedules.iter().filter_map(|schedule| schedule.next);
        due.map(|due| due.at).min()
    }
}

impl Schedule {
    fn plan(&mut self, after: SystemTime, random: &mut StdRng) {
        let jitter = self.settings.jitter.mul_f64(random.random::<f64>());
        self.next = self.timetable.after(after).map(|planned| Due {
            planned,
            at: planned.checked_add(jitter).unwrap_or(planned),
        });
    }

    /// Whether it is due; it is planned anew then, times that were missed left out.
    fn take_due(&mut self, now: SystemTime, random: &mut StdRng) -> bool {
        let Some(due) = self.next.filter(|due| due.at <= now) else {
            return false;
        };
        self.last = Some(now);
        self.runs += 1;
        self.plan(due.planned.max(now), random);
        true
    }
}

#[async_trait]
impl Trigger for Scheduled {
    fn name(&self) -> &str {
        SCHEDULED
    }

    fn settings(&self) -> TriggerSettings {
        self.settings.clone()
    }

    async fn due(&self, context: &TriggerContext) {
        {
            // What came due while it was off is passed over.
            let (mut state, now) = (self.lock(), context.now());
            let state = &mut *state;
            let busy_until = state.busy_until.take();
            let waited = |due: Due| busy_until.is_some_and(|until| due.at <= until + GRACE);
            for schedule in &mut state.schedules {
                if schedule
                    .next
                    .is_some_and(|due| due.at < now && !waited(due))
                {
                    schedule.plan(now, &mut state.random);
                }
            }
        }
        loop {
            let now = context.now();
            let first = {
                let mut state = self.lock();
                state.plan(now);
                state.first()
            };
            let wait = first.map(|first| first.duration_since(now).unwrap_or_default());
            if wait.is_some_and(|wait| wait.is_zero()) {
                return;
            }
            // Not longer than that, for the clock may be set.
            let longest = context.settings().interval;
            let wait = wait.unwrap_or(longest).min(longest);
            // Timers have milliseconds: not a moment too early.
            let wait = wait.saturating_add(Duration::from_millis(1));
            let _ = timeout(wait, self.changed.notified()).await;
        }
    }

    /// Those that are due; all that are switched on, when it is asked without any being due.
    async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>> {
        let now = context.now();
        let mut due = Vec::new();
        {
            let mut state = self.lock();
            state.plan(now);
            let State {
                schedules, random, ..
            } = &mut *state;
            let is_due = schedules.iter_mut().map(|it| it.take_due(now, random));
            let is_due: Vec<bool> = is_due.collect();
            let is_asked = !is_due.contains(&true);
            for (schedule, is_due) in schedules.iter().zip(is_due) {
                if is_due || (is_asked && schedule.settings.enabled) {
                    due.push(schedule.settings.clone());
                }
            }
        }
        let splits = context.splits();
        let mut wanted = Vec::new();
        for schedule in due {
            let of_prefix =
                |split: &&crate::SplitAddress| split.path().as_ref().starts_with(&schedule.prefix);
            for split in splits.iter().filter(of_prefix) {
                let requests = schedule.requests.iter();
                wanted.extend(requests.map(|body| {
                    // Its own moment, whenever it was warmed before.
                    let request = body.0.as_ref().clone().at(now);
                    Wanted::new(split.clone(), request)
                }));
            }
        }
        Ok(wanted)
    }

    async fn ticked(&self, context: &TriggerContext, _: &TickReport) {
        let is_on = context.settings().enabled;
        self.lock().busy_until = is_on.then(|| context.now());
    }

    fn details(&self) -> Value {
        // Numbers and names: they can be written.
        serde_json::to_value(self.lock().statuses()).unwrap_or_default()
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
