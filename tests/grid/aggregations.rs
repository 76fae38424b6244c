//! Aggregations over several splits are those of one index in memory.

use forewarm::{
    Aggregations, Clause, ErrorKind, Filter, OnMiss, SearchRequest, StoreSettings, TrackTotalHits,
    Warmer, WarmerSettings,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use tantivy::Searcher;
use tantivy::aggregation::agg_req;
use tantivy::aggregation::{AggContextParams, AggregationCollector};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::Query;

use crate::collectors::CORPUS;
use crate::expected::{AllScores, assert_total, query};
use crate::random::{RUNTIME, search_thrice, strict};
use crate::values::{Kind, TARGETS};

/// What tantivy makes of aggregations over the same segments in memory.
pub fn in_memory(ram: &Searcher, query: &dyn Query, aggregations: &Value) -> Value {
    let request: agg_req::Aggregations = serde_json::from_value(aggregations.clone()).unwrap();
    let collector = AggregationCollector::from_aggs(request, AggContextParams::default());
    let results = ram.search(query, &collector).unwrap();
    serde_json::to_value(results).unwrap()
}

/// The same beside hits by score: a phrase with slop matches otherwise where tantivy scores.
pub fn in_memory_scored(ram: &Searcher, query: &dyn Query, aggregations: &Value) -> Value {
    let request: agg_req::Aggregations = serde_json::from_value(aggregations.clone()).unwrap();
    let collector = AggregationCollector::from_aggs(request, AggContextParams::default());
    let both = (TopDocs::with_limit(1).order_by_score(), collector);
    let (_, results) = ram.search(query, &both).unwrap();
    serde_json::to_value(results).unwrap()
}

/// Searches in strict mode, twice, and gives back the aggregations.
fn aggregated(body: &Value) -> Value {
    let request = SearchRequest::from_value(body).unwrap();
    let corpus = &CORPUS.corpus;
    let response = RUNTIME.block_on(search_thrice(&corpus.store, &corpus.addresses, &request));
    let query = query(request.filter(), &corpus.ram);
    let matches = if request.is_scored() {
        corpus.ram.search(&query, &AllScores).unwrap().len()
    } else {
        corpus.ram.search(&query, &Count).unwrap()
    };
    assert_total(&response, &request, matches);
    // Opening is one round; dictionaries and columns another; postings a third; documents last.
    assert!(response.report.rounds <= 4, "{:?}", response.report);
    response.aggregations.unwrap_or(Value::Null)
}

fn assert_aggregates(filter: &Value, aggregations: &Value) {
    let request = SearchRequest::from_value(&json!({ "query": filter })).unwrap();
    let query = query(request.filter(), &CORPUS.corpus.ram);
    for size in [0, 3] {
        let body = json!({"query": filter, "size": size, "aggs": aggregations});
        let expected = match size {
            0 => in_memory(&CORPUS.corpus.ram, &query, aggregations),
            _ => in_memory_scored(&CORPUS.corpus.ram, &query, aggregations),
        };
        assert_eq!(aggregated(&body), expected, "{body}");
    }
}

#[test]
fn every_kind_of_aggregation_is_that_of_memory() {
    let kinds = [
        json!({"avg": {"field": "nf"}}),
        json!({"avg": {"field": "js.n", "missing": 3.5}}),
        json!({"cardinality": {"field": "tag"}}),
        json!({"cardinality": {"field": "ip"}}),
        json!({"composite": {"size": 5, "sources": [
            {"tag": {"terms": {"field": "tag", "missing_bucket": true, "order": "asc"}}},
            {"number": {"histogram": {"field": "nf", "interval": 2.0}}},
        ]}}),
        json!({"composite": {"size": 50, "sources": [
            {"day": {"date_histogram": {"field": "at", "fixed_interval": "1d"}}},
            {"flag": {"terms": {"field": "flag"}}},
        ]}}),
        json!({"date_histogram": {"field": "at", "fixed_interval": "12h", "keyed": true}}),
        json!({"date_histogram": {"field": "at", "fixed_interval": "1d", "offset": "-6h",
            "min_doc_count": 1}}),
        json!({"extended_stats": {"field": "nu", "sigma": 3.0}}),
        json!({"histogram": {"field": "nf", "interval": 1.5, "offset": 0.25,
            "hard_bounds": {"min": -1.0, "max": 3.0}}}),
        json!({"histogram": {"field": "js.n", "interval": 1.0,
            "extended_bounds": {"min": -20.0, "max": 20.0}}}),
        json!({"max": {"field": "at"}}),
        json!({"min": {"field": "js.i"}}),
        json!({"multi_terms": {"terms": [{"field": "tag"}, {"field": "flag"}], "size": 4}}),
        json!({"multi_terms": {"terms": [{"field": "rare", "missing": "none"}, {"field": "js.mix"}]}}),
        json!({"percentiles": {"field": "nf", "percents": [10.0, 50.0, 99.0]}}),
        json!({"range": {"field": "nf", "ranges": [{"to": 0.0}, {"from": 0.0, "to": 2.0,
            "key": "few"}, {"from": 2.0}], "keyed": true}}),
        json!({"stats": {"field": "ni"}}),
        json!({"sum": {"field": "nf"}}),
        json!({"terms": {"field": "tag", "order": {"_key": "desc"}, "size": 3}}),
        json!({"terms": {"field": "js.mix", "missing": "none"}}),
        json!({"terms": {"field": "label", "include": "k1.*", "min_doc_count": 0}}),
        json!({"terms": {"field": "label", "exclude": ["k0", "k1"], "segment_size": 4}}),
        json!({"terms": {"field": "ip"}}),
        json!({"terms": {"field": "js.dot.ted", "show_term_doc_count_error": true}}),
        json!({"top_hits": {"size": 3, "sort": [{"nu": "desc"}, {"id": "asc"}],
            "docvalue_fields": ["id", "count"]}}),
        json!({"value_count": {"field": "tag"}}),
        json!({"value_count": {"field": "js.mix"}}),
    ];
    let filters = [
        json!({"match_all": {}}),
        json!({"match_none": {}}),
        json!({"bool": {"must": [{"match": {"title": "sea quiet"}}],
            "filter": [{"range": {"nu": {"lte": 9}}}]}}),
    ];
    for kind in &kinds {
        for filter in &filters {
            assert_aggregates(filter, &json!({ "it": kind }));
        }
    }
    let all: Map<String, Value> = kinds
        .iter()
        .enumerate()
        .map(|(number, kind)| (format!("a{number}"), kind.clone()))
        .collect();
    assert_aggregates(&filters[2], &Value::Object(all));
}

#[test]
fn aggregations_of_buckets_are_those_of_memory() {
    assert_aggregates(
        &json!({"exists": {"field": "nf"}}),
        &json!({
            "tags": {
                "terms": {"field": "tag", "order": {"mean": "asc"}},
                "aggs": {
                    "mean": {"avg": {"field": "nf"}},
                    "when": {
                        "date_histogram": {"field": "at", "fixed_interval": "1d"},
                        "aggs": {"labels": {"terms": {"field": "label"}}},
                    },
                },
            },
            "bands": {
                "range": {"field": "nu", "ranges": [{"to": 5.0}, {"from": 5.0}]},
                "aggs": {"best": {"top_hits": {
                    "size": 2, "sort": [{"id": "desc"}], "docvalue_fields": ["i*"]}}},
            },
        }),
    );
}

/// What a filter aggregation must be: its children over the matches of both filters.
#[test]
fn filters_and_missing_values_make_one_bucket_each() {
    let children = json!({
        "tags": {"terms": {"field": "tag"}},
        "mean": {"avg": {"field": "nf"}},
    });
    let query_body = json!({"match": {"title": "sea the"}});
    let filters = [
        (
            json!({"filter": {"bool": {"must": [{"term": {"title": "fox"}}],
                "must_not": [{"match_phrase": {"title": "lazy dog"}}]}}}),
            json!({"bool": {"must": [{"term": {"title": "fox"}}],
                "must_not": [{"match_phrase": {"title": "lazy dog"}}]}}),
        ),
        (
            json!({"filter": {"prefix": {"key": "k1"}}}),
            json!({"prefix": {"key": "k1"}}),
        ),
        (
            json!({"filter": {"range": {"label": {"gte": "k1"}}}}),
            json!({"range": {"label": {"gte": "k1"}}}),
        ),
        (
            json!({"filter": {"match_all": {}}}),
            json!({"match_all": {}}),
        ),
        (
            json!({"missing": {"field": "nu"}}),
            json!({"bool": {"must_not": {"exists": {"field": "nu"}}}}),
        ),
        (
            json!({"missing": {"field": "js.deep.x"}}),
            json!({"bool": {"must_not": {"exists": {"field": "js.deep.x"}}}}),
        ),
    ];
    let mut all = Map::new();
    let mut expected = Map::new();
    for (number, (aggregation, clause)) in filters.iter().enumerate() {
        let both = json!({"bool": {"filter": [query_body, clause]}});
        let both = Filter::from(Clause::from_value(&both).unwrap());
        let query = query(&both, &CORPUS.corpus.ram);
        let mut bucket = in_memory(&CORPUS.corpus.ram, &query, &children);
        bucket["doc_count"] = json!(CORPUS.corpus.ram.search(&query, &Count).unwrap());
        expected.insert(format!("f{number}"), bucket);
        let mut aggregation = aggregation.clone();
        aggregation["aggregations"] = children.clone();
        all.insert(format!("f{number}"), aggregation);
    }
    let body = json!({"query": query_body, "size": 0, "aggregations": all});
    assert_eq!(aggregated(&body), Value::Object(expected));
}

/// tantivy would panic: a segment that lacks the column answers with no value.
#[test]
fn top_hits_of_a_column_that_segments_lack_brings_what_there_is() {
    let body = json!({
        "query": {"match_all": {}},
        "size": 0,
        "aggs": {"best": {"top_hits": {
            "sort": [{"id": {"order": "asc"}}],
            "size": 100,
            "docvalue_fields": ["rare", "id", "js.deep.*", "no-such-*"],
        }}},
    });
    let found = aggregated(&body);
    let hits = found["best"]["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 100);
    assert!(
        hits.iter()
            .all(|hit| hit["docvalue_fields"]["id"].is_array())
    );
    assert!(
        hits.iter()
            .any(|hit| hit["docvalue_fields"]["rare"] != Value::Null)
    );
}

#[test]
fn aggregations_built_in_rust_are_collected_too() {
    let text = json!({
        "some": {"filter": "title:sea AND nu:[1 TO 9]", "aggs": {"mean": {"avg": {"field": "nf"}}}},
        "tags": {"terms": {"field": "tag"}},
    });
    let built: agg_req::Aggregations = serde_json::from_value(text.clone()).unwrap();
    let corpus = &CORPUS.corpus;
    let request = SearchRequest::new(Clause::exists("nf"))
        .size(0)
        .track_total_hits(TrackTotalHits::Not)
        .aggregations(Aggregations::from_tantivy(built).unwrap());
    let response = RUNTIME.block_on(search_thrice(&corpus.store, &corpus.addresses, &request));
    let expected = in_memory(&corpus.ram, &query(request.filter(), &corpus.ram), &text);
    assert_eq!(response.aggregations, Some(expected));
}

#[test]
fn aggregations_that_read_otherwise_are_warmed_apart() {
    let request = |aggs: Value| SearchRequest::from_value(&json!({"aggs": aggs})).unwrap();
    let one = request(json!({"it": {"avg": {"field": "nf"}}}));
    let same = request(json!({"it": {"avg": {"field": "nf"}}}));
    let other = request(json!({"it": {"avg": {"field": "nu"}}}));
    let filtered = request(json!({"it": {"filter": {"term": {"tag": "k1"}}}}));
    let wrapped = request(json!({"it": {"filter": {"bool": {"must": {"term": {"tag": "k1"}}}}}}));
    assert_eq!(one.fingerprint(), same.fingerprint());
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_ne!(
        one.fingerprint(),
        SearchRequest::new(Clause::match_all()).fingerprint()
    );
    assert_eq!(filtered.fingerprint(), wrapped.fingerprint());
    let written = wrapped.to_value().unwrap();
    let read = SearchRequest::from_value(&written).unwrap();
    assert_eq!(read.to_value().unwrap(), written);
}

#[test]
fn too_many_buckets_and_too_much_memory_are_errors() {
    let corpus = &CORPUS.corpus;
    let settings = || {
        WarmerSettings::default()
            .with_on_miss(OnMiss::Fail)
            .with_store(
                StoreSettings::default()
                    .with_merge_gap_bytes(0)
                    .with_whole_split_bytes(0),
            )
    };
    let body = json!({"size": 0, "aggs": {"it": {"terms": {"field": "id", "size": 100}}}});
    let request = SearchRequest::from_value(&body).unwrap();
    for settings in [
        settings().with_aggregation_buckets(99),
        settings().with_aggregation_bytes(1_000),
    ] {
        let warmer = Warmer::builder(corpus.store.clone())
            .settings(settings)
            .runtime(RUNTIME.handle().clone())
            .build()
            .unwrap();
        let error = RUNTIME.block_on(warmer.search(&corpus.addresses, &request));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Budget, "{}", error.chain());
    }
}

/// tantivy multiplies the number of buckets by their size in 64 bits; this interval makes the
/// product wrap to almost nothing.
#[test]
fn a_histogram_of_more_buckets_than_can_be_counted_is_refused() {
    let corpus = &CORPUS.corpus;
    let warmer = strict(&corpus.store);
    for (field, span) in [("id", 502.0), ("ni", 1.8e19)] {
        let interval = span / 2.562_047_788_015_215_6e17;
        let histogram = json!({"field": field, "interval": interval});
        for aggs in [
            json!({"it": {"histogram": histogram}}),
            json!({"tags": {"terms": {"field": "tag"}, "aggs": {"it": {"histogram": histogram}}}}),
        ] {
            let body = json!({"size": 0, "aggs": aggs});
            let request = SearchRequest::from_value(&body).unwrap();
            let error = RUNTIME.block_on(warmer.search(&corpus.addresses, &request));
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Budget, "{}", error.chain());
        }
    }
}

