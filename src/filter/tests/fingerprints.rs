//! What changes a fingerprint, and what does not.

use serde_json::{Value, json};
use tantivy::query::AllQuery;

use super::forms::{fingerprint, parse};
use crate::filter::{Clause, Filter, Fingerprint, SearchRequest, Sort, SourceFilter};

#[test]
fn a_change_of_what_is_read_changes_the_fingerprint() {
    let forms = [
        json!({"term": {"f": "a"}}),
        json!({"term": {"f": "b"}}),
        json!({"term": {"g": "a"}}),
        json!({"match": {"f": "a"}}),
        json!({"match": {"f": {"query": "a", "operator": "and"}}}),
        json!({"match_phrase": {"f": "a"}}),
        json!({"match_phrase": {"f": {"query": "a", "slop": 1}}}),
        json!({"prefix": {"f": "a"}}),
        json!({"exists": {"field": "f"}}),
        json!({"terms": {"f": ["a", "b"]}}),
        json!({"terms": {"f": ["a", "b", "c"]}}),
        json!({"terms": {"f": ["a"]}}),
        json!({"range": {"f": {"gt": 1}}}),
        json!({"range": {"f": {"gte": 1}}}),
        json!({"range": {"f": {"lt": 1}}}),
        json!({"range": {"f": {"lt": 1, "format": "epoch_second"}}}),
        json!({"query_string": {"query": "a"}}),
        json!({"query_string": {"query": "a", "fields": ["f"]}}),
        json!({"bool": {"filter": {"term": {"f": "a"}}}}),
        json!({"bool": {"must_not": {"term": {"f": "a"}}}}),
        json!({"bool": {"must": [{"term": {"f": "a"}}, {"term": {"f": "b"}}]}}),
        json!({"bool": {"should": [{"term": {"f": "a"}}, {"term": {"f": "b"}}]}}),
        json!({"bool": {"should": [{"term": {"f": "a"}}, {"term": {"f": "b"}}, {"term": {"f": "c"}}]}}),
        json!({"bool": {"should": [{"term": {"f": "a"}}, {"term": {"f": "b"}}, {"term": {"f": "c"}}],
            "minimum_should_match": 2}}),
        json!({"dis_max": {"queries": [{"term": {"f": "a"}}, {"term": {"f": "b"}}]}}),
        json!({"dis_max": {"queries": [{"term": {"f": "a"}}, {"term": {"f": "c"}}]}}),
        json!({"constant_score": {"filter": {"term": {"f": "b"}}}}),
        json!({"fuzzy": {"f": "abcd"}}),
        json!({"fuzzy": {"f": {"value": "abcd", "fuzziness": 2}}}),
        json!({"fuzzy": {"f": {"value": "abcd", "prefix_length": 1}}}),
        json!({"fuzzy": {"f": {"value": "abcd", "transpositions": false}}}),
        json!({"fuzzy": {"g": "abcd"}}),
        json!({"ids": {"values": ["0:1"]}}),
        json!({"ids": {"values": ["0:1", "0:2"]}}),
        json!({"prefix": {"f": {"value": "a", "case_insensitive": true}}}),
        json!({"regexp": {"f": "a"}}),
        json!({"regexp": {"f": "a.*"}}),
        json!({"regexp": {"g": "a"}}),
        json!({"regexp": {"f": {"value": "a", "case_insensitive": true}}}),
        json!({"regexp": {"f": {"value": "a~", "flags": "NONE"}}}),
        json!({"term": {"f": {"value": "a", "case_insensitive": true}}}),
        json!({"wildcard": {"f": "a"}}),
        json!({"wildcard": {"f": "a*b"}}),
        json!({"wildcard": {"f": r"a\*b"}}),
        json!({"wildcard": {"f": "a?b"}}),
        json!({"wildcard": {"g": "a?b"}}),
        json!({"wildcard": {"f": {"value": "a?b", "case_insensitive": true}}}),
        json!({"match_all": {}}),
        json!({"match_none": {}}),
    ];
    let mut seen = std::collections::HashMap::new();
    for form in forms {
        if let Some(other) = seen.insert(fingerprint(form.clone()), form.clone()) {
            panic!("{form} and {other} have one fingerprint");
        }
    }
    let request = || SearchRequest::new(Clause::term("f", "a"));
    let base = request().fingerprint();
    assert_eq!(
        base,
        request()
            .size(20)
            .from(5)
            .source(SourceFilter::None)
            .fingerprint()
    );
    assert_eq!(base, request().sort([Sort::score()]).fingerprint());
    let by = |sorts: &[Sort]| request().sort(sorts.to_vec()).fingerprint();
    assert_ne!(base, by(&[Sort::doc()]));
    assert_ne!(base, by(&[Sort::by("a")]));
    assert_ne!(by(&[Sort::by("b")]), by(&[Sort::by("a")]));
    assert_ne!(by(&[Sort::by("a"), Sort::score()]), by(&[Sort::by("a")]));
    assert_eq!(by(&[Sort::by("a").descending()]), by(&[Sort::by("a")]));
    assert_ne!(base, request().size(0).fingerprint());
}

#[test]
fn duplicates_that_count_are_kept() {
    let twice = |minimum: i32| {
        let term = json!({"term": {"f": "a"}});
        fingerprint(json!({"bool": {"should": [term, term], "minimum_should_match": minimum}}))
    };
    let once = |minimum: i32| {
        let term = json!({"term": {"f": "a"}});
        fingerprint(json!({"bool": {"should": [term], "minimum_should_match": minimum}}))
    };
    assert_eq!(twice(1), once(1));
    assert_ne!(twice(2), once(2));
}

