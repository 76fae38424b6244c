//! What tantivy would only find wrong while it collects, or not survive.

use std::collections::BTreeSet;

use tantivy::aggregation::agg_req::AggregationVariants;
use tantivy::aggregation::bucket::{
    CompositeAggregation, CompositeAggregationSource, HistogramBounds, IncludeExcludeParam,
    TermsAggregation,
};
use tantivy::aggregation::metric::TopHitsAggregationReq;

use super::{Kind, Node};
use crate::error::Result;
use crate::filter::path::Path;

/// How many empty buckets bounds may ask for; Elasticsearch's `search.max_buckets`.
const MAX_EMPTY_BUCKETS: f64 = 65_536.0;
/// The longest regular expression; Elasticsearch's `index.max_regex_length`.
const MAX_REGEX: usize = 1_000;
/// How many hits a bucket may bring; Elasticsearch's `index.max_inner_result_window`.
const MAX_TOP_HITS: u64 = 100;
/// How many fields `multi_terms` and `composite` may combine: that of tantivy's `composite`.
const MAX_SOURCES: usize = 16;
/// The most buckets `terms` and `multi_terms` may ask for. No response may have as many.
const MAX_SIZE: u32 = 100_000_000;
/// How many columns the hits of a bucket may bring.
const MAX_VALUES: usize = 100;
/// The most buckets a page of `composite` may have.
const MAX_COMPOSITE_BUCKETS: u32 = 65_536;

/// Refuses names that Elasticsearch refuses: they could not be told from paths.
pub(super) fn name(name: &str, path: &Path<'_>) -> Result<()> {
    if name.is_empty() || name.contains(['[', ']', '>']) {
        return Err(path.error("a name has at least one character, and no \"[\", \"]\" or \">\""));
    }
    Ok(())
}

/// Checks one aggregation, those below it not; `depth` is 0 at the top.
pub(super) fn node(node: &Node, depth: usize, path: &Path<'_>) -> Result<()> {
    let Kind::Native(variant) = &node.kind else {
        return Ok(());
    };
    let (kind, has_buckets) = kind_of(variant);
    let here = &path.key(kind);
    if !has_buckets && !node.children.is_empty() {
        return Err(path.error(format_args!("{kind:?} takes no sub-aggregations")));
    }
    match &**variant {
        // As in Elasticsearch; tantivy panics.
        AggregationVariants::Composite(_) if depth > 0 => {
            Err(path.error("\"composite\" cannot be a sub-aggregation"))
        }
        AggregationVariants::Composite(composite) => check_composite(composite, here),
        AggregationVariants::DateHistogram(histogram) => {
            let interval = histogram.fixed_interval.as_deref().unwrap_or_default();
            let interval = check_fixed_interval(interval, here)?;
            if let Some(offset) = &histogram.offset
                && milliseconds(offset.trim_start_matches(['+', '-'])).is_none()
            {
                return Err(here.key("offset").error(format_args!(
                    "expected a whole number of ms, s, m, h or d, like \"-6h\", got {offset:?}"
                )));
            }
            bounds(
                interval,
                histogram.hard_bounds,
                histogram.extended_bounds,
                here,
            )?;
            min_doc_count(histogram.min_doc_count, histogram.extended_bounds, here)
        }
        AggregationVariants::Histogram(histogram) => {
            check_interval(histogram.interval, here)?;
            bounds(
                histogram.interval,
                histogram.hard_bounds,
                histogram.extended_bounds,
                here,
            )?;
            min_doc_count(histogram.min_doc_count, histogram.extended_bounds, here)
        }
        AggregationVariants::MultiTerms(terms) => {
            check_size(terms.size, "size", here)?;
            let path = &here.key("terms");
            match terms.terms.len() {
                0 => Err(path.error("expected at least one field")),
                count if count > MAX_SOURCES => {
                    Err(path.error(format_args!("{count} fields, more than {MAX_SOURCES}")))
                }
                _ => Ok(()),
            }
        }
        AggregationVariants::Percentiles(percentiles) => {
            let mut percents = percentiles.percents.iter().flatten();
            match percents.find(|percent| !(0.0..=100.0).contains(*percent)) {
                None => Ok(()),
                Some(percent) => Err(here.key("percents").error(format_args!(
                    "expected numbers from 0 to 100, got {percent}"
                ))),
            }
        }
        AggregationVariants::Range(range) if range.ranges.is_empty() => {
            Err(here.key("ranges").error("expected at least one range"))
        }
        AggregationVariants::Terms(terms) => check_terms(terms, here),
        AggregationVariants::TopHits(top_hits) => check_top_hits(top_hits, here),
        _ => Ok(()),
    }
}