#[test]
fn an_aggregation_over_no_split_is_empty() {
    let warmer = strict(&CORPUS.corpus.store);
    let body = json!({"size": 0, "aggs": {"it": {"terms": {"field": "tag"}}}});
    let request = SearchRequest::from_value(&body).unwrap();
    let response = RUNTIME.block_on(warmer.search(&[], &request)).unwrap();
    assert_eq!(response.aggregations.unwrap()["it"]["buckets"], json!([]));
}

fn field(fits: impl Fn(Kind) -> bool) -> impl Strategy<Value = &'static str> {
    let fast = TARGETS
        .iter()
        .filter(|target| target.fast && fits(target.kind));
    // tantivy orders buckets of facets by bytes that are no text.
    let names: Vec<_> = fast
        .filter(|target| target.kind != Kind::Facet)
        .map(|it| it.name)
        .collect();
    select(names)
}

fn leaf() -> BoxedStrategy<Value> {
    let number = |kind| matches!(kind, Kind::Date | Kind::F64 | Kind::I64 | Kind::U64);
    let metric = select(vec![
        "avg",
        "extended_stats",
        "max",
        "min",
        "percentiles",
        "stats",
        "sum",
    ]);
    let counted = select(vec!["cardinality", "value_count"]);
    let any = |kind| kind != Kind::Bytes;
    prop_oneof![
        (metric, field(number)).prop_map(|(kind, field)| json!({kind: {"field": field}})),
        (counted, field(any)).prop_map(|(kind, field)| json!({kind: {"field": field}})),
    ]
    .boxed()
}

