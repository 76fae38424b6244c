//! Odd numbers, dates, names and characters.

use serde_json::json;

use super::Ends::Answered;
use super::{attack, attack_query, attack_text, refused};

#[test]
fn numbers_beyond_all_bounds_are_refused_where_they_stand() {
    let digits = "9".repeat(1_000_000);
    for (body, ends) in [
        (
            r#"{"size": 1e400}"#.to_owned(),
            refused("number out of range at line 1 column 14"),
        ),
        (
            r#"{"query": {"term": {"price": -1e400}}}"#.to_owned(),
            refused("number out of range"),
        ),
        (
            r#"{"query": {"term": {"price": NaN}}}"#.to_owned(),
            refused("expected value at line 1"),
        ),
        (
            r#"{"query": {"term": {"price": "NaN"}}}"#.to_owned(),
            refused("query.term.price: exp"),
        ),
        (
            r#"{"query": {"range": {"price": {"gte": "-Infinity"}}}}"#.to_owned(),
            refused("query.range.price.gte: expected a number"),
        ),
        (
            r#"{"query": {"term": {"id": 18446744073709551616}}}"#.to_owned(),
            refused("query.term.id: expected a whole number from 0 to 2^64 - 1"),
        ),
        (
            r#"{"query": {"term": {"id": "1e999999999999"}}}"#.to_owned(),
            refused("query.term.id: expected a whole number"),
        ),
        (
            format!(r#"{{"query": {{"term": {{"id": {digits}}}}}}}"#),
            refused("number out of range"),
        ),
        (
            format!(r#"{{"query": {{"term": {{"id": "{digits}"}}}}}}"#),
            refused("query.term.id: "),
        ),
        (
            format!(r#"{{"query": {{"term": {{"price": 0.{digits}}}}}}}"#),
            Answered,
        ),
        (
            r#"{"size": -5}"#.to_owned(),
            refused("size: expected a whole number from 0, got -5"),
        ),
        (
            r#"{"query": {"term": {"id": 1, "id": 2}}}"#.to_owned(),
            refused("the key \"id\" stands"),
        ),
        (
            r#"{"query": {"term": {"tag": "\ud800"}}}"#.to_owned(),
            refused("hex escape at line 1"),
        ),
        (String::new(), refused("EOF while parsing a value")),
    ] {
        attack_text(&body, &ends);
    }
}

#[test]
fn dates_beyond_all_bounds_are_refused_where_they_stand() {
    let place = "query.range.at.gte: expected a date for a date field";
    for value in [
        "1000000000-01-01".to_owned(),
        "now+2147483647y".to_owned(),
        "now-99999999999d".to_owned(),
        format!("now{}", "+1d".repeat(100_000)),
        "2024-02-31".to_owned(),
        "||".to_owned(),
        "now/".to_owned(),
    ] {
        attack_query(&json!({"range": {"at": {"gte": value}}}), &refused(place));
    }
    attack_query(&json!({"range": {"at": {"gte": i64::MAX}}}), &Answered);
    let zone = json!({"range": {"at": {"gte": "2024-01-01", "time_zone": "+99:99"}}});
    attack_query(
        &zone,
        &refused("query.range.at.time_zone: unknown time zone \"+99:99\""),
    );
}

#[test]
fn odd_characters_are_values_and_wrong_in_names() {
    for (query, ends) in [
        (json!({"term": {"tag": "a\0b"}}), Answered),
        (json!({"prefix": {"tag": "\u{10ffff}\u{202e}"}}), Answered),
        (json!({"match": {"body": "\0\u{1}\u{feff}"}}), Answered),
        (json!({"wildcard": {"tag": "\0*\u{10ffff}?"}}), Answered),
        (json!({"term": {"repo.\u{1}": "x"}}), Answered),
        (
            json!({"term": {"a\0b": 1}}),
            refused("unknown field \"a\\0b\""),
        ),
        (
            json!({"term": {"repo.a\0b": "x"}}),
            refused("contains a NUL"),
        ),
        (
            json!({"exists": {"field": "repo.\0"}}),
            refused("query.exists.field: the path"),
        ),
        (
            json!({"term": {"body\u{202e}": "x"}}),
            refused("unknown field \"body\\u{202e}\""),
        ),
        (json!({"term": {"": "x"}}), refused("unknown field \"\"")),
        (json!({"term": {".": "x"}}), refused("unknown field \".\"")),
        (
            json!({"term": {"repo.": "x"}}),
            refused("is a JSON field: name a path in it"),
        ),
        (json!({"term": {"repo\\": "x"}}), refused("unknown field")),
    ] {
        attack_query(&query, &ends);
    }
    attack(
        &json!({"aggs": {"a": {"terms": {"field": "repo.\0"}}}}),
        &refused("contains a NUL"),
    );
}

#[test]
fn places_to_go_on_from_may_be_anywhere() {
    for (sort, place, ends) in [
        ("price", json!(1e308), Answered),
        ("id", json!(-1e308), Answered),
        ("tag", json!("x".repeat(1 << 20)), Answered),
        ("_doc", json!(u64::MAX), Answered),
        (
            "at",
            json!("1000000000-01-01"),
            refused("search_after[0]: expected a date"),
        ),
        (
            "at",
            json!(i64::MAX),
            refused("search_after[0]: expected a date"),
        ),
        (
            "price",
            json!([[]]),
            refused("search_after[0]: expected a value"),
        ),
    ] {
        attack(&json!({"sort": [sort], "search_after": [place]}), &ends);
    }
}
