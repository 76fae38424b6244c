//! Searching warm splits while others load, and giving up those that cannot be in the answer.

use forewarm::{SearchOptions, Warming};
use serde_json::json;

use crate::days::{
    DOCS, PATIENCE, all_at_once, answer, begun, days, expected, hold, newest, release, request,
    search, settle, split,
};
use crate::fixture::{settings, strict, warmer};
use crate::test_store::TestStore;

#[tokio::test]
async fn warm_splits_are_searched_while_another_loads() {
    let store = TestStore::in_memory();
    let splits = days(&store, 4).await;
    // Each match counts, so all splits are needed.
    let request = request(json!({"query": {"term": {"tag": "t1"}}, "sort": [{"at": "desc"}]}));
    let expected = expected(&store, &splits, &request).await;
    store.hold(splits[2].path());
    let warmer = warmer(store.clone(), strict());
    let mut seen = Vec::new();
    let options = SearchOptions::default();
    let response = search(&warmer, &splits, &request, options.clone(), |progress| {
        if progress.searched == 3 {
            store.release(splits[2].path());
        }
        seen.push(progress);
    })
    .await;
    assert_eq!(answer(&response), expected);
    assert_eq!(response.report.late_reads, 0);
    let last = seen.last().unwrap();
    assert_eq!((last.splits, last.searched, last.given_up), (4, 3, 0));
    let total = last.hits.total.unwrap();
    assert_eq!((total.value, total.relation), (60, "gte"));
    let so_far: Vec<_> = last.hits.hits.iter().map(|hit| &hit.sort).collect();
    let hits = response.hits.hits.iter();
    let of_others: Vec<_> = hits
        .filter(|hit| hit.index != "2.split")
        .map(|hit| &hit.sort)
        .collect();
    assert_eq!(so_far[..of_others.len()], of_others);
    assert!(last.hits.hits.iter().all(|hit| hit.source.is_none()));
    assert!(response.hits.hits.iter().all(|hit| hit.source.is_some()));

    // All warm, and again: one run.
    let mut calls = 0;
    let again = search(&warmer, &splits, &request, options, |_| calls += 1).await;
    assert_eq!(answer(&again), expected);
    assert_eq!(
        (again.report.gets, again.report.outcome, calls),
        (0, "ready", 0)
    );
}

#[tokio::test]
async fn splits_that_cannot_be_in_the_answer_are_given_up() {
    let store = TestStore::in_memory();
    let splits = days(&store, 6).await;
    let expected = expected(&store, &splits, &newest()).await;
    let (older, newest_split) = splits.split_at(5);
    let before = begun(&store, older);
    hold(&store, older);
    let warmer = warmer(store.clone(), strict());
    let response = search(&warmer, &splits, &newest(), all_at_once(), |_| {}).await;
    assert_eq!(answer(&response), expected);
    let report = &response.report;
    assert_eq!(
        (report.splits, report.given_up_splits, report.late_reads),
        (1, 5, 0)
    );
    let shards = response.shards;
    assert_eq!((shards.total, shards.successful, shards.skipped), (6, 6, 5));

    // What they had under way is all that they ever send.
    let sent = begun(&store, older);
    assert!(
        sent.iter()
            .zip(&before)
            .all(|(sent, before)| *sent <= before + 1)
    );
    release(&store, &splits);
    settle(&warmer).await;
    assert_eq!(begun(&store, older), sent);
    assert_eq!(warmer.statistics().warmups, newest_split.len() as u64);
    let all: usize = begun(&store, &splits).iter().sum();
    let others: usize = before.iter().sum::<usize>() + 2;
    assert!(report.gets as usize <= all - others, "{report:?}");
}

