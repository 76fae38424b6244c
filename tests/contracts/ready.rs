//! Searches whose warmups have all finished before: what they run is put together on the pool.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{ErrorKind, SearchRequest, SplitAddress, StoreSettings, Warmer};
use serde_json::json;

use crate::fixture::{answer, index, put, request, requests, strict, truth, warmer};
use crate::results::{of_version, remembering};
use crate::test_store::TestStore;

const PATIENCE: Duration = Duration::from_secs(3600);

async fn splits(store: &Arc<TestStore>) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..4 {
        splits.push(put(store.as_ref(), &format!("{n}.split"), &index(2, 300, n)).await);
    }
    splits
}

async fn warm(warmer: &Warmer, splits: &[SplitAddress], request: &SearchRequest) {
    for warmup in warmer.warm_many(splits, request) {
        let outcome = warmup.join(PATIENCE).await;
        assert!(outcome.is_warm(), "{outcome}");
    }
}

#[tokio::test]
async fn they_answer_and_report_as_those_that_waited() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let teacher = warmer(store.clone(), strict());
    for request in requests() {
        teacher.search(&splits, &request).await.unwrap();
        let plans = teacher.plans();
        let right = truth(&(store.clone() as _), &splits, &request).await;
        for planned in [0, splits.len()] {
            let waited = warmer(store.clone(), strict());
            let ready = warmer(store.clone(), strict());
            if planned > 0 {
                for reader in [&waited, &ready] {
                    reader.add_plans(plans.iter().map(|plan| plan.as_ref().clone()));
                }
            }
            warm(&ready, &splits, &request).await;
            let waited = waited.search(&splits, &request).await.unwrap();
            let ready = ready.search(&splits, &request).await.unwrap();
            assert_eq!(answer(&waited), right);
            assert_eq!(answer(&ready), right);
            assert_eq!(ready.report.outcome, "ready");
            assert_ne!(waited.report.outcome, "ready");
            for report in [&waited.report, &ready.report] {
                assert_eq!(report.splits, splits.len());
                assert_eq!(report.planned_splits, planned);
                assert_eq!((report.late_reads, report.plan_misses), (0, 0));
            }
        }
    }
}

#[tokio::test]
async fn what_they_count_is_remembered_of_each_split() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let count = request(of_version(2)).size(0);
    let reader = warmer(store.clone(), remembering());
    warm(&reader, &splits, &count).await;
    let first = reader.search(&splits, &count).await.unwrap();
    assert_eq!(first.report.outcome, "ready");
    assert_eq!(first.report.remembered_splits, 0);
    for (place, split) in splits.iter().enumerate() {
        let again = reader.search(std::slice::from_ref(split), &count).await;
        let again = again.unwrap();
        assert_eq!(again.report.remembered_splits, 1);
        let matches = if place == 2 { 600 } else { 0 };
        assert_eq!(again.hits.total.unwrap().value, matches, "{split}");
    }
}

#[tokio::test]
async fn a_clause_that_fits_no_schema_is_an_error_though_another_request_warmed_the_same() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let term = json!({"term": {"tag": "t1"}});
    let plain = request(json!({"bool": {"filter": term}}));
    let optional = request(json!({"bool": {"filter": {"bool": {
        "filter": term, "should": {"term": {"absent": 1}},
    }}}}));
    assert_eq!(plain.fingerprint(), optional.fingerprint());
    let reader = warmer(store.clone(), strict());
    let right = reader.search(&splits, &plain).await.unwrap();
    let error = reader.search(&splits, &optional).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("absent"), "{error}");
    let again = reader.search(&splits, &plain).await.unwrap();
    assert_eq!(answer(&again), answer(&right));
    assert_eq!((again.report.gets, again.report.outcome), (0, "ready"));
}

#[tokio::test]
async fn hot_bytes_are_read_there_though_a_small_split_came_whole() {
    let store = TestStore::in_memory();
    // One: two threads that weigh a term for two splits may look it up twice.
    let split = [put(store.as_ref(), "a.split", &index(4, 300, 0)).await];
    let mut whole = strict();
    whole.store.whole_split_bytes = StoreSettings::default().whole_split_bytes;
    for request in requests() {
        let mut reads = Vec::new();
        for settings in [strict(), whole.clone()] {
            let reader = warmer(store.clone(), settings);
            // Reads once what readers keep.
            reader.search(&split, &request).await.unwrap();
            let before = reader.statistics().search_hits;
            reader.search(&split, &request).await.unwrap();
            reads.push(reader.statistics().search_hits - before);
        }
        // Those of hot bytes do not count.
        assert_eq!(reads[0], reads[1], "{request:?}");
    }
}
