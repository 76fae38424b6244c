//! A coordinator warms and readers search: however a warmup ends, they find the same; and what is
//! announced to them is warm, however many search meanwhile.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    Event, JobState, Manager, ManagerSettings, RefreshSettings, ResidentSplits, SearchOptions,
    SearchRequest, SplitAddress, Warming,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::fixture::{answer, index, put, request, requests, settings, strict, truth, warmer};
use crate::test_store::TestStore;

const PATIENCE: Duration = Duration::from_secs(60);
const SEARCHERS: usize = 6;

async fn three_splits(store: &TestStore) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..3 {
        splits.push(put(store, &format!("{n}.split"), &index(1, 200 + 10 * n, n)).await);
    }
    splits
}

/// One that has nothing.
fn manager(store: &Arc<TestStore>) -> Manager {
    Manager::new(
        warmer(store.clone(), settings()),
        ManagerSettings::default(),
    )
    .unwrap()
}

/// What became of the warmup that a reader joined, and what it found.
async fn read(
    manager: &Manager,
    splits: &[SplitAddress],
    request: &SearchRequest,
    options: SearchOptions,
) -> (&'static str, Value) {
    let response = manager.search(splits, request, &options).await.unwrap();
    (response.report.outcome, answer(&response))
}

#[tokio::test]
async fn however_a_warmup_ends_readers_find_the_same() {
    let store = TestStore::in_memory();
    let splits = three_splits(&store).await;
    let loader = warmer(store.clone(), settings());
    let resident = ResidentSplits::load(&loader, &splits, u64::MAX).await;
    let resident = resident.unwrap();
    let options = SearchOptions::default;
    for request in requests() {
        let right = answer(&resident.search(&request).await.unwrap());

        let done = manager(&store);
        let status = done.prewarm(&splits, &request).wait(PATIENCE).await;
        assert_eq!(status.state, JobState::Complete);
        let found = read(&done, &splits, &request, options()).await;
        assert_eq!(found, ("ready", right.clone()));

        // All of its warmups fail as they open, while the reader waits for them.
        let failing = manager(&store);
        let begun = store.begun();
        store.close();
        let job = failing.prewarm(&splits, &request);
        store.has_begun(begun + splits.len()).await;
        store.fail_next(splits.len());
        let reader = read(&failing, &splits, &request, options());
        let (found, ()) = tokio::join!(reader, async { store.open() });
        assert_eq!(found, ("failed", right.clone()));
        assert_eq!(job.wait(PATIENCE).await.state, JobState::Failed);

        let slow = manager(&store);
        store.close();
        let job = slow.prewarm(&splits, &request);
        let hurried = options().with_join_deadline(Duration::ZERO);
        let reader = read(&slow, &splits, &request, hurried);
        let (found, ()) = tokio::join!(reader, async { store.open() });
        assert_eq!(found, ("timed_out", right.clone()));
        assert_eq!(job.wait(PATIENCE).await.state, JobState::Complete);

        let missing = options().with_warming(Warming::JoinOnly);
        let found = read(&manager(&store), &splits, &request, missing).await;
        assert_eq!(found, ("missing", right));
    }
}

/// A request, and the right answers before and after the merge.
struct Asked {
    request: SearchRequest,
    before: Value,
    after: Value,
}

/// Searches what is served, request by request, until the newcomer was searched for each of them
/// twice; tells of each search.
async fn search_all_the_while(
    manager: Manager,
    asked: Arc<Vec<Asked>>,
    [before, after]: [Arc<[SplitAddress]>; 2],
    searches: watch::Sender<usize>,
) {
    let mut after_it = 0;
    while after_it < 2 * asked.len() {
        for asked in asked.iter() {
            let splits = manager.splits();
            let options = SearchOptions::default();
            let found = manager.search(&splits, &asked.request, &options);
            let found = found.await.unwrap();
            if splits == after {
                assert_eq!(
                    (found.report.gets, found.report.late_reads),
                    (0, 0),
                    "the newcomer is warm"
                );
                assert_eq!(answer(&found), asked.after);
                after_it += 1;
            } else {
                assert_eq!(splits, before, "a merge is seen whole or not at all");
                assert_eq!(answer(&found), asked.before);
            }
            searches.send_modify(|searches| *searches += 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_search_of_a_merged_split_is_cold_once_it_is_announced() {
    let store = TestStore::in_memory();
    let parts = three_splits(&store).await;
    let other = put(&*store, "other.split", &index(2, 100, 7)).await;
    let merged = put(&*store, "merged.split", &index(3, 200, 8)).await;
    let before: Arc<[_]> = parts.iter().cloned().chain([other.clone()]).collect();
    let after: Arc<[_]> = [merged.clone(), other].into();
    let mut asked = Vec::new();
    for query in [
        json!({"match": {"body": "common w3"}}),
        json!({"match_phrase": {"body": "the old man"}}),
        json!({"prefix": {"key": "0"}}),
        json!({"bool": {
            "must": [{"match": {"body": "man"}}],
            "filter": [{"range": {"price": {"lt": 50.0}}}],
        }}),
    ] {
        // Of the newest version are the documents of the other split, and then of the merged one.
        let newest = json!({
            "query": query, "sort": [{"version": "desc"}, {"price": "asc"}, {"id": "asc"}],
        });
        for request in [request(query), SearchRequest::from_value(&newest).unwrap()] {
            asked.push(Asked {
                before: truth(&(store.clone() as _), &before, &request).await,
                after: truth(&(store.clone() as _), &after, &request).await,
                request,
            });
        }
    }
    let settings = ManagerSettings::default().with_refresh(Some(RefreshSettings::default()));
    let manager = Manager::new(warmer(store.clone(), strict()), settings).unwrap();
    manager.announce(before.iter().cloned());
    manager.start();
    let (asked, searches) = (Arc::new(asked), watch::channel(0).0);
    let searchers: Vec<_> = (0..SEARCHERS)
        .map(|_| {
            let lists = [Arc::clone(&before), Arc::clone(&after)];
            let (manager, asked) = (manager.clone(), Arc::clone(&asked));
            let searches = searches.clone();
            tokio::spawn(search_all_the_while(manager, asked, lists, searches))
        })
        .collect();
    // Each request was asked by then, so that all are hot.
    let mut searched = searches.subscribe();
    let enough = SEARCHERS * asked.len() * 2;
    searched.wait_for(|now| *now >= enough).await.unwrap();
    manager.publish(&Event::SplitPublished {
        split: merged,
        replaces: parts.iter().map(|split| split.path().clone()).collect(),
    });
    for searcher in searchers {
        tokio::time::timeout(PATIENCE, searcher)
            .await
            .expect("the merged split is announced")
            .unwrap();
    }
    let details = manager.trigger("refresh").unwrap().status().details;
    assert_eq!(
        (&details["announced"], &details["retired"]),
        (&json!(1), &json!(3))
    );
}
