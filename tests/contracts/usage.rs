//! What became of the bytes that were fetched: used by searches or wasted, by who asked for them.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{CacheSettings, Manager, ManagerSettings, SplitAddress, Use, Warmer};
use serde_json::json;

use crate::fixture::{index, put, request, requests, settings, strict, warmer, with_documents};
use crate::test_store::TestStore;

/// Long enough that only what hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

async fn splits(store: &TestStore, names: std::ops::Range<u64>) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in names {
        splits.push(put(store, &format!("{n}.split"), &index(2, 300 + n, n)).await);
    }
    splits
}

fn manager(warmer: Warmer) -> Manager {
    Manager::new(warmer, ManagerSettings::default()).unwrap()
}

fn prewarmed(manager: &Manager) -> Use {
    manager.snapshot().sources["prewarm"].usage
}

#[tokio::test]
async fn what_is_warmed_by_a_plan_is_used_by_its_search_and_nothing_is_wasted() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 0..3).await;
    for request in requests() {
        let teacher = warmer(store.clone(), strict());
        teacher.search(&splits, &request).await.unwrap();
        let manager = manager(warmer(store.clone(), strict()));
        let plans = teacher.plans().into_iter().map(Arc::unwrap_or_clone);
        manager.warmer().add_plans(plans);

        manager.prewarm(&splits, &request).wait(PATIENCE).await;
        let warmed = prewarmed(&manager);
        assert!(warmed.fetched_bytes > 0);
        assert_eq!((warmed.used_bytes, warmed.wasted_bytes), (0, 0));
        for _ in 0..2 {
            let response = manager.warmer().search(&splits, &request).await.unwrap();
            assert_eq!((response.report.gets, response.report.late_reads), (0, 0));
            let used = prewarmed(&manager);
            assert_eq!(used.fetched_bytes, warmed.fetched_bytes);
            assert_eq!(used.share(), Some(1.0));
            assert_eq!(manager.warmer().statistics().used_bytes, used.used_bytes);
        }
        let used = prewarmed(&manager).used_bytes;
        manager.warmer().clear().await;
        let statistics = manager.warmer().statistics();
        assert_eq!(statistics.used_bytes, used);
        // An FST is read whole by whoever opens its field's reader, which need not be a search.
        if cfg!(feature = "sstable") {
            assert_eq!(statistics.wasted_bytes, 0);
        }
    }
}

#[tokio::test]
async fn what_is_leased_is_not_judged_and_what_leaves_unread_is_wasted() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 0..3).await;
    let manager = manager(warmer(store.clone(), strict()));
    let request = request(json!({"match_phrase": {"body": "the old man"}}));
    manager.prewarm(&splits, &request).wait(PATIENCE).await;
    let searched = manager.warmer().search(&splits[..1], &request).await;
    assert_eq!(searched.unwrap().report.gets, 0);
    let used = prewarmed(&manager);
    assert!(used.used_bytes > 0 && used.used_bytes < used.fetched_bytes / 2);
    assert_eq!(used.wasted_bytes, 0);

    // The finished warmups hold all of it, whatever the cache does.
    manager.warmer().clear().await;
    let wasted = prewarmed(&manager);
    assert_eq!(wasted.used_bytes, used.used_bytes);
    assert!(wasted.wasted_bytes >= used.used_bytes, "{wasted:?}");
    let share = wasted.share().unwrap();
    assert!((0.2..0.4).contains(&share), "one split of three: {share}");
    assert_eq!(
        manager.warmer().statistics().wasted_bytes,
        wasted.wasted_bytes
    );
}

#[tokio::test]
async fn what_a_search_fetches_for_itself_is_nobodys_and_counts_in_all() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 0..2).await;
    let manager = manager(warmer(store.clone(), strict()));
    let request = with_documents(json!({"match": {"body": "common w3"}}));
    manager.warmer().search(&splits, &request).await.unwrap();
    let searched = manager.warmer().statistics();
    assert!(searched.used_bytes > 0);
    // Its warmup has finished: it is nobody else's now.
    manager.prewarm(&splits, &request).wait(PATIENCE).await;
    assert_eq!(prewarmed(&manager), Use::default());
    manager.warmer().search(&splits, &request).await.unwrap();
    assert_eq!(
        manager.warmer().statistics().used_bytes,
        searched.used_bytes
    );
}

