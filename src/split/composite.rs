//! The footers inside tantivy's files, read with bounds checks.
//!
//! tantivy trusts its files: its own parsers of these footers index and subtract unchecked. A file
//! is therefore checked here before tantivy opens it, and the ranges of each field are known
//! without opening a reader.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use serde::Deserialize;
use tantivy::directory::OwnedBytes;

use super::wire::{Place, u32_at};
use crate::error::Result;

/// Length of the two u32 that end every file: JSON length and magic.
pub(crate) const FILE_FOOTER_TAIL: u64 = 8;

const FILE_FOOTER_MAGIC: u32 = 1337;
/// tantivy's own bound on the JSON of a file's footer, in bytes.
const FILE_FOOTER_MAX: u64 = 50_000;
/// The u32 that ends a composite file.
const COMPOSITE_TAIL: u64 = 4;
/// A one-byte offset, a u32 field and a one-byte index.
const LEAST_ENTRY_LEN: u64 = 6;

/// What ends every file that tantivy wrote through its managed directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct FileFooter {
    /// CRC-32 of the body, as written.
    pub(crate) crc: u32,
    /// Version of the index format, 7 for tantivy 0.23 to 0.27.
    pub(crate) index_format: u32,
    /// tantivy's version, such as `0.27.0`.
    pub(crate) version: String,
    /// Length of the whole footer, its two trailing integers included, in bytes.
    pub(crate) len: u64,
}

/// Where the fields of a composite file (`.term`, `.idx`, `.pos`, `.fieldnorm`) lie.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Composite {
    /// (field id, index within the field) to the range in the file's body, which begins at 0 of
    /// the file.
    pub(crate) fields: BTreeMap<(u32, usize), Range<u64>>,
    /// The composite's own footer, in the same offsets.
    pub(crate) footer: Range<u64>,
}

/// The kind of a term dictionary, in the last u32 of its field's slice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DictionaryKind {
    Fst,
    SsTable,
}

impl DictionaryKind {
    /// The kind this build of tantivy reads.
    pub(crate) const BUILT: Self = if cfg!(feature = "sstable") {
        Self::SsTable
    } else {
        Self::Fst
    };

    /// The kind that the last bytes of a dictionary tell; nothing when they tell none.
    pub(crate) fn of(dictionary_tail: &[u8]) -> Option<Self> {
        match u32_at(dictionary_tail, dictionary_tail.len().checked_sub(4)?)? {
            1 => Some(Self::Fst),
            2 => Some(Self::SsTable),
            _ => None,
        }
    }

    /// Refuses a dictionary that this build cannot read.
    ///
    /// # Errors
    ///
    /// `Unsupported`, naming the feature to change; `Corrupt` when the tail tells no kind.
    pub(crate) fn check(dictionary_tail: &[u8], what: &str) -> Result<()> {
        let place = Place::new(what, "term dictionary");
        match Self::of(dictionary_tail) {
            Some(kind) if kind == Self::BUILT => Ok(()),
            Some(Self::Fst) => Err(place.unsupported(
                0,
                "an FST, which this build does not read: build forewarm without its feature \
                 `sstable`",
            )),
            Some(Self::SsTable) => Err(place.unsupported(
                0,
                "an SSTable, which this build does not read: build forewarm with its feature \
                 `sstable`",
            )),
            None => Err(place.corrupt(0, "neither an FST nor an SSTable")),
        }
    }
}

#[derive(Deserialize)]
struct FooterJson {
    version: VersionJson,
    crc: u32,
}

#[derive(Deserialize)]
struct VersionJson {
    major: u32,
    minor: u32,
    patch: u32,
    index_format_version: u32,
}

