//! The trigger `predictive`: what it expects, what it warms of that, and what it leaves alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use forewarm::{
    CacheSettings, ErrorKind, Manager, ManagerSettings, PredictiveSettings, SearchOptions,
    SearchRequest, SplitAddress, TriggerHandle, TriggerSettings, Warmth,
};
use serde_json::{Value, json};

use crate::fixture::{index, put, request, strict, warmer};
use crate::test_store::TestStore;

/// Long enough that only what hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(60);
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A manager whose trigger looks when it is told to, and whose time of day is set by hand.
struct Rig {
    store: Arc<TestStore>,
    manager: Manager,
    now: Arc<AtomicU64>,
}

fn trigger_settings() -> TriggerSettings {
    TriggerSettings::default().with_interval(Duration::from_secs(3600))
}

/// Two asks are enough, and one is while nobody searches.
fn settings() -> PredictiveSettings {
    PredictiveSettings::default()
        .with_trigger(trigger_settings())
        .with_predictive(1.3)
        .with_proactive(0.6)
        .with_least(0.3)
}

impl Rig {
    fn new(settings: PredictiveSettings) -> Self {
        Self::with_cache(settings, CacheSettings::default())
    }

    fn with_cache(settings: PredictiveSettings, cache: CacheSettings) -> Self {
        let store = TestStore::in_memory();
        let now = Arc::new(AtomicU64::new(1000 * DAY + 8 * HOUR));
        let read = Arc::clone(&now);
        let warming = strict().with_cache(cache).with_linger(Duration::ZERO);
        let manager = Manager::builder(warmer(store.clone(), warming))
            .settings(ManagerSettings::default().with_predictive(Some(settings)))
            .clock(move || UNIX_EPOCH + Duration::from_millis(read.load(Ordering::Relaxed)))
            .build()
            .unwrap();
        manager.start();
        Self {
            store,
            manager,
            now,
        }
    }

    /// Uploads and announces a split.
    async fn split(&self, path: &str) -> SplitAddress {
        let split = put(&*self.store, path, &index(1, 120, 7)).await;
        self.manager.announce([split.clone()]);
        self.pass(MINUTE);
        split
    }

    fn pass(&self, millis: u64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }

    async fn ask(&self, splits: &[SplitAddress], request: &SearchRequest, times: usize) {
        for _ in 0..times {
            let options = SearchOptions::default();
            self.manager
                .search(splits, request, &options)
                .await
                .unwrap();
            self.pass(1000);
        }
    }

    /// Empties the cache, when what has just ended has let go of it.
    async fn clear(&self) {
        let warmer = self.manager.warmer();
        for _ in 0..100_000 {
            warmer.clear().await;
            if warmer.statistics().resident_bytes == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("somebody holds on: {:?}", warmer.statistics());
    }

    fn trigger(&self) -> TriggerHandle {
        self.manager.trigger("predictive").unwrap()
    }

    /// Has it look twice: once for what came, and once for what is left then.
    async fn look(&self) -> Value {
        self.trigger().warm_now(PATIENCE).await.unwrap().details
    }

    fn warmth(&self, split: &SplitAddress, request: &SearchRequest) -> &'static str {
        let warmth = self
            .manager
            .warmer()
            .classify(std::slice::from_ref(split), request);
        warmth[0].name()
    }
}

fn hot() -> SearchRequest {
    request(json!({ "match": { "body": "common w3" } }))
}

fn other() -> SearchRequest {
    request(json!({ "term": { "tag": "t3" } }))
}

#[tokio::test]
async fn a_split_that_is_new_gets_the_hot_request_before_it_is_asked() {
    let rig = Rig::new(settings());
    let old = [rig.split("a/0").await, rig.split("a/1").await];
    rig.ask(&old, &hot(), 3).await;
    rig.ask(&old[..1], &other(), 3).await;
    let elsewhere = rig.split("b/0").await;
    let new = rig.split("a/2").await;
    rig.look().await;
    assert_eq!(rig.warmth(&new, &hot()), "cached");
    rig.store.take();
    rig.ask(std::slice::from_ref(&new), &hot(), 1).await;
    assert!(rig.store.take().is_empty());
    // It is not asked of the newest, and nobody asks that folder.
    assert_eq!(rig.warmth(&new, &other()), "cold");
    assert_eq!(rig.warmth(&elsewhere, &hot()), "cold");
}

