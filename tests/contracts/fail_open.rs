//! C2: a warmup that fails, is late or was never started does not fail the search.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{ErrorKind, OnMiss, Outcome, SearchOptions, SourceFilter, Warming};
use object_store::ObjectStore;
use serde_json::json;

use crate::fixture::{answer, index, key, put, request, requests, settings, truth, warmer};
use crate::test_store::TestStore;

#[tokio::test]
async fn a_search_whose_warmup_failed_reads_on_demand() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let split = [put(store.as_ref(), "a.split", &index(2, 1000, 0)).await];
    for (number, request) in requests().into_iter().enumerate() {
        let request = request.source(SourceFilter::None);
        let expected = truth(&plain, &split, &request).await;
        let warmer = warmer(store.clone(), settings());
        // The split opens; then the store is out of order for one GET, and the warmup with it.
        warmer.open(&split[0]).await.unwrap();
        let opened = store.begun();
        store.fail_next(1);
        let response = warmer.search(&split, &request).await.unwrap();
        store.fail_next(0);
        if store.begun() == opened {
            assert_eq!(response.report.outcome, "waited", "{number} reads nothing");
            continue;
        }
        assert_eq!(answer(&response), expected, "{number}");
        assert_eq!(response.report.outcome, "failed", "{number}");
        let failure = response.report.failure.clone().unwrap();
        assert!(failure.contains("out of order"), "{failure}");
        assert_eq!(warmer.statistics().late_reads, response.report.late_reads);
        if number == 0 {
            assert!(response.report.late_reads > 0);
        }
        // The next one warms again.
        let response = warmer.search(&split, &request).await.unwrap();
        assert_eq!(answer(&response), expected);
        assert_eq!(
            (response.report.outcome, response.report.late_reads),
            ("waited", 0)
        );
    }
}

#[tokio::test]
async fn a_search_whose_opening_failed_opens_again() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 100, 0)).await];
    let warmer = warmer(store.clone(), settings());
    store.fail_next(1);
    let response = warmer
        .search(&split, &request(json!({ "match_all": {} })))
        .await
        .unwrap();
    assert_eq!(response.hits.total.unwrap().value, 100);
    assert_eq!(response.report.outcome, "failed");
}

#[tokio::test]
async fn a_store_that_stays_out_of_order_is_an_error() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 1000, 0)).await];
    let warmer = warmer(store.clone(), settings());
    warmer.open(&split[0]).await.unwrap();
    store.fail_next(usize::MAX);
    let error = warmer
        .search(&split, &request(json!({ "term": { "key": key(3) } })))
        .await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store, "{}", error.chain());
    assert!(error.chain().contains("out of order"), "{}", error.chain());
}

#[tokio::test]
async fn a_search_does_not_wait_longer_than_its_deadline() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let split = [put(store.as_ref(), "a.split", &index(2, 1000, 0)).await];
    for request in requests() {
        let expected = truth(&plain, &split, &request).await;
        let warmer = warmer(store.clone(), settings());
        store.close();
        let warmup = warmer.warm(&split[0], &request);
        let outcome = warmup.join(Duration::from_millis(1)).await;
        assert!(matches!(outcome, Outcome::TimedOut), "{outcome}");
        let options = SearchOptions::default().with_join_deadline(Duration::ZERO);
        // Polled in turn: the join is over before the gate opens.
        let search = warmer.search_with_options(&split, &request, &options);
        let (response, ()) = tokio::join!(search, async { store.open() });
        let response = response.unwrap();
        assert_eq!(response.report.outcome, "timed_out");
        assert_eq!(answer(&response), expected);
        // The warmup went on.
        assert!(warmup.join(Duration::from_secs(30)).await.is_warm());
        let response = warmer.search(&split, &request).await.unwrap();
        assert_eq!(
            (response.report.outcome, response.report.late_reads),
            ("ready", 0)
        );
    }
}

#[tokio::test]
async fn a_warmup_that_was_never_started_is_missing() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let split = [put(store.as_ref(), "a.split", &index(2, 1000, 0)).await];
    for (number, request) in requests().into_iter().enumerate() {
        let expected = truth(&plain, &split, &request).await;
        for warming in [Warming::JoinOnly, Warming::Off] {
            let warmer = warmer(store.clone(), settings());
            let outcome = warmer.join(&split[0], &request, Duration::ZERO).await;
            assert!(matches!(outcome, Outcome::Missing), "{outcome}");
            let options = SearchOptions::default().with_warming(warming);
            let response = warmer
                .search_with_options(&split, &request, &options)
                .await
                .unwrap();
            assert_eq!(answer(&response), expected);
            assert_eq!(response.report.outcome, "missing");
            if number == 0 {
                assert!(response.report.late_reads > 0);
                assert!(response.report.gets > 0 && response.report.rounds > 0);
            }
            assert_eq!(warmer.statistics().late_reads, response.report.late_reads);
        }
    }
}

#[tokio::test]
async fn a_late_read_in_strict_mode_names_file_and_range() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 1000, 0)).await];
    let warmer = warmer(store.clone(), settings());
    let options = SearchOptions::default()
        .with_warming(Warming::Off)
        .with_on_miss(OnMiss::Fail);
    let request = request(json!({ "term": { "key": key(3) } }));
    let error = warmer
        .search_with_options(&split, &request, &options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LateRead);
    let message = error.to_string();
    assert!(
        message.starts_with("a.split/") && message.contains(": bytes "),
        "{message}"
    );
    assert!(message.ends_with(" were not warmed"), "{message}");
}
