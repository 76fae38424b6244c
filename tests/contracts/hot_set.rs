//! What was hot outlives the process: whole, bounded, and never less than it was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use forewarm::{
    HeatSettings, HotPair, HotSetFile, HotSetObject, HotSetSettings, HotSetState, HotSetStore,
    Manager, ManagerBuilder, ManagerSettings, PreloadSettings, Result, SearchOptions,
    SearchRequest, SplitAddress, Trigger, TriggerContext, Wanted,
};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use crate::fixture::{answer, index, put, request, requests, strict, truth, warmer};
use crate::place::Place;
use crate::test_store::TestStore;

/// Long enough that only what hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const INTERVAL: Duration = Duration::from_secs(30);

/// Tells what is hot.
#[derive(Clone, Debug, Default)]
struct Hot(Arc<Mutex<Vec<HotPair>>>);

#[async_trait]
impl Trigger for Hot {
    fn name(&self) -> &str {
        "hot"
    }

    async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>> {
        *self.0.lock().unwrap() = context.hot_pairs();
        Ok(Vec::new())
    }

    async fn due(&self, _context: &TriggerContext) {
        std::future::pending().await
    }
}

/// Asks a manager what is hot: paths and heat, the hottest first.
async fn hot(manager: &Manager, hot: &Hot) -> Vec<(String, f64)> {
    let trigger = manager.trigger("hot").unwrap();
    trigger.warm_now(PATIENCE).await.unwrap();
    let pairs = hot.0.lock().unwrap();
    pairs
        .iter()
        .map(|pair| (pair.split.to_string(), pair.heat))
        .collect()
}

fn builder(store: &Arc<TestStore>) -> ManagerBuilder {
    Manager::builder(warmer(store.clone(), strict()))
}

/// One that preloads its hot set.
fn preloading(store: &Arc<TestStore>, place: impl HotSetStore + 'static) -> Manager {
    let settings = ManagerSettings::default().with_preload(Some(PreloadSettings::default()));
    let builder = builder(store).settings(settings).hot_set(place);
    builder.build().unwrap()
}

fn splits(count: usize) -> Vec<SplitAddress> {
    let split = |n| SplitAddress::new(format!("{n:03}.split").into());
    (0..count).map(split).collect()
}

async fn written_splits(store: &TestStore, count: u64) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..count {
        splits.push(put(store, &format!("{n:03}.split"), &index(1, 100 + n, n)).await);
    }
    splits
}

fn some_request() -> SearchRequest {
    request(json!({"match": {"body": "common w3"}}))
}

