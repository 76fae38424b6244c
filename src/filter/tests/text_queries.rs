//! What clauses over texts match and score.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::filter::tests::queries::{expected, found, query, scores};
use crate::filter::{Clause, Filter};

fn clause(json: &Value) -> Clause {
    Clause::from_value(json).unwrap()
}

/// Each pair finds the same, which is something and not everything unless it says so.
fn assert_same(pairs: &[(Value, Value)]) {
    let all = expected(|_| true).len();
    for (left, right) in pairs {
        let (found_left, found_right) = (
            found(query(&clause(left)).as_ref()),
            found(query(&clause(right)).as_ref()),
        );
        assert_eq!(found_left, found_right, "{left} {right}");
        let trivial = right.get("match_all").is_some() || right.get("match_none").is_some();
        let some = (1..all).contains(&found_left.len());
        assert!(some || trivial, "{left} finds {}", found_left.len());
    }
}

fn string(query: &str) -> Value {
    json!({"query_string": {"query": query, "fields": ["text"]}})
}

fn simple(query: &str) -> Value {
    json!({"simple_query_string": {"query": query, "fields": ["text"]}})
}

#[test]
fn a_query_string_says_what_its_clauses_say() {
    let fuzzy = |text: &str, fuzziness: Value| json!({"match": {"text": {"query": text, "fuzziness": fuzziness}}});
    assert_same(&[
        (string("as*"), json!({"prefix": {"text": "as"}})),
        (string("AS*"), json!({"prefix": {"text": "as"}})),
        (string("a*h"), json!({"wildcard": {"text": "a*h"}})),
        (string("A?H"), json!({"wildcard": {"text": "a?h"}})),
        (string("*en"), json!({"wildcard": {"text": "*en"}})),
        (string("word:as*"), json!({"prefix": {"word": "as"}})),
        (
            string("json.mixed:as*"),
            json!({"prefix": {"json.mixed": "as"}}),
        ),
        (
            string("word_fast:a?h"),
            json!({"wildcard": {"word_fast": "a?h"}}),
        ),
        (string("oka~1"), fuzzy("oka", json!(1))),
        (string("ASHNE~"), fuzzy("ashne", json!("AUTO"))),
        (string("/a[lx].*/"), json!({"regexp": {"text": "a[lx].*"}})),
        (string("word:/a.*n/"), json!({"regexp": {"word": "a.*n"}})),
        (
            string("\"alder as\"*"),
            json!({"match_phrase_prefix": {"text": "alder as"}}),
        ),
        (string("text:\"as\"*"), json!({"prefix": {"text": "as"}})),
        (
            string("(oak OR elm)^2 -beech"),
            json!({"bool": {"should": {"match": {"text": "oak elm"}},
                "must_not": {"match": {"text": "beech"}}}}),
        ),
        (
            json!({"query_string": {"query": "oak elm ash", "fields": ["text"],
                "minimum_should_match": 2}}),
            json!({"match": {"text": {"query": "oak elm ash", "minimum_should_match": 2}}}),
        ),
        (
            json!({"query_string": {"query": "oak", "fields": ["text", "tag*"]}}),
            json!({"multi_match": {"query": "oak", "fields": ["text", "tags"]}}),
        ),
        (
            json!({"query_string": {"query": "oak"}}),
            json!({"multi_match": {"query": "oak", "fields": ["tags", "text", "word"]}}),
        ),
        // What a field cannot hold is found in the others, or nowhere.
        (
            json!({"query_string": {"query": "oak", "fields": ["text", "i64"]}}),
            json!({"match": {"text": "oak"}}),
        ),
        (
            json!({"query_string": {"query": "i64:oak", "lenient": true}}),
            json!({"match_none": {}}),
        ),
        (
            json!({"query_string": {"query": "i64:[a TO b] OR text:oak", "lenient": true}}),
            json!({"match": {"text": "oak"}}),
        ),
        (string("text:\\*"), json!({"match_none": {}})),
        (string("word:o\\*"), json!({"match_none": {}})),
    ]);
}

