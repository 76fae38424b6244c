use std::cell::{Cell, RefCell};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

/// What reads of a thread may do: see the [module](self).
pub(crate) struct ReadScope {
    /// By split: a search over many splits reads statistics of all of them.
    /// Sorted: it is searched for every read, and hashing would cost more.
    leases: Arc<[(u64, Arc<Lease>)]>,
    pub(super) mode: Mode,
    /// Where reads are recorded, when anybody wants to know.
    pub(super) reads: Option<Arc<Reads>>,
}

thread_local! {
    pub(super) static SCOPE: RefCell<Option<Arc<ReadScope>>> = const { RefCell::new(None) };
    /// Reads in the thread's scope that memory answered, until it is left: counted where nobody
    /// else counts.
    static FOUND: Cell<u64> = const { Cell::new(0) };
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
        leases.sort_by_key(|(split, _)| *split);
        let leases = leases.into();
        Arc::new(Self {
            leases,
            mode,
            reads,
        })
    }

    /// The same scope, which records in `reads` what is read in it.
    pub(crate) fn recording(self: Arc<Self>, reads: Option<Arc<Reads>>) -> Arc<Self> {
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
        FOUND.set(FOUND.get() + 1);
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

    /// What is leased of a split.
    pub(super) fn lease(&self, split: u64) -> Option<&Lease> {
        let at = self
            .leases
            .binary_search_by_key(&split, |(split, _)| *split);
        at.ok().map(|at| &*self.leases[at].1)
    }

    /// Runs `work` on this thread inside the scope.
    pub(crate) fn enter<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        /// The scope that the thread was in before, and what was noted there.
        struct Leave(Option<Arc<ReadScope>>, u64);
        impl Drop for Leave {
            fn drop(&mut self) {
                let left = SCOPE.replace(self.0.take());
                let found = FOUND.replace(self.1);
                if let Some(left) = left.filter(|_| found > 0) {
                    left.count_found(found);
                }
            }
        }
        let outer = SCOPE.replace(Some(Arc::clone(self)));
        let _leave = Leave(outer, FOUND.replace(0));
        work()
    }
}
