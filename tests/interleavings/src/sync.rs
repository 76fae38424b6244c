//! In the place of forewarm's `sync`: what a scheduler can stop at.

pub(crate) use shuttle::sync::{Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU64};
}
