//! Many terms, long texts, many fields, many names.

use serde_json::{Value, json};

use super::Ends::{self, Answered};
use super::{attack, attack_query, peak_kb, refused};

/// More than a request here may add to what the process holds, in kB; other tests run beside it.
const MEMORY_KB: u64 = 1_500 << 10;

fn words(count: usize) -> String {
    let words: Vec<String> = (0..count).map(|n| format!("w{n}")).collect();
    words.join(" ")
}

#[test]
fn a_text_of_a_megabyte_ends_soon_in_every_clause() {
    let long = "x".repeat(1 << 20);
    let split = "x ".repeat(1 << 19);
    let cases: Vec<(Value, Ends)> = vec![
        (json!({"term": {"tag": long}}), Answered),
        (json!({"terms": {"tag": [long]}}), Answered),
        (json!({"prefix": {"tag": long}}), Answered),
        (
            json!({"prefix": {"tag": {"value": long, "case_insensitive": true}}}),
            refused("query.prefix.tag: the pattern is too large"),
        ),
        (
            json!({"wildcard": {"tag": long}}),
            refused("query.wildcard.tag: the pattern is too"),
        ),
        (
            json!({"regexp": {"tag": long}}),
            refused("query.regexp.tag: 1048576 characters"),
        ),
        (
            json!({"fuzzy": {"tag": long}}),
            refused("query.fuzzy.tag: 1048576 characters"),
        ),
        (json!({"ids": {"values": [long]}}), Answered),
        (
            json!({"exists": {"field": long}}),
            refused("query.exists.field: the name of a field"),
        ),
        (json!({"range": {"tag": {"gte": long}}}), Answered),
        (
            json!({"range": {"price": {"gte": long}}}),
            refused("query.range.price.gte: expected"),
        ),
        (
            json!({"range": {"at": {"gte": long}}}),
            refused("query.range.at.gte: expected a date"),
        ),
        (json!({"match": {"body": long}}), Answered),
        (
            json!({"match": {"body": split}}),
            refused("query.match.body: more than 65536 words"),
        ),
        (
            json!({"match_phrase": {"body": split}}),
            refused("more than 65536 words and clauses"),
        ),
        (
            json!({"match_phrase_prefix": {"body": split}}),
            refused("more than 65536 words and clauses"),
        ),
        (
            json!({"match_bool_prefix": {"body": split}}),
            refused("more than 65536 words"),
        ),
        (
            json!({"multi_match": {"query": long, "fields": ["body"]}}),
            Answered,
        ),
        (
            json!({"query_string": {"query": long, "fields": ["body"]}}),
            refused("query.query_string.query: 1048576 bytes, more than 65536"),
        ),
        (
            json!({"simple_query_string": {"query": long, "fields": ["body"]}}),
            refused("query.simple_query_string.query: 1048576 bytes, more than 65536"),
        ),
        (json!({"term": {"path": "/a".repeat(500_000)}}), Answered),
        (
            json!({"term": {format!("repo.{}", "a.".repeat(50_000)): 1}}),
            refused("of a field has"),
        ),
        (json!({long: 1}), refused("unknown clause")),
    ];
    for (query, ends) in &cases {
        attack_query(query, ends);
    }
}

#[test]
fn lists_are_bounded_by_their_length() {
    let ids: Vec<String> = (0..100_000).map(|n| format!("0:{n}")).collect();
    let nets = vec!["10.0.0.0/8"; 2_000];
    let numbers: Vec<u64> = (0..100_000).collect();
    let paths: Vec<String> = (0..5_000).map(|n| format!("repo.f{n}")).collect();
    for (query, ends) in [
        (
            json!({"terms": {"id": numbers}}),
            refused("100000 values, more than the 65536 allowed"),
        ),
        (json!({"terms": {"id": numbers[..5_000]}}), Answered),
        (
            json!({"ids": {"values": ids}}),
            refused("query.ids.values: 100000 values"),
        ),
        (
            json!({"terms": {"ip": nets}}),
            refused("query.terms.ip: 2000 values that are no"),
        ),
        (
            json!({"multi_match": {"query": words(100), "fields": paths}}),
            refused("more than 65536 words and clauses"),
        ),
        (
            json!({"multi_match": {"query": "a", "fields": paths[..1_000]}}),
            Answered,
        ),
        (
            json!({"multi_match": {"query": words(1_000), "fields": vec!["body"; 5_000]}}),
            Answered,
        ),
        (json!({"match_phrase": {"body": words(2_000)}}), Answered),
        (
            json!({"match_phrase": {"body": {"query": words(2_000), "slop": 1}}}),
            refused(
                "query.match_phrase.body: a phrase of 2000 words with \"slop\", more than the 256",
            ),
        ),
        (
            json!({"match_phrase": {"body": {"query": "common old", "slop": 4_294_967_295_u32}}}),
            Answered,
        ),
    ] {
        attack_query(&query, &ends);
    }
}

