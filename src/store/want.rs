//! How many GETs the warmups of one request want.
//!
//! Whether a gap is worth fetching depends on whether GETs wait for each other, and it is those of
//! all splits of a request that do. So each warmup tells how many its round wants, and learns of how
//! many these are a part. All warmups that begin together have told before any of them decides; in
//! later rounds they do not wait for each other, and know of those that were faster.

use std::sync::PoisonError;

use tokio::sync::Notify;

use super::request::Request;
use crate::sync::{Mutex, MutexGuard};

/// What all warmups of a request want.
#[derive(Debug, Default)]
pub(super) struct Wants {
    counts: Mutex<Counts>,
    all_told: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    warmups: usize,
    /// How many of these have not told yet.
    untold: usize,
    gets: u64,
}

/// What one of them wants. Nothing any more when it is dropped.
#[derive(Debug)]
pub(super) struct Want {
    of: Request,
    mine: Mutex<Option<u64>>,
}

impl Wants {
    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.lock();
        change(&mut counts);
        let all_told = counts.untold == 0;
        drop(counts);
        if all_told {
            self.all_told.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Want {
    pub(super) fn new(of: &Request) -> Self {
        let mut counts = of.wants().lock();
        counts.warmups += 1;
        counts.untold += 1;
        drop(counts);
        Self {
            of: of.clone(),
            mine: Mutex::default(),
        }
    }

    /// How many warmups the request has.
    pub(super) fn warmups(&self) -> usize {
        self.of.wants().lock().warmups
    }

    /// From now on it wants so many.
    pub(super) fn tell(&self, gets: u64) {
        let mut mine = self.mine.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mine.replace(gets);
        self.of.wants().change(|counts| {
            counts.untold -= usize::from(before.is_none());
            counts.gets = counts.gets - before.unwrap_or(0) + gets;
        });
    }

    /// Waits until every warmup of the request has told once, or is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub(super) async fn all_told(&self) {
        let wants = self.of.wants();
        loop {
            // It hears of what happens from now on, polled or not.
            let told = wants.all_told.notified();
            if wants.lock().untold == 0 {
                return;
            }
            told.await;
        }
    }

    /// What all of the request want, as far as they have told.
    pub(super) fn of_all(&self) -> u64 {
        self.of.wants().lock().gets
    }
}

impl Drop for Want {
    fn drop(&mut self) {
        let mine = self.mine.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mine = mine.take();
        self.of.wants().change(|counts| {
            counts.warmups -= 1;
            counts.untold -= usize::from(mine.is_none());
            counts.gets -= mine.unwrap_or(0);
        });
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn nobody_decides_before_all_have_told_or_are_gone() {
        let request = Request::default();
        let [first, second, third] = [0; 3].map(|_| Want::new(&request));
        assert_eq!(first.warmups(), 3);
        first.tell(3);
        let mut all_told = Box::pin(first.all_told());
        assert!((&mut all_told).now_or_never().is_none());
        second.tell(0);
        assert!((&mut all_told).now_or_never().is_none());
        drop(third);
        assert!(all_told.now_or_never().is_some());
        assert_eq!(first.of_all(), 3);
    }

    #[test]
    fn what_is_wanted_is_what_was_told_last_by_those_that_are_left() {
        let request = Request::default();
        let (first, second) = (Want::new(&request), Want::new(&request));
        first.tell(5);
        second.tell(7);
        assert_eq!(first.of_all(), 12);
        second.tell(1);
        assert_eq!(first.of_all(), 6);
        drop(second);
        assert_eq!(first.of_all(), 5);
        assert_eq!(first.warmups(), 1);
    }
}
