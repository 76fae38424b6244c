//! Nests, as text and built in Rust.

use forewarm::{Aggregations, Clause, ErrorKind, SearchRequest};
use serde_json::{Value, json};

use super::Ends::{Answered, Refused};
use super::{attack, attack_query, attack_request, attack_text, refused};

const TOO_DEEP: &str = "clauses nest deeper than 64";

/// A query in so many others.
fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!({"term": {"tag": "t1"}}), |inner, _| wrap(inner))
}

#[test]
fn clauses_nest_to_a_bound_whatever_they_are_in() {
    let wraps: [fn(Value) -> Value; 4] = [
        |inner| json!({"bool": {"must": [inner]}}),
        |inner| json!({"bool": {"must_not": [inner]}}),
        |inner| json!({"constant_score": {"filter": inner}}),
        |inner| json!({"dis_max": {"queries": [inner]}}),
    ];
    for wrap in wraps {
        let body = json!({"query": nested(63, wrap)});
        // As text, JSON itself may be too deep; parsed, only the clauses are counted.
        attack_request("63", SearchRequest::from_value(&body).unwrap(), &Answered);
        for levels in [64, 100, 120] {
            let body = json!({"query": nested(levels, wrap)});
            let error = SearchRequest::from_value(&body).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.to_string().ends_with(TOO_DEEP), "{error}");
        }
        attack_query(
            &nested(200, wrap),
            &refused("recursion limit exceeded at line 1"),
        );
    }
}

#[test]
fn clauses_built_in_rust_nest_to_the_same_bound() {
    let wraps: [fn(Clause) -> Clause; 3] = [
        |inner| Clause::bool().must(inner).into(),
        |inner| Clause::constant_score(inner).into(),
        |inner| Clause::dis_max().query(inner).into(),
    ];
    for wrap in wraps {
        for levels in [64, 100, 1_000] {
            let clause = (0..levels).fold(Clause::match_all().into(), |inner, _| wrap(inner));
            attack_request("nest", SearchRequest::new(clause), &refused(TOO_DEEP));
        }
    }
}

#[test]
fn deep_text_is_refused_by_its_column() {
    for text in ["[", "{\"query\":", "{\"query\":{\"bool\":{\"must\":["] {
        attack_text(&text.repeat(100_000), &refused("at line 1 column"));
    }
}

#[test]
fn aggregations_nest_to_a_bound() {
    for (levels, ends) in [
        (7, Answered),
        (8, refused("aggregations nest deeper than 8")),
        (30, refused("aggregations nest deeper than 8")),
        (150, refused("recursion limit exceeded")),
    ] {
        let aggs = (0..levels).fold(
            json!({"it": {"max": {"field": "id"}}}),
            |inner, _| json!({"it": {"terms": {"field": "tag"}, "aggs": inner}}),
        );
        attack(&json!({"size": 0, "aggs": aggs}), &ends);
        if levels == 150 {
            let error = Aggregations::from_value(&aggs).unwrap_err();
            assert!(error.to_string().ends_with("nest deeper than 8"), "{error}");
        }
    }
}

#[test]
fn query_strings_nest_to_a_bound() {
    let many = |text: &str, times: usize| text.repeat(times);
    let closed = |times| format!("{}a{}", many("(", times), many(")", times));
    let kinds = [
        ("query_string", closed(5_000)),
        ("query_string", many("(", 5_000)),
        ("query_string", format!("{}a", many("NOT ", 5_000))),
        ("query_string", many("-", 60_000)),
        ("query_string", many("[", 60_000)),
        ("query_string", many("\"", 60_001)),
        ("query_string", many("body:", 10_000)),
        ("simple_query_string", closed(5_000)),
    ];
    for (kind, text) in kinds {
        let query = json!({kind: {"query": text, "fields": ["body"]}});
        let place = match kind {
            "query_string" => "query.query_string.query: ",
            _ => "query.simple_query_string.query: parentheses nest deeper than 64",
        };
        attack_query(&query, &Refused(ErrorKind::InvalidRequest, place));
    }
    for text in [
        many("(", 60_000),
        many("-", 60_000) + "a",
        many("\"", 60_001),
    ] {
        let query = json!({"simple_query_string": {"query": text, "fields": ["body"]}});
        attack_query(&query, &Answered);
    }
}
