use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Trigger;
use super::allowance::Allowance;
use super::handle::STOPPED;
use super::regret::Regret;
use super::settings::TriggerSettings;
use super::status::{TickReport, TriggerState, TriggerStatus};
use crate::error::Result;
use crate::store::{Traffic, Use};
use crate::telemetry::list;

/// A trigger at its post in a manager: what its runner and its handles share.
pub(in crate::manager) struct Post {
    pub(super) trigger: Arc<dyn Trigger>,
    state: Mutex<State>,
    /// A tick is asked for, or the trigger was switched on.
    pub(super) called: Notify,
    /// Ticks that have ended.
    pub(super) ended: watch::Sender<u64>,
}

struct State {
    settings: TriggerSettings,
    allowance: Allowance,
    regret: Regret,
    /// When the last tick began.
    begun: Instant,
    /// When the next interval begins.
    next: Instant,
    is_asked: bool,
    /// Whether the tick that runs, or is about to, was asked for.
    is_called: bool,
    is_running: bool,
    /// Whether it is due at intervals, so that some are left out while a tick runs.
    goes_by_interval: bool,
    /// How far the tick that runs has come.
    current: Option<TickReport>,
    status: TriggerStatus,
}

impl Post {
    pub(in crate::manager) fn new(
        trigger: Arc<dyn Trigger>,
        settings: TriggerSettings,
    ) -> Arc<Self> {
        let now = Instant::now();
        let status = TriggerStatus {
            name: trigger.name().to_owned(),
            state: TriggerState::Idle,
            ticks: 0,
            skipped_ticks: 0,
            failed_ticks: 0,
            last_tick: None,
            last_tick_ms: 0,
            wanted: 0,
            warmed: 0,
            failed: 0,
            left_out: Default::default(),
            traffic: Traffic::default(),
            usage: Use::default(),
            current: None,
            throttled: None,
            error: None,
            details: Default::default(),
        };
        Arc::new(Self {
            trigger,
            state: Mutex::new(State {
                allowance: Allowance::new(settings.gets_per_hour, settings.bytes_per_hour, now),
                settings,
                regret: Regret::default(),
                begun: now,
                next: now,
                is_asked: false,
                is_called: false,
                is_running: false,
                goes_by_interval: false,
                current: None,
                status,
            }),
            called: Notify::new(),
            ended: watch::channel(0).0,
        })
    }

    pub(in crate::manager) fn trigger(&self) -> &dyn Trigger {
        &*self.trigger
    }

    pub(in crate::manager) fn name(&self) -> &str {
        self.trigger.name()
    }

    pub(super) fn settings(&self) -> TriggerSettings {
        self.lock().settings.clone()
    }

    /// Other settings, which are right, from now on.
    pub(super) fn set_settings(&self, settings: TriggerSettings) {
        self.change(|known| *known = settings);
    }

    pub(super) fn set_enabled(&self, enabled: bool) {
        self.change(|known| known.enabled = enabled);
    }

    /// Under one lock: nobody else's change is lost.
    fn change(&self, change: impl FnOnce(&mut TriggerSettings)) {
        let now = Instant::now();
        let mut state = self.lock();
        change(&mut state.settings);
        let (gets, bytes) = (state.settings.gets_per_hour, state.settings.bytes_per_hour);
        state.allowance.limit(gets, bytes, now);
        // A shorter interval counts at once.
        state.next = state.next.min(after(now, state.settings.interval));
        drop(state);
        self.called.notify_one();
        self.wake();
    }

    /// Has those who wait for something look again.
    pub(super) fn wake(&self) {
        self.ended.send_modify(|_| ());
    }

    /// Tells when to look again: when a tick has ended, or it was switched, or stopped.
    pub(in crate::manager) fn watch(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    /// Whether no tick comes any more.
    pub(in crate::manager) fn is_stopped(&self) -> bool {
        *self.ended.borrow() == STOPPED
    }

    pub(in crate::manager) fn is_enabled(&self) -> bool {
        self.lock().settings.enabled
    }

    /// When the next interval begins.
    pub(super) fn next(&self) -> Instant {
        self.lock().next
    }

    /// Asks for a tick; answers with how many will have ended when it has. One that runs will do.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.lock();
        state.is_asked = !state.is_running;
        let ended = state.status.ticks + 1;
        drop(state);
        self.called.notify_one();
        ended
    }

    /// Whether a tick was asked for, which is true once.
    pub(super) fn take_asked(&self) -> bool {
        let mut state = self.lock();
        let is_asked = std::mem::take(&mut state.is_asked);
        state.is_called |= is_asked;
        is_asked
    }

    /// Whether the tick that runs was asked for.
    pub(super) fn is_called(&self) -> bool {
        self.lock().is_called
    }

