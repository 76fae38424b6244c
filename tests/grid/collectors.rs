//! Any collector, over several splits, is given what it reads.

use std::fmt::Debug;
use std::sync::LazyLock;

use forewarm::{Clause, Filter, SearchOptions};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::{AggContextParams, AggregationCollector};
use tantivy::collector::{
    Collector, Count, DocSetCollector, FacetCollector, FilterCollector, HistogramCollector,
    MultiCollector, SegmentCollector, TopDocs,
};
use tantivy::columnar::Column;
use tantivy::{DocId, Order, Score, SegmentReader};

use crate::corpus::{CorpusPlan, RandomCorpus};
use crate::expected::query;
use crate::random::{RUNTIME, strict};

/// Several splits of several segments, some empty, with deletes; nothing hot that need not be.
pub static CORPUS: LazyLock<RandomCorpus> = LazyLock::new(|| {
    RUNTIME.block_on(RandomCorpus::build(&CorpusPlan {
        seed: 42,
        splits: vec![vec![200, 3, 90], vec![], vec![1, 0, 150], vec![60]],
        deletes: 10,
        hot_dictionaries: 0,
        trailer: true,
    }))
});

/// Asserts that a collector gets in strict mode what it gets in memory.
fn assert_collects<C, T>(collector: impl Fn() -> C, show: impl Fn(C::Fruit) -> T)
where
    C: Collector + 'static,
    <C::Child as SegmentCollector>::Fruit: Send,
    T: Debug + PartialEq,
{
    let corpus = &CORPUS.corpus;
    let filters = [
        Filter::from(Clause::match_all()),
        Clause::match_none().into(),
        Clause::match_text("title", "sea quiet").into(),
        Clause::bool()
            .must(Clause::range("nf").gte(-1))
            .should(Clause::term("tag", "k1"))
            .into(),
    ];
    for filter in filters {
        let query = query(&filter, &corpus.ram);
        let expected = show(corpus.ram.search(&query, &collector()).unwrap());
        let warmer = strict(&corpus.store);
        let options = SearchOptions::default();
        let (fruit, report) = RUNTIME
            .block_on(warmer.search_with(&corpus.addresses, filter.clone(), collector(), &options))
            .unwrap();
        assert_eq!(show(fruit), expected, "{filter:?}");
        assert_eq!(report.late_reads, 0);
        let (again, report) = RUNTIME
            .block_on(warmer.search_with(&corpus.addresses, filter.clone(), collector(), &options))
            .unwrap();
        assert_eq!(show(again), expected, "{filter:?}");
        assert_eq!((report.late_reads, report.gets), (0, 0), "{filter:?}");
    }
}

#[test]
fn counts_and_document_sets_are_those_of_memory() {
    assert_collects(|| Count, |count| count);
    assert_collects(|| DocSetCollector, |set| set);
}

#[test]
fn top_documents_are_those_of_memory() {
    assert_collects(|| TopDocs::with_limit(7).order_by_score(), |top| top);
    assert_collects(
        || TopDocs::with_limit(9).and_offset(3).order_by_score(),
        |top| top,
    );
    assert_collects(
        || TopDocs::with_limit(20).order_by_fast_field::<u64>("nu", Order::Desc),
        |top| top,
    );
    assert_collects(
        || TopDocs::with_limit(20).order_by_string_fast_field("rare", Order::Asc),
        |top| top,
    );
}

#[test]
fn scores_tweaked_by_a_column_are_those_of_memory() {
    assert_collects(
        || {
            TopDocs::with_limit(12).tweak_score(|reader: &SegmentReader| {
                let column: Option<Column<u64>> =
                    reader.fast_fields().column_opt("nu").unwrap_or(None);
                move |doc: DocId, score: Score| {
                    let value = column.as_ref().and_then(|column| column.first(doc));
                    (
                        score * (1.0 + value.unwrap_or(0) as Score),
                        std::cmp::Reverse(doc),
                    )
                }
            })
        },
        |top| top,
    );
    for (field, order) in [("label", Order::Desc), ("js.s", Order::Asc)] {
        assert_collects(
            || TopDocs::with_limit(15).order_by_string_fast_field(field, order),
            |top| top,
        );
    }
}

