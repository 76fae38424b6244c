//! What `explain` says of each clause: as a person would draw it, and as JSON.

// An FST build reads dictionaries whole, so the figures differ.
#![cfg(feature = "sstable")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../src/bin/forewarm/tree.rs"]
mod tree;
#[path = "../src/bin/forewarm/units.rs"]
mod units;

use std::sync::Arc;

use forewarm::{
    ClauseExplanation, PackSettings, SearchRequest, SplitAddress, StoreSettings, Warmer,
    WarmerSettings, pack,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Map, Value, json};
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{
    DateOptions, FAST, FacetOptions, INDEXED, IpAddrOptions, STRING, Schema, TEXT,
};
use tantivy::{Index, IndexSettings, IndexWriter, TantivyDocument};

/// Documents of each of two segments.
const DOCUMENTS: u64 = 500;

fn schema() -> Schema {
    let mut schema = Schema::builder();
    schema.add_text_field("body", TEXT);
    schema.add_text_field("url", STRING);
    schema.add_text_field("lang", STRING | FAST);
    schema.add_i64_field("size", INDEXED);
    schema.add_f64_field("price", INDEXED | FAST);
    schema.add_bool_field("open", INDEXED);
    schema.add_date_field("at", DateOptions::from(INDEXED | FAST));
    schema.add_date_field("day", DateOptions::from(INDEXED));
    schema.add_ip_addr_field("from", IpAddrOptions::default().set_indexed());
    schema.add_ip_addr_field("to", FAST);
    schema.add_facet_field("shelf", FacetOptions::default());
    schema.add_bytes_field("hash", INDEXED);
    schema.add_json_field("repo", TEXT);
    schema.build()
}

fn document(id: u64) -> Value {
    const WORDS: [&str; 7] = ["sea", "night", "quick", "brown", "fox", "seal", "quiet"];
    let word = |n: u64| WORDS[(n % 7) as usize];
    let lang = ["en", "de", "fr"][(id % 3) as usize];
    let (minute, day) = (id % 60, id % 28 + 1);
    json!({
        "body": format!("the {} {} number{id}", word(id), word(id + 1)),
        "url": format!("https://example.org/{}/{id}", word(id / 3)),
        "lang": lang,
        "size": id as i64 - 250,
        "price": id as f64 / 4.0,
        "open": id.is_multiple_of(2),
        "at": format!("2026-11-{day:02}T12:{minute:02}:00Z"),
        "day": format!("2026-11-{day:02}T00:00:00Z"),
        "from": format!("10.0.{}.{}", id / 256, id % 256),
        "to": format!("2001:db8::{id:x}"),
        "shelf": format!("/{}/{}", word(id), id % 40),
        "hash": "AQIDBA==",
        "repo": {"name": format!("{}-{}", word(id), id % 90), "stars": id, "is.fork": id.is_multiple_of(3)},
    })
}

async fn split() -> (Arc<dyn ObjectStore>, SplitAddress) {
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), schema(), IndexSettings::default()).unwrap();
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for first in [0, DOCUMENTS] {
        for id in first..first + DOCUMENTS {
            let document = document(id).to_string();
            let document = TantivyDocument::parse_json(&index.schema(), &document).unwrap();
            writer.add_document(document).unwrap();
        }
        writer.commit().unwrap();
    }
    writer.wait_merging_threads().unwrap();
    let mut settings = PackSettings::default();
    settings.term_dictionary_budget = 0;
    settings.column_dictionary_budget = 0;
    let store = Arc::new(InMemory::new());
    let packed = pack(&directory, &settings).unwrap();
    let path = "a.split".into();
    let report = packed.upload(store.as_ref(), &path).await.unwrap();
    let address = SplitAddress::new(path).with_footer(report.footer_range);
    (store, address)
}

