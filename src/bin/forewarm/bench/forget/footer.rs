//! The footer of a split: where its files are, and its hot bytes. Read here by itself, after the
//! format's description, because this baseline is not to lean on what it is held against.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use tantivy::directory::OwnedBytes;

use super::directory::Runs;

/// Files, and the hot slices by their place in the object.
pub(super) struct Footer {
    pub(super) files: HashMap<String, Range<u64>>,
    pub(super) hot: Runs,
}

#[derive(Deserialize)]
struct Bundle {
    files: HashMap<String, Range<u64>>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    _file_lengths: Vec<(&'a str, u64)>,
    #[serde(borrow)]
    slice_offsets: Vec<(&'a str, u64)>,
}

#[derive(Deserialize)]
struct Block {
    _total_len: u64,
    /// Start and stop in the file, address in the block.
    slices: Vec<(u64, u64, u64)>,
}

impl Footer {
    /// Parses the footer of a split, from the start of the bundle metadata to the end of the
    /// object. `None` when it is not what the format says.
    pub(super) fn parse(footer: &[u8], has_trailer: bool) -> Option<Self> {
        let footer = match has_trailer {
            true => footer.get(..footer.len().checked_sub(16)?)?,
            false => footer,
        };
        let (footer, hot) = last_section(footer)?;
        let (_, bundle) = last_section(footer)?;
        // Magic and version, then JSON.
        let bundle: Bundle = serde_json::from_slice(bundle.get(8..)?).ok()?;
        let found = Self {
            hot: Runs::default(),
            files: bundle.files,
        };
        found.read_hot(hot)?;
        Some(found)
    }

    fn read_hot(&self, hot: &[u8]) -> Option<()> {
        let header_len = u32::from_le_bytes(hot.get(8..12)?.try_into().ok()?) as usize;
        let header: Header<'_> = postcard::from_bytes(hot.get(12..12 + header_len)?).ok()?;
        let blocks = hot.get(12 + header_len..)?;
        let ends = header.slice_offsets.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([blocks.len() as u64]);
        for ((name, start), end) in header.slice_offsets.iter().zip(ends) {
            let block = blocks.get(*start as usize..end as usize)?;
            let (rest, len) = block.split_at_checked(block.len().checked_sub(8)?)?;
            let len = u64::from_le_bytes(len.try_into().ok()?) as usize;
            let (bytes, index) = rest.split_at_checked(len)?;
            let index: Block = postcard::from_bytes(index).ok()?;
            let file = self.files.get(*name)?;
            for (start, stop, address) in index.slices {
                let slice = bytes.get(address as usize..(address + (stop - start)) as usize)?;
                self.hot
                    .add(file.start + start, OwnedBytes::new(slice.to_vec()));
            }
        }
        Some(())
    }
}

/// What the u32 at the end says is before it, and what is before that.
fn last_section(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, len) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let len = u32::from_le_bytes(len.try_into().ok()?) as usize;
    rest.split_at_checked(rest.len().checked_sub(len)?)
}
