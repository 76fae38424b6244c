//! Patterns that would explode.

use serde_json::json;

use super::Ends::Answered;
use super::{attack_query, refused};

#[test]
fn expressions_that_would_explode_are_refused_with_their_size() {
    let too_large = "query.regexp.tag: the pattern is too large";
    for (expression, ends) in [
        ("(a*)*b".to_owned(), Answered),
        ("(.*.*.*.*.*.*.*.*)*x".to_owned(), Answered),
        ("(.{1000}){1000}".to_owned(), refused(too_large)),
        ("[\u{0}-\u{10ffff}]{500}".to_owned(), refused(too_large)),
        (
            "(((((a{9}){9}){9}){9}){9}){9}".to_owned(),
            refused(too_large),
        ),
        (".*[^a]{100}.*b.{30}".to_owned(), refused(too_large)),
        ("(.*a.{9}){5}".to_owned(), refused(too_large)),
        ("(".repeat(900), refused("query.regexp.tag: ")),
        (
            format!("a{}", "{9}".repeat(300)),
            refused("query.regexp.tag: "),
        ),
        (
            "a{99999999999}".to_owned(),
            refused("query.regexp.tag: cannot repeat 99999999999 times"),
        ),
        (
            "a{2,1}".to_owned(),
            refused("cannot repeat at least 2 and at most 1 times"),
        ),
    ] {
        attack_query(&json!({"regexp": {"tag": expression}}), &ends);
    }
}

#[test]
fn wildcards_that_would_explode_are_refused_with_their_size() {
    let too_large = "query.wildcard.tag: the pattern is too large";
    for (pattern, ends) in [
        ("*".repeat(100_000), Answered),
        ("*t?".to_owned(), Answered),
        ("*?".repeat(1_000), refused(too_large)),
        ("a*b".repeat(1_000), refused(too_large)),
        ("*a?".repeat(20), refused(too_large)),
        ("?".repeat(5_000), refused(too_large)),
    ] {
        attack_query(&json!({"wildcard": {"tag": pattern}}), &ends);
    }
}

#[test]
fn many_patterns_share_a_budget_of_memory() {
    let wildcards: Vec<_> = (0..1_000)
        .map(|n| json!({"wildcard": {"tag": format!("*{n}?a*b?c?")}}))
        .collect();
    let over = "the patterns of the request take more than 128 MiB of automata";
    attack_query(&json!({"bool": {"should": wildcards}}), &refused(over));
}

#[test]
fn fuzzy_texts_are_bounded_in_length() {
    for (length, ends) in [
        (256, Answered),
        (
            257,
            refused("query.fuzzy.tag: 257 characters, more than the 256 a fuzzy pattern may"),
        ),
    ] {
        let text = "ä".repeat(length);
        attack_query(
            &json!({"fuzzy": {"tag": {"value": text, "fuzziness": 2}}}),
            &ends,
        );
    }
}
