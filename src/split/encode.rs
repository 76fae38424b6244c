//! Writing the parts of a footer. Readers of the format are the judges of these bytes, so they
//! are written exactly as its specification says, in an order that depends on names alone.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;

use super::footer::{BUNDLE_MAGIC, BUNDLE_VERSION, TRAILER_MAGIC, TRAILER_VERSION};
use super::hot::{HOT_MAGIC, HOT_VERSION};
use crate::error::{Error, ErrorKind, Result};

/// The hot slices of one file, to be written.
pub(crate) struct FileSlices {
    /// Length of the whole file, in bytes.
    pub(crate) len: u64,
    /// Sorted and disjoint, with their bytes.
    pub(crate) slices: Vec<(Range<u64>, Vec<u8>)>,
}

#[derive(Serialize)]
struct Header<'a> {
    file_lengths: BTreeMap<&'a str, u64>,
    slice_offsets: Vec<(&'a str, u64)>,
}

#[derive(Serialize)]
struct BlockIndex {
    total_len: u64,
    slices: Vec<SliceAddress>,
}

#[derive(Serialize)]
struct SliceAddress {
    start: u64,
    stop: u64,
    addr: u64,
}

#[derive(Serialize)]
struct Bundle<'a> {
    files: BTreeMap<&'a str, Span>,
}

#[derive(Serialize)]
struct Span {
    start: u64,
    end: u64,
}

/// The hot bytes: a header, then a block for each file, in the order of their names.
pub(crate) fn hot_bytes(files: &BTreeMap<String, FileSlices>) -> Result<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut header = Header {
        file_lengths: BTreeMap::new(),
        slice_offsets: Vec::new(),
    };
    for (name, file) in files {
        header.file_lengths.insert(name, file.len);
        header.slice_offsets.push((name, blocks.len() as u64));
        append_block(&mut blocks, file)?;
    }
    let header = to_postcard(&header)?;
    let mut hot = Vec::with_capacity(12 + header.len() + blocks.len());
    hot.extend_from_slice(&HOT_MAGIC.to_le_bytes());
    hot.extend_from_slice(&HOT_VERSION.to_le_bytes());
    hot.extend_from_slice(&length(header.len(), "the header of the hot bytes")?);
    hot.extend_from_slice(&header);
    hot.extend_from_slice(&blocks);
    Ok(hot)
}

fn append_block(blocks: &mut Vec<u8>, file: &FileSlices) -> Result<()> {
    let begin = blocks.len();
    let mut index = BlockIndex {
        total_len: file.len,
        slices: Vec::new(),
    };
    for (range, bytes) in &file.slices {
        let addr = (blocks.len() - begin) as u64;
        index.slices.push(SliceAddress {
            start: range.start,
            stop: range.end,
            addr,
        });
        blocks.extend_from_slice(bytes);
    }
    let body_len = (blocks.len() - begin) as u64;
    blocks.extend_from_slice(&to_postcard(&index)?);
    blocks.extend_from_slice(&body_len.to_le_bytes());
    Ok(())
}

/// Everything after the body, which ends at `body_len`.
pub(crate) fn footer(
    body_len: u64,
    files: &BTreeMap<String, Range<u64>>,
    hot: &[u8],
    trailer: bool,
) -> Result<Bytes> {
    let spans = files
        .iter()
        .map(|(name, range)| {
            (
                name.as_str(),
                Span {
                    start: range.start,
                    end: range.end,
                },
            )
        })
        .collect();
    let json = serde_json::to_vec(&Bundle { files: spans })
        .map_err(|error| Error::with_source(ErrorKind::Internal, "cannot write a footer", error))?;
    let mut bytes = Vec::with_capacity(json.len() + hot.len() + 32);
    bytes.extend_from_slice(&BUNDLE_MAGIC.to_le_bytes());
    bytes.extend_from_slice(&BUNDLE_VERSION.to_le_bytes());
    bytes.extend_from_slice(&json);
    // The metadata's length counts its magic and version.
    bytes.extend_from_slice(&length(bytes.len(), "the bundle metadata")?);
    bytes.extend_from_slice(hot);
    bytes.extend_from_slice(&length(hot.len(), "the hot bytes")?);
    if trailer {
        bytes.extend_from_slice(&body_len.to_le_bytes());
        bytes.extend_from_slice(&TRAILER_VERSION.to_le_bytes());
        bytes.extend_from_slice(&TRAILER_MAGIC);
    }
    Ok(bytes.into())
}

fn length(len: usize, what: &str) -> Result<[u8; 4]> {
    let len = u32::try_from(len).map_err(|_| {
        Error::new(
            ErrorKind::Unsupported,
            format!("{what} would have {len} bytes, more than the format's 4 GiB: pack fewer segments or lower the dictionary budgets"),
        )
    })?;
    Ok(len.to_le_bytes())
}

fn to_postcard(value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_stdvec(value)
        .map_err(|error| Error::with_source(ErrorKind::Internal, "cannot write hot bytes", error))
}
