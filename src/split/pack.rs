//! Packing a tantivy index into one split object.
//!
//! The bytes depend on the index alone (C8): segments in the order of `meta.json`, the files of a
//! segment by name, then `.managed.json`, `meta.json` as it stands in the index, and an empty
//! `split_fields`. Only what the committed `meta.json` refers to is packed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tantivy::directory::error::OpenReadError;
use tantivy::directory::{Directory, FileSlice};
use tantivy::index::SegmentComponent;
use tantivy::{HasLen, Index, IndexMeta, TantivyError};

use super::composite::FileFooter;
use super::encode::{self, FileSlices};
use super::recording::{FolderDirectory, RecordingDirectory};
use super::touch;
use crate::error::{Error, ErrorKind, Result};

const META: &str = "meta.json";
const MANAGED: &str = ".managed.json";
const SPLIT_FIELDS: &str = "split_fields";

/// Largest chunk that reading a packed split holds in memory, in bytes. Object stores want parts
/// of at least 5 MiB.
const CHUNK: u64 = 8 * 1024 * 1024;

/// How to pack.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PackSettings {
    /// Column dictionaries (the names and places of a segment's columns) of up to this many bytes
    /// are put whole into the hot bytes; of a larger one the first blocks are, up to this many
    /// bytes. Default 64 KiB.
    pub column_dictionary_budget: u64,
    /// Term dictionaries of up to this many bytes, each the dictionary of one field in one
    /// segment, are put whole into the hot bytes: looking up a term of such a field then costs no
    /// round. Default 64 KiB.
    pub term_dictionary_budget: u64,
    /// Whether to end the object in a `QWFT` trailer. Older readers of the format break on it, so
    /// the default is no.
    pub trailer: bool,
}

impl Default for PackSettings {
    fn default() -> Self {
        Self {
            column_dictionary_budget: 64 * 1024,
            term_dictionary_budget: 64 * 1024,
            trailer: false,
        }
    }
}

/// A split, ready to be written: its footer in memory, its body still in the directory it was
/// packed from.
///
/// Cloning is cheap.
#[derive(Clone)]
pub struct PackedSplit {
    parts: Arc<[Part]>,
    footer_range: Range<u64>,
    files: BTreeMap<String, Range<u64>>,
}

/// One run of the object.
struct Part {
    name: String,
    range: Range<u64>,
    source: Source,
}

enum Source {
    Bytes(Bytes),
    File(FileSlice),
}

/// Packs the index in `directory`.
///
/// `directory` must be what the index was created in, and not the wrapper that
/// `Index::directory` returns, which hides the files' checksums.
///
/// # Errors
///
/// `NotFound` when there is no index or one of its files is missing, `Corrupt` when a file is
/// damaged, `Unsupported` when its dictionaries are of the kind that this build does not read,
/// `Store` when reading fails.
pub fn pack(directory: &dyn Directory, settings: &PackSettings) -> Result<PackedSplit> {
    let meta = directory
        .atomic_read(Path::new(META))
        .map_err(|error| tantivy_error("meta.json cannot be read", error.into()))?;
    // The same bytes are packed and opened, whatever a writer does meanwhile.
    let overlay = BTreeMap::from([
        (META.to_owned(), meta.clone()),
        (MANAGED.to_owned(), b"[]\n".to_vec()),
    ]);
    let index = Index::open(RecordingDirectory::new(directory.box_clone(), overlay))
        .map_err(|error| tantivy_error("the index cannot be opened", error))?;
    let metas = index
        .load_metas()
        .map_err(|error| tantivy_error("meta.json cannot be read", error))?;
    let names = segment_files(&metas);
    let files = open_files(directory, names)?;
    let managed = managed_json(&files)?;

    let overlay = BTreeMap::from([
        (META.to_owned(), meta.clone()),
        (MANAGED.to_owned(), managed.clone()),
    ]);
    let recording = RecordingDirectory::new(directory.box_clone(), overlay);
    let by_name = files.iter().cloned().collect();
    let hot_ranges = touch::hot_ranges(&recording, &by_name, settings)?;

    let mut sources: Vec<(String, Source)> = files
        .into_iter()
        .map(|(name, slice)| (name, Source::File(slice)))
        .collect();
    sources.push((MANAGED.to_owned(), Source::Bytes(managed.into())));
    sources.push((META.to_owned(), Source::Bytes(meta.into())));
    sources.push((SPLIT_FIELDS.to_owned(), Source::Bytes(Bytes::new())));
    assemble(sources, &hot_ranges, settings)
}

