//! Result memory: what earlier searches counted is not read again, and answers stay the same.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    Clause, DirectoryPlans, ErrorKind, Filter, OnMiss, ResultSettings, SearchOptions,
    SearchRequest, SearchResponse, SplitAddress, Warmer, WarmerSettings, Warming, Warmth,
};
use serde_json::{Value, json};
use tantivy::collector::Count;
use tantivy::query::AllQuery;

use crate::fixture::{index, key, put, settings, strict, warmer, warmer_with_plans};
use crate::test_store::TestStore;

pub const LONG: Duration = Duration::from_secs(60);

pub fn remembering() -> WarmerSettings {
    strict().with_results(ResultSettings::default().with_enabled(true))
}

/// Three splits, in which `version` is 0, 1 and 2.
pub async fn splits(store: &Arc<TestStore>) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..3 {
        let index = index(2, 200 + 10 * n, n);
        splits.push(put(store.as_ref(), &format!("{n}.split"), &index).await);
    }
    splits
}

fn body(body: Value) -> SearchRequest {
    SearchRequest::from_value(&body).unwrap()
}

/// What only a column tells, so that no dictionary proves that a split holds no match.
pub fn of_version(version: u64) -> Value {
    json!({"range": {"version": {"gte": version, "lte": version}}})
}

pub fn count_of(query: Value) -> SearchRequest {
    body(json!({"query": query, "size": 0}))
}

pub fn total(response: &SearchResponse) -> u64 {
    response.hits.total.unwrap().value
}

/// Everything but what it cost.
pub fn answer(response: &SearchResponse) -> Value {
    json!({"hits": response.hits, "aggregations": response.aggregations})
}

/// What a warmer that remembers nothing answers.
pub async fn truth(
    store: &Arc<TestStore>,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> Value {
    let plain = warmer(store.clone(), settings());
    answer(&plain.search(splits, request).await.unwrap())
}

/// Searches, and tells how many splits were left out; GETs must be none for these.
pub async fn left_out(
    warmer: &Warmer,
    store: &TestStore,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> (SearchResponse, usize) {
    store.take();
    let response = warmer.search(splits, request).await.unwrap();
    let report = &response.report;
    assert_eq!(response.shards.skipped, report.remembered_splits);
    assert_eq!(response.shards.total, splits.len());
    assert_eq!(response.shards.successful, splits.len());
    assert_eq!(report.splits + report.remembered_splits, splits.len());
    let left_out = report.remembered_splits;
    assert!(left_out < splits.len() || store.take().is_empty());
    (response, left_out)
}

#[tokio::test]
async fn a_count_asked_again_reads_nothing_here_or_in_another_process() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let node = || {
        let plans = Arc::new(DirectoryPlans::new(folder.path()));
        warmer_with_plans(store.clone(), remembering(), plans)
    };
    let first = node();
    let requests = [
        count_of(json!({"match": {"body": "sea1"}})),
        count_of(json!({"match_all": {}})),
        count_of(of_version(1)),
        count_of(json!({"term": {"key": "no such key"}})),
        body(json!({"query": {"match": {"body": "man"}}, "size": 0, "track_total_hits": 5000})),
    ];
    for request in &requests {
        let expected = truth(&store, &splits, request).await;
        let (counted, skipped) = left_out(&first, &store, &splits, request).await;
        assert_eq!((answer(&counted), skipped), (expected.clone(), 0));
        let (again, skipped) = left_out(&first, &store, &splits, request).await;
        assert_eq!((answer(&again), skipped), (expected, 3));
        assert_eq!((again.report.gets, again.report.outcome), (0, "ready"));
    }
    assert_eq!(first.statistics().remembered_splits, 15);
    first.flush_plans().await.unwrap();

    let second = node();
    second.load_plans().await.unwrap();
    store.take();
    for request in &requests {
        let (again, skipped) = left_out(&second, &store, &splits, request).await;
        assert_eq!((again.report.gets, skipped), (0, 3));
        assert_eq!(answer(&again), truth(&store, &splits, request).await);
    }
    let statistics = second.statistics();
    assert_eq!((statistics.gets, statistics.opened_splits), (0, 0));
}

#[tokio::test]
async fn nothing_is_remembered_unless_it_is_asked_for() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let request = count_of(json!({"match": {"body": "sea1"}}));
    let plain = warmer(store.clone(), strict());
    for _ in 0..2 {
        let (_, skipped) = left_out(&plain, &store, &splits, &request).await;
        assert_eq!(skipped, 0);
    }
    assert!(plain.plans().iter().all(|row| row.matches().is_none()));

    // For one search, either way.
    let with = SearchOptions::default().with_results(true);
    for skipped in [0, 3] {
        let response = plain.search_with_options(&splits, &request, &with).await;
        assert_eq!(response.unwrap().report.remembered_splits, skipped);
    }
    let (_, skipped) = left_out(&plain, &store, &splits, &request).await;
    assert_eq!(skipped, 0, "the settings say no");
    let fetching = remembering().with_on_miss(OnMiss::Fetch);
    let reader = warmer(store.clone(), fetching);
    reader.add_plans(plain.plans().iter().map(|row| row.as_ref().clone()));
    let without = SearchOptions::default().with_results(false);
    let response = reader.search_with_options(&splits, &request, &without);
    assert_eq!(response.await.unwrap().report.remembered_splits, 0);
    let baseline = reader.search_without_warming(&splits, &request).await;
    assert_eq!(baseline.unwrap().report.remembered_splits, 0);
    let (_, skipped) = left_out(&reader, &store, &splits, &request).await;
    assert_eq!(skipped, 3);
}

