//! Splits that come and go, and what is bound to events.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    Event, EventBinding, EventsSettings, Manager, ManagerSettings, RefreshSettings, SearchOptions,
    SearchRequest, SplitAddress, TriggerSettings, Warmth,
};
use object_store::ObjectStoreExt;
use serde_json::json;

use crate::fixture::{FrozenTime, answer, index, is_busy, put, request, strict, truth, warmer};
use crate::test_store::TestStore;

const PATIENCE: Duration = Duration::from_secs(3600);

pub fn asking(word: &str) -> SearchRequest {
    request(json!({"match": {"body": word}}))
}

fn refreshing(store: &Arc<TestStore>, settings: RefreshSettings) -> Manager {
    let settings = ManagerSettings::default().with_refresh(Some(settings));
    Manager::new(warmer(store.clone(), strict()), settings).unwrap()
}

pub fn warmth(manager: &Manager, split: &SplitAddress, request: &SearchRequest) -> Warmth {
    manager.warmer().classify(from_ref(split), request)[0]
}

/// Waits until the manager serves these.
async fn serves(manager: &Manager, splits: &[&SplitAddress]) {
    let mut served = manager.watch_splits();
    let is_served = |now: &Arc<[SplitAddress]>| now.iter().eq(splits.iter().copied());
    served.wait_for(is_served).await.unwrap();
}

