use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use rand::Rng;

use super::HotSetStore;
use crate::error::{Error, ErrorKind, Result};
use crate::staged;

/// A hot set in a local file of its own, for one process.
///
/// It appears whole or not at all, whenever the process or the machine stops: staged beside it,
/// flushed, renamed, and the folder flushed.
///
/// ```
/// use forewarm::{HotSetFile, Manager, Warmer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let store = std::sync::Arc::new(object_store::memory::InMemory::new());
/// let file = HotSetFile::new(folder.path().join("hot-set"))?;
/// let manager = Manager::builder(Warmer::builder(store).build()?)
///     .hot_set(file)
///     .build()?;
/// manager.start();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HotSetFile {
    folder: PathBuf,
    name: String,
    /// Held while a thread writes: a write that nobody waits for any more ends before the next.
    writing: Arc<Mutex<()>>,
}

impl HotSetFile {
    /// A hot set in the file `path`, whose folder is made with the first write.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the path ends in no file name, or in one that is not UTF-8.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            let message = format!("{} names no file for a hot set", path.display());
            return Err(Error::invalid(message));
        };
        Ok(Self {
            name: name.to_owned(),
            writing: Arc::default(),
            folder: match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
                _ => PathBuf::from("."),
            },
        })
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// Runs on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = self.clone();
        let path = self.path();
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        let done = done.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        done.map_err(|error| {
            let message = format!("{} cannot be {what}", path.display());
            Error::with_source(ErrorKind::Store, message, error)
        })
    }
}

/// # Cancel safety
///
/// What a thread has begun to write is written; the file is whole.
#[async_trait]
impl HotSetStore for HotSetFile {
    async fn read(&self, limit: u64) -> Result<Option<Bytes>> {
        self.run("read", move |file| read(&file.path(), limit))
            .await
    }

    async fn write(&self, bytes: Bytes) -> Result<()> {
        let write = move |file: &Self| {
            let Self {
                folder,
                name,
                writing,
            } = file;
            let _writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
            let random: u64 = rand::rng().random();
            staged::write(folder, name, &format!("{random:016x}-{name}"), &bytes)?;
            staged::tidy(folder, |staged| is_staged(staged, name));
            Ok(())
        };
        self.run("written", write).await
    }
}

fn read(path: &Path, limit: u64) -> io::Result<Option<Bytes>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(bytes.into()))
}

/// Whether a staged file was to be `name`: a random number stands before it.
fn is_staged(staged: &str, name: &str) -> bool {
    let random = staged
        .strip_suffix(name)
        .and_then(|it| it.strip_suffix('-'));
    random.is_some_and(|it| it.len() == 16 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
