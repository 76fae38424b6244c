//! JSON, the builder, canonical forms and fingerprints.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::filter::tests::strategy::clauses;
use crate::filter::tests::text_forms;
use crate::filter::{
    BoolClause, Clause, DisMaxClause, FieldValue, Fingerprint, Fuzziness, Missing, Operator,
    RegexpFlags, SearchRequest, Sort, SourceFilter, TermsClause, TrackTotalHits,
};

pub(super) fn parse(value: Value) -> Clause {
    Clause::from_value(&value).unwrap()
}

pub(super) fn fingerprint(value: Value) -> Fingerprint {
    SearchRequest::new(parse(value)).fingerprint()
}

/// A clause that means the same: lists turned around and doubled, single clauses wrapped.
fn disguise(clause: &Clause) -> Clause {
    match clause {
        Clause::Bool(clause) => {
            let list = |clauses: &[Clause]| -> Vec<Clause> {
                clauses.iter().rev().map(disguise).collect()
            };
            let doubled = |clauses: &[Clause]| [list(clauses), list(clauses)].concat();
            Clause::from(BoolClause {
                must: doubled(&clause.must),
                filter: doubled(&clause.filter),
                // Doubling these could change how many must match.
                should: list(&clause.should),
                must_not: doubled(&clause.must_not),
                minimum_should_match: clause.minimum_should_match.clone(),
                boost: clause.boost + 1.0,
                // A name of what is not searched makes it read.
                name: clause.name.clone(),
            })
        }
        Clause::ConstantScore(clause) => {
            let filter = disguise(&clause.filter);
            Clause::bool().filter(filter).into()
        }
        Clause::DisMax(clause) => {
            let queries = clause.queries.iter().rev().chain(&clause.queries);
            Clause::from(DisMaxClause {
                queries: queries.map(disguise).collect(),
                ..clause.clone()
            })
        }
        Clause::Terms(clause) => {
            let reversed = clause.values.iter().rev();
            let values = reversed.chain(&clause.values).cloned().collect();
            Clause::from(TermsClause {
                values,
                ..clause.clone()
            })
        }
        leaf => text_forms::disguise(leaf)
            .unwrap_or_else(|| Clause::bool().must(leaf.clone().boost(3.0)).into()),
    }
}