#[tokio::test]
async fn splits_without_a_match_are_left_out_of_sorted_hits_and_aggregations() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    for version in 0..3 {
        let query = of_version(version);
        let sort = json!([{"price": "desc"}, {"id": "asc"}]);
        let terms =
            json!({"terms": {"field": "tag"}, "aggs": {"mean": {"avg": {"field": "price"}}}});
        // Equal buckets: in which order they come depends on what they are merged into.
        let each = json!({
            "terms": {"field": "id", "size": 1000, "order": {"same": "asc"}},
            "aggs": {"same": {"max": {"field": "version"}}},
        });
        for (request, searched) in [
            (json!({"query": query, "sort": sort}), 1),
            // Many are equal: split, segment and document decide.
            (
                json!({"query": query, "sort": "tag", "size": 50, "from": 20}),
                1,
            ),
            (
                json!({"query": query, "sort": sort, "track_total_hits": false}),
                1,
            ),
            (
                json!({"query": query, "sort": sort, "track_total_hits": 7}),
                1,
            ),
            (
                json!({"query": query, "sort": sort, "fields": ["id", "tag"]}),
                1,
            ),
            (
                json!({"query": query, "size": 0, "aggs": {"tags": terms}}),
                1,
            ),
            (
                json!({"query": query, "sort": sort, "aggs": {"tags": terms}}),
                1,
            ),
            (
                json!({"query": query, "size": 0, "aggs": {"each": each}}),
                1,
            ),
            (
                json!({"query": of_version(9), "sort": sort, "aggs": {"tags": terms}}),
                0,
            ),
        ] {
            let request = body(request);
            let expected = truth(&store, &splits, &request).await;
            let warmer = warmer(store.clone(), remembering());
            let (first, skipped) = left_out(&warmer, &store, &splits, &request).await;
            assert_eq!((answer(&first), skipped), (expected.clone(), 0));
            // As another process would.
            let other = self::warmer(store.clone(), remembering());
            other.add_plans(warmer.plans().iter().map(|row| row.as_ref().clone()));
            store.take();
            let again = other.search(&splits, &request).await.unwrap();
            assert_eq!(answer(&again), expected);
            assert_eq!(again.report.remembered_splits, 3 - searched);
            let path = format!("{version}.split");
            let gets = store.take();
            assert!(gets.iter().all(|get| get.path.as_ref() == path), "{gets:?}");
        }
    }
}

