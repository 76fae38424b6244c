//! How few rounds, and C3: each byte is fetched once, however many ask for it.

use std::sync::Arc;

use forewarm::{PackSettings, SplitAddress, pack};
use futures_util::future::join_all;
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::json;

use crate::fixture::{answer, index, key, packed, put, request, requests, settings, strict};
use crate::fixture::{truth, warmer, with_documents};
use crate::test_store::{TestStore, fetched_twice};

#[tokio::test]
async fn a_term_of_a_never_seen_split_is_warm_after_three_rounds() {
    let store = TestStore::in_memory();
    let directory = index(2, 4000, 0);
    let split = [put(store.as_ref(), "a.split", &directory).await];
    // As the default guess is for splits of the usual size: the footer and some of the body.
    let footer = packed(&directory).footer_range();
    let mut settings = strict();
    settings.store.footer_guess_bytes = footer.end - footer.start + 4096;
    for (query, rounds) in [
        (json!({ "term": { "key": key(7) } }), 3),
        // This dictionary is in the hot bytes.
        (json!({ "term": { "tag": "t3" } }), 2),
    ] {
        let warmer = warmer(store.clone(), settings.clone());
        store.take();
        let request = request(query);
        let response = warmer.search(&split, &request).await.unwrap();
        assert!(response.hits.total.unwrap().value > 0);
        assert_eq!(response.report.rounds, rounds);
        assert_eq!(response.report.late_reads, 0);
        let gets = store.take();
        assert_eq!(response.report.gets, gets.len() as u64);
        let bytes: u64 = gets.iter().map(|get| get.range.end - get.range.start).sum();
        assert_eq!(response.report.bytes, bytes);
        assert_eq!(fetched_twice(&gets), 0);

        let again = warmer.search(&split, &request).await.unwrap();
        assert_eq!(answer(&again), answer(&response));
        assert_eq!((again.report.gets, again.report.late_reads), (0, 0));
        assert_eq!(again.report.outcome, "ready");
        // Not from the warmup that lingers, but from the cache.
        warmer.forget_warmups();
        let again = warmer.search(&split, &request).await.unwrap();
        assert_eq!((again.report.gets, again.report.rounds), (0, 0));
        assert_eq!(store.take(), []);
    }
}

#[tokio::test]
async fn known_footer_offsets_are_read_exactly() {
    let store = TestStore::in_memory();
    let directory = index(1, 100, 0);
    let split = put(store.as_ref(), "a.split", &directory).await;
    let footer = packed(&directory).footer_range();
    let warmer = warmer(store.clone(), settings());
    let opened = warmer
        .open(&split.with_footer(footer.clone()))
        .await
        .unwrap();
    let gets = store.take();
    assert_eq!(gets.len(), 1);
    assert_eq!(gets[0].range, footer);
    assert_eq!(opened.footer(), footer);
}

#[tokio::test]
async fn a_footer_longer_than_the_guess_costs_one_more_get() {
    for trailer in [false, true] {
        let store = TestStore::in_memory();
        let directory = index(1, 100, 0);
        let mut pack_settings = PackSettings::default();
        pack_settings.trailer = trailer;
        let packed = pack(&directory, &pack_settings).unwrap();
        let path = Path::from("a.split");
        packed.upload(store.as_ref(), &path).await.unwrap();
        let footer = packed.footer_range();
        let mut settings = settings();
        settings.store.footer_guess_bytes = 64;
        let split = warmer(store.clone(), settings)
            .open(&SplitAddress::new(path))
            .await
            .unwrap();
        let gets = store.take();
        assert_eq!(gets[0].range, packed.len() - 64..packed.len());
        assert_eq!(fetched_twice(&gets), 0);
        // Where the lengths are known only from the hot bytes' own, those are read first.
        assert!((2..=3).contains(&gets.len()), "{gets:?}");
        assert_eq!(split.footer(), footer);

        // A guess that holds all lengths leaves one GET to do.
        let hot = split.hot_bytes();
        let mut settings = crate::fixture::settings();
        settings.store.footer_guess_bytes = hot + 64;
        let path = Path::from("a.split");
        warmer(store.clone(), settings)
            .open(&SplitAddress::new(path))
            .await
            .unwrap();
        assert!(store.take().len() <= 2);
    }
}

#[tokio::test]
async fn a_store_that_refuses_suffix_ranges_is_asked_for_the_length_first() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 100, 0)).await];
    store.refuse_suffixes();
    let warmer = warmer(store.clone(), strict());
    let response = warmer
        .search(&split, &with_documents(json!({ "match_all": {} })))
        .await
        .unwrap();
    assert_eq!(response.hits.total.unwrap().value, 100);
    let gets = store.take();
    assert!(gets[0].head && !gets[1].head);
    assert_eq!(response.report.gets, gets.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_identical_cold_queries_make_as_many_gets_as_one() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(2, 2000, 0)).await];
    for request in requests() {
        store.take();
        let one = warmer(store.clone(), strict());
        let expected = answer(&one.search(&split, &request).await.unwrap());
        let gets_of_one = store.take().len();

        let many = warmer(store.clone(), strict());
        let searches = (0..100).map(|_| {
            let (many, split, request) = (many.clone(), split.clone(), request.clone());
            tokio::spawn(async move { many.search(&split, &request).await })
        });
        for response in join_all(searches).await {
            let response = response.unwrap().unwrap();
            assert_eq!(response.report.late_reads, 0);
            assert_eq!(answer(&response), expected);
        }
        let gets = store.take();
        assert_eq!(gets.len(), gets_of_one, "{request:?}");
        assert_eq!(fetched_twice(&gets), 0, "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_queries_fetch_no_byte_twice() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let directory = index(3, 1500, 0);
    let splits = [
        put(store.as_ref(), "a.split", &directory).await,
        put(store.as_ref(), "b.split", &index(1, 3000, 1)).await,
    ];
    let mut expected = Vec::new();
    for request in requests() {
        expected.push(truth(&plain, &splits, &request).await);
    }
    for merge_gap in [0, 32 << 10] {
        let mut settings = strict();
        settings.store.merge_gap_bytes = Some(merge_gap);
        let warmer = warmer(store.clone(), settings);
        store.take();
        let searches = (0..3).flat_map(|_| requests()).map(|request| {
            let (warmer, splits) = (warmer.clone(), splits.clone());
            tokio::spawn(async move { warmer.search(&splits, &request).await })
        });
        let responses = join_all(searches).await;
        for (response, expected) in responses.into_iter().zip(expected.iter().cycle()) {
            let response = response.unwrap().unwrap();
            assert_eq!(response.report.late_reads, 0);
            assert_eq!(&answer(&response), expected);
        }
        let gets = store.take();
        let twice = fetched_twice(&gets);
        let all: u64 = gets.iter().map(|get| get.range.end - get.range.start).sum();
        if merge_gap == 0 {
            assert_eq!(twice, 0);
        } else {
            // Of a wasteful GET, what nobody asked for is not kept, and may be asked for later.
            assert!(twice <= all / 4, "{twice} of {all} bytes");
        }
        eprintln!(
            "merge gap {merge_gap}: {} GETs, {all} bytes, {twice} twice",
            gets.len()
        );
    }
}
