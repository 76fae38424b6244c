//! What tantivy reads from a segment, checked before tantivy makes room for it.
//!
//! Some lengths stand in the middle of a file, where opening does not look: how large a compressed
//! block becomes, how many columns a block of the column dictionary names. tantivy makes room for
//! as much as they say, which could end the process. So each read of such a region is checked as
//! it is made, from the same bytes and from the same start as tantivy will parse them.
//!
//! The formats are those of tantivy-sstable's `BlockReader` (u32 length, u8 whether compressed,
//! bytes) and `RangeValueReader`, and of tantivy's `store/compression_*_block.rs`.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use zstd::bulk::Decompressor;

use super::wire::{u32_at, u64_at};

/// What one block of an SSTable may become, in bytes. A block is closed at about 4,000 bytes, and
/// the term that closes it has at most 65,530.
const MAX_BLOCK_BYTES: usize = 16 << 20;
/// What one block of documents may become, in bytes. A block is closed at 16 KiB by default, and
/// the document that closes it may be large.
const MAX_DOCUMENTS_BYTES: u64 = 256 << 20;
/// A byte of LZ4 becomes at most so many.
const MAX_LZ4_RATIO: u64 = 255;
/// A block of a Zstandard frame becomes at most so many bytes.
const ZSTD_BLOCK_BYTES: u64 = 128 << 10;
/// How many checked places a file remembers before it begins anew.
const MAX_PASSED: usize = 4_096;

/// What a region of a file holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Region {
    /// Blocks of the SSTable that names the columns.
    ColumnNames,
    /// Columns, some of which hold an SSTable of strings.
    Columns,
    /// Documents in blocks of LZ4.
    Lz4Documents,
    /// Blocks of an SSTable of terms.
    Terms,
    /// Documents in blocks of Zstandard.
    ZstdDocuments,
}

/// The regions of one file whose reads are checked.
#[derive(Debug, Default)]
pub(crate) struct FileGuard {
    /// In the order of the file.
    regions: Vec<(Range<u64>, Region)>,
    /// Where reads began that need not be checked again: splits do not change. Only of regions
    /// whose check costs more than looking here.
    passed: RwLock<HashSet<Range<usize>>>,
}

