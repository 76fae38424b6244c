//! Splits that are warmed whole.

use std::sync::Arc;

use forewarm::{CacheSettings, ErrorKind, SplitAddress};
use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::fixture::{index, put, requests, strict, warmer};

async fn splits(store: &dyn ObjectStore) -> [SplitAddress; 2] {
    [
        put(store, "a.split", &index(2, 400, 1)).await,
        put(store, "b.split", &index(1, 300, 2)).await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn splits_warmed_whole_are_never_read_again() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let splits = splits(store.as_ref()).await;
    let warmer = warmer(Arc::clone(&store), strict());
    let traffic = warmer.warm_whole(&splits).await.unwrap();
    let mut length = 0;
    for split in &splits {
        length += warmer.open(split).await.unwrap().size();
    }
    // Footers are guessed, and what comes along is not fetched again.
    assert!(traffic.bytes >= length - 2 * (20 << 10) && traffic.bytes <= length + 2 * (20 << 10));
    assert_eq!(warmer.warm_whole(&splits).await.unwrap().gets, 0);
    for request in requests() {
        let response = warmer.search(&splits, &request).await.unwrap();
        assert_eq!((response.report.gets, response.report.late_reads), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_the_cache_holds_is_not_warmed_whole() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let splits = splits(store.as_ref()).await;
    let cache = CacheSettings::default().with_capacity_bytes(10_000);
    let warmer = warmer(Arc::clone(&store), strict().with_cache(cache));
    let error = warmer.warm_whole(&splits).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert!(
        error.to_string().contains("capacity_bytes (10000)"),
        "{error}"
    );
}
