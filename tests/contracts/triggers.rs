//! What all triggers share: when they tick, how they are switched and end.
//!
//! Time is tokio's, paused; triggers that warm nothing make it exact.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forewarm::{
    Error, ErrorKind, Manager, ManagerSettings, RefreshSettings, Result, ScheduleSettings,
    ScheduledSettings, SearchRequest, SplitAddress, Trigger, TriggerContext, TriggerHandle,
    TriggerSettings, TriggerState, Wanted,
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fixture::{index, put, request, strict, warmer};
use crate::test_store::TestStore;

const MINUTE: Duration = Duration::from_secs(60);
/// Longer than anything that does not hang.
pub const PATIENCE: Duration = Duration::from_secs(3600);

/// A trigger that does what it is told.
#[derive(Debug)]
pub struct Told {
    name: &'static str,
    settings: TriggerSettings,
    /// How long it looks for what to warm.
    takes: Duration,
    wanted: Vec<Wanted>,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// When ticks began.
    ticks: Mutex<Vec<Instant>>,
    /// How many of the next ticks panic, then how many fail.
    panics: AtomicUsize,
    failures: AtomicUsize,
}

impl Told {
    pub fn new(name: &'static str, settings: TriggerSettings) -> Self {
        Self {
            name,
            settings,
            takes: Duration::ZERO,
            wanted: Vec::new(),
            log: Arc::default(),
        }
    }

    pub fn wanting(self, splits: &[SplitAddress], request: &SearchRequest) -> Self {
        let request = Arc::new(request.clone());
        let wanted = splits
            .iter()
            .map(|split| Wanted::new(split.clone(), Arc::clone(&request)));
        Self {
            wanted: wanted.collect(),
            ..self
        }
    }
}

fn once_more(count: &AtomicUsize) -> bool {
    let less = |left: usize| left.checked_sub(1);
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

#[async_trait::async_trait]
impl Trigger for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn settings(&self) -> TriggerSettings {
        self.settings.clone()
    }

    async fn wanted(&self, _: &TriggerContext) -> Result<Vec<Wanted>> {
        self.log.ticks.lock().unwrap().push(Instant::now());
        sleep(self.takes).await;
        assert!(!once_more(&self.log.panics), "told to panic");
        if once_more(&self.log.failures) {
            // Any error will do.
            return Err(SearchRequest::from_json("{").unwrap_err());
        }
        Ok(self.wanted.clone())
    }
}

pub fn manager(store: &Arc<TestStore>, triggers: Vec<Told>) -> Manager {
    let mut builder = Manager::builder(warmer(store.clone(), strict()));
    for trigger in triggers {
        builder = builder.trigger(trigger);
    }
    builder.build().unwrap()
}

pub async fn splits(store: &TestStore, count: u64) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..count {
        splits.push(put(store, &format!("{n}.split"), &index(1, 60 + n, n)).await);
    }
    splits
}

pub fn some_request() -> SearchRequest {
    request(json!({"match": {"body": "common w3"}}))
}

pub fn only(manager: &Manager) -> TriggerHandle {
    manager.triggers().remove(0)
}

pub fn every_minute() -> TriggerSettings {
    TriggerSettings::default().with_interval(MINUTE)
}

