//! Warm searches read nothing, and what they cost is known beforehand: on splits that other
//! programs wrote.

// Every one of them has SSTables; the FST build refuses them (`tests/grid/dictionaries.rs`).
#![cfg(feature = "sstable")]

#[path = "common/shared.rs"]
mod shared;

use std::sync::Arc;

use forewarm::{
    OnMiss, SearchRequest, SearchResponse, SplitAddress, StoreSettings, Warmer, WarmerSettings,
};
use object_store::local::LocalFileSystem;
use object_store::path::Path;

/// Requests that every peer split can answer, and some for those whose fields are known.
const REQUESTS: &[(&str, &str)] = &[
    ("", r#"{"query": {"match_all": {}}}"#),
    (
        "large",
        r#"{"query": {"range": {"id": {"gte": 10, "lt": 20}}}, "sort": [{"id": "desc"}]}"#,
    ),
    (
        "large",
        r#"{"query": {"exists": {"field": "score"}}, "size": 3}"#,
    ),
    ("wiki", r#"{"query": {"match": {"body": "sea"}}}"#),
    ("wiki", r#"{"query": {"match_phrase": {"body": "of the"}}}"#),
    ("wiki", r#"{"query": {"prefix": {"title": "a"}}}"#),
    (
        "wiki",
        r#"{"query": {"term": {"body": "thereisnosuchword"}}}"#,
    ),
    (
        "wiki",
        r#"{"query": {"query_string": {"query": "+sea -night title:war*"}}}"#,
    ),
    (
        "gh",
        r#"{"query": {"term": {"type": "PushEvent"}}, "size": 0}"#,
    ),
    (
        "gh",
        r#"{"query": {"bool": {
        "must": [{"terms": {"type": ["PushEvent", "WatchEvent"]}}],
        "must_not": [{"term": {"public": false}}]}}, "sort": [{"created_at": "asc"}]}"#,
    ),
    (
        "gh",
        r#"{"query": {"exists": {"field": "payload.push_id"}}, "size": 1}"#,
    ),
];

fn warmer(store: &Arc<LocalFileSystem>, footer_guess: u64) -> Warmer {
    let settings = WarmerSettings::default()
        .with_on_miss(OnMiss::Fail)
        .with_store(
            StoreSettings::default()
                .with_footer_guess_bytes(footer_guess)
                .with_whole_split_bytes(0),
        );
    Warmer::builder(Arc::clone(store) as _)
        .settings(settings)
        .build()
        .expect("a warmer")
}

fn ids(response: &SearchResponse) -> Vec<String> {
    response
        .hits
        .hits
        .iter()
        .map(|hit| hit.id.clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_splits_answer_strictly_and_a_second_time_from_memory() {
    let Some(folder) = shared::shared("peer-splits") else {
        return;
    };
    let store = Arc::new(LocalFileSystem::new_with_prefix(&folder).expect("a folder"));
    let mut answered = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let name = entry
            .expect("an entry")
            .file_name()
            .into_string()
            .expect("a name");
        for (only, body) in REQUESTS {
            if !name.ends_with(".split") || !name.contains(only) {
                continue;
            }
            // A small guess, so that little comes along with the footer.
            let warmer = warmer(&store, 4096);
            let splits = [SplitAddress::new(Path::from(name.as_str()))];
            let request = SearchRequest::from_json(body).expect(body);
            let cold = warmer.search(&splits, &request).await.expect(body);
            assert_eq!(cold.report.late_reads, 0, "{name} {body}");
            let warm = warmer.search(&splits, &request).await.expect(body);
            assert_eq!(
                (warm.report.gets, warm.report.late_reads),
                (0, 0),
                "{name} {body}"
            );
            assert_eq!(ids(&cold), ids(&warm), "{name} {body}");
            let on_demand = Warmer::builder(store.clone()).build().expect("a warmer");
            let plain = on_demand
                .search_without_warming(&splits, &request)
                .await
                .expect(body);
            assert_eq!(ids(&cold), ids(&plain), "{name} {body}");
            answered += 1;
        }
    }
    assert!(answered >= 5 + REQUESTS.len() - 1, "{answered} answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_predicts_what_a_warmup_then_fetches() {
    let Some(folder) = shared::shared("peer-splits") else {
        return;
    };
    let store = Arc::new(LocalFileSystem::new_with_prefix(folder).expect("a folder"));
    for (name, body) in REQUESTS {
        let split = match *name {
            "gh" => "quickwit-gh-2-segments-qwft.split",
            "wiki" => "quickwit-wiki-1000-docs.split",
            _ => "large-batch-250-docs.split",
        };
        let split = SplitAddress::new(Path::from(split));
        let mut value: serde_json::Value = serde_json::from_str(body).expect(body);
        value["_source"] = false.into();
        let request = SearchRequest::from_value(&value).expect(body);
        let explained = warmer(&store, 4096)
            .explain(&split, &request)
            .await
            .expect(body);
        let report = warmer(&store, 4096)
            .search(&[split], &request)
            .await
            .expect(body)
            .report;
        assert!(!explained.lower_bound);
        assert_eq!(explained.total.gets, report.gets, "{body}: {explained:#?}");
        assert_eq!(
            explained.total.rounds, report.rounds,
            "{body}: {explained:#?}"
        );
        assert_eq!(
            explained.total.bytes, report.bytes,
            "{body}: {explained:#?}"
        );
        assert!(report.rounds <= 4, "{body}: {report:#?}");
    }
}