/// Packs the index in the folder `path`, with positioned reads and without mapping its files.
///
/// # Errors
///
/// As [`pack`].
pub fn pack_path(path: &Path, settings: &PackSettings) -> Result<PackedSplit> {
    pack(&FolderDirectory::new(path), settings)
}

/// The files that the segments may have, in the order they are packed, and whether each must
/// exist.
fn segment_files(metas: &IndexMeta) -> Vec<(String, bool)> {
    let mut files = Vec::new();
    for segment in &metas.segments {
        let mut components = vec![
            (SegmentComponent::FastFields, true),
            (SegmentComponent::FieldNorms, true),
            (SegmentComponent::Positions, false),
            (SegmentComponent::Postings, true),
            (SegmentComponent::Store, true),
            (SegmentComponent::Terms, true),
        ];
        if segment.has_deletes() {
            components.push((SegmentComponent::Delete, true));
        }
        let custom = metas.persisted_custom_extensions.iter();
        components.extend(custom.map(|ext| (SegmentComponent::Custom(ext.clone()), false)));
        let mut names: Vec<(String, bool)> = components
            .into_iter()
            .map(|(component, required)| {
                (
                    segment
                        .relative_path(component)
                        .to_string_lossy()
                        .into_owned(),
                    required,
                )
            })
            .collect();
        names.sort();
        names.dedup_by(|b, a| a.0 == b.0);
        files.extend(names);
    }
    files
}

fn open_files(
    directory: &dyn Directory,
    names: Vec<(String, bool)>,
) -> Result<Vec<(String, FileSlice)>> {
    let mut files = Vec::with_capacity(names.len());
    for (name, required) in names {
        let slice = match directory.open_read(Path::new(&name)) {
            Ok(slice) => slice,
            Err(OpenReadError::FileDoesNotExist(_)) if !required => continue,
            Err(error) => {
                return Err(tantivy_error(
                    &format!("{name} cannot be opened"),
                    error.into(),
                ));
            }
        };
        check_footer(&slice, &name)?;
        files.push((name, slice));
    }
    Ok(files)
}

/// Every file of a segment ends in tantivy's footer, unless something took it off.
fn check_footer(slice: &FileSlice, name: &str) -> Result<()> {
    let len = slice.len() as u64;
    let last = touch::read(slice, len.saturating_sub(8)..len, name)?;
    if FileFooter::total_len(&last, len).is_some() {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "{name}: no checksum footer at its end; it is damaged, or the directory is tantivy's \
         managed wrapper: give the directory the index was created in"
    )))
}

/// tantivy's list of the files it manages, sorted: a hash set's order would differ from run to
/// run.
fn managed_json(files: &[(String, FileSlice)]) -> Result<Vec<u8>> {
    let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.push(META);
    names.sort_unstable();
    let mut json = serde_json::to_vec(&names).map_err(|error| {
        Error::with_source(ErrorKind::Internal, "cannot write .managed.json", error)
    })?;
    json.push(b'\n');
    Ok(json)
}