impl FileFooter {
    /// The length of the whole footer, from the last 8 bytes of a file of `file_len` bytes;
    /// nothing when the file does not end in a footer.
    pub(crate) fn total_len(last: &[u8], file_len: u64) -> Option<u64> {
        let json_at = last.len().checked_sub(FILE_FOOTER_TAIL as usize)?;
        let json_len = u64::from(u32_at(last, json_at)?);
        let sound = u32_at(last, json_at + 4)? == FILE_FOOTER_MAGIC && json_len <= FILE_FOOTER_MAX;
        (sound && json_len + FILE_FOOTER_TAIL <= file_len).then_some(json_len + FILE_FOOTER_TAIL)
    }

    /// Parses the footer at the end of `tail`, the last bytes of a file.
    ///
    /// # Errors
    ///
    /// `Corrupt` when there is none, or when `tail` is shorter than it.
    pub(crate) fn parse(tail: &[u8], file_len: u64, what: &str) -> Result<Self> {
        let place = Place::new(what, "file footer");
        let len = Self::total_len(tail, file_len)
            .ok_or_else(|| place.corrupt(file_len, "the file does not end in a footer"))?;
        let start = usize::try_from(len)
            .ok()
            .and_then(|len| tail.len().checked_sub(len))
            .ok_or_else(|| place.corrupt(file_len, "the footer is cut off"))?;
        Self::from_json(
            &tail[start..tail.len() - FILE_FOOTER_TAIL as usize],
            len,
            file_len,
            what,
        )
    }

    fn from_json(json: &[u8], len: u64, file_len: u64, what: &str) -> Result<Self> {
        let FooterJson { version, crc } = serde_json::from_slice(json).map_err(|error| {
            let place = Place::new(what, "file footer");
            place.corrupt_by(file_len - len, "unreadable JSON", error)
        })?;
        Ok(Self {
            crc,
            index_format: version.index_format_version,
            version: format!("{}.{}.{}", version.major, version.minor, version.patch),
            len,
        })
    }

    /// Reads the footer of a file of `file_len` bytes, in the two reads that tantivy makes: hot bytes
    /// of other writers hold one slice for each.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and whatever `read` fails with, as `Corrupt`.
    pub(crate) fn read(
        file_len: u64,
        what: &str,
        mut read: impl FnMut(Range<u64>) -> io::Result<OwnedBytes>,
    ) -> Result<Self> {
        let place = Place::new(what, "file footer");
        let tail_at = file_len
            .checked_sub(FILE_FOOTER_TAIL)
            .ok_or_else(|| place.corrupt(0, format_args!("a file of {file_len} bytes")))?;
        let failed = |error| place.corrupt_by(tail_at, "cannot be read", error);
        let last = read(tail_at..file_len).map_err(failed)?;
        let len = Self::total_len(&last, file_len)
            .ok_or_else(|| place.corrupt(tail_at, "the file does not end in a footer"))?;
        let json = read(file_len - len..tail_at).map_err(failed)?;
        Self::from_json(&json, len, file_len, what)
    }
}

impl Composite {
    /// The length of the composite's footer, its u32 included, from the last 4 bytes of a body of
    /// `body_len` bytes; nothing when the body cannot hold it.
    pub(crate) fn total_len(last: &[u8], body_len: u64) -> Option<u64> {
        let footer_len = u64::from(u32_at(last, last.len().checked_sub(4)?)?);
        (footer_len + COMPOSITE_TAIL <= body_len).then_some(footer_len + COMPOSITE_TAIL)
    }

    /// Parses the footer at the end of `tail`, the last bytes of a body of `body_len` bytes (a
    /// file without tantivy's file footer).
    ///
    /// # Errors
    ///
    /// `Corrupt` when lengths, counts or offsets leave the body, when offsets go backwards, or
    /// when a field is listed twice.
    #[cfg(test)]
    pub(crate) fn parse(tail: &[u8], body_len: u64, what: &str) -> Result<Self> {
        let place = Place::new(what, "composite footer");
        let len = Self::total_len(tail, body_len)
            .ok_or_else(|| place.corrupt(body_len, "its length exceeds the file"))?;
        let start = usize::try_from(len)
            .ok()
            .and_then(|len| tail.len().checked_sub(len))
            .ok_or_else(|| place.corrupt(body_len, "it is cut off"))?;
        let footer_at = body_len - len;
        Self::from_entries(
            &tail[start..tail.len() - COMPOSITE_TAIL as usize],
            footer_at..body_len,
            what,
        )
    }

