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

/// What reads of a thread may do: see the [module](self).
pub(crate) struct ReadScope {
    /// By split: a search over many splits reads statistics of all of them.
    /// Sorted: it is searched for every read, and hashing would cost more.
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
}

impl Noted {
    const fn new() -> Self {
        Self {
            found: Cell::new(0),
            lease: Cell::new(0),
        }
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
        NOTED.with(|noted| noted.found.set(noted.found.get() + 1));
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

    /// Whether a search reads in it, and nobody records what.
    #[inline]
    pub(super) fn is_plain_search(&self) -> bool {
        matches!(self.mode, Mode::Search { .. }) && self.reads.is_none()
    }

    /// The bytes of `range` of a split, when a lease holds all of them: a read that memory answered.
    /// This thread must be in the scope.
    #[inline]
    pub(super) fn read_leased(&self, split: u64, range: &Range<u64>) -> Option<OwnedBytes> {
        NOTED.with(|noted| {
            let at = match self.leases.get(noted.lease.get()) {
                Some((last, _)) if *last == split => noted.lease.get(),
                _ => self
                    .leases
                    .binary_search_by_key(&split, |(id, _)| *id)
                    .ok()?,
            };
            noted.lease.set(at);
            let bytes = self.leases[at].1.read(range, self.reader())?;
            noted.found.set(noted.found.get() + 1);
            Some(bytes)
        })
    }

    /// Runs `work` on this thread inside the scope.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        /// What was noted in the scope that the thread was in before.
        struct Leave<'a>(&'a ReadScope, u64);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                let found = NOTED.with(|noted| noted.found.replace(self.1));
                if found > 0 {
                    self.0.count_found(found);
                }
            }
        }
        let _leave = Leave(self, NOTED.with(|noted| noted.found.replace(0)));
        SCOPE.set(self, work)
    }
}
