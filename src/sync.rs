//! The locks and counters of what is tested over many interleavings.
//!
//! They are those of the standard library. `tests/interleavings` compiles the same sources with
//! modelled ones in their place, which a scheduler can stop at.

pub(crate) use std::sync::{Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
}
