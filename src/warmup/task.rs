use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use object_store::path::Path;
use tantivy::query::Query;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::outcome::Outcome;
use super::registry::Registry;
use super::work::Extras;
use crate::Traffic;
use crate::cache::Lease;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Filter, Fingerprint, SearchRequest};
use crate::plan::PlanEntry;
use crate::split::Split;
use crate::store::{GetTrace, TrafficCounter, in_time};

/// Which warmup: of what, in which split.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct WarmupKey {
    pub(crate) path: Path,
    pub(crate) fingerprint: Fingerprint,
}

/// What a warmup brought: everything that its search reads in its split.
pub(crate) struct Warmed {
    pub(crate) split: Arc<Split>,
    /// What `query` was compiled from. Others that read the same join too, and compile their own.
    pub(crate) filter: Filter,
    pub(crate) query: Arc<dyn Query>,
    pub(crate) extras: Arc<Extras>,
    pub(crate) lease: Arc<Lease>,
    /// By segment: whether it is proven to hold no match, so that it need not be searched.
    pub(crate) hopeless: Arc<[bool]>,
    /// What is remembered of it for next time.
    pub(crate) plan: Option<Arc<PlanEntry>>,
    /// Whether that was known, and nothing else was fetched.
    pub(crate) replayed: bool,
    /// Rounds spent on what only tells what it reads while it reads it.
    pub(crate) probe_rounds: u64,
    /// Opening and warming, as far as this warmup paid for it.
    pub(crate) traffic: Traffic,
    pub(crate) opening: Duration,
    pub(crate) warming: Duration,
    /// The request whose documents were last added to the plan.
    pub(crate) noted: Noted,
}

/// A request that need not be noted again.
#[derive(Default)]
pub(crate) struct Noted(Mutex<Option<Arc<SearchRequest>>>);

impl Noted {
    /// Whether `request` brings the same documents as the one noted last.
    pub(crate) fn is(&self, request: &SearchRequest) -> bool {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = noted.as_ref();
        noted.is_some_and(|noted| noted.brings_same(request))
    }

    pub(crate) fn set(&self, request: &Arc<SearchRequest>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Some(Arc::clone(request));
    }
}

pub(crate) type Finished = Result<Arc<Warmed>>;

/// Holds a task back until it is dropped.
pub(super) struct Held(
    #[expect(dead_code, reason = "its drop is what it is for")] oneshot::Sender<()>,
);

/// A warmup under way, or finished.
pub(crate) struct Task {
    key: WarmupKey,
    traffic: TrafficCounter,
    finished: watch::Receiver<Option<Finished>>,
    abort: AbortHandle,
    registry: Weak<Registry>,
}

impl Task {
    /// Starts `work`, which counts in `traffic`, once what holds it back is dropped.
    /// The work is given up when the last reference to the task goes; when it `lingers`, the registry
    /// holds it for a while after it has finished.
    pub(super) fn start(
        key: WarmupKey,
        registry: &Arc<Registry>,
        runtime: &Handle,
        traffic: TrafficCounter,
        lingers: bool,
        work: impl Future<Output = Finished> + Send + 'static,
    ) -> (Arc<Self>, Held) {
        let (send, finished) = watch::channel(None);
        // Work that ends at once must still find its task to be kept by.
        let (held, is_let_go) = oneshot::channel();
        let task = Arc::new_cyclic(|this: &Weak<Self>| {
            let this = this.clone();
            let registry_too = Arc::downgrade(registry);
            let running = runtime.spawn(async move {
                let _ = is_let_go.await;
                let outcome = work.await;
                // Kept before the waiters wake: they may let go of it at once, or clear what is kept.
                let task = this.upgrade().filter(|_| lingers);
                if let (Some(task), Some(registry), Ok(warmed)) =
                    (task, registry_too.upgrade(), &outcome)
                {
                    registry.keep(task, warmed.lease.bytes() + warmed.split.weight());
                }
                send.send_replace(Some(outcome));
            });
            Self {
                key,
                traffic,
                finished,
                abort: running.abort_handle(),
                registry: Arc::downgrade(registry),
            }
        });
        (task, Held(held))
    }

    pub(super) fn key(&self) -> &WarmupKey {
        &self.key
    }

    pub(super) fn result(&self) -> Option<Finished> {
        self.finished.borrow().clone()
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(&*self.finished.borrow(), Some(Err(_)))
    }

    async fn finished(&self) -> Finished {
        let mut finished = self.finished.clone();
        let outcome = finished.wait_for(Option::is_some).await;
        match outcome.as_deref() {
            Ok(Some(finished)) => finished.clone(),
            _ => Err(Error::new(
                ErrorKind::Cancelled,
                "the warmup's runtime has shut down",
            )),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
        if let Some(registry) = self.registry.upgrade() {
            registry.forget(&self.key);
        }
    }
}

/// A handle to a warmup, shared by all who asked for the same split and request.
///
/// The warmup runs from the moment it is asked for; the handle need not be polled. When the last
/// handle of an unfinished warmup is dropped, it is given up: fetches not yet begun are not sent,
/// and what has arrived stays cached. [`detach`](Self::detach) lets it run to its end without a
/// handle.
#[derive(Clone)]
pub struct Warmup {
    task: Arc<Task>,
}

impl Warmup {
    pub(super) fn new(task: Arc<Task>) -> Self {
        Self { task }
    }

