//! An index whose fields have different components, and what is asked of it.

use std::sync::LazyLock;
use std::time::Duration;

use forewarm::{Component, ComponentSelection, ComponentWarmup, SearchRequest};
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{
    FAST, INDEXED, IndexRecordOption, JsonObjectOptions, STORED, Schema, TEXT, TextFieldIndexing,
    TextOptions,
};
use tantivy::{Index, TantivyDocument};

use crate::fixture::{key, scattered};

pub const LONG: Duration = Duration::from_secs(60);

pub static SHOP: LazyLock<RamDirectory> = LazyLock::new(|| shop(None));

/// Two segments; `more` adds a field that is fast.
pub fn shop(more: Option<&str>) -> RamDirectory {
    let raw = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let raw = TextOptions::default().set_indexing_options(raw);
    let mut builder = Schema::builder();
    builder.add_text_field("body", TEXT | STORED);
    builder.add_text_field("tag", raw.clone().set_fast("raw"));
    builder.add_text_field("code", raw);
    builder.add_text_field("note", STORED);
    builder.add_u64_field("price", FAST);
    builder.add_u64_field("id", INDEXED);
    builder.add_json_field("repo", JsonObjectOptions::from(TEXT).set_fast("raw"));
    if let Some(name) = more {
        builder.add_u64_field(name, FAST);
    }
    let schema = builder.build();
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), schema.clone(), Default::default()).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 30_000_000)
        .unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for n in 0..4_000 {
        let r = scattered(n);
        let document = json!({
            "body": format!("common w{} the old man {}", r % 700, key(n)),
            "tag": format!("t{}", r % 9),
            "code": key(n),
            "note": "a note",
            "price": r % 100_000,
            "id": n,
            "repo": {
                "stars": r % 10_000,
                "owner": { "login": format!("u{}", r % 3_000) },
                "topic": format!("about w{}", r % 90),
            },
        });
        let document = TantivyDocument::parse_json(&schema, &document.to_string());
        writer.add_document(document.unwrap()).unwrap();
        if n == 2_000 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    directory
}

pub fn select(components: &[Component], fields: &[&str]) -> ComponentSelection {
    ComponentSelection::default()
        .with_components(components.iter().copied())
        .with_fields(fields.iter().copied())
}

pub async fn all_warm(warmups: &[ComponentWarmup]) {
    for warmup in warmups {
        let outcome = warmup.join(LONG).await;
        assert!(outcome.is_warm(), "{outcome}");
    }
}

pub fn body(body: Value) -> SearchRequest {
    SearchRequest::from_value(&body).unwrap()
}

pub fn max(field: &str) -> SearchRequest {
    body(json!({ "size": 0, "aggs": { "most": { "max": { "field": field } } } }))
}

/// Scores nothing, and reads a column.
pub fn sorted() -> SearchRequest {
    body(json!({
        "query": { "match": { "body": "w3" } }, "sort": [{ "price": "desc" }], "_source": false,
    }))
}
