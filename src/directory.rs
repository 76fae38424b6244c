//! tantivy's directory over a split: hot bytes, then leased extents, then a read on demand.
//!
//! There is one read path. tantivy's readers are opened once for a split and shared by all
//! requests; what a read may do depends on the *scope* that the thread is in when it reads:
//!
//! - a **probe** records what is missing and answers with an error, so that tantivy's own readers
//!   tell what they need, and the recorded ranges are fetched together;
//! - a **search** reads from the leases of its warmups, then from whatever the cache holds, then
//!   as [`OnMiss`] says: from the store, blocking this thread only and counted as a late read, or
//!   not at all.
//!
//! A thread is in at most one scope. A read outside of any is served from memory or refused: it
//! could block a thread of an async runtime.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};

use crate::cache::{Lease, SplitExtents};
use crate::error::{Error, ErrorKind, Result};
use crate::split::{FileGuard, HotBytes, HotFile};
use crate::store::{Traffic, TrafficCounter, normalise};

/// What a search does when it reads bytes that were not warmed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnMiss {
    /// Fail the search with [`ErrorKind::LateRead`], naming file and range: strict mode.
    Fail,
    /// Read from the store, blocking the search thread, and count a late read.
    #[default]
    Fetch,
}

/// The files of one split, as tantivy's readers see them.
pub(crate) struct SplitFiles {
    files: BTreeMap<String, Range<u64>>,
    hot: HotBytes,
    extents: Arc<SplitExtents>,
    /// What is checked when it is read, known once the split's segments were checked.
    guards: OnceLock<HashMap<String, Arc<FileGuard>>>,
}

impl SplitFiles {
    pub(crate) fn new(
        files: BTreeMap<String, Range<u64>>,
        hot: HotBytes,
        extents: Arc<SplitExtents>,
    ) -> Self {
        Self {
            files,
            hot,
            extents,
            guards: OnceLock::new(),
        }
    }

    /// From now on, files that are opened check what is read from them.
    pub(crate) fn guard(&self, guards: Vec<(String, FileGuard)>) {
        let guards = guards.into_iter();
        // Opening goes round by round; each time the same is to be checked.
        let _ = self
            .guards
            .set(guards.map(|(name, guard)| (name, guard.into())).collect());
    }

    pub(crate) fn extents(&self) -> &Arc<SplitExtents> {
        &self.extents
    }

    pub(crate) fn hot(&self) -> &HotBytes {
        &self.hot
    }

    /// Where each file lies in the object.
    pub(crate) fn ranges(&self) -> &BTreeMap<String, Range<u64>> {
        &self.files
    }
}

/// The missing ranges that a probe came upon.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    misses: Mutex<Misses>,
    /// While set, what is read is data whose bytes are not needed to go on.
    data: AtomicBool,
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
    pub(crate) fn take(&self) -> Misses {
        std::mem::take(&mut *self.misses.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self, range: Range<u64>) {
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

    fn listed(&self) -> std::sync::MutexGuard<'_, Option<Vec<Range<u64>>>> {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        let misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.index.len() + misses.data.len()
    }
}

/// What a search read that was not warmed.
#[derive(Debug, Default)]
pub(crate) struct LateReads {
    count: AtomicU64,
    traffic: TrafficCounter,
    /// Reads of one thread wait for each other; those of two threads do not.
    by_thread: Mutex<HashMap<ThreadId, u64>>,
    failure: OnceLock<Error>,
    /// What was read, by split, up to [`MAX_LATE_RANGES`]: the next warmup can bring it.
    ranges: Mutex<Vec<(u64, Range<u64>)>>,
}

/// How many late reads of one search are noted.
const MAX_LATE_RANGES: usize = 65_536;

impl LateReads {
    fn note(&self, split: u64, range: &Range<u64>) {
        let mut ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        if ranges.len() < MAX_LATE_RANGES {
            ranges.push((split, range.clone()));
        }
    }

    /// What was read late of a split.
    pub(crate) fn ranges(&self, split: u64) -> Vec<Range<u64>> {
        let ranges = self.ranges.lock().unwrap_or_else(PoisonError::into_inner);
        let of_split = ranges.iter().filter(|(of, _)| *of == split);
        of_split.map(|(_, range)| range.clone()).collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let by_thread = self
            .by_thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Traffic {
            rounds: by_thread.values().copied().max().unwrap_or(0),
            ..self.traffic.snapshot()
        }
    }

    /// The first late read that failed or was refused.
    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }
}

/// What was really read of splits, beyond their hot bytes.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<HashMap<u64, Vec<Range<u64>>>>);

