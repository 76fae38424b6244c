use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::filter::{Fingerprint, SearchRequest};
use crate::split::SplitAddress;
use crate::store::{Traffic, in_time};
use crate::warmup::{Outcome, Warmup};

/// Names a job of one manager.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct JobId(pub(super) u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job-{}", self.0)
    }
}

/// How far a job, or the warmup of one split in it, has come.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobState {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// All of it is warm.
    Complete,
    /// Some of it is warm, and some is not: see the reasons of the splits.
    Partial,
    /// Left out, for the reason given.
    Skipped,
    /// None of it could be warmed.
    Failed,
    /// Given up before its end.
    Cancelled,
}

impl JobState {
    /// Whether nothing more happens.
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// The name in logs and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a job does in one split, and how far that has come.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JobItem {
    /// Path of the split.
    pub split: String,
    /// Fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// How far it has come.
    pub state: JobState,
    /// Why it was left out, failed or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What its warmup has sent so far; nothing when somebody else had begun it.
    pub traffic: Traffic,
}

/// How far a job has come.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct JobStatus {
    /// Its name.
    pub id: JobId,
    /// Who asked for it: `prewarm`, or the name of a trigger.
    pub source: String,
    /// How far it has come.
    pub state: JobState,
    /// Splits to warm.
    pub splits: usize,
    /// Of these, how many need nothing more: warm, left out, failed or given up.
    pub finished: usize,
    /// Of these, how many are warm.
    pub warm: usize,
    /// What its warmups have sent so far, and what brought documents after them.
    pub traffic: Traffic,
    /// Since it was asked for, until it ended, in milliseconds.
    pub elapsed_ms: u64,
    /// About how long it will still take, in milliseconds, once a split has finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_ms: Option<u64>,
    /// Its splits.
    pub items: Vec<JobItem>,
}

/// One split to warm for one request.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) split: SplitAddress,
    pub(super) request: Arc<SearchRequest>,
    /// How often it is expected to be asked; none where somebody is about to.
    pub(super) asks: Option<u32>,
}

/// Splits that are warmed together.
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) source: String,
    pub(super) targets: Vec<Target>,
    items: Mutex<Vec<Item>>,
    /// What bringing documents sent.
    documents: Mutex<Traffic>,
    begun: Instant,
    ended: watch::Sender<Option<Instant>>,
    runner: OnceLock<AbortHandle>,
}

struct Item {
    state: JobState,
    reason: Option<String>,
    /// While it runs.
    warmup: Option<Warmup>,
    /// When the warmup was begun, until it is told how it ended.
    begun: Option<Instant>,
    /// Whether it was begun for this job.
    is_own: bool,
    traffic: Traffic,
}

impl Item {
    fn traffic(&self) -> Traffic {
        let warmup = self.warmup.as_ref().filter(|_| self.is_own);
        warmup.map_or(self.traffic, Warmup::traffic)
    }

    /// What was sent, and since when, unless it was told before or nothing was begun.
    fn told(&mut self) -> Option<(Traffic, Instant)> {
        let begun = self.begun.take()?;
        Some((self.traffic, begun))
    }
}

impl Job {
    pub(super) fn new(id: JobId, source: &str, targets: Vec<Target>) -> Arc<Self> {
        let pending = || Item {
            state: JobState::Pending,
            reason: None,
            warmup: None,
            begun: None,
            is_own: false,
            traffic: Traffic::default(),
        };
        Arc::new(Self {
            id,
            source: source.to_owned(),
            items: Mutex::new(targets.iter().map(|_| pending()).collect()),
            targets,
            documents: Mutex::default(),
            begun: Instant::now(),
            ended: watch::channel(None).0,
            runner: OnceLock::new(),
        })
    }

    /// Who works on it, to be stopped when it is cancelled.
    pub(super) fn run_by(&self, runner: AbortHandle) {
        // It has one only.
        let _ = self.runner.set(runner);
        if self.is_ended() {
            self.abort();
        }
    }

    /// Begins to warm one target, unless it was given up; `warm` tells whether it is new.
    pub(super) fn begin(
        &self,
        target: usize,
        warm: impl FnOnce() -> (Warmup, bool),
    ) -> Option<Warmup> {
        let mut items = self.lock();
        let item = &mut items[target];
        if item.state != JobState::Pending {
            return None;
        }
        let (warmup, is_new) = warm();
        item.is_own = is_new;
        item.begun = Some(Instant::now());
        item.state = JobState::Running;
        item.warmup = Some(warmup.clone());
        Some(warmup)
    }

    /// Takes note of how the warmup of one target ended; answers with what was sent for it, and
    /// since when.
    pub(super) fn end(&self, target: usize, outcome: &Outcome) -> Option<(Traffic, Instant)> {
        let (state, reason) = match outcome {
            Outcome::Failed(error) => (JobState::Failed, Some(error.chain())),
            outcome if outcome.is_warm() => (JobState::Complete, None),
            outcome => (JobState::Failed, Some(outcome.name().to_owned())),
        };
        self.settle(
            |at, item| at == target && item.state == JobState::Running,
            state,
            reason,
        );
        self.lock()[target].told()
    }

    /// Of targets that were begun and given up, what was sent for each, and since when; each once.
    pub(super) fn given_up(&self) -> Vec<(usize, Traffic, Instant)> {
        let mut items = self.lock();
        let items = items.iter_mut().enumerate();
        let told =
            items.filter_map(|(at, item)| item.told().map(|(sent, begun)| (at, sent, begun)));
        told.collect()
    }

    /// Leaves out all that has not begun.
    pub(super) fn skip(&self, reason: &str) {
        let reason = Some(reason.to_owned());
        self.settle(
            |_, item| item.state == JobState::Pending,
            JobState::Skipped,
            reason,
        );
    }

