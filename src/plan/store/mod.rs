//! Plans that outlive the process.
//!
//! A store is a log of *packs*: each save writes one new pack under a name of its own, readers
//! take all of them together, and of two rows with one key the one used last stays. So nothing is
//! ever changed in place, nobody locks, and two nodes that write or compact at once only write the
//! same rows twice. Compaction merges packs into one and removes them *afterwards*; a pack that
//! vanishes between being listed and being read has been merged, so the list is read again.
//!
//! Whatever cannot be read is passed over with a warning, for plans only save time.

mod batch;
pub(crate) mod codec;
mod directory;
mod envelope;
mod items;
mod log;
mod object;
mod packs;
mod pending;
mod ranges;
mod settings;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt::Debug;

use async_trait::async_trait;

pub use batch::PlanBatch;
pub use directory::DirectoryPlans;
pub use object::ObjectPlans;
pub use settings::PlanStoreSettings;
pub(crate) use writer::PlanWriter;

use crate::error::Result;

/// Where plans, counts of matches and proven absences are kept beyond the life of a process: a table
/// with one row for each split and fingerprint ([`PlanEntry`](crate::PlanEntry)), and one for each
/// [`AbsenceEntry`](crate::AbsenceEntry).
///
/// [`DirectoryPlans`] and [`ObjectPlans`] are two; a database is easily a third.
///
/// # Contract
///
/// Implementers: `load` answers everything that was saved and is not too old or too much, in few
/// requests; what cannot be read is left out and counted in [`PlanBatch::rejected`]. `save` adds
/// rows, and replaces those of the same key. A row that is lost costs time; a row that is changed
/// costs hits, so keep the bytes of [`PlanEntry::to_bytes`](crate::PlanEntry::to_bytes), which
/// have a checksum. Calls may overlap, here and on other nodes.
///
/// Users: an error of either is no reason to stop searching.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use forewarm::{AbsenceEntry, Fingerprint, PlanBatch, PlanEntry, PlanStore, Result};
///
/// /// Stands for a table of a database.
/// #[derive(Debug, Default)]
/// struct Table {
///     plans: Mutex<HashMap<(String, Fingerprint), Vec<u8>>>,
///     absences: Mutex<HashMap<[u8; 32], Vec<u8>>>,
/// }
///
/// #[async_trait::async_trait]
/// impl PlanStore for Table {
///     async fn load(&self) -> Result<PlanBatch> {
///         let mut batch = PlanBatch::default();
///         for row in self.plans.lock().unwrap().values() {
///             match PlanEntry::from_bytes(row) {
///                 Ok(plan) => batch.plans.push(plan.into()),
///                 Err(_) => batch.rejected += 1,
///             }
///         }
///         for row in self.absences.lock().unwrap().values() {
///             match AbsenceEntry::from_bytes(row) {
///                 Ok(absence) => batch.absences.push(absence),
///                 Err(_) => batch.rejected += 1,
///             }
///         }
///         Ok(batch)
///     }
///
///     async fn save(&self, batch: PlanBatch) -> Result<()> {
///         for plan in &batch.plans {
///             let key = (plan.split().to_string(), plan.fingerprint());
///             self.plans.lock().unwrap().insert(key, plan.to_bytes()?);
///         }
///         for absence in &batch.absences {
///             self.absences.lock().unwrap().insert(absence.key()?, absence.to_bytes()?);
///         }
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait PlanStore: Debug + Send + Sync {
    /// Everything that is kept.
    ///
    /// # Errors
    ///
    /// `Store` or `Timeout` when the store cannot be reached. Rows that cannot be read are none.
    async fn load(&self) -> Result<PlanBatch>;

    /// Adds rows; those of the same key are replaced unless they were used later.
    ///
    /// # Errors
    ///
    /// `Store` or `Timeout` when they cannot be written.
    async fn save(&self, batch: PlanBatch) -> Result<()>;

    /// How often the store wants to be written, and how old what it answers may be.
    fn settings(&self) -> PlanStoreSettings {
        PlanStoreSettings::default()
    }
}
