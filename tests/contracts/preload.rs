//! A node that joins its fleet warm.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    JobState, Manager, ManagerSettings, PreloadSettings, Readiness, ReadinessState, SearchOptions,
    SearchRequest, SplitAddress, TriggerSettings, TriggerState,
};
use serde_json::json;

use crate::fixture::{
    FrozenTime, index, is_busy, put, request, requests, strict, warmer, with_documents,
};
use crate::place::Place;
use crate::test_store::TestStore;

/// Long enough that only what hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(60);
const SPLITS: u64 = 4;

async fn splits(store: &TestStore) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..SPLITS {
        splits.push(put(store, &format!("{n}.split"), &index(1, 100 + n, n)).await);
    }
    splits
}

fn word(n: usize) -> SearchRequest {
    request(json!({"match": {"body": format!("common w{n}")}}))
}

/// Preloads `requests` and the hot set in `place`.
fn manager(
    store: &Arc<TestStore>,
    place: &Place,
    preload: PreloadSettings,
    requests: impl IntoIterator<Item = SearchRequest>,
) -> Manager {
    let settings = ManagerSettings::default().with_preload(Some(preload));
    let manager = Manager::builder(warmer(store.clone(), strict()))
        .settings(settings)
        .hot_set(place.clone())
        .preload(requests);
    manager.build().unwrap()
}

fn quick(trigger: TriggerSettings) -> PreloadSettings {
    PreloadSettings::default().with_trigger(trigger.with_interval(Duration::from_millis(10)))
}

/// Leaves behind a hot set, of which the first requests are the hottest.
async fn hot(store: &Arc<TestStore>, place: &Place, splits: &[SplitAddress], words: usize) {
    let manager = manager(store, place, PreloadSettings::default(), []);
    for n in 0..words {
        for _ in n..words {
            let options = SearchOptions::default();
            let searched = manager.search(splits, &word(n), &options).await;
            searched.unwrap();
        }
    }
    assert!(manager.shutdown(PATIENCE).await.hot_set_written);
}

fn figures(readiness: &Readiness) -> (ReadinessState, u64, u64, u64) {
    let Readiness {
        state,
        wanted,
        warm,
        failed,
        ..
    } = readiness;
    (*state, *wanted, *warm, *failed)
}

#[tokio::test]
async fn given_requests_are_warm_in_every_split_before_the_node_is_ready() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let body = json!({"query": {"term": {"tag": "t3"}}, "size": 3});
    let preload = PreloadSettings::default().with_requests([body.clone()]);
    // The second is the first again.
    let again = SearchRequest::from_value(&body).unwrap();
    let manager = manager(&store, &Place::default(), preload, [again, word(3)]);
    manager.announce(splits.clone());
    manager.start();
    let readiness = manager.ready(PATIENCE).await;
    let all = 2 * SPLITS;
    assert_eq!(figures(&readiness), (ReadinessState::Ready, all, all, 0));
    let status = manager.trigger("preload").unwrap().status();
    assert_eq!((status.ticks, status.warmed), (1, all));
    assert_eq!(status.details, json!({"over": true, "passed_over": 0}));
    let response = manager.warmer().search(&splits, &word(3)).await.unwrap();
    assert_eq!((response.report.gets, response.report.late_reads), (0, 0));
    // It answers the same again, at once.
    assert_eq!(
        figures(&manager.ready(Duration::ZERO).await),
        figures(&readiness)
    );
}

#[tokio::test]
async fn nothing_to_preload_is_ready_at_once() {
    let store = TestStore::in_memory();
    let plain = Manager::new(warmer(store.clone(), strict()), ManagerSettings::default());
    let readiness = plain.unwrap().ready(Duration::ZERO).await;
    assert_eq!(figures(&readiness), (ReadinessState::Ready, 0, 0, 0));
    // A trigger that is given nothing, and one whose hot set is empty.
    let settings = ManagerSettings::default().with_preload(Some(PreloadSettings::default()));
    let nothing = Manager::new(warmer(store.clone(), strict()), settings).unwrap();
    let empty = manager(&store, &Place::default(), PreloadSettings::default(), []);
    for manager in [nothing, empty] {
        manager.start();
        let readiness = manager.ready(PATIENCE).await;
        assert_eq!(figures(&readiness), (ReadinessState::Ready, 0, 0, 0));
    }
}