#[tokio::test]
async fn splits_are_asked_in_the_order_of_their_bounds_and_no_more_than_are_needed() {
    let store = TestStore::in_memory();
    let splits = days(&store, 6).await;
    for (order, from, needed) in [("desc", 0, 5..6), ("asc", 0, 0..1), ("desc", 195, 3..6)] {
        let request = request(json!({
            "sort": [{"at": order}], "from": from, "track_total_hits": false,
        }));
        let expected = expected(&store, &splits, &request).await;
        let before = begun(&store, &splits);
        let warmer = warmer(store.clone(), strict());
        let options = SearchOptions::default().with_splits_at_once(1);
        let response = search(&warmer, &splits, &request, options, |_| {}).await;
        assert_eq!(answer(&response), expected);
        let report = &response.report;
        assert_eq!(report.given_up_splits, 6 - needed.len());
        let after = begun(&store, &splits);
        for (place, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before < after, needed.contains(&place), "{order} {place}");
        }
        let sent: usize = after.iter().sum::<usize>() - before.iter().sum::<usize>();
        assert_eq!(report.gets, sent as u64);
        // One after the other: their rounds are a chain.
        assert!(report.rounds >= needed.len() as u64, "{report:?}");
    }
}

#[tokio::test]
async fn the_more_splits_were_not_enough_the_more_are_begun() {
    let store = TestStore::in_memory();
    let splits = days(&store, 8).await;
    // All of them, though nobody knows that beforehand.
    let request = newest().size(800);
    let expected = expected(&store, &splits, &request).await;
    let before = begun(&store, &splits);
    hold(&store, &splits[..6]);
    let mut settings = strict();
    settings.store.max_concurrent_gets = 4;
    let warmer = warmer(store.clone(), settings);
    let released = async {
        // One, then one more, then two.
        let is_begun = |place: usize| store.begun_of(splits[place].path()) > before[place];
        while !(is_begun(5) && is_begun(4)) {
            tokio::task::yield_now().await;
        }
        settle(&warmer).await;
        assert!(!is_begun(3));
        release(&store, &splits);
    };
    let options = SearchOptions::default();
    let search = search(&warmer, &splits, &request, options, |_| {});
    let (response, ()) = tokio::join!(search, released);
    assert_eq!(answer(&response), expected);
    assert_eq!(response.report.given_up_splits, 0);
}

#[tokio::test]
async fn a_warmup_that_another_waits_for_goes_on_when_it_is_given_up() {
    let store = TestStore::in_memory();
    let splits = days(&store, 3).await;
    hold(&store, &splits[..2]);
    let warmer = warmer(store.clone(), strict());
    let other = warmer.warm(&splits[0], &newest());
    let response = search(&warmer, &splits, &newest(), all_at_once(), |_| {}).await;
    assert_eq!(response.report.given_up_splits, 2);
    release(&store, &splits);
    assert!(other.join(PATIENCE).await.is_warm());
}

#[tokio::test]
async fn dropping_the_search_gives_up_its_warmups() {
    let store = TestStore::in_memory();
    let splits = days(&store, 3).await;
    hold(&store, &splits);
    let warmer = warmer(store.clone(), strict());
    let (request, options) = (newest(), all_at_once());
    tokio::select! {
        _ = warmer.search_progressively(&splits, &request, &options) => panic!("all are held"),
        () = store.has_begun_one_of(splits[0].path()) => {}
    }
    let sent = begun(&store, &splits);
    release(&store, &splits);
    settle(&warmer).await;
    assert_eq!(begun(&store, &splits), sent);
    assert_eq!(warmer.statistics().warmups, 0);
}

#[tokio::test]
async fn a_split_that_ties_with_the_last_hit_is_given_up_only_behind_it() {
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for number in 0..4 {
        let split = split(&store, number, |_| Some(7)).await;
        splits.push(split.with_bounds("at", 7_i64, 7_i64).unwrap());
    }
    for (sort, given_up) in [
        (json!(["at"]), 2),
        (json!([{"at": "desc"}]), 2),
        // Tags may be better in any of them.
        (json!(["at", "tag"]), 0),
    ] {
        let body = json!({"sort": sort, "size": 5, "track_total_hits": false});
        let request = request(body);
        let expected = expected(&store, &splits, &request).await;
        hold(&store, &splits);
        store.release(splits[1].path());
        let warmer = warmer(store.clone(), strict());
        let mut after_first = None;
        let response = search(&warmer, &splits, &request, all_at_once(), |progress| {
            after_first.get_or_insert((progress.searched, progress.given_up));
            release(&store, &splits);
        });
        let response = response.await;
        assert_eq!(after_first, Some((1, given_up)), "{sort}");
        assert_eq!(response.report.given_up_splits, given_up, "{sort}");
        assert_eq!(answer(&response), expected, "{sort}");
    }
}

