//! Hot bytes: the slices of a split's files that opening it reads.
//!
//! A header names the files, then each file that has slices owns one block. A read is answered
//! only when one slice holds all of it, as every reader of the format does.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use tantivy::directory::OwnedBytes;

use super::wire::{Place, u32_at, u64_at};
use crate::error::Result;

/// First u32 of the hot bytes.
pub(crate) const HOT_MAGIC: u32 = 2_557_869_106;
/// The only version of the hot bytes.
pub(crate) const HOT_VERSION: u32 = 1;

/// Magic, version and header length.
const PREFIX_LEN: usize = 12;
/// The u64 at the end of each block.
const BLOCK_TAIL_LEN: usize = 8;

/// Checked hot bytes: lengths agree with the footer's, slices are sorted, disjoint and inside
/// their files.
#[derive(Clone, Debug, Default)]
pub(crate) struct HotBytes {
    files: HashMap<String, Arc<HotFile>>,
    len: usize,
}

/// The hot slices of one file.
#[derive(Debug, Default)]
pub(crate) struct HotFile {
    len: usize,
    /// Sorted and disjoint.
    slices: Vec<HotSlice>,
    /// Where they start, side by side: this is searched for every read.
    starts: Box<[usize]>,
}

/// One run of a file's bytes.
#[derive(Clone, Debug)]
pub(crate) struct HotSlice {
    /// Where in the file.
    pub(crate) range: Range<usize>,
    /// The bytes, a slice of the hot bytes.
    pub(crate) bytes: OwnedBytes,
}

/// postcard writes a map as it writes a sequence of pairs; read as one, duplicates can be seen,
/// and room is made for no more entries than there are bytes.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    file_lengths: Vec<(&'a str, u64)>,
    #[serde(borrow)]
    slice_offsets: Vec<(&'a str, u64)>,
}

#[derive(Deserialize)]
struct BlockIndex {
    total_len: u64,
    slices: Vec<SliceAddress>,
}

#[derive(Deserialize)]
struct SliceAddress {
    start: u64,
    stop: u64,
    addr: u64,
}

impl HotBytes {
    /// Parses the hot bytes of the split `what`, whose footer lists `files`. The slices share
    /// `hot`'s allocation.
    ///
    /// # Errors
    ///
    /// `Corrupt` when they are not what the format says, `Unsupported` for an unknown version.
    /// Offsets in messages count from the start of the hot bytes.
    pub(crate) fn parse(
        hot: OwnedBytes,
        files: &BTreeMap<String, Range<u64>>,
        what: &str,
    ) -> Result<Self> {
        let place = Place::new(what, "hot bytes");
        let header_end = check_prefix(&hot, place)?;
        let header: Header<'_> = postcard::from_bytes(&hot[PREFIX_LEN..header_end])
            .map_err(|error| place.corrupt_by(PREFIX_LEN as u64, "unreadable header", error))?;
        let lengths = check_lengths(&header, files)
            .map_err(|detail| place.corrupt(PREFIX_LEN as u64, detail))?;
        let blocks = check_offsets(&header, &lengths, header_end, hot.len())
            .map_err(|detail| place.corrupt(PREFIX_LEN as u64, detail))?;

        let mut parsed = HashMap::with_capacity(lengths.len());
        for (name, range) in blocks {
            let len = lengths[name];
            let slices = parse_block(&hot, range.clone(), len)
                .map_err(|detail| place.corrupt(range.start as u64, format!("{name}: {detail}")))?;
            parsed.insert(name.to_owned(), Arc::new(HotFile::new(len, slices)));
        }
        for (name, len) in &lengths {
            if !parsed.contains_key(*name) {
                let file = HotFile::new(*len, Vec::new());
                parsed.insert((*name).to_owned(), Arc::new(file));
            }
        }
        Ok(Self {
            files: parsed,
            len: hot.len(),
        })
    }

    /// The handle of a file, to be looked up once; nothing when the hot bytes do not know it.
    pub(crate) fn file(&self, name: &str) -> Option<&Arc<HotFile>> {
        self.files.get(name)
    }

    /// All files, in no particular order.
    #[cfg(test)]
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &Arc<HotFile>)> {
        self.files.iter().map(|(name, file)| (name.as_str(), file))
    }

    /// The bytes at `range` of `file`, when one slice holds them all.
    pub(crate) fn read(&self, file: &str, range: Range<usize>) -> Option<OwnedBytes> {
        self.files.get(file)?.read(&range)
    }

    /// Whether [`read`](Self::read) would answer.
    #[cfg(test)]
    pub(crate) fn covers(&self, file: &str, range: Range<usize>) -> bool {
        self.files.get(file).is_some_and(|file| file.covers(range))
    }

    /// Size of the encoded hot bytes, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that holding them costs: those, and where each slice of them is.
    pub(crate) fn weight(&self) -> usize {
        const SLICE_BYTES: usize = size_of::<HotSlice>() + size_of::<usize>();
        let slices = self.files.values().map(|file| file.slices.len());
        self.len + SLICE_BYTES * slices.sum::<usize>()
    }
}

impl HotFile {
    fn new(len: usize, slices: Vec<HotSlice>) -> Self {
        let starts = slices.iter().map(|slice| slice.range.start).collect();
        Self {
            len,
            slices,
            starts,
        }
    }

    /// Length of the whole file, in bytes.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The slices, sorted and disjoint.
    pub(crate) fn slices(&self) -> &[HotSlice] {
        &self.slices
    }

    /// The bytes at `range`, when one slice holds them all. An empty range inside the file is
    /// always answered: it reads nothing.
    #[inline]
    pub(crate) fn read(&self, range: &Range<usize>) -> Option<OwnedBytes> {
        if range.start == range.end && range.end <= self.len {
            return Some(OwnedBytes::empty());
        }
        let slice = self.holder(range)?;
        let start = range.start - slice.range.start;
        Some(slice.bytes.slice(start..start + range.len()))
    }

