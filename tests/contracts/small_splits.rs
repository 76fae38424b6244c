//! Small splits that are fetched whole, where that is allowed.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{SplitAddress, WarmerSettings};

use crate::fixture::{index, put, requests, strict, warmer};
use crate::test_store::TestStore;

async fn splits(store: &Arc<TestStore>) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..3 {
        splits.push(put(store.as_ref(), &format!("{n}.split"), &index(2, 3000, n)).await);
    }
    splits
}

fn whole() -> WarmerSettings {
    let mut settings = strict();
    settings.store.whole_split_bytes = 8 << 20;
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
    for (splits, rounds, gets) in [(&splits, 2, 6), (&known, 1, 3)] {
        let mut whole_ones = 0;
        for first in requests() {
            let reader = warmer(store.clone(), whole());
            let report = reader.search(splits, &first).await.unwrap().report;
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
        for (splits, settings) in [(&splits, strict()), (&splits, whole()), (&known, whole())] {
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
        assert_eq!(all[0], all[1]);
        assert_eq!(all[0], all[2]);
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