/// Lays the sources one after another and writes the footer behind them.
fn assemble(
    sources: Vec<(String, Source)>,
    hot_ranges: &BTreeMap<String, Vec<Range<u64>>>,
    settings: &PackSettings,
) -> Result<PackedSplit> {
    let mut parts = Vec::with_capacity(sources.len() + 1);
    let mut hot = BTreeMap::new();
    let mut end = 0;
    for (name, source) in sources {
        let len = match &source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File(file) => file.len() as u64,
        };
        let part = Part {
            name,
            range: end..end + len,
            source,
        };
        end += len;
        // Readers never open `split_fields` as a file of the index, so writers of the format do
        // not list it.
        if part.name != SPLIT_FIELDS {
            let mut slices = Vec::new();
            for range in hot_ranges.get(&part.name).into_iter().flatten() {
                slices.push((range.clone(), part.read(range.clone())?.to_vec()));
            }
            hot.insert(part.name.clone(), FileSlices { len, slices });
        }
        parts.push(part);
    }
    let files: BTreeMap<String, Range<u64>> = parts
        .iter()
        .map(|part| (part.name.clone(), part.range.clone()))
        .collect();
    let hot = encode::hot_bytes(&hot)?;
    let footer = encode::footer(end, &files, &hot, settings.trailer)?;
    let footer_range = end..end + footer.len() as u64;
    parts.push(Part {
        name: "footer".to_owned(),
        range: footer_range.clone(),
        source: Source::Bytes(footer),
    });
    Ok(PackedSplit {
        parts: parts.into(),
        footer_range,
        files,
    })
}

impl Part {
    /// Reads `range`, relative to the part.
    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match &self.source {
            Source::Bytes(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize)),
            Source::File(file) => Ok(touch::read(file, range, &self.name)?.into()),
        }
    }
}

impl PackedSplit {
    /// Size of the whole object, in bytes.
    pub fn len(&self) -> u64 {
        self.footer_range.end
    }

    /// Never: a split without documents still has a footer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the footer lies, from the bundle metadata to the end of the object. Catalogues keep
    /// this pair, so that opening asks for exactly these bytes.
    pub fn footer_range(&self) -> Range<u64> {
        self.footer_range.clone()
    }

    /// Where each file lies in the object.
    pub fn files(&self) -> impl Iterator<Item = (&str, Range<u64>)> {
        self.files
            .iter()
            .map(|(name, range)| (name.as_str(), range.clone()))
    }

    /// Reads `range` of the object, from the directory it was packed from. Blocks while reading.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the range leaves the object, `Store` when reading fails.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > self.len() {
            return Err(Error::invalid(format!(
                "bytes {}..{} lie outside the split's {}",
                range.start,
                range.end,
                self.len()
            )));
        }
        let first = self
            .parts
            .partition_point(|part| part.range.end <= range.start);
        let mut read = Vec::new();
        for part in &self.parts[first..] {
            if part.range.start >= range.end {
                break;
            }
            let start = range.start.max(part.range.start) - part.range.start;
            let end = range.end.min(part.range.end) - part.range.start;
            if start < end {
                read.push(part.read(start..end)?);
            }
        }
        if read.len() == 1 {
            return Ok(read.swap_remove(0));
        }
        Ok(read.concat().into())
    }

    /// The object in order, in chunks of 8 MiB of which the last is shorter, each read when it is
    /// asked for. Blocks while reading.
    pub fn chunks(&self) -> impl Iterator<Item = Result<Bytes>> + '_ {
        self.chunk_ranges().map(|range| self.read(range))
    }

    /// The object as one vector.
    ///
    /// # Errors
    ///
    /// `Store` when reading fails.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.len()).unwrap_or(0));
        for chunk in self.chunks() {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
    }

    pub(crate) fn chunk_ranges(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let len = self.len();
        (0..len.div_ceil(CHUNK)).map(move |at| at * CHUNK..((at + 1) * CHUNK).min(len))
    }
}

impl std::fmt::Debug for PackedSplit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedSplit")
            .field("files", &self.files)
            .field("footer_range", &self.footer_range)
            .finish()
    }
}

/// Wraps an error of tantivy, by what the caller can do about it.
pub(crate) fn tantivy_error(context: &str, error: TantivyError) -> Error {
    let kind = match &error {
        TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_)) => ErrorKind::NotFound,
        TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(_))
        | TantivyError::IncompatibleIndex(_) => ErrorKind::Unsupported,
        TantivyError::OpenReadError(_) | TantivyError::IoError(_) => ErrorKind::Store,
        TantivyError::DataCorruption(_) => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    };
    Error::with_source(kind, context, error)
}
