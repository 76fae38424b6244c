//! Aggregations over the segments of all splits, merged as if they were one index.

use std::sync::{Arc, LazyLock};

use serde_json::Value;
use tantivy::aggregation::agg_req::{AggregationVariants, Aggregations as TantivyAggregations};
use tantivy::aggregation::agg_result::AggregationResults;
use tantivy::aggregation::bucket::HistogramAggregation;
use tantivy::aggregation::intermediate_agg_result::{
    IntermediateAggregationResults, IntermediateHistogramBucketEntry,
};
use tantivy::aggregation::{AggContextParams, AggregationLimitsGuard, AggregationSegmentCollector};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::directory::RamDirectory;
use tantivy::schema::Schema;
use tantivy::{Index, Searcher, SegmentReader, TantivyDocument, TantivyError};

use super::collect::{Hopeless, SegmentNumbers};
use super::prepared::Prepared;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Aggregations, BoundAggregations, Path, present_values};
use crate::pool::guarded;

/// Collects what a request aggregates: each segment by what its own split's schema made of it.
pub(super) struct AggregationsOf {
    by_split: Vec<Arc<BoundAggregations>>,
    numbers: SegmentNumbers,
    limits: AggregationLimitsGuard,
}

impl AggregationsOf {
    /// The collector over all splits.
    pub(super) fn new(
        splits: &[Prepared],
        numbers: &SegmentNumbers,
        limits: AggregationLimitsGuard,
    ) -> Result<Self> {
        let by_split = splits
            .iter()
            .map(|split| split.extras().aggregations.clone());
        let by_split: Option<Vec<_>> = by_split.collect();
        let by_split = by_split.ok_or_else(|| {
            let message = "a split was prepared without its aggregations";
            Error::new(ErrorKind::Internal, message)
        })?;
        Ok(Self {
            by_split,
            numbers: numbers.clone(),
            limits,
        })
    }

    /// What becomes of segments without matches.
    pub(super) fn hopeless(&self) -> Hopeless {
        if self.by_split.iter().any(|bound| bound.sees_all()) {
            Hopeless::Seen
        } else {
            Hopeless::Skipped
        }
    }
}

impl Collector for AggregationsOf {
    /// By segment, to be [merged](merged) once all are there.
    type Fruit = Vec<IntermediateAggregationResults>;
    type Child = AggregationSegmentCollector;

