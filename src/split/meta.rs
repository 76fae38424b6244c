//! `meta.json`, checked before tantivy reads it.
//!
//! tantivy panics on a schema that names a field twice and on a segment with more deletes than
//! documents, and asks for files without knowing whether the split has them.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use serde::Deserialize;

use super::wire::Place;
use crate::error::Result;

/// What `meta.json` says of the segments, found to agree with the split's files.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct MetaSummary {
    /// In the order of the index.
    pub(crate) segments: Vec<SegmentSummary>,
    /// Number of fields in the schema.
    pub(crate) fields: usize,
}

/// One segment of an index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SegmentSummary {
    /// 32 hexadecimal digits, the stem of its files' names.
    pub(crate) id: String,
    /// Documents, deleted ones included.
    pub(crate) max_doc: u32,
    /// Deleted documents.
    pub(crate) deleted: u32,
    /// The name of its bitset of documents alive, when it has one.
    pub(crate) alive_file: Option<String>,
}

#[derive(Deserialize)]
struct MetaJson {
    segments: Vec<SegmentJson>,
    schema: Vec<FieldJson>,
}

#[derive(Deserialize)]
struct SegmentJson {
    segment_id: String,
    max_doc: u32,
    deletes: Option<DeletesJson>,
}

#[derive(Deserialize)]
struct DeletesJson {
    num_deleted_docs: u32,
    opstamp: u64,
}

#[derive(Deserialize)]
struct FieldJson {
    name: String,
}

impl MetaSummary {
    /// Parses `meta.json` of the split `what`, whose footer lists `files`.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it is not an index's metadata, contradicts itself, or names segments whose
    /// files the split does not hold.
    pub(crate) fn parse(
        json: &[u8],
        files: &BTreeMap<String, Range<u64>>,
        what: &str,
    ) -> Result<Self> {
        let place = Place::new(what, "meta.json");
        let meta: MetaJson = serde_json::from_slice(json)
            .map_err(|error| place.corrupt_by(0, "cannot be read", error))?;
        let mut names = HashSet::with_capacity(meta.schema.len());
        if let Some(twice) = meta
            .schema
            .iter()
            .find(|field| !names.insert(field.name.as_str()))
        {
            return Err(place.corrupt(0, format_args!("field {:?} is listed twice", twice.name)));
        }
        let mut seen = HashSet::with_capacity(meta.segments.len());
        let mut segments = Vec::with_capacity(meta.segments.len());
        for segment in meta.segments {
            let segment = segment
                .check(files)
                .map_err(|detail| place.corrupt(0, detail))?;
            if !seen.insert(segment.id.clone()) {
                return Err(place.corrupt(0, format_args!("segment {} appears twice", segment.id)));
            }
            segments.push(segment);
        }
        Ok(Self {
            segments,
            fields: meta.schema.len(),
        })
    }
}

impl SegmentJson {
    fn check(self, files: &BTreeMap<String, Range<u64>>) -> Result<SegmentSummary, String> {
        let id = self.segment_id.replace('-', "").to_ascii_lowercase();
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("segment id {:?} is no UUID", self.segment_id));
        }
        for component in ["fast", "fieldnorm", "idx", "store", "term"] {
            let name = format!("{id}.{component}");
            if !files.contains_key(&name) {
                return Err(format!("segment {id} has no file {name}"));
            }
        }
        let deleted = self
            .deletes
            .as_ref()
            .map_or(0, |deletes| deletes.num_deleted_docs);
        if deleted > self.max_doc {
            return Err(format!(
                "segment {id} deletes {deleted} of {} documents",
                self.max_doc
            ));
        }
        // tantivy looks for the bitset only when something is deleted.
        let alive_file = self
            .deletes
            .filter(|deletes| deletes.num_deleted_docs > 0)
            .map(|deletes| format!("{id}.{}.del", deletes.opstamp));
        if let Some(name) = alive_file
            .as_ref()
            .filter(|name| !files.contains_key(*name))
        {
            return Err(format!("segment {id} has no file {name}"));
        }
        Ok(SegmentSummary {
            id,
            max_doc: self.max_doc,
            deleted,
            alive_file,
        })
    }
}
