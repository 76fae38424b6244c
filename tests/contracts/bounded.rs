//! C4: memory stays under its budgets, and what does not fit is streamed.

use std::sync::Arc;

use forewarm::{CacheSettings, ErrorKind, Outcome};
use futures_util::future::join_all;
use object_store::ObjectStore;
use serde_json::json;
use std::time::Duration;

use crate::fixture::{answer, index, put, requests, settings, truth, warmer, with_documents};
use crate::test_store::TestStore;

#[tokio::test]
async fn a_warmup_that_does_not_fit_fails_and_its_search_streams() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let split = [put(store.as_ref(), "a.split", &index(1, 3000, 0)).await];
    let cache = CacheSettings::default()
        .with_capacity_bytes(0)
        .with_lease_bytes(2000);
    let warmer = warmer(store.clone(), settings().with_cache(cache));
    let request = with_documents(json!({ "match": { "body": "common w3" } }));
    let expected = truth(&plain, &split, &request).await;

    let outcome = warmer
        .warm(&split[0], &request)
        .join(Duration::from_secs(30))
        .await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome}");
    };
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert!(error.to_string().contains("raise lease_bytes"), "{error}");

    let response = warmer.search(&split, &request).await.unwrap();
    assert_eq!(answer(&response), expected);
    assert_eq!(response.report.outcome, "failed");
    assert!(response.report.late_reads > 0);
    assert!(response.report.failure.unwrap().contains("do not fit"));
    let statistics = warmer.statistics();
    assert!(statistics.resident_bytes <= 2000, "{statistics:?}");
    assert_eq!(statistics.cached_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_given_back() {
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for n in 0..4 {
        splits.push(put(store.as_ref(), &format!("{n}.split"), &index(1, 1500, n)).await);
    }
    for capacity in [0, 20_000, 1 << 30] {
        let cache = CacheSettings::default().with_capacity_bytes(capacity);
        let warmer = warmer(store.clone(), settings().with_cache(cache));
        let searches = requests().into_iter().map(|request| {
            let (warmer, splits) = (warmer.clone(), splits.clone());
            tokio::spawn(async move { warmer.search(&splits, &request).await })
        });
        for response in join_all(searches).await {
            assert_eq!(response.unwrap().unwrap().report.late_reads, 0);
            assert!(warmer.statistics().cached_bytes <= capacity);
        }
        let held = warmer.statistics();
        assert!(held.leased_bytes > 0 && held.warmups > 0, "{held:?}");
        warmer.forget_warmups();
        let left = warmer.statistics();
        assert_eq!((left.leased_bytes, left.warmups), (0, 0), "{left:?}");
        assert_eq!(left.resident_bytes, left.cached_bytes, "{left:?}");
        assert!(left.cached_bytes <= capacity, "{left:?}");
        warmer.clear().await;
        assert_eq!(warmer.statistics().resident_bytes, 0);
    }
}
