//! What patterns come to is kept with their warmups: searches after the first one answer the same
//! and read less, none of it late.

use std::sync::Arc;

use forewarm::{ExpansionSettings, PastLimit, SearchOptions, SearchRequest, SplitAddress, Warmer};
use object_store::ObjectStore;
use serde_json::{Value, json};

use crate::fixture::{answer, request, strict, truth, warmer, with_documents};
use crate::limits;
use crate::test_store::TestStore;

/// All kinds of clauses that stand for terms, alone and within others.
pub fn expanding() -> Vec<Value> {
    vec![
        json!({"prefix": {"key": "0"}}),
        json!({"wildcard": {"key": "*7?"}}),
        json!({"regexp": {"key": "[0-9a-c]+"}}),
        json!({"fuzzy": {"body": {"value": "w10", "fuzziness": 1}}}),
        json!({"range": {"key": {"gte": "2", "lt": "7"}}}),
        json!({"bool": {
            "must": [{"match": {"body": "common"}}],
            "filter": [{"prefix": {"key": "1"}}],
            "must_not": [{"wildcard": {"key": "*a"}}, {"prefix": {"key": "12"}}],
            "should": [{"prefix": {"tag": "t"}}],
        }}),
        json!({"dis_max": {"queries": [
            {"prefix": {"key": "3"}},
            {"constant_score": {"filter": {"wildcard": {"key": "?e*"}}}},
        ]}}),
    ]
}

/// What a search answers, and how much it read in memory.
async fn searched(
    warmer: &Warmer,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> (Value, u64) {
    let before = warmer.statistics().search_hits;
    let response = warmer.search(splits, request).await.unwrap();
    assert_eq!(response.report.late_reads, 0);
    let reads = warmer.statistics().search_hits - before;
    (answer(&response), reads)
}

/// Splits none of whose dictionaries are hot, the second of which plainly takes longest.
pub async fn splits(store: &Arc<TestStore>) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for (at, docs) in [100, 400, 150].into_iter().enumerate() {
        splits.push(limits::split(store, &format!("{at}.split"), docs, at as u64).await);
    }
    splits
}

/// Asserts that searches answer right, and read less than those that keep nothing.
async fn assert_kept(store: &Arc<TestStore>, splits: &[SplitAddress], request: &SearchRequest) {
    let plain: Arc<dyn ObjectStore> = store.clone();
    let expected = truth(&plain, splits, request).await;
    let keeping = warmer(store.clone(), strict());
    // What streams is as long as it likes, so none of it is kept.
    let streaming = ExpansionSettings::default().with_past_limit(PastLimit::Stream);
    let streaming = warmer(store.clone(), strict().with_expansion(streaming));
    for turn in 0..3 {
        let (kept, few) = searched(&keeping, splits, request).await;
        let (streamed, many) = searched(&streaming, splits, request).await;
        assert_eq!((&kept, &streamed), (&expected, &expected), "{request:?}");
        // A dictionary that is no SSTable is in memory whole.
        if turn > 0 && cfg!(feature = "sstable") {
            assert!(few < many, "{request:?}: {few} of {many}");
        }
    }
}

#[tokio::test]
async fn a_pattern_searched_again_answers_the_same_and_reads_less() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    for query in expanding() {
        // Without scores, and with them.
        assert_kept(&store, &splits, &request(query.clone()).size(0)).await;
        assert_kept(&store, &splits, &with_documents(query)).await;
    }
}

#[tokio::test]
async fn patterns_of_aggregations_are_kept_beside_those_of_the_query() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    for query in [json!({"match_all": {}}), json!({"prefix": {"key": "0"}})] {
        let request = json!({
            "query": query,
            "size": 0,
            "aggs": {"some": {"filter": {"wildcard": {"key": "*7*"}}}},
        });
        assert_kept(
            &store,
            &splits,
            &SearchRequest::from_value(&request).unwrap(),
        )
        .await;
    }
}

#[tokio::test]
async fn who_wants_to_know_what_is_read_is_told_of_dictionaries_too() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let recording = SearchOptions::default().with_record_reads(true);
    for query in expanding() {
        let request = request(query).size(0);
        let mut read = Vec::new();
        for searches in [0, 2] {
            let warmer = warmer(store.clone(), strict());
            for _ in 0..searches {
                searched(&warmer, &splits, &request).await;
            }
            let recorded = warmer.search_with_options(&splits, &request, &recording);
            read.push(recorded.await.unwrap().report.read_bytes);
        }
        assert_eq!(read[0], read[1], "{request:?}");
    }
}
