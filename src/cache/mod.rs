//! Extents of splits in memory: in moka, looked up by sub-range, fetched once, leased.
//!
//! moka holds strong references to extents, weighed in bytes with their bookkeeping, in slots that
//! are emptied at the moment of eviction. Beside it
//! each split keeps an ordered map from start offset to weak references, which answers "which
//! extent covers this range?" in O(log n). Leases hold strong references too, so eviction is
//! moka's business alone and a leased extent outlives it.
//!
//! Whose warmup fetched an extent, and whether any search has read it, is kept with it (see [`Fate`](fate::Fate)): a read
//! that is not the first costs a relaxed load.
//!
//! Lock order: moka's own locks, then a split's map. moka is never called with the map locked, and
//! an extent is never dropped with the map locked (its `Drop` takes that lock).

mod bounded;
mod budget;
mod extent;
mod extents;
mod fate;
mod flight;
mod found;
mod join;
mod lease;
mod lookups;
mod settings;
mod shelf;
mod slot;
#[cfg(test)]
mod tests;

pub(crate) use bounded::ExtentCache;
pub(crate) use extent::EXTENT_OVERHEAD_BYTES;
pub(crate) use extents::SplitExtents;
pub(crate) use fate::Reader;
pub(crate) use lease::{Lease, LeaseBuilder};
pub use settings::CacheSettings;
pub(crate) use slot::Slot;
