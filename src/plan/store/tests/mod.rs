mod bytes;
mod packs;
mod rows;
mod warnings;
mod writer;
