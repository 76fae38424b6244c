use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::sync::atomic::AtomicU64;

/// Bytes that may be resident at once: cached, leased and in flight, each counted once.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limit: u64,
    used: AtomicU64,
}

/// Bytes taken from a [`Budget`] until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self(Arc::new(Counts {
            limit,
            used: AtomicU64::new(0),
        }))
    }

    pub(crate) fn limit(&self) -> u64 {
        self.0.limit
    }

    pub(crate) fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or nothing when they do not fit. Never waits: whoever asks may hold other
    /// reservations, and waiting for more while holding some is how budgets deadlock.
    pub(crate) fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        self.0
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
                used.checked_add(bytes)
                    .filter(|&total| total <= self.0.limit)
            })
            .ok()?;
        Some(Reservation {
            budget: self.clone(),
            bytes,
        })
    }
}

impl Reservation {
    /// Splits `bytes` off; at most all that is reserved.
    pub(crate) fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self {
            budget: self.budget.clone(),
            bytes,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn reservations_never_pass_the_limit_and_come_back_when_dropped() {
        let budget = Budget::new(100);
        let mut first = budget.try_reserve(70).expect("70 of 100 fit");
        assert!(budget.try_reserve(31).is_none());
        let part = first.split(20);
        drop(first);
        assert_eq!(budget.used(), 20);
        assert!(budget.try_reserve(u64::MAX).is_none());
        drop(part);
        assert_eq!(budget.used(), 0);
    }
}
