//! Splits that are warmed by component and field.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    CacheSettings, Component, ComponentSelection, ComponentWarmup, Error, ErrorKind, Outcome,
    PackSettings, SearchRequest, SplitAddress, Warmer, pack,
};
use object_store::ObjectStore;
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{
    FAST, INDEXED, IndexRecordOption, JsonObjectOptions, STORED, Schema, TEXT, TextFieldIndexing,
    TextOptions,
};
use tantivy::{Index, TantivyDocument, doc};

use crate::fixture::{
    answer, key, packed, put, request, scattered, settings, strict, truth, warmer, with_documents,
};
use crate::test_store::{TestStore, fetched_twice};
use Component::{Columns, Norms, Positions, Postings, Store, Terms};

const LONG: Duration = Duration::from_secs(60);

/// Two segments whose fields have different components; `more` adds one field.
fn shop(more: Option<&str>) -> RamDirectory {
    let raw = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let raw = TextOptions::default().set_indexing_options(raw);
    let mut builder = Schema::builder();
    let body = builder.add_text_field("body", TEXT | STORED);
    let tag = builder.add_text_field("tag", raw.clone().set_fast(None));
    let code = builder.add_text_field("code", raw);
    let note = builder.add_text_field("note", STORED);
    let price = builder.add_u64_field("price", FAST);
    let id = builder.add_u64_field("id", INDEXED);
    let json = JsonObjectOptions::from(TEXT).set_fast(None);
    let repo = builder.add_json_field("repo", json);
    if let Some(name) = more {
        builder.add_u64_field(name, FAST);
    }
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), builder.build(), Default::default()).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 30_000_000)
        .unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for n in 0..4_000 {
        let r = scattered(n);
        let text = format!("common w{} the old man {}", r % 700, key(n));
        let facts = json!({
            "stars": r % 10_000,
            "owner": { "login": format!("u{}", r % 3_000) },
            "topic": format!("about w{}", r % 90),
        });
        let facts: BTreeMap<String, tantivy::schema::OwnedValue> =
            serde_json::from_value(facts).unwrap();
        writer
            .add_document(doc!(
                body => text, tag => format!("t{}", r % 9), code => key(n), note => "a note",
                price => r % 100_000, id => n, repo => facts,
            ))
            .unwrap();
        if n == 2_000 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    directory
}

fn select(components: &[Component], fields: &[&str]) -> ComponentSelection {
    ComponentSelection::default()
        .with_components(components.iter().copied())
        .with_fields(fields.iter().copied())
}

async fn all_warm(warmups: &[ComponentWarmup]) {
    for warmup in warmups {
        let outcome = warmup.join(LONG).await;
        assert!(outcome.is_warm(), "{outcome}");
    }
}

fn body(body: Value) -> SearchRequest {
    SearchRequest::from_value(&body).unwrap()
}

/// Requests without documents, and the fields that each reads with their components.
fn cases() -> Vec<(SearchRequest, ComponentSelection)> {
    let max = |field: &str| body(json!({ "size": 0, "aggs": { "m": { "max": { "field": field } } } }));
    let tags = json!({ "size": 0, "aggs": { "tags": { "terms": { "field": "tag" } } } });
    let sorted = json!({
        "query": { "term": { "tag": "t3" } }, "sort": [{ "price": "desc" }], "_source": false,
    });
    vec![
        (
            request(json!({ "match": { "body": "common w3" } })),
            select(&[Terms, Postings, Norms], &["body"]),
        ),
        (
            request(json!({ "match_phrase": { "body": "the old man w3" } })),
            select(&[Terms, Postings, Positions, Norms], &["body"]),
        ),
        (
            request(json!({ "prefix": { "code": "0" } })),
            select(&[Terms, Postings], &["code"]),
        ),
        (
            request(json!({ "term": { "repo.topic": "w7" } })),
            select(&[Terms, Postings], &["repo"]),
        ),
        (
            request(json!({ "term": { "id": 77 } })),
            // All that it has.
            select(&[], &["id"]),
        ),
        (body(sorted), select(&[Terms, Postings, Columns], &[]).with_fields(["tag"])),
        (body(tags), select(&[Columns], &["tag"])),
        (max("price"), select(&[Columns], &["price"])),
        (max("repo.stars"), select(&[Columns], &["repo.stars"])),
        (max("repo.stars"), select(&[Columns], &["repo"])),
        (
            request(json!({ "exists": { "field": "repo.owner" } })),
            select(&[Columns], &["repo.owner"]),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_of_what_was_warmed_reads_nothing_even_if_it_warms_nothing_itself() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let directory = shop(None);
    let splits = [put(store.as_ref(), "a.split", &directory).await];
    for (request, selection) in cases() {
        let expected = truth(&plain, &splits, &request).await;
        let warmer = warmer(plain.clone(), strict());
        let mut warmups = warmer.warm_components(&splits, &selection).await.unwrap();
        if request.sorts().len() == 1 {
            let more = select(&[Columns], &["price"]);
            warmups.extend(warmer.warm_components(&splits, &more).await.unwrap());
        }
        all_warm(&warmups).await;
        store.take();
        let response = warmer.search_without_warming(&splits, &request).await;
        let response = response.unwrap_or_else(|error| panic!("{selection}: {}", error.chain()));
        assert_eq!(answer(&response), expected, "{selection}");
        assert_eq!(response.report.late_reads, 0, "{selection}");
        assert_eq!(store.take(), [], "{selection}");
    }
}
