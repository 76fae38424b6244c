//! Aggregations that ask for more buckets than there is memory.

use forewarm::ErrorKind;
use serde_json::{Map, Value, json};

use super::Ends::{Answered, Refused};
use super::{attack, refused};

fn aggs(aggregation: Value) -> Value {
    json!({"size": 0, "aggs": {"it": aggregation}})
}

fn over(message: &'static str) -> super::Ends {
    Refused(ErrorKind::Budget, message)
}

#[test]
fn empty_buckets_are_counted_before_they_are_made() {
    let numbers = |interval: f64| json!({"histogram": {"field": "price", "interval": interval}});
    let with = |mut histogram: Value, key: &str, value: Value| {
        histogram["histogram"][key] = value;
        histogram
    };
    let too_many = "aggs.it: an interval of";
    let far = json!({"min": 1e18, "max": 1e18});
    let wide = json!({"min": -1e18, "max": 1e18});
    let days =
        |interval: &str| json!({"date_histogram": {"field": "at", "fixed_interval": interval}});
    let inner = json!({"histogram": {"field": "price", "interval": 1,
        "extended_bounds": {"min": 0, "max": 60_000}}});
    let nested = json!({"terms": {"field": "tag"}, "aggs": {"b": numbers(1e-9)}});
    for (aggregation, ends) in [
        (numbers(1e-300), over(too_many)),
        (numbers(5e-324), over(too_many)),
        // Buckets times their size is just beyond 64 bits.
        (numbers(99.75 / 3.843_071_682_022_823e17), over(too_many)),
        (numbers(1e-5), over(too_many)),
        (numbers(1e-3), over(too_many)),
        (numbers(0.01), Answered),
        (numbers(1e300), Answered),
        (with(numbers(1e-300), "min_doc_count", json!(1)), Answered),
        (with(numbers(1.0), "offset", json!(1e308)), Answered),
        (with(numbers(1.0), "hard_bounds", wide.clone()), Answered),
        (
            with(numbers(1.0), "extended_bounds", wide),
            refused("extended_bounds: more than 65536"),
        ),
        (with(numbers(1.0), "extended_bounds", far), over(too_many)),
        (with(numbers(1.0), "keyed", json!(true)), Answered),
        (with(numbers(1e-9), "keyed", json!(true)), over(too_many)),
        (
            nested,
            over("aggs.it.b: an interval of 1e-9 makes more than"),
        ),
        (
            json!({"histogram": {"field": "price", "interval": 0.01}, "aggs": {"b": inner}}),
            over("memory limit was exceeded"),
        ),
        (days("1ms"), over("memory limit was exceeded")),
        (days("9223372036854ms"), Answered),
        (
            days("9223372036855ms"),
            refused("fixed_interval: expected a whole number"),
        ),
    ] {
        attack(&aggs(aggregation), &ends);
    }
}

#[test]
fn sizes_of_aggregations_are_bounded() {
    let sources = json!([{"a": {"terms": {"field": "tag"}}}]);
    let composite = |source: Value| json!({"composite": {"sources": [{"a": source}]}});
    let ranges: Vec<Value> = (0..100_000)
        .map(|n| json!({"from": n, "to": n + 1}))
        .collect();
    for (aggregation, ends) in [
        (
            json!({"terms": {"field": "tag", "size": 100_000_000}}),
            Answered,
        ),
        (
            json!({"terms": {"field": "tag", "size": u32::MAX}}),
            refused("aggs.it.terms.size: expected a whole number up to 100000000, got 4294967295"),
        ),
        (
            json!({"terms": {"field": "tag", "size": 1_u64 << 40}}),
            refused("aggs.it.terms: "),
        ),
        (
            json!({"terms": {"field": "tag", "size": -1}}),
            refused("aggs.it.terms: invalid value"),
        ),
        (
            json!({"composite": {"size": u32::MAX, "sources": sources}}),
            refused("aggs.it.composite.size: expected a whole number from 1 to 65536"),
        ),
        (
            composite(json!({"histogram": {"field": "price", "interval": 0}})),
            refused("aggs.it.composite.sources.a.interval: expected a number above 0, got 0"),
        ),
        (
            composite(json!({"date_histogram": {"field": "at", "fixed_interval": "0ms"}})),
            refused("aggs.it.composite.sources.a.fixed_interval: expected a whole number"),
        ),
        (
            composite(json!({"histogram": {"field": "price", "interval": 1e-300}})),
            Answered,
        ),
        (
            json!({"top_hits": {"size": u32::MAX, "sort": ["price"]}}),
            refused("aggs.it.top_hits.size: from + size is 4294967295, expected 1 to 100"),
        ),
        (
            json!({"top_hits": {"sort": ["price"], "docvalue_fields": vec!["*"; 10_000]}}),
            refused("aggs.it.top_hits.docvalue_fields: 10000 fields, more than 100"),
        ),
        (
            json!({"range": {"field": "price", "ranges": ranges}}),
            over("bucket limit was exceeded"),
        ),
        (
            json!({"range": {"field": "price", "ranges": []}}),
            refused("aggs.it.range.ranges: expected at least one range"),
        ),
        (
            json!({"range": {"field": "price", "ranges": [{"from": 1e308, "to": -1e308}]}}),
            Answered,
        ),
        (
            json!({"terms": {"field": "tag", "include": "(.{100}){100}"}}),
            refused("exceeds size"),
        ),
        (
            json!({"terms": {"field": "tag", "include": "(.*a.{9}){9}"}}),
            refused("exceeds size"),
        ),
        (
            json!({"terms": {"field": "tag", "include": "(".repeat(900)}}),
            refused("Invalid regex"),
        ),
        (json!({"terms": {"field": "id", "missing": -1}}), Answered),
        (
            json!({"extended_stats": {"field": "price", "sigma": 1e308}}),
            Answered,
        ),
    ] {
        attack(&aggs(aggregation), &ends);
    }
}

#[test]
fn a_thousand_aggregations_are_the_most() {
    let many = |count: usize| -> Value {
        let one = |n| (format!("a{n}"), json!({"filter": {"term": {"id": n}}}));
        let all: Map<String, Value> = (0..count).map(one).collect();
        json!({"size": 0, "aggs": all})
    };
    attack(&many(1_000), &Answered);
    attack(&many(1_001), &refused("more than 1000 aggregations"));
}