#[test]
fn what_is_not_scored_needs_no_distinction() {
    let unscored = |clause: Value| {
        SearchRequest::new(parse(clause))
            .sort([Sort::doc()])
            .fingerprint()
    };
    let term = json!({"term": {"f": "a"}});
    assert_eq!(
        unscored(json!({"bool": {"filter": term}})),
        unscored(term.clone())
    );
    assert_eq!(
        unscored(json!({"terms": {"f": ["a", "a"]}})),
        unscored(term.clone())
    );
    assert_eq!(
        unscored(
            json!({"bool": {"filter": {"bool": {"must": term, "should": {"exists": {"field": "g"}}}}}})
        ),
        unscored(term.clone())
    );
    // tantivy reads what is optional even where nothing is scored, unless it is in a filter.
    let optional = json!({"bool": {"must": term, "should": {"exists": {"field": "g"}}}});
    assert_ne!(unscored(optional), unscored(term));
}

#[test]
fn combinations_that_read_the_same_are_one() {
    let term = json!({"term": {"f": "a"}});
    let other = json!({"term": {"f": "b"}});
    let none = json!({"match_none": {}});
    let best = |queries: Value| json!({"dis_max": {"queries": queries}});
    assert_eq!(fingerprint(best(json!([]))), fingerprint(none));
    assert_eq!(fingerprint(best(json!([term]))), fingerprint(term.clone()));
    assert_eq!(
        fingerprint(json!({"constant_score": {"filter": term}})),
        fingerprint(json!({"bool": {"filter": term}}))
    );
    let unscored = |clause: Value| fingerprint(json!({"bool": {"filter": clause}}));
    assert_eq!(
        unscored(best(json!([term, other]))),
        unscored(json!({"bool": {"should": [other, term]}}))
    );
    assert_eq!(
        unscored(json!({"constant_score": {"filter": term}})),
        unscored(term)
    );
}

#[test]
fn patterns_that_match_the_same_are_one() {
    let same = [
        (
            json!({"wildcard": {"f": "a*"}}),
            json!({"prefix": {"f": "a"}}),
        ),
        (
            json!({"wildcard": {"f": "a**?*b"}}),
            json!({"wildcard": {"f": "a?*b"}}),
        ),
        (
            json!({"wildcard": {"f": r"\a?"}}),
            json!({"wildcard": {"f": "a?"}}),
        ),
        (
            json!({"wildcard": {"f": {"value": "aB?", "case_insensitive": true}}}),
            json!({"wildcard": {"f": {"value": "Ab?", "case_insensitive": true}}}),
        ),
        (
            json!({"wildcard": {"f": {"value": "10*", "case_insensitive": true}}}),
            json!({"prefix": {"f": "10"}}),
        ),
        (
            json!({"prefix": {"f": {"value": "AB", "case_insensitive": true}}}),
            json!({"wildcard": {"f": {"value": "ab*", "case_insensitive": true}}}),
        ),
        (
            json!({"term": {"f": {"value": 10, "case_insensitive": true}}}),
            json!({"term": {"f": 10}}),
        ),
        (
            json!({"fuzzy": {"f": {"value": "a*", "fuzziness": 0}}}),
            json!({"wildcard": {"f": r"a\*"}}),
        ),
        (
            json!({"fuzzy": {"f": {"value": "abcd", "fuzziness": 1}}}),
            json!({"fuzzy": {"f": "abcd"}}),
        ),
        (
            json!({"ids": {"values": ["0:1", "0:2", "0:1"]}}),
            json!({"ids": {"values": ["0:2", "0:1"]}}),
        ),
        (json!({"ids": {"values": []}}), json!({"match_none": {}})),
    ];
    for (left, right) in same {
        assert_eq!(fingerprint(left.clone()), fingerprint(right), "{left}");
    }
}

#[test]
fn opaque_queries_are_told_apart_by_their_keys() {
    let fingerprint = |filter: &Filter| SearchRequest::new(filter.clone()).fingerprint();
    let unnamed = Filter::query(Box::new(AllQuery));
    assert_eq!(fingerprint(&unnamed), fingerprint(&unnamed.clone()));
    assert_ne!(
        fingerprint(&unnamed),
        fingerprint(&Filter::query(Box::new(AllQuery)))
    );
    let named = |key: &str| Filter::query_with_key(Box::new(AllQuery), key);
    assert_eq!(fingerprint(&named("a")), fingerprint(&named("a")));
    assert_ne!(fingerprint(&named("a")), fingerprint(&named("b")));
    let error = SearchRequest::new(unnamed).to_value().unwrap_err();
    assert_eq!(error.to_string(), "query: an opaque query has no JSON");
}

#[test]
fn a_fingerprint_is_the_same_in_every_build() {
    let fingerprint = fingerprint(json!({"term": {"type": "PushEvent"}}));
    insta::assert_snapshot!(
        fingerprint,
        @"06bcd71a0116b15459f4d6f75a9130884f500604b1336b52c464f160437fbe7a"
    );
    assert_eq!(
        fingerprint.to_string().parse::<Fingerprint>().unwrap(),
        fingerprint
    );
    let text = serde_json::to_string(&fingerprint).unwrap();
    assert_eq!(
        serde_json::from_str::<Fingerprint>(&text).unwrap(),
        fingerprint
    );
    assert!("zz".parse::<Fingerprint>().is_err());
    assert!("é".repeat(32).parse::<Fingerprint>().is_err());
}
