use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use tokio::runtime::Handle;

use super::outcome::Outcome;
use super::running::Running;
use crate::Traffic;
use crate::cache::Lease;
use crate::plan::ComponentReport;
use crate::split::Split;
use crate::store::{GetTrace, in_time};

/// A handle to the warmup of [components](crate::Warmer::warm_components) of one split; clones are
/// the same warmup.
///
/// While a handle is held, the split stays open and what was warmed stays in memory, whatever the
/// cache evicts: it counts against [`lease_bytes`](crate::CacheSettings::lease_bytes) then.
/// Afterwards it is cached like everything else. When the last handle of an unfinished warmup is
/// dropped, it is given up, and what has arrived stays cached; [`detach`](Self::detach) lets it run
/// to its end.
#[derive(Clone)]
pub struct ComponentWarmup {
    inner: Arc<Inner>,
}

struct Inner {
    path: Path,
    report: ComponentReport,
    running: Running<Arc<Held>>,
    runtime: Handle,
}

/// What a finished warmup keeps alive.
pub(super) struct Held {
    pub(super) _split: Arc<Split>,
    pub(super) _lease: Lease,
}

impl ComponentWarmup {
    pub(super) fn new(
        path: Path,
        report: ComponentReport,
        running: Running<Arc<Held>>,
        runtime: Handle,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                path,
                report,
                running,
                runtime,
            }),
        }
    }

    /// The split's path.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Bytes by component and field: what it brings, and how much of that was in memory before.
    /// Empty when the split could not be opened.
    pub fn report(&self) -> &ComponentReport {
        &self.inner.report
    }

    /// What it has sent so far, opening included.
    pub fn traffic(&self) -> Traffic {
        self.inner.running.traffic().snapshot()
    }

    /// Whether the warmup has ended, well or not.
    pub fn is_finished(&self) -> bool {
        self.inner.running.is_finished()
    }

    /// Waits for the warmup, for at most `deadline`, as [`Warmup::join`](crate::Warmup::join) does.
    /// From then on its fetches are urgent.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels nothing while this handle lives.
    pub async fn join(&self, deadline: Duration) -> Outcome {
        let span = tracing::info_span!(
            "join", split = %self.path(), outcome = tracing::field::Empty
        );
        self.inner.running.join(in_time(deadline), span).await.0
    }

    /// The requests that it has sent so far: see [`Warmup::trace`](crate::Warmup::trace).
    pub fn trace(&self) -> Vec<GetTrace> {
        self.inner.running.traffic().trace()
    }

    /// How many requests [`trace`](Self::trace) leaves out, because it takes 16,384 at most.
    pub fn left_out_of_trace(&self) -> u64 {
        self.inner.running.traffic().left_out_of_trace()
    }

    /// Lets the warmup run to its end though nobody holds a handle.
    pub fn detach(self) {
        let runtime = self.inner.runtime.clone();
        runtime.spawn(async move {
            let _ = self.inner.running.finished().await;
        });
    }
}

impl std::fmt::Debug for ComponentWarmup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ComponentWarmup")
            .field("path", &self.path().as_ref())
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