#[test]
fn words_that_may_differ_share_a_budget_of_memory() {
    let fuzzy = |query: String| json!({"match": {"body": {"query": query, "fuzziness": 2}}});
    let _ = peak_kb();
    let before = peak_kb();
    let over = "the patterns of the request take more than 128 MiB of automata";
    attack_query(&fuzzy(words(60_000)), &refused(over));
    attack_query(
        &fuzzy("abcdefghijklmnopqrstuvwxyz ".repeat(20_000)),
        &refused(over),
    );
    let lenient = json!({"simple_query_string": {
        "query": "abcdefghijklm~2 ".repeat(4_000), "fields": ["body"], "lenient": true,
    }});
    attack_query(&lenient, &refused(over));
    // Aggregations have their filters count together too.
    let filter = |n| json!({"filter": {"fuzzy": {"tag": {"value": format!("abcdefghij{n}"), "fuzziness": 2}}}});
    let filters: serde_json::Map<_, _> = (0..999).map(|n| (format!("a{n}"), filter(n))).collect();
    attack(&json!({"size": 0, "aggs": filters}), &refused(over));
    if let (Some(before), Some(after)) = (before, peak_kb()) {
        assert!(after < before + MEMORY_KB, "{before} kB became {after} kB");
    }
}

#[test]
fn names_are_bounded_by_what_hits_would_be_told() {
    let named = |count: usize| -> Vec<Value> {
        let clause = |n| json!({"term": {"id": {"value": n % 400, "_name": format!("n{n}")}}});
        (0..count).map(clause).collect()
    };
    let body = |count, size| json!({"query": {"bool": {"should": named(count)}}, "size": size, "_source": false});
    attack(&body(2_000, 10), &Answered);
    attack(
        &body(10_000, 10_000),
        &refused("size: 10000 named clauses for 10000 hits"),
    );
    let deep = (0..40).fold(
        json!({"bool": {"should": named(3_000)}}),
        |inner, n| json!({"bool": {"_name": format!("outer{n}"), "must": [inner]}}),
    );
    attack_query(&deep, &refused("more than 65536 clauses"));
}

#[test]
fn what_hits_bring_is_bounded() {
    let long = "x".repeat(1 << 20);
    let highlight =
        |settings: Value| json!({"query": {"match": {"body": "common"}}, "highlight": settings});
    for (body, ends) in [
        (
            json!({"sort": vec!["price"; 20_000]}),
            refused("sort: 20000 keys, more than 4"),
        ),
        (
            json!({"fields": vec!["*"; 20_000]}),
            refused("fields: 20000 fields, more than 100"),
        ),
        (json!({"_source": ["*a".repeat(500_000)]}), Answered),
        (
            highlight(json!({"pre_tags": [long], "fields": {"body": {}}})),
            refused("pre_tags: a tag of 1048576 bytes, more than 1000"),
        ),
        (
            highlight(json!({"fields": {"body": {"fragment_size": u64::MAX}}})),
            Answered,
        ),
        (
            json!({"size": 10_000, "from": 1}),
            refused("size: from + size is 10001"),
        ),
        (
            json!({"from": u64::MAX, "size": 1}),
            refused("size: from + size is 18446744073709551615"),
        ),
    ] {
        attack(&body, &ends);
    }
}
