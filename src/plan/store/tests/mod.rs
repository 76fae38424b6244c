mod bytes;
mod packs;
pub(super) mod rows;
mod warnings;
mod writer;
