use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tantivy::HasLen;
use tantivy::directory::{FileHandle, OwnedBytes};

use super::scope::{Mode, SCOPE};
use super::{LateReads, OnMiss, ReadScope};
use crate::cache::{Reader, SplitExtents};
use crate::error::{Error, ErrorKind, Result};
use crate::split::{FileGuard, HotBytes, HotFile};
use crate::telemetry::list;

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

/// One file inside a split.
pub(super) struct SplitFile {
    split: Arc<SplitFiles>,
    /// The split's.
    id: u64,
    hot: Arc<HotFile>,
    guard: Option<Arc<FileGuard>>,
    name: Box<str>,
    range: Range<u64>,
}

impl SplitFile {
    /// The file of that name, if the split has it.
    pub(super) fn open(split: &Arc<SplitFiles>, name: &str) -> Option<Self> {
        let range = split.files.get(name)?.clone();
        let guards = split.guards.get();
        Some(Self {
            guard: guards.and_then(|guards| guards.get(name)).cloned(),
            hot: split.hot.file(name).cloned().unwrap_or_default(),
            id: split.extents.id(),
            split: Arc::clone(split),
            name: name.into(),
            range,
        })
    }
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
        // What is hot is always read there: that copy was checked when the split was opened.
        match self.hot.read(&range).or_else(|| self.read_warm(&range)) {
            Some(bytes) if self.guard.is_none() => Ok(bytes),
            found => self.read_guarded(found, range),
        }
    }

    async fn read_bytes_async(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        self.read_bytes(range)
    }
}

impl SplitFile {
    /// What a search reads of what was warmed for it, when one extent holds all of it: nearly all of
    /// its reads, of which a pattern makes tens of thousands, of a few bytes each.
    #[inline]
    fn read_warm(&self, range: &Range<usize>) -> Option<OwnedBytes> {
        if !ReadScope::is_warm() || range.start >= range.end || range.end > self.len() {
            return None;
        }
        let at = self.range.start + range.start as u64..self.range.start + range.end as u64;
        SCOPE.with(|scope| scope.read_warm(self.id, &at))
    }

    /// Checks what was read, if it was.
    fn read_guarded(
        &self,
        found: Option<OwnedBytes>,
        range: Range<usize>,
    ) -> io::Result<OwnedBytes> {
        let bytes = match found {
            Some(bytes) => bytes,
            None => self.read_unguarded(range.clone())?,
        };
        if let Some(guard) = &self.guard {
            guard.check(&range, &bytes).map_err(|detail| {
                let place = format!("{self:?}: bytes {range:?}: {detail}");
                io::Error::new(io::ErrorKind::InvalidData, Error::corrupt(place))
            })?;
        }
        Ok(bytes)
    }

    /// Probes, recorded searches, ranges that several extents hold, and what is missing.
    #[cold]
    fn read_unguarded(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
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
        match SCOPE.is_set() {
            true => SCOPE.with(|scope| self.read_in(scope, at)),
            false => self.read_unscoped(at),
        }
    }

    fn read_in(&self, scope: &ReadScope, range: Range<u64>) -> io::Result<OwnedBytes> {
        if let Some(reads) = &scope.reads {
            reads.record(self.id, &range);
        }
        let is_shown = match &scope.mode {
            Mode::Probe { probe, .. } => probe.shows(&range),
            Mode::SearchProbe { .. } | Mode::Search { .. } => true,
        };
        if is_shown && let Some(bytes) = scope.read_leased(self.id, &range) {
            return Ok(bytes);
        }
        self.read_missing(scope, range)
    }

    /// Reads what is not leased.
    #[cold]
    fn read_missing(&self, scope: &ReadScope, range: Range<u64>) -> io::Result<OwnedBytes> {
        let (extents, reader) = (&self.split.extents, scope.reader());
        match &scope.mode {
            Mode::Probe { probe, .. } | Mode::SearchProbe { probe, .. } => {
                if probe.reads_cache()
                    && let Some(extent) = extents.recall(&range)
                {
                    scope.note_found();
                    return Ok(extent.read(&range, reader));
                }
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
                    scope.note_found();
                    return Ok(extent.read(&range, reader));
                }
                late.note(extents.id(), &range);
                list::LATE_READS.add(1);
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
                    late.fail(&error);
                    io::Error::other(error)
                })
            }
        }
    }

    fn read_unscoped(&self, range: Range<u64>) -> io::Result<OwnedBytes> {
        match self.split.extents.lookup(&range) {
            Some(extent) => Ok(extent.read(&range, Reader::Other)),
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
        let extents = Arc::clone(&self.split.extents);
        let traffic = late.begin_fetch();
        let wanted = range.clone();
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let deadline = extents.patience();
        extents.runtime().clone().spawn(async move {
            let _ = send.send(extents.read(wanted, Reader::Search, &traffic).await);
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