impl Reads {
    fn record(&self, split: u64, range: &Range<u64>) {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reads.entry(split).or_default().push(range.clone());
    }

    /// Different bytes that were read.
    pub(crate) fn bytes(&self) -> u64 {
        let reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_split = |ranges: &Vec<Range<u64>>| -> u64 {
            let ranges = normalise(ranges.clone());
            ranges.iter().map(|range| range.end - range.start).sum()
        };
        reads.values().map(of_split).sum()
    }
}

enum Mode {
    Probe(Arc<Probe>),
    Search {
        on_miss: OnMiss,
        late: Arc<LateReads>,
    },
}

/// What reads of a thread may do: see the [module](self).
pub(crate) struct ReadScope {
    /// By split: a search over many splits reads statistics of all of them.
    /// Sorted: it is searched for every read, and hashing would cost more.
    leases: Box<[(u64, Arc<Lease>)]>,
    mode: Mode,
    /// Where reads are recorded, when anybody wants to know.
    reads: Option<Arc<Reads>>,
}

thread_local! {
    static SCOPE: RefCell<Option<Arc<ReadScope>>> = const { RefCell::new(None) };
}

impl ReadScope {
    /// A scope in which misses are recorded in `probe`; `lease` holds what came so far.
    pub(crate) fn probe(probe: Arc<Probe>, leases: Vec<(u64, Arc<Lease>)>) -> Arc<Self> {
        Self::new(leases, Mode::Probe(probe), None)
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

    /// What is leased of a split.
    fn lease(&self, split: u64) -> Option<&Lease> {
        let at = self
            .leases
            .binary_search_by_key(&split, |(split, _)| *split);
        at.ok().map(|at| &*self.leases[at].1)
    }

    /// Runs `work` on this thread inside the scope.
    pub(crate) fn enter<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        struct Leave(Option<Arc<ReadScope>>);
        impl Drop for Leave {
            fn drop(&mut self) {
                SCOPE.set(self.0.take());
            }
        }
        let _leave = Leave(SCOPE.replace(Some(Arc::clone(self))));
        work()
    }

    /// Runs `work`, whose reads are of data that it need not see: in a probe, a miss of it does
    /// not keep other needs from going on. Answers whether nothing was missing.
    pub(crate) fn as_data(probe: &Probe, work: impl FnOnce()) -> bool {
        /// A reader that panics must not leave what others read marked as data.
        struct Marked<'a>(&'a AtomicBool);
        impl Drop for Marked<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        let before = probe.len();
        probe.data.store(true, Ordering::Relaxed);
        let marked = Marked(&probe.data);
        work();
        drop(marked);
        probe.len() == before
    }
}

/// The directory tantivy reads a split through. Read only.
#[derive(Clone)]
pub(crate) struct SplitDirectory(Arc<SplitFiles>);

impl SplitDirectory {
    pub(crate) fn new(files: Arc<SplitFiles>) -> Self {
        Self(files)
    }

    fn file(&self, path: &Path) -> Option<SplitFile> {
        let name = path.to_str()?;
        let range = self.0.files.get(name)?.clone();
        let guards = self.0.guards.get();
        Some(SplitFile {
            guard: guards.and_then(|guards| guards.get(name)).cloned(),
            hot: self.0.hot.file(name).cloned().unwrap_or_default(),
            split: Arc::clone(&self.0),
            name: name.into(),
            range,
        })
    }
}

impl fmt::Debug for SplitDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SplitDirectory({})", self.0.extents.object())
    }
}

fn read_only(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("splits are immutable: {} cannot be written", path.display()),
    )
}

impl Directory for SplitDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self
            .file(path)
            .ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_path_buf()))?;
        Ok(Arc::new(file))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError {
            io_error: Arc::new(read_only(path)),
            filepath: path.to_path_buf(),
        })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(path
            .to_str()
            .is_some_and(|name| self.0.files.contains_key(name)))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::IoError {
            io_error: Arc::new(read_only(path)),
            filepath: path.to_path_buf(),
        })
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let file = self
            .file(path)
            .ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_path_buf()))?;
        let bytes = file
            .read_bytes(0..file.len())
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_path_buf()))?;
        Ok(bytes.to_vec())
    }

    fn atomic_write(&self, path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only(path))
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        // Nobody writes, so nobody has to be kept out.
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

/// One file inside a split.
struct SplitFile {
    split: Arc<SplitFiles>,
    hot: Arc<HotFile>,
    guard: Option<Arc<FileGuard>>,
    name: Box<str>,
    range: Range<u64>,
}