    /// Gives up what has not ended; answers whether anything had not.
    pub(super) fn cancel(&self, reason: &str) -> bool {
        self.give_up(reason);
        let is_first = self.close();
        self.abort();
        is_first
    }

    /// Gives up what has not ended; nobody who waits for the job is told yet.
    pub(super) fn give_up(&self, reason: &str) {
        let reason = Some(reason.to_owned());
        self.settle(
            |_, item| !item.state.is_finished(),
            JobState::Cancelled,
            reason,
        );
    }

    /// Takes note that nothing is left to do; answers whether that is new.
    pub(super) fn close(&self) -> bool {
        self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            ended.get_or_insert_with(Instant::now);
            is_first
        })
    }

    fn abort(&self) {
        if let Some(runner) = self.runner.get() {
            runner.abort();
        }
    }

    fn settle(
        &self,
        concerns: impl Fn(usize, &Item) -> bool,
        state: JobState,
        reason: Option<String>,
    ) {
        let mut given_up = Vec::new();
        let mut items = self.lock();
        for (at, item) in items.iter_mut().enumerate() {
            if concerns(at, item) {
                item.traffic = item.traffic();
                given_up.extend(item.warmup.take());
                item.state = state;
                item.reason.clone_from(&reason);
            }
        }
        drop(items);
        // Not under the lock: the last handle of a warmup gives it up.
        drop(given_up);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// When it ended.
    pub(super) fn ended(&self) -> Option<Instant> {
        *self.ended.borrow()
    }

    pub(super) fn status(&self) -> JobStatus {
        let items: Vec<JobItem> = {
            let items = self.lock();
            let items = items.iter().zip(&self.targets);
            let item = |(item, target): (&Item, &Target)| JobItem {
                split: target.split.path().to_string(),
                fingerprint: target.request.fingerprint(),
                state: item.state,
                reason: item.reason.clone(),
                traffic: item.traffic(),
            };
            items.map(item).collect()
        };
        let until = self.ended().unwrap_or_else(Instant::now);
        let elapsed = until.duration_since(self.begun);
        let count = |is: fn(JobState) -> bool| items.iter().filter(|it| is(it.state)).count();
        let finished = count(JobState::is_finished);
        let left = items.len() - finished;
        let eta = (finished > 0 && left > 0)
            .then(|| elapsed.mul_f64(left as f64 / finished as f64))
            .filter(|_| !self.is_ended());
        JobStatus {
            id: self.id,
            source: self.source.clone(),
            state: state_of(&items),
            splits: items.len(),
            finished,
            warm: count(|state| state == JobState::Complete),
            traffic: items
                .iter()
                .map(|item| item.traffic)
                .fold(Traffic::default(), Traffic::beside)
                .then(*lock(&self.documents)),
            elapsed_ms: whole_millis(elapsed),
            eta_ms: eta.map(whole_millis),
            items,
        }
    }

    /// The splits that are warm by now, by request; with how often each is expected to be asked.
    pub(super) fn warm_by_request(
        &self,
    ) -> Vec<(Option<u32>, Arc<SearchRequest>, Vec<SplitAddress>)> {
        let items = self.lock();
        let warm = items.iter().zip(&self.targets);
        let warm = warm.filter(|(item, _)| item.state == JobState::Complete);
        let mut places = HashMap::new();
        let mut by_request = Vec::new();
        for (_, target) in warm {
            let place = *places
                .entry(Arc::as_ptr(&target.request))
                .or_insert_with(|| {
                    by_request.push((target.asks, Arc::clone(&target.request), Vec::new()));
                    by_request.len() - 1
                });
            by_request[place].2.push(target.split.clone());
        }
        by_request
    }

    pub(super) fn add_documents(&self, traffic: Traffic) {
        let mut documents = lock(&self.documents);
        *documents = documents.then(traffic);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Item>> {
        lock(&self.items)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far a job has come whose splits have come so far.
fn state_of(items: &[JobItem]) -> JobState {
    let all = |state| items.iter().all(|item| item.state == state);
    let any = |state| items.iter().any(|item| item.state == state);
    let is_left = items.iter().any(|item| !item.state.is_finished());
    match () {
        () if items.is_empty() => JobState::Complete,
        () if all(JobState::Pending) => JobState::Pending,
        () if is_left => JobState::Running,
        () if any(JobState::Cancelled) => JobState::Cancelled,
        () if all(JobState::Skipped) => JobState::Skipped,
        () if !any(JobState::Complete) => JobState::Failed,
        () if any(JobState::Failed) || any(JobState::Skipped) => JobState::Partial,
        () => JobState::Complete,
    }
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A handle to a job. Clones are the same job; dropping it cancels nothing.
#[derive(Clone)]
pub struct JobHandle(pub(super) Arc<Job>);

impl JobHandle {
    /// The job's name.
    pub fn id(&self) -> JobId {
        self.0.id
    }

    /// How far it has come.
    pub fn status(&self) -> JobStatus {
        self.0.status()
    }

    /// Gives up what has not ended. What arrived stays cached, and warmups that others wait for go
    /// on.
    pub fn cancel(&self) {
        self.0.cancel("cancelled");
    }

    /// Waits until it has ended, for at most `deadline`, and tells how far it has come.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels nothing.
    pub async fn wait(&self, deadline: Duration) -> JobStatus {
        self.wait_until(in_time(deadline)).await
    }

    pub(super) async fn wait_until(&self, deadline: Instant) -> JobStatus {
        let mut ended = self.0.ended.subscribe();
        // Its sender lives as long as the job; past the deadline the status says that it runs.
        let _ = timeout_at(deadline, ended.wait_for(Option::is_some)).await;
        self.0.status()
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle")
            .field("id", &self.0.id)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}
