use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;

use super::HotSetStore;
use crate::error::Result;
use crate::store::{get_whole, put_whole};

/// A hot set in an object of its own, for a node whose disk does not outlive it.
///
/// One PUT replaces the whole. It holds requests as they were asked, and plans, which decide what
/// is searched: give it the permissions of the splits.
///
/// ```
/// use std::sync::Arc;
///
/// use forewarm::{HotSetObject, Manager, Warmer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), forewarm::Error> {
/// let store = Arc::new(object_store::memory::InMemory::new());
/// let object = HotSetObject::new(store.clone(), "nodes/a/hot-set".into());
/// let manager = Manager::builder(Warmer::builder(store).build()?)
///     .hot_set(object)
///     .build()?;
/// manager.start();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HotSetObject {
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl HotSetObject {
    /// A hot set in the object `path` of `store`.
    pub fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path }
    }

    /// The object.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// # Cancel safety
///
/// A PUT that was begun may still replace the object, as a whole.
#[async_trait]
impl HotSetStore for HotSetObject {
    async fn read(&self, limit: u64) -> Result<Option<Bytes>> {
        get_whole(&*self.store, &self.path, limit).await
    }

    async fn write(&self, bytes: Bytes) -> Result<()> {
        put_whole(&*self.store, &self.path, bytes).await
    }
}

/// Without what stores show of their configuration.
impl fmt::Debug for HotSetObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotSetObject")
            .field("store", &self.store.to_string())
            .field("path", &self.path)
            .finish()
    }
}
