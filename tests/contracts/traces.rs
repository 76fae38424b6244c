//! What a warmup tells of the requests it sent.

use std::time::Duration;

use forewarm::GetOutcome;
use serde_json::json;

use crate::fixture::{index, key, put, request, settings, warmer};
use crate::test_store::TestStore;

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_trace_tells_each_get_in_its_round() {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(2, 4000, 0)).await;
    let warmer = warmer(store.clone(), settings().with_trace(true));
    let request = request(json!({ "term": { "key": key(7) } }));
    let warmup = warmer.warm(&split, &request);
    assert!(warmup.join(LONG).await.is_warm());
    let trace = warmup.trace();
    assert_eq!(warmup.left_out_of_trace(), 0);

    let mut sent: Vec<_> = trace.iter().map(|get| get.range.clone()).collect();
    let mut answered: Vec<_> = store.take().iter().map(|get| get.range.clone()).collect();
    sent.sort_by_key(|range| range.start);
    answered.sort_by_key(|range| range.start);
    assert_eq!(sent, answered);
    for get in &trace {
        assert!(get.asked_us <= get.sent_us && get.sent_us <= get.first_byte_us);
        assert!(get.first_byte_us <= get.ended_us);
        assert_eq!(get.bytes, get.range.end - get.range.start);
        assert_eq!((get.attempt, get.outcome), (1, GetOutcome::Ok));
    }
    // Every round of opening and warming sent something, and none began before its predecessor.
    let rounds: Vec<u64> = trace.iter().map(|get| get.round).collect();
    let response = warmer.search(&[split], &request).await.unwrap();
    assert!(rounds.is_sorted(), "{rounds:?}");
    let mut different = rounds;
    different.dedup();
    assert_eq!(different, Vec::from_iter(1..=different.len() as u64));
    assert!(different.len() >= 3, "{different:?}");
    assert_eq!(response.report.gets, 0);
}

#[tokio::test]
async fn a_trace_is_empty_unless_asked_for_and_in_it_are_failures() {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(1, 100, 0)).await;
    let request = request(json!({ "term": { "tag": "t3" } }));
    let quiet = warmer(store.clone(), settings()).warm(&split, &request);
    assert!(quiet.join(LONG).await.is_warm());
    assert_eq!(quiet.trace(), []);

    let mut traced = settings().with_trace(true);
    traced.store.max_attempts = 2;
    traced.store.retry_pause = Duration::from_millis(1);
    store.fail_next(2);
    let failed = warmer(store.clone(), traced).warm(&split, &request);
    assert!(!failed.join(LONG).await.is_warm());
    let attempts: Vec<_> = failed.trace();
    let outcomes: Vec<_> = attempts
        .iter()
        .map(|get| (get.attempt, get.outcome, get.bytes))
        .collect();
    assert_eq!(
        outcomes,
        [(1, GetOutcome::Retried, 0), (2, GetOutcome::Failed, 0)]
    );
}
