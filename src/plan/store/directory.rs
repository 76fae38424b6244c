//! Packs in a local directory.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind as IoErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;

use super::PlanStore;
use super::batch::PlanBatch;
use super::log::{PackLog, off_thread};
use super::packs::{Listed, PackName, Packs};
use super::settings::PlanStoreSettings;
use crate::error::{Error, ErrorKind, Result};
use crate::staged;

/// Plans in a local directory, for one process or several on one machine.
///
/// A pack appears whole or not at all, whenever the process or the machine stops. Files that are
/// not packs are left alone.
///
/// ```
/// use std::sync::Arc;
///
/// use forewarm::{DirectoryPlans, PlanStore, Warmer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let store = Arc::new(object_store::memory::InMemory::new());
/// let plans = Arc::new(DirectoryPlans::new(folder.path().join("plans")));
/// assert!(plans.load().await?.is_empty());
/// let warmer = Warmer::builder(store).plan_store(plans).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DirectoryPlans(PackLog<Directory>);

impl DirectoryPlans {
    /// Plans in the directory `path`, which is made with the first save. It should be one of its
    /// own.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(PackLog::new(Directory(path.into())))
    }

    /// Sets the settings; default is [`PlanStoreSettings::default`].
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong.
    pub fn with_settings(mut self, settings: PlanStoreSettings) -> Result<Self> {
        self.0.set_settings(settings)?;
        Ok(self)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0.packs().0
    }

    #[cfg(test)]
    pub(super) fn log(&mut self) -> &mut PackLog<impl Packs + use<>> {
        &mut self.0
    }
}

/// # Cancel safety
///
/// What a thread has begun to write is written; packs are whole.
#[async_trait]
impl PlanStore for DirectoryPlans {
    async fn load(&self) -> Result<PlanBatch> {
        self.0.load().await
    }

    async fn save(&self, batch: PlanBatch) -> Result<()> {
        self.0.save(batch).await
    }

    fn settings(&self) -> PlanStoreSettings {
        self.0.settings().clone()
    }
}

#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    /// Runs on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let path = self.0.clone();
        off_thread(move || {
            work(&path).map_err(|error| {
                let message = format!("{} cannot be {what}", path.display());
                Error::with_source(ErrorKind::Store, message, error)
            })
        })
        .await
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[async_trait]
impl Packs for Directory {
    async fn list(&self) -> Result<Vec<Listed>> {
        self.run("listed", list).await
    }

    async fn read(&self, pack: &Listed) -> Result<Option<Bytes>> {
        let pack = *pack;
        let read = move |folder: &Path| {
            let file = match File::open(folder.join(pack.name.to_string())) {
                Ok(file) => file,
                Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            let mut bytes = Vec::new();
            file.take(pack.size).read_to_end(&mut bytes)?;
            Ok(Some(bytes.into()))
        };
        self.run("read", read).await
    }

    async fn write(&self, name: PackName, bytes: Bytes) -> Result<()> {
        self.run("written", move |folder| write(folder, name, &bytes))
            .await
    }

    async fn remove(&self, name: PackName) -> Result<()> {
        let remove = move |folder: &Path| match fs::remove_file(folder.join(name.to_string())) {
            Err(error) if error.kind() != IoErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        self.run("tidied", remove).await
    }
}

fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut packs = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(PackName::parse) else {
            continue;
        };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Merged meanwhile.
            Err(error) if error.kind() == IoErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_file() {
            let since = metadata.modified()?.duration_since(UNIX_EPOCH);
            packs.push(Listed {
                name,
                size: metadata.len(),
                modified: since.unwrap_or_default().as_secs(),
            });
        }
    }
    Ok(packs)
}

fn write(folder: &Path, name: PackName, bytes: &[u8]) -> io::Result<()> {
    let name = name.to_string();
    staged::write(folder, &name, &name, bytes)?;
    staged::tidy(folder, |name| PackName::parse(name).is_some());
    Ok(())
}
