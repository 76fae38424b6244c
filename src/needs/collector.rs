//! What collecting hits reads.

use tantivy::SegmentReader;
use tantivy::collector::Collector;
use tantivy::schema::Schema;

use crate::error::Result;
use crate::filter::{Path, SearchRequest, SortKey};
use crate::needs::need::{Need, Needs};

/// A collector of any type, of which only what it reads is asked.
pub(crate) trait ProbeCollector: Send + Sync {
    /// Opens whatever the collector opens for a segment.
    fn probe(&self, segment: u32, reader: &SegmentReader) -> tantivy::Result<()>;
}

impl<C: Collector> ProbeCollector for C {
    fn probe(&self, segment: u32, reader: &SegmentReader) -> tantivy::Result<()> {
        self.for_segment(segment, reader).map(drop)
    }
}

/// The columns that the hits of a request are sorted by; none if it wants no hits.
///
/// # Errors
///
/// A field is unknown or not fast, named with its place in `sort`.
pub(crate) fn needs_of_sort(request: &SearchRequest, schema: &Schema) -> Result<Vec<Need>> {
    let mut needs = Needs::default();
    let root = Path::root("sort");
    for (index, sort) in request.sorts().iter().enumerate() {
        let SortKey::Field(name) = &sort.key else {
            continue;
        };
        let path = root.index(index);
        let Some((field, json_path)) = schema.find_field(name) else {
            return Err(path.error(format_args!("unknown field {name:?}")));
        };
        let entry = schema.get_field_entry(field);
        let is_json = entry.field_type().is_json();
        if !json_path.is_empty() && !is_json {
            return Err(path.error(format_args!("unknown field {name:?}")));
        }
        if json_path.is_empty() && is_json {
            return Err(path.error(format_args!(
                "{name:?} is a JSON field: name a path in it, like \"{name}.key\""
            )));
        }
        if !entry.is_fast() {
            return Err(path.error(format_args!(
                "{:?} is not fast, so hits cannot be sorted by it: make it fast",
                entry.name()
            )));
        }
        if request.hits_wanted() > 0 {
            needs.column(name, None, false);
        }
    }
    Ok(needs.into_vec())
}
