//! A segment's footers and indexes, checked before tantivy opens them.
//!
//! tantivy trusts its files: it splits slices at offsets it has just read, and makes room for as
//! many items as a file says there are. What is checked here is all that opening a segment reads,
//! and nothing else is read: the ranges asked for are those that tantivy asks for, so they lie in
//! the hot bytes.

use std::io;
use std::ops::Range;

use tantivy::directory::error::OpenReadError;
use tantivy::directory::{FileSlice, OwnedBytes};
use tantivy::index::SegmentComponent;
use tantivy::{HasLen, Segment};

use super::composite::{Composite, DictionaryKind, read_vint};
use super::guard::{FileGuard, Region};
use super::wire::{Place, u32_at, u64_at};
use crate::error::{Error, ErrorKind, Result};

/// u64 dictionary length, u32 rows, u32 version, 4 bytes of magic.
pub(crate) const COLUMNAR_TAIL: u64 = 20;
const COLUMNAR_MAGIC: [u8; 4] = [2, 113, 119, 66];
/// u64 index offset, u64 terms, u32 version.
const SSTABLE_TAIL: u64 = 20;
/// u64 length of the term infos, u32 version.
const FST_TAIL: u64 = 12;
/// The kind of a term dictionary.
const KIND_LEN: u64 = 4;
/// u32 version, u64 offset of the skip index, u8 compressor, 15 bytes to spare.
const STORE_TAIL: u64 = 28;
/// Metadata of a run of SSTable blocks: u64 offset, u64 start, u64 ordinal, two u32 slopes, two
/// widths in bits, u16 length.
const BLOCK_META_LEN: usize = 36;
/// Every field of an `.idx` file begins with its u64 number of tokens.
pub(crate) const TOKENS_LEN: u64 = 8;

/// One file of a segment without its file footer, and how to speak of it.
struct Body {
    file: FileSlice,
    len: u64,
    name: String,
    what: String,
}

/// Checks the files of `segment`, a segment of the split `what`, and answers with what is left to
/// be checked when it is read, by the names of files.
///
/// # Errors
///
/// `Corrupt` naming the file, `Unsupported` for a dictionary of the other kind or a version that
/// this build does not read.
pub(crate) fn check_segment(segment: &Segment, what: &str) -> Result<Vec<(String, FileGuard)>> {
    let mut guards = Vec::new();
    let mut guard = |body: &Body, regions| {
        guards.push((body.name.clone(), FileGuard::new(regions)));
    };
    let max_doc = segment.meta().max_doc();
    let open = |component| Body::open(segment, component, what);
    if let Some(body) = open(SegmentComponent::Terms)? {
        let composite = body.composite()?;
        let mut regions = Vec::new();
        for range in composite.fields.values() {
            regions.extend(body.check_dictionary(range)?.map(|it| (it, Region::Terms)));
        }
        guard(&body, regions);
    }
    if let Some(body) = open(SegmentComponent::Postings)? {
        let composite = body.composite()?;
        let short = composite
            .fields
            .values()
            .find(|range| range.end - range.start < TOKENS_LEN);
        if let Some(range) = short {
            return Err(body.corrupt("postings", range.start, "a field without its tokens"));
        }
    }
    if let Some(body) = open(SegmentComponent::Positions)? {
        body.composite()?;
    }
    if let Some(body) = open(SegmentComponent::FieldNorms)? {
        let composite = body.composite()?;
        let of_docs = |range: &&Range<u64>| range.end - range.start != u64::from(max_doc);
        if let Some(range) = composite.fields.values().find(of_docs) {
            return Err(body.corrupt(
                "field norms",
                range.start,
                format_args!(
                    "{} of them for {max_doc} documents",
                    range.end - range.start
                ),
            ));
        }
    }
    if let Some(body) = open(SegmentComponent::FastFields)? {
        let names = body.check_columns(max_doc)?;
        let columns = (0..names.start, Region::Columns);
        guard(&body, vec![columns, (names, Region::ColumnNames)]);
    }
    if let Some(body) = open(SegmentComponent::Store)? {
        let documents = body.check_store()?;
        guard(&body, documents.into_iter().collect());
    }
    if segment.meta().has_deletes()
        && let Some(body) = open(SegmentComponent::Delete)?
    {
        body.check_alive(max_doc)?;
    }
    Ok(guards)
}