#[tokio::test]
async fn equal_buckets_come_in_the_same_order_whatever_stands_behind_the_last_match() {
    let store = TestStore::in_memory();
    let mut splits = splits(&store).await;
    // It has no segment, so others are merged into those of the split before it.
    splits.push(put(store.as_ref(), "3.split", &index(0, 0, 3)).await);
    for version in 0..3 {
        let request = body(json!({
            "query": of_version(version), "size": 0,
            "aggs": {"each": {
                "terms": {"field": "id", "size": 1000, "order": {"same": "asc"}},
                "aggs": {"same": {"max": {"field": "version"}}},
            }},
        }));
        let expected = truth(&store, &splits, &request).await;
        let warmer = warmer(store.clone(), remembering());
        for skipped in [0, 2] {
            let found = left_out(&warmer, &store, &splits, &request).await;
            assert_eq!((answer(&found.0), found.1), (expected.clone(), skipped));
        }
    }
}

#[tokio::test]
async fn progressive_searches_begin_with_what_is_known() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let warmer = warmer(store.clone(), remembering());
    let options = SearchOptions::default();
    let later = json!({"range": {"version": {"gte": 1}}});
    let sorted = body(json!({"query": later, "sort": "id", "size": 700}));
    let expected = truth(&store, &splits, &sorted).await;
    let first = warmer.search_progressively(&splits, &sorted, &options);
    let first = first.await.unwrap();
    assert_eq!(answer(&first), expected);
    assert_eq!(first.report.remembered_splits, 0);

    // As another process would, and one split after the other.
    let other = self::warmer(store.clone(), remembering());
    other.add_plans(warmer.plans().iter().map(|row| row.as_ref().clone()));
    store.take();
    store.hold(splits[2].path());
    let mut seen = Vec::new();
    let again = other.watch_progressively(&splits, &sorted, &options, |progress| {
        store.release(splits[2].path());
        seen.push((progress.splits, progress.searched, progress.remembered));
    });
    let again = again.await.unwrap();
    assert_eq!(answer(&again), expected);
    assert_eq!(seen, [(3, 1, 1)]);
    let (report, shards) = (&again.report, again.shards);
    assert_eq!((report.splits, report.remembered_splits), (2, 1));
    assert_eq!((shards.total, shards.skipped), (3, 1));
    let gets = store.take();
    assert!(gets.iter().all(|get| *get.path.as_ref() != *"0.split"));

    // What is known may be enough, so that the third split is given up.
    let count = |track: Value| {
        let query = json!({"match": {"body": "sea1"}});
        body(json!({"query": query, "size": 0, "track_total_hits": track}))
    };
    left_out(&warmer, &store, &splits[..2], &count(json!(true))).await;
    for (track, given_up) in [(json!(5), 1), (json!(true), 0)] {
        let request = count(track);
        let expected = truth(&store, &splits, &request).await;
        store.take();
        let found = warmer.search_progressively(&splits, &request, &options);
        let found = found.await.unwrap();
        assert_eq!(answer(&found), expected);
        let report = &found.report;
        assert_eq!(
            (report.remembered_splits, report.given_up_splits),
            (2, given_up)
        );
        assert_eq!(found.shards.total, 3);
        assert!(given_up == 0 || store.take().is_empty());
    }
    // It was counted, and is known from now on.
    let (_, skipped) = left_out(&warmer, &store, &splits, &count(json!(true))).await;
    assert_eq!(skipped, 3);
}

