use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use scoped_tls::scoped_thread_local;
use serde::{Deserialize, Serialize};
use tantivy::directory::OwnedBytes;

use super::{LateReads, Probe, Reads};
use crate::cache::{Lease, Reader};

/// What a search does when it reads bytes that were not warmed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnMiss {
    /// Fail the search with [`ErrorKind::LateRead`](crate::ErrorKind::LateRead), naming file and
    /// range: strict mode.
    Fail,
    /// Read from the store, blocking the search thread, and count a late read.
    #[default]
    Fetch,
}

#[derive(Clone)]
pub(super) enum Mode {
    Probe {
        probe: Arc<Probe>,
        /// Who reads; not a search.
        reader: Reader,
    },
    /// A probe within a search.
    SearchProbe {
        probe: Arc<Probe>,
        late: Arc<LateReads>,
    },
    Search {
        on_miss: OnMiss,
        late: Arc<LateReads>,
    },
}

/// So many leases are as soon looked through as sorted and searched.
const FEW: usize = 16;

/// What reads of a thread may do: see the [module](self).
pub(crate) struct ReadScope {
    /// By split: a search over many splits reads statistics of all of them.
    /// Sorted, if there are more than a [`FEW`]: it is searched for each read of another split than
    /// the last, and hashing would cost more.
    leases: Arc<[(u64, Arc<Lease>)]>,
    pub(super) mode: Mode,
    /// Where reads are recorded, when anybody wants to know.
    pub(super) reads: Option<Arc<Reads>>,
}

scoped_thread_local! {
    /// A reference, not a count of references: the threads of a search would take that from each
    /// other each time one enters the scope.
    pub(super) static SCOPE: ReadScope
}

thread_local! {
    static NOTED: Noted = const { Noted::new() };
}

/// What a thread notes of the scope that it is in, where no other thread looks.
struct Noted {
    /// Reads that memory answered.
    found: Cell<u64>,
    /// Which of the leases was read last: the next read is mostly of the same.
    lease: Cell<usize>,
    /// Which of its extents: short lists stand side by side, and are read one after the other.
    extent: Cell<usize>,
    /// See [`ReadScope::is_warm`].
    is_warm: Cell<bool>,
}

impl Noted {
    const fn new() -> Self {
        Self {
            found: Cell::new(0),
            lease: Cell::new(0),
            extent: Cell::new(0),
            is_warm: Cell::new(false),
        }
    }

    fn count(&self) {
        self.found.set(self.found.get() + 1);
    }
}

impl ReadScope {
    /// A scope in which misses are recorded in `probe`, and `reader`, which is no search, reads what
    /// came so far from `leases`.
    pub(crate) fn probe(
        probe: Arc<Probe>,
        leases: Vec<(u64, Arc<Lease>)>,
        reader: Reader,
    ) -> Arc<Self> {
        Self::new(leases, Mode::Probe { probe, reader }, None)
    }

    /// A scope in which a search reads from `leases` and records in `probe` what they miss.
    pub(crate) fn search_probe(
        probe: Arc<Probe>,
        leases: Vec<(u64, Arc<Lease>)>,
        late: Arc<LateReads>,
    ) -> Arc<Self> {
        Self::new(leases, Mode::SearchProbe { probe, late }, None)
    }

    /// A scope that reads from `leases` and counts what they miss in `late`.
    pub(crate) fn search(
        leases: Vec<(u64, Arc<Lease>)>,
        on_miss: OnMiss,
        late: Arc<LateReads>,
    ) -> Arc<Self> {
        Self::new(leases, Mode::Search { on_miss, late }, None)
    }

    fn new(mut leases: Vec<(u64, Arc<Lease>)>, mode: Mode, reads: Option<Arc<Reads>>) -> Arc<Self> {
        if leases.len() > FEW {
            leases.sort_unstable_by_key(|(split, _)| *split);
        }
        let leases = leases.into();
        Arc::new(Self {
            leases,
            mode,
            reads,
        })
    }

