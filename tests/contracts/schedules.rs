//! Times of the day.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forewarm::{
    Manager, ManagerSettings, ScheduleSettings, ScheduledSettings, TriggerSettings, Warmth,
};
use serde_json::json;
use tokio::time::Instant;

use crate::fixture::{FrozenTime, index, is_busy, put, strict, warmer};
use crate::refresh::{asking, warmth};
use crate::test_store::TestStore;

const HOUR: Duration = Duration::from_secs(3600);

/// The time of day, by tokio's clock.
fn day_clock(start: &str) -> impl Fn() -> SystemTime + Send + Sync + 'static + Clone {
    let (zero, begun) = (unix(start), Instant::now());
    move || UNIX_EPOCH + Duration::from_millis(zero) + begun.elapsed()
}

/// Milliseconds since 1970 of a time of the 27th of November 2026, a Friday.
fn unix(time: &str) -> u64 {
    let (hours, minutes) = time.split_once(':').unwrap();
    let minutes = hours.parse::<u64>().unwrap() * 60 + minutes.parse::<u64>().unwrap();
    1_795_737_600_000 + minutes * 60_000
}

fn timed(store: &Arc<TestStore>, schedules: Vec<ScheduleSettings>, start: &str) -> Manager {
    let trigger = TriggerSettings::default();
    timed_by(store, trigger, schedules, start)
}

fn timed_by(
    store: &Arc<TestStore>,
    trigger: TriggerSettings,
    schedules: Vec<ScheduleSettings>,
    start: &str,
) -> Manager {
    let scheduled = ScheduledSettings::default()
        .with_trigger(trigger)
        .with_schedules(schedules)
        .with_seed(Some(7));
    let settings = ManagerSettings::default().with_scheduled(Some(scheduled));
    let builder = Manager::builder(warmer(store.clone(), strict())).settings(settings);
    builder.clock(day_clock(start)).build().unwrap()
}

#[tokio::test]
async fn schedules_run_at_their_times_and_tell_when_they_did_and_will() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let a = time
        .run(put(&*store, "logs/a.split", &index(1, 60, 1)))
        .await;
    let b = time.run(put(&*store, "b.split", &index(1, 70, 2))).await;
    let hourly = ScheduleSettings::new("hourly", "0 * * * *", [asking("w3")]).with_prefix("logs/");
    let jitter = ScheduleSettings::new("late", "0 12 * * *", [asking("sea1")])
        .with_zone("Europe/Paris")
        .with_jitter(Duration::from_secs(600));
    let off = ScheduleSettings::new("off", "* * * * *", [asking("w9")]).with_enabled(false);
    let manager = timed(&store, vec![hourly, jitter, off], "09:30");
    manager.announce([a.clone(), b.clone()]);
    let planned = manager.schedules();
    assert_eq!(planned[0].next_run, Some(unix("10:00")));
    // 12:00 in Paris, and up to ten minutes.
    let late = planned[1].next_run.unwrap();
    assert!((unix("11:00")..=unix("11:10")).contains(&late), "{late}");
    assert_eq!((planned[2].enabled, planned[2].next_run), (false, None));
    manager.start();
    time.pass(Duration::from_secs(29 * 60), || is_busy(&manager))
        .await;
    assert_eq!(manager.schedules()[0].runs, 0);
    time.pass(Duration::from_secs(2 * 60), || is_busy(&manager))
        .await;
    let ran = &manager.schedules()[0];
    assert_eq!((ran.runs, ran.next_run), (1, Some(unix("11:00"))));
    let last = ran.last_run.unwrap();
    assert!(
        (unix("10:00")..unix("10:00") + 5000).contains(&last),
        "{last}"
    );
    manager.set_schedule_enabled("hourly", false).unwrap();
    assert!(manager.set_schedule_enabled("none", true).is_err());
    time.pass(3 * HOUR, || is_busy(&manager)).await;
    let schedules = manager.schedules();
    assert_eq!((schedules[0].runs, schedules[0].next_run), (1, None));
    assert_eq!((schedules[1].runs, schedules[2].runs), (1, 0));
    manager.set_schedule_enabled("hourly", true).unwrap();
    time.pass(HOUR, || is_busy(&manager)).await;
    assert_eq!(manager.schedules()[0].runs, 2);
    let details = manager.trigger("scheduled").unwrap().status().details;
    assert_eq!(details[0]["runs"], json!(2));
    assert_eq!(warmth(&manager, &a, &asking("w3")), Warmth::Cached);
    assert_eq!(warmth(&manager, &b, &asking("sea1")), Warmth::Cached);
    assert!(matches!(
        warmth(&manager, &b, &asking("w3")),
        Warmth::Cold(_) | Warmth::Partial(_)
    ));
}

#[tokio::test]
async fn times_that_pass_while_it_is_off_are_not_made_up_for() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let hourly = ScheduleSettings::new("hourly", "0 * * * *", [asking("w3")]);
    let manager = timed(&store, vec![hourly], "09:30");
    let trigger = manager.trigger("scheduled").unwrap();
    manager.start();
    trigger.set_enabled(false);
    time.pass(3 * HOUR, || is_busy(&manager)).await;
    trigger.set_enabled(true);
    time.pass(Duration::from_secs(60), || is_busy(&manager))
        .await;
    let schedules = manager.schedules();
    assert_eq!(
        (schedules[0].runs, schedules[0].next_run),
        (0, Some(unix("13:00")))
    );
}

#[tokio::test]
async fn a_time_that_comes_while_another_schedule_is_warmed_is_due_once_after_that() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let a = time.run(put(&*store, "a.split", &index(1, 60, 1))).await;
    let b = time.run(put(&*store, "b.split", &index(1, 70, 2))).await;
    let first = ScheduleSettings::new("first", "0 0 10 * * *", [asking("w3")]).with_prefix("a");
    let second = ScheduleSettings::new("second", "2,3 0 10 * * *", [asking("w3")]).with_prefix("b");
    let trigger = TriggerSettings::default().with_interval(Duration::from_secs(1));
    let manager = timed_by(&store, trigger, vec![first, second], "09:59");
    manager.announce([a.clone(), b.clone()]);
    store.hold(a.path());
    manager.start();
    time.pass(Duration::from_secs(65), || false).await;
    assert_eq!(store.begun_of(a.path()), 1);
    assert_eq!(manager.schedules()[1].runs, 0);
    store.release(a.path());
    time.pass(Duration::from_secs(3), || is_busy(&manager))
        .await;
    let runs: Vec<_> = manager.schedules().iter().map(|it| it.runs).collect();
    assert_eq!(runs, [1, 1]);
    assert_eq!(warmth(&manager, &b, &asking("w3")), Warmth::Cached);
    // It is not due at intervals, so none were left out.
    let status = manager.trigger("scheduled").unwrap().status();
    assert_eq!((status.ticks, status.skipped_ticks), (2, 0));
}