impl FileGuard {
    pub(crate) fn new(mut regions: Vec<(Range<u64>, Region)>) -> Self {
        regions.sort_by_key(|(range, _)| range.start);
        Self {
            regions,
            passed: RwLock::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn regions(&self) -> &[(Range<u64>, Region)] {
        &self.regions
    }

    /// Checks `bytes`, read from `range` of the file.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(crate) fn check(&self, range: &Range<usize>, bytes: &[u8]) -> Result<(), String> {
        let start = range.start as u64;
        let after = self
            .regions
            .partition_point(|(region, _)| region.start <= start);
        let Some((_, region)) = after
            .checked_sub(1)
            .map(|at| &self.regions[at])
            .filter(|(region, _)| start < region.end)
        else {
            return Ok(());
        };
        match region {
            Region::Lz4Documents => return check_lz4(bytes),
            Region::Terms => return check_blocks(bytes, false),
            Region::ZstdDocuments => return check_zstd(bytes),
            Region::ColumnNames | Region::Columns => {}
        }
        let passed = self.passed.read().unwrap_or_else(PoisonError::into_inner);
        if passed.contains(range) {
            return Ok(());
        }
        drop(passed);
        if *region == Region::Columns {
            check_column(bytes)?;
        } else {
            check_blocks(bytes, true)?;
        }
        let mut passed = self.passed.write().unwrap_or_else(PoisonError::into_inner);
        if passed.len() >= MAX_PASSED {
            passed.clear();
        }
        passed.insert(range.clone());
        Ok(())
    }
}

/// Checks a run of SSTable blocks; `ranges` says whether their values are ranges, counted.
fn check_blocks(mut bytes: &[u8], ranges: bool) -> Result<(), String> {
    while let Some(len) = u32_at(bytes, 0) {
        let len = len as usize;
        let Some(block) = bytes.get(4..4 + len).filter(|_| len > 1) else {
            // The end of the table, or a block cut off, which tantivy tells.
            return Ok(());
        };
        let (compressed, data) = (block[0] == 1, &block[1..]);
        if compressed {
            let room = Decompressor::upper_bound(data).unwrap_or(0);
            if room > MAX_BLOCK_BYTES {
                return Err(format!("a block of {} bytes becomes {room}", data.len()));
            }
            if ranges {
                let block = zstd::bulk::decompress(data, room)
                    .map_err(|error| format!("a block cannot be decompressed: {error}"))?;
                check_count(&block)?;
            }
        } else if ranges {
            check_count(data)?;
        }
        bytes = &bytes[4 + len..];
    }
    Ok(())
}

/// Checks the number of values that a block of ranges begins with: each takes at least a byte.
fn check_count(block: &[u8]) -> Result<(), String> {
    let mut count = 0_u64;
    for (group, byte) in block.iter().enumerate().take(10) {
        count |= u64::from(byte & 0x7f)
            .checked_shl(7 * group as u32)
            .unwrap_or(0);
        if byte & 0x80 == 0 {
            break;
        }
    }
    if count > block.len() as u64 {
        return Err(format!("{count} columns in {} bytes", block.len()));
    }
    Ok(())
}

/// Checks the SSTable of strings that a column may begin with: the u32 at the end is its length,
/// and its own end is the u64 offset of its index, the u64 number of terms, and a version.
fn check_column(bytes: &[u8]) -> Result<(), String> {
    let dictionary = bytes
        .len()
        .checked_sub(4)
        .and_then(|end| u32_at(bytes, end))
        .and_then(|len| bytes.get(..len as usize));
    let Some(dictionary) = dictionary else {
        return Ok(());
    };
    let Some(tail) = dictionary.len().checked_sub(20) else {
        return Ok(());
    };
    let is_table = matches!(u32_at(dictionary, tail + 16), Some(2 | 3));
    let blocks = u64_at(dictionary, tail).and_then(|end| usize::try_from(end).ok());
    match blocks.and_then(|end| dictionary[..tail].get(..end)) {
        Some(blocks) if is_table => check_blocks(blocks, false),
        // Numbers, or a dictionary that tantivy does not open.
        _ => Ok(()),
    }
}

fn check_lz4(bytes: &[u8]) -> Result<(), String> {
    check_documents(bytes, |data| {
        (data.len() as u64).saturating_mul(MAX_LZ4_RATIO)
    })
}

fn check_zstd(bytes: &[u8]) -> Result<(), String> {
    check_documents(bytes, zstd_bound)
}

/// A block of documents begins with the u32 number of bytes that it becomes.
fn check_documents(bytes: &[u8], bound: impl Fn(&[u8]) -> u64) -> Result<(), String> {
    let Some(declared) = u32_at(bytes, 0).map(u64::from) else {
        return Ok(());
    };
    let data = &bytes[4..];
    let bound = bound(data).min(MAX_DOCUMENTS_BYTES);
    if declared > bound {
        return Err(format!(
            "a block of {} bytes says that it becomes {declared}, but can become {bound} at most",
            data.len()
        ));
    }
    Ok(())
}

/// What the blocks of a Zstandard frame can become, whatever the frame's header says (RFC 8878,
/// sections 3.1.1.1 and 3.1.1.2). Frames that follow are not looked at: tantivy writes one.
fn zstd_bound(frame: &[u8]) -> u64 {
    let Some(&descriptor) = frame.get(4) else {
        return 0;
    };
    let single_segment = descriptor & 0x20 != 0;
    let window = usize::from(!single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content_size = match descriptor >> 6 {
        0 => usize::from(single_segment),
        flag => 1 << flag,
    };
    let mut at = 5 + window + dictionary + content_size;
    let mut bound = 0_u64;
    while let Some(&[low, middle, high]) = frame.get(at..at + 3) {
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let (last, kind, size) = (header & 1 == 1, (header >> 1) & 3, header >> 3);
        let (takes, becomes) = match kind {
            0 => (size as usize, u64::from(size)),
            1 => (1, u64::from(size)),
            _ => (size as usize, ZSTD_BLOCK_BYTES),
        };
        bound += becomes;
        at += 3 + takes;
        if last {
            break;
        }
    }
    bound
}