    /// When the last tick began.
    pub(super) fn begun(&self) -> Instant {
        self.lock().begun
    }

    /// From now on, intervals that pass while a tick runs are ticks left out.
    pub(super) fn go_by_interval(&self) {
        self.lock().goes_by_interval = true;
    }

    pub(super) fn begin(&self, at: u64) {
        let mut state = self.lock();
        state.is_running = true;
        state.is_called |= std::mem::take(&mut state.is_asked);
        state.status.last_tick = Some(at);
        state.begun = Instant::now();
        state.next = after(state.begun, state.settings.interval);
    }

    /// Takes note of how far the tick that runs has come.
    pub(super) fn progress(&self, report: &TickReport) {
        self.lock().current = Some(report.clone());
    }

    /// How far the tick that runs has come.
    pub(in crate::manager) fn current(&self) -> Option<TickReport> {
        self.lock().current.clone()
    }

    /// Of so many wanted, how many may be warmed.
    pub(super) fn allowed(&self, wanted: usize) -> usize {
        self.lock().regret.allowed(wanted)
    }

    /// Takes what a warmup is foretold to send from the budgets, if it is left; answers with that.
    pub(super) fn take(&self, foretold: Option<Traffic>) -> Option<Traffic> {
        self.lock().allowance.take(foretold, Instant::now())
    }

    pub(super) fn settle(&self, taken: Traffic, sent: Traffic) {
        self.lock().allowance.settle(taken, sent);
    }

    /// Takes note of what a warmup sent that nobody could foretell.
    pub(super) fn learn(&self, sent: Traffic) {
        self.lock().allowance.learn(sent);
    }

    /// Takes note of what was read and evicted unread of all it ever warmed.
    pub(super) fn judge(&self, used: u64, wasted: u64) {
        let mut state = self.lock();
        let State {
            regret, settings, ..
        } = &mut *state;
        if regret.judge(used, wasted, settings.least_use, settings.judged_bytes) {
            let reason = regret.reason();
            if let Some(reason) = &reason {
                tracing::warn!(trigger = self.name(), reason, "a trigger is throttled");
            }
            state.status.throttled = reason;
        }
    }

    pub(super) fn end(&self, report: &Result<TickReport>) {
        let mut state = self.lock();
        state.is_running = false;
        state.is_called = false;
        state.current = None;
        let now = Instant::now();
        let begun = state.begun;
        let interval = state.settings.interval;
        let took = now.saturating_duration_since(begun);
        state.status.last_tick_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        // What was due meanwhile is left out.
        if now >= state.next {
            let skipped = took.as_nanos() / interval.as_nanos().max(1);
            let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
            if state.goes_by_interval {
                state.status.skipped_ticks += u64::from(skipped);
            }
            let intervals = interval.saturating_mul(skipped.saturating_add(1));
            state.next = after(begun, intervals);
        }
        let status = &mut state.status;
        status.ticks += 1;
        match report {
            Ok(report) => {
                status.error = None;
                status.wanted += report.wanted;
                status.warmed += report.warmed;
                status.failed += report.failed;
                for (reason, count) in &report.left_out {
                    *status.left_out.entry(reason).or_default() += count;
                }
                status.traffic = status.traffic.then(report.traffic);
            }
            Err(error) => {
                tracing::warn!(
                    trigger = self.name(),
                    error = error.chain(),
                    "a trigger failed"
                );
                status.failed_ticks += 1;
                status.error = Some(error.chain());
            }
        }
        let ticks = status.ticks;
        drop(state);
        list::TRIGGER_TICKS.add_of(self.name().to_owned(), 1);
        self.ended.send_replace(ticks);
    }

    /// Takes note that it panicked where that is not the end of a tick only.
    pub(super) fn give_up(&self) {
        let error = format!(
            "the trigger {} panicked while it waited, and is stopped",
            self.name()
        );
        tracing::warn!(trigger = self.name(), error, "a trigger is stopped");
        self.lock().status.error = Some(error);
    }

    pub(in crate::manager) fn status(&self) -> TriggerStatus {
        let details = self.trigger.details();
        let is_stopped = self.is_stopped();
        let state = self.lock();
        TriggerStatus {
            state: match () {
                () if is_stopped => TriggerState::Stopped,
                () if state.is_running => TriggerState::Running,
                () if state.settings.enabled => TriggerState::Idle,
                () => TriggerState::Off,
            },
            details,
            current: state.current.clone(),
            ..state.status.clone()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So long after `moment`, or thirty years where that is longer: an instant has an end.
pub(super) fn after(moment: Instant, time: Duration) -> Instant {
    const FOR_EVER: Duration = Duration::from_secs(86_400 * 365 * 30);
    moment + time.min(FOR_EVER)
}
