//! tantivy's directory over a split: hot bytes, then leased extents, then a read on demand.
//!
//! There is one read path. tantivy's readers are opened once for a split and shared by all
//! requests; what a read may do depends on the *scope* that the thread is in when it reads:
//!
//! - a **probe** records what is missing and answers with an error, so that tantivy's own readers
//!   tell what they need, and the recorded ranges are fetched together;
//! - a **search** reads from the leases of its warmups, then from whatever the cache holds, then
//!   as [`OnMiss`] says: from the store, blocking this thread only and counted as a late read, or
//!   not at all.
//!
//! Hot bytes come first even where an extent holds them too: that copy was checked when the split was
//! opened.
//!
//! A thread is in at most one scope. A read outside of any is served from memory or refused: it
//! could block a thread of an async runtime.

mod file;
mod probe;
mod reads;
mod scope;
mod split_directory;

pub(crate) use file::SplitFiles;
pub(crate) use probe::{Misses, Probe};
pub(crate) use reads::{LateReads, Reads};
pub use scope::OnMiss;
pub(crate) use scope::ReadScope;
pub(crate) use split_directory::SplitDirectory;