fn bucket() -> BoxedStrategy<Value> {
    let any = |kind| kind != Kind::Bytes;
    let fraction = |kind| kind == Kind::F64;
    let date = |kind| kind == Kind::Date;
    let terms = (field(any), 1..20_u32, 0..2_u64).prop_map(|(field, size, least)| {
        json!({"terms": {"field": field, "size": size, "min_doc_count": least}})
    });
    let histogram = (field(fraction), 1..6_u32).prop_map(|(field, interval)| {
        json!({"histogram": {"field": field, "interval": f64::from(interval) / 2.0}})
    });
    let dates = (field(date), 1..40_u32).prop_map(|(field, hours)| {
        json!({"date_histogram": {"field": field, "fixed_interval": format!("{hours}h")}})
    });
    let ranges = (field(fraction), -5..5_i32, 0..5_i32).prop_map(|(field, from, more)| {
        json!({"range": {"field": field, "ranges": [
            {"from": f64::from(from), "to": f64::from(from + more + 1)}]}})
    });
    let multi = (field(any), field(any)).prop_map(
        |(one, other)| json!({"multi_terms": {"terms": [{"field": one}, {"field": other}]}}),
    );
    prop_oneof![3 => terms, 1 => histogram, 1 => dates, 1 => ranges, 1 => multi].boxed()
}

