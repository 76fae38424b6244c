use std::sync::{Arc, Weak};
use std::time::Duration;

use object_store::path::Path;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::outcome::Outcome;
use super::registry::Registry;
use super::running::Running;
use super::warmed::{Finished, Warmed};
use crate::Traffic;
use crate::filter::Fingerprint;
use crate::store::{GetTrace, TrafficCounter, in_time};

/// Which warmup: of what, in which split.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct WarmupKey {
    pub(crate) path: Path,
    pub(crate) fingerprint: Fingerprint,
}

/// Holds a task back until it is dropped.
pub(crate) struct Held(
    #[expect(dead_code, reason = "its drop is what it is for")] oneshot::Sender<()>,
);

/// A warmup under way, or finished.
///
/// In this order: whoever finds it counts a reference in front of it, and threads of the pool look at
/// what came of it, which must not be in the same cache line of 64 bytes.
#[repr(C)]
pub(crate) struct Task {
    _apart: [u64; 8],
    key: WarmupKey,
    running: Running<Arc<Warmed>>,
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
                    registry.keep(task, warmed.weight());
                }
                send.send_replace(Some(outcome));
            });
            Self {
                _apart: [0; 8],
                key,
                running: Running::new(traffic, finished, running.abort_handle()),
                registry: Arc::downgrade(registry),
            }
        });
        (task, Held(held))
    }

    pub(super) fn key(&self) -> &WarmupKey {
        &self.key
    }

    pub(super) fn is_finished(&self) -> bool {
        self.running.is_finished()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.running.has_failed()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
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
        self.task.running.traffic().snapshot()
    }

    /// Whether the warmup has ended, well or not.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
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

    /// What was warmed, once it is.
    pub(crate) fn warmed(&self) -> Option<&Arc<Warmed>> {
        self.task.running.ready()
    }

    /// Waits for the warmup without wanting it: what others wait for goes first.
    ///
    /// # Cancel safety
    ///
    /// As [`join`](Self::join).
    pub(crate) async fn ended(&self) -> Outcome {
        match self.task.running.ended() {
            Some(Ok(_)) => return Outcome::Ready,
            Some(Err(error)) => return Outcome::Failed(error.clone()),
            None => {}
        }
        let started = Instant::now();
        let finished = self.task.running.finished().await;
        finished.map_or_else(Outcome::Failed, |_| Outcome::Waited(started.elapsed()))
    }

    /// Waits until `deadline` and hands over what was warmed.
    pub(crate) async fn wait(&self, deadline: Instant) -> (Outcome, Option<Arc<Warmed>>) {
        let span = tracing::info_span!(
            "join", split = %self.task.key.path, fingerprint = %self.task.key.fingerprint,
            outcome = tracing::field::Empty
        );
        self.task.running.join(deadline, span).await
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
        self.task.running.traffic().trace()
    }

    /// How many requests [`trace`](Self::trace) leaves out, because it takes 16,384 at most.
    pub fn left_out_of_trace(&self) -> u64 {
        self.task.running.traffic().left_out_of_trace()
    }

    /// Lets the warmup run to its end though nobody holds a handle. It can then be joined by
    /// asking for it again, for as long as [`linger`](crate::WarmerSettings::linger) says.
    pub fn detach(self) {
        let Some(registry) = self.task.registry.upgrade() else {
            return;
        };
        let task = self.task;
        registry.runtime().clone().spawn(async move {
            let _ = task.running.finished().await;
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