#[test]
fn tuples_and_collections_of_collectors_are_those_of_memory() {
    assert_collects(
        || (TopDocs::with_limit(5).order_by_score(), Count),
        |both| both,
    );
    assert_collects(|| (Count, DocSetCollector, sum("count")), |three| three);
    assert_collects(
        || {
            let mut many = MultiCollector::new();
            let _ = many.add_collector(Count);
            let _ = many.add_collector(TopDocs::with_limit(4).order_by_score());
            many
        },
        |mut fruit| {
            // Handles only number the collectors, so those of an equal collection do.
            let mut same = MultiCollector::new();
            let count = same.add_collector(Count);
            let top = same.add_collector(TopDocs::with_limit(4).order_by_score());
            (count.extract(&mut fruit), top.extract(&mut fruit))
        },
    );
}

#[test]
fn facets_are_counted_as_in_memory() {
    assert_collects(
        || {
            let mut facets = FacetCollector::for_field("facet");
            facets.add_facet("/a");
            facets.add_facet("/d");
            facets
        },
        |counts| {
            let below = |facet: &str| {
                let counts = counts.get(facet);
                counts
                    .map(|(facet, count)| (facet.to_string(), count))
                    .collect::<Vec<_>>()
            };
            (below("/a"), below("/d"))
        },
    );
}

#[test]
fn histograms_are_those_of_memory() {
    assert_collects(
        || HistogramCollector::new::<u64>("id".into(), 0, 25, 40),
        |buckets| buckets,
    );
}

#[test]
fn filters_over_columns_are_those_of_memory() {
    assert_collects(
        || FilterCollector::new("nu".to_owned(), |value: u64| value.is_multiple_of(2), Count),
        |count| count,
    );
}

#[test]
fn aggregations_are_those_of_memory() {
    let aggregations: Aggregations = serde_json::from_value(serde_json::json!({
        "tags": {
            "terms": {"field": "tag"},
            "aggs": {"average": {"avg": {"field": "nf"}}},
        },
        "paths": {"terms": {"field": "js.deep.x"}},
        "numbers": {"histogram": {"field": "nf", "interval": 2.0}},
        "dates": {"date_histogram": {"field": "at", "fixed_interval": "1d"}},
        "spread": {"stats": {"field": "js.n"}},
        "different": {"cardinality": {"field": "label"}},
        "ranges": {"range": {"field": "nu", "ranges": [{"to": 3.0}, {"from": 3.0}]}},
    }))
    .unwrap();
    assert_collects(
        || AggregationCollector::from_aggs(aggregations.clone(), AggContextParams::default()),
        |results| serde_json::to_value(results).unwrap(),
    );
}

/// Sums a column: a collector of the caller's.
struct Sum {
    field: &'static str,
}

struct SegmentSum {
    column: Option<Column<u64>>,
    sum: u64,
}

fn sum(field: &'static str) -> Sum {
    Sum { field }
}

impl Collector for Sum {
    type Fruit = u64;
    type Child = SegmentSum;

    fn for_segment(&self, _: u32, reader: &SegmentReader) -> tantivy::Result<SegmentSum> {
        let column = reader.fast_fields().column_opt(self.field)?;
        Ok(SegmentSum { column, sum: 0 })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, sums: Vec<u64>) -> tantivy::Result<u64> {
        Ok(sums.into_iter().fold(0, u64::wrapping_add))
    }
}

impl SegmentCollector for SegmentSum {
    type Fruit = u64;

    fn collect(&mut self, doc: DocId, _: Score) {
        if let Some(column) = &self.column {
            for value in column.values_for_doc(doc) {
                self.sum = self.sum.wrapping_add(value);
            }
        }
    }

    fn harvest(self) -> u64 {
        self.sum
    }
}

#[test]
fn a_collector_of_the_callers_reads_its_column() {
    assert_collects(|| sum("count"), |sum| sum);
    assert_collects(|| sum("nu"), |sum| sum);
}