/// Waits until what the last run wrote was read.
async fn is_read(manager: &Manager) {
    while manager.hot_set().unwrap().state == HotSetState::Unread {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_restarted_node_warms_what_was_hot_in_one_round_and_its_searches_read_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let row = Place::default();
    for kind in 0..3 {
        let place = || -> Box<dyn HotSetStore> {
            match kind {
                0 => Box::new(HotSetFile::new(folder.path().join("deep/hot-set")).unwrap()),
                1 => Box::new(HotSetObject::new(
                    Arc::clone(&elsewhere),
                    "node/hot-set".into(),
                )),
                _ => Box::new(row.clone()),
            }
        };
        let store = TestStore::in_memory();
        let splits = written_splits(&store, 3).await;
        let plain: Arc<dyn ObjectStore> = store.clone();
        let before = preloading(&store, Boxed(place()));
        for request in requests() {
            for _ in 0..2 {
                let options = SearchOptions::default();
                before.search(&splits, &request, &options).await.unwrap();
            }
        }
        assert!(before.shutdown(PATIENCE).await.hot_set_written);
        let written = before.hot_set().unwrap();
        let pairs = (splits.len() * requests().len()) as u64;
        assert_eq!((written.written_pairs, written.left_out), (pairs, 0));

        let after = preloading(&store, Boxed(place()));
        after.announce(splits.clone());
        after.start();
        let readiness = after.ready(PATIENCE).await;
        assert!(readiness.is_ready(), "{readiness:?}");
        assert_eq!((readiness.wanted, readiness.warm), (pairs, pairs));
        let status = after.hot_set().unwrap();
        assert_eq!(
            (status.state, status.loaded_pairs, status.passed_over),
            (HotSetState::Own, pairs, 0)
        );
        for item in after.jobs().iter().flat_map(|job| &job.items) {
            assert!(item.traffic.rounds <= 1, "{item:?}");
        }
        store.take();
        for request in requests() {
            let options = SearchOptions::default();
            let response = after.search(&splits, &request, &options).await.unwrap();
            assert_eq!((response.report.gets, response.report.late_reads), (0, 0));
            assert_eq!(store.take(), []);
            assert_eq!(answer(&response), truth(&plain, &splits, &request).await);
            store.take();
        }
    }
    let names = std::fs::read_dir(folder.path().join("deep")).unwrap();
    assert_eq!(names.count(), 1, "no staged file is left");
}

/// A place behind a pointer.
#[derive(Debug)]
struct Boxed(Box<dyn HotSetStore>);

#[async_trait]
impl HotSetStore for Boxed {
    async fn read(&self, limit: u64) -> Result<Option<Bytes>> {
        self.0.read(limit).await
    }

    async fn write(&self, bytes: Bytes) -> Result<()> {
        self.0.write(bytes).await
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_written_at_intervals_where_anything_changed_and_when_the_manager_ends() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let manager = builder(&store).hot_set(place.clone()).build().unwrap();
    manager.start();
    is_read(&manager).await;
    assert_eq!((place.reads(), place.writes()), (1, 0));
    manager.note_search(&splits(2), &some_request());
    tokio::time::sleep(INTERVAL + INTERVAL / 2).await;
    assert_eq!(place.writes(), 1);
    tokio::time::sleep(3 * INTERVAL).await;
    let status = manager.hot_set().unwrap();
    assert_eq!((status.writes, status.unchanged), (1, 3));
    assert_eq!(status.written_pairs, 2);
    assert_eq!(status.written_bytes, place.bytes().unwrap().len() as u64);
    assert!(status.last_write.is_some());
    // Another interval counts from the next write on.
    let hot_set = HotSetSettings::default().with_interval(Duration::from_secs(1));
    let settings = ManagerSettings::default().with_hot_set(hot_set);
    manager.set_settings(settings).unwrap();
    tokio::time::sleep(INTERVAL).await;
    manager.note_search(&splits(3), &some_request());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(place.writes(), 2);
    manager.note_search(&splits(4), &some_request());
    assert!(manager.shutdown(PATIENCE).await.hot_set_written);
    assert_eq!((place.writes(), place.reads()), (3, 1));
    assert!(manager.shutdown(PATIENCE).await.hot_set_written);
    // Nothing comes after the end.
    manager.note_search(&splits(5), &some_request());
    tokio::time::sleep(10 * INTERVAL).await;
    assert_eq!(place.writes(), 3);
}

#[tokio::test]
async fn a_half_warm_node_leaves_behind_no_less_than_it_found() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = written_splits(&store, 4).await;
    let first = preloading(&store, place.clone());
    let options = SearchOptions::default();
    let asked = first.search(&splits, &some_request(), &options).await;
    asked.unwrap();
    first.shutdown(PATIENCE).await;

    // The store does not answer: nothing is preloaded.
    store.close();
    // Nor does its memory hold anything.
    let settings = ManagerSettings::default()
        .with_preload(Some(PreloadSettings::default()))
        .with_heat(HeatSettings::default().with_max_bytes(0));
    let second = builder(&store).settings(settings).hot_set(place.clone());
    let second = second.build().unwrap();
    let begun = store.begun();
    second.start();
    store.has_begun(begun + 4).await;
    let readiness = second.ready(Duration::ZERO).await;
    assert_eq!((readiness.wanted, readiness.warm), (4, 0));
    // What is retired is gone.
    second.retire(&[splits[3].path().clone()]).await;
    assert!(second.shutdown(Duration::ZERO).await.hot_set_written);
    let status = second.hot_set().unwrap();
    assert_eq!(status.state, HotSetState::Merging);
    assert_eq!((status.loaded_pairs, status.written_pairs), (4, 3));

    // Once it was preloaded, what is written is what is hot.
    store.open();
    let third = preloading(&store, place.clone());
    third.start();
    let readiness = third.ready(PATIENCE).await;
    assert!(readiness.is_ready(), "{readiness:?}");
    let status = third.hot_set().unwrap();
    assert_eq!((status.state, status.loaded_plans), (HotSetState::Own, 3));
    third.clear_all().await;
    third.shutdown(PATIENCE).await;
    assert_eq!(third.hot_set().unwrap().written_pairs, 0);
}

#[tokio::test]
async fn what_is_torn_changed_or_foreign_is_a_cold_start_and_is_written_over() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = written_splits(&store, 2).await;
    let options = SearchOptions::default();
    let first = preloading(&store, place.clone());
    let asked = first.search(&splits, &some_request(), &options).await;
    asked.unwrap();
    first.shutdown(PATIENCE).await;
    let sound = place.bytes().unwrap();

    let mut flipped = sound.to_vec();
    flipped[sound.len() / 2] ^= 1;
    let wrong: [&[u8]; 5] = [
        b"",
        b"a letter to a friend",
        &sound[..sound.len() - 1],
        &flipped,
        &[0xff; 5000],
    ];
    for wrong in wrong {
        place.put(wrong.to_vec());
        let manager = preloading(&store, place.clone());
        manager.start();
        let readiness = manager.ready(PATIENCE).await;
        assert!(readiness.is_ready(), "{readiness:?}");
        assert_eq!(readiness.wanted, 0);
        let status = manager.hot_set().unwrap();
        assert_eq!((status.state, status.loaded_pairs), (HotSetState::Own, 0));
        assert!(status.not_loaded.is_some());
        let response = manager.search(&splits, &some_request(), &options).await;
        assert_eq!(response.unwrap().report.late_reads, 0);
        assert!(manager.shutdown(PATIENCE).await.hot_set_written);
        let again = preloading(&store, place.clone());
        again.start();
        assert_eq!(again.ready(PATIENCE).await.warm, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_not_written_over() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let first = builder(&store).hot_set(place.clone()).build().unwrap();
    first.note_search(&splits(5), &some_request());
    // Never started, and still nothing is lost.
    assert!(first.shutdown(PATIENCE).await.hot_set_written);
    let sound = place.bytes().unwrap();

    place.break_down(true);
    let second = builder(&store).hot_set(place.clone()).build().unwrap();
    second.start();
    second.note_search(&splits(7)[5..], &some_request());
    tokio::time::sleep(10 * INTERVAL).await;
    let status = second.hot_set().unwrap();
    assert_eq!((status.state, status.writes), (HotSetState::Unread, 0));
    assert!(status.not_loaded.unwrap().contains("out of order"));
    // It is tried sooner than it would be written.
    assert!(place.reads() > 50, "{}", place.reads());
    let third = builder(&store).hot_set(place.clone()).build().unwrap();
    third.note_search(&splits(1), &some_request());
    assert!(!third.shutdown(PATIENCE).await.hot_set_written);
    assert_eq!(place.bytes().unwrap(), sound);

    place.set_panics(true);
    tokio::time::sleep(INTERVAL).await;
    let status = second.hot_set().unwrap();
    assert!(status.not_loaded.unwrap().contains("panicked"));

    place.set_panics(false);
    place.break_down(false);
    tokio::time::sleep(2 * INTERVAL).await;
    let status = second.hot_set().unwrap();
    assert_eq!((status.loaded_pairs, status.written_pairs), (5, 7));
    assert_eq!(status.not_loaded, None);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_does_not_answer_holds_up_nobody_for_long() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let hot_set = HotSetSettings::default().with_deadline(Duration::from_secs(3));
    let settings = ManagerSettings::default().with_hot_set(hot_set);
    let builder = builder(&store).settings(settings).hot_set(place.clone());
    let manager = builder.build().unwrap();
    manager.start();
    is_read(&manager).await;
    place.set_hangs(true);
    manager.note_search(&splits(1), &some_request());
    tokio::time::sleep(2 * INTERVAL).await;
    let status = manager.hot_set().unwrap();
    assert_eq!((status.writes, status.failed_writes), (0, 1));
    let begun = tokio::time::Instant::now();
    let report = manager.shutdown(Duration::from_secs(1)).await;
    assert!(!report.hot_set_written && report.plans_written);
    assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");
    // It can be tried again.
    place.set_hangs(false);
    assert!(manager.shutdown(PATIENCE).await.hot_set_written);
    assert_eq!(place.writes(), 1);
}

/// Managers whose clock stands at so many hours.
fn at_hours(store: &Arc<TestStore>, place: &Place, settings: ManagerSettings) -> Clocked {
    let hours = Arc::new(AtomicU64::new(1000));
    let now = Arc::clone(&hours);
    let hot = Hot::default();
    let manager = builder(store)
        .settings(settings)
        .hot_set(place.clone())
        .trigger(hot.clone())
        .clock(move || UNIX_EPOCH + HOUR * now.load(Ordering::SeqCst) as u32)
        .build()
        .unwrap();
    Clocked {
        manager,
        hot,
        hours,
    }
}

struct Clocked {
    manager: Manager,
    hot: Hot,
    hours: Arc<AtomicU64>,
}

#[tokio::test]
async fn heat_goes_on_decaying_while_nobody_runs_and_what_is_too_old_is_left_out() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(3);
    let settings = || {
        let hot_set = HotSetSettings::default().with_max_age(10 * HOUR);
        ManagerSettings::default().with_hot_set(hot_set)
    };
    let first = at_hours(&store, &place, settings());
    first.manager.note_search(&splits[..1], &some_request());
    first.hours.store(1005, Ordering::SeqCst);
    for _ in 0..4 {
        first.manager.note_search(&splits[1..2], &some_request());
    }
    first.hours.store(1007, Ordering::SeqCst);
    first.manager.shutdown(PATIENCE).await;

    // An hour later, on a clock that goes on; half-lives are hours.
    let second = at_hours(&store, &place, settings());
    second.hours.store(1008, Ordering::SeqCst);
    second.manager.start();
    is_read(&second.manager).await;
    let found = hot(&second.manager, &second.hot).await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], ("001.split".to_owned(), 0.5));
    assert_eq!(found[1], ("000.split".to_owned(), 1.0 / 256.0));
    second.manager.note_search(&splits[2..], &some_request());
    second.hours.store(1011, Ordering::SeqCst);
    second.manager.shutdown(PATIENCE).await;
    // The first was asked 11 hours ago.
    assert_eq!(second.manager.hot_set().unwrap().written_pairs, 2);

    let third = at_hours(&store, &place, settings());
    third.hours.store(1017, Ordering::SeqCst);
    third.manager.start();
    is_read(&third.manager).await;
    let found = hot(&third.manager, &third.hot).await;
    assert_eq!(found, [("002.split".to_owned(), 1.0 / 512.0)]);
    assert_eq!(third.manager.hot_set().unwrap().passed_over, 1);

    // A clock that went back: as hot as it was, and no hotter for ever.
    let fourth = at_hours(&store, &place, settings());
    fourth.hours.store(900, Ordering::SeqCst);
    fourth.manager.start();
    is_read(&fourth.manager).await;
    fourth.hours.store(901, Ordering::SeqCst);
    let found = hot(&fourth.manager, &fourth.hot).await;
    assert_eq!(found[0], ("001.split".to_owned(), 2.0));
}

