//! Plans: what one process found out, another warms by in one round.

use std::sync::Arc;

use forewarm::{SearchOptions, SplitAddress, Warmer};
use object_store::ObjectStore;
use serde_json::json;

use crate::fixture::{
    answer, index, key, put, request, requests, settings, strict, truth, warmer, with_documents,
};
use crate::test_store::TestStore;

async fn splits(store: &Arc<TestStore>, docs: u64) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..3 {
        let index = index(2, docs + 10 * n, n);
        splits.push(put(store.as_ref(), &format!("{n}.split"), &index).await);
    }
    splits
}

fn teach(pupil: &Warmer, teacher: &Warmer) {
    pupil.add_plans(teacher.plans().iter().map(|plan| plan.as_ref().clone()));
}

#[tokio::test]
async fn a_newcomer_with_plans_opens_warms_and_brings_documents_in_one_round() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 300).await;
    let shared: Arc<dyn ObjectStore> = store.clone();
    for request in requests() {
        let teacher = warmer(store.clone(), strict());
        let first = teacher.search(&splits, &request).await.unwrap();
        assert_eq!(first.report.planned_splits, 0);
        let pupil = warmer(store.clone(), strict());
        teach(&pupil, &teacher);
        let options = SearchOptions::default().with_record_reads(true);
        let second = pupil.search_with_options(&splits, &request, &options);
        let second = second.await.unwrap();
        let report = &second.report;
        assert_eq!((report.rounds, report.late_reads), (1, 0), "{report:?}");
        assert_eq!(report.planned_splits, splits.len());
        assert!(report.gets <= first.report.gets, "{report:?}");
        assert_eq!(answer(&second), truth(&shared, &splits, &request).await);
        let statistics = pupil.statistics();
        assert_eq!(statistics.plan_hits, splits.len() as u64);
        assert_eq!(statistics.plan_misses, 0);
        assert_eq!(statistics.plans, splits.len() as u64);
    }
}

#[tokio::test]
async fn a_plan_of_a_version_that_is_no_more_is_forgotten() {
    let store = TestStore::in_memory();
    let old = splits(&store, 300).await;
    let request = with_documents(json!({"match": {"body": "common w3"}}));
    let teacher = warmer(store.clone(), strict());
    teacher.search(&old, &request).await.unwrap();
    let pupil = warmer(store.clone(), strict());
    teach(&pupil, &teacher);
    let new = splits(&store, 320).await;
    let response = pupil.search(&new, &request).await.unwrap();
    let shared: Arc<dyn ObjectStore> = store.clone();
    assert_eq!(answer(&response), truth(&shared, &new, &request).await);
    assert_eq!(response.report.planned_splits, 0);
    // It learnt anew.
    let next = warmer(store.clone(), strict());
    teach(&next, &pupil);
    let response = next.search(&new, &request).await.unwrap();
    assert_eq!(response.report.planned_splits, new.len());
    assert_eq!(response.report.rounds, 1);
}

#[tokio::test]
async fn a_request_of_another_size_shares_the_plan_and_brings_its_own_documents() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 300).await;
    let request = with_documents(json!({"match": {"body": "common w3"}}));
    let teacher = warmer(store.clone(), strict());
    teacher.search(&splits, &request).await.unwrap();
    let pupil = warmer(store.clone(), strict());
    teach(&pupil, &teacher);
    let wider = request.clone().size(60);
    let response = pupil.search(&splits, &wider).await.unwrap();
    assert_eq!(response.report.planned_splits, splits.len());
    assert_eq!(response.report.late_reads, 0);
    assert_eq!(response.report.rounds, 2, "documents came by themselves");
    pupil.forget_warmups();
    let next = warmer(store.clone(), strict());
    teach(&next, &pupil);
    let response = next.search(&splits, &wider).await.unwrap();
    assert_eq!(response.report.rounds, 1);
}

#[tokio::test]
async fn plans_stay_within_their_bytes_and_none_are_kept_where_there_is_no_room() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 60).await;
    let cache = |bytes| settings().cache.with_plan_bytes(bytes);
    let few = warmer(store.clone(), strict().with_cache(cache(20_000)));
    let none = warmer(store.clone(), strict().with_cache(cache(0)));
    for n in 0..60 {
        let request = request(json!({"term": {"key": key(n)}}));
        few.search(&splits, &request).await.unwrap();
        none.search(&splits, &request).await.unwrap();
    }
    let statistics = few.statistics();
    assert!(statistics.plans > 0 && statistics.plan_bytes <= 20_000);
    assert_eq!(none.statistics().plans, 0);
    few.clear().await;
    assert_eq!(few.statistics().plans, 0);
}