#[tokio::test]
async fn eviction_wastes_what_no_search_has_read() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 0..8).await;
    let cache = CacheSettings::default().with_capacity_bytes(20_000);
    let manager = manager(warmer(store.clone(), strict().with_cache(cache)));
    let request = request(json!({"match": {"body": "common w3"}}));
    manager.prewarm(&splits, &request).wait(PATIENCE).await;
    assert_eq!(prewarmed(&manager).wasted_bytes, 0);
    manager.warmer().forget_warmups();
    let statistics = manager.warmer().statistics();
    let usage = prewarmed(&manager);
    assert_eq!(usage.used_bytes, 0);
    assert!(usage.wasted_bytes > 0 && statistics.wasted_bytes == usage.wasted_bytes);
    assert_eq!(usage.share(), Some(0.0));
}

#[tokio::test]
async fn each_read_of_a_search_is_from_memory_or_late() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 0..2).await;
    let mut all_late = 0;
    for request in requests() {
        let warm = warmer(store.clone(), strict());
        // Reads once what readers keep.
        warm.search(&splits, &request).await.unwrap();
        let before = warm.statistics();
        warm.search(&splits, &request).await.unwrap();
        let after = warm.statistics();
        let reads = after.search_hits - before.search_hits;
        assert_eq!(after.late_reads, 0);

        let cache = CacheSettings::default().with_capacity_bytes(0);
        let cold = warmer(store.clone(), settings().with_cache(cache));
        cold.search_without_warming(&splits, &request)
            .await
            .unwrap();
        let before = cold.statistics();
        cold.search_without_warming(&splits, &request)
            .await
            .unwrap();
        let after = cold.statistics();
        let late = after.late_reads - before.late_reads;
        let found = after.search_hits - before.search_hits;
        assert_eq!(found + late, reads, "{request:?}");
        all_late += late;
    }
    assert!(all_late > 0, "nothing is kept");
}

#[tokio::test]
async fn what_warmups_want_is_missing_once() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 0..2).await;
    let request = request(json!({"match": {"body": "common w3"}}));
    let warmer = warmer(store.clone(), strict());
    warmer.search(&splits, &request).await.unwrap();
    let cold = warmer.statistics();
    assert!(cold.warming_misses > 0 && cold.warming_miss_bytes <= cold.bytes);
    let plans = warmer.plans();
    let ranges = || plans.iter().flat_map(|plan| plan.plan().unwrap().search());
    let bytes: u64 = ranges().map(|range| range.end - range.start).sum();
    assert!(cold.warming_hit_bytes + cold.warming_miss_bytes >= bytes);

    warmer.forget_warmups();
    warmer.search(&splits, &request).await.unwrap();
    let warm = warmer.statistics();
    assert_eq!(warm.warming_misses, cold.warming_misses);
    assert_eq!(warm.warming_miss_bytes, cold.warming_miss_bytes);
    let hits = warm.warming_hits - cold.warming_hits;
    assert_eq!(hits, ranges().count() as u64);
    assert_eq!(warm.warming_hit_bytes - cold.warming_hit_bytes, bytes);
}

/// A request is searched again and again, by a warmup each or by readers of one, while many times
/// what the cache holds is warmed once.
async fn flood(is_one_warmup: bool) {
    const CAPACITY: u64 = 40_000;
    let store = TestStore::in_memory();
    let splits = splits(&store, 0..20).await;
    let cache = CacheSettings::default().with_capacity_bytes(CAPACITY);
    let manager = manager(warmer(store.clone(), strict().with_cache(cache)));
    let warmer = manager.warmer();
    let hot = request(json!({"match": {"body": "sea1"}}));
    for (round, cold) in requests().chunks(3).enumerate() {
        for request in cold {
            manager.prewarm(&splits[1..], request).wait(PATIENCE).await;
            warmer.forget_warmups();
        }
        for time in 0..8 {
            let response = warmer.search(&splits[..1], &hot).await.unwrap();
            // At first it has to be fetched.
            if round > 0 {
                assert_eq!(response.report.gets, 0, "round {round}, time {time}");
            }
            if !is_one_warmup {
                warmer.forget_warmups();
            }
        }
        warmer.forget_warmups();
    }
    let statistics = warmer.statistics();
    assert!(statistics.wasted_bytes > 5 * CAPACITY, "{statistics:?}");
    assert!(statistics.cached_bytes <= CAPACITY);
}

#[tokio::test]
async fn warming_what_is_cold_evicts_nothing_hotter() {
    flood(false).await;
}

#[tokio::test]
async fn what_readers_of_one_warmup_have_in_common_is_hot() {
    flood(true).await;
}
