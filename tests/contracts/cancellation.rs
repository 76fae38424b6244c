//! C6: who goes away takes nothing from those who stay.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{ErrorKind, Outcome, SplitAddress, Warmer, WarmerSettings};
use serde_json::json;

use crate::fixture::{index, key, put, request, settings, warmer};
use crate::test_store::TestStore;

const LONG: Duration = Duration::from_secs(60);

/// One GET at a time, and none joined with another.
fn one_at_a_time() -> WarmerSettings {
    let mut settings = settings();
    settings.store.max_concurrent_gets = 1;
    settings.store.merge_gap_bytes = Some(0);
    settings
}

/// A warmer with the split open, over a store whose gate is closed from now on.
async fn closed() -> (Arc<TestStore>, Warmer, SplitAddress) {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(1, 4000, 0)).await;
    let warmer = warmer(store.clone(), one_at_a_time());
    warmer.open(&split).await.unwrap();
    store.close();
    (store, warmer, split)
}

/// Reads many blocks of the dictionary, each by a GET of its own.
fn many_keys() -> forewarm::SearchRequest {
    let keys: Vec<_> = (0..40).map(|n| key(n * 97)).collect();
    request(json!({ "terms": { "key": keys } }))
}

/// Lets the runtime run until nothing is left to do but what waits at the gate.
async fn settle(warmer: &Warmer) {
    loop {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let statistics = warmer.statistics();
        // Only what is cached is resident: nothing is leased or in flight.
        if statistics.resident_bytes == statistics.cached_bytes {
            return;
        }
    }
}

#[tokio::test]
async fn warming_returns_at_once() {
    let (store, warmer, split) = closed().await;
    let begun = store.begun();
    // Not even a task has run: this test has not awaited anything.
    let warmup = warmer.warm(&split, &many_keys());
    assert_eq!(store.begun(), begun);
    assert!(!warmup.is_finished());
}

#[tokio::test]
async fn dropping_one_waiter_does_not_cancel_the_others() {
    let (store, warmer, split) = closed().await;
    let begun = store.begun();
    let one = warmer.warm(&split, &many_keys());
    let other = warmer.warm(&split, &many_keys());
    store.has_begun(begun + 1).await;
    drop(one);
    store.open();
    let outcome = other.join(LONG).await;
    assert!(outcome.is_warm(), "{outcome}");
    assert!(store.begun() > begun + 10);
}

#[tokio::test]
async fn dropping_a_join_cancels_nothing() {
    let (store, warmer, split) = closed().await;
    let warmup = warmer.warm(&split, &many_keys());
    let outcome = warmup.join(Duration::from_millis(1)).await;
    assert!(matches!(outcome, Outcome::TimedOut), "{outcome}");
    drop(tokio::time::timeout(Duration::from_millis(1), warmup.join(LONG)).await);
    store.open();
    assert!(warmup.join(LONG).await.is_warm());
}

#[tokio::test]
async fn two_requests_share_a_get_and_one_may_go() {
    let (store, warmer, split) = closed().await;
    let begun = store.begun();
    let one = warmer.warm(&split, &request(json!({ "term": { "key": key(1) } })));
    store.has_begun(begun + 1).await;
    // The same dictionary block, asked for by another request.
    let other = warmer.warm(&split, &request(json!({ "terms": { "key": [key(1)] } })));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(one);
    store.open();
    assert!(other.join(LONG).await.is_warm());
    let gets = store.take();
    assert_eq!(crate::test_store::fetched_twice(&gets), 0, "{gets:?}");
}

#[tokio::test]
async fn dropping_the_last_waiter_gives_up_what_has_not_begun() {
    let (store, warmer, split) = closed().await;
    let before = warmer.statistics();
    let begun = store.begun();
    let warmup = warmer.warm(&split, &many_keys());
    // Two GETs get through, a third waits at the gate, the others for their turn.
    store.let_through(2);
    store.has_begun(begun + 3).await;
    drop(warmup);
    store.open();
    settle(&warmer).await;
    assert_eq!(
        store.begun(),
        begun + 3,
        "GETs were sent that nobody waits for"
    );
    let after = warmer.statistics();
    assert_eq!(after.leased_bytes, 0);
    assert_eq!(
        after.cached_extents,
        before.cached_extents + 3,
        "what arrived stays cached"
    );

    // Whoever asks again fetches the rest only.
    assert!(warmer.warm(&split, &many_keys()).join(LONG).await.is_warm());
    let gets = store.take();
    assert!(gets.len() > 3);
    assert_eq!(crate::test_store::fetched_twice(&gets), 0, "{gets:?}");
}

#[tokio::test]
async fn a_get_that_has_begun_is_joined_by_who_comes_after_its_waiters_went() {
    let (store, warmer, split) = closed().await;
    let begun = store.begun();
    let request = request(json!({ "term": { "key": key(1) } }));
    let warmup = warmer.warm(&split, &request);
    store.has_begun(begun + 1).await;
    drop(warmup);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let again = warmer.warm(&split, &request);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    store.open();
    assert!(again.join(LONG).await.is_warm());
    let gets = store.take();
    assert_eq!(crate::test_store::fetched_twice(&gets), 0, "{gets:?}");
}

#[tokio::test]
async fn a_detached_warmup_goes_on() {
    let (store, warmer, split) = closed().await;
    warmer.warm(&split, &many_keys()).detach();
    store.open();
    let outcome = warmer.join(&split, &many_keys(), LONG).await;
    assert!(outcome.is_warm(), "{outcome}");
    store.take();
    let response = warmer.search(&[split], &many_keys()).await.unwrap();
    assert_eq!(
        (response.report.outcome, response.report.gets),
        ("ready", 0)
    );
    assert_eq!(store.take(), []);
}

#[tokio::test]
async fn dropping_a_search_gives_up_its_warmup() {
    let (store, warmer, split) = closed().await;
    let begun = store.begun();
    let splits = [split];
    let request = many_keys();
    tokio::select! {
        _ = warmer.search(&splits, &request) => panic!("the gate is closed"),
        () = store.has_begun(begun + 1) => {}
    }
    store.open();
    settle(&warmer).await;
    assert_eq!(store.begun(), begun + 1);
    assert_eq!(warmer.statistics().warmups, 0);
}

#[tokio::test(start_paused = true)]
async fn a_warmup_past_its_deadline_fails_and_can_be_tried_again() {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(1, 400, 0)).await;
    // Paused time runs ahead while the pool works, so it is the opening that takes too long.
    let settings = settings().with_warmup_deadline(Duration::from_secs(2));
    let warmer = warmer(store.clone(), settings);
    store.close();
    let warmup = warmer.warm(&split, &many_keys());
    let Outcome::Failed(error) = warmup.join(LONG).await else {
        panic!("no GET was let through");
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "warming a.split took longer than 2s: in round 1, 1 GETs were under way and 0 queued"
    );
    store.open();
    tokio::time::resume();
    let again = warmer.warm(&split, &many_keys());
    assert!(again.join(LONG).await.is_warm());
}
