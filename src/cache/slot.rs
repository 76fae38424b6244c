use std::fmt;
use std::sync::{Arc, PoisonError};

use crate::sync::Mutex;

/// A value of a moka cache that is let go of the moment it is evicted.
///
/// moka drops what it evicts some time later, when no thread can still be looking at it
/// (crossbeam-epoch): until then budgets and gauges would count what is gone, for as long as
/// nothing else happens. So the cache holds slots, and its eviction listener
/// [empties](Self::empty) them.
pub(crate) struct Slot<T> {
    value: Arc<Mutex<Option<Arc<T>>>>,
    weight: u32,
}

impl<T> Slot<T> {
    /// A slot that weighs `weight` bytes, or as many as moka can tell of one entry.
    pub(crate) fn new(value: Arc<T>, weight: u64) -> Self {
        Self {
            value: Arc::new(Mutex::new(Some(value))),
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn weight(&self) -> u32 {
        self.weight
    }

    /// The value, unless it has been evicted meanwhile.
    pub(crate) fn value(&self) -> Option<Arc<T>> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        value.clone()
    }

    /// Lets go of the value.
    pub(crate) fn empty(&self) {
        let value = self
            .value
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // With the slot unlocked: the value's own `Drop` takes other locks.
        drop(value);
    }
}

// Derived, it would ask for `T: Clone`.
impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            weight: self.weight,
        }
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({} bytes)", self.weight)
    }
}
