//! Jobs of a manager: shared, joined in any order, cancelled, and ended in good order.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use forewarm::{
    JobHandle, JobState, Manager, ManagerSettings, Outcome, PlanBatch, PlanStore, SearchOptions,
    SearchRequest, SplitAddress,
};
use serde_json::json;

use crate::fixture::{FrozenTime, index, put, request, strict, warmer, warmer_with_plans};
use crate::place::Place;
use crate::test_store::TestStore;

pub const SPLITS: u64 = 5;
/// Long enough that only what hangs reaches it.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn splits(store: &TestStore) -> Vec<SplitAddress> {
    let mut splits = Vec::new();
    for n in 0..SPLITS {
        splits.push(put(store, &format!("{n}.split"), &index(1, 100 + n, n)).await);
    }
    splits
}

fn manager(store: &Arc<TestStore>, at_once: usize) -> Manager {
    let settings = ManagerSettings::default().with_max_concurrent_warmups(at_once);
    Manager::new(warmer(store.clone(), strict()), settings).unwrap()
}

fn some_request() -> SearchRequest {
    request(json!({"match": {"body": "common w3"}}))
}

#[tokio::test]
async fn asking_again_finds_the_job_that_runs_and_its_search_reads_nothing() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let manager = manager(&store, 64);
    let request = some_request();
    store.close();
    let job = manager.prewarm(&splits, &request);
    assert_eq!(manager.prewarm(&splits, &request).id(), job.id());
    let reversed: Vec<_> = splits.iter().rev().cloned().collect();
    assert_eq!(manager.prewarm(&reversed, &request).id(), job.id());
    assert_ne!(manager.prewarm(&splits[1..], &request).id(), job.id());
    assert!(!job.status().state.is_finished());
    assert_eq!(job.wait(Duration::ZERO).await.finished, 0);
    store.open();
    let status = job.wait(PATIENCE).await;
    assert_eq!(
        (status.state, status.warm),
        (JobState::Complete, splits.len())
    );
    assert!(status.traffic.gets > 0 && status.eta_ms.is_none());
    assert!(status.items.iter().all(|item| item.traffic.gets > 0));
    let response = manager.warmer().search(&splits, &request).await.unwrap();
    assert_eq!(
        (response.report.gets, response.report.outcome),
        (0, "ready")
    );
    // It has ended: the next is another, and has nothing to fetch.
    let next = manager.prewarm(&splits, &request);
    assert_ne!(next.id(), job.id());
    assert_eq!(next.wait(PATIENCE).await.state, JobState::Complete);
    let prewarm = &manager.snapshot().sources["prewarm"];
    assert!(prewarm.tally.warmed >= 2 * SPLITS && prewarm.tally.failed.is_empty());
}

#[tokio::test]
async fn a_reader_does_not_wait_for_the_turn_of_its_split() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let manager = manager(&store, 1);
    let request = some_request();
    store.close();
    let job = manager.prewarm(&splits, &request);
    let join = tokio::spawn({
        let (manager, split, request) = (manager.clone(), splits[4].clone(), request.clone());
        async move { manager.join(&split, request.fingerprint(), PATIENCE).await }
    });
    // The first split's GET, and that of the reader's.
    store.has_begun(2).await;
    store.open();
    assert!(join.await.unwrap().is_warm());
    assert_eq!(job.wait(PATIENCE).await.state, JobState::Complete);
    let snapshot = manager.snapshot();
    assert_eq!(snapshot.joins.values().sum::<u64>(), 1);
    assert_eq!(
        snapshot.join_waits.iter().map(|it| it.joins).sum::<u64>(),
        1
    );
}

#[tokio::test]
async fn who_prewarmed_a_request_of_now_joins_it_by_its_fingerprint() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let manager = manager(&store, 64);
    // To the millisecond: it has another fingerprint in each.
    let request = request(json!({"range": {"at": {"gte": "now-1h"}}}));
    store.close();
    let started = SystemTime::now();
    manager.prewarm(&splits, &request);
    while started
        .elapsed()
        .is_ok_and(|it| it < Duration::from_millis(2))
    {
        std::hint::spin_loop();
    }
    let fingerprint = request.fingerprint();
    let joined = manager.join(&splits[0], fingerprint, Duration::ZERO).await;
    assert!(matches!(joined, Outcome::TimedOut), "{joined:?}");
    store.open();
}