/// The name of a kind, and whether it makes buckets.
pub(super) fn kind_of(variant: &AggregationVariants) -> (&'static str, bool) {
    match variant {
        AggregationVariants::Average(_) => ("avg", false),
        AggregationVariants::Cardinality(_) => ("cardinality", false),
        AggregationVariants::Composite(_) => ("composite", true),
        AggregationVariants::Count(_) => ("value_count", false),
        AggregationVariants::DateHistogram(_) => ("date_histogram", true),
        AggregationVariants::ExtendedStats(_) => ("extended_stats", false),
        AggregationVariants::Filter(_) => ("filter", true),
        AggregationVariants::Histogram(_) => ("histogram", true),
        AggregationVariants::Max(_) => ("max", false),
        AggregationVariants::Min(_) => ("min", false),
        AggregationVariants::MultiTerms(_) => ("multi_terms", true),
        AggregationVariants::Percentiles(_) => ("percentiles", false),
        AggregationVariants::Range(_) => ("range", true),
        AggregationVariants::Stats(_) => ("stats", false),
        AggregationVariants::Sum(_) => ("sum", false),
        AggregationVariants::Terms(_) => ("terms", true),
        AggregationVariants::TopHits(_) => ("top_hits", false),
    }
}

fn check_composite(composite: &CompositeAggregation, path: &Path<'_>) -> Result<()> {
    let sources = &path.key("sources");
    if composite.sources.is_empty() {
        return Err(sources.error("expected at least one source"));
    }
    if composite.sources.len() > MAX_SOURCES {
        let count = composite.sources.len();
        return Err(sources.error(format_args!("{count} sources, more than {MAX_SOURCES}")));
    }
    let names: BTreeSet<&str> = composite.sources.iter().map(source_name).collect();
    if names.len() < composite.sources.len() {
        return Err(sources.error("two sources have one name"));
    }
    for source in &composite.sources {
        check_source(source, &sources.key(source_name(source)))?;
    }
    if composite.size == 0 || composite.size > MAX_COMPOSITE_BUCKETS {
        return Err(path.key("size").error(format_args!(
            "expected a whole number from 1 to {MAX_COMPOSITE_BUCKETS}, got {}",
            composite.size
        )));
    }
    match composite
        .after
        .keys()
        .find(|name| !names.contains(name.as_str()))
    {
        None => Ok(()),
        Some(name) => Err(path
            .key("after")
            .error(format_args!("no source is named {name:?}"))),
    }
}

/// tantivy divides by the interval.
fn check_source(source: &CompositeAggregationSource, path: &Path<'_>) -> Result<()> {
    match source {
        CompositeAggregationSource::DateHistogram(source) => match &source.fixed_interval {
            Some(interval) => check_fixed_interval(interval, path).map(drop),
            None => Ok(()),
        },
        CompositeAggregationSource::Histogram(source) => check_interval(source.interval, path),
        CompositeAggregationSource::Terms(_) => Ok(()),
    }
}

fn check_interval(interval: f64, path: &Path<'_>) -> Result<()> {
    if interval.is_finite() && interval > 0.0 {
        return Ok(());
    }
    let path = path.key("interval");
    Err(path.error(format_args!("expected a number above 0, got {interval}")))
}

fn check_fixed_interval(interval: &str, path: &Path<'_>) -> Result<f64> {
    milliseconds(interval).ok_or_else(|| {
        path.key("fixed_interval").error(format_args!(
            "expected a whole number of ms, s, m, h or d, like \"1d\", got {interval:?}"
        ))
    })
}

fn source_name(source: &CompositeAggregationSource) -> &str {
    match source {
        CompositeAggregationSource::DateHistogram(source) => &source.name,
        CompositeAggregationSource::Histogram(source) => &source.name,
        CompositeAggregationSource::Terms(source) => &source.name,
    }
}