#[tokio::test(start_paused = true)]
async fn ticks_come_at_intervals_and_what_is_due_meanwhile_is_left_out() {
    let store = TestStore::in_memory();
    let trigger = Told {
        takes: Duration::from_secs(150),
        ..Told::new("slow", every_minute())
    };
    let log = Arc::clone(&trigger.log);
    let manager = manager(&store, vec![trigger]);
    let start = Instant::now();
    sleep(5 * MINUTE).await;
    assert!(
        log.ticks.lock().unwrap().is_empty(),
        "nothing ran before it was started"
    );
    let started = start.elapsed();
    manager.start();
    manager.start();
    sleep(Duration::from_secs(400)).await;
    let ticks = log.ticks.lock().unwrap().clone();
    let minutes: Vec<u64> = ticks
        .iter()
        .map(|tick| (*tick - start - started).as_secs() / 60)
        .collect();
    assert_eq!(minutes, [0, 3, 6]);
    let status = only(&manager).status();
    assert_eq!((status.ticks, status.skipped_ticks), (2, 4));
    assert_eq!(status.state, TriggerState::Running);
    assert_eq!(status.last_tick_ms, 150_000);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_off_does_nothing_until_it_is_switched_on() {
    let store = TestStore::in_memory();
    let trigger = Told::new("off", every_minute().with_enabled(false));
    let log = Arc::clone(&trigger.log);
    let manager = manager(&store, vec![trigger]);
    manager.start();
    let handle = manager.trigger("off").unwrap();
    sleep(10 * MINUTE).await;
    assert!(log.ticks.lock().unwrap().is_empty());
    assert_eq!(handle.status().state, TriggerState::Off);
    let refused = handle.warm_now(PATIENCE).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidRequest);
    handle.set_enabled(true);
    sleep(MINUTE / 2).await;
    assert_eq!(log.ticks.lock().unwrap().len(), 1);
    handle.set_enabled(false);
    sleep(10 * MINUTE).await;
    assert_eq!(log.ticks.lock().unwrap().len(), 1);
    assert!(manager.trigger("none").is_none());
}

