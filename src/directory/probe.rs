use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::contains;

/// The missing ranges that a probe came upon.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    misses: Mutex<Misses>,
    /// While set, what is read is data whose bytes are not needed to go on.
    data: AtomicBool,
    /// Whether the cache answers for what is not leased: what is read is used at once, and need not
    /// be there again.
    reads_cache: bool,
    /// When set, only what lies in these normalised ranges is read; the rest is missed though it is
    /// there.
    shown: Option<Arc<[Range<u64>]>>,
    /// While set, what is missing is listed here, and zeros are answered in its place.
    listing: Mutex<Option<Vec<Range<u64>>>>,
}

/// Ranges of one split object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    /// Needed to find out what else is needed.
    pub(crate) index: Vec<Range<u64>>,
    /// Needed by the search alone.
    pub(crate) data: Vec<Range<u64>>,
}

impl Misses {
    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty() && self.data.is_empty()
    }
}

impl Probe {
    /// A probe that misses only what is nowhere in memory, leased or not.
    pub(crate) fn of_memory() -> Self {
        Self {
            reads_cache: true,
            ..Self::default()
        }
    }

    /// A probe that misses what lies outside of the normalised ranges `shown`: what came unasked must
    /// not hide what is read.
    pub(crate) fn of_shown(shown: Arc<[Range<u64>]>) -> Self {
        Self {
            shown: Some(shown),
            ..Self::default()
        }
    }

    pub(super) fn shows(&self, range: &Range<u64>) -> bool {
        let shown = self.shown.as_deref();
        shown.is_none_or(|shown| contains(shown, range))
    }

    pub(super) fn reads_cache(&self) -> bool {
        self.reads_cache
    }

    /// Runs `work`, whose reads are of data that it need not see: in a probe, a miss of it does
    /// not keep other needs from going on. Answers whether nothing was missing.
    pub(crate) fn as_data(&self, work: impl FnOnce()) -> bool {
        /// A reader that panics must not leave what others read marked as data.
        struct Marked<'a>(&'a AtomicBool);
        impl Drop for Marked<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        let before = self.len();
        self.data.store(true, Ordering::Relaxed);
        let marked = Marked(&self.data);
        work();
        drop(marked);
        self.len() == before
    }

    pub(crate) fn take(&self) -> Misses {
        std::mem::take(&mut *self.misses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn record(&self, range: Range<u64>) {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        if self.data.load(Ordering::Relaxed) {
            misses.data.push(range);
        } else {
            misses.index.push(range);
        }
    }

    /// Runs `work`, which reads without looking at what it reads, and answers what of it is
    /// missing. Nothing is recorded, and no read fails.
    pub(crate) fn list<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<Range<u64>>) {
        /// A reader that panics must not leave later ones reading zeros.
        struct Listing<'a>(&'a Probe);
        impl Drop for Listing<'_> {
            fn drop(&mut self) {
                *self.0.listed() = None;
            }
        }
        *self.listed() = Some(Vec::new());
        let listing = Listing(self);
        let done = work();
        let listed = self.listed().take().unwrap_or_default();
        drop(listing);
        (done, listed)
    }

    /// Records that `ranges` are needed to find out what else is needed.
    pub(crate) fn record_index(&self, ranges: Vec<Range<u64>>) {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.index.extend(ranges);
    }

    /// How many ranges were recorded that are needed to find out what else is needed.
    pub(crate) fn index_len(&self) -> usize {
        let misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.index.len()
    }

    /// Those of them that came after the first `before`.
    pub(crate) fn index_since(&self, before: usize) -> Vec<Range<u64>> {
        let misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.index.get(before..).unwrap_or_default().to_vec()
    }

    pub(super) fn listed(&self) -> std::sync::MutexGuard<'_, Option<Vec<Range<u64>>>> {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        let misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.index.len() + misses.data.len()
    }
}