#[tokio::test]
async fn bounds_tell_nothing_of_documents_without_a_value() {
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for day in 0..3 {
        let first = day * DOCS;
        let split = split(&store, day, |n| (n % 9 != 0).then_some(first + n)).await;
        splits.push(split.with_bounds("at", first + 1, first + 98).unwrap());
    }
    let options = SearchOptions::default().with_splits_at_once(1);
    // Each split has 88 documents with a value, and 12 without.
    for (missing, order, size, given_up) in [
        ("_last", [2, 1, 0], 88, 2),
        ("_last", [2, 1, 0], 89, 1),
        ("_last", [2, 1, 0], 265, 0),
        ("_first", [0, 1, 2], 12, 2),
        ("_first", [0, 1, 2], 13, 1),
        ("_first", [0, 1, 2], 37, 0),
        // Older ones stand before, for want of a value.
        ("_first", [2, 1, 0], 50, 0),
    ] {
        let request = request(json!({
            "sort": [{"at": {"order": "desc", "missing": missing}}],
            "size": size,
            "track_total_hits": false,
        }));
        let expected = expected(&store, &splits, &request).await;
        hold(&store, &splits);
        store.release(splits[order[0]].path());
        let warmer = warmer(store.clone(), strict());
        let response = search(&warmer, &splits, &request, options.clone(), |progress| {
            store.release(splits[order[progress.searched]].path());
        });
        let response = response.await;
        assert_eq!(answer(&response), expected, "{missing} {size}");
        assert_eq!(
            response.report.given_up_splits, given_up,
            "{missing} {size}"
        );
        release(&store, &splits);
    }
}

#[tokio::test]
async fn where_all_score_alike_the_first_given_win() {
    let store = TestStore::in_memory();
    let splits = days(&store, 5).await;
    for body in [
        json!({"track_total_hits": false}),
        json!({"query": {"bool": {"filter": {"term": {"tag": "t1"}}}}, "track_total_hits": false}),
        json!({"sort": ["_doc"], "track_total_hits": false}),
        json!({"track_total_hits": 100, "size": 20}),
    ] {
        let request = request(body.clone());
        let expected = expected(&store, &splits, &request).await;
        hold(&store, &splits[2..]);
        let warmer = warmer(store.clone(), strict());
        let response = search(&warmer, &splits, &request, all_at_once(), |_| {}).await;
        assert_eq!(answer(&response), expected, "{body}");
        assert!(response.report.given_up_splits >= 3, "{body}");

        // The hits of the second wait for the first, which may have better ones.
        hold(&store, &splits);
        store.release(splits[1].path());
        let warmer = self::warmer(store.clone(), strict());
        let released = async {
            store.has_begun_one_of(splits[1].path()).await;
            settle(&warmer).await;
            release(&store, &splits);
        };
        let search = search(&warmer, &splits, &request, all_at_once(), |_| {});
        let (response, ()) = tokio::join!(search, released);
        assert_eq!(answer(&response), expected, "{body}");
        release(&store, &splits);
    }
}

#[tokio::test]
async fn counting_ends_where_it_was_asked_to() {
    let store = TestStore::in_memory();
    let splits = days(&store, 5).await;
    let options = SearchOptions::default().with_splits_at_once(1);
    for (track, size, given_up) in [
        (json!(99), 0, 4),
        (json!(100), 0, 3),
        (json!(450), 0, 0),
        (json!(false), 0, 5),
        (json!(true), 0, 0),
        (json!(150), 10, 3),
        (json!(10), 150, 3),
    ] {
        let body = json!({"sort": [{"at": "desc"}], "size": size, "track_total_hits": track});
        let request = request(body.clone());
        let expected = expected(&store, &splits, &request).await;
        let warmer = warmer(store.clone(), strict());
        let response = search(&warmer, &splits, &request, options.clone(), |_| {}).await;
        assert_eq!(answer(&response), expected, "{body}");
        assert_eq!(response.report.given_up_splits, given_up, "{body}");
    }
}

