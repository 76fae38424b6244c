//! What a split is made of, in bytes: for `inspect`.

use std::collections::BTreeMap;

use serde::Serialize;
use tantivy::SegmentReader;
use tantivy::columnar::ColumnarReader;
use tantivy::directory::CompositeFile;
use tantivy::directory::error::OpenReadError;
use tantivy::index::SegmentComponent;
use tantivy::space_usage::FieldUsage;

use super::Split;
use crate::plan::Component;

/// What a split is made of.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SplitLayout {
    /// The path in the store.
    pub path: String,
    /// Length of the object in bytes.
    pub bytes: u64,
    /// Whether the object ends in a `QWFT` trailer.
    pub trailer: bool,
    /// Offset and end of the footer, for a catalogue.
    pub footer: std::ops::Range<u64>,
    /// Bytes of hot bytes.
    pub hot_bytes: u64,
    /// The version of tantivy that wrote the index, when the split tells.
    pub written_by: Option<String>,
    /// Documents that are not deleted.
    pub documents: u64,
    /// The segments.
    pub segments: Vec<SegmentLayout>,
    /// Bytes of each component, all segments together.
    pub components: BTreeMap<Component, u64>,
    /// Bytes of each field in each component that is divided by field, all segments together.
    pub fields: BTreeMap<String, BTreeMap<Component, u64>>,
    /// The files in the order of the object.
    pub files: Vec<FileLayout>,
}

/// One segment.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SegmentLayout {
    /// Its identifier.
    pub id: String,
    /// Documents ever added.
    pub max_doc: u32,
    /// Documents deleted.
    pub deleted: u32,
}

/// One file inside the object.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FileLayout {
    /// Its name.
    pub name: String,
    /// Where it lies in the object.
    pub range: std::ops::Range<u64>,
    /// Of its bytes, how many are in the hot bytes too.
    pub hot_bytes: u64,
}

impl SplitLayout {
    /// Reads the layout; must run in a read scope, for the names of columns may have to be read.
    pub(crate) fn of(split: &Split) -> tantivy::Result<Self> {
        let files = split.files();
        let mut listed: Vec<FileLayout> = files
            .ranges()
            .iter()
            .map(|(name, range)| FileLayout {
                name: name.clone(),
                range: range.clone(),
                hot_bytes: files.hot().file(name).map_or(0, |file| {
                    file.slices()
                        .iter()
                        .map(|slice| slice.range.len() as u64)
                        .sum()
                }),
            })
            .collect();
        listed.sort_by_key(|file| (file.range.start, file.range.end));
        let mut components = BTreeMap::new();
        for file in &listed {
            let bytes = file.range.end - file.range.start;
            *components
                .entry(Component::of_file(&file.name))
                .or_default() += bytes;
        }
        let mut fields: BTreeMap<String, BTreeMap<Component, u64>> = BTreeMap::new();
        let mut segments = Vec::new();
        for reader in split.searcher().segment_readers() {
            segments.push(SegmentLayout {
                id: reader.segment_id().uuid_string(),
                max_doc: reader.max_doc(),
                deleted: reader.num_deleted_docs(),
            });
            for (field, component, bytes) in field_bytes(reader)? {
                *fields
                    .entry(field)
                    .or_default()
                    .entry(component)
                    .or_default() += bytes;
            }
        }
        Ok(Self {
            path: split.path().to_string(),
            bytes: split.size(),
            trailer: split.has_trailer(),
            footer: split.footer(),
            hot_bytes: split.hot_bytes(),
            written_by: split.written_by.clone(),
            documents: split.num_docs(),
            segments,
            components,
            fields,
            files: listed,
        })
    }
}

/// The bytes of every field of a segment in every component that is divided by field.
fn field_bytes(reader: &SegmentReader) -> tantivy::Result<Vec<(String, Component, u64)>> {
    let mut found = Vec::new();
    for (file, component) in [
        (SegmentComponent::Terms, Component::Terms),
        (SegmentComponent::Postings, Component::Postings),
        (SegmentComponent::Positions, Component::Positions),
        (SegmentComponent::FieldNorms, Component::Norms),
    ] {
        let file = match reader.open_read(file) {
            Ok(file) => file,
            Err(OpenReadError::FileDoesNotExist(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let usage = CompositeFile::open(&file)?.space_usage(reader.schema());
        let bytes = |field: &FieldUsage| field.total().get_bytes();
        found.extend(
            usage
                .fields()
                .map(|field| (field.field_name().to_owned(), component, bytes(field))),
        );
    }
    let columns = ColumnarReader::open(reader.open_read(SegmentComponent::FastFields)?)?;
    for (name, column) in columns.list_columns()? {
        // Paths inside JSON are separated by 0x01 in the file, by dots for people.
        let name = name.replace('\u{1}', ".");
        found.push((name, Component::Columns, column.num_bytes().get_bytes()));
    }
    Ok(found)
}