#[tokio::test]
async fn given_requests_wait_for_a_split_to_be_announced() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    hot(&store, &place, &splits[..1], 1).await;
    let manager = manager(&store, &place, PreloadSettings::default(), [word(7)]);
    manager.start();
    // The hot set needs no catalogue.
    let preload = manager.trigger("preload").unwrap();
    preload.warm_now(PATIENCE).await.unwrap();
    let readiness = manager.ready(Duration::ZERO).await;
    assert_eq!(figures(&readiness), (ReadinessState::TimedOut, 1, 1, 0));
    manager.announce(splits);
    let readiness = manager.ready(PATIENCE).await;
    let all = SPLITS + 1;
    assert_eq!(figures(&readiness), (ReadinessState::Ready, all, all, 0));
}

#[tokio::test]
async fn splits_that_are_not_served_any_more_are_passed_over() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    hot(&store, &place, &splits, 2).await;
    let served = splits[1..].to_vec();
    let manager = manager(&store, &place, PreloadSettings::default(), []);
    manager.announce(served);
    store.take();
    manager.start();
    let readiness = manager.ready(PATIENCE).await;
    let all = 2 * (SPLITS - 1);
    assert_eq!(figures(&readiness), (ReadinessState::Ready, all, all, 0));
    assert_eq!(readiness.passed_over, 2);
    assert!(store.take().iter().all(|get| get.path != *splits[0].path()));
}

#[tokio::test]
async fn the_hottest_are_warmed_first_and_searches_run_meanwhile() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    hot(&store, &place, &splits[..1], 3).await;
    let one_by_one = TriggerSettings::default().with_batch_size(1);
    let manager = manager(&store, &place, quick(one_by_one), []);
    let begun = store.begun();
    store.close();
    manager.start();
    store.has_begun(begun + 1).await;
    let running = manager.jobs();
    assert_eq!(running.len(), 1);
    assert_eq!(running[0].items[0].fingerprint, word(0).fingerprint());
    let readiness = manager.ready(Duration::ZERO).await;
    assert_eq!(figures(&readiness), (ReadinessState::TimedOut, 3, 0, 0));
    let status = manager.trigger("preload").unwrap().status();
    assert_eq!((status.wanted, status.current.unwrap().wanted), (0, 3));
    // Another split, which nobody preloads.
    let search = tokio::spawn({
        let (manager, split) = (manager.clone(), splits[3].clone());
        async move {
            let options = SearchOptions::default();
            manager.search(&[split], &word(9), &options).await
        }
    });
    store.has_begun(begun + 2).await;
    store.open();
    assert_eq!(search.await.unwrap().unwrap().report.late_reads, 0);
    let readiness = manager.ready(PATIENCE).await;
    assert_eq!(readiness.state, ReadinessState::Ready);
    let ended: Vec<_> = manager
        .jobs()
        .iter()
        .map(|job| job.items[0].fingerprint)
        .collect();
    let hottest: Vec<_> = (0..3).map(|n| word(n).fingerprint()).collect();
    assert_eq!(ended[..3], hottest);
}

#[tokio::test]
async fn what_the_budget_left_out_is_tried_again_or_given_up_at_the_deadline() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    let budget = TriggerSettings::default()
        .with_gets_per_hour(Some(1))
        .with_batch_size(1);
    let forty = || (0..10).map(word);
    let patient = manager(&store, &place, quick(budget.clone()), forty());
    patient.announce(splits.clone());
    patient.start();
    let preload = patient.trigger("preload").unwrap();
    let status = preload.warm_now(PATIENCE).await.unwrap();
    assert!(status.left_out["budget"] > 0 && status.warmed > 0);
    let readiness = patient.ready(Duration::ZERO).await;
    assert_eq!(readiness.state, ReadinessState::TimedOut);
    assert!(readiness.left_out["budget"] > 0, "{readiness:?}");
    preload
        .set_settings(budget.clone().with_gets_per_hour(None))
        .unwrap();
    let status = preload.warm_now(PATIENCE).await.unwrap();
    assert!(status.ticks > 1);
    let readiness = patient.ready(PATIENCE).await;
    assert_eq!(figures(&readiness), (ReadinessState::Ready, 40, 40, 0));
    assert!(readiness.left_out.is_empty());

    let hasty = quick(budget).with_deadline(Duration::from_millis(100));
    let hasty = manager(&store, &place, hasty, forty());
    hasty.announce(splits);
    hasty.start();
    let readiness = hasty.ready(PATIENCE).await;
    assert_eq!(readiness.state, ReadinessState::Partial);
    assert_eq!(readiness.warm + readiness.left_out["budget"], 40);
}

