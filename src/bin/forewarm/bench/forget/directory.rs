//! A directory of tantivy over the files of a split, with two caches: one of its hot bytes, which
//! stays, and one of a query, without a bound, which does not.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};
use tokio::runtime::Handle;

/// Runs of bytes of one object, found by any range inside one of them.
#[derive(Debug, Default)]
pub(super) struct Runs(Mutex<BTreeMap<u64, OwnedBytes>>);

impl Runs {
    fn find(&self, range: &Range<u64>) -> Option<OwnedBytes> {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = runs.range(..=range.start).rev();
        let (start, run) = before.find(|(start, run)| **start + run.len() as u64 >= range.end)?;
        let from = (range.start - start) as usize;
        Some(run.slice(from..from + (range.end - range.start) as usize))
    }

    pub(super) fn add(&self, start: u64, bytes: OwnedBytes) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let longer = runs.get(&start).is_some_and(|run| run.len() >= bytes.len());
        if !longer {
            runs.insert(start, bytes);
        }
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> u64 {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.values().map(|run| run.len() as u64).sum()
    }
}

/// The files of one split as one query sees them.
#[derive(Clone)]
pub(super) struct Files {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) path: Path,
    pub(super) ranges: Arc<HashMap<String, Range<u64>>>,
    pub(super) hot: Arc<Runs>,
    pub(super) query: Arc<Runs>,
    pub(super) late: Arc<AtomicU64>,
    pub(super) runtime: Handle,
}

impl Files {
    async fn fetch(&self, range: Range<u64>) -> io::Result<OwnedBytes> {
        let bytes = self.store.get_range(&self.path, range).await;
        Ok(OwnedBytes::new(Vec::from(bytes.map_err(io::Error::other)?)))
    }

    fn file(&self, path: &FilePath) -> Option<SplitFile> {
        let range = self.ranges.get(path.to_str()?)?.clone();
        Some(SplitFile {
            files: self.clone(),
            range,
        })
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.path)
    }
}

/// One file inside a split.
#[derive(Debug)]
struct SplitFile {
    files: Files,
    range: Range<u64>,
}

impl SplitFile {
    fn place(&self, range: &Range<usize>) -> Range<u64> {
        self.range.start + range.start as u64..self.range.start + range.end as u64
    }

    fn find(&self, range: &Range<u64>) -> Option<OwnedBytes> {
        if range.is_empty() {
            return Some(OwnedBytes::empty());
        }
        let files = &self.files;
        files.hot.find(range).or_else(|| files.query.find(range))
    }
}

impl HasLen for SplitFile {
    fn len(&self) -> usize {
        (self.range.end - self.range.start) as usize
    }
}

#[async_trait]
impl FileHandle for SplitFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let range = self.place(&range);
        if let Some(bytes) = self.find(&range) {
            return Ok(bytes);
        }
        let files = self.files.clone();
        let start = range.start;
        // The threads that search are not the runtime's, so they may wait for it.
        let bytes = self.files.runtime.block_on(files.fetch(range))?;
        self.files.late.fetch_add(1, Ordering::Relaxed);
        self.files.query.add(start, bytes.clone());
        Ok(bytes)
    }

    async fn read_bytes_async(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let range = self.place(&range);
        if let Some(bytes) = self.find(&range) {
            return Ok(bytes);
        }
        let bytes = self.files.fetch(range.clone()).await?;
        self.files.query.add(range.start, bytes.clone());
        Ok(bytes)
    }
}

fn read_only(path: &FilePath) -> io::Error {
    let message = format!("splits are immutable: {} cannot be written", path.display());
    io::Error::new(io::ErrorKind::PermissionDenied, message)
}

impl Directory for Files {
    fn get_file_handle(&self, path: &FilePath) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self.file(path);
        let file = file.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_path_buf()))?;
        Ok(Arc::new(file))
    }

    fn delete(&self, path: &FilePath) -> Result<(), DeleteError> {
        Err(DeleteError::IoError {
            io_error: Arc::new(read_only(path)),
            filepath: path.to_path_buf(),
        })
    }

    fn exists(&self, path: &FilePath) -> Result<bool, OpenReadError> {
        Ok(self.file(path).is_some())
    }

    fn open_write(&self, path: &FilePath) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::IoError {
            io_error: Arc::new(read_only(path)),
            filepath: path.to_path_buf(),
        })
    }

    fn atomic_read(&self, path: &FilePath) -> Result<Vec<u8>, OpenReadError> {
        let file = self.file(path);
        let file = file.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_path_buf()))?;
        let bytes = file
            .read_bytes(0..file.len())
            .map_err(|error| OpenReadError::wrap_io_error(error, path.to_path_buf()))?;
        Ok(bytes.to_vec())
    }

    fn atomic_write(&self, path: &FilePath, _data: &[u8]) -> io::Result<()> {
        Err(read_only(path))
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_found_inside_any_run() {
        let runs = Runs::default();
        runs.add(10, OwnedBytes::new((10..110).collect::<Vec<u8>>()));
        runs.add(50, OwnedBytes::new(vec![50, 51]));
        runs.add(10, OwnedBytes::new(vec![10]));
        assert_eq!(runs.find(&(50..52)).unwrap().as_slice(), [50, 51]);
        assert_eq!(runs.find(&(51..54)).unwrap().as_slice(), [51, 52, 53]);
        assert!(runs.find(&(5..12)).is_none());
        assert!(runs.find(&(100..111)).is_none());
        assert_eq!(runs.bytes(), 102);
    }
}