    /// The same scope, which records in `reads` what is read in it.
    pub(crate) fn recording(self: Arc<Self>, reads: Option<Arc<Reads>>) -> Arc<Self> {
        if reads.is_none() {
            return self;
        }
        match Arc::try_unwrap(self) {
            Ok(scope) => Arc::new(Self { reads, ..scope }),
            // It is shared only once somebody is in it.
            Err(scope) => scope,
        }
    }

    /// A scope with the same leases and for the same reader, in which misses are recorded in
    /// `probe`.
    pub(crate) fn probing(&self, probe: Arc<Probe>) -> Arc<Self> {
        let mode = match &self.mode {
            Mode::Probe { reader, .. } => Mode::Probe {
                probe,
                reader: *reader,
            },
            Mode::SearchProbe { late, .. } | Mode::Search { late, .. } => Mode::SearchProbe {
                probe,
                late: Arc::clone(late),
            },
        };
        Arc::new(Self {
            leases: Arc::clone(&self.leases),
            mode,
            reads: None,
        })
    }

    /// A scope of the same kind in which nothing is leased and no read recorded.
    pub(crate) fn without_leases(&self) -> Arc<Self> {
        Self::new(Vec::new(), self.mode.clone(), None)
    }

    /// Who reads in it.
    pub(super) fn reader(&self) -> Reader {
        match self.mode {
            Mode::Probe { reader, .. } => reader,
            Mode::SearchProbe { .. } | Mode::Search { .. } => Reader::Search,
        }
    }

    /// Takes note of a read on this thread, which is in the scope, that memory answered.
    pub(super) fn note_found(&self) {
        NOTED.with(Noted::count);
    }

    /// Counts the reads that were noted on one thread.
    fn count_found(&self, reads: u64) {
        match &self.mode {
            Mode::SearchProbe { late, .. } | Mode::Search { late, .. } => late.add_found(reads),
            Mode::Probe { .. } => {}
        }
    }

    /// How many splits it leases something of.
    pub(crate) fn leased_splits(&self) -> usize {
        self.leases.len()
    }

    /// The bytes of `range` of a split, when one leased extent holds all of them; the scope must be
    /// [one of a search](Self::is_warm).
    #[inline]
    pub(super) fn read_warm(&self, split: u64, range: &Range<u64>) -> Option<OwnedBytes> {
        let lease = self.lease(split)?;
        let last = NOTED.with(|noted| noted.extent.get());
        match lease.read_at(last, range, Reader::Search) {
            Some(bytes) => {
                NOTED.with(Noted::count);
                Some(bytes)
            }
            None => Self::read_elsewhere(lease, range),
        }
    }

    /// The same, of an extent that this thread did not read last.
    #[cold]
    fn read_elsewhere(lease: &Lease, range: &Range<u64>) -> Option<OwnedBytes> {
        let at = lease.holder(range)?;
        NOTED.with(|noted| noted.extent.set(at));
        NOTED.with(Noted::count);
        lease.read_at(at, range, Reader::Search)
    }

    /// Whether this thread is in a scope where a search reads what was warmed for it, and nobody
    /// records what.
    #[inline]
    pub(crate) fn is_warm() -> bool {
        NOTED.with(|noted| noted.is_warm.get())
    }

    /// The bytes of `range` of a split, when its lease holds all of them: a read that memory answered.
    /// This thread must be in the scope.
    pub(super) fn read_leased(&self, split: u64, range: &Range<u64>) -> Option<OwnedBytes> {
        let bytes = self.lease(split)?.read(range, self.reader())?;
        NOTED.with(Noted::count);
        Some(bytes)
    }