    fn for_segment(
        &self,
        segment: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<AggregationSegmentCollector> {
        let split = self.by_split.get(self.numbers.split_of(segment));
        let bound = split.ok_or_else(|| {
            TantivyError::InternalError(format!("segment {segment} is in no split"))
        })?;
        bound.for_segment(segment, reader, &self.limits)
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(
        &self,
        fruits: Vec<tantivy::Result<IntermediateAggregationResults>>,
    ) -> tantivy::Result<Vec<IntermediateAggregationResults>> {
        fruits.into_iter().collect()
    }
}

/// What was collected in the segments of all `splits`, in their order, as one; `left_out_after` so
/// many of them stands the last of those that were left out, which hold no match.
///
/// # Errors
///
/// Those of tantivy.
pub(super) fn merged(
    aggregations: &Aggregations,
    splits: &[Prepared],
    left_out_after: Option<usize>,
    mut fruits: Vec<IntermediateAggregationResults>,
) -> Result<IntermediateAggregationResults> {
    let last = splits.iter().rposition(|it| it.split().num_segments() > 0);
    let is_hopeless = last.is_some_and(|at| splits[at].hopeless().last() == Some(&true));
    let is_left_out = left_out_after.is_some_and(|count| last.is_none_or(|at| at < count));
    let last_is_skipped = (is_hopeless || is_left_out) && !aggregations.sees_all();
    let merge = || -> tantivy::Result<IntermediateAggregationResults> {
        // In tantivy's own order, so that sums of fractions are the same to the last bit.
        let mut merged = match fruits.pop() {
            None => return Ok(IntermediateAggregationResults::default()),
            Some(last) if !last_is_skipped => last,
            // The rest is merged into the last, here one that found nothing.
            Some(last) => {
                fruits.push(last);
                nothing(&aggregations.shape())?
            }
        };
        for fruit in fruits {
            merged.merge_fruits(fruit)?;
        }
        Ok(merged)
    };
    guarded(merge)?.map_err(|error| Error::from_tantivy("the aggregations", error))
}

/// What aggregations collect in a segment without matches. It is no nothing at all: what others
/// are merged into decides in which order equal buckets come out.
fn nothing(shape: &TantivyAggregations) -> tantivy::Result<IntermediateAggregationResults> {
    /// One document without a field: the smallest segment there is.
    static SEGMENT: LazyLock<tantivy::Result<Searcher>> = LazyLock::new(|| {
        let index = Index::builder().schema(Schema::builder().build());
        let directory = RamDirectory::create();
        let mut writer = index.single_segment_index_writer(directory, 15_000_000)?;
        writer.add_document(TantivyDocument::default())?;
        Ok(writer.finalize()?.reader()?.searcher())
    });
    let searcher = SEGMENT.as_ref().map_err(TantivyError::clone)?;
    let reader = searcher.segment_reader(0);
    let shape = present_values(shape, reader)?;
    let context = AggContextParams::default();
    AggregationSegmentCollector::from_agg_req_and_reader(&shape, reader, 0, &context)?.harvest()
}

/// Whether an aggregation makes empty buckets between others.
fn has_gaps(requests: &TantivyAggregations) -> bool {
    let mut requests = requests.values();
    requests.any(|it| gap(&it.agg).is_some() || has_gaps(&it.sub_aggregation))
}

/// The histogram that an aggregation is, if it fills the gaps between its buckets.
fn gap(variant: &AggregationVariants) -> Option<&HistogramAggregation> {
    match variant {
        AggregationVariants::Histogram(histogram) => {
            (histogram.min_doc_count.unwrap_or(0) == 0).then_some(histogram)
        }
        // Of dates there are not so many that tantivy's own count would go wrong.
        _ => None,
    }
}

/// Makes no empty buckets.
fn leave_gaps(requests: &mut TantivyAggregations) {
    for request in requests.values_mut() {
        match &mut request.agg {
            AggregationVariants::DateHistogram(histogram) => {
                histogram.min_doc_count = Some(1);
                histogram.extended_bounds = None;
            }
            AggregationVariants::Histogram(histogram) => {
                histogram.min_doc_count = Some(1);
                histogram.extended_bounds = None;
            }
            _ => {}
        }
        leave_gaps(&mut request.sub_aggregation);
    }
}

/// Refuses histograms whose empty buckets would be more than may be returned: tantivy counts them
/// too, but in numbers that can overflow.
fn check_gaps(
    requests: &TantivyAggregations,
    results: &Value,
    buckets: u32,
    path: &Path<'_>,
) -> Result<()> {
    for (name, request) in requests {
        let path = &path.key(name);
        let result = &results[name];
        let found: Vec<&Value> = match &result["buckets"] {
            Value::Array(found) => found.iter().collect(),
            Value::Object(found) => found.values().collect(),
            // The one bucket of a filter.
            _ => vec![result],
        };
        if let Some(histogram) = gap(&request.agg).filter(|_| !found.is_empty()) {
            let interval = histogram.interval;
            let bounds = histogram.extended_bounds;
            // What is not finite has no number in JSON.
            let keys = || {
                found
                    .iter()
                    .map(|it| it["key"].as_f64().unwrap_or(f64::NAN))
            };
            let first = keys().fold(bounds.map_or(f64::INFINITY, |it| it.min), f64::min);
            let last = keys().fold(bounds.map_or(f64::NEG_INFINITY, |it| it.max), f64::max);
            let is_finite = keys().all(f64::is_finite);
            if !is_finite || (last - first) / interval > buckets.into() {
                return Err(Error::new(
                    ErrorKind::Budget,
                    format!(
                        "{path}: an interval of {interval:e} makes more than {buckets} buckets: \
                         raise it, or ask for no empty ones with \"min_doc_count\": 1"
                    ),
                ));
            }
        }
        for bucket in found {
            check_gaps(&request.sub_aggregation, bucket, buckets, path)?;
        }
    }
    Ok(())
}

/// The response, in Elasticsearch's JSON.
///
/// # Errors
///
/// `Budget` when the result is larger than the limits.
pub(super) fn results(
    aggregations: &Aggregations,
    collected: IntermediateAggregationResults,
    buckets: u32,
) -> Result<Value> {
    let shape = aggregations.shape();
    if has_gaps(&shape) {
        let mut full = shape.clone();
        leave_gaps(&mut full);
        let guard = AggregationLimitsGuard::new(None, Some(u32::MAX));
        let results = collected.clone().into_final_result(full, guard);
        let results = results.map_err(|error| Error::from_tantivy("the aggregations", error))?;
        check_gaps(&shape, &to_json(results)?, buckets, &Path::root("aggs"))?;
    }
    // All that is counted here is the empty buckets of histograms, before they are made.
    let empty = size_of::<IntermediateHistogramBucketEntry>() as u64;
    let bytes = u64::from(buckets).saturating_add(1).saturating_mul(empty);
    let limits = AggregationLimitsGuard::new(Some(bytes), Some(buckets));
    let results = collected
        .into_final_result(aggregations.shape(), limits)
        .map_err(|error| Error::from_tantivy("the aggregations", error))?;
    to_json(results)
}

fn to_json(results: AggregationResults) -> Result<Value> {
    serde_json::to_value(results).map_err(|error| {
        Error::with_source(ErrorKind::Internal, "the aggregations have no JSON", error)
    })
}