#[test]
fn a_simple_query_string_says_what_its_clauses_say() {
    let text = |words: &str| json!({"match": {"text": words}});
    assert_same(&[
        (simple("oak elm"), text("oak elm")),
        (
            simple("oak + elm"),
            json!({"match": {"text": {"query": "oak elm", "operator": "and"}}}),
        ),
        (
            simple("oak + (elm | ash)"),
            json!({"bool": {"must": [text("oak"), text("elm ash")]}}),
        ),
        (simple("-oak"), json!({"bool": {"must_not": text("oak")}})),
        (
            simple("elm + -oak"),
            json!({"bool": {"must": text("elm"), "must_not": text("oak")}}),
        ),
        (
            simple("-elm -oak"),
            json!({"bool": {"should": [{"bool": {"must_not": text("elm")}},
                {"bool": {"must_not": text("oak")}}]}}),
        ),
        (
            simple("\"alder ash\""),
            json!({"match_phrase": {"text": "alder ash"}}),
        ),
        (
            simple("\"alder ash\"~3"),
            json!({"match_phrase": {"text": {"query": "alder ash", "slop": 3}}}),
        ),
        (simple("AS*"), json!({"prefix": {"text": "as"}})),
        (
            simple("oka~1"),
            json!({"fuzzy": {"text": {"value": "oka", "fuzziness": 1}}}),
        ),
        (simple("Elm|!?"), text("elm")),
        (simple("elm + !?"), text("elm")),
        (simple("*"), json!({"match_all": {}})),
        (simple("+"), json!({"match_none": {}})),
        (simple("!?"), json!({"match_none": {}})),
        (
            json!({"simple_query_string": {"query": "oak-elm", "fields": ["text"],
                "default_operator": "and"}}),
            json!({"match": {"text": {"query": "oak elm", "operator": "and"}}}),
        ),
        (
            json!({"simple_query_string": {"query": "oak elm ash", "fields": ["text"],
                "minimum_should_match": "-1"}}),
            json!({"match": {"text": {"query": "oak elm ash", "minimum_should_match": 2}}}),
        ),
        (
            json!({"simple_query_string": {"query": "oak elm", "fields": ["text"],
                "flags": "NONE"}}),
            text("oak elm"),
        ),
        (
            json!({"simple_query_string": {"query": "elm", "fields": ["i64", "text"]}}),
            text("elm"),
        ),
        (
            json!({"simple_query_string": {"query": "elm", "fields": ["i64"], "lenient": true}}),
            json!({"match_none": {}}),
        ),
        (
            json!({"simple_query_string": {"query": "ok~1", "fields": ["text"],
                "fuzzy_transpositions": false}}),
            json!({"fuzzy": {"text": {"value": "ok", "fuzziness": 1, "transpositions": false}}}),
        ),
    ]);
}

#[test]
fn a_value_that_does_not_fit_matches_nothing_if_lenient() {
    let none = || json!({"match_none": {}});
    let lenient =
        |field: &str, query: Value| json!({"match": {field: {"query": query, "lenient": true}}});
    assert_same(&[
        (lenient("i64", json!("oak")), none()),
        (lenient("date", json!("oak")), none()),
        (lenient("ip", json!(1)), none()),
        (lenient("i64", json!("10")), json!({"term": {"i64": 10}})),
        (
            json!({"multi_match": {"query": "oak", "fields": ["i64", "text"], "lenient": true}}),
            json!({"match": {"text": "oak"}}),
        ),
        (
            json!({"multi_match": {"query": "oak", "fields": ["*"]}}),
            json!({"multi_match": {"query": "oak", "fields": ["tags", "text", "word", "word_fast"]}}),
        ),
    ]);
}

#[test]
fn a_single_word_needs_no_minimum() {
    for minimum in [json!(2), json!(-1), json!("0%"), json!("1<2")] {
        assert_same(&[(
            json!({"match": {"text": {"query": "oak", "minimum_should_match": minimum}}}),
            json!({"match": {"text": "oak"}}),
        )]);
    }
    let all_of_two = json!({"match": {"text": {"query": "oak elm", "operator": "and"}}});
    let minimum = |minimum: &str| json!({"match": {"text": {"query": "oak elm", "minimum_should_match": minimum}}});
    assert_same(&[
        (minimum("2<1"), all_of_two.clone()),
        (minimum(" 2 < 50% 5<-1 "), all_of_two),
        (minimum("1<50% 2<-9"), json!({"match": {"text": "oak elm"}})),
        (minimum("3"), json!({"match_none": {}})),
        (
            json!({"match": {"text": {"query": "oak elm", "operator": "and",
                "minimum_should_match": 1}}}),
            json!({"match_none": {}}),
        ),
    ]);
}

#[test]
fn phrases_may_be_loose() {
    let slop = |slop: u32| {
        json!({"multi_match": {"query": "alder oak", "type": "phrase", "slop": slop,
            "fields": ["text"]}})
    };
    let count = |json: &Value| found(query(&clause(json)).as_ref()).len();
    assert!(count(&slop(0)) < count(&slop(1)));
    assert!(count(&slop(1)) < count(&slop(3)));
    assert_same(&[(
        slop(3),
        json!({"match_phrase": {"text": {"query": "alder oak", "slop": 3}}}),
    )]);
}