    /// The split's path.
    pub fn path(&self) -> &Path {
        &self.task.key.path
    }

    /// The fingerprint of the request.
    pub fn fingerprint(&self) -> Fingerprint {
        self.task.key.fingerprint
    }

    /// What it has sent so far.
    pub fn traffic(&self) -> Traffic {
        self.task.traffic.snapshot()
    }

    /// Whether the warmup has ended, well or not.
    pub fn is_finished(&self) -> bool {
        self.task.finished.borrow().is_some()
    }

    /// Waits for the warmup, for at most `deadline`. Any number of readers may join, in any
    /// order, before and after it ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels nothing while this handle lives.
    pub async fn join(&self, deadline: Duration) -> Outcome {
        self.wait(in_time(deadline)).await.0
    }

    /// Waits until `deadline` and hands over what was warmed.
    pub(crate) async fn wait(&self, deadline: Instant) -> (Outcome, Option<Arc<Warmed>>) {
        let span = tracing::info_span!(
            "join", split = %self.task.key.path, fingerprint = %self.task.key.fingerprint,
            outcome = tracing::field::Empty
        );
        let joined = self.outcome(deadline).instrument(span.clone()).await;
        span.record("outcome", joined.0.name());
        metrics::counter!("forewarm_joins_total", "outcome" => joined.0.name()).increment(1);
        joined
    }

    /// What was warmed, when it is all here.
    pub(crate) fn warmed(&self) -> Option<Arc<Warmed>> {
        self.task.result()?.ok()
    }

    /// Takes note of a join that did not have to [wait](Self::wait).
    pub(crate) fn observe(&self, outcome: &Outcome) {
        let _span = tracing::info_span!(
            "join", split = %self.task.key.path, fingerprint = %self.task.key.fingerprint,
            outcome = outcome.name()
        );
        metrics::counter!("forewarm_joins_total", "outcome" => outcome.name()).increment(1);
    }

    async fn outcome(&self, deadline: Instant) -> (Outcome, Option<Arc<Warmed>>) {
        match self.task.result() {
            Some(Ok(warmed)) => (Outcome::Ready, Some(warmed)),
            Some(Err(error)) => (Outcome::Failed(error), None),
            // Not even the tick that tokio's timer would wait for.
            None if Instant::now() >= deadline => (Outcome::TimedOut, None),
            None => {
                let started = Instant::now();
                self.task.traffic.urgency().raise();
                match timeout_at(deadline, self.task.finished()).await {
                    Ok(Ok(warmed)) => (Outcome::Waited(started.elapsed()), Some(warmed)),
                    Ok(Err(error)) => (Outcome::Failed(error), None),
                    Err(_) => (Outcome::TimedOut, None),
                }
            }
        }
    }

    /// The requests that this warmup has sent so far, in the order of sending: what a waterfall is
    /// drawn from. Empty unless [`trace`](crate::WarmerSettings::trace) is set. A GET that several
    /// warmups wait for is in the trace of the one that sent it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use forewarm::{Clause, SearchRequest, SplitAddress, Warmer, WarmerSettings};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), forewarm::Error> {
    /// # let store = Arc::new(object_store::memory::InMemory::new());
    /// let settings = WarmerSettings::default().with_trace(true);
    /// let warmer = Warmer::builder(store).settings(settings).build()?;
    /// let request = SearchRequest::new(Clause::match_text("body", "sea"));
    /// let warmup = warmer.warm(&SplitAddress::new("absent.split".into()), &request);
    /// warmup.join(Duration::from_secs(1)).await;
    /// for get in warmup.trace() {
    ///     println!("{:?} of round {}: {} µs", get.range, get.round, get.ended_us - get.sent_us);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn trace(&self) -> Vec<GetTrace> {
        self.task.traffic.trace()
    }

    /// How many requests [`trace`](Self::trace) leaves out, because it takes 16,384 at most.
    pub fn left_out_of_trace(&self) -> u64 {
        self.task.traffic.left_out_of_trace()
    }

    /// Lets the warmup run to its end though nobody holds a handle. It can then be joined by
    /// asking for it again, for as long as [`linger`](crate::WarmerSettings::linger) says.
    pub fn detach(self) {
        let Some(registry) = self.task.registry.upgrade() else {
            return;
        };
        let task = self.task;
        registry.runtime().clone().spawn(async move {
            let _ = task.finished().await;
        });
    }
}

impl std::fmt::Debug for Warmup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warmup")
            .field("path", &self.path().as_ref())
            .field("fingerprint", &self.fingerprint().to_string())
            .field("finished", &self.is_finished())
            .finish()
    }
}