#[tokio::test]
async fn splits_that_come_are_looked_at_without_being_told_to() {
    let rig = Rig::new(settings());
    let old = rig.split("a/0").await;
    // The look at the start, and that at what has come.
    rig.look().await;
    rig.ask(&[old], &hot(), 3).await;
    let jobs = rig.manager.jobs().len();
    let new = put(&*rig.store, "a/1", &index(1, 120, 7)).await;
    rig.manager.announce([new.clone()]);
    while rig.manager.jobs().len() == jobs {
        tokio::task::yield_now().await;
    }
    let job = rig.manager.jobs().last().unwrap().id;
    let job = rig.manager.job(job).unwrap().wait(PATIENCE).await;
    assert_eq!(job.source, "predictive");
    assert_eq!(rig.warmth(&new, &hot()), "cached");
}

#[tokio::test]
async fn what_was_evicted_is_warmed_again_and_what_is_warm_is_not_listed() {
    let rig = Rig::new(settings());
    let splits = [rig.split("a/0").await, rig.split("a/1").await];
    rig.ask(&splits, &hot(), 3).await;
    rig.look().await;
    rig.clear().await;
    assert_eq!(rig.warmth(&splits[0], &hot()), "cold");
    let details = rig.look().await;
    assert_eq!(
        (&details["predictive"], &details["new"]),
        (&json!(2), &json!(0))
    );
    assert!(
        splits
            .iter()
            .all(|split| rig.warmth(split, &hot()) == "cached")
    );
    rig.store.take();
    let details = rig.look().await;
    assert_eq!(
        (&details["predictive"], &details["warm"]),
        (&json!(0), &json!(2))
    );
    assert!(rig.store.take().is_empty());
    // Nor is what is known to match nothing.
    let absent = request(json!({ "term": { "key": "no such key" } }));
    rig.ask(&splits, &absent, 3).await;
    let details = rig.look().await;
    assert_eq!(
        (&details["predictive"], &details["warm"]),
        (&json!(0), &json!(4))
    );
    assert_eq!(
        rig.manager.warmer().classify(&splits, &absent),
        [Warmth::ProvablyEmpty; 2]
    );
}

#[tokio::test]
async fn what_is_less_likely_waits_until_nobody_searches() {
    let rig = Rig::new(settings());
    let old = rig.split("a/0").await;
    rig.look().await;
    // 0.7 asks are expected: above `proactive` and below `predictive`.
    rig.ask(std::slice::from_ref(&old), &hot(), 1).await;
    let busy = rig.split("b/0").await;
    rig.store.close();
    let begun = rig.store.begun();
    let search = tokio::spawn({
        let (manager, busy) = (rig.manager.clone(), busy.clone());
        async move {
            manager
                .search(&[busy], &other(), &SearchOptions::default())
                .await
        }
    });
    rig.store.has_begun(begun + 1).await;
    let new = put(&*rig.store, "a/1", &index(1, 120, 7)).await;
    rig.manager.announce([new.clone()]);
    rig.look().await;
    assert_eq!(rig.warmth(&new, &hot()), "cold");
    rig.store.open();
    search.await.unwrap().unwrap();
    rig.look().await;
    assert_eq!(rig.warmth(&new, &hot()), "cached");
    // Less than that is not worth it at all.
    rig.pass(2 * HOUR);
    let newer = rig.split("a/2").await;
    rig.look().await;
    assert_eq!(rig.warmth(&newer, &hot()), "cold");
}

#[tokio::test]
async fn thresholds_decide_what_is_warmed() {
    let strictly = settings().with_predictive(5.0).with_proactive(5.0);
    for (settings, warmth) in [(strictly, "cold"), (settings(), "cached")] {
        let rig = Rig::new(settings);
        let old = rig.split("a/0").await;
        rig.ask(&[old], &hot(), 3).await;
        let new = rig.split("a/1").await;
        rig.look().await;
        assert_eq!(rig.warmth(&new, &hot()), warmth);
    }
}

