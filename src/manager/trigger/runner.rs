//! Runs one trigger: waits until it is due, and warms what it wants, batch by batch.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::handle::STOPPED;
use super::status::TickReport;
use super::{Post, TriggerContext, Wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::SearchRequest;
use crate::manager::core::{Core, Order, SHUTTING_DOWN};
use crate::manager::job::{JobItem, JobState, JobStatus, Target};
use crate::split::SplitAddress;
use crate::store::{Traffic, in_time};
use crate::warmup::Warmth;

/// The shortest time from the beginning of one tick to that of the next, whatever a trigger says:
/// one that is always due must not take a core.
const PAUSE: Duration = Duration::from_millis(10);

/// Why what is not warm by the deadline of a tick is left out.
const LATE: &str = "deadline";

/// Runs a trigger until its manager stops.
pub(in crate::manager) struct Runner {
    context: TriggerContext,
}

impl Runner {
    pub(in crate::manager) fn new(core: Arc<Core>, post: Arc<Post>) -> Self {
        Self {
            context: TriggerContext { core, post },
        }
    }

    /// Runs until `stop` says so, or its sender is gone. A tick under way is given up then.
    pub(in crate::manager) async fn run(self, mut stop: watch::Receiver<bool>) {
        let stopped = async move {
            // Gone is stopped.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::select! {
            biased;
            () = stopped => (),
            () = self.ticks() => (),
        }
    }

    async fn ticks(&self) {
        let post = &self.context.post;
        let mut not_before = Instant::now();
        while self.is_due().await {
            // Tokio's timers have milliseconds: what is due already must not wait for the next.
            if Instant::now() < not_before {
                sleep_until(not_before).await;
            }
            not_before = Instant::now() + PAUSE;
            let Some(_working) = self.context.core.busy.begin() else {
                return;
            };
            post.begin(self.context.core.clock.millis());
            // A panic is the trigger's own, and what it leaves behind only it sees.
            let report = AssertUnwindSafe(self.tick()).catch_unwind().await;
            let report = report.unwrap_or_else(|_| {
                let message = format!("the trigger {} panicked", post.name());
                Err(Error::new(ErrorKind::Internal, message))
            });
            post.end(&report);
        }
    }

    /// Waits until there is something to do; false when nothing more will be.
    async fn is_due(&self) -> bool {
        let post = &self.context.post;
        loop {
            let is_enabled = post.is_enabled();
            let due = async {
                match is_enabled {
                    true => {
                        let due = AssertUnwindSafe(post.trigger.due(&self.context));
                        due.catch_unwind().await.is_ok()
                    }
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = post.called.notified() => (),
                is_sound = due => {
                    if !is_sound {
                        post.give_up();
                    }
                    return is_sound;
                }
            }
            if post.is_enabled() && post.take_asked() {
                return true;
            }
        }
    }

    async fn tick(&self) -> Result<TickReport> {
        let Self { context } = self;
        let trigger = &context.post.trigger;
        let usage = context.core.counters.origin(context.post.name()).usage();
        context.post.judge(usage.used_bytes, usage.wasted_bytes);
        let patience = context.settings().deadline;
        let deadline = in_time(patience);
        let wanted = timeout_at(deadline, trigger.wanted(context)).await;
        let mut wanted = wanted.map_err(|_| {
            let message = format!(
                "the trigger {} looked for what to warm for longer than {patience:?}",
                trigger.name()
            );
            Error::new(ErrorKind::Timeout, message)
        })??;
        let mut report = TickReport {
            wanted: wanted.len() as u64,
            ..TickReport::default()
        };
        let allowed = context.post.allowed(wanted.len());
        report.leave_out("throttled", wanted.len() - allowed);
        wanted.truncate(allowed);
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            context.post.progress(&report);
            let settings = context.settings();
            let is_late = Instant::now() >= deadline;
            if let Some(reason) = context.hindrance().or(is_late.then_some(LATE)) {
                report.leave_out(reason, rest.len());
                break;
            }
            let batch;
            (batch, rest) = rest.split_at(settings.batch_size.min(rest.len()));
            self.warm(batch, deadline, &mut report).await;
            // Whoever gives up a batch means all of them.
            if report.left_out.contains_key("cancelled") {
                report.leave_out("cancelled", rest.len());
                break;
            }
        }
        trigger.ticked(context, &report).await;
        Ok(report)
    }

    /// Warms as much of a batch as the budgets allow until `deadline`.
    async fn warm(&self, batch: &[Wanted], deadline: Instant, report: &mut TickReport) {
        let TriggerContext { core, post } = &self.context;
        let settings = post.settings();
        let mut taken = Traffic::default();
        let mut unforetold = Vec::new();
        let mut targets = Vec::with_capacity(batch.len());
        for wanted in batch {
            let cost = core.foretell(&wanted.split, &wanted.request);
            let Some(cost_taken) = post.take(cost) else {
                continue;
            };
            taken = taken.beside(cost_taken);
            if cost.is_none() {
                unforetold.push(targets.len());
            }
            targets.push(Target {
                split: wanted.split.clone(),
                request: Arc::clone(&wanted.request),
                // A count of some dozens at most: what does not fit is many.
                asks: Some(wanted.asks.round() as u32),
            });
        }
        report.leave_out("budget", batch.len() - targets.len());
        if targets.is_empty() {
            return;
        }
        let most = || core.settings().max_concurrent_trigger_warmups;
        let at_once = settings.max_concurrency.min(targets.len()).min(most());
        let pass = core.gate.pass(settings.priority, at_once);
        let pass = timeout_at(deadline, pass).await;
        // Others may have held the gate for long.
        let is_late = pass.is_err() || Instant::now() >= deadline;
        if let Some(reason) = self.context.hindrance().or(is_late.then_some(LATE)) {
            post.settle(taken, Traffic::default());
            report.leave_out(reason, targets.len());
            return;
        }
        let job = core.start(Order {
            source: post.name().to_owned(),
            targets,
            at_once: at_once.min(most()),
            documents: settings.documents && post.trigger.wants_documents(),
        });
        // Shutdown cancels it, too.
        let mut status = job.wait_until(deadline).await;
        let is_late = !status.state.is_finished();
        if is_late {
            job.cancel();
            status = job.status();
        }
        post.settle(taken, status.traffic);
        for item in unforetold.into_iter().filter_map(|at| status.items.get(at)) {
            // Less tells nothing: it was cut short.
            if item.state == JobState::Complete {
                post.learn(item.traffic);
            }
        }
        count(&status, if is_late { LATE } else { "cancelled" }, report);
    }
}

impl Core {
    /// What warming would send, if memory tells.
    fn foretell(&self, split: &SplitAddress, request: &SearchRequest) -> Option<Traffic> {
        let warmth = self.warmer.classify(std::slice::from_ref(split), request);
        match warmth.first()? {
            Warmth::Cached | Warmth::ProvablyEmpty => Some(Traffic::default()),
            Warmth::Cold(traffic) => *traffic,
            Warmth::Partial(traffic) => Some(*traffic),
        }
    }
}

/// Adds how a job went; `cancelled` says why the rest was given up.
fn count(status: &JobStatus, cancelled: &'static str, report: &mut TickReport) {
    report.traffic = report.traffic.then(status.traffic);
    for item in &status.items {
        match item.state {
            JobState::Complete => report.warmed += 1,
            JobState::Cancelled => report.leave_out(cancelled, 1),
            JobState::Skipped => report.leave_out(skipped(item), 1),
            _ => report.failed += 1,
        }
    }
}

/// Why a job was refused that something hindered only when it began.
fn skipped(item: &JobItem) -> &'static str {
    match item.reason.as_deref() {
        Some(SHUTTING_DOWN) => "shutdown",
        _ => "off",
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.context.post.ended.send_replace(STOPPED);
    }
}
