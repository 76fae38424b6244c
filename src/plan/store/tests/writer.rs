//! Writing in the background, on a clock that stands still.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{advance, sleep};

use super::rows::{absence, plan};
use crate::clock::Clock;
use crate::plan::KnownPlans;
use crate::plan::store::{PlanBatch, PlanStore, PlanWriter};
use crate::split::Versions;
use crate::{Error, ErrorKind, PlanStoreSettings, Result};

const INTERVAL: Duration = Duration::from_secs(5);

/// Keeps what is saved, fails and waits when told.
#[derive(Debug)]
struct Kept {
    saved: Mutex<Vec<PlanBatch>>,
    attempts: AtomicUsize,
    fails: AtomicBool,
    gate: Semaphore,
}

#[async_trait]
impl PlanStore for Kept {
    async fn load(&self) -> Result<PlanBatch> {
        Ok(PlanBatch::default())
    }

    async fn save(&self, batch: PlanBatch) -> Result<()> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.acquire().await.unwrap());
        if self.fails.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Store, "the store is away"));
        }
        self.saved.lock().unwrap().push(batch);
        Ok(())
    }

    fn settings(&self) -> PlanStoreSettings {
        PlanStoreSettings::default()
            .with_flush_interval(INTERVAL)
            .with_batch(4)
    }
}

impl Kept {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            saved: Mutex::default(),
            attempts: AtomicUsize::new(0),
            fails: AtomicBool::new(false),
            gate: Semaphore::new(1),
        })
    }

    /// Rows of each save.
    fn sizes(&self) -> Vec<usize> {
        self.saved
            .lock()
            .unwrap()
            .iter()
            .map(PlanBatch::len)
            .collect()
    }

    fn requests(&self) -> Vec<u8> {
        let saved = self.saved.lock().unwrap();
        let plans = saved.iter().flat_map(|batch| &batch.plans);
        plans.map(|plan| plan.fingerprint().as_bytes()[0]).collect()
    }
}

fn writer(store: &Arc<Kept>) -> PlanWriter {
    PlanWriter::new(Arc::clone(store) as _, Clock::system(), &Handle::current())
}

fn record(writer: &PlanWriter, requests: impl IntoIterator<Item = u8>) {
    for request in requests {
        writer.record(Arc::new(plan("a.split", request, 0)));
    }
}

/// Lets the task run.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn rows_wait_for_the_interval_and_are_saved_together() {
    let store = Kept::new();
    let writer = writer(&store);
    record(&writer, [1, 2, 1]);
    sleep(INTERVAL - Duration::from_millis(10)).await;
    assert_eq!(store.sizes(), [0; 0]);
    sleep(Duration::from_millis(20)).await;
    // One row a key.
    assert_eq!(store.sizes(), [2]);
    sleep(10 * INTERVAL).await;
    assert_eq!(store.attempts.load(Ordering::SeqCst), 1);

    writer.record_absence(absence("a.split", "sea", 0).absence);
    writer.record_absence(absence("a.split", "sea", 0).absence);
    sleep(INTERVAL * 2).await;
    assert_eq!(store.sizes(), [2, 1]);
    assert!(store.saved.lock().unwrap()[1].absences[0].found() > 1_700_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait() {
    let store = Kept::new();
    let writer = writer(&store);
    record(&writer, 0..10);
    settle().await;
    assert_eq!(store.sizes(), [4, 4, 2]);
    assert_eq!(store.requests(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_after_pauses_that_double() {
    let store = Kept::new();
    let writer = writer(&store);
    store.fails.store(true, Ordering::SeqCst);
    record(&writer, [1]);
    let mut attempts = Vec::new();
    for _ in 0..15 {
        sleep(INTERVAL).await;
        attempts.push(store.attempts.load(Ordering::SeqCst));
    }
    assert!(attempts[14] >= 3 && attempts[14] <= 5, "{attempts:?}");
    assert!(writer.flush().await.is_err());
    // A newer row of the same key came meanwhile.
    let mut newer = plan("a.split", 1, 0);
    newer.last_used = 9;
    writer.record(Arc::new(newer));
    record(&writer, [2]);
    store.fails.store(false, Ordering::SeqCst);
    writer.flush().await.unwrap();
    assert_eq!(store.requests(), [1, 2]);
    assert_eq!(store.saved.lock().unwrap()[0].plans[0].last_used(), 9);
    assert_eq!(writer.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded_and_the_oldest_goes() {
    let store = Kept::new();
    let writer = writer(&store);
    store.fails.store(true, Ordering::SeqCst);
    for request in 0..200 {
        record(&writer, [request]);
        advance(INTERVAL).await;
        assert!(writer.waiting() <= 128);
    }
    store.fails.store(false, Ordering::SeqCst);
    writer.flush().await.unwrap();
    let requests = store.requests();
    assert!((1..=128).contains(&requests.len()));
    assert_eq!(requests.last(), Some(&199));
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_is_dropped_leaves_its_rows_to_the_next() {
    let store = Kept::new();
    let writer = writer(&store);
    let closed = store.gate.acquire().await.unwrap();
    record(&writer, [1, 2]);
    let flush = tokio::time::timeout(Duration::from_millis(5), writer.flush());
    assert!(flush.await.is_err());
    assert_eq!(writer.waiting(), 2);
    drop(closed);
    writer.flush().await.unwrap();
    assert_eq!(store.sizes(), [2]);
    // Nothing waits: no save.
    writer.flush().await.unwrap();
    assert_eq!(store.sizes(), [2]);
}

#[tokio::test]
async fn a_plan_that_is_replayed_is_written_again_once_an_hour() {
    let store = Kept::new();
    let writer = Arc::new(writer(&store));
    let known = KnownPlans::new(1 << 20, Versions::new(1 << 20), Some(Arc::clone(&writer)));
    let now = Clock::system().seconds();
    for (ago, waiting) in [(3500, 0), (3700, 1)] {
        let plan = Arc::new(plan("a.split", 1, now - ago));
        known.clear();
        known.add(Arc::clone(&plan));
        known.count_hit(&plan);
        // What was taken over is there already.
        assert_eq!(writer.waiting(), waiting, "{ago} s ago");
    }
    // Others that hold the same entry do not write it again.
    let plan = known.all().remove(0);
    assert!(plan.last_used() >= now);
    known.count_hit(&plan);
    writer.flush().await.unwrap();
    assert_eq!(store.sizes(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_dropped_leaves_nothing_running() {
    let store = Kept::new();
    let writer = writer(&store);
    record(&writer, [1]);
    settle().await;
    drop(writer);
    settle().await;
    assert_eq!(Arc::strong_count(&store), 1);
    assert_eq!(store.sizes(), [0; 0]);
}
