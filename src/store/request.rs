use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64};

use super::want::Wants;

/// How often anything became more urgent in this process: queues look again when it changes.
static RAISES: AtomicU64 = AtomicU64::new(0);

/// Whose GET goes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Priority {
    /// Somebody waits for it.
    Demand,
    /// It is fetched before anybody asks.
    Prefetch,
}

/// Work whose GETs share one turn among those of other work; clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Request(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    id: u64,
    /// When its next GET is due, in the queue's virtual time.
    due: AtomicU64,
    wants: Wants,
}

impl Request {
    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn wants(&self) -> &Wants {
        &self.0.wants
    }

    pub(super) fn due(&self) -> u64 {
        self.0.due.load(Ordering::Relaxed)
    }

    pub(super) fn set_due(&self, due: u64) {
        self.0.due.store(due, Ordering::Relaxed);
    }
}

impl Default for Request {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Shared {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            due: AtomicU64::new(0),
            wants: Wants::default(),
        }))
    }
}

/// How urgent some work is: it may become so while it is under way, and it is as urgent as the
/// most urgent work that waits for it.
#[derive(Debug)]
pub(crate) struct Urgency {
    is_demand: AtomicBool,
    waiters: Mutex<Vec<Arc<Urgency>>>,
}

impl Urgency {
    pub(super) fn new(priority: Priority) -> Arc<Self> {
        Arc::new(Self {
            is_demand: AtomicBool::new(priority == Priority::Demand),
            waiters: Mutex::default(),
        })
    }

    pub(super) fn priority(&self) -> Priority {
        let waiters = || self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let is_demand = self.is_demand.load(Ordering::Relaxed)
            || waiters()
                .iter()
                .any(|waiter| waiter.is_demand.load(Ordering::Relaxed));
        match is_demand {
            true => Priority::Demand,
            false => Priority::Prefetch,
        }
    }

    /// How urgent a fetch for `waiter` is, for as long as nobody else waits for it.
    pub(crate) fn of_fetch(waiter: &Arc<Urgency>) -> Arc<Self> {
        let own = Self::new(Priority::Prefetch);
        own.wait_with(waiter);
        own
    }

    /// Somebody waits for it from now on.
    pub(crate) fn raise(&self) {
        if !self.is_demand.swap(true, Ordering::Relaxed) {
            RAISES.fetch_add(1, Ordering::Release);
        }
    }

    /// Other work waits for it, which may become urgent later.
    pub(crate) fn wait_with(&self, waiter: &Arc<Urgency>) {
        if self.is_demand.load(Ordering::Relaxed) {
            return;
        }
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiters.iter().any(|known| Arc::ptr_eq(known, waiter)) {
            waiters.push(Arc::clone(waiter));
        }
        drop(waiters);
        // Looked at last: a queue that was told of the raise before may not have found the waiter
        // here, and would not look again.
        if waiter.is_demand.load(Ordering::Relaxed) {
            self.raise();
        }
    }
}

pub(super) fn raises() -> u64 {
    RAISES.load(Ordering::Acquire)
}
