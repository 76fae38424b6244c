//! tantivy's own readers, over the files of a split.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tantivy::directory::error::OpenReadError;
use tantivy::directory::{CompositeFile, Directory};
use tantivy::index::SegmentComponent;
use tantivy::schema::Schema;
use tantivy::{Index, ReloadPolicy};

use super::open::Tokenizers;
use super::split::{Readers, SchemaKey, SegmentFiles};
use super::{FileGuard, MetaSummary, check_segment};
use crate::directory::{SplitDirectory, SplitFiles};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Fingerprint;

/// Decompressed document store blocks that a segment keeps, of 16 KiB by default.
const STORE_CACHE_BLOCKS: usize = 4;

/// A reader that panicked at open met bytes that are not an index.
pub(super) fn broken(files: &SplitFiles, error: Error) -> Error {
    Error::with_source(
        ErrorKind::Corrupt,
        format!(
            "{}: the index in the split cannot be opened",
            files.extents().object()
        ),
        error,
    )
}

/// Opens tantivy's readers of a split, which read through it.
pub(super) fn open_readers(files: &Arc<SplitFiles>, tokenizers: Tokenizers) -> Result<Readers> {
    let directory = SplitDirectory::new(Arc::clone(files));
    open_over(directory, files, tokenizers, |guards| files.guard(guards))
}

/// Opens tantivy's readers over `directory`, which holds `files`. What is found out about reads
/// that want checking is told to `guard` before they are made.
pub(super) fn open_over(
    directory: impl Directory,
    files: &SplitFiles,
    tokenizers: Tokenizers,
    guard: impl FnOnce(Vec<(String, FileGuard)>),
) -> Result<Readers> {
    let failed = |error: tantivy::TantivyError| match error {
        tantivy::TantivyError::IncompatibleIndex(_) => Error::with_source(
            ErrorKind::Unsupported,
            format!(
                "{}: written in an index format this tantivy does not read",
                what(files)
            ),
            error,
        ),
        error => Error::with_source(
            ErrorKind::Corrupt,
            format!("{}: the index in the split cannot be opened", what(files)),
            error,
        ),
    };
    let meta = directory
        .atomic_read(Path::new("meta.json"))
        .map_err(|error| {
            Error::with_source(
                ErrorKind::Corrupt,
                format!("{}/meta.json cannot be read", what(files)),
                error,
            )
        })?;
    MetaSummary::parse(&meta, files.ranges(), &what(files))?;
    let mut index = Index::open(directory).map_err(failed)?;
    index.set_tokenizers(tokenizers.indexed);
    index.set_fast_field_tokenizers(tokenizers.fast);
    let mut guards = Vec::new();
    for segment in index.searchable_segments().map_err(failed)? {
        guards.extend(check_segment(&segment, &what(files))?);
    }
    guard(guards);
    let searcher = index
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .doc_store_cache_num_blocks(0)
        .try_into()
        .map_err(failed)?
        .searcher();
    let segments = searcher
        .segment_readers()
        .iter()
        .map(|reader| {
            let open = |component| match reader.open_read(component) {
                Ok(file) => CompositeFile::open(&file).map_err(Into::into),
                Err(OpenReadError::FileDoesNotExist(_)) => Ok(CompositeFile::empty()),
                Err(error) => Err(tantivy::TantivyError::from(error)),
            };
            Ok(SegmentFiles {
                terms: open(SegmentComponent::Terms)?,
                openings: Mutex::default(),
                postings: open(SegmentComponent::Postings)?,
                positions: open(SegmentComponent::Positions)?,
                store: reader.get_store_reader(STORE_CACHE_BLOCKS)?,
            })
        })
        .collect::<tantivy::Result<_>>()
        .map_err(failed)?;
    let schema_key = schema_key(&index.schema(), files)?;
    Ok(Readers {
        index,
        searcher,
        segments,
        schema_key,
    })
}

fn schema_key(schema: &Schema, files: &SplitFiles) -> Result<SchemaKey> {
    let written = serde_json::to_value(schema).map_err(|error| {
        let message = format!("{}: the schema cannot be written", what(files));
        Error::with_source(ErrorKind::Corrupt, message, error)
    })?;
    Ok(Fingerprint::of(&written))
}

pub(super) fn what(files: &SplitFiles) -> String {
    files.extents().object().to_string()
}
