//! Writes plans in the background.
//!
//! Recording takes a short lock and never waits for the store. One task saves what waits, a batch
//! at a time, when a batch is full or the oldest has waited for the interval. A batch that cannot
//! be saved is put back and tried again, after pauses that double; what waits is bounded, so a
//! store that stays away costs the oldest rows and nothing else.
//!
//! One save runs at a time; flushes queue for it in the order of asking. The lock of what waits is
//! never held over an await.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::PlanStore;
use super::pending::{Pending, Row, batch_of};
use super::settings::PlanStoreSettings;
use crate::clock::Clock;
use crate::error::Result;
use crate::plan::absences::Absence;
use crate::plan::{AbsenceEntry, PlanEntry};
use crate::telemetry::list;

/// How many batches may wait: a search of ten thousand splits brings as many rows at once.
const WAITING_BATCHES: usize = 32;
/// How often the pause after a failure doubles.
const MAX_DOUBLINGS: u32 = 6;
/// After so many failures in a row, the oldest batch is dropped: perhaps it is what fails.
const MAX_FAILURES: u32 = 10;

/// Writes to a plan store in the background; dropping it drops what waits.
#[derive(Debug)]
pub(crate) struct PlanWriter {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn PlanStore>,
    settings: PlanStoreSettings,
    clock: Clock,
    pending: Mutex<Pending>,
    /// That something waits where nothing did, or a batch is full.
    wake: Notify,
    saving: tokio::sync::Mutex<()>,
}

impl PlanWriter {
    pub(crate) fn new(store: Arc<dyn PlanStore>, clock: Clock, runtime: &Handle) -> Self {
        let settings = store.settings();
        let rows = settings.batch.saturating_mul(WAITING_BATCHES);
        let bytes = usize::try_from(settings.max_bytes / 2).unwrap_or(usize::MAX);
        let shared = Arc::new(Shared {
            store,
            settings,
            clock,
            pending: Mutex::new(Pending::new(rows, bytes)),
            wake: Notify::new(),
            saving: tokio::sync::Mutex::default(),
        });
        let task = runtime.spawn(write(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    /// Has a plan written soon, in place of the one of its split and fingerprint.
    pub(crate) fn record(&self, plan: Arc<PlanEntry>) {
        self.shared.push(Row::Plan(plan));
    }

    /// Has an absence written soon.
    pub(crate) fn record_absence(&self, absence: Absence) {
        let found = self.shared.clock.seconds();
        self.shared
            .push(Row::Absence(AbsenceEntry::new(absence, found)));
    }

    /// Saves what was recorded before.
    ///
    /// # Errors
    ///
    /// Those of the store. What was not saved waits on.
    ///
    /// # Cancel safety
    ///
    /// What was not saved waits on.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.shared.flush().await
    }

    /// The store.
    pub(crate) fn store(&self) -> &Arc<dyn PlanStore> {
        &self.shared.store
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.shared.pending().len()
    }
}

impl Drop for PlanWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, row: Row) {
        let (dropped, waiting) = {
            let mut pending = self.pending();
            (pending.push(row), pending.len())
        };
        count_dropped(dropped);
        if waiting == 1 || waiting >= self.settings.batch {
            self.wake.notify_one();
        }
    }

    fn is_full(&self) -> bool {
        self.pending().len() >= self.settings.batch
    }

    async fn flush(&self) -> Result<()> {
        // What is recorded while it saves must not hold it up for ever.
        let until = self.pending().next();
        let _alone = self.saving.lock().await;
        loop {
            let taken = Taken::of(self, until);
            if taken.rows.is_empty() {
                return Ok(());
            }
            let saved = taken.rows.len() as u64;
            self.store.save(batch_of(&taken.rows)).await?;
            taken.forget();
            list::PLAN_STORE_SAVED.add(saved);
        }
    }
}

/// A batch that is being saved: put back unless it is forgotten.
struct Taken<'a> {
    shared: &'a Shared,
    rows: Vec<(u64, Row)>,
}

impl<'a> Taken<'a> {
    fn of(shared: &'a Shared, until: u64) -> Self {
        let rows = shared.pending().take(shared.settings.batch, until);
        Self { shared, rows }
    }

    fn forget(mut self) {
        self.rows.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.rows.is_empty() {
            let rows = std::mem::take(&mut self.rows);
            let dropped = self.shared.pending().put_back(rows);
            count_dropped(dropped);
            self.shared.wake.notify_one();
        }
    }
}

async fn write(shared: Arc<Shared>) {
    let mut failures = 0u32;
    loop {
        shared.wake.notified().await;
        let pause = shared.settings.flush_interval * (1 << failures.min(MAX_DOUBLINGS));
        let due = Instant::now() + pause;
        while failures > 0 || !shared.is_full() {
            tokio::select! {
                () = sleep_until(due) => break,
                () = shared.wake.notified() => {}
            }
        }
        match shared.flush().await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                list::PLAN_STORE_FAILURES.add(1);
                let error = error.chain();
                tracing::warn!(error, failures, "plans were not saved");
                if failures == MAX_FAILURES {
                    failures = 0;
                    let given_up = shared.pending().take(shared.settings.batch, u64::MAX);
                    count_dropped(given_up.len());
                }
            }
        }
    }
}

fn count_dropped(rows: usize) {
    if rows > 0 {
        list::PLAN_STORE_DROPPED.add(rows as u64);
    }
}
