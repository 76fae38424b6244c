//! How far histograms reach.
//!
//! tantivy makes a bucket of every interval between the least and the greatest, unless
//! `min_doc_count` says otherwise, and checks its memory limit first, in 64 bits: a span of more
//! than 2^57 intervals may wrap there and pass, and the allocation that follows ends the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tantivy::aggregation::agg_req::{AggregationVariants, Aggregations as TantivyAggregations};
use tantivy::aggregation::bucket::HistogramBounds;
use tantivy::columnar::{ColumnType, MonotonicallyMappableToU64};
use tantivy::{DateTime, SegmentReader};

use super::bound::NUMBERS;
use super::check::milliseconds;
use crate::error::{Error, ErrorKind, Result};

/// The most intervals from the least value to the greatest: the 57th power of 2.
const MAX_INTERVALS: f64 = (1_u64 << 57) as f64;

/// The values of the columns of histograms, over all segments seen so far.
#[derive(Default)]
pub(crate) struct Spans(Mutex<BTreeMap<String, Span>>);

struct Span {
    min: f64,
    max: f64,
    interval: f64,
}

impl Spans {
    /// Takes in what a segment holds.
    pub(super) fn widen(
        &self,
        requests: &TantivyAggregations,
        reader: &SegmentReader,
    ) -> tantivy::Result<()> {
        self.widen_below("aggs", requests, reader)
    }

    fn widen_below(
        &self,
        path: &str,
        requests: &TantivyAggregations,
        reader: &SegmentReader,
    ) -> tantivy::Result<()> {
        for (name, request) in requests {
            let path = format!("{path}.{name}");
            if let Some(histogram) = Histogram::of(&request.agg)
                && let Some((min, max)) = histogram.span(reader)?
            {
                let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let span = spans.entry(path.clone()).or_insert(Span {
                    min,
                    max,
                    interval: histogram.interval,
                });
                span.min = span.min.min(min);
                span.max = span.max.max(max);
            }
            self.widen_below(&format!("{path}.aggs"), &request.sub_aggregation, reader)?;
        }
        Ok(())
    }

    /// Refuses what would be too many buckets to count.
    ///
    /// # Errors
    ///
    /// `Budget`, naming the histogram.
    pub(crate) fn check(&self) -> Result<()> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, span) in &*spans {
            let intervals = (span.max - span.min) / span.interval;
            if intervals.is_nan() || intervals > MAX_INTERVALS {
                let message = format!(
                    "{path}: values from {:e} to {:e} are too many buckets of {:e}: set \
                     \"hard_bounds\", or \"min_doc_count\" to 1",
                    span.min, span.max, span.interval
                );
                return Err(Error::new(ErrorKind::Budget, message));
            }
        }
        Ok(())
    }
}

/// A histogram that makes empty buckets, in the unit of its column.
struct Histogram<'a> {
    field: &'a str,
    interval: f64,
    bounds: Option<HistogramBounds>,
}

impl<'a> Histogram<'a> {
    fn of(variant: &'a AggregationVariants) -> Option<Self> {
        match variant {
            AggregationVariants::DateHistogram(it) if it.min_doc_count.unwrap_or(0) == 0 => {
                let nanos = |bounds: HistogramBounds| HistogramBounds {
                    min: bounds.min * 1e6,
                    max: bounds.max * 1e6,
                };
                Some(Self {
                    field: &it.field,
                    interval: milliseconds(it.fixed_interval.as_deref()?)? * 1e6,
                    bounds: it.hard_bounds.map(nanos),
                })
            }
            AggregationVariants::Histogram(it) if it.min_doc_count.unwrap_or(0) == 0 => {
                Some(Self {
                    field: &it.field,
                    interval: it.interval,
                    bounds: it.hard_bounds,
                })
            }
            _ => None,
        }
    }

    /// From the least to the greatest value of a segment, if it has any within the bounds.
    fn span(&self, reader: &SegmentReader) -> tantivy::Result<Option<(f64, f64)>> {
        let columns = reader.fast_fields();
        let found = columns.u64_lenient_for_type(Some(NUMBERS), self.field)?;
        let Some((column, kind)) = found.filter(|(column, _)| column.values.num_vals() > 0) else {
            return Ok(None);
        };
        let value = |code: u64| match kind {
            ColumnType::DateTime => DateTime::from_u64(code).into_timestamp_nanos() as f64,
            ColumnType::F64 => f64::from_u64(code),
            ColumnType::I64 => i64::from_u64(code) as f64,
            _ => code as f64,
        };
        let (mut min, mut max) = (value(column.min_value()), value(column.max_value()));
        if let Some(bounds) = self.bounds {
            min = min.max(bounds.min);
            max = max.min(bounds.max);
        }
        Ok((min <= max).then_some((min, max)))
    }
}
