//! The footer of a split: bundle metadata, hot bytes and the optional trailer.
//!
//! Without a trailer the footer is found from the last bytes of the object backwards, through two
//! u32 lengths; with one, its start is written there. Either way the same chain is checked.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use tantivy::directory::OwnedBytes;

use super::wire::{Place, u32_at, u64_at};
use crate::error::{Error, ErrorKind, Result};

/// First u32 of the bundle metadata.
pub(crate) const BUNDLE_MAGIC: u32 = 403_881_646;
/// The only version of the bundle metadata.
pub(crate) const BUNDLE_VERSION: u32 = 1;
/// Last bytes of an object that has a trailer.
pub(crate) const TRAILER_MAGIC: [u8; 4] = *b"QWFT";
/// The only version of the trailer.
pub(crate) const TRAILER_VERSION: u32 = 1;
/// u64 footer start, u32 version, four bytes of magic.
pub(crate) const TRAILER_LEN: u64 = 16;

/// Magic and version, counted in the metadata length.
const METADATA_HEADER_LEN: u64 = 8;
/// A u32 length.
const LENGTH_LEN: u64 = 4;
/// What a second GET asks for when the metadata's own length is not known yet: enough for about
/// ten segments, and little enough to cost nothing.
const METADATA_GUESS: u64 = 16 * 1024;
/// File names are `<32 hex digits>.<component>`; anything near this length is hostile.
const MAX_NAME_LEN: usize = 1024;

/// A checked footer. Its ranges lie inside the object and do not overlap.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    /// From the start of the bundle metadata to the end of the object, trailer included.
    pub(crate) footer_range: Range<u64>,
    /// Where each file lies, in offsets from the start of the object. All of them end before the
    /// footer begins.
    pub(crate) files: BTreeMap<String, Range<u64>>,
    /// The hot bytes, not parsed yet; a slice of what was given to the parser.
    pub(crate) hot: OwnedBytes,
    /// Whether the object ends in a `QWFT` trailer.
    pub(crate) has_trailer: bool,
}

/// What came of parsing the tail of an object.
#[derive(Debug)]
pub(crate) enum FooterParse {
    /// The tail held the whole footer.
    Complete(Footer),
    /// The footer begins before the tail: parse again with a tail that begins at `from`, which is
    /// always smaller than the `tail_start` given. Exact as soon as the metadata's length is
    /// known; until then a guess, which may have to be followed by another.
    NeedMore {
        /// Offset in the object.
        from: u64,
    },
}

/// Where the footer's parts lie, in offsets from the start of the object.
struct Layout {
    metadata: Range<u64>,
    hot: Range<u64>,
    has_trailer: bool,
}

enum Located {
    Found(Layout),
    NeedMore(u64),
}

/// A tail of an object, read by absolute offsets.
struct Tail<'a> {
    bytes: &'a OwnedBytes,
    start: u64,
    place: Place<'a>,
}

impl Footer {
    /// Parses the footer from `tail`, the bytes of the object from `tail_start` to its end at
    /// `object_len`. `what` names the object in errors. Copies nothing.
    ///
    /// # Errors
    ///
    /// `Corrupt` when the bytes are not a split's footer, `Unsupported` for an unknown version.
    pub(crate) fn parse(
        tail: OwnedBytes,
        tail_start: u64,
        object_len: u64,
        what: &str,
    ) -> Result<FooterParse> {
        let place = Place::new(what, "footer");
        if tail_start.checked_add(tail.len() as u64) != Some(object_len) {
            return Err(place.corrupt(
                tail_start,
                format_args!(
                    "the tail holds {} bytes, the object ends at {object_len}",
                    tail.len()
                ),
            ));
        }
        let view = Tail {
            bytes: &tail,
            start: tail_start,
            place,
        };
        let layout = match view.locate(object_len)? {
            Located::Found(layout) => layout,
            Located::NeedMore(from) => return Ok(FooterParse::NeedMore { from }),
        };
        let files = parse_metadata(view.slice(&layout.metadata)?, &layout.metadata, what)?;
        let hot = view.owned(&layout.hot)?;
        Ok(FooterParse::Complete(Self {
            footer_range: layout.metadata.start..object_len,
            files,
            hot,
            has_trailer: layout.has_trailer,
        }))
    }

