//! The split object: its footer and hot bytes, packing, opening and verifying.
//!
//! ```text
//! [body][bundle metadata][u32 metadata length][hot bytes][u32 hot length][trailer, optional]
//! ```
//!
//! Everything read from a split is hostile until checked: no structure carries a checksum of its
//! own, so each length and offset is compared with what the object can hold before it is used.

mod composite;
mod footer;
mod hot;
mod wire;

pub(crate) use composite::{Composite, DictionaryKind, FileFooter};
pub(crate) use footer::{Footer, FooterParse};
pub(crate) use hot::{HotBytes, HotFile};

#[cfg(test)]
mod tests;