#[tokio::test]
async fn what_depends_on_the_order_of_segments_is_searched_in_it() {
    let store = TestStore::in_memory();
    let splits = days(&store, 4).await;
    let aggregations = json!({
        "tags": {
            "terms": {"field": "tag"},
            "aggs": {"price": {"avg": {"field": "price"}}},
        },
        "prices": {"extended_stats": {"field": "price"}},
        "best": {"top_hits": {"size": 3, "sort": [{"price": "desc"}], "docvalue_fields": ["at"]}},
    });
    for body in [
        json!({"size": 0, "aggs": aggregations}),
        json!({"size": 0, "aggs": aggregations, "track_total_hits": false}),
        json!({"sort": [{"price": "desc"}, "_doc"], "size": 150, "track_total_hits": false}),
        json!({"sort": [{"_doc": "desc"}], "size": 5, "track_total_hits": false}),
        json!({"sort": ["price", "_doc"], "search_after": [3.0, (2_u64 << 32) + 7]}),
    ] {
        let request = request(body.clone());
        let expected = expected(&store, &splits, &request).await;
        store.hold(splits[1].path());
        let warmer = warmer(store.clone(), strict());
        let mut searched = Vec::new();
        let response = search(&warmer, &splits, &request, all_at_once(), |progress| {
            searched.push(progress.searched);
            store.release(splits[1].path());
        });
        let response = response.await;
        assert_eq!(searched[0], 1, "{body}");
        assert_eq!(answer(&response), expected, "{body}");
        assert_eq!(response.report.given_up_splits, 0, "{body}");
    }
}

#[tokio::test]
async fn in_order_splits_are_given_up_from_the_end() {
    let store = TestStore::in_memory();
    // The newest first, as a reader of logs gives them.
    let splits: Vec<_> = days(&store, 5).await.into_iter().rev().collect();
    let request = request(json!({"sort": [{"at": "desc"}, "_doc"], "track_total_hits": false}));
    let expected = expected(&store, &splits, &request).await;
    hold(&store, &splits[1..]);
    let warmer = warmer(store.clone(), strict());
    let response = search(&warmer, &splits, &request, all_at_once(), |_| {}).await;
    assert_eq!(answer(&response), expected);
    assert_eq!(response.report.given_up_splits, 4);
}

#[tokio::test]
async fn in_order_a_split_in_front_of_one_that_is_needed_is_needed_too() {
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for (number, first) in [(0, 150), (1, 0), (2, 200)] {
        let split = split(&store, number, |n| Some(first + n)).await;
        splits.push(split.with_bounds("at", first, first + DOCS - 1).unwrap());
    }
    for (sort, given_up) in [
        (json!([{"at": "desc"}]), 1),
        // Where the last stands in the index depends on how many segments the second has.
        (json!([{"at": "desc"}, "_doc"]), 0),
    ] {
        let request = request(json!({"sort": sort, "track_total_hits": false}));
        let expected = expected(&store, &splits, &request).await;
        hold(&store, &splits[1..]);
        let warmer = warmer(store.clone(), strict());
        let response = search(&warmer, &splits, &request, all_at_once(), |progress| {
            if progress.searched == 1 {
                assert_eq!(progress.given_up, given_up);
            }
            store.release(splits[2].path());
            if given_up == 0 {
                store.release(splits[1].path());
            }
        });
        let response = response.await;
        assert_eq!(answer(&response), expected, "{sort}");
        assert_eq!(response.report.given_up_splits, given_up, "{sort}");
        release(&store, &splits);
    }
}