proptest! {
    #[test]
    fn a_clause_survives_json(clause in clauses()) {
        prop_assert_eq!(&Clause::from_value(&clause.to_value()).unwrap(), &clause);
        let text = serde_json::to_string(&clause).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Clause>(&text).unwrap(), &clause);
    }

    #[test]
    fn equal_meanings_have_equal_fingerprints(clause in clauses(), by_score: bool) {
        let sort = if by_score { Sort::score() } else { Sort::doc() };
        let now = std::time::UNIX_EPOCH;
        let request = |clause| SearchRequest::new(clause).sort([sort.clone()]).at(now);
        let disguised = disguise(&clause);
        prop_assert_eq!(
            request(clause.clone()).fingerprint(),
            request(disguised.clone()).fingerprint(),
            "{} {}", clause.to_value(), disguised.to_value()
        );
    }

    #[test]
    fn any_json_is_read_or_refused(text in r#"[\[\]{}":,a-z0-9.\-]{0,40}"#) {
        let _ = SearchRequest::from_json(&text);
        let _ = Clause::from_json(&format!(r#"{{"bool": {{"must": {text}}}}}"#));
    }
}

#[test]
fn spellings_are_one_clause() {
    let same = [
        (
            json!({"term": {"f": "v"}}),
            json!({"term": {"f": {"value": "v"}}}),
        ),
        (
            json!({"prefix": {"f": "v"}}),
            json!({"prefix": {"f": {"value": "v", "boost": 1}}}),
        ),
        (
            json!({"match": {"f": "v"}}),
            json!({"match": {"f": {"query": "v", "operator": "OR"}}}),
        ),
        (
            json!({"match_phrase": {"f": "v"}}),
            json!({"match_phrase": {"f": {"query": "v", "slop": 0}}}),
        ),
        (
            json!({"bool": {"must": {"match_all": {}}}}),
            json!({"bool": {"must": [{"match_all": {}}]}}),
        ),
        (
            json!({"range": {"f": {"gt": 1, "lt": null}}}),
            json!({"range": {"f": {"gt": 1}}}),
        ),
        (
            json!({"query_string": {"query": "q", "default_field": "f"}}),
            json!({"query_string": {"query": "q", "fields": ["f"], "default_operator": "or"}}),
        ),
        (
            json!({"fuzzy": {"f": "v"}}),
            json!({"fuzzy": {"f": {"value": "v", "fuzziness": "auto:3,6", "prefix_length": 0,
                "transpositions": true, "max_expansions": 50}}}),
        ),
        (
            json!({"ids": {"values": "0:1"}}),
            json!({"ids": {"values": ["0:1"], "boost": 1}}),
        ),
        (
            json!({"regexp": {"f": "v"}}),
            json!({"regexp": {"f": {"value": "v", "flags": "ALL", "case_insensitive": false}}}),
        ),
        (
            json!({"regexp": {"f": {"value": "v", "flags": "anystring | EMPTY"}}}),
            json!({"regexp": {"f": {"value": "v", "flags": "EMPTY|ANYSTRING|NONE"}}}),
        ),
        (
            json!({"wildcard": {"f": "v*"}}),
            json!({"wildcard": {"f": {"wildcard": "v*"}}}),
        ),
        (
            json!({"wildcard": {"f": {"value": "v*", "case_insensitive": false}}}),
            json!({"wildcard": {"f": {"wildcard": "v*", "boost": 1}}}),
        ),
        (
            json!({"constant_score": {"filter": {"match_all": {}}}}),
            json!({"constant_score": {"filter": {"match_all": {"boost": 1.0}}, "boost": 1}}),
        ),
        (
            json!({"dis_max": {"queries": {"match_all": {}}}}),
            json!({"dis_max": {"queries": [{"match_all": {}}], "tie_breaker": 0}}),
        ),
        (
            json!({"bool": {"should": [], "minimum_should_match": "2"}}),
            json!({"bool": {"minimum_should_match": 2}}),
        ),
    ];
    for (short, long) in same {
        assert_eq!(parse(short.clone()), parse(long), "{short}");
    }
}

#[test]
fn the_builder_makes_the_tree_of_the_json() {
    let built: Clause = Clause::bool()
        .must(Clause::term("type", "PushEvent"))
        .filter(Clause::range("price").gte(10).lt(20.5))
        .filter(Clause::exists("repo.name"))
        .should(
            Clause::match_text("title", "quick fox")
                .operator(Operator::And)
                .boost(0.1),
        )
        .should(Clause::match_phrase("title", "quick fox").slop(2))
        .must_not(Clause::terms("n", [1_u64, u64::MAX]))
        .must_not(Clause::prefix("path", "/a*").boost(2.0))
        .should(Clause::query_string("a b").fields(["title^2"]))
        .should(Clause::constant_score(Clause::exists("a")).boost(0.1))
        .should(
            Clause::fuzzy("f", "v")
                .fuzziness(Fuzziness::Edits(1))
                .prefix_length(2)
                .transpositions(false),
        )
        .should(Clause::fuzzy("f", "v").fuzziness(Fuzziness::Auto { low: 1, high: 2 }))
        .should(Clause::ids(["0:1"]).boost(2.0))
        .should(Clause::prefix("f", "v").case_insensitive(true))
        .should(Clause::regexp("f", "v").flags(RegexpFlags::NONE))
        .should(Clause::term("f", "v").case_insensitive(true))
        .should(Clause::wildcard("f", "v?").case_insensitive(true))
        .should(
            Clause::dis_max()
                .query(Clause::exists("a"))
                .tie_breaker(0.3),
        )
        .minimum_should_match(-1)
        .boost(2.0)
        .into();
    let json = json!({"bool": {
        "must": [{"term": {"type": "PushEvent"}}],
        "filter": [{"range": {"price": {"gte": 10, "lt": 20.5}}}, {"exists": {"field": "repo.name"}}],
        "should": [
            {"match": {"title": {"query": "quick fox", "operator": "and", "boost": 0.1}}},
            {"match_phrase": {"title": {"query": "quick fox", "slop": 2}}},
            {"query_string": {"query": "a b", "fields": ["title^2"]}},
            {"constant_score": {"filter": {"exists": {"field": "a"}}, "boost": 0.1}},
            {"fuzzy": {"f": {"value": "v", "fuzziness": 1, "prefix_length": 2,
                "transpositions": false}}},
            {"fuzzy": {"f": {"value": "v", "fuzziness": "AUTO:1,2"}}},
            {"ids": {"values": ["0:1"], "boost": 2.0}},
            {"prefix": {"f": {"value": "v", "case_insensitive": true}}},
            {"regexp": {"f": {"value": "v", "flags": "NONE"}}},
            {"term": {"f": {"value": "v", "case_insensitive": true}}},
            {"wildcard": {"f": {"value": "v?", "case_insensitive": true}}},
            {"dis_max": {"queries": [{"exists": {"field": "a"}}], "tie_breaker": 0.3}},
        ],
        "must_not": [
            {"terms": {"n": [1, u64::MAX]}},
            {"prefix": {"path": {"value": "/a*", "boost": 2.0}}},
        ],
        "minimum_should_match": -1,
        "boost": 2.0,
    }});
    assert_eq!(built.to_value(), json);
    assert_eq!(parse(json), built);
}

#[test]
fn every_clause_can_have_a_name() {
    let json = json!({"bool": {
        "must": [
            {"match_all": {"_name": "all"}},
            {"match": {"f": {"query": "v", "_name": "match"}}},
            {"match_none": {"_name": "none"}},
            {"match_phrase": {"f": {"query": "v", "_name": "phrase"}}},
        ],
        "filter": [
            {"exists": {"field": "f", "_name": "exists"}},
            {"prefix": {"f": {"value": "v", "_name": "prefix"}}},
        ],
        "should": [
            {"query_string": {"query": "v", "_name": "text"}},
            {"range": {"f": {"gt": 1, "_name": "range"}}},
        ],
        "must_not": [
            {"term": {"f": {"value": "v", "_name": "term"}}},
            {"terms": {"f": ["v"], "_name": "terms"}},
        ],
        "_name": "bool",
    }});
    let clause = parse(json.clone());
    assert_eq!(clause.to_value(), json);
    let mut names = Vec::new();
    clause.visit_named(&mut |name, clause| {
        assert_eq!(clause.name(), Some(name));
        names.push(name);
    });
    assert_eq!(
        names,
        [
            "bool", "all", "match", "none", "phrase", "exists", "prefix", "text", "range", "term",
            "terms"
        ]
    );
    // Fields may have the names of parameters.
    let odd = json!({"terms": {"_name": ["v"]}});
    assert_eq!(parse(odd.clone()).to_value(), odd);
    assert_eq!(parse(odd).name(), None);
    let built = Clause::term("f", "v").named("a");
    assert_eq!(Clause::from(built.clone()).named("b").name(), Some("b"));
    assert_eq!(built.name.as_deref(), Some("a"));
}

#[test]
fn a_request_survives_json() {
    let body = json!({
        "query": {"match_all": {}},
        "size": 3,
        "from": 4,
        "sort": [
            {"a": {"order": "asc"}},
            {"b": {"order": "desc", "missing": "_first"}},
            {"_score": {"order": "desc"}},
            {"_doc": {"order": "asc"}},
        ],
        "track_total_hits": 100,
        "_source": {"includes": ["a.*"], "excludes": ["a.b"]},
    });
    let request = SearchRequest::from_value(&body).unwrap();
    assert_eq!(request.to_value().unwrap(), body);
    let text = serde_json::to_string(&request).unwrap();
    let again: SearchRequest = serde_json::from_str(&text).unwrap();
    assert_eq!(again.to_value().unwrap(), body);

    let short = json!({"sort": ["a", {"b": "desc"}, "_score"], "_source": "a.*", "track_total_hits": false});
    let request = SearchRequest::from_value(&short).unwrap();
    assert_eq!(
        request.sorts(),
        [Sort::by("a"), Sort::by("b").descending(), Sort::score()]
    );
    assert_eq!(request.total_hits(), TrackTotalHits::Not);
    let includes = vec!["a.*".to_owned()];
    assert_eq!(
        *request.source_filter(),
        SourceFilter::Fields {
            includes,
            excludes: Vec::new()
        }
    );
    assert_eq!((request.hits_wanted(), request.offset()), (10, 0));
    assert_eq!(
        Sort::by("a").missing(Missing::First).missing,
        Missing::First
    );
}

#[test]
fn a_float_that_json_cannot_write_stays_a_value() {
    assert_eq!(FieldValue::from(f64::NAN).to_value(), json!("NaN"));
    assert_eq!(FieldValue::from(u64::MAX).to_string(), u64::MAX.to_string());
    assert_eq!(FieldValue::from(1.0).to_string(), "1.0");
}