impl fmt::Debug for SplitFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.split.extents.object(), self.name)
    }
}

impl HasLen for SplitFile {
    fn len(&self) -> usize {
        // Files lie inside an object whose footer was read, and lengths were checked then.
        (self.range.end - self.range.start) as usize
    }
}

#[async_trait]
impl FileHandle for SplitFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let bytes = self.read_unguarded(range.clone())?;
        if let Some(guard) = &self.guard {
            guard.check(&range, &bytes).map_err(|detail| {
                let place = format!("{self:?}: bytes {range:?}: {detail}");
                io::Error::new(io::ErrorKind::InvalidData, Error::corrupt(place))
            })?;
        }
        Ok(bytes)
    }

    async fn read_bytes_async(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        self.read_bytes(range)
    }
}

impl SplitFile {
    fn read_unguarded(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if let Some(bytes) = self.hot.read(range.clone()) {
            return Ok(bytes);
        }
        if range.start > range.end || range.end > self.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                Error::corrupt(format!(
                    "{self:?}: a reader asked for bytes {range:?} of a file of {} bytes",
                    self.len()
                )),
            ));
        }
        let at = self.range.start + range.start as u64..self.range.start + range.end as u64;
        if at.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        SCOPE.with_borrow(|scope| match scope {
            Some(scope) => self.read_in(scope, at),
            None => self.read_unscoped(at),
        })
    }

    fn read_in(&self, scope: &ReadScope, range: Range<u64>) -> io::Result<OwnedBytes> {
        let extents = &self.split.extents;
        if let Some(reads) = &scope.reads {
            reads.record(extents.id(), &range);
        }
        if let Some(bytes) = scope
            .lease(extents.id())
            .and_then(|lease| lease.read(&range))
        {
            return Ok(bytes);
        }
        match &scope.mode {
            Mode::Probe(probe) => {
                if let Some(listed) = probe.listed().as_mut() {
                    let len = (range.end - range.start) as usize;
                    listed.push(range);
                    return Ok(OwnedBytes::new(vec![0; len]));
                }
                probe.record(range);
                Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "not in memory yet",
                ))
            }
            Mode::Search { on_miss, late } => {
                // In memory though not leased: no I/O, so not late.
                if let Some(extent) = extents.lookup(&range) {
                    return Ok(extent.slice(&range));
                }
                late.count.fetch_add(1, Ordering::Relaxed);
                late.note(extents.id(), &range);
                metrics::counter!("forewarm_late_reads_total").increment(1);
                tracing::debug!(file = ?self, ?range, "late read");
                let read = match on_miss {
                    OnMiss::Fail => Err(Error::new(
                        ErrorKind::LateRead,
                        format!(
                            "{self:?}: bytes {:?} were not warmed",
                            range.start - self.range.start..range.end - self.range.start
                        ),
                    )),
                    OnMiss::Fetch => self.fetch(range, late),
                };
                read.map_err(|error| {
                    let _ = late.failure.set(error.clone());
                    io::Error::other(error)
                })
            }
        }
    }

    fn read_unscoped(&self, range: Range<u64>) -> io::Result<OwnedBytes> {
        match self.split.extents.lookup(&range) {
            Some(extent) => Ok(extent.slice(&range)),
            None => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                Error::new(
                    ErrorKind::LateRead,
                    format!("{self:?} was read outside of a search: use `Warmer::search_with`"),
                ),
            )),
        }
    }

    /// Reads from the store and waits for it on this thread, which belongs to the search pool.
    fn fetch(&self, range: Range<u64>, late: &LateReads) -> Result<OwnedBytes> {
        {
            let mut by_thread = late
                .by_thread
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *by_thread.entry(std::thread::current().id()).or_default() += 1;
        }
        let extents = Arc::clone(&self.split.extents);
        let traffic = late.traffic.clone();
        let wanted = range.clone();
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let deadline = extents.patience();
        extents.runtime().clone().spawn(async move {
            let _ = send.send(extents.read(wanted, &traffic).await);
        });
        // The fetch has its own deadline; this one is for a runtime that makes no progress.
        receive
            .recv_timeout(deadline.saturating_add(Duration::from_secs(5)))
            .map_err(|error| {
                let kind = match error {
                    RecvTimeoutError::Disconnected => ErrorKind::Cancelled,
                    RecvTimeoutError::Timeout => ErrorKind::Timeout,
                };
                let message =
                    format!("{self:?}: a read of {range:?} got no answer from its runtime");
                Error::new(kind, message)
            })?
    }
}