#[tokio::test]
async fn a_node_whose_preload_is_off_is_told_so_and_goes_on_when_it_is_switched_on() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    let off = TriggerSettings::default().with_enabled(false);
    let manager = manager(&store, &place, quick(off), [word(1)]);
    manager.announce(splits);
    manager.start();
    assert_eq!(manager.ready(PATIENCE).await.state, ReadinessState::Off);
    let preload = manager.trigger("preload").unwrap();
    preload.set_enabled(true);
    let ready = manager.ready(PATIENCE).await;
    assert_eq!(figures(&ready), (ReadinessState::Ready, SPLITS, SPLITS, 0));
    assert!(preload.status().current.is_none());
    // Over is over, whoever switches it off.
    preload.set_enabled(false);
    assert!(manager.ready(Duration::ZERO).await.is_ready());
}

#[tokio::test]
async fn a_node_whose_manager_is_off_is_told_so() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    let preload = quick(TriggerSettings::default());
    let manager = manager(&store, &place, preload, [word(1)]);
    manager.announce(splits);
    manager.set_enabled(false);
    manager.start();
    let trigger = manager.trigger("preload").unwrap();
    let status = trigger.warm_now(PATIENCE).await.unwrap();
    assert_eq!(status.left_out["off"], SPLITS);
    let readiness = manager.ready(PATIENCE).await;
    assert_eq!(figures(&readiness), (ReadinessState::Off, SPLITS, 0, 0));
    manager.set_enabled(true);
    let readiness = manager.ready(PATIENCE).await;
    assert_eq!(
        figures(&readiness),
        (ReadinessState::Ready, SPLITS, SPLITS, 0)
    );
}

#[test]
fn settings_survive_their_file() {
    let settings = ManagerSettings::default()
        .with_hot_set(forewarm::HotSetSettings::default().with_max_age(PATIENCE))
        .with_preload(Some(
            PreloadSettings::default()
                .with_requests([json!({"query": {"match_all": {}}})])
                .with_hot_set(false)
                .with_deadline(PATIENCE),
        ));
    let json = serde_json::to_string(&settings).unwrap();
    assert_eq!(
        serde_json::from_str::<ManagerSettings>(&json).unwrap(),
        settings
    );
    for wrong in [
        r#"{"hot_set": {"intervals": 1}}"#,
        r#"{"preload": {"request": []}}"#,
    ] {
        assert!(serde_json::from_str::<ManagerSettings>(wrong).is_err());
    }
}

#[tokio::test]
async fn switching_it_off_while_it_runs_ends_it_and_nobody_waits_on() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    let one_by_one = quick(TriggerSettings::default().with_batch_size(1));
    let manager = manager(&store, &place, one_by_one, [word(1), word(2)]);
    manager.announce(splits);
    let begun = store.begun();
    store.close();
    manager.start();
    store.has_begun(begun + 1).await;
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.ready(PATIENCE).await }
    });
    tokio::task::yield_now().await;
    manager.trigger("preload").unwrap().set_enabled(false);
    assert_eq!(waiting.await.unwrap().state, ReadinessState::Off);
    store.open();
    // The batch under way goes on, and no other is begun.
    let job = manager.jobs().remove(0).id;
    let job = manager.job(job).unwrap().wait(PATIENCE).await;
    assert_eq!(job.state, JobState::Complete);
    while manager.trigger("preload").unwrap().status().ticks == 0 {
        tokio::task::yield_now().await;
    }
    let status = manager.trigger("preload").unwrap().status();
    assert_eq!(status.state, TriggerState::Off);
    assert_eq!((status.warmed, status.left_out["off"]), (1, 2 * SPLITS - 1));
}

#[tokio::test]
async fn cancelling_a_batch_gives_up_the_rest_and_the_hot_set_is_settled() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    hot(&store, &place, &splits, 2).await;
    let one_by_one = quick(TriggerSettings::default().with_batch_size(1));
    let manager = manager(&store, &place, one_by_one, []);
    let begun = store.begun();
    store.close();
    manager.start();
    store.has_begun(begun + 1).await;
    let job = manager.jobs().remove(0).id;
    manager.job(job).unwrap().cancel();
    let readiness = manager.ready(PATIENCE).await;
    let all = 2 * SPLITS;
    assert_eq!(figures(&readiness), (ReadinessState::Partial, all, 0, 0));
    assert_eq!(readiness.left_out["cancelled"], all);
    store.open();
}

#[tokio::test]
async fn what_fails_is_told_and_not_tried_for_ever() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let mut splits = splits(&store).await;
    splits.push(SplitAddress::new("gone.split".into()));
    let manager = manager(&store, &place, PreloadSettings::default(), [word(1)]);
    manager.announce(splits);
    manager.start();
    let readiness = manager.ready(PATIENCE).await;
    let expected = (ReadinessState::Partial, SPLITS + 1, SPLITS, 1);
    assert_eq!(figures(&readiness), expected);
    assert_eq!(
        manager.snapshot().sources["preload"].tally.failed["NotFound"],
        1
    );
}