#[tokio::test]
async fn a_merged_split_is_warm_for_what_is_hot_before_it_is_announced() {
    let store = TestStore::in_memory();
    let a = put(&*store, "a.split", &index(1, 60, 1)).await;
    let b = put(&*store, "b.split", &index(1, 70, 2)).await;
    let other = put(&*store, "other.split", &index(1, 80, 3)).await;
    let merged = put(&*store, "merged.split", &index(2, 65, 4)).await;
    let manager = refreshing(&store, RefreshSettings::default());
    manager.announce([a.clone(), b.clone(), other.clone()]);
    let (hot, elsewhere) = (asking("w3"), asking("w7"));
    let options = SearchOptions::default();
    for _ in 0..2 {
        manager
            .search(&[a.clone(), b.clone()], &hot, &options)
            .await
            .unwrap();
    }
    manager
        .search(from_ref(&other), &elsewhere, &options)
        .await
        .unwrap();
    manager.start();
    manager.publish(&Event::SplitPublished {
        split: merged.clone(),
        replaces: vec![a.path().clone(), b.path().clone()],
    });
    serves(&manager, &[&merged, &other]).await;
    assert_eq!(warmth(&manager, &merged, &hot), Warmth::Cached);
    assert!(matches!(
        warmth(&manager, &merged, &elsewhere),
        Warmth::Cold(_) | Warmth::Partial(_)
    ));
    // Those it replaces take no memory any more.
    manager
        .trigger("refresh")
        .unwrap()
        .warm_now(PATIENCE)
        .await
        .unwrap();
    assert_eq!(warmth(&manager, &a, &hot), Warmth::Cold(None));
    let found = manager
        .search(from_ref(&merged), &hot, &options)
        .await
        .unwrap();
    assert_eq!(found.report.gets, 0);
    let right = truth(&(store.clone() as _), &[merged], &hot).await;
    assert_eq!(answer(&found), right);
    let details = manager.trigger("refresh").unwrap().status().details;
    assert_eq!(
        (&details["announced"], &details["retired"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn what_comes_and_goes_below_a_prefix_is_found_by_listing_it() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let a = time
        .run(put(&*store, "logs/a.split", &index(1, 60, 1)))
        .await;
    let elsewhere = time
        .run(put(&*store, "elsewhere.split", &index(1, 50, 9)))
        .await;
    let trigger = TriggerSettings::default().with_interval(Duration::from_secs(60));
    let settings = RefreshSettings::default()
        .with_prefix(Some("logs".to_owned()))
        .with_trigger(trigger);
    let manager = refreshing(&store, settings);
    manager.announce([elsewhere.clone()]);
    manager.start();
    time.run(serves(&manager, &[&elsewhere, &a])).await;
    let hot = asking("w3");
    let (splits, options) = ([a.clone()], SearchOptions::default());
    time.run(manager.search(&splits, &hot, &options))
        .await
        .unwrap();
    let b = time
        .run(put(&*store, "logs/b.split", &index(1, 70, 2)))
        .await;
    store.delete(a.path()).await.unwrap();
    time.pass(Duration::from_secs(61), || is_busy(&manager))
        .await;
    time.run(serves(&manager, &[&elsewhere, &b])).await;
    assert_eq!(warmth(&manager, &b, &hot), Warmth::Cached);
    // One that is retired is not found again though its object is still there.
    let split = b.path().clone();
    manager.publish(&Event::SplitRetired { split });
    time.run(serves(&manager, &[&elsewhere])).await;
    let trigger = manager.trigger("refresh").unwrap();
    time.run(trigger.warm_now(PATIENCE)).await.unwrap();
    time.run(serves(&manager, &[&elsewhere])).await;
}

/// Nothing but `splits` is served, now and after another tick.
async fn serves_only(manager: &Manager, splits: &[&SplitAddress]) {
    serves(manager, splits).await;
    let trigger = manager.trigger("refresh").unwrap();
    trigger.warm_now(PATIENCE).await.unwrap();
    let served: Vec<_> = manager.splits().iter().map(ToString::to_string).collect();
    let expected: Vec<_> = splits.iter().map(ToString::to_string).collect();
    assert_eq!(served, expected);
}

fn merged(split: &SplitAddress, replaces: &[&SplitAddress]) -> Event {
    Event::SplitPublished {
        split: split.clone(),
        replaces: replaces.iter().map(|it| it.path().clone()).collect(),
    }
}

#[tokio::test]
async fn a_merged_split_that_is_merged_on_before_it_was_announced_never_is() {
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for (n, name) in ["a", "b", "c", "d"].iter().enumerate() {
        let path = format!("logs/{name}.split");
        splits.push(put(&*store, &path, &index(1, 60 + n as u64, n as u64)).await);
    }
    let [a, b, c, d] = &splits[..] else {
        unreachable!("four")
    };
    // All objects are still there to be listed.
    let settings = RefreshSettings::default().with_prefix(Some("logs".to_owned()));
    let manager = refreshing(&store, settings);
    manager.announce([a.clone()]);
    let hot = asking("w3");
    let options = SearchOptions::default();
    manager.search(from_ref(a), &hot, &options).await.unwrap();
    for event in [merged(b, &[a]), merged(c, &[b, c]), merged(d, &[c, d])] {
        manager.publish(&event);
    }
    manager.start();
    serves_only(&manager, &[d]).await;
    assert_eq!(warmth(&manager, d, &hot), Warmth::Cached);
    let details = manager.trigger("refresh").unwrap().status().details;
    assert_eq!(details["announced"], json!(1), "{details}");
    // One that is published again, and names itself, stays, and what is cached of it.
    manager.publish(&merged(d, &[d]));
    serves_only(&manager, &[d]).await;
    assert_eq!(warmth(&manager, d, &hot), Warmth::Cached);
}

#[tokio::test]
async fn what_the_caller_retires_is_not_found_anew_by_the_listing() {
    let store = TestStore::in_memory();
    let a = put(&*store, "logs/a.split", &index(1, 60, 1)).await;
    let b = put(&*store, "logs/b.split", &index(1, 70, 2)).await;
    let settings = RefreshSettings::default().with_prefix(Some("logs".to_owned()));
    let bound = EventBinding::new("split_retired", [json!({"query": {"match_all": {}}})]);
    let settings = ManagerSettings::default()
        .with_refresh(Some(settings))
        .with_events(Some(EventsSettings::default().with_bindings([bound])));
    let manager = Manager::new(warmer(store.clone(), strict()), settings).unwrap();
    manager.start();
    serves_only(&manager, &[&a, &b]).await;
    manager.retire(&[a.path().clone()]).await;
    serves_only(&manager, &[&b]).await;
    // It is no event.
    let details = manager.trigger("events").unwrap().status().details;
    assert_eq!(details["seen"], json!(0));
    // It may come back, told by the caller.
    manager.publish(&merged(&a, &[]));
    serves_only(&manager, &[&a, &b]).await;
    // And be deleted after it was retired.
    manager.retire(&[a.path().clone()]).await;
    store.delete(a.path()).await.unwrap();
    serves_only(&manager, &[&b]).await;
    let details = manager.trigger("refresh").unwrap().status().details;
    assert_eq!(details["retired"], json!(0), "{details}");
}

#[tokio::test]
async fn the_prefix_is_listed_once_an_interval_whatever_is_told_meanwhile() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    for n in 0..5_u64 {
        let path = format!("logs/{n}.split");
        time.run(put(&*store, &path, &index(1, 60 + n, n))).await;
    }
    let trigger = TriggerSettings::default().with_interval(Duration::from_secs(60));
    let settings = RefreshSettings::default()
        .with_prefix(Some("logs".to_owned()))
        .with_splits_per_tick(1)
        .with_trigger(trigger);
    let manager = refreshing(&store, settings);
    manager.start();
    let pass = |secs| time.pass(Duration::from_secs(secs), || is_busy(&manager));
    pass(30).await;
    // Five ticks, of one newcomer each.
    assert_eq!((manager.splits().len(), store.listings()), (5, 1));
    let elsewhere = SplitAddress::new("elsewhere.split".into());
    manager.publish(&merged(&elsewhere, &[]));
    pass(20).await;
    assert_eq!((manager.splits().len(), store.listings()), (6, 1));
    // What was told puts off nothing.
    pass(15).await;
    assert_eq!(store.listings(), 2);
    let trigger = manager.trigger("refresh").unwrap();
    time.run(trigger.warm_now(PATIENCE)).await.unwrap();
    assert_eq!(store.listings(), 3);
}

#[tokio::test]
async fn a_newcomer_that_cannot_be_warmed_is_announced_all_the_same() {
    let store = TestStore::in_memory();
    let a = put(&*store, "a.split", &index(1, 60, 1)).await;
    let manager = refreshing(&store, RefreshSettings::default());
    manager.announce([a.clone()]);
    let hot = asking("w3");
    manager
        .search(from_ref(&a), &hot, &SearchOptions::default())
        .await
        .unwrap();
    manager.start();
    let absent = SplitAddress::new("absent.split".into());
    manager.publish(&Event::SplitPublished {
        split: absent.clone(),
        replaces: Vec::new(),
    });
    serves(&manager, &[&a, &absent]).await;
    let status = manager
        .trigger("refresh")
        .unwrap()
        .warm_now(PATIENCE)
        .await
        .unwrap();
    assert_eq!(status.failed, 1);
}

#[tokio::test]
async fn what_is_hot_and_was_evicted_comes_back() {
    let store = TestStore::in_memory();
    let a = put(&*store, "a.split", &index(1, 60, 1)).await;
    let settings = RefreshSettings::default().with_keep_above(Some(2.5));
    let manager = refreshing(&store, settings);
    manager.announce([a.clone()]);
    let (hot, cool) = (asking("w3"), asking("w7"));
    for request in [&hot, &hot, &hot, &cool] {
        manager
            .search(from_ref(&a), request, &SearchOptions::default())
            .await
            .unwrap();
    }
    manager.warmer().clear().await;
    manager.start();
    manager
        .trigger("refresh")
        .unwrap()
        .warm_now(PATIENCE)
        .await
        .unwrap();
    assert_eq!(warmth(&manager, &a, &hot), Warmth::Cached);
    assert_ne!(warmth(&manager, &a, &cool), Warmth::Cached);
}

fn binding(manager: &EventsSettings) -> ManagerSettings {
    ManagerSettings::default().with_events(Some(manager.clone()))
}

#[tokio::test]
async fn events_that_come_together_are_acted_on_once() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let acme = time
        .run(put(&*store, "acme/1.split", &index(1, 60, 1)))
        .await;
    let other = time
        .run(put(&*store, "other/1.split", &index(1, 70, 2)))
        .await;
    let settings = EventsSettings::default().with_bindings([
        EventBinding::new(
            "tenant_active",
            [json!({"query": {"match": {"body": "w3"}}, "_source": false})],
        )
        .with_prefix("{tenant}/"),
        EventBinding::new(
            "split_published",
            [json!({"query": {"match": {"body": "sea1"}}, "_source": false})],
        ),
    ]);
    let manager = Manager::new(warmer(store.clone(), strict()), binding(&settings)).unwrap();
    manager.announce([acme.clone(), other.clone()]);
    manager.start();
    let active = Event::TenantActive {
        tenant: "acme".to_owned(),
    };
    for _ in 0..3 {
        manager.publish(&active);
    }
    manager.publish(&Event::NodeJoined {
        node: "n1".to_owned(),
    });
    manager.publish(&Event::SplitPublished {
        split: other.clone(),
        replaces: Vec::new(),
    });
    let trigger = manager.trigger("events").unwrap();
    time.pass(Duration::from_secs(5), || is_busy(&manager))
        .await;
    time.run(trigger.warm_now(PATIENCE)).await.unwrap();
    assert_eq!(warmth(&manager, &acme, &asking("w3")), Warmth::Cached);
    assert_eq!(warmth(&manager, &other, &asking("sea1")), Warmth::Cached);
    assert_ne!(warmth(&manager, &other, &asking("w3")), Warmth::Cached);
    let status = trigger.status();
    assert_eq!(status.wanted, 2, "{status:?}");
    assert_eq!(
        status.details,
        json!({"seen": 4, "coalesced": 2, "dropped": 0, "pending": 0})
    );
}

#[tokio::test]
async fn an_event_waits_while_nothing_may_be_warmed_and_for_what_its_budget_left_out() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let mut splits = Vec::new();
    for n in 0..3_u64 {
        let path = format!("acme/{n}.split");
        splits.push(time.run(put(&*store, &path, &index(1, 60 + n, n))).await);
    }
    let body = json!({"query": {"match": {"body": "w3"}}, "_source": false});
    let thrifty = TriggerSettings::default()
        .with_interval(Duration::from_secs(1))
        .with_gets_per_hour(Some(1));
    let settings = EventsSettings::default()
        .with_bindings([EventBinding::new("tenant_active", [body])])
        .with_trigger(thrifty.clone());
    let manager = Manager::new(warmer(store.clone(), strict()), binding(&settings)).unwrap();
    manager.announce(splits.clone());
    manager.set_enabled(false);
    manager.start();
    manager.publish(&Event::TenantActive {
        tenant: "acme".to_owned(),
    });
    let pass = || time.pass(Duration::from_secs(5), || is_busy(&manager));
    pass().await;
    let trigger = manager.trigger("events").unwrap();
    let pending = || trigger.status().details["pending"].clone();
    // Nor is it lost when somebody asks.
    let status = time.run(trigger.warm_now(PATIENCE)).await.unwrap();
    assert_eq!((status.left_out["off"], pending()), (3, json!(1)));
    manager.set_enabled(true);
    pass().await;
    let is_warm = |split: &&SplitAddress| warmth(&manager, split, &asking("w3")) == Warmth::Cached;
    assert_eq!(splits.iter().filter(is_warm).count(), 1);
    assert_eq!(pending(), json!(1));
    let rich = thrifty.with_gets_per_hour(None);
    trigger.set_settings(rich).unwrap();
    pass().await;
    assert_eq!(splits.iter().filter(is_warm).count(), 3);
    assert_eq!(
        trigger.status().details,
        json!({"seen": 1, "coalesced": 0, "dropped": 0, "pending": 0})
    );
}

#[tokio::test]
async fn more_events_than_are_kept_are_dropped_and_counted() {
    let store = TestStore::in_memory();
    let bound = EventBinding::new(
        "page",
        [json!({"query": {"match": {"body": "page {data}"}}})],
    );
    let settings = EventsSettings::default()
        .with_bindings([bound])
        .with_max_pending(2);
    let manager = Manager::new(warmer(store.clone(), strict()), binding(&settings)).unwrap();
    for n in 0..5 {
        manager.publish(&Event::Custom {
            name: "page".to_owned(),
            data: json!(n),
        });
    }
    let details = manager.trigger("events").unwrap().status().details;
    assert_eq!(
        details,
        json!({"seen": 5, "coalesced": 0, "dropped": 3, "pending": 2})
    );
}