impl Body {
    /// The file, without its footer; nothing when the segment does not have it, which is for
    /// tantivy to judge.
    fn open(segment: &Segment, component: SegmentComponent, what: &str) -> Result<Option<Self>> {
        let name = segment.meta().relative_path(component.clone());
        let name = name.display().to_string();
        let what = format!("{what}/{name}");
        match segment.open_read(component) {
            Ok(file) => {
                let len = file.len() as u64;
                Ok(Some(Self {
                    file,
                    len,
                    name,
                    what,
                }))
            }
            Err(OpenReadError::FileDoesNotExist(_)) => Ok(None),
            Err(OpenReadError::IncompatibleIndex(error)) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("{what}: an index format this tantivy does not read: {error:?}"),
            )),
            Err(error) => Err(Error::with_source(
                ErrorKind::Corrupt,
                format!("{what}: cannot be opened"),
                error,
            )),
        }
    }

    fn corrupt(
        &self,
        structure: &'static str,
        offset: u64,
        detail: impl std::fmt::Display,
    ) -> Error {
        Place::new(&self.what, structure).corrupt(offset, detail)
    }

    /// Reads a range that may be wrong.
    fn read(&self, range: Range<u64>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.len {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("bytes {range:?} of a file of {}", self.len),
            ));
        }
        self.file
            .read_bytes_slice(range.start as usize..range.end as usize)
    }

    /// Reads the last `len` bytes before `end`, for `structure`.
    fn tail(&self, structure: &'static str, end: u64, len: u64) -> Result<OwnedBytes> {
        let start = end
            .checked_sub(len)
            .ok_or_else(|| self.corrupt(structure, 0, format_args!("{end} bytes hold no tail")))?;
        self.bytes(structure, start..end)
    }

    fn bytes(&self, structure: &'static str, range: Range<u64>) -> Result<OwnedBytes> {
        self.read(range.clone()).map_err(|error| {
            Place::new(&self.what, structure).corrupt_by(range.start, "cannot be read", error)
        })
    }

    fn composite(&self) -> Result<Composite> {
        Composite::read(self.len, &self.what, |range| self.read(range))
    }

    /// Checks the term dictionary at `range`; answers where its blocks are, if it has blocks.
    fn check_dictionary(&self, range: &Range<u64>) -> Result<Option<Range<u64>>> {
        const WHAT: &str = "term dictionary";
        let end = range
            .end
            .checked_sub(KIND_LEN)
            .filter(|end| *end >= range.start)
            .ok_or_else(|| self.corrupt(WHAT, range.start, "it is cut off"))?;
        DictionaryKind::check(&self.bytes(WHAT, end..range.end)?, &self.what)?;
        match DictionaryKind::BUILT {
            DictionaryKind::Fst => {
                let at = end.checked_sub(FST_TAIL).filter(|at| *at >= range.start);
                let at = at.ok_or_else(|| self.corrupt(WHAT, range.start, "it is cut off"))?;
                let tail = self.bytes(WHAT, at..end)?;
                let infos = u64_at(&tail, 0).unwrap_or(u64::MAX);
                if infos < 16 || infos > at - range.start {
                    return Err(self.corrupt(WHAT, at, format_args!("{infos} bytes of terms")));
                }
                Ok(None)
            }
            DictionaryKind::SsTable => self.check_sstable(WHAT, &(range.start..end)).map(Some),
        }
    }

    /// Checks the tail and the block index of the SSTable at `range`; answers where its blocks are.
    fn check_sstable(&self, what: &'static str, range: &Range<u64>) -> Result<Range<u64>> {
        let too_short = || self.corrupt(what, range.start, "it is cut off");
        let tail_at = range
            .end
            .checked_sub(SSTABLE_TAIL)
            .filter(|at| *at >= range.start)
            .ok_or_else(too_short)?;
        let tail = self.bytes(what, tail_at..range.end)?;
        let (Some(offset), Some(version)) = (u64_at(&tail, 0), u32_at(&tail, 16)) else {
            return Err(too_short());
        };
        if version != 2 && version != 3 {
            return Err(Place::new(&self.what, what).unsupported(
                tail_at,
                format_args!("SSTable version {version}, expected 2 or 3"),
            ));
        }
        let index_at = range
            .start
            .checked_add(offset)
            .filter(|at| *at <= tail_at)
            .ok_or_else(|| self.corrupt(what, tail_at, format_args!("index at {offset}")))?;
        if version == 3 {
            let index = self.bytes(what, index_at..tail_at)?;
            check_block_index(&index, offset)
                .map_err(|detail| self.corrupt(what, index_at, detail))?;
        }
        Ok(range.start..index_at)
    }

    /// Answers where the blocks of the column dictionary are; columns are before it.
    fn check_columns(&self, max_doc: u32) -> Result<Range<u64>> {
        const WHAT: &str = "columns";
        let tail = self.tail(WHAT, self.len, COLUMNAR_TAIL)?;
        let tail_at = self.len - COLUMNAR_TAIL;
        let (Some(len), Some(rows), Some(version)) =
            (u64_at(&tail, 0), u32_at(&tail, 8), u32_at(&tail, 12))
        else {
            return Err(self.corrupt(WHAT, tail_at, "it is cut off"));
        };
        if tail[16..] != COLUMNAR_MAGIC {
            return Err(self.corrupt(WHAT, tail_at + 16, "wrong magic"));
        }
        if version != 1 && version != 2 {
            return Err(Place::new(&self.what, WHAT).unsupported(
                tail_at,
                format_args!("columnar version {version}, expected 1 or 2"),
            ));
        }
        if rows != max_doc {
            let detail = format_args!("{rows} rows for {max_doc} documents");
            return Err(self.corrupt(WHAT, tail_at, detail));
        }
        let start = tail_at.checked_sub(len).ok_or_else(|| {
            self.corrupt(WHAT, tail_at, format_args!("a dictionary of {len} bytes"))
        })?;
        self.check_sstable("column dictionary", &(start..tail_at))
    }

    /// Answers where documents are in compressed blocks, and how.
    fn check_store(&self) -> Result<Option<(Range<u64>, Region)>> {
        const WHAT: &str = "document store";
        let tail = self.tail(WHAT, self.len, STORE_TAIL)?;
        let tail_at = self.len - STORE_TAIL;
        let (Some(version), Some(offset)) = (u32_at(&tail, 0), u64_at(&tail, 4)) else {
            return Err(self.corrupt(WHAT, tail_at, "it is cut off"));
        };
        let place = Place::new(&self.what, WHAT);
        if version != 1 && version != 2 {
            let detail = format_args!("store version {version}, expected 1 or 2");
            return Err(place.unsupported(tail_at, detail));
        }
        // This crate always builds both LZ4 and Zstandard.
        let region = match tail[12] {
            0 => None,
            1 => Some(Region::Lz4Documents),
            4 => Some(Region::ZstdDocuments),
            other => {
                return Err(place.unsupported(tail_at + 12, format_args!("compressor {other}")));
            }
        };
        if offset > tail_at {
            return Err(place.corrupt(tail_at, format_args!("skip index at {offset}")));
        }
        let index = self.bytes(WHAT, offset..tail_at)?;
        check_skip_index(&index).map_err(|detail| place.corrupt(offset, detail))?;
        Ok(region.map(|region| (0..offset, region)))
    }

    fn check_alive(&self, max_doc: u32) -> Result<()> {
        const WHAT: &str = "bitset of alive documents";
        let bytes = self.bytes(WHAT, 0..self.len)?;
        let words = u64::from(max_doc).div_ceil(64);
        if u32_at(&bytes, 0) != Some(max_doc) || self.len != 4 + 8 * words {
            let detail = format_args!("{} bytes do not fit {max_doc} documents", self.len);
            return Err(self.corrupt(WHAT, 0, detail));
        }
        Ok(())
    }
}

