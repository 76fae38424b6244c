//! Memory across restarts: what was hot, and how to warm it in one round.
//!
//! While a manager runs, a task writes the pairs of split and request that are hot, with their heat
//! and their plans, as one whole that replaces the one before. At the next start they are read
//! before anything is written. What was read is then *merged* into what is written until it has
//! been preloaded, or the time for that is over: a node that is killed while it comes up leaves
//! behind no less than it found. Where nothing could be read because the place did not answer,
//! nothing is written either.
//!
//! Whatever is not whole, or not a hot set, is a cold start and a warning.

mod codec;
mod file;
mod gather;
mod items;
mod keeper;
mod object;
mod settings;
mod status;
#[cfg(test)]
mod tests;

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

pub use file::HotSetFile;
pub(super) use keeper::{HotSetKeeper, Reading};
pub use object::HotSetObject;
pub use settings::HotSetSettings;
pub use status::{HotSetState, HotSetStatus};

use crate::error::Result;

/// Where a hot set is kept beyond the life of a process: one value, replaced as a whole.
///
/// [`HotSetFile`] and [`HotSetObject`] are two; a row of a database is easily a third. Each node
/// should have one of its own: of several that write to one place, the last to write is remembered.
///
/// # Contract
///
/// Implementers: `read` answers what the last `write` that ended had, or what one that was cut off
/// had, whole; never a mixture. It answers `None` only where nothing was ever written: that is a
/// cold start, and what comes is written over it. An error says that nobody knows, and nothing is
/// written until a later `read` answers. Either call may be dropped at any await.
///
/// Users: the bytes have a version and a checksum; whatever comes back that is not them is left out.
///
/// ```
/// use std::sync::Mutex;
///
/// use bytes::Bytes;
/// use forewarm::{HotSetStore, Manager, Result, Warmer};
///
/// /// Stands for a row of a database.
/// #[derive(Debug, Default)]
/// struct Row(Mutex<Option<Bytes>>);
///
/// #[async_trait::async_trait]
/// impl HotSetStore for Row {
///     async fn read(&self, _limit: u64) -> Result<Option<Bytes>> {
///         Ok(self.0.lock().unwrap().clone())
///     }
///
///     async fn write(&self, bytes: Bytes) -> Result<()> {
///         *self.0.lock().unwrap() = Some(bytes);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let store = std::sync::Arc::new(object_store::memory::InMemory::new());
/// let manager = Manager::builder(Warmer::builder(store).build()?)
///     .hot_set(Row::default())
///     .build()?;
/// manager.start();
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait HotSetStore: Debug + Send + Sync {
    /// What was written last. Of more than `limit` bytes the beginning will do, if it is longer
    /// than `limit`.
    ///
    /// # Errors
    ///
    /// Any: it is tried again, and nothing is written before.
    async fn read(&self, limit: u64) -> Result<Option<Bytes>>;

    /// Replaces all that was written before, whole or not at all.
    ///
    /// # Errors
    ///
    /// Any: the next write comes in time.
    async fn write(&self, bytes: Bytes) -> Result<()>;
}