#[tokio::test(start_paused = true)]
async fn it_ticks_at_once_when_it_is_asked_to_and_a_shorter_interval_counts_at_once() {
    let store = TestStore::in_memory();
    let hourly = every_minute().with_interval(60 * MINUTE);
    let trigger = Told::new("hourly", hourly.clone());
    let log = Arc::clone(&trigger.log);
    let manager = manager(&store, vec![trigger]);
    manager.start();
    let handle = only(&manager);
    sleep(MINUTE).await;
    let before = Instant::now();
    let status = handle.warm_now(PATIENCE).await.unwrap();
    assert_eq!(status.ticks, 2);
    assert!(before.elapsed() < MINUTE);
    handle.set_settings(hourly.with_interval(MINUTE)).unwrap();
    sleep(MINUTE * 3).await;
    assert_eq!(log.ticks.lock().unwrap().len(), 4);
    let wrong = TriggerSettings::default()
        .with_batch_size(0)
        .with_least_use(2.0);
    let error = handle.set_settings(wrong).unwrap_err().to_string();
    assert!(
        error.contains("batch_size") && error.contains("least_use"),
        "{error}"
    );
    assert_eq!(handle.settings().interval, MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_fails_or_panics_is_told_and_the_next_one_comes() {
    let store = TestStore::in_memory();
    let trigger = Told::new("unlucky", every_minute());
    trigger.log.panics.store(1, Ordering::SeqCst);
    trigger.log.failures.store(1, Ordering::SeqCst);
    let manager = manager(&store, vec![trigger]);
    manager.start();
    let handle = only(&manager);
    sleep(MINUTE / 2).await;
    let status = handle.status();
    assert_eq!(
        status.error.as_deref(),
        Some("the trigger unlucky panicked")
    );
    sleep(MINUTE).await;
    let status = handle.status();
    assert_eq!((status.ticks, status.failed_ticks), (2, 2));
    assert!(status.error.is_some_and(|error| error.contains("JSON")));
    sleep(MINUTE).await;
    assert_eq!(handle.status().error, None);
}

/// Panics as soon as it waits.
#[derive(Debug)]
struct Hasty;

#[async_trait::async_trait]
impl Trigger for Hasty {
    fn name(&self) -> &str {
        "hasty"
    }

    async fn wanted(&self, _: &TriggerContext) -> Result<Vec<Wanted>> {
        Ok(Vec::new())
    }

    async fn due(&self, _: &TriggerContext) {
        panic!("told to panic");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_while_it_waits_is_stopped_and_says_so() {
    let store = TestStore::in_memory();
    let builder = Manager::builder(warmer(store, strict())).trigger(Hasty);
    let manager = builder.build().unwrap();
    manager.start();
    sleep(MINUTE).await;
    let handle = only(&manager);
    let status = handle.status();
    assert_eq!(status.state, TriggerState::Stopped);
    let error = status.error.unwrap();
    assert!(error.contains("hasty panicked while it waited"), "{error}");
    let refused = handle.warm_now(PATIENCE).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn an_interval_for_ever_is_no_end() {
    let store = TestStore::in_memory();
    let for_ever = TriggerSettings::default()
        .with_interval(Duration::MAX)
        .with_deadline(Duration::MAX);
    let trigger = Told {
        takes: MINUTE,
        ..Told::new("seldom", for_ever.clone())
    };
    let scheduled = ScheduledSettings::default().with_trigger(for_ever.clone());
    let settings = ManagerSettings::default()
        .with_scheduled(Some(scheduled))
        .with_refresh(Some(
            RefreshSettings::default().with_trigger(for_ever.clone()),
        ));
    let builder = Manager::builder(warmer(store.clone(), strict())).settings(settings);
    let manager = builder.trigger(trigger).build().unwrap();
    manager.start();
    for handle in manager.triggers() {
        handle.set_settings(for_ever.clone()).unwrap();
        let status = handle.warm_now(PATIENCE).await.unwrap();
        assert!(status.error.is_none(), "{status:?}");
        sleep(MINUTE).await;
        assert_eq!(handle.status().state, TriggerState::Idle);
    }
    let jitter = ScheduleSettings::new("late", "@daily", [some_request()]);
    let scheduled =
        ScheduledSettings::default().with_schedules([jitter.with_jitter(Duration::MAX)]);
    let settings = ManagerSettings::default().with_scheduled(Some(scheduled));
    let error = Manager::new(warmer(store, strict()), settings).unwrap_err();
    assert!(
        error.to_string().contains("jitter is above a day"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn looking_for_longer_than_the_deadline_is_given_up() {
    let store = TestStore::in_memory();
    let settings = every_minute().with_deadline(MINUTE / 2);
    let trigger = Told {
        takes: PATIENCE,
        ..Told::new("stuck", settings)
    };
    let manager = manager(&store, vec![trigger]);
    manager.start();
    sleep(MINUTE).await;
    let error = only(&manager).status().error.unwrap();
    assert!(error.contains("longer than 30s"), "{error}");
}

#[tokio::test]
async fn what_it_wants_is_warm_and_what_is_warm_costs_nothing_again() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 5).await;
    let request = some_request();
    let settings = every_minute().with_batch_size(2).with_max_concurrency(1);
    let manager = manager(
        &store,
        vec![Told::new("all", settings).wanting(&splits, &request)],
    );
    manager.start();
    let handle = only(&manager);
    let status = handle.warm_now(PATIENCE).await.unwrap();
    assert_eq!(
        (status.wanted, status.warmed),
        (5 * status.ticks, 5 * status.ticks)
    );
    let gets = status.traffic.gets;
    assert!(gets > 0);
    let response = manager.warmer().search(&splits, &request).await.unwrap();
    assert_eq!(response.report.gets, 0);
    let again = handle.warm_now(PATIENCE).await.unwrap();
    assert_eq!(again.traffic.gets, gets);
    // Batches of two, two and one.
    let jobs = manager.jobs();
    let of_first_tick: Vec<_> = jobs.iter().take(3).map(|job| job.splits).collect();
    assert_eq!(of_first_tick, [2, 2, 1]);
    assert!(jobs.iter().all(|job| job.source == "all"));
    assert!(manager.snapshot().sources["all"].tally.warmed >= 10);
}

#[tokio::test]
async fn nothing_begins_after_shutdown_and_what_runs_is_given_up_at_its_deadline() {
    let store = TestStore::in_memory();
    let splits = splits(&store, 3).await;
    let settings = every_minute().with_batch_size(1);
    let trigger = Told::new("stuck", settings).wanting(&splits, &some_request());
    let manager = manager(&store, vec![trigger]);
    store.close();
    manager.start();
    store.has_begun(1).await;
    let handle = only(&manager);
    let report = manager.shutdown(Duration::from_millis(1)).await;
    assert_eq!(report.cancelled_jobs, 1);
    let refused = handle.warm_now(PATIENCE).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Cancelled);
    store.open();
    manager.start();
    assert_eq!(manager.shutdown(PATIENCE).await.cancelled_jobs, 0);
    assert_eq!(store.begun(), 1);
}

#[tokio::test]
async fn a_manager_that_is_dropped_leaves_no_trigger_behind() {
    let store = TestStore::in_memory();
    let trigger = Told::new("left", every_minute());
    let log = Arc::downgrade(&trigger.log);
    let manager = manager(&store, vec![trigger]);
    manager.start();
    only(&manager).warm_now(PATIENCE).await.unwrap();
    drop(manager);
    for _ in 0..1000 {
        if log.strong_count() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the trigger is still there");
}

#[tokio::test]
async fn all_that_is_wrong_with_settings_is_told_at_once() {
    let store = TestStore::in_memory();
    let settings: ManagerSettings = serde_json::from_value(json!({
        "demand_reserve": 1.5,
        "max_concurrent_warmups": 0,
        "refresh": {"splits_per_tick": 0, "trigger": {"interval": 1}},
        "scheduled": {"schedules": [
            {"name": "a", "cron": "61 * * * *", "requests": [{}]},
            {"name": "a", "cron": "@daily", "zone": "Atlantis", "requests": []},
        ]},
        "events": {"bindings": [{"event": "", "requests": [{"sise": 1}]}]},
    }))
    .unwrap();
    let built = Manager::new(warmer(store, strict()), settings);
    let message = built.map(|_| ()).unwrap_err().to_string();
    for part in [
        "demand_reserve",
        "max_concurrent_warmups",
        "splits_per_tick",
        "refresh.trigger.interval",
        "61 * * * *",
        "Atlantis",
        "two schedules are called \"a\"",
        "it has no requests",
        "event is empty",
        "sise",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let two: Result<Manager, Error> = Manager::builder(warmer(TestStore::in_memory(), strict()))
        .trigger(Told::new("same", every_minute()))
        .trigger(Told::new("same", every_minute()))
        .build();
    let message = two.map(|_| ()).unwrap_err().to_string();
    assert!(
        message.contains("two triggers are called same"),
        "{message}"
    );
    // Statistics would take them for others.
    for name in ["", "prewarm", "search"] {
        let built = Manager::builder(warmer(TestStore::in_memory(), strict()))
            .trigger(Told::new(name, every_minute()))
            .build();
        let message = built.map(|_| ()).unwrap_err().to_string();
        assert!(
            message.contains(&format!("may be called {name:?}")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn settings_change_while_it_runs_where_that_makes_sense() {
    let store = TestStore::in_memory();
    let manager = manager(&store, Vec::new());
    let settings = (*manager.settings()).clone();
    let changed = settings
        .clone()
        .with_enabled(false)
        .with_demand_reserve(0.5);
    manager.set_settings(changed.clone()).unwrap();
    assert!(!manager.is_enabled());
    assert_eq!(*manager.settings(), changed);
    let fixed = settings.with_refresh(Some(Default::default()));
    let error = manager.set_settings(fixed).unwrap_err().to_string();
    assert!(error.contains("refresh"), "{error}");
    assert_eq!(*manager.settings(), changed);
}

#[tokio::test]
async fn what_is_switched_stays_so_when_other_settings_change() {
    let store = TestStore::in_memory();
    let trigger = Told::new("told", every_minute());
    let manager = manager(&store, vec![trigger]);
    manager.set_enabled(false);
    assert!(!manager.settings().enabled);
    let settings = manager.settings().as_ref().clone().with_finished_jobs(7);
    manager.set_settings(settings).unwrap();
    assert!(!manager.is_enabled());
    manager.set_enabled(true);
    assert!(manager.settings().enabled);
    // Whoever switches a trigger loses nobody's other change.
    let handle = only(&manager);
    std::thread::scope(|scope| {
        for n in 1..=200_u8 {
            let (switch, change) = (handle.clone(), handle.clone());
            let switched = scope.spawn(move || switch.set_enabled(n % 2 == 0));
            change
                .set_settings(every_minute().with_priority(n))
                .unwrap();
            switched.join().unwrap();
            assert_eq!(handle.settings().priority, n);
        }
    });
}
