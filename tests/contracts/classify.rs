//! How warm splits are said to be, and what warming them then sends.

use std::time::Duration;

use forewarm::{SplitAddress, Warmer, Warmth};
use serde_json::json;

use crate::fixture::{index, key, put, request, requests, strict, warmer};
use crate::test_store::TestStore;

async fn splits(store: &TestStore) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..3 {
        splits.push(put(store, &format!("{n}.split"), &index(2, 300 + 10 * n, n)).await);
    }
    splits
}

/// GETs and bytes that warming one split sends.
async fn sent(
    warmer: &Warmer,
    split: &SplitAddress,
    asked: &forewarm::SearchRequest,
) -> (u64, u64) {
    let before = warmer.statistics();
    let outcome = warmer.warm(split, asked).join(Duration::MAX).await;
    assert!(outcome.is_warm(), "{outcome:?}");
    let after = warmer.statistics();
    (after.gets - before.gets, after.bytes - before.bytes)
}

#[tokio::test]
async fn what_is_told_beforehand_is_what_warming_then_sends() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let teacher = warmer(store.clone(), strict());
    for request in requests() {
        teacher.search(&splits, &request).await.unwrap();
        // Everything is in memory now, warmups or not.
        teacher.forget_warmups();
        assert_eq!(teacher.classify(&splits, &request), [Warmth::Cached; 3]);
    }
    let pupil = warmer(store.clone(), strict());
    pupil.add_plans(teacher.plans().iter().map(|plan| plan.as_ref().clone()));
    let mut seen = std::collections::BTreeSet::new();
    for request in requests() {
        for split in &splits {
            store.take();
            let warmth = pupil.classify(std::slice::from_ref(split), &request)[0];
            assert!(store.take().is_empty(), "telling reads nothing");
            seen.insert(warmth.name());
            let told = match warmth {
                Warmth::Cold(Some(traffic)) | Warmth::Partial(traffic) => {
                    assert_eq!(traffic.rounds, 1);
                    (traffic.gets, traffic.bytes)
                }
                Warmth::Cached => (0, 0),
                other => panic!("{other:?}"),
            };
            assert_eq!(sent(&pupil, split, &request).await, told, "{warmth:?}");
        }
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["cached", "cold", "partial"]
    );
}

#[tokio::test]
#[cfg_attr(
    not(feature = "sstable"),
    ignore = "an FST is read whole: fewer ranges are wanted than go at once"
)]
async fn splits_that_wait_for_each_other_are_told_as_they_are_warmed() {
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for n in 0..3 {
        splits.push(put(&store, &format!("{n}.split"), &index(1, 20_000, n)).await);
    }
    let teacher = warmer(store.clone(), strict());
    let keys: Vec<_> = (0..20_000).step_by(1000).map(key).collect();
    let many = request(json!({ "terms": { "key": keys } }));
    teacher.search(&splits, &many).await.unwrap();
    let mut all_sent = Vec::new();
    for slots in [1000, 12] {
        let mut settings = strict();
        settings.store.max_concurrent_gets = slots;
        let pupil = warmer(store.clone(), settings);
        pupil.add_plans(teacher.plans().iter().map(|plan| plan.as_ref().clone()));
        let told = pupil.classify(&splits, &many);
        let warmups = pupil.warm_many(&splits, &many);
        let mut sent = (0, 0);
        for (warmup, told) in warmups.iter().zip(told) {
            assert!(warmup.join(Duration::MAX).await.is_warm());
            assert_eq!(told, Warmth::Cold(Some(warmup.traffic())));
            sent.0 += warmup.traffic().gets;
            sent.1 += warmup.traffic().bytes;
        }
        let report = pupil.search(&splits, &many).await.unwrap().report;
        assert_eq!((report.gets, report.late_reads), (0, 0));
        all_sent.push(sent);
    }
    let [(gets, bytes), (fewer, more)] = all_sent[..] else {
        panic!("{all_sent:?}")
    };
    assert!(gets > 36 && fewer <= 12 && more > bytes, "{all_sent:?}");
}

#[tokio::test]
async fn what_is_proven_empty_by_a_plan_or_by_absences_is_told() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let absent = request(json!({"term": {"key": "no such key"}}));
    let reader = warmer(store.clone(), strict());
    assert_eq!(reader.classify(&splits, &absent), [Warmth::Cold(None); 3]);
    reader.search(&splits, &absent).await.unwrap();
    assert_eq!(
        reader.classify(&splits, &absent),
        [Warmth::ProvablyEmpty; 3]
    );
    // Another request that needs the same term is proven empty without a plan of its own.
    let both = request(json!({"bool": {"filter": [
        {"term": {"key": "no such key"}}, {"term": {"key": key(5)}},
    ]}}));
    assert_eq!(reader.classify(&splits, &both), [Warmth::ProvablyEmpty; 3]);
    let pupil = warmer(store.clone(), strict());
    pupil.add_plans(reader.plans().iter().map(|plan| plan.as_ref().clone()));
    assert_eq!(pupil.classify(&splits, &absent), [Warmth::ProvablyEmpty; 3]);
}