    /// Whether [`read`](Self::read) would answer.
    #[cfg(test)]
    pub(crate) fn covers(&self, range: Range<usize>) -> bool {
        (range.start == range.end && range.end <= self.len) || self.holder(&range).is_some()
    }

    /// The slice that holds all of a range that is not empty.
    #[inline]
    fn holder(&self, range: &Range<usize>) -> Option<&HotSlice> {
        let after = self.starts.partition_point(|start| *start <= range.start);
        let slice = self.slices.get(after.checked_sub(1)?)?;
        (range.start < range.end && range.end <= slice.range.end).then_some(slice)
    }
}

/// Checks magic, version and header length; returns where the header ends.
fn check_prefix(hot: &[u8], place: Place<'_>) -> Result<usize> {
    let (Some(magic), Some(version), Some(header_len)) =
        (u32_at(hot, 0), u32_at(hot, 4), u32_at(hot, 8))
    else {
        return Err(place.corrupt(0, format_args!("{} bytes hold no header", hot.len())));
    };
    if magic != HOT_MAGIC {
        return Err(place.corrupt(
            0,
            format_args!("magic number {magic}, expected {HOT_MAGIC}"),
        ));
    }
    if version != HOT_VERSION {
        return Err(place.unsupported(
            4,
            format_args!("version {version}; this version of forewarm reads {HOT_VERSION}"),
        ));
    }
    usize::try_from(header_len)
        .ok()
        .and_then(|len| len.checked_add(PREFIX_LEN))
        .filter(|end| *end <= hot.len())
        .ok_or_else(|| {
            place.corrupt(
                8,
                format_args!(
                    "header length {header_len} exceeds the {} hot bytes",
                    hot.len()
                ),
            )
        })
}

/// File lengths must be those of the footer.
fn check_lengths<'a>(
    header: &Header<'a>,
    files: &BTreeMap<String, Range<u64>>,
) -> Result<HashMap<&'a str, usize>, String> {
    let mut lengths = HashMap::with_capacity(header.file_lengths.len());
    for (name, len) in &header.file_lengths {
        let range = files
            .get(*name)
            .ok_or_else(|| format!("file {name:?} is not in the bundle"))?;
        let bundled = range.end - range.start;
        if *len != bundled {
            return Err(format!(
                "file {name} has {len} bytes here, {bundled} in the bundle"
            ));
        }
        let len = usize::try_from(*len)
            .map_err(|_| format!("file {name} exceeds this machine's address space"))?;
        if lengths.insert(*name, len).is_some() {
            return Err(format!("file {name} is listed twice"));
        }
    }
    Ok(lengths)
}

/// The blocks, in absolute indexes into the hot bytes: each ends where the next begins.
fn check_offsets<'a>(
    header: &Header<'a>,
    lengths: &HashMap<&'a str, usize>,
    header_end: usize,
    hot_len: usize,
) -> Result<Vec<(&'a str, Range<usize>)>, String> {
    let mut blocks: Vec<(&'a str, Range<usize>)> = Vec::with_capacity(header.slice_offsets.len());
    let mut seen = std::collections::HashSet::with_capacity(header.slice_offsets.len());
    for (name, offset) in &header.slice_offsets {
        let start = usize::try_from(*offset)
            .ok()
            .and_then(|offset| offset.checked_add(header_end))
            .filter(|start| *start <= hot_len)
            .ok_or_else(|| format!("block of {name:?} begins at {offset}, outside"))?;
        if !lengths.contains_key(name) {
            return Err(format!("block of {name:?}, a file without a length"));
        }
        if !seen.insert(*name) {
            return Err(format!("file {name} has two blocks"));
        }
        if let Some((before, range)) = blocks.last_mut() {
            if start < range.start {
                return Err(format!("block of {name} begins before that of {before}"));
            }
            range.end = start;
        }
        blocks.push((*name, start..hot_len));
    }
    Ok(blocks)
}

/// The slices of one block: `[bytes][postcard index][u64 length of the bytes]`.
fn parse_block(
    hot: &OwnedBytes,
    block: Range<usize>,
    file_len: usize,
) -> Result<Vec<HotSlice>, String> {
    let block = hot.slice(block);
    let tail = block
        .len()
        .checked_sub(BLOCK_TAIL_LEN)
        .ok_or("the block is cut off")?;
    let body_len = u64_at(&block, tail)
        .and_then(|len| usize::try_from(len).ok())
        .filter(|len| *len <= tail)
        .ok_or("the block's slices exceed the block")?;
    let index: BlockIndex = postcard::from_bytes(&block[body_len..tail])
        .map_err(|error| format!("unreadable index of slices: {error}"))?;
    if index.total_len != file_len as u64 {
        return Err(format!(
            "a file of {} bytes, expected {file_len}",
            index.total_len
        ));
    }
    let mut slices = Vec::with_capacity(index.slices.len());
    let mut last_stop = 0;
    for SliceAddress { start, stop, addr } in index.slices {
        if start < last_stop || stop < start || stop > file_len as u64 {
            return Err(format!(
                "slice {start}..{stop} overlaps another or leaves the file"
            ));
        }
        last_stop = stop;
        let bytes = addr
            .checked_add(stop - start)
            .filter(|end| *end <= body_len as u64)
            .map(|end| block.slice(addr as usize..end as usize))
            .ok_or_else(|| format!("bytes of slice {start}..{stop} lie outside the block"))?;
        slices.push(HotSlice {
            range: start as usize..stop as usize,
            bytes,
        });
    }
    Ok(slices)
}
