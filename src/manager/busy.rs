use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;

use crate::sync::{Mutex, MutexGuard};

/// Counts what is under way, and lets nothing begin once stopping has begun.
#[derive(Debug, Default)]
pub(super) struct Busy {
    state: Mutex<State>,
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    is_stopping: bool,
    working: usize,
}

/// One thing under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Working(Arc<Busy>);

impl Busy {
    /// Begins something; nothing once [`stop`](Self::stop) was called.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Working> {
        let mut state = self.lock();
        if state.is_stopping {
            return None;
        }
        state.working += 1;
        Some(Working(Arc::clone(self)))
    }

    /// From now on nothing begins.
    pub(super) fn stop(&self) {
        self.lock().is_stopping = true;
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().is_stopping
    }

    /// Waits until nothing is under way.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed by waiting.
    pub(super) async fn idle(&self) {
        loop {
            // Listening before looking: what ends in between is not missed.
            let mut ended = std::pin::pin!(self.idle.notified());
            ended.as_mut().enable();
            if self.lock().working == 0 {
                return;
            }
            ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.working -= 1;
        let is_idle = state.working == 0;
        drop(state);
        if is_idle {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_begins_after_stopping_and_the_last_to_end_wakes_who_waits() {
        let busy = Arc::new(Busy::default());
        busy.idle().await;
        let (first, second) = (busy.begin(), busy.begin());
        assert!(first.is_some() && second.is_some());
        busy.stop();
        assert!(busy.begin().is_none() && busy.is_stopping());
        drop(first);
        let waiting = tokio::spawn({
            let busy = Arc::clone(&busy);
            async move { busy.idle().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        assert!(waiting.await.is_ok());
    }
}