#[test]
fn the_scores_of_fields_combine_as_the_type_says() {
    let only = |score: f32| [score.to_string()].into();
    let multi = |more: Value| {
        let mut body =
            json!({"query": "10", "fields": ["u64_fast^2", "i64_fast"], "lenient": true});
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        let clause = json!({"bool": {"must": {"multi_match": body},
            "filter": [{"term": {"u64_fast": 10}}, {"term": {"i64_fast": 10}}]}});
        scores(Clause::from_value(&clause).unwrap())
    };
    // Values of columns score 1 each.
    assert_eq!(multi(json!({})), only(2.0));
    assert_eq!(multi(json!({"tie_breaker": 0.5})), only(2.5));
    assert_eq!(multi(json!({"type": "most_fields"})), only(3.0));
    assert_eq!(
        multi(json!({"type": "most_fields", "tie_breaker": 0})),
        only(2.0)
    );
    assert_eq!(multi(json!({"type": "phrase", "boost": 3})), only(6.0));
    let nothing = json!({"query": "!?", "fields": ["text^3"], "zero_terms_query": "all"});
    let nothing = json!({"multi_match": nothing});
    assert_eq!(scores(Clause::from_value(&nothing).unwrap()), only(3.0));
    let fuzzy = json!({"match": {"text": {"query": "oka", "fuzziness": 1, "boost": 2}}});
    assert_eq!(scores(Clause::from_value(&fuzzy).unwrap()), only(2.0));
    let prefix = json!({"match_bool_prefix": {"text": {"query": "as", "boost": 2}}});
    assert_eq!(scores(Clause::from_value(&prefix).unwrap()), only(2.0));
    // The words before a prefix are scored as they are alone.
    let scored = |clause: Value| scores(Clause::from_value(&clause).unwrap());
    let phrase = |boost: f32| {
        scored(json!({"match_phrase_prefix": {"text": {"query": "ash a", "boost": boost}}}))
    };
    let words = scored(json!({"match": {"text": {"query": "ash", "boost": 2}}}));
    assert!(phrase(2.0).is_subset(&words));
    assert_ne!(phrase(2.0), phrase(1.0));
}

#[test]
fn hostile_texts_end_soon() {
    let started = Instant::now();
    let texts = [
        "(".repeat(65_536),
        ")".repeat(65_536),
        "(a ".repeat(20_000),
        "\"".repeat(65_535),
        "\"a ".repeat(20_000),
        "-".repeat(65_536),
        "a + b | ".repeat(8_000),
        "a | ".repeat(16_000),
        "\\".repeat(65_536),
        "a~".repeat(30_000),
        "*".repeat(65_536),
        "?".repeat(65_536),
        "a*".repeat(30_000),
        "a* ".repeat(20_000),
        "a~2 ".repeat(15_000),
        "\"a b\"~4294967295".to_owned(),
        format!("{}~2", "ä".repeat(30_000)),
        format!("\"{}\"*", "a ".repeat(30_000)),
        "/(((((.{9}){9}){9}){9}){9})/".to_owned(),
        "\0\u{10ffff}\u{202e}~1 \"\0\"*".to_owned(),
        "a ".repeat(40_000),
    ];
    for text in &texts {
        for clause in [
            Clause::simple_query_string(text).fields(["text"]).into(),
            Clause::query_string(text).fields(["text"]).into(),
            Clause::match_text("text", text.as_str()).into(),
            Clause::match_bool_prefix("word_fast", text.as_str()).into(),
            Clause::from(Clause::multi_match(
                text.as_str(),
                ["*", "t*", "json.mixed"],
            )),
        ] {
            // Either is fine, as long as it ends.
            let _ = Filter::from(clause).bind(&super::queries::CORPUS.index, "query");
        }
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_simple_query_string_is_wrong(
        text in r#"((oak|elm|as|10|!)[+|\-"*()~1 \\]{0,3}){0,6}"#, and: bool,
        minimum in proptest::option::of(-3..4),
    ) {
        let mut clause = json!({"query": text, "fields": ["text", "word_fast", "i64"]});
        if and {
            clause["default_operator"] = json!("and");
        }
        if let Some(minimum) = minimum {
            clause["minimum_should_match"] = json!(minimum);
        }
        let clause = Clause::from_value(&json!({"simple_query_string": clause})).unwrap();
        prop_assert_eq!(&Clause::from_value(&clause.to_value()).unwrap(), &clause);
        // What is found is the same, scored or not.
        found(query(&clause).as_ref());
    }

    #[test]
    fn a_query_string_is_read_or_refused(
        text in r#"((oak|elm|word:|i64:|10|\*|NOT |/a.*/)[+\-"*?()~1 ^\[\]\\]{0,3}){0,6}"#,
    ) {
        let clause = Clause::from(Clause::query_string(text).fields(["text", "i64", "word*"]));
        prop_assert_eq!(&Clause::from_value(&clause.to_value()).unwrap(), &clause);
        let filter = Filter::from(clause.clone());
        if filter.bind(&super::queries::CORPUS.index, "query").is_ok() {
            found(query(&clause).as_ref());
        }
    }
}