    /// What is leased of a split.
    #[inline]
    fn lease(&self, split: u64) -> Option<&Lease> {
        // Nothing more is done within reach of the thread's own, so that the compiler writes it here.
        let last = NOTED.with(|noted| noted.lease.get());
        match self.leases.get(last) {
            Some((id, lease)) if *id == split => Some(lease),
            _ => self.other_lease(split),
        }
    }

    /// What is leased of a split that this thread did not read last.
    #[cold]
    fn other_lease(&self, split: u64) -> Option<&Lease> {
        let at = self.find(split)?;
        NOTED.with(|noted| noted.lease.set(at));
        Some(&self.leases[at].1)
    }

    /// Which of the leases is of a split.
    fn find(&self, split: u64) -> Option<usize> {
        if self.leases.len() > FEW {
            let found = self.leases.binary_search_by_key(&split, |(id, _)| *id);
            return found.ok();
        }
        self.leases.iter().position(|(id, _)| *id == split)
    }

    /// Runs `work` on this thread inside the scope.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        /// What was noted in the scope that the thread was in before.
        struct Leave<'a> {
            scope: &'a ReadScope,
            found: u64,
            is_warm: bool,
        }
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                let found = NOTED.with(|noted| {
                    noted.is_warm.set(self.is_warm);
                    noted.found.replace(self.found)
                });
                if found > 0 {
                    self.scope.count_found(found);
                }
            }
        }
        let is_warm = matches!(self.mode, Mode::Search { .. }) && self.reads.is_none();
        let _leave = NOTED.with(|noted| Leave {
            scope: self,
            found: noted.found.replace(0),
            is_warm: noted.is_warm.replace(is_warm),
        });
        SCOPE.set(self, work)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn search() -> (Arc<ReadScope>, Arc<LateReads>) {
        let late = Arc::<LateReads>::default();
        let scope = ReadScope::search(Vec::new(), OnMiss::Fail, Arc::clone(&late));
        (scope, late)
    }

    fn is_in(scope: &ReadScope) -> bool {
        SCOPE.is_set() && SCOPE.with(|current| std::ptr::eq(current, scope))
    }

    #[test]
    fn a_scope_within_another_counts_for_itself_and_leaves_the_other_as_it_was() {
        let ((outer, outer_late), (inner, inner_late)) = (search(), search());
        outer.enter(|| {
            outer.note_found();
            inner.enter(|| {
                assert!(is_in(&inner));
                (0..3).for_each(|_| inner.note_found());
            });
            assert!(is_in(&outer));
            assert_eq!((outer_late.found(), inner_late.found()), (0, 3));
            outer.note_found();
        });
        assert!(!SCOPE.is_set());
        assert_eq!((outer_late.found(), inner_late.found()), (2, 3));
    }

    #[test]
    fn a_thread_is_warm_where_a_search_reads_that_nobody_records() {
        let (warm, _) = search();
        let (recorded, _) = search();
        let recorded = recorded.recording(Some(Arc::default()));
        let probe = warm.probing(Arc::default());
        assert!(!ReadScope::is_warm());
        warm.enter(|| {
            assert!(ReadScope::is_warm());
            for other in [&recorded, &probe] {
                other.enter(|| assert!(!ReadScope::is_warm()));
                assert!(ReadScope::is_warm());
            }
        });
        assert!(!ReadScope::is_warm());
    }

    #[test]
    fn a_panic_leaves_the_scope_and_what_was_found_counts() {
        let (scope, late) = search();
        let panicked = AssertUnwindSafe(|| {
            scope.enter(|| {
                scope.note_found();
                panic!("a reader");
            });
        });
        assert!(catch_unwind(panicked).is_err());
        assert!(!SCOPE.is_set());
        assert_eq!(late.found(), 1);
    }

    #[test]
    fn what_many_threads_find_adds_up() {
        let (scope, late) = search();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(7).build();
        pool.unwrap()
            .broadcast(|_| scope.enter(|| scope.note_found()));
        assert_eq!(late.found(), 7);
    }
}