/// Checks the index of an SSTable of version 3, whose blocks end at `blocks_len`: an FST, the
/// addresses of the blocks, and the u64 offset of the latter, 0 when there is one block only.
fn check_block_index(index: &[u8], blocks_len: u64) -> Result<(), String> {
    let end = index.len().checked_sub(8).ok_or("its index is cut off")?;
    let store_at = u64_at(index, end).unwrap_or(u64::MAX);
    if store_at == 0 {
        return Ok(());
    }
    let store = usize::try_from(store_at)
        .ok()
        .and_then(|at| index[..end].get(at..))
        .ok_or_else(|| format!("block addresses at {store_at} of {end}"))?;
    let metas_len = u64_at(store, 0).ok_or("its block addresses are cut off")?;
    let rest = &store[8..];
    let (metas, addresses) = usize::try_from(metas_len)
        .ok()
        .and_then(|len| rest.split_at_checked(len))
        .ok_or_else(|| format!("{metas_len} bytes of block metadata in {}", rest.len()))?;
    if !metas.len().is_multiple_of(BLOCK_META_LEN) {
        return Err(format!("{metas_len} bytes of block metadata"));
    }
    metas
        .chunks_exact(BLOCK_META_LEN)
        .try_for_each(|meta| check_block_meta(meta, addresses.len(), blocks_len))
}

