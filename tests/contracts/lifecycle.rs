//! What is left when a warmer, its handles or its runtime go.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{ErrorKind, Outcome};
use object_store::ObjectStore;
use serde_json::json;

use crate::fixture::{index, key, put, request, requests, settings, warmer};
use crate::test_store::TestStore;

const LONG: Duration = Duration::from_secs(60);

/// Lets the runtime run until nobody but the caller holds the store.
async fn is_let_go(store: &Arc<TestStore>) -> bool {
    let give_up = tokio::time::Instant::now() + LONG;
    while Arc::strong_count(store) > 1 {
        if tokio::time::Instant::now() > give_up {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

#[tokio::test]
async fn joining_a_finished_warmup_does_not_touch_the_store() {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(1, 1000, 0)).await;
    let warmer = warmer(store.clone(), settings());
    for request in requests() {
        let warmup = warmer.warm(&split, &request);
        assert!(warmup.join(LONG).await.is_warm());
        // From now on the store would answer nothing.
        store.close();
        let begun = store.begun();
        for _ in 0..100 {
            assert!(matches!(warmup.join(Duration::ZERO).await, Outcome::Ready));
            let outcome = warmer.join(&split, &request, Duration::ZERO).await;
            assert!(matches!(outcome, Outcome::Ready), "{outcome}");
            assert!(warmer.warm(&split, &request).is_finished());
        }
        assert_eq!(store.begun(), begun);
        store.open();
    }
}

#[tokio::test]
async fn a_dropped_warmer_leaves_nothing_behind() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(2, 1000, 0)).await];
    let warmer = warmer(store.clone(), settings());
    for request in requests() {
        warmer.search(&split, &request).await.unwrap();
    }
    let opened = warmer.open(&split[0]).await.unwrap();
    assert!(warmer.statistics().resident_bytes > 0);
    drop(warmer);
    drop(opened);
    assert!(
        is_let_go(&store).await,
        "the warmer's caches hold its store"
    );
}

#[tokio::test]
async fn warmups_under_way_end_with_their_last_handle() {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(2, 1000, 0)).await;
    let warmer = warmer(store.clone(), settings());
    store.close();
    let begun = store.begun();
    let warmups: Vec<_> = requests()
        .iter()
        .map(|request| warmer.warm(&split, request))
        .collect();
    store.has_begun(begun + 1).await;
    drop(warmer);
    // A handle keeps its warmup going without the warmer.
    assert!(!is_let_go_now(&store));
    drop(warmups);
    assert!(
        is_let_go(&store).await,
        "a task goes on that nobody waits for"
    );
}

fn is_let_go_now(store: &Arc<TestStore>) -> bool {
    Arc::strong_count(store) == 1
}

#[tokio::test]
async fn a_handle_outlives_its_warmer() {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(1, 1000, 0)).await;
    let warmer = warmer(store.clone(), settings());
    store.close();
    let warmup = warmer.warm(&split, &request(json!({ "term": { "key": key(3) } })));
    drop(warmer);
    store.open();
    assert!(warmup.join(LONG).await.is_warm());
    drop(warmup);
    assert!(is_let_go(&store).await);
}

/// A runtime of its own, with its thread.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn shutting_the_runtime_down_cancels_instead_of_hanging() {
    let (fetching, asking) = (runtime(), runtime());
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let split = asking.block_on(put(store.as_ref(), "a.split", &index(1, 1000, 0)));
    let builder = forewarm::Warmer::builder(plain).settings(settings());
    let warmer = builder.runtime(fetching.handle().clone()).build().unwrap();
    let request = request(json!({ "term": { "key": key(3) } }));
    asking.block_on(async { warmer.open(&split).await.unwrap() });

    store.close();
    let begun = store.begun();
    let warmup = warmer.warm(&split, &request);
    asking.block_on(store.has_begun(begun + 1));
    let search = {
        let (warmer, split, request) = (warmer.clone(), [split.clone()], request.clone());
        asking.spawn(async move { warmer.search_without_warming(&split, &request).await })
    };
    fetching.shutdown_background();

    asking.block_on(async {
        let outcome = warmup.join(LONG).await;
        let Outcome::Failed(error) = outcome else {
            panic!("{outcome}");
        };
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.chain());
        let searched = tokio::time::timeout(LONG, search).await.expect("no hang");
        let error = searched.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.chain());

        // What is asked for afterwards.
        let splits = [split.clone()];
        let again = warmer.search(&splits, &request);
        let error = tokio::time::timeout(LONG, again)
            .await
            .expect("no hang")
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{}", error.chain());
    });
}
