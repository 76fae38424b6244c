//! Packs as objects under a prefix.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::PlanStore;
use super::batch::PlanBatch;
use super::log::PackLog;
use super::packs::{Listed, PackName, Packs};
use super::settings::PlanStoreSettings;
use crate::error::Result;
use crate::store::{get_whole, put_whole, send_one};

/// The folder beside splits.
const FOLDER: &str = "_plans";
/// The most packs that are listed: with compaction there are some dozens.
const MAX_LISTED: usize = 1 << 16;

/// Plans in an object store, for all nodes that search the same splits.
///
/// A node that comes up lists once and gets each pack, some at once. Nobody waits for anybody, and
/// nothing is replaced, so any store will do that lists what was written.
///
/// Who may write here decides what is searched: a plan or an absence that is not true hides hits.
/// Give the prefix the permissions of the splits.
///
/// ```
/// use std::sync::Arc;
///
/// use forewarm::{ObjectPlans, PlanStore};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(object_store::memory::InMemory::new());
/// let plans = ObjectPlans::beside(store, &"logs".into());
/// assert_eq!(plans.prefix().as_ref(), "logs/_plans");
/// assert!(plans.load().await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ObjectPlans(PackLog<Objects>);

impl ObjectPlans {
    /// Plans under `prefix` of `store`. It should be one of its own.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        Self(PackLog::new(Objects { store, prefix }))
    }

    /// Plans in the folder `_plans` under the prefix of splits.
    pub fn beside(store: Arc<dyn ObjectStore>, splits: &Path) -> Self {
        Self::new(store, splits.clone().join(FOLDER))
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

    /// Where they are.
    pub fn prefix(&self) -> &Path {
        &self.0.packs().prefix
    }

    #[cfg(test)]
    pub(super) fn log(&mut self) -> &mut PackLog<impl Packs + use<>> {
        &mut self.0
    }
}

/// # Cancel safety
///
/// Dropping a future may leave packs unmerged, never half-written.
#[async_trait]
impl PlanStore for ObjectPlans {
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

struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Objects {
    fn path(&self, name: PackName) -> Path {
        self.prefix.clone().join(name.to_string())
    }

    /// The pack at `path`, if it is one and directly under the prefix.
    fn name(&self, path: &Path) -> Option<PackName> {
        let mut parts = path.prefix_match(&self.prefix)?;
        let name = PackName::parse(parts.next()?.as_ref())?;
        parts.next().is_none().then_some(name)
    }
}

/// Without what stores show of their configuration.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("store", &self.store.to_string())
            .field("prefix", &self.prefix)
            .finish()
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.prefix)
    }
}

#[async_trait]
impl Packs for Objects {
    async fn list(&self) -> Result<Vec<Listed>> {
        let list = async {
            let mut packs = Vec::new();
            let mut objects = self.store.list(Some(&self.prefix));
            while let Some(object) = objects.try_next().await? {
                let Some(name) = self.name(&object.location) else {
                    continue;
                };
                if packs.len() == MAX_LISTED {
                    tracing::warn!(store = %self, "more packs of plans than are ever listed");
                    break;
                }
                packs.push(Listed {
                    name,
                    size: object.size,
                    modified: u64::try_from(object.last_modified.timestamp()).unwrap_or(0),
                });
            }
            Ok(packs)
        };
        let what = format!("listing {}", self.prefix);
        Ok(send_one(&what, list).await?.unwrap_or_default())
    }

    async fn read(&self, pack: &Listed) -> Result<Option<Bytes>> {
        // One more than was listed is enough to see that it is another.
        get_whole(&*self.store, &self.path(pack.name), pack.size).await
    }

    async fn write(&self, name: PackName, bytes: Bytes) -> Result<()> {
        put_whole(&*self.store, &self.path(name), bytes).await
    }

    async fn remove(&self, name: PackName) -> Result<()> {
        let path = self.path(name);
        let delete = self.store.delete(&path);
        send_one(&format!("DELETE of {path}"), delete)
            .await
            .map(drop)
    }
}
