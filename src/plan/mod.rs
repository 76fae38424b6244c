//! From needs to byte ranges.
//!
//! tantivy hides offsets, but our files see every range they are asked for, so tantivy's own
//! readers are let to ask: each need is *probed*, that is, its reads are made over what is in
//! memory; what they miss is recorded. The misses of all needs of a split are one round, fetched
//! together; then the needs that missed are probed again, until none misses. The chain is as long
//! as the data's own dependency: dictionary block, then postings and positions.
//!
//! A dry run is the same, except that data (postings, positions, columns, norms), whose bytes no
//! need has to see to go on, is counted instead of fetched.

mod component;
mod explanation;
mod resolve;

pub use component::Component;
pub use explanation::{ComponentCost, Explanation};
pub(crate) use resolve::{Depth, Resolution, resolve};
