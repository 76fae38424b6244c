//! Searching what was warmed with tantivy's own collectors, over all splits at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use forewarm::{SearchRequest, Sort, SortKey, SortOrder, SourceFilter, TrackTotalHits};
use rayon::prelude::*;
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::{AggContextParams, AggregationCollector};
use tantivy::collector::sort_key::SortByErasedType;
use tantivy::collector::{Collector, Count, SegmentCollector, TopDocs};
use tantivy::query::{Bm25StatisticsProvider, EnableScoring, Weight};
use tantivy::schema::{Field, Type};
use tantivy::{DateTime, DocAddress, Order, Term};

use super::Opened;
use super::needs::Needs;
use crate::failure::Outcome;

/// Hits by split and place in it, and how many match.
pub(super) struct Hits {
    pub(super) hits: Vec<(usize, DocAddress)>,
    pub(super) total: Option<u64>,
}

/// The aggregations, where tantivy has them all.
pub(super) fn aggregations(needs: &Needs) -> Result<Option<Aggregations>, String> {
    let parse = |value: &serde_json::Value| {
        serde_json::from_value(value.clone())
            .map_err(|error| format!("tantivy does not aggregate so: {error}"))
    };
    needs.aggregations.as_ref().map(parse).transpose()
}

/// Whether hits come with their stored documents.
pub(super) fn brings_documents(request: &SearchRequest) -> bool {
    *request.source_filter() != SourceFilter::None
}

/// Runs a request. Blocks, on a thread of the pool.
pub(super) fn search(
    splits: &[Opened],
    request: &SearchRequest,
    aggregations: Option<Aggregations>,
) -> Outcome<Hits> {
    let aggregate =
        aggregations.map(|it| AggregationCollector::from_aggs(it, AggContextParams::default()));
    if request.hits_wanted() == 0 {
        let (total, _) = collect(splits, &(Count, aggregate))?;
        return Ok(Hits {
            hits: Vec::new(),
            total: Some(total as u64),
        });
    }
    let top = TopDocs::with_limit(request.hits_wanted()).and_offset(request.offset());
    match request.sorts() {
        [] => run(splits, request, top.order_by_score(), aggregate),
        [sort] => by_one(splits, request, top, sort, aggregate),
        [first, second, ..] => {
            let top = top.order_by((erased(first), erased(second)));
            run(splits, request, top, aggregate)
        }
    }
}

fn order(sort: &Sort) -> Order {
    match sort.order {
        SortOrder::Descending => Order::Desc,
        _ => Order::Asc,
    }
}

fn erased(sort: &Sort) -> (SortByErasedType, Order) {
    let by = match &sort.key {
        SortKey::Field(field) => SortByErasedType::for_field(field),
        _ => SortByErasedType::for_score(),
    };
    (by, order(sort))
}

fn by_one(
    splits: &[Opened],
    request: &SearchRequest,
    top: TopDocs,
    sort: &Sort,
    aggregate: Option<AggregationCollector>,
) -> Outcome<Hits> {
    let SortKey::Field(name) = &sort.key else {
        return run(splits, request, top.order_by(erased(sort)), aggregate);
    };
    let schema = splits.first().map(|split| split.searcher.schema());
    let kind = schema.and_then(|schema| {
        let field = schema.get_field(name).ok()?;
        Some(schema.get_field_entry(field).field_type().value_type())
    });
    let order = order(sort);
    match kind {
        Some(Type::Date) => {
            let top = top.order_by_fast_field::<DateTime>(name, order);
            run(splits, request, top, aggregate)
        }
        Some(Type::F64) => {
            let top = top.order_by_fast_field::<f64>(name, order);
            run(splits, request, top, aggregate)
        }
        Some(Type::U64) => {
            let top = top.order_by_fast_field::<u64>(name, order);
            run(splits, request, top, aggregate)
        }
        _ => run(splits, request, top.order_by(erased(sort)), aggregate),
    }
}

fn run<K, C>(
    splits: &[Opened],
    request: &SearchRequest,
    top: C,
    aggregate: Option<AggregationCollector>,
) -> Outcome<Hits>
where
    C: Collector<Fruit = Vec<(K, DocAddress)>>,
    <C::Child as SegmentCollector>::Fruit: Send,
{
    let (found, total) = if request.total_hits() == TrackTotalHits::Not {
        let (found, _) = collect(splits, &(top, aggregate))?;
        (found, None)
    } else {
        let (found, total, _) = collect(splits, &(top, Count, aggregate))?;
        (found, Some(total as u64))
    };
    let hits = found
        .into_iter()
        .map(|(_, address)| locate(splits, address));
    Ok(Hits {
        hits: hits.collect(),
        total,
    })
}

/// Segments are numbered in a row over all splits.
fn locate(splits: &[Opened], address: DocAddress) -> (usize, DocAddress) {
    let mut segment = address.segment_ord;
    for (number, split) in splits.iter().enumerate() {
        let segments = split.searcher.segment_readers().len() as u32;
        if segment < segments {
            return (number, DocAddress::new(segment, address.doc_id));
        }
        segment -= segments;
    }
    (0, address)
}

fn collect<C: Collector>(splits: &[Opened], collector: &C) -> tantivy::Result<C::Fruit>
where
    <C::Child as SegmentCollector>::Fruit: Send,
{
    let statistics = Statistics {
        splits,
        frequencies: Mutex::default(),
    };
    let weigh = |split: &Opened| {
        split.query.weight(if collector.requires_scoring() {
            EnableScoring::enabled_from_statistics_provider(&statistics, &split.searcher)
        } else {
            EnableScoring::disabled_from_searcher(&split.searcher)
        })
    };
    let weights: Vec<Box<dyn Weight>> = splits
        .par_iter()
        .map(weigh)
        .collect::<tantivy::Result<_>>()?;
    let segments: Vec<_> = splits
        .iter()
        .zip(&weights)
        .flat_map(|(split, weight)| {
            let readers = split.searcher.segment_readers().iter();
            readers.map(move |reader| (reader, weight))
        })
        .enumerate()
        .collect();
    let fruits = segments
        .par_iter()
        .map(|(number, (reader, weight))| {
            collector.collect_segment(weight.as_ref(), *number as u32, reader)
        })
        .collect::<tantivy::Result<Vec<_>>>()?;
    collector.merge_fruits(fruits)
}

/// Statistics over all splits, which number their fields alike; each term is looked up once.
struct Statistics<'a> {
    splits: &'a [Opened],
    frequencies: Mutex<HashMap<Term, u64>>,
}

impl Bm25StatisticsProvider for Statistics<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        let each = self.splits.iter();
        each.map(|split| split.searcher.total_num_tokens(field))
            .sum()
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        let each = self.splits.iter();
        each.map(|split| Bm25StatisticsProvider::total_num_docs(&split.searcher))
            .sum()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let lock = || {
            self.frequencies
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(&known) = lock().get(term) {
            return Ok(known);
        }
        let mut frequency = 0;
        for split in self.splits {
            frequency += split.searcher.doc_freq(term)?;
        }
        lock().insert(term.clone(), frequency);
        Ok(frequency)
    }
}