fn some(of: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    prop::collection::vec(of, 1..4).prop_map(|nodes| {
        let named = nodes.into_iter().enumerate();
        Value::Object(named.map(|(at, node)| (format!("n{at}"), node)).collect())
    })
}

/// Trees of aggregations, up to four deep.
pub fn tree() -> BoxedStrategy<Value> {
    let node = prop_oneof![leaf(), bucket()].prop_recursive(3, 12, 3, |inner| {
        let with = (bucket(), some(inner)).prop_map(|(mut bucket, children)| {
            bucket["aggs"] = children;
            bucket
        });
        prop_oneof![leaf(), with]
    });
    // Composite aggregations stand alone, and have no room below others.
    let composite = (field(|kind| kind != Kind::Bytes), 1..30_u32, some(leaf())).prop_map(
        |(field, size, children)| {
            json!({"composite": {"size": size, "sources": [{"it": {"terms": {"field": field}}}]},
                "aggs": children})
        },
    );
    let top = prop_oneof![5 => node, 1 => composite];
    some(top.boxed()).boxed()
}

/// Trees whose `terms` have room for all buckets.
pub fn roomy_tree() -> impl Strategy<Value = Value> {
    fn make_room(tree: &mut Value) {
        match tree {
            // The sources of a composite have no size of their own.
            Value::Object(map) if !map.contains_key("composite") => {
                for kind in ["terms", "multi_terms"] {
                    if let Some(Value::Object(terms)) = map.get_mut(kind) {
                        terms.insert("size".to_owned(), json!(10_000));
                    }
                }
                map.values_mut().for_each(make_room);
            }
            Value::Array(values) => values.iter_mut().for_each(make_room),
            _ => {}
        }
    }
    tree().prop_map(|mut tree| {
        make_room(&mut tree);
        tree
    })
}