#[tokio::test]
async fn no_more_pairs_are_looked_at_than_the_settings_say() {
    let rig = Rig::new(settings().with_max_pairs(1));
    let old = rig.split("a/0").await;
    rig.ask(std::slice::from_ref(&old), &hot(), 3).await;
    rig.ask(&[old], &other(), 5).await;
    let new = rig.split("a/1").await;
    let details = rig.look().await;
    assert_eq!(details["considered"], json!(1));
    // The hottest pair is one of the split that is there.
    assert_eq!(rig.warmth(&new, &hot()), "cold");
}

#[tokio::test]
async fn what_is_asked_no_more_is_forgotten_and_remembered_at_its_hour_of_the_next_day() {
    let rig = Rig::new(settings());
    let old = rig.split("a/0").await;
    rig.ask(&[old], &hot(), 4).await;
    rig.look().await;
    rig.pass(6 * HOUR);
    let noon = rig.split("a/1").await;
    rig.look().await;
    assert_eq!(rig.warmth(&noon, &hot()), "cold");
    rig.pass(DAY - 6 * HOUR - 10 * MINUTE);
    let morning = rig.split("a/2").await;
    rig.look().await;
    assert_eq!(rig.warmth(&morning, &hot()), "cached");
    // It asks one split, which is the newest now.
    assert_eq!(rig.warmth(&noon, &hot()), "cold");
}

#[tokio::test]
async fn a_split_that_will_soon_be_asked_no_more_is_left_alone() {
    for (minutes, warmth) in [(10, "cached"), (55, "cold")] {
        let rig = Rig::new(settings());
        // One an hour, of which the newest is asked.
        let mut newest = rig.split("a/0").await;
        for n in 1..5 {
            rig.pass(HOUR - MINUTE);
            newest = rig.split(&format!("a/{n}")).await;
            rig.ask(std::slice::from_ref(&newest), &hot(), 1).await;
        }
        rig.pass(minutes * MINUTE);
        rig.look().await;
        rig.clear().await;
        rig.look().await;
        assert_eq!(rig.warmth(&newest, &hot()), warmth, "{minutes}");
    }
}

#[tokio::test]
async fn what_others_will_read_as_well_may_be_less_likely() {
    for (least, warmth) in [(0.6, "cold"), (0.01, "cached")] {
        let rig = Rig::new(settings().with_predictive(30.0).with_least(least));
        let split = rig.split("a/0").await;
        let splits = std::slice::from_ref(&split);
        let range = |from: u64| request(json!({ "range": { "price": { "gte": from } } }));
        rig.ask(splits, &range(1), 1).await;
        rig.ask(splits, &range(2), 40).await;
        // That column again, and most of the time something else.
        rig.pass(2 * HOUR);
        rig.look().await;
        let new = rig.split("a/1").await;
        rig.look().await;
        assert_eq!(rig.warmth(&new, &range(2)), "cached");
        assert_eq!(rig.warmth(&new, &range(1)), warmth, "{least}");
    }
}

#[tokio::test]
async fn budgets_are_kept() {
    let trigger = trigger_settings()
        .with_batch_size(1)
        .with_gets_per_hour(Some(1));
    let rig = Rig::new(settings().with_trigger(trigger));
    let old = [rig.split("a/0").await];
    for n in 0..5 {
        let asked = request(json!({ "match": { "body": format!("w{n} man") } }));
        rig.ask(&old, &asked, 3).await;
    }
    rig.split("a/1").await;
    let status = rig.trigger().warm_now(PATIENCE).await.unwrap();
    assert_eq!(status.warmed, 1, "{status:?}");
    assert!(status.left_out["budget"] >= 4, "{status:?}");
}

#[tokio::test]
async fn a_pair_that_does_not_stay_warm_is_not_fetched_again_and_again() {
    let rig = Rig::with_cache(settings(), CacheSettings::default().with_capacity_bytes(0));
    let old = [rig.split("a/0").await];
    rig.ask(&old, &hot(), 3).await;
    rig.manager.warmer().forget_warmups();
    assert_eq!(rig.warmth(&old[0], &hot()), "cold");
    let mut listed = 0;
    for _ in 0..8 {
        let details = rig.look().await;
        rig.manager.warmer().forget_warmups();
        listed += details["predictive"].as_u64().unwrap();
        // An interval and a little more.
        rig.pass(HOUR / 10);
        rig.manager.note_search(&[], &other());
    }
    assert!(listed <= 1, "{listed}");
}

