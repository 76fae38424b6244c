//! Splits of consecutive days with their bounds, and progressive searches over them.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    PackSettings, SearchOptions, SearchProgress, SearchRequest, SearchResponse, SplitAddress,
    Warmer, pack,
};
use object_store::path::Path;
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{FAST, STORED, STRING, Schema, TEXT};
use tantivy::{Index, TantivyDocument};

use crate::fixture::{strict, warmer};
use crate::test_store::TestStore;

/// Documents of a split, in two segments.
pub const DOCS: i64 = 100;
/// Long enough that only what hangs reaches it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A split of documents whose `at` is what `at` says of their numbers.
pub async fn split(
    store: &TestStore,
    number: i64,
    at: impl Fn(i64) -> Option<i64>,
) -> SplitAddress {
    let mut schema = Schema::builder();
    let at_field = schema.add_i64_field("at", FAST | STORED);
    let price = schema.add_f64_field("price", FAST);
    let tag = schema.add_text_field("tag", STRING | FAST);
    let body = schema.add_text_field("body", TEXT | STORED);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), schema.build(), Default::default()).unwrap();
    let mut writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for n in 0..DOCS {
        let mut document = TantivyDocument::default();
        if let Some(at) = at(n) {
            document.add_i64(at_field, at);
        }
        document.add_f64(price, ((n * 37 + number * 11) % 90) as f64 / 7.0);
        document.add_text(tag, format!("t{}", (n + number) % 5));
        document.add_text(body, format!("common w{} s{number}", n % 7));
        writer.add_document(document).unwrap();
        if n % 50 == 49 {
            writer.commit().unwrap();
        }
    }
    writer.wait_merging_threads().unwrap();
    let path = Path::from(format!("{number}.split"));
    let packed = pack(&directory, &PackSettings::default()).unwrap();
    packed.upload(store, &path).await.unwrap();
    SplitAddress::new(path)
}

/// Splits of one hundred each, from the oldest to the newest, with their bounds.
pub async fn days(store: &TestStore, count: i64) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for day in 0..count {
        let first = day * DOCS;
        // Not in their order in the split.
        let split = split(store, day, |n| Some(first + n * 37 % DOCS)).await;
        splits.push(split.with_bounds("at", first, first + DOCS - 1).unwrap());
    }
    splits
}

pub fn request(body: Value) -> SearchRequest {
    SearchRequest::from_value(&body).unwrap()
}

/// The newest ten, without a count.
pub fn newest() -> SearchRequest {
    request(json!({"sort": [{"at": "desc"}], "track_total_hits": false}))
}

pub fn hold(store: &TestStore, splits: &[SplitAddress]) {
    splits.iter().for_each(|split| store.hold(split.path()));
}

pub fn release(store: &TestStore, splits: &[SplitAddress]) {
    splits.iter().for_each(|split| store.release(split.path()));
}

pub fn begun(store: &TestStore, splits: &[SplitAddress]) -> Vec<usize> {
    let begun = splits.iter().map(|split| store.begun_of(split.path()));
    begun.collect()
}

/// Everything but what it cost.
pub fn answer(response: &SearchResponse) -> Value {
    json!({"hits": response.hits, "aggregations": response.aggregations})
}

/// What `search` answers, by a warmer of its own.
pub async fn expected(
    store: &Arc<TestStore>,
    splits: &[SplitAddress],
    of: &SearchRequest,
) -> Value {
    let warmer = warmer(store.clone(), strict());
    answer(&warmer.search(splits, of).await.unwrap())
}

/// Searches, telling `watch` how far it came; it must not hang.
pub async fn search(
    warmer: &Warmer,
    splits: &[SplitAddress],
    request: &SearchRequest,
    options: SearchOptions,
    watch: impl FnMut(SearchProgress) + Send,
) -> SearchResponse {
    let search = warmer.watch_progressively(splits, request, &options, watch);
    let response = tokio::time::timeout(PATIENCE, search).await;
    response
        .expect("it waits for a split that it should not need")
        .unwrap()
}

/// All splits at once, whether needed or not.
pub fn all_at_once() -> SearchOptions {
    SearchOptions::default().with_splits_at_once(usize::MAX)
}

/// Lets the runtime run until nothing is left to do but what waits at a gate.
pub async fn settle(warmer: &Warmer) {
    loop {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let statistics = warmer.statistics();
        // What is leased is cached too; the rest is in flight.
        if statistics.resident_bytes == statistics.cached_bytes {
            return;
        }
    }
}
