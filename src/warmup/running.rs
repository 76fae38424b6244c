//! Work that any number of readers wait for.

use std::sync::OnceLock;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::outcome::Outcome;
use crate::error::{Error, ErrorKind, Result};
use crate::store::TrafficCounter;
use crate::telemetry::list;

/// Work under way, or finished. It is given up when this is dropped.
pub(super) struct Running<T> {
    traffic: TrafficCounter,
    finished: watch::Receiver<Option<Result<T>>>,
    /// What `finished` told, once somebody has looked: to look here takes no lock. The
    /// standard library's, where locks are modelled too: nobody waits for it.
    ended: OnceLock<Result<T>>,
    /// None where nothing was begun.
    abort: Option<AbortHandle>,
}

impl<T: Clone + Send + Sync + 'static> Running<T> {
    /// Work that has begun, counts in `traffic`, tells `finished`, and is stopped by `abort`.
    pub(super) fn new(
        traffic: TrafficCounter,
        finished: watch::Receiver<Option<Result<T>>>,
        abort: AbortHandle,
    ) -> Self {
        Self {
            traffic,
            finished,
            ended: OnceLock::new(),
            abort: Some(abort),
        }
    }

    /// Begins `work`, which counts in `traffic`.
    pub(super) fn spawn(
        runtime: &Handle,
        traffic: TrafficCounter,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Self {
        let (send, finished) = watch::channel(None);
        let running = runtime.spawn(async move {
            let outcome = work.await;
            send.send_replace(Some(outcome));
        });
        Self::new(traffic, finished, running.abort_handle())
    }

    /// Work that failed before it could begin.
    pub(super) fn failed(traffic: TrafficCounter, error: Error) -> Self {
        // Nobody waits for a value that is there.
        let (_, finished) = watch::channel(Some(Err(error)));
        Self {
            traffic,
            finished,
            ended: OnceLock::new(),
            abort: None,
        }
    }

    pub(super) fn traffic(&self) -> &TrafficCounter {
        &self.traffic
    }

    /// What came of the work, once it has ended.
    #[inline]
    pub(super) fn ended(&self) -> Option<&Result<T>> {
        self.ended.get().or_else(|| self.look())
    }

    /// Whether the work has told its end, as far as nobody has looked yet.
    #[cold]
    fn look(&self) -> Option<&Result<T>> {
        let ended = self.finished.borrow().clone()?;
        Some(self.ended.get_or_init(|| ended))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.ended().is_some()
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.ended(), Some(Err(_)))
    }

    /// Waits for the end of the work.
    pub(super) async fn finished(&self) -> Result<T> {
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

    /// What came of the work, once it has ended well.
    pub(super) fn ready(&self) -> Option<&T> {
        self.ended()?.as_ref().ok()
    }

    /// Waits until `deadline`, in `span`, and hands over what came of the work. From now on
    /// somebody waits for what it fetches.
    pub(super) async fn join(
        &self,
        deadline: Instant,
        span: tracing::Span,
    ) -> (Outcome, Option<T>) {
        let (is_finished, started) = (self.is_finished(), Instant::now());
        let joined = self.outcome(deadline).instrument(span.clone()).await;
        let outcome = joined.0.name();
        span.record("outcome", outcome);
        list::JOINS.add_of(outcome, 1);
        if !is_finished {
            list::JOIN_WAIT_SECONDS.record_of(outcome, started.elapsed());
        }
        joined
    }

    async fn outcome(&self, deadline: Instant) -> (Outcome, Option<T>) {
        match self.ended() {
            Some(Ok(warmed)) => (Outcome::Ready, Some(warmed.clone())),
            Some(Err(error)) => (Outcome::Failed(error.clone()), None),
            // Not even the tick that tokio's timer would wait for.
            None if Instant::now() >= deadline => (Outcome::TimedOut, None),
            None => {
                let started = Instant::now();
                self.traffic.urgency().raise();
                match timeout_at(deadline, self.finished()).await {
                    Ok(Ok(warmed)) => (Outcome::Waited(started.elapsed()), Some(warmed)),
                    Ok(Err(error)) => (Outcome::Failed(error), None),
                    Err(_) => (Outcome::TimedOut, None),
                }
            }
        }
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}