#[tokio::test]
async fn scores_and_highlights_wait_for_all_splits() {
    let store = TestStore::in_memory();
    let splits = days(&store, 3).await;
    let query = json!({"match": {"body": "w3 s1"}});
    for (body, is_at_once) in [
        (json!({"query": query, "track_total_hits": false}), true),
        (
            json!({"query": query, "sort": [{"at": "desc"}, "_score"]}),
            true,
        ),
        (
            json!({
                "query": query,
                "sort": [{"at": "desc"}],
                "track_total_hits": false,
                "highlight": {"fields": {"body": {}}},
            }),
            false,
        ),
    ] {
        let request = request(body.clone());
        let expected = expected(&store, &splits, &request).await;
        // The others are ready at once, and would be searched at once.
        let warmer = warmer(store.clone(), strict());
        for warmup in warmer.warm_many(&splits[1..], &request) {
            assert!(warmup.join(PATIENCE).await.is_warm());
        }
        store.hold(splits[0].path());
        let mut calls = 0;
        let search = search(&warmer, &splits, &request, all_at_once(), |_| calls += 1);
        let released = async { store.release(splits[0].path()) };
        let (response, ()) = tokio::join!(search, released);
        assert_eq!(answer(&response), expected, "{body}");
        assert_eq!(calls == 0, is_at_once, "{body}");
        assert_eq!(response.report.given_up_splits, 0, "{body}");
    }
}

#[tokio::test]
async fn what_was_not_warmed_is_read_on_demand_and_last() {
    let store = TestStore::in_memory();
    let splits = days(&store, 3).await;
    let request = newest();
    let answered = expected(&store, &splits, &request).await;

    // The one that fails is not needed, so it is not read either.
    hold(&store, &splits);
    store.release(splits[1].path());
    store.fail_next(1);
    let warmer = warmer(store.clone(), settings());
    let before = store.begun_of(splits[1].path());
    let released = async {
        while store.begun_of(splits[1].path()) == before {
            tokio::task::yield_now().await;
        }
        settle(&warmer).await;
        store.release(splits[2].path());
    };
    let search = search(&warmer, &splits, &request, all_at_once(), |_| {});
    let (response, ()) = tokio::join!(search, released);
    assert_eq!(answer(&response), answered);
    let report = &response.report;
    assert_eq!((report.given_up_splits, report.late_reads), (2, 0));
    // What came of a split that nobody needed is not told.
    assert_eq!(report.outcome, "waited");
    assert_eq!(store.begun_of(splits[1].path()), before + 1);
}

#[tokio::test]
async fn what_nobody_warmed_is_read_on_demand_only_where_it_is_needed() {
    let store = TestStore::in_memory();
    let splits = days(&store, 3).await;
    let warmer = warmer(store.clone(), settings());
    for (size, given_up) in [(100, 2), (101, 1)] {
        let request = newest().size(size);
        let expected = expected(&store, &splits, &request).await;
        let newest = warmer.warm(&splits[2], &request);
        assert!(newest.join(PATIENCE).await.is_warm());
        let before = begun(&store, &splits);
        let options = SearchOptions::default().with_warming(Warming::JoinOnly);
        let options = options.with_splits_at_once(1);
        let response = search(&warmer, &splits, &request, options, |_| {}).await;
        assert_eq!(answer(&response), expected);
        assert_eq!(response.report.given_up_splits, given_up);
        // The one that is read is the next one.
        let is_read = |place: usize| begun(&store, &splits)[place] > before[place];
        assert_eq!([is_read(0), is_read(1)], [false, given_up == 1]);
        assert_eq!(response.report.late_reads > 0, given_up == 1);
    }
    let off = SearchOptions::default().with_warming(Warming::Off);
    let response = search(&warmer, &splits, &newest(), off, |_| {}).await;
    assert_eq!(
        answer(&response),
        expected(&store, &splits, &newest()).await
    );
    assert_eq!(
        (response.report.outcome, response.report.given_up_splits),
        ("missing", 0)
    );
}