#[tokio::test]
async fn what_is_cancelled_says_so_and_readers_who_joined_still_get_it() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let manager = manager(&store, 64);
    let request = some_request();
    store.close();
    let job = manager.prewarm(&splits, &request);
    store.has_begun(SPLITS as usize).await;
    let reader = manager.warmer().warm(&splits[0], &request);
    job.cancel();
    let status = job.wait(PATIENCE).await;
    assert_eq!(status.state, JobState::Cancelled);
    assert!(
        status
            .items
            .iter()
            .all(|item| item.reason.as_deref() == Some("cancelled"))
    );
    store.open();
    assert!(reader.join(PATIENCE).await.is_warm());
    let missing = manager
        .join(&splits[1], request.fingerprint(), PATIENCE)
        .await;
    assert!(matches!(missing, Outcome::Missing), "{missing:?}");
    assert_eq!(
        manager.job(job.id()).unwrap().status().state,
        JobState::Cancelled
    );
}

#[tokio::test]
async fn a_job_of_which_a_part_failed_is_not_called_complete() {
    let store = TestStore::in_memory();
    let mut splits = splits(&store).await;
    let request = some_request();
    let manager = manager(&store, 64);
    let absent = SplitAddress::new("absent.split".into());
    let failed = manager.prewarm(std::slice::from_ref(&absent), &request);
    assert_eq!(failed.wait(PATIENCE).await.state, JobState::Failed);
    splits.push(absent);
    let status = manager.prewarm(&splits, &request).wait(PATIENCE).await;
    assert_eq!(status.state, JobState::Partial);
    assert_eq!(status.warm, splits.len() - 1);
    let reason = status.items.last().unwrap().reason.as_deref().unwrap();
    assert!(reason.contains("absent.split"), "{reason}");
    assert_eq!(
        manager.snapshot().sources["prewarm"].tally.failed["NotFound"],
        2
    );
}

#[tokio::test]
async fn a_manager_that_is_off_leaves_out_what_is_asked_and_searches_go_on() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let request = some_request();
    let manager = manager(&store, 64);
    manager.set_enabled(false);
    store.take();
    let status = manager.prewarm(&splits, &request).wait(PATIENCE).await;
    assert_eq!(status.state, JobState::Skipped);
    assert!(store.take().is_empty());
    assert!(!manager.snapshot().enabled);
    let response = manager.warmer().search(&splits, &request).await.unwrap();
    assert_eq!(response.report.late_reads, 0);
    manager.set_enabled(true);
    let status = manager.prewarm(&splits, &request).wait(PATIENCE).await;
    assert_eq!(status.state, JobState::Complete);
}

#[tokio::test]
async fn shutting_down_gives_up_what_does_not_end_in_time_and_begins_nothing() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let manager = manager(&store, 2);
    let request = some_request();
    let done = manager.prewarm(&splits[..1], &request);
    done.wait(PATIENCE).await;
    store.close();
    let job = manager.prewarm(&splits, &request);
    let (first, second) = tokio::join!(
        manager.shutdown(Duration::ZERO),
        manager.shutdown(Duration::ZERO)
    );
    assert_eq!(first.cancelled_jobs + second.cancelled_jobs, 1);
    assert!(first.plans_written && manager.is_shutting_down());
    assert_eq!(job.status().state, JobState::Cancelled);
    let late = manager.prewarm(&splits[1..], &request).wait(PATIENCE).await;
    assert_eq!(late.state, JobState::Skipped);
    assert_eq!(manager.shutdown(PATIENCE).await.cancelled_jobs, 0);
    store.open();
}

#[tokio::test]
async fn ended_jobs_are_kept_for_a_number_and_a_time() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let settings = ManagerSettings::default().with_finished_jobs(3);
    let few = Manager::new(warmer(store.clone(), strict()), settings).unwrap();
    let mut last = None;
    for n in 0..6 {
        let request = request(json!({"term": {"tag": format!("t{n}")}}));
        let job = few.prewarm(&splits, &request);
        job.wait(PATIENCE).await;
        last = Some(job.id());
    }
    few.shutdown(PATIENCE).await;
    let kept = few.jobs();
    assert_eq!(kept.len(), 3);
    assert_eq!(kept.last().map(|job| job.id), last);
    let settings = ManagerSettings::default().with_finished_jobs_for(Duration::ZERO);
    let none = Manager::new(warmer(store.clone(), strict()), settings).unwrap();
    let job = none.prewarm(&splits, &some_request());
    job.wait(PATIENCE).await;
    none.shutdown(PATIENCE).await;
    assert!(none.job(job.id()).is_none());
    assert!(none.jobs().is_empty());
    let wrong = ManagerSettings::default().with_max_concurrent_warmups(0);
    let error = Manager::new(warmer(store.clone(), strict()), wrong).unwrap_err();
    assert!(
        error.to_string().contains("max_concurrent_warmups"),
        "{error}"
    );
}