fn check_block_meta(meta: &[u8], addresses_len: usize, blocks_len: u64) -> Result<(), String> {
    let (Some(offset), Some(start)) = (u64_at(meta, 0), u64_at(meta, 8)) else {
        return Err("its block metadata is cut off".to_owned());
    };
    let (ordinal_bits, start_bits) = (meta[32], meta[33]);
    let blocks = u64::from(u16::from_le_bytes([meta[34], meta[35]]));
    let sound = |bits: u8| (1..=56).contains(&bits);
    if !sound(ordinal_bits) || !sound(start_bits) {
        return Err(format!("blocks of {ordinal_bits} and {start_bits} bits"));
    }
    if start > blocks_len {
        return Err(format!("a block begins at {start} of {blocks_len}"));
    }
    let (ordinal_bits, start_bits) = (u64::from(ordinal_bits), u64::from(start_bits));
    let bits = (ordinal_bits + start_bits) * blocks + start_bits;
    let fits = offset
        .checked_add(bits.div_ceil(8))
        .is_some_and(|end| end <= addresses_len as u64);
    fits.then_some(())
        .ok_or_else(|| format!("addresses of {blocks} blocks at {offset}"))
}

/// Checks the skip index of a document store: a count of layers, where each ends, the layers.
/// tantivy makes room for as many layers as the count says.
fn check_skip_index(index: &[u8]) -> Result<(), String> {
    let mut rest = index;
    let layers = read_vint(&mut rest).ok_or("unreadable number of layers")?;
    if layers > rest.len() as u64 {
        return Err(format!("{layers} layers in {} bytes", rest.len()));
    }
    let mut ends = Vec::with_capacity(layers as usize);
    for _ in 0..layers {
        ends.push(read_vint(&mut rest).ok_or("unreadable end of a layer")?);
    }
    let ascending = ends.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ascending || ends.last().is_some_and(|end| *end > rest.len() as u64) {
        return Err(format!("layers end at {ends:?} of {}", rest.len()));
    }
    Ok(())
}
