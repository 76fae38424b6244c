//! What triggers may spend, and how many of their warmups run at once.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{Manager, ManagerSettings, SplitAddress, TriggerState};
use serde_json::json;

use crate::fixture::{FrozenTime, is_busy, request, strict, warmer};
use crate::test_store::TestStore;
use crate::triggers::{PATIENCE, Told, every_minute, manager, only, some_request, splits};

/// Starts a manager and sees that so many of its warmups run at once, and that all end well.
async fn runs_at_once(store: &TestStore, manager: &Manager, warmups: usize) {
    store.close();
    manager.start();
    store.has_begun(warmups).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // Each opens its split by one GET first.
    assert_eq!(store.begun(), warmups);
    store.open();
    let status = only(manager).warm_now(PATIENCE).await.unwrap();
    assert_eq!(status.warmed, status.wanted);
}

#[tokio::test]
async fn no_more_warmups_than_allowed_run_at_once() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 5).await;
    let settings = every_minute().with_max_concurrency(2);
    let trigger = Told::new("two", settings).wanting(&splits, &some_request());
    let manager = manager(&store, vec![trigger]);
    runs_at_once(&store, &manager, 2).await;
}

#[tokio::test]
async fn budgets_hold_for_an_hour() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let splits = time.run(splits(&store, 4)).await;
    let request = some_request();
    // What one split costs.
    let plain = warmer(store.clone(), strict());
    let warmup = plain.warm(&splits[0], &request);
    assert!(time.run(warmup.join(PATIENCE)).await.is_warm());
    let cost = warmup.traffic();
    let settings = every_minute()
        .with_batch_size(1)
        .with_gets_per_hour(Some(2 * cost.gets));
    let trigger = Told::new("thrifty", settings).wanting(&splits, &request);
    let manager = manager(&store, vec![trigger]);
    manager.start();
    let handle = only(&manager);
    let status = time.run(handle.warm_now(PATIENCE)).await.unwrap();
    assert!(status.traffic.gets <= 3 * cost.gets, "{status:?}");
    assert!(status.left_out["budget"] > 0, "{status:?}");
    assert!(status.warmed >= 2, "{status:?}");
    assert_eq!(status.warmed + status.left_out["budget"], status.wanted);
    // Each hour brings as much again.
    time.pass(3 * PATIENCE, || is_busy(&manager)).await;
    let later = time.run(handle.warm_now(PATIENCE)).await.unwrap();
    let found = manager.warmer().classify(&splits, &request);
    let warm = found.iter().filter(|warmth| warmth.name() == "cached");
    assert_eq!(warm.count(), 4, "{later:?}");
}

#[tokio::test]
async fn a_batch_that_nobody_can_foretell_does_not_pass_for_what_is_left_of_a_budget() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 4).await;
    let settings = every_minute().with_gets_per_hour(Some(1));
    let trigger = Told::new("thrifty", settings).wanting(&splits, &some_request());
    let manager = manager(&store, vec![trigger]);
    manager.start();
    let status = only(&manager).warm_now(PATIENCE).await.unwrap();
    let found = manager.warmer().classify(&splits, &some_request());
    let warm = found.iter().filter(|warmth| warmth.name() == "cached");
    assert_eq!(warm.count(), 1, "{status:?}");
    assert!(status.left_out["budget"] >= 3, "{status:?}");
}

/// A manager whose gate lets one warmup of triggers through at once.
fn narrow(store: &Arc<TestStore>, triggers: Vec<Told>) -> Manager {
    let settings = ManagerSettings::default().with_max_concurrent_trigger_warmups(1);
    let mut builder = Manager::builder(warmer(store.clone(), strict())).settings(settings);
    for trigger in triggers {
        builder = builder.trigger(trigger);
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn a_large_batch_warms_no_more_at_once_than_all_triggers_may() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 5).await;
    let trigger = Told::new("large", every_minute()).wanting(&splits, &some_request());
    let manager = narrow(&store, vec![trigger]);
    runs_at_once(&store, &manager, 1).await;
}

#[tokio::test]
async fn who_waits_for_others_still_ends_at_its_deadline_and_when_it_is_switched_off() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let splits = time.run(splits(&store, 3)).await;
    let of = |name, split: &SplitAddress, settings| {
        Told::new(name, settings).wanting(std::slice::from_ref(split), &some_request())
    };
    let second = Duration::from_secs(1);
    // As much as one that nobody can foretell is taken to send.
    let hasty = every_minute()
        .with_deadline(second)
        .with_gets_per_hour(Some(4));
    let manager = narrow(
        &store,
        vec![
            of("first", &splits[0], every_minute().with_priority(200)),
            of("hasty", &splits[1], hasty),
            of("off", &splits[2], every_minute()),
        ],
    );
    store.close();
    manager.start();
    time.run(store.has_begun(1)).await;
    time.pass(2 * second, || false).await;
    let [hasty, off] = ["hasty", "off"].map(|name| manager.trigger(name).unwrap());
    let status = hasty.status();
    assert_eq!(
        (status.state, status.left_out["deadline"]),
        (TriggerState::Idle, 1)
    );
    assert_eq!(off.status().state, TriggerState::Running);
    off.set_enabled(false);
    store.open();
    time.pass(2 * second, || is_busy(&manager)).await;
    assert_eq!(off.status().left_out["off"], 1);
    assert_eq!(store.begun_of(splits[2].path()), 0);
    // What it took from its budget was given back.
    let status = time.run(hasty.warm_now(PATIENCE)).await.unwrap();
    assert_eq!(status.warmed, 1, "{status:?}");
}

#[tokio::test]
async fn the_greatest_priority_goes_first() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 3).await;
    let of = |name, priority: u8, split: &SplitAddress, word: &str| {
        let request = request(json!({"match": {"body": word}}));
        let settings = every_minute().with_priority(priority);
        Told::new(name, settings).wanting(std::slice::from_ref(split), &request)
    };
    let triggers = [
        of("first", 1, &splits[0], "w1"),
        of("low", 5, &splits[1], "w2"),
        of("high", 9, &splits[2], "w3"),
    ];
    let settings = ManagerSettings::default().with_max_concurrent_trigger_warmups(1);
    let mut builder = Manager::builder(warmer(store.clone(), strict())).settings(settings);
    let [first, low, high] = triggers;
    // The first takes the only place before the others ask for it.
    builder = builder.trigger(first).trigger(low).trigger(high);
    let manager = builder.build().unwrap();
    store.close();
    manager.start();
    store.has_begun(1).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.begun(), 1);
    store.take();
    store.open();
    for name in ["low", "high"] {
        let handle = manager.trigger(name).unwrap();
        handle.warm_now(PATIENCE).await.unwrap();
    }
    let order: Vec<_> = store.take().into_iter().map(|get| get.path).collect();
    let at = |path| order.iter().position(|it| it == path).unwrap();
    assert!(at(splits[2].path()) < at(splits[1].path()), "{order:?}");
}
