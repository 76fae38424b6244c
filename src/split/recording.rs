//! Two read-only directories: one over a folder, one that notes what is read of another.
//!
//! Opening an index over the second tells which bytes opening touches; no knowledge of tantivy's
//! formats is needed for that, and none can grow stale.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, FileSlice, Lock, OwnedBytes, WatchCallback, WatchHandle,
    WritePtr,
};

type Log = Arc<Mutex<BTreeMap<String, Vec<Range<usize>>>>>;

/// A directory that notes the ranges read of each file, and shows its own `overlay` in place of
/// some files. Nothing can be written through it.
#[derive(Clone)]
pub(crate) struct RecordingDirectory {
    inner: Box<dyn Directory>,
    overlay: Arc<BTreeMap<String, Vec<u8>>>,
    log: Log,
}

#[derive(Debug)]
struct RecordingHandle {
    name: String,
    slice: FileSlice,
    log: Log,
}

/// A folder of the file system, read with positioned reads. tantivy's own needs its feature
/// `mmap`, which a library that never maps files has no reason to turn on.
#[derive(Clone, Debug)]
pub(crate) struct FolderDirectory {
    root: PathBuf,
}

impl RecordingDirectory {
    pub(crate) fn new(inner: Box<dyn Directory>, overlay: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            inner,
            overlay: Arc::new(overlay),
            log: Log::default(),
        }
    }

    /// What has been read of each file by now, in the order it was read.
    pub(crate) fn recorded(&self) -> BTreeMap<String, Vec<Range<usize>>> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, name: &str, range: Range<usize>) {
        note(&self.log, name, range);
    }
}

fn note(log: &Log, name: &str, range: Range<usize>) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.entry(name.to_owned()).or_default().push(range);
}

impl fmt::Debug for RecordingDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingDirectory")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl HasLen for RecordingHandle {
    fn len(&self) -> usize {
        self.slice.len()
    }
}

impl FileHandle for RecordingHandle {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.slice.len() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "{}: {range:?} leaves its {} bytes",
                    self.name,
                    self.slice.len()
                ),
            ));
        }
        // Some handles refuse to read nothing.
        if range.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        note(&self.log, &self.name, range.clone());
        self.slice.read_bytes_slice(range)
    }
}

impl Directory for RecordingDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(RecordingHandle {
            name: path.to_string_lossy().into_owned(),
            slice: self.inner.open_read(path)?,
            log: Arc::clone(&self.log),
        }))
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        let name = path.to_string_lossy();
        Ok(self.overlay.contains_key(name.as_ref()) || self.inner.exists(path)?)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let name = path.to_string_lossy();
        let bytes = match self.overlay.get(name.as_ref()) {
            Some(bytes) => bytes.clone(),
            None => self.inner.atomic_read(path)?,
        };
        self.note(&name, 0..bytes.len());
        Ok(bytes)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError {
            io_error: Arc::new(read_only()),
            filepath: path.to_owned(),
        })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only())
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

impl FolderDirectory {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn open_error(path: &Path, error: io::Error) -> OpenReadError {
        if error.kind() == io::ErrorKind::NotFound {
            OpenReadError::FileDoesNotExist(path.to_owned())
        } else {
            OpenReadError::wrap_io_error(error, path.to_owned())
        }
    }
}

impl Directory for FolderDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let slice = FileSlice::open(&self.root.join(path))
            .map_err(|error| Self::open_error(path, error))?;
        Ok(Arc::new(slice))
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.root
            .join(path)
            .try_exists()
            .map_err(|error| Self::open_error(path, error))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        std::fs::read(self.root.join(path)).map_err(|error| Self::open_error(path, error))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError {
            io_error: Arc::new(read_only()),
            filepath: path.to_owned(),
        })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only())
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

fn read_only() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "the directory is only read",
    )
}