    /// Parses the footer when the caller knew where it lies: `bytes` are exactly `range` of the
    /// object, and `range` ends where the object ends.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse), and `InvalidRequest` when the footer is sound but begins
    /// elsewhere than the caller said.
    pub(crate) fn parse_exact(bytes: OwnedBytes, range: Range<u64>, what: &str) -> Result<Self> {
        let disagree = |found: u64| {
            Error::new(
                ErrorKind::InvalidRequest,
                format!(
                    "{what}: the footer was said to begin at {}, but begins at {found} or before",
                    range.start
                ),
            )
        };
        match Self::parse(bytes, range.start, range.end, what)? {
            FooterParse::Complete(footer) if footer.footer_range.start == range.start => Ok(footer),
            FooterParse::Complete(footer) => Err(Error::invalid(format!(
                "{what}: the footer was said to begin at {}, but begins at {}",
                range.start, footer.footer_range.start
            ))),
            FooterParse::NeedMore { from } => Err(disagree(from)),
        }
    }
}

impl Tail<'_> {
    fn u32(&self, offset: u64) -> Option<u32> {
        u32_at(
            self.bytes,
            usize::try_from(offset.checked_sub(self.start)?).ok()?,
        )
    }

    fn u64(&self, offset: u64) -> Option<u64> {
        u64_at(
            self.bytes,
            usize::try_from(offset.checked_sub(self.start)?).ok()?,
        )
    }

    /// `range` as indexes into the tail.
    fn indexes(&self, range: &Range<u64>) -> Result<Range<usize>> {
        let index = |offset: u64| usize::try_from(offset.checked_sub(self.start)?).ok();
        match (index(range.start), index(range.end)) {
            (Some(start), Some(end)) if start <= end && end <= self.bytes.len() => Ok(start..end),
            _ => Err(self.place.corrupt(range.start, "lies outside the object")),
        }
    }

    fn slice(&self, range: &Range<u64>) -> Result<&[u8]> {
        Ok(&self.bytes[self.indexes(range)?])
    }

    fn owned(&self, range: &Range<u64>) -> Result<OwnedBytes> {
        Ok(self.bytes.slice(self.indexes(range)?))
    }

    fn locate(&self, object_len: u64) -> Result<Located> {
        if object_len < METADATA_HEADER_LEN + 2 * LENGTH_LEN {
            return Err(self
                .place
                .corrupt(0, format_args!("{object_len} bytes are no split")));
        }
        let wanted = object_len.saturating_sub(TRAILER_LEN);
        if self.start > wanted {
            return Ok(Located::NeedMore(wanted.saturating_sub(METADATA_GUESS)));
        }
        match self.trailer(object_len)? {
            Some(footer_start) => self.locate_with_trailer(object_len, footer_start),
            None => self.walk_back(object_len, false),
        }
    }

    /// The footer start that the trailer tells; nothing when there is no trailer.
    fn trailer(&self, object_len: u64) -> Result<Option<u64>> {
        if object_len < TRAILER_LEN || !self.bytes.ends_with(&TRAILER_MAGIC) {
            return Ok(None);
        }
        let at = object_len - TRAILER_LEN;
        let (Some(footer_start), Some(version)) = (self.u64(at), self.u32(at + 8)) else {
            return Err(self.place.corrupt(at, "the trailer is cut off"));
        };
        if version != TRAILER_VERSION {
            return Err(self.place.unsupported(
                at + 8,
                format_args!("trailer version {version}; this version reads {TRAILER_VERSION}"),
            ));
        }
        let least = METADATA_HEADER_LEN + 2 * LENGTH_LEN;
        // Four bytes of a hot length may spell `QWFT` by accident: an impossible footer start
        // says that they did.
        Ok(footer_start
            .checked_add(least)
            .filter(|end| *end <= at)
            .map(|end| end - least))
    }

    fn locate_with_trailer(&self, object_len: u64, footer_start: u64) -> Result<Located> {
        if footer_start < self.start {
            return Ok(Located::NeedMore(footer_start));
        }
        match self.walk_back(object_len - TRAILER_LEN, true)? {
            Located::Found(layout) if layout.metadata.start == footer_start => {
                Ok(Located::Found(layout))
            }
            _ => Err(self.place.corrupt(
                object_len - TRAILER_LEN,
                format_args!(
                    "the trailer puts the footer's start at {footer_start}, its lengths do not"
                ),
            )),
        }
    }

    /// Follows the two lengths backwards from `end`.
    fn walk_back(&self, end: u64, has_trailer: bool) -> Result<Located> {
        let cut_off = || {
            self.place
                .corrupt(end, "the object is too short for its lengths")
        };
        let hot_end = end.checked_sub(LENGTH_LEN).ok_or_else(cut_off)?;
        let hot_len = u64::from(self.u32(hot_end).ok_or_else(cut_off)?);
        let hot_start = hot_end.checked_sub(hot_len).ok_or_else(|| {
            self.place.corrupt(
                hot_end,
                format_args!("hot length {hot_len} exceeds the object"),
            )
        })?;
        let metadata_end = hot_start.checked_sub(LENGTH_LEN).ok_or_else(|| {
            self.place.corrupt(
                hot_end,
                format_args!("hot length {hot_len} exceeds the object"),
            )
        })?;
        let Some(metadata_len) = self.u32(metadata_end).map(u64::from) else {
            return Ok(Located::NeedMore(
                metadata_end.saturating_sub(METADATA_GUESS),
            ));
        };
        if metadata_len < METADATA_HEADER_LEN {
            return Err(self.place.corrupt(
                metadata_end,
                format_args!("metadata length {metadata_len} is below its header's 8 bytes"),
            ));
        }
        let metadata_start = metadata_end.checked_sub(metadata_len).ok_or_else(|| {
            self.place.corrupt(
                metadata_end,
                format_args!("metadata length {metadata_len} exceeds the object"),
            )
        })?;
        if metadata_start < self.start {
            return Ok(Located::NeedMore(metadata_start));
        }
        Ok(Located::Found(Layout {
            metadata: metadata_start..metadata_end,
            hot: hot_start..hot_end,
            has_trailer,
        }))
    }
}

