//! What collecting hits reads.

use std::sync::Arc;

use tantivy::SegmentReader;
use tantivy::aggregation::AggregationLimitsGuard;
use tantivy::collector::Collector;
use tantivy::schema::Schema;

use crate::error::Result;
use crate::filter::{
    AggregationRead, BoundAggregations, Path, SearchRequest, SortKey, column_names, typed_place,
};
use crate::needs::need::{Need, Needs};
use crate::needs::query::{MATCHING, needs_of};

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

/// Aggregations whose reads are only known by letting them read.
struct Probed(Arc<BoundAggregations>);

impl ProbeCollector for Probed {
    fn probe(&self, segment: u32, reader: &SegmentReader) -> tantivy::Result<()> {
        let limits = AggregationLimitsGuard::default();
        self.0.for_segment(segment, reader, &limits).map(drop)
    }
}

/// The columns of a segment whose names match a pattern, and the names of all.
struct Matching(String);

impl ProbeCollector for Matching {
    fn probe(&self, _: u32, reader: &SegmentReader) -> tantivy::Result<()> {
        let mut read = Ok(());
        for name in column_names(&self.0, reader)? {
            for handle in reader.fast_fields().dynamic_column_handles(&name)? {
                // All are tried: what is missing of all of them comes in one round.
                read = read.and(handle.file_slice().read_bytes().map(drop));
            }
        }
        Ok(read?)
    }
}

/// What aggregations read: whole columns, with their dictionaries, and what their filters read.
pub(crate) fn needs_of_aggregations(bound: &Arc<BoundAggregations>, schema: &Schema) -> Vec<Need> {
    let mut needs = Needs::default();
    let mut others = Vec::new();
    let mut unknown = false;
    for read in bound.reads() {
        match read {
            AggregationRead::Column { name, types } => {
                needs.column(name, *types, false);
            }
            AggregationRead::Filter(clause) => {
                others.extend(needs_of(clause, MATCHING, schema).needs)
            }
            AggregationRead::Unknown => unknown = true,
            AggregationRead::Values(pattern) => {
                others.push(Need::Collector(Arc::new(Matching(pattern.clone()))));
            }
        }
    }
    if unknown {
        others.push(Need::Collector(Arc::new(Probed(Arc::clone(bound)))));
    }
    let mut needs = needs.into_vec();
    needs.extend(others);
    needs
}

/// The columns that the hits of a request are sorted by; none if it wants no hits.
///
/// # Errors
///
/// A field is unknown or not fast, named with its place in `sort`; a place to go on from is of
/// other types.
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
    if let Some(place) = request.place() {
        typed_place(request.sorts(), place, schema)?;
    }
    Ok(needs.into_vec())
}