#[tokio::test]
async fn searches_that_every_split_has_a_say_in_are_not_shortened() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    // In some splits only, and so are its words; yet all count in scores.
    let query = json!({"bool": {
        "must": [{"match": {"body": "common sea1"}}], "filter": [of_version(1)],
    }});
    let ranges = json!({"range": {"field": "price", "ranges": [{"to": 50.0}, {"from": 50.0}]}});
    let requests = [
        json!({"query": query}),
        json!({"query": query, "sort": [{"tag": "asc"}, "_score"]}),
        json!({"query": query, "sort": ["_doc"]}),
        json!({"query": query, "sort": [{"price": "asc"}, "_doc"]}),
        json!({"query": query, "sort": "id", "highlight": {"fields": {"body": {}}}}),
        json!({"query": query, "size": 0, "aggs": {"prices": ranges}}),
        json!({"query": query, "sort": "id", "aggs": {"empty": {
            "terms": {"field": "tag", "min_doc_count": 0}}}}),
    ];
    for request in requests.map(body) {
        let expected = truth(&store, &splits, &request).await;
        let warmer = warmer(store.clone(), remembering());
        for _ in 0..2 {
            let (response, skipped) = left_out(&warmer, &store, &splits, &request).await;
            assert_eq!((answer(&response), skipped), (expected.clone(), 0));
        }
    }
}

#[tokio::test]
async fn what_is_known_of_some_splits_is_added_to_what_the_others_count() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let request = count_of(json!({"match": {"body": "sea1"}}));
    let warmer = warmer(store.clone(), remembering());
    let (two, _) = left_out(&warmer, &store, &splits[..2], &request).await;
    store.take();
    let three = warmer.search(&splits, &request).await.unwrap();
    let gets = store.take();
    assert!(!gets.is_empty() && gets.iter().all(|get| get.path.as_ref() == "2.split"));
    assert_eq!(three.report.remembered_splits, 2);
    assert_eq!(answer(&three), truth(&store, &splits, &request).await);
    // A split that is asked twice counts twice.
    let twice = [&splits[..2], &splits[..2]].concat();
    let (four, skipped) = left_out(&warmer, &store, &twice, &request).await;
    assert_eq!((total(&four), skipped), (2 * total(&two), 4));
}

#[tokio::test]
async fn a_count_that_stopped_at_its_limit_is_not_taken_for_all() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let up_to = |limit: u64| {
        body(json!({"query": {"match": {"body": "man"}}, "size": 0, "track_total_hits": limit}))
    };
    let warmer = warmer(store.clone(), remembering());
    // In any order, as what was counted before changes what is left to count.
    for limit in [250, 0, 10, 1260, 1259, 1261, 800, 5000] {
        let expected = truth(&store, &splits, &up_to(limit)).await;
        let (response, _) = left_out(&warmer, &store, &splits, &up_to(limit)).await;
        assert_eq!(answer(&response), expected, "up to {limit}");
    }
    let exactly = count_of(json!({"match": {"body": "man"}}));
    let (response, skipped) = left_out(&warmer, &store, &splits, &exactly).await;
    assert_eq!((total(&response), skipped), (1260, 3));
}

#[tokio::test]
async fn a_request_that_does_not_fit_a_split_stays_an_error() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let warmer = warmer(store.clone(), remembering());
    let sound = body(json!({"query": of_version(9), "sort": "id"}));
    for skipped in [0, 3] {
        let found = left_out(&warmer, &store, &splits, &sound).await;
        assert_eq!((total(&found.0), found.1), (0, skipped));
    }
    let filter = json!({"bool": {"filter": of_version(9), "should": {"term": {"absent": 1}}}});
    for wrong in [
        json!({"query": of_version(9), "sort": "id", "fields": ["absent"]}),
        json!({"query": of_version(9), "sort": "id", "docvalue_fields": ["body"]}),
        // It reads the same: what is optional in a filter is not made into a query.
        json!({"query": {"bool": {"filter": filter}}, "sort": "id"}),
        json!({"query": of_version(9), "sort": "id", "search_after": ["text"]}),
    ] {
        let wrong = body(wrong);
        let error = warmer.search(&splits, &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", error.chain());
    }
}