/// Parses and checks the bundle metadata, which lies at `range` of the object.
fn parse_metadata(
    bytes: &[u8],
    range: &Range<u64>,
    what: &str,
) -> Result<BTreeMap<String, Range<u64>>> {
    let place = Place::new(what, "bundle metadata");
    let (Some(magic), Some(version), Some(json)) = (
        u32_at(bytes, 0),
        u32_at(bytes, 4),
        bytes.get(METADATA_HEADER_LEN as usize..),
    ) else {
        return Err(place.corrupt(range.start, "it is shorter than its header"));
    };
    if magic != BUNDLE_MAGIC {
        return Err(place.corrupt(
            range.start,
            format_args!("magic number {magic}, expected {BUNDLE_MAGIC}: the object is no split"),
        ));
    }
    if version != BUNDLE_VERSION {
        return Err(place.unsupported(
            range.start + 4,
            format_args!("version {version}; this version of forewarm reads {BUNDLE_VERSION}"),
        ));
    }
    let json_at = range.start + METADATA_HEADER_LEN;
    let bundle: Bundle = serde_json::from_slice(json)
        .map_err(|error| place.corrupt_by(json_at, "its JSON cannot be read", error))?;
    let files = bundle.files.0;
    check_files(&files, range.start).map_err(|detail| place.corrupt(json_at, detail))?;
    Ok(files)
}

/// Names are plain, ranges lie in the body and do not overlap.
fn check_files(files: &BTreeMap<String, Range<u64>>, body_end: u64) -> Result<(), String> {
    for (name, range) in files {
        check_name(name)?;
        if range.start > range.end || range.end > body_end {
            return Err(format!(
                "file {name} spans {}..{}, the body 0..{body_end}",
                range.start, range.end
            ));
        }
    }
    let mut spans: Vec<(&Range<u64>, &String)> = files
        .iter()
        .filter(|(_, range)| !range.is_empty())
        .map(|(name, range)| (range, name))
        .collect();
    spans.sort_by_key(|(range, _)| range.start);
    for pair in spans.windows(2) {
        if pair[0].0.end > pair[1].0.start {
            return Err(format!("files {} and {} overlap", pair[0].1, pair[1].1));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_NAME_LEN {
        return Err(format!("a file name has {} bytes", name.len()));
    }
    let plain = name != "."
        && name != ".."
        && !name
            .chars()
            .any(|c| c == '/' || c == '\\' || c.is_control());
    if !plain {
        return Err(format!("file name {name:?} is not a plain name"));
    }
    Ok(())
}

/// The metadata's JSON. Other top-level fields are tolerated: the format may grow.
#[derive(Deserialize)]
struct Bundle {
    files: Files,
}

#[derive(Deserialize)]
struct Span {
    start: u64,
    end: u64,
}

/// A map whose names are unique. serde would let the last of two equal names win in silence.
struct Files(BTreeMap<String, Range<u64>>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilesVisitor;

        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of file names to their start and end")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
                let mut files = BTreeMap::new();
                while let Some((name, span)) = map.next_entry::<String, Span>()? {
                    if files.contains_key(&name) {
                        return Err(A::Error::custom(format_args!(
                            "file {name} is listed twice"
                        )));
                    }
                    files.insert(name, span.start..span.end);
                }
                Ok(Files(files))
            }
        }

        deserializer.deserialize_map(FilesVisitor)
    }
}