/// The last segment holds no match and is left out, but the others were merged into it in memory:
/// buckets of equal counts come out in an order that depends on that.
#[test]
fn buckets_keep_their_order_though_the_last_segment_is_left_out() {
    assert_aggregates(
        &json!({"bool": {"filter": [
            {"bool": {"must_not": [{"term": {"flag": true}}]}},
            {"wildcard": {"doc.s": {"value": "*1"}}},
        ]}}),
        &json!({"n0": {
            "multi_terms": {"terms": [{"field": "js.s"}, {"field": "nu"}]},
            "aggs": {
                "n0": {
                    "terms": {"field": "label", "size": 12, "min_doc_count": 1},
                    "aggs": {"n2": {"extended_stats": {"field": "at"}}},
                },
                "n1": {"terms": {"field": "js.ok", "size": 16, "min_doc_count": 1}},
            },
        }}),
    );
}

#[test]
fn random_aggregations_are_those_of_memory() {
    let cases = std::env::var("FOREWARM_CASES").ok();
    let config = Config {
        cases: cases.map_or(40, |cases| cases.parse().unwrap()) * 5,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut seed = [7; 32];
    if let Ok(given) = std::env::var("FOREWARM_SEED") {
        seed[..8].copy_from_slice(&given.parse::<u64>().unwrap().to_le_bytes());
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let queries = crate::clauses::clause();
    TestRunner::new_with_rng(config, rng)
        .run(&(queries, tree()), |(clause, aggregations)| {
            assert_aggregates(&clause, &aggregations);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}