/// Bodies of requests: every clause, and what is collected.
fn bodies() -> Vec<(&'static str, Value)> {
    let mut bodies: Vec<(&str, Value)> = clauses()
        .into_iter()
        .map(|(name, clause)| (name, json!({ "query": clause })))
        .collect();
    bodies.push((
        "sorted, aggregated",
        json!({
            "query": {"match": {"body": "sea"}},
            "sort": [{"price": "desc"}],
            "aggs": {"langs": {"terms": {"field": "lang"}}},
        }),
    ));
    bodies.push((
        "counted",
        json!({"query": {"term": {"body": "sea"}}, "size": 0}),
    ));
    bodies
}

fn clauses() -> Vec<(&'static str, Value)> {
    let mut clauses = combinations();
    clauses.extend(words());
    clauses.extend(values());
    clauses
}

fn combinations() -> Vec<(&'static str, Value)> {
    let sea = json!({"term": {"body": "sea"}});
    vec![
        (
            "bool",
            json!({"bool": {
                "must": [{"match": {"body": "quick"}}],
                "filter": [{"range": {"price": {"gte": 10, "lt": 20}}}],
                "should": [sea, {"term": {"lang": "en"}}],
                "must_not": [{"prefix": {"url": "https://example.org/f"}}],
                "minimum_should_match": 1,
            }}),
        ),
        (
            "bool, a word absent",
            json!({"bool": {"must": [sea, {"term": {"body": "absent"}}]}}),
        ),
        (
            "constant_score",
            json!({"constant_score": {"filter": sea, "boost": 2}}),
        ),
        (
            "dis_max",
            json!({"dis_max": {"queries": [sea, {"term": {"lang": "en"}}], "tie_breaker": 0.3}}),
        ),
        ("exists", json!({"exists": {"field": "price"}})),
        (
            "ids",
            json!({"ids": {"values": ["0:1", "0:2", "1:3", "1:4"]}}),
        ),
        ("match_all", json!({"match_all": {}})),
        ("match_none", json!({"match_none": {}})),
    ]
}

fn words() -> Vec<(&'static str, Value)> {
    let of = |body: Value| json!({ "body": body });
    vec![
        ("fuzzy", json!({"fuzzy": of(json!("quack"))})),
        ("match", json!({"match": of(json!("quick sea"))})),
        (
            "match, fuzziness",
            json!({"match": of(json!({"query": "quack", "fuzziness": 2}))}),
        ),
        (
            "match_bool_prefix",
            json!({"match_bool_prefix": of(json!("quick bro"))}),
        ),
        (
            "match_phrase",
            json!({"match_phrase": of(json!("quick brown"))}),
        ),
        (
            "match_phrase, slop",
            json!({"match_phrase": of(json!({"query": "sea quick brown fox", "slop": 2}))}),
        ),
        (
            "match_phrase_prefix",
            json!({"match_phrase_prefix": of(json!("quick bro"))}),
        ),
        (
            "multi_match",
            json!({"multi_match": {"query": "fox", "fields": ["body^3", "lang"]}}),
        ),
        (
            "query_string",
            json!({"query_string": {"query": "+body:fox -lang:de url:https*"}}),
        ),
        (
            "simple_query_string",
            json!({"simple_query_string": {"query": "fox + \"quick brown\" | se*", "fields": ["body"]}}),
        ),
    ]
}

