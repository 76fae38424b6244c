//! Small splits that are fetched whole, as they are by default.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    Manager, ManagerSettings, PreloadSettings, SplitAddress, StoreSettings, WarmerSettings,
};

use crate::fixture::{answer, index, put, requests, strict, truth, warmer};
use crate::test_store::TestStore;

const PATIENCE: Duration = Duration::from_secs(3600);

async fn splits(store: &Arc<TestStore>) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..3 {
        splits.push(put(store.as_ref(), &format!("{n}.split"), &index(2, 3000, n)).await);
    }
    splits
}

fn whole() -> WarmerSettings {
    let mut settings = strict();
    settings.store.whole_split_bytes = StoreSettings::default().whole_split_bytes;
    settings
}

/// With the place of the footer, as a catalogue knows it.
async fn with_footers(store: &Arc<TestStore>, splits: &[SplitAddress]) -> Vec<SplitAddress> {
    let opener = warmer(store.clone(), strict());
    let mut known = Vec::new();
    for split in splits {
        let footer = opener.open(split).await.unwrap().footer();
        known.push(split.clone().with_footer(footer));
    }
    known
}

#[tokio::test]
#[cfg_attr(
    not(feature = "sstable"),
    ignore = "an FST is read when its reader opens: one more request, and round"
)]
async fn whatever_is_asked_first_brings_small_splits_whole() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let known = with_footers(&store, &splits).await;
    let listed = warmer(store.clone(), whole()).list_splits("").await;
    let listed = listed.unwrap();
    assert_eq!(listed, splits);
    for (splits, rounds, gets) in [(&splits, 2, 6), (&known, 1, 3), (&listed, 1, 3)] {
        let mut whole_ones = 0;
        for first in requests() {
            let reader = warmer(store.clone(), whole());
            let found = reader.search(splits, &first).await.unwrap();
            let right = truth(&(store.clone() as _), splits, &first).await;
            assert_eq!(answer(&found), right);
            let report = found.report;
            assert!(report.rounds <= rounds && report.gets <= gets, "{report:?}");
            assert_eq!(report.late_reads, 0);
            if report.gets < gets {
                // Hot bytes were enough.
                continue;
            }
            whole_ones += 1;
            for next in requests() {
                let report = reader.search(splits, &next).await.unwrap().report;
                assert_eq!((report.gets, report.late_reads), (0, 0));
            }
        }
        assert!(whole_ones > 0);
    }
}

#[tokio::test]
async fn plans_are_those_of_splits_that_are_read_in_rounds() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let known = with_footers(&store, &splits).await;
    for request in requests() {
        let mut all = Vec::new();
        let mut tails = strict();
        tails.store.footer_guess_bytes = 1 << 20;
        for (splits, settings) in [
            (&splits, strict()),
            (&splits, tails),
            (&splits, whole()),
            (&known, whole()),
        ] {
            let reader = warmer(store.clone(), settings);
            reader.search(splits, &request).await.unwrap();
            let mut plans: Vec<_> = reader
                .plans()
                .iter()
                .map(|entry| {
                    let plan = entry.plan().unwrap();
                    (entry.split().clone(), plan.search().to_vec())
                })
                .collect();
            plans.sort_by(|a, b| a.0.cmp(&b.0));
            all.push(plans);
        }
        assert_eq!(all[0].len(), splits.len());
        assert!(all.iter().all(|plans| *plans == all[0]), "{all:?}");
    }
}

#[tokio::test]
async fn what_small_splits_cost_is_explained_to_the_byte() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let known = with_footers(&store, &splits).await;
    for request in requests() {
        for split in splits.iter().chain(&known) {
            let told = warmer(store.clone(), whole())
                .explain(split, &request)
                .await;
            let told = told.unwrap().total;
            let warmup = warmer(store.clone(), whole()).warm(split, &request);
            assert!(warmup.join(Duration::MAX).await.is_warm());
            assert_eq!(warmup.traffic(), told);
        }
    }
}

#[tokio::test]
async fn larger_splits_are_read_in_rounds() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let request = &requests()[0];
    let sent = async |settings| {
        let reader = warmer(store.clone(), settings);
        reader.search(&splits, request).await.unwrap().report.bytes
    };
    let size = warmer(store.clone(), strict()).open(&splits[0]).await;
    let size = size.unwrap().size();
    let mut below = whole();
    below.store.whole_split_bytes = size / 2;
    assert_eq!(sent(below).await, sent(strict()).await);
    assert!(sent(whole()).await > 2 * sent(strict()).await);
}

#[tokio::test]
async fn a_size_that_is_wrong_is_found_out() {
    let store = TestStore::in_memory();
    let [split, ..] = &splits(&store).await[..] else {
        unreachable!("there are three");
    };
    let size = warmer(store.clone(), strict()).open(split).await;
    let size = size.unwrap().size();
    for said in [0, 1, size / 2, size - 1, size, size + 1, 2 * size, u64::MAX] {
        for request in requests() {
            let split = split.clone().with_size(said);
            let reader = warmer(store.clone(), whole());
            let found = reader.search(from_ref(&split), &request).await.unwrap();
            let right = truth(&(store.clone() as _), from_ref(&split), &request).await;
            assert_eq!(answer(&found), right, "{said}");
        }
    }
}

#[tokio::test]
async fn what_a_full_cache_does_not_take_is_fetched_once() {
    let store = TestStore::in_memory();
    for n in 0..20 {
        put(&*store, &format!("{n}.split"), &index(1, 300, n)).await;
    }
    let splits = warmer(store.clone(), strict()).list_splits("").await;
    let splits = splits.unwrap();
    let splits = with_footers(&store, &splits).await;
    let bodies = splits.iter().map(|split| split.footer().unwrap().start);
    let mut settings = whole();
    settings.cache.capacity_bytes = bodies.clone().sum::<u64>() - bodies.min().unwrap() / 2;
    let request = &requests()[0];
    let reader = warmer(store.clone(), settings);
    let (newcomer, others) = splits.split_last().unwrap();
    for split in others.iter().cycle().take(16 * others.len()) {
        reader.search(from_ref(split), request).await.unwrap();
    }
    let before = reader.statistics().cached_bytes;
    let report = reader.search(from_ref(newcomer), request).await;
    let report = report.unwrap().report;
    assert_eq!((report.gets, Some(report.bytes)), (1, newcomer.size()));
    // Otherwise this would not show anything.
    assert_eq!(reader.statistics().cached_bytes, before);
}

#[tokio::test]
async fn triggers_for_whom_nobody_waits_fetch_what_is_read() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let known = with_footers(&store, &splits).await;
    let size: u64 = known.iter().filter_map(SplitAddress::size).sum();
    let request = &requests()[0];
    let preload = PreloadSettings::default().with_requests([request.to_value().unwrap()]);
    let settings = ManagerSettings::default().with_preload(Some(preload));
    let by_trigger = warmer(store.clone(), whole());
    let manager = Manager::new(by_trigger.clone(), settings).unwrap();
    manager.announce(known.clone());
    manager.start();
    let preload = manager.trigger("preload").unwrap();
    preload.warm_now(PATIENCE).await.unwrap();
    let found = manager.search(&known, request, &Default::default()).await;
    assert_eq!(found.unwrap().report.gets, 0);
    let prewarmed = warmer(store.clone(), whole());
    let manager = Manager::new(prewarmed.clone(), ManagerSettings::default()).unwrap();
    manager.prewarm(&known, request).wait(PATIENCE).await;
    assert_eq!(prewarmed.statistics().bytes, size);
    assert!(by_trigger.statistics().bytes < size / 2);
}