/// The empty buckets that bounds ask for are made whether or not any document is there.
fn bounds(
    interval: f64,
    hard: Option<HistogramBounds>,
    extended: Option<HistogramBounds>,
    path: &Path<'_>,
) -> Result<()> {
    for (key, bounds) in [("hard_bounds", hard), ("extended_bounds", extended)] {
        let Some(bounds) = bounds else { continue };
        let (min, max) = (bounds.min, bounds.max);
        if !(min.is_finite() && max.is_finite() && min <= max) {
            let path = path.key(key);
            return Err(path.error(format_args!("expected min up to max, got {min} and {max}")));
        }
    }
    let Some(extended) = extended else {
        return Ok(());
    };
    let path = &path.key("extended_bounds");
    if hard.is_some_and(|hard| extended.min < hard.min || extended.max > hard.max) {
        return Err(path.error("they reach beyond the hard bounds"));
    }
    if (extended.max - extended.min) / interval > MAX_EMPTY_BUCKETS {
        return Err(path.error(format_args!("more than {MAX_EMPTY_BUCKETS} buckets")));
    }
    Ok(())
}

fn min_doc_count(
    count: Option<u64>,
    extended: Option<HistogramBounds>,
    path: &Path<'_>,
) -> Result<()> {
    if count.unwrap_or(0) > 0 && extended.is_some() {
        let path = path.key("min_doc_count");
        return Err(path.error("with \"extended_bounds\" it is 0: empty buckets are asked for"));
    }
    Ok(())
}

/// How long an interval like `6h` is; tantivy keeps it in nanoseconds of 64 bits.
fn milliseconds(text: &str) -> Option<f64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit: i64 = match unit {
        "ms" | "milliseconds" => 1,
        "s" | "seconds" => 1_000,
        "m" | "minutes" => 60_000,
        "h" | "hours" => 3_600_000,
        "d" | "days" => 86_400_000,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    let interval = number.checked_mul(unit)?;
    interval.checked_mul(1_000_000)?;
    (interval > 0).then_some(interval as f64)
}

/// tantivy takes ten times as many from each segment, in numbers of 32 bits.
fn check_size(size: Option<u32>, key: &str, path: &Path<'_>) -> Result<()> {
    match size {
        Some(size) if size > MAX_SIZE => Err(path.key(key).error(format_args!(
            "expected a whole number up to {MAX_SIZE}, got {size}"
        ))),
        _ => Ok(()),
    }
}

fn check_terms(terms: &TermsAggregation, path: &Path<'_>) -> Result<()> {
    check_size(terms.size, "size", path)?;
    check_size(terms.segment_size, "segment_size", path)?;
    for (key, param) in [("include", &terms.include), ("exclude", &terms.exclude)] {
        if let Some(IncludeExcludeParam::Regex(regex)) = param
            && regex.len() > MAX_REGEX
        {
            return Err(path.key(key).error(format_args!(
                "a regular expression of {} bytes, more than {MAX_REGEX}",
                regex.len()
            )));
        }
    }
    Ok(())
}

fn check_top_hits(top_hits: &TopHitsAggregationReq, path: &Path<'_>) -> Result<()> {
    // Its fields are its own; what it serialises to are its parameters.
    let written = serde_json::to_value(top_hits).map_err(|error| path.error(error))?;
    let number = |key: &str| written.get(key).and_then(serde_json::Value::as_u64);
    let window = number("size")
        .unwrap_or(0)
        .saturating_add(number("from").unwrap_or(0));
    if window == 0 || window > MAX_TOP_HITS {
        return Err(path.key("size").error(format_args!(
            "from + size is {window}, expected 1 to {MAX_TOP_HITS}"
        )));
    }
    let values = top_hits.value_field_names().len();
    if values > MAX_VALUES {
        let path = path.key("docvalue_fields");
        return Err(path.error(format_args!("{values} fields, more than {MAX_VALUES}")));
    }
    let sorts = top_hits.field_names().len() - top_hits.value_field_names().len();
    if sorts == 0 {
        return Err(path.key("sort").error("expected at least one fast field"));
    }
    Ok(())
}