#[tokio::test]
async fn verdicts_are_told_beforehand_whether_a_search_or_a_warmup_came_to_them() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let searched = body(json!({"query": of_version(1), "sort": "id"}));
    let warmed = count_of(json!({"term": {"key": "no such key"}}));
    let first = warmer(store.clone(), remembering());
    first.search(&splits, &searched).await.unwrap();
    for split in &splits {
        assert!(first.warm(split, &warmed).join(LONG).await.is_warm());
    }
    let second = warmer(store.clone(), remembering());
    second.add_plans(first.plans().iter().map(|row| row.as_ref().clone()));
    store.take();
    let told = second.classify(&splits, &searched);
    let names: Vec<_> = told.iter().map(|warmth| warmth.name()).collect();
    assert_eq!(names, ["provably_empty", "cold", "provably_empty"]);
    assert_eq!(
        second.classify(&splits, &warmed),
        [Warmth::ProvablyEmpty; 3]
    );
    let (response, skipped) = left_out(&second, &store, &splits, &warmed).await;
    assert_eq!((total(&response), skipped), (0, 3));
    assert_eq!(second.statistics().gets, 0);
}

#[tokio::test]
async fn a_count_is_remembered_without_a_plan_and_stays_when_there_is_one() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let warmer = warmer(store.clone(), remembering().with_on_miss(OnMiss::Fetch));
    let request = count_of(json!({"term": {"key": key(5)}}));
    let on_demand = SearchOptions::default()
        .with_warming(Warming::Off)
        .with_results(true);
    let response = warmer.search_with_options(&splits, &request, &on_demand);
    let expected = answer(&response.await.unwrap());
    let rows = || warmer.plans();
    assert_eq!(rows().len(), 3);
    assert!(
        rows()
            .iter()
            .all(|row| row.plan().is_none() && row.matches() == Some(1))
    );
    let (response, skipped) = left_out(&warmer, &store, &splits, &request).await;
    assert_eq!((answer(&response), skipped), (expected, 3));

    // A row without a plan is none to be warmed by.
    assert_eq!(warmer.classify(&splits, &request), [Warmth::Cold(None); 3]);
    for split in &splits {
        assert!(warmer.warm(split, &request).join(LONG).await.is_warm());
    }
    assert!(
        rows()
            .iter()
            .all(|row| row.plan().is_some() && row.matches() == Some(1))
    );
    assert_eq!(rows().len(), 3);
}

#[tokio::test]
async fn what_nobody_can_ask_for_again_is_not_remembered() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let warmer = warmer(store.clone(), remembering().with_on_miss(OnMiss::Fetch));
    let options = SearchOptions::default().with_results(true);
    for _ in 0..2 {
        let all = SearchRequest::new(Filter::query_with_key(Box::new(AllQuery), "all")).size(0);
        let (_, skipped) = left_out(&warmer, &store, &splits, &all).await;
        assert_eq!(skipped, 0);
        let everything = Clause::match_all();
        let counted = warmer
            .search_with(&splits, everything, Count, &options)
            .await;
        let (count, report) = counted.unwrap();
        assert_eq!((count, report.remembered_splits), (1260, 0));
    }
    assert!(warmer.plans().iter().all(|row| row.matches().is_none()));
}

#[tokio::test]
async fn results_stay_within_the_bytes_of_plans() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let cache = |bytes| settings().cache.with_plan_bytes(bytes);
    let few = warmer(store.clone(), remembering().with_cache(cache(30_000)));
    let none = warmer(store.clone(), remembering().with_cache(cache(0)));
    for n in 0..60 {
        let request = count_of(json!({"term": {"key": key(n)}}));
        for warmer in [&few, &none] {
            let response = warmer.search(&splits, &request).await.unwrap();
            assert_eq!(total(&response), 3);
        }
    }
    let statistics = few.statistics();
    assert!(statistics.plans > 0 && statistics.plan_bytes <= 30_000);
    let again = count_of(json!({"term": {"key": key(59)}}));
    let response = none.search(&splits, &again).await.unwrap();
    assert_eq!(response.report.remembered_splits, 0);
    assert_eq!(none.statistics().plans, 0);
    few.clear().await;
    let response = few.search(&splits, &again).await.unwrap();
    assert_eq!(response.report.remembered_splits, 0);
}