#[tokio::test]
async fn what_others_read_as_well_is_worth_more_while_nobody_searches() {
    let rig = Rig::new(settings().with_predictive(3.0).with_proactive(2.0));
    let split = [rig.split("a/0").await];
    // It looks by itself when a split comes: that is over before anything is asked.
    rig.look().await;
    let ranges: Vec<_> = (0..4)
        .map(|n| request(json!({ "range": { "price": { "gte": n, "lt": n + 50 } } })))
        .collect();
    for one in &ranges {
        rig.ask(&split, one, 2).await;
    }
    let alone = request(json!({ "match_phrase": { "body": "the old man" } }));
    rig.ask(&split, &alone, 2).await;
    // Plans and readers stay, bytes go.
    let plans = rig.manager.warmer().plans();
    rig.clear().await;
    let plans = plans.iter().map(|plan| plan.as_ref().clone());
    rig.manager.warmer().add_plans(plans);
    rig.manager.warmer().open(&split[0]).await.unwrap();
    let details = rig.look().await;
    // Each alone is expected 1.4 times.
    assert_eq!(details["predictive"], json!(0), "{details}");
    assert!(
        details["components"]["columns"]["reads"].as_f64().unwrap() > 2.0,
        "{details}"
    );
    assert!(
        details["components"]["positions"]["reads"]
            .as_f64()
            .unwrap()
            < 2.0,
        "{details}"
    );
    assert!(
        ranges
            .iter()
            .all(|one| rig.warmth(&split[0], one) == "cached"),
        "{details}"
    );
    assert_ne!(rig.warmth(&split[0], &alone), "cached");
}

#[tokio::test]
async fn equal_logs_make_equal_lists() {
    let mut lists = Vec::new();
    for _ in 0..2 {
        let rig = Rig::new(settings());
        let splits = [rig.split("a/0").await, rig.split("a/1").await];
        rig.look().await;
        for n in 0..40_usize {
            let asked = request(json!({ "match": { "body": format!("w{} man", n % 9) } }));
            rig.manager.note_search(&splits[..1 + n % 2], &asked);
            rig.pass(MINUTE);
        }
        rig.look().await;
        let jobs = rig.manager.jobs();
        let items = jobs.iter().flat_map(|job| &job.items);
        let list: Vec<_> = items.map(|it| (it.split.clone(), it.fingerprint)).collect();
        assert!(list.len() > 4, "{list:?}");
        lists.push(list);
    }
    assert_eq!(lists[0], lists[1]);
}

#[tokio::test]
async fn it_can_be_switched_off_and_wrong_settings_are_named() {
    let rig = Rig::new(settings());
    let old = rig.split("a/0").await;
    rig.ask(&[old], &hot(), 3).await;
    rig.trigger().set_enabled(false);
    let new = rig.split("a/1").await;
    let error = rig.trigger().warm_now(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(rig.warmth(&new, &hot()), "cold");
    rig.trigger().set_enabled(true);
    rig.look().await;
    assert_eq!(rig.warmth(&new, &hot()), "cached");
    let wrong = PredictiveSettings::default()
        .with_predictive(0.0)
        .with_proactive(2.0)
        .with_least(3.0)
        .with_horizon(Duration::ZERO)
        .with_max_pairs(0)
        .with_trigger(TriggerSettings::default().with_batch_size(0));
    let wrong = ManagerSettings::default().with_predictive(Some(wrong));
    let error = Manager::new(warmer(rig.store.clone(), strict()), wrong).unwrap_err();
    for what in [
        "predictive.predictive",
        "predictive.proactive",
        "predictive.least",
        "predictive.horizon",
        "predictive.max_pairs",
        "predictive.trigger.batch_size",
    ] {
        assert!(error.to_string().contains(what), "{error}");
    }
    assert!(
        Manager::new(
            warmer(rig.store.clone(), strict()),
            ManagerSettings::default()
        )
        .unwrap()
        .triggers()
        .is_empty()
    );
    let error = rig
        .manager
        .set_settings(ManagerSettings::default())
        .unwrap_err();
    assert!(
        error.to_string().contains("predictive cannot change"),
        "{error}"
    );
}
