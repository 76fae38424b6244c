//! The split object: its footer and hot bytes, packing, opening and verifying.
//!
//! ```text
//! [body][bundle metadata][u32 metadata length][hot bytes][u32 hot length][trailer, optional]
//! ```
//!
//! Everything read from a split is hostile until checked: no structure carries a checksum of its
//! own, so each length and offset is compared with what the object can hold before it is used.

mod address;
mod bounds;
mod check;
mod composite;
mod encode;
mod footer;
mod guard;
mod hot;
mod layout;
mod meta;
mod open;
mod pack;
mod readers;
mod recording;
mod resident;
#[expect(clippy::module_inception, reason = "the noun of this room")]
mod split;
mod stored;
mod touch;
mod upload;
mod verify;
mod wire;

pub use address::SplitAddress;
pub(crate) use check::check_segment;
pub(crate) use composite::FileFooter;
#[cfg(test)]
pub(crate) use composite::{Composite, DictionaryKind};
pub(crate) use footer::{Footer, FooterParse};
pub(crate) use guard::FileGuard;
pub(crate) use hot::{HotBytes, HotFile};
pub use layout::{FileLayout, SegmentLayout, SplitLayout};
pub(crate) use meta::MetaSummary;
pub(crate) use open::{Opener, Tokenizers};
pub use pack::{PackSettings, PackedSplit, pack, pack_path};
pub(crate) use split::SchemaKey;
pub use split::Split;
pub use upload::UploadReport;
pub use verify::{FileOutcome, FileReport, VerifyReport, verify};

#[cfg(test)]
mod tests;