#[tokio::test]
async fn large_jobs_that_have_ended_are_kept_for_100_000_splits_together() {
    let manager = manager(&TestStore::in_memory(), 64);
    manager.set_enabled(false);
    let splits: Vec<_> = (0..40_000)
        .map(|n| SplitAddress::new(format!("{n}.split").into()))
        .collect();
    let jobs: Vec<_> = (0..3)
        .map(|n| request(json!({"term": {"tag": format!("t{n}")}})))
        .map(|request| manager.prewarm(&splits, &request).id())
        .collect();
    let kept: Vec<_> = manager.jobs().iter().map(|job| job.id).collect();
    assert_eq!(kept, jobs[1..]);
    assert!(manager.job(jobs[0]).is_none());
}

#[tokio::test]
async fn what_was_sent_for_what_is_cancelled_is_counted_and_is_no_failure() {
    let store = TestStore::in_memory();
    // Not all of it comes with its footer.
    let large = put(&*store, "large.split", &index(2, 3000, 1)).await;
    let manager = manager(&store, 2);
    store.close();
    let job = manager.prewarm(&[large], &some_request());
    store.let_through(1);
    store.has_begun(2).await;
    job.cancel();
    have_gone(&manager, std::slice::from_ref(&job)).await;
    let snapshot = manager.snapshot();
    let prewarm = &snapshot.sources["prewarm"].tally;
    assert_eq!(prewarm.gets, job.status().traffic.gets);
    assert!(prewarm.gets > 0, "{prewarm:?}");
    assert_eq!((prewarm.warmed, prewarm.failed.len()), (0, 0));
    assert_eq!((prewarm.success_rate, prewarm.last_warmed), (None, None));
    assert_eq!(snapshot.splits["large.split"].bytes, prewarm.bytes);
    store.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waited_for_a_job_finds_it_counted_and_gone() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let manager = manager(&store, 64);
    let request = some_request();
    for n in 1..=200 {
        let job = manager.prewarm(&splits, &request);
        job.wait(PATIENCE).await;
        let snapshot = manager.snapshot();
        assert_eq!(
            (snapshot.running_jobs, snapshot.ended_jobs["complete"]),
            (0, n)
        );
    }
}

/// A plan store that never answers.
#[derive(Debug)]
struct Hanging;

#[async_trait::async_trait]
impl PlanStore for Hanging {
    async fn load(&self) -> forewarm::Result<PlanBatch> {
        Ok(PlanBatch::default())
    }

    async fn save(&self, _: PlanBatch) -> forewarm::Result<()> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn shutting_down_waits_for_no_plan_store_for_ever_and_writes_the_hot_set_first() {
    let time = FrozenTime::new();
    let store = TestStore::in_memory();
    let splits = time.run(splits(&store)).await;
    let place = Place::default();
    let warmer = warmer_with_plans(store.clone(), strict(), Arc::new(Hanging));
    let manager = Manager::builder(warmer)
        .hot_set(place.clone())
        .build()
        .unwrap();
    let options = SearchOptions::default();
    time.run(manager.search(&splits, &some_request(), &options))
        .await
        .unwrap();
    let shutdown = tokio::spawn(async move { manager.shutdown(Duration::ZERO).await });
    time.pass(Duration::from_secs(10), || false).await;
    let report = time.run(shutdown).await.unwrap();
    assert_eq!(
        (report.hot_set_written, report.plans_written),
        (true, false)
    );
    assert!(place.bytes().is_some());
}

/// Waits until the runners of all `jobs` have gone, a cancelled job's too.
pub async fn have_gone(manager: &Manager, jobs: &[JobHandle]) {
    let ids: BTreeSet<_> = jobs.iter().map(JobHandle::id).collect();
    let ended = || manager.snapshot().ended_jobs.values().sum::<u64>();
    while ended() < ids.len() as u64 {
        tokio::task::yield_now().await;
    }
}