    fn from_entries(entries: &[u8], footer: Range<u64>, what: &str) -> Result<Self> {
        let fields = parse_entries(entries, footer.start)
            .map_err(|detail| Place::new(what, "composite footer").corrupt(footer.start, detail))?;
        Ok(Self { fields, footer })
    }

    /// Reads the footer of a body of `body_len` bytes, in the two reads that tantivy makes.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and whatever `read` fails with, as `Corrupt`.
    pub(crate) fn read(
        body_len: u64,
        what: &str,
        mut read: impl FnMut(Range<u64>) -> io::Result<OwnedBytes>,
    ) -> Result<Self> {
        let place = Place::new(what, "composite footer");
        let tail_at = body_len
            .checked_sub(COMPOSITE_TAIL)
            .ok_or_else(|| place.corrupt(0, format_args!("a body of {body_len} bytes")))?;
        let failed = |error| place.corrupt_by(tail_at, "cannot be read", error);
        let last = read(tail_at..body_len).map_err(failed)?;
        let len = Self::total_len(&last, body_len)
            .ok_or_else(|| place.corrupt(tail_at, "its length exceeds the file"))?;
        let entries = read(body_len - len..tail_at).map_err(failed)?;
        Self::from_entries(&entries, body_len - len..body_len, what)
    }

    /// Where a field's bytes lie; nothing when the segment has none.
    #[cfg(test)]
    pub(crate) fn field(&self, field: u32) -> Option<Range<u64>> {
        self.fields.get(&(field, 0)).cloned()
    }
}

/// The entries: a count, then for each the distance from the one before, the field and its index.
/// A field ends where the next begins, the last one at the footer.
fn parse_entries(
    entries: &[u8],
    footer_at: u64,
) -> Result<BTreeMap<(u32, usize), Range<u64>>, String> {
    let mut rest = entries;
    let count = read_vint(&mut rest).ok_or("unreadable number of fields")?;
    if count > rest.len() as u64 / LEAST_ENTRY_LEN {
        return Err(format!("{count} fields do not fit {} bytes", rest.len()));
    }
    let mut starts: Vec<((u32, usize), u64)> = Vec::with_capacity(count as usize);
    let mut offset = 0_u64;
    for _ in 0..count {
        let delta = read_vint(&mut rest).ok_or("unreadable offset")?;
        offset = offset
            .checked_add(delta)
            .filter(|offset| *offset <= footer_at)
            .ok_or("a field begins after the body's end")?;
        let field = u32_at(rest, 0).ok_or("a field is cut off")?;
        rest = &rest[4..];
        let index = read_vint(&mut rest)
            .and_then(|index| usize::try_from(index).ok())
            .ok_or("unreadable index of a field")?;
        starts.push(((field, index), offset));
    }
    let mut fields = BTreeMap::new();
    for (at, (address, start)) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(footer_at, |(_, next)| *next);
        if fields.insert(*address, *start..end).is_some() {
            return Err(format!(
                "field {} index {} is listed twice",
                address.0, address.1
            ));
        }
    }
    Ok(fields)
}

/// tantivy's variable-length integer: seven bits a byte, the lowest first, the high bit on the
/// last byte. (postcard sets it on all but the last.)
pub(crate) fn read_vint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let part = u64::from(byte & 0x7f);
        let shift = 7 * at as u32;
        let shifted = part << shift;
        if shifted >> shift != part {
            return None;
        }
        value |= shifted;
        if byte & 0x80 != 0 {
            *bytes = &bytes[at + 1..];
            return Some(value);
        }
    }
    None
}
