//! What patterns come to is kept with their warmups: searches after the first one answer the same
//! and read less, none of it late.

use std::sync::Arc;

use forewarm::{ExpansionSettings, PastLimit, SearchRequest, SplitAddress, Warmer};
use object_store::ObjectStore;
use serde_json::{Value, json};

use crate::fixture::{answer, request, strict, truth, warmer, with_documents};
use crate::limits;
use crate::test_store::TestStore;

/// All kinds of clauses that stand for terms, alone and within others.
fn expanding() -> Vec<Value> {
    vec![
        json!({"prefix": {"key": "0"}}),
        json!({"wildcard": {"key": "*7?"}}),
        json!({"regexp": {"key": "[0-9a-c]+"}}),
        json!({"fuzzy": {"body": {"value": "w10", "fuzziness": 1}}}),
        json!({"range": {"key": {"gte": "2", "lt": "7"}}}),
        json!({"bool": {
            "must": [{"match": {"body": "common"}}],
            "filter": [{"prefix": {"key": "1"}}],
            "must_not": [{"wildcard": {"key": "*a"}}, {"prefix": {"key": "1"}}],
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

#[tokio::test]
async fn a_pattern_searched_again_answers_the_same_and_reads_no_dictionary() {
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for (at, docs) in [100, 400, 250].into_iter().enumerate() {
        splits.push(limits::split(&store, &format!("{at}.split"), docs, at as u64).await);
    }
    let plain: Arc<dyn ObjectStore> = store.clone();
    let streaming = ExpansionSettings::default().with_past_limit(PastLimit::Stream);
    for query in expanding() {
        // Without scores, and with them.
        for request in [
            request(query.clone()).size(0),
            with_documents(query.clone()),
        ] {
            let expected = truth(&plain, &splits, &request).await;
            let keeping = warmer(store.clone(), strict());
            // What streams is as long as it likes, so none of it is kept.
            let streaming = warmer(store.clone(), strict().with_expansion(streaming));
            for turn in 0..3 {
                let (kept, few) = searched(&keeping, &splits, &request).await;
                let (streamed, many) = searched(&streaming, &splits, &request).await;
                assert_eq!((&kept, &streamed), (&expected, &expected), "{query}");
                // A dictionary that is no SSTable is in memory whole.
                if turn > 0 && cfg!(feature = "sstable") {
                    assert!(few < many, "{query}: {few} of {many}");
                }
            }
        }
    }
}
