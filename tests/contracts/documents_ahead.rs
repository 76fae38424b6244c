//! What hits bring is there before anybody searches, where that is wanted.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    Event, Manager, ManagerSettings, PreloadSettings, RefreshSettings, SearchOptions,
    SearchRequest, SplitAddress, TriggerSettings,
};
use serde_json::json;

use crate::fixture::{answer, index, put, strict, truth, warmer};
use crate::test_store::TestStore;

const PATIENCE: Duration = Duration::from_secs(3600);

/// The cheapest that hold a word, with their documents.
fn cheapest(from: usize) -> SearchRequest {
    let body = json!({
        "query": {"match": {"body": "common"}},
        "sort": [{"price": "asc"}, {"id": "asc"}],
        "from": from, "size": 10, "docvalue_fields": ["tag"],
        "aggs": {"tags": {"terms": {"field": "tag"}}},
    });
    SearchRequest::from_value(&body).unwrap()
}

fn manager(store: &Arc<TestStore>, settings: ManagerSettings) -> Manager {
    Manager::new(warmer(store.clone(), strict()), settings).unwrap()
}

async fn splits(store: &Arc<TestStore>) -> [SplitAddress; 3] {
    [
        put(&**store, "a.split", &index(1, 900, 1)).await,
        put(&**store, "b.split", &index(2, 450, 2)).await,
        put(&**store, "c.split", &index(1, 700, 3)).await,
    ]
}

/// Searches, and holds the answer against tantivy's; answers how many GETs that took.
async fn gets(
    store: &Arc<TestStore>,
    manager: &Manager,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> u64 {
    let options = SearchOptions::default();
    let found = manager.search(splits, request, &options).await.unwrap();
    let right = truth(&(store.clone() as _), splits, request).await;
    assert_eq!(answer(&found), right);
    found.report.gets
}

#[tokio::test]
async fn a_newcomer_has_what_hot_requests_bring_before_it_is_announced() {
    for documents in [true, false] {
        let store = TestStore::in_memory();
        let [a, b, newcomer] = splits(&store).await;
        let trigger = TriggerSettings::default().with_documents(documents);
        let refresh = RefreshSettings::default().with_trigger(trigger);
        let settings = ManagerSettings::default().with_refresh(Some(refresh));
        let manager = manager(&store, settings);
        manager.announce([a.clone(), b.clone()]);
        let hot = cheapest(0);
        for _ in 0..2 {
            gets(&store, &manager, &[a.clone(), b.clone()], &hot).await;
        }
        let mut served = manager.watch_splits();
        manager.start();
        manager.publish(&Event::SplitPublished {
            split: newcomer.clone(),
            replaces: vec![a.path().clone()],
        });
        served
            .wait_for(|now| now.contains(&newcomer))
            .await
            .unwrap();
        let used = || manager.snapshot().sources["refresh"].usage;
        // Nobody has searched it yet.
        assert_eq!(used().used_bytes, 0);
        let alone = gets(&store, &manager, from_ref(&newcomer), &hot).await;
        let beside = gets(&store, &manager, &[b, newcomer], &hot).await;
        assert_eq!((alone > 0, beside), (!documents, 0));
        assert!(used().used_bytes > 0);
    }
}

#[tokio::test]
async fn what_stands_on_a_later_page_of_all_is_there_from_each_split() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let settings = ManagerSettings::default().with_prewarm_documents(true);
    let manager = manager(&store, settings);
    let request = cheapest(20);
    let [a, b, c] = splits.clone();
    for some in [vec![a], vec![b, c]] {
        let job = manager.prewarm(&some, &request);
        let ended = job.wait(PATIENCE).await;
        assert_eq!(ended.state.name(), "complete");
        let sent: u64 = ended.items.iter().map(|item| item.traffic.gets).sum();
        assert!(ended.traffic.gets > sent, "{ended:?}");
    }
    assert_eq!(gets(&store, &manager, &splits, &request).await, 0);
}

#[tokio::test]
async fn prewarming_leaves_documents_to_the_search_unless_it_is_told() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    for documents in [false, true] {
        let settings = ManagerSettings::default().with_prewarm_documents(documents);
        let manager = manager(&store, settings);
        let request = cheapest(0);
        let job = manager.prewarm(&splits, &request);
        let ended = job.wait(PATIENCE).await;
        let counted = manager.snapshot().sources["prewarm"].tally.clone();
        assert_eq!(
            (counted.gets, counted.bytes),
            (ended.traffic.gets, ended.traffic.bytes)
        );
        let gets = gets(&store, &manager, &splits, &request).await;
        assert_eq!(gets == 0, documents);
    }
}

#[tokio::test]
async fn preloaded_requests_bring_their_documents_along() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let request = cheapest(0);
    let preload = PreloadSettings::default().with_requests([request.to_value().unwrap()]);
    let settings = ManagerSettings::default().with_preload(Some(preload));
    let manager = manager(&store, settings);
    manager.announce(splits.clone());
    manager.start();
    manager.ready(PATIENCE).await;
    assert_eq!(gets(&store, &manager, &splits, &request).await, 0);
}

#[tokio::test]
async fn plans_learn_what_other_hits_bring_once_splits_have_gone() {
    let store = TestStore::in_memory();
    // So many documents that the next ones are in other blocks.
    let a = put(&*store, "a.split", &index(1, 6000, 1)).await;
    let b = put(&*store, "b.split", &index(1, 5900, 2)).await;
    let request = cheapest(0);
    let teacher = warmer(store.clone(), strict());
    let search = async |warmer: &forewarm::Warmer, splits: &[SplitAddress]| {
        let found = warmer.search(splits, &request).await.unwrap();
        (found.report.gets, found.report.rounds)
    };
    search(&teacher, &[a, b.clone()]).await;
    // The rest of the best ten is in another split now.
    let (gets, rounds) = search(&teacher, from_ref(&b)).await;
    assert!(gets > 0 && rounds == 1, "{gets} GETs in {rounds} rounds");
    let pupil = warmer(store.clone(), strict());
    pupil.add_plans(teacher.plans().iter().map(|plan| plan.as_ref().clone()));
    assert_eq!(search(&pupil, from_ref(&b)).await.1, 1);
}