#[tokio::test]
async fn whoever_waits_for_a_manager_that_stops_is_told() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    let manager = manager(&store, &place, PreloadSettings::default(), [word(1)]);
    manager.announce(splits);
    let begun = store.begun();
    store.close();
    manager.start();
    store.has_begun(begun + 1).await;
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.ready(PATIENCE).await }
    });
    tokio::task::yield_now().await;
    manager.shutdown(Duration::ZERO).await;
    assert_eq!(waiting.await.unwrap().state, ReadinessState::Stopped);
    assert_eq!(manager.ready(PATIENCE).await.state, ReadinessState::Stopped);
}

#[tokio::test]
async fn a_hot_set_that_is_read_late_is_still_preloaded() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    hot(&store, &place, &splits, 2).await;
    place.break_down(true);
    let preload = quick(TriggerSettings::default());
    let manager = manager(
        &store,
        &place,
        preload,
        [with_documents(json!({"match_all": {}}))],
    );
    manager.announce(splits);
    // Soon tried again.
    let hot_set = forewarm::HotSetSettings::default().with_interval(Duration::from_millis(10));
    let settings = manager.settings().as_ref().clone().with_hot_set(hot_set);
    manager.set_settings(settings).unwrap();
    manager.start();
    let trigger = manager.trigger("preload").unwrap();
    trigger.warm_now(PATIENCE).await.unwrap();
    let readiness = manager.ready(Duration::ZERO).await;
    let expected = (ReadinessState::TimedOut, SPLITS, SPLITS, 0);
    assert_eq!(figures(&readiness), expected);
    place.break_down(false);
    let readiness = manager.ready(PATIENCE).await;
    let all = 3 * SPLITS;
    assert_eq!(figures(&readiness), (ReadinessState::Ready, all, all, 0));
}

#[tokio::test]
async fn after_it_is_over_it_warms_what_is_hot_when_it_is_asked_to() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(&store).await;
    let manager = manager(&store, &place, PreloadSettings::default(), []);
    manager.announce(splits.clone());
    manager.start();
    assert_eq!(manager.ready(PATIENCE).await.wanted, 0);
    manager.note_search(&splits, &requests()[0]);
    let trigger = manager.trigger("preload").unwrap();
    let status = trigger.warm_now(PATIENCE).await.unwrap();
    assert_eq!((status.wanted, status.warmed), (SPLITS, SPLITS));
    // Which is nothing that a node waited for.
    let readiness = manager.ready(Duration::ZERO).await;
    assert_eq!(figures(&readiness), (ReadinessState::Ready, 0, 0, 0));
    let other = manager.settings().as_ref().clone().with_preload(None);
    let error = manager.set_settings(other).unwrap_err();
    assert!(error.to_string().contains("preload"), "{error}");
}

#[tokio::test]
async fn settings_stay_those_that_were_given_whoever_else_gives_requests() {
    let store = TestStore::in_memory();
    let given = ManagerSettings::default();
    let manager = Manager::builder(warmer(store, strict()))
        .settings(given.clone())
        .preload([word(1)])
        .build()
        .unwrap();
    assert_eq!(*manager.settings(), given);
    manager.set_settings(given.with_finished_jobs(7)).unwrap();
    assert!(manager.trigger("preload").is_some());
}

#[tokio::test]
async fn what_a_ticks_deadline_left_out_is_tried_again() {
    let time = FrozenTime::new();
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = time.run(splits(&store)).await;
    let second = Duration::from_secs(1);
    let trigger = TriggerSettings::default()
        .with_interval(60 * second)
        .with_deadline(second)
        .with_batch_size(1);
    let preload = PreloadSettings::default().with_trigger(trigger);
    let manager = manager(&store, &place, preload, [word(1)]);
    manager.announce(splits);
    store.close();
    manager.start();
    time.run(store.has_begun(1)).await;
    time.pass(2 * second, || false).await;
    let readiness = time.run(manager.ready(Duration::ZERO)).await;
    assert_eq!(readiness.state, ReadinessState::TimedOut);
    assert_eq!(readiness.left_out["deadline"], SPLITS, "{readiness:?}");
    store.open();
    time.pass(61 * second, || is_busy(&manager)).await;
    let readiness = time.run(manager.ready(PATIENCE)).await;
    let expected = (ReadinessState::Ready, SPLITS, SPLITS, 0);
    assert_eq!(figures(&readiness), expected);
}