fn values() -> Vec<(&'static str, Value)> {
    let date = "2026-11-03T00:00:00Z";
    vec![
        (
            "prefix",
            json!({"prefix": {"url": "https://example.org/s"}}),
        ),
        (
            "prefix, case_insensitive",
            json!({"prefix": {"url": {"value": "HTTPS", "case_insensitive": true}}}),
        ),
        ("prefix of a facet", json!({"prefix": {"shelf": "/sea"}})),
        ("prefix of a path", json!({"prefix": {"repo.name": "fox"}})),
        ("range of a column", json!({"range": {"at": {"gte": date}}})),
        (
            "range of addresses",
            json!({"range": {"from": {"lte": "10.0.0.9"}}}),
        ),
        (
            "range of a network",
            json!({"term": {"from": "10.0.1.0/24"}}),
        ),
        ("range of dates", json!({"range": {"day": {"gt": date}}})),
        (
            "range of numbers",
            json!({"range": {"size": {"gte": -5, "lt": 5}}}),
        ),
        (
            "range of a path",
            json!({"range": {"repo.stars": {"gte": 990}}}),
        ),
        (
            "range of words",
            json!({"range": {"url": {"gte": "https://example.org/q"}}}),
        ),
        ("range without bounds", json!({"range": {"repo.stars": {}}})),
        (
            "regexp",
            json!({"regexp": {"url": "https?://.*/(fox|seal)/[0-9]+"}}),
        ),
        ("term", json!({"term": {"body": "sea"}})),
        (
            "term, case_insensitive",
            json!({"term": {"lang": {"value": "EN", "case_insensitive": true}}}),
        ),
        ("term of an address", json!({"term": {"to": "2001:db8::7"}})),
        ("term of bytes", json!({"term": {"hash": "AQIDBA=="}})),
        ("term of a date", json!({"term": {"day": date}})),
        ("term of a number", json!({"term": {"price": 7.25}})),
        ("term of a path", json!({"term": {"repo.is\\.fork": true}})),
        ("term of several types", json!({"term": {"repo.stars": 7}})),
        ("terms", json!({"terms": {"size": [1, 2, 3, 4, 5]}})),
        ("wildcard", json!({"wildcard": {"url": "*/sea?/*7"}})),
    ]
}

async fn explained() -> Vec<(&'static str, Value, ClauseExplanation)> {
    let (store, address) = split().await;
    let mut explained = Vec::new();
    for (name, body) in bodies() {
        let settings = WarmerSettings::default().with_store(
            StoreSettings::default()
                .with_merge_gap_bytes(0)
                .with_whole_split_bytes(0),
        );
        let warmer = Warmer::builder(Arc::clone(&store)).settings(settings);
        let request = SearchRequest::from_value(&body).unwrap();
        let explanation = warmer.build().unwrap().explain(&address, &request).await;
        explained.push((name, body, explanation.unwrap().clauses));
    }
    explained
}

#[tokio::test(flavor = "multi_thread")]
async fn each_clause_is_drawn_with_what_it_reads() {
    let mut text = String::new();
    for (name, body, clauses) in explained().await {
        text.push_str(&format!("{name}: {body}\n{}\n", tree::tree(&clauses)));
    }
    insta::assert_snapshot!("trees", text);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_clause_is_told_as_json() {
    let explained = explained().await.into_iter();
    let all: Map<String, Value> = explained
        .map(|(name, _, clauses)| (name.to_owned(), serde_json::to_value(clauses).unwrap()))
        .collect();
    insta::assert_json_snapshot!("json", all);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_makes_a_label_fail() {
    let (store, address) = split().await;
    let warmer = Warmer::builder(store).build().unwrap();
    let long = "ä".repeat(5_000);
    let mut fit = 0;
    for text in ["", "\0", "\u{1}", "\u{10ffff}", "a\0s\0", "\u{7f}\\", &long] {
        for field in ["body", "lang", "repo.name", "repo.\u{1}", "shelf"] {
            let quoted = match field {
                "shelf" => json!(format!("/{text}")),
                _ => json!(text),
            };
            for clause in [
                json!({"term": {field: quoted}}),
                json!({"terms": {field: [quoted, "/x"]}}),
                json!({"prefix": {field: quoted}}),
                json!({"range": {field: {"gt": quoted, "lte": "/z"}}}),
                json!({"match_phrase": {field: format!("{text} {text}")}}),
                json!({"wildcard": {field: format!("*{text}?")}}),
                json!({"fuzzy": {field: quoted}}),
            ] {
                let Ok(request) = SearchRequest::from_value(&json!({ "query": clause })) else {
                    continue;
                };
                if let Ok(explanation) = warmer.explain(&address, &request).await {
                    fit += 1;
                    let drawn = tree::tree(&explanation.clauses).to_string();
                    assert!(drawn.len() < 4_000, "{drawn}");
                    assert!(!drawn.contains('\0'), "{drawn}");
                }
            }
        }
    }
    assert!(fit > 100, "{fit} clauses fit");
}
