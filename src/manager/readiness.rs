use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout_at;

use super::core::Core;
use super::manager::Manager;
use super::trigger::{Post, Preload, Progress};
use crate::store::in_time;

/// Whether a node may join its fleet, as far as warmth goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReadinessState {
    /// What was to be preloaded is not, because it, or the manager, is switched off.
    Off,
    /// Preloading is over, and some of it is not warm: it failed, was left out or given up.
    Partial,
    /// All that was to be preloaded is warm, or nothing was.
    #[default]
    Ready,
    /// The manager was stopped first.
    Stopped,
    /// The deadline passed first. Preloading goes on.
    TimedOut,
}

/// How preloading has gone: see [`Manager::ready`].
///
/// While a tick runs, figures are those of the batches that have ended.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Readiness {
    /// What it comes to.
    pub state: ReadinessState,
    /// Requests in splits that were to be warm.
    pub wanted: u64,
    /// Of these, how many are.
    pub warm: u64,
    /// Of these, how many could not be warmed: see the jobs of the source `preload`.
    pub failed: u64,
    /// Of these, how many were left out, by reason, as in [`TriggerStatus`](crate::TriggerStatus).
    pub left_out: BTreeMap<&'static str, u64>,
    /// Pairs of the hot set that were not wanted, because their split is not served any more.
    pub passed_over: u64,
}

impl Readiness {
    /// Whether all that was to be preloaded is warm.
    pub fn is_ready(&self) -> bool {
        self.state == ReadinessState::Ready
    }

    fn of(state: ReadinessState, preload: &Preload, post: &Post) -> Self {
        let Progress {
            is_ticking,
            wanted,
            before,
            passed_over,
            last,
            ..
        } = preload.progress();
        let tick = match is_ticking {
            true => post.current().unwrap_or_default(),
            false => last,
        };
        let (warm, failed) = (before + tick.warmed, tick.failed);
        Self {
            state: match state {
                ReadinessState::Ready if warm < wanted => ReadinessState::Partial,
                state => state,
            },
            wanted,
            warm,
            failed,
            left_out: tick.left_out,
            passed_over,
        }
    }
}

impl Manager {
    /// Waits until what is [preloaded](crate::PreloadSettings) is warm or given up, for at most
    /// `deadline`, so that a node joins its fleet warm; searches run meanwhile. Answers at once
    /// where nothing is preloaded, or preloading is switched off. Whoever is to wait must have
    /// [started](Self::start) the manager.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use forewarm::{Clause, HotSetFile, Manager, SearchRequest, SplitAddress, Warmer};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let store = Arc::new(object_store::memory::InMemory::new());
    /// let manager = Manager::builder(Warmer::builder(store).build()?)
    ///     .hot_set(HotSetFile::new(folder.path().join("hot-set"))?)
    ///     .preload([SearchRequest::new(Clause::match_all())])
    ///     .build()?;
    /// manager.announce([SplitAddress::new("no-such.split".into())]);
    /// manager.start();
    /// let readiness = manager.ready(Duration::from_secs(30)).await;
    /// assert_eq!((readiness.wanted, readiness.failed), (1, 1));
    /// manager.shutdown(Duration::from_secs(5)).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Preloading goes on without who waits for it.
    pub async fn ready(&self, deadline: Duration) -> Readiness {
        let Some((preload, post)) = self.preload() else {
            return Readiness::default();
        };
        let core = self.core();
        let mut changed = post.watch();
        let settled = async {
            loop {
                changed.mark_unchanged();
                if let Some(state) = verdict(core, preload, post) {
                    return state;
                }
                if changed.changed().await.is_err() {
                    return ReadinessState::Stopped;
                }
            }
        };
        let state = timeout_at(in_time(deadline), settled).await;
        let state = state.unwrap_or(ReadinessState::TimedOut);
        Readiness::of(state, preload, post)
    }
}

/// What there is to say, if there is no need to wait.
fn verdict(core: &Arc<Core>, preload: &Preload, post: &Post) -> Option<ReadinessState> {
    match () {
        () if preload.progress().is_over => Some(ReadinessState::Ready),
        () if post.is_stopped() || core.busy.is_stopping() => Some(ReadinessState::Stopped),
        () if !post.is_enabled() || !core.is_enabled() => Some(ReadinessState::Off),
        () => None,
    }
}
