//! Aggregations over the segments of all splits, merged as if they were one index.

use std::sync::Arc;

use serde_json::Value;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::aggregation::{AggregationLimitsGuard, AggregationSegmentCollector};
use tantivy::collector::Collector;
use tantivy::{SegmentReader, TantivyError};

use super::collect::{Hopeless, Prepared, SegmentNumbers};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Aggregations, BoundAggregations, Spans};

/// Collects what a request aggregates: each segment by what its own split's schema made of it.
pub(super) struct AggregationsOf {
    by_split: Vec<Arc<BoundAggregations>>,
    numbers: SegmentNumbers,
    limits: AggregationLimitsGuard,
    spans: Spans,
}

impl AggregationsOf {
    /// The collector over all splits.
    pub(super) fn new(splits: &[Prepared], limits: AggregationLimitsGuard) -> Result<Self> {
        let by_split = splits.iter().map(|split| split.extras.aggregations.clone());
        let by_split: Option<Vec<_>> = by_split.collect();
        Ok(Self {
            by_split: by_split.ok_or_else(|| {
                let message = "a split was prepared without its aggregations";
                Error::new(ErrorKind::Internal, message)
            })?,
            numbers: SegmentNumbers::of(splits),
            limits,
            spans: Spans::default(),
        })
    }
}

impl AggregationsOf {
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
    type Fruit = IntermediateAggregationResults;
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
        bound.for_segment(segment, reader, &self.limits, &self.spans)
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(
        &self,
        mut fruits: Vec<tantivy::Result<IntermediateAggregationResults>>,
    ) -> tantivy::Result<IntermediateAggregationResults> {
        self.spans.check().map_err(std::io::Error::other)?;
        // In tantivy's own order, so that sums of fractions are the same to the last bit.
        let Some(last) = fruits.pop() else {
            return Ok(IntermediateAggregationResults::default());
        };
        let mut merged = last?;
        for fruit in fruits {
            merged.merge_fruits(fruit?)?;
        }
        Ok(merged)
    }
}

/// The response, in Elasticsearch's JSON.
///
/// # Errors
///
/// `Budget` when the result is larger than the limits.
pub(super) fn results(
    aggregations: &Aggregations,
    collected: IntermediateAggregationResults,
    limits: AggregationLimitsGuard,
) -> Result<Value> {
    let results = collected
        .into_final_result(aggregations.shape(), limits)
        .map_err(|error| Error::from_tantivy("the aggregations", error))?;
    serde_json::to_value(results).map_err(|error| {
        Error::with_source(ErrorKind::Internal, "the aggregations have no JSON", error)
    })
}
