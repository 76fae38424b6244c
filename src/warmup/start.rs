use std::time::Instant;

use super::task::Held;

/// A moment at which warmups begin. Those that begin with it are held back until it is dropped: none
/// of them decides anything before it is known how many they are.
pub(crate) struct Start {
    at: Instant,
    pub(super) held: Vec<Held>,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self::of(Instant::now())
    }

    /// The moment `at`, which was just now.
    pub(crate) fn of(at: Instant) -> Self {
        Self {
            at,
            held: Vec::new(),
        }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }
}