#[tokio::test]
async fn where_room_is_short_the_hottest_are_kept() {
    let (store, place) = (TestStore::in_memory(), Place::default());
    let splits = splits(500);
    let hot_set = HotSetSettings::default().with_max_bytes(4 << 10);
    let settings = ManagerSettings::default().with_hot_set(hot_set);
    let first = at_hours(&store, &place, settings);
    first.manager.note_search(&splits, &some_request());
    first.manager.note_search(&splits[490..], &some_request());
    first.manager.shutdown(PATIENCE).await;
    let status = first.manager.hot_set().unwrap();
    assert_eq!(status.written_pairs + status.left_out, 500);
    assert!(status.written_bytes <= 4 << 10 && status.left_out > 0);
    let second = at_hours(&store, &place, ManagerSettings::default());
    second.manager.start();
    is_read(&second.manager).await;
    let found = hot(&second.manager, &second.hot).await;
    assert_eq!(found.len() as u64, status.written_pairs);
    assert!(found[..10].iter().all(|(_, heat)| *heat == 2.0));
    assert_eq!(found[0].0, "490.split");
}

#[tokio::test]
async fn a_file_that_is_no_file_or_an_object_too_long_is_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(HotSetFile::new("/").is_err() && HotSetFile::new("..").is_err());
    let relative = HotSetFile::new("hot-set").unwrap();
    assert_eq!(relative.path(), std::path::Path::new("./hot-set"));
    // A folder of that name: nobody knows what there was.
    let store = TestStore::in_memory();
    let file = HotSetFile::new(folder.path()).unwrap();
    let manager = builder(&store).hot_set(file).build().unwrap();
    let report = manager.shutdown(PATIENCE).await;
    assert!(!report.hot_set_written);
    assert_eq!(manager.hot_set().unwrap().state, HotSetState::Unread);

    let long = HotSetObject::new(store.clone(), "long".into());
    store
        .put(&"long".into(), vec![7; 5000].into())
        .await
        .unwrap();
    assert_eq!(long.read(5000).await.unwrap().unwrap().len(), 5000);
    assert!(long.read(100).await.unwrap().unwrap().len() > 100);
    let file = HotSetFile::new(folder.path().join("long")).unwrap();
    file.write(vec![7; 5000].into()).await.unwrap();
    assert_eq!(file.read(100).await.unwrap().unwrap().len(), 101);
}

#[test]
fn every_setting_that_is_wrong_is_named_at_once() {
    let settings: ManagerSettings = serde_json::from_value(json!({
        "hot_set": {"interval": 1, "max_bytes": 5, "max_age": 10, "deadline": 0},
        "preload": {
            "requests": [{"query": {"match_all": {}}}, {"query": {"munch": {}}}],
            "deadline": 0,
            "trigger": {"batch_size": 0},
        },
    }))
    .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _runtime = runtime.enter();
    let error = Manager::new(warmer(TestStore::in_memory(), strict()), settings).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"settings of the manager: hot_set.interval is below 10 ms: it would do nothing else; hot_set.max_bytes must be 4 KiB to 256 MiB; hot_set.max_age is below 1 s: nothing would be remembered; hot_set.deadline is 0: nothing could be read or written; preload.trigger.batch_size is 0: nothing would be warmed; preload.requests[1]: query.munch: unknown clause (known: bool, constant_score, dis_max, exists, fuzzy, ids, match, match_all, match_bool_prefix, match_none, match_phrase, match_phrase_prefix, multi_match, prefix, query_string, range, regexp, simple_query_string, term, terms, wildcard); preload.deadline is 0: nothing would be warmed");
}
