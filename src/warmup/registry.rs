//! Which warmups there are.
//!
//! Running warmups are known weakly: they live as long as somebody holds a handle. Finished ones
//! are held for a while, bounded in leased bytes, so that a reader who comes later finds them; the
//! first reader does not use them up.
//!
//! Lock order: the lingering cache's own locks, then `running`. A task is never dropped with
//! `running` locked, for its `Drop` takes that lock.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use object_store::path::Path;
use tokio::runtime::Handle;

use super::task::{Task, WarmupKey};
use crate::cache::Slot;
use crate::sync::{Mutex, MutexGuard};

/// Bookkeeping of a lingering warmup: its entry, task and query.
const TASK_BYTES: u64 = 2048;

pub(crate) struct Registry {
    running: Mutex<HashMap<WarmupKey, Weak<Task>>>,
    lingering: moka::sync::Cache<WarmupKey, Slot<Task>>,
    runtime: Handle,
}

impl Registry {
    pub(super) fn new(linger: Duration, linger_bytes: u64, runtime: Handle) -> Arc<Self> {
        let lingering = moka::sync::Cache::builder()
            .name("forewarm-warmups")
            .time_to_idle(linger)
            .max_capacity(linger_bytes)
            .weigher(|_, slot: &Slot<Task>| slot.weight())
            .eviction_listener(|_, slot: Slot<Task>, _| slot.empty())
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            .build();
        let registry = Arc::new(Self {
            running: Mutex::default(),
            lingering,
            runtime,
        });
        registry.sweep_every(linger / 2);
        registry
    }

    /// Lets go of what has lingered long enough even when nobody asks for anything.
    fn sweep_every(self: &Arc<Self>, pause: Duration) {
        let registry = Arc::downgrade(self);
        let pause = pause.max(Duration::from_millis(100));
        self.runtime.spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(registry) = registry.upgrade() else {
                    return;
                };
                registry.lingering.run_pending_tasks();
            }
        });
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The warmup of `key` that runs or lingers; one that failed is not found.
    pub(super) fn find(&self, key: &WarmupKey) -> Option<Arc<Task>> {
        if let Some(task) = self.lingering.get(key).and_then(|slot| slot.value()) {
            return Some(task);
        }
        let task = self.lock().get(key).and_then(Weak::upgrade);
        task.filter(|task| !task.has_failed())
    }

    /// The warmup of `key`, started by `start` when there is none.
    pub(super) fn find_or_start(
        &self,
        key: &WarmupKey,
        start: impl FnOnce() -> Arc<Task>,
    ) -> Arc<Task> {
        if let Some(task) = self.lingering.get(key).and_then(|slot| slot.value()) {
            return task;
        }
        // Declared before the guard: dropped after it.
        let stale;
        let mut running = self.lock();
        let found = running.get(key).and_then(Weak::upgrade);
        match found {
            Some(task) if !task.has_failed() => return task,
            other => stale = other,
        }
        let task = start();
        running.insert(key.clone(), Arc::downgrade(&task));
        drop(running);
        drop(stale);
        task
    }

    /// Holds a warmup for a while that keeps so many bytes alive: those leased, and its opened split.
    pub(super) fn keep(&self, task: Arc<Task>, bytes: u64) {
        let key = task.key().clone();
        self.lingering
            .insert(key, Slot::new(task, bytes + TASK_BYTES));
    }

    /// Called by a task that is dropped.
    pub(super) fn forget(&self, key: &WarmupKey) {
        let mut running = self.lock();
        if running
            .get(key)
            .is_some_and(|task| task.strong_count() == 0)
        {
            running.remove(key);
        }
    }

    /// Lets go of a finished warmup that brought too little, so that the next one starts anew. One
    /// under way was started since, and stays.
    pub(super) fn retire(&self, key: &WarmupKey) {
        self.lingering.invalidate(key);
        self.lingering.run_pending_tasks();
        // Declared before the guard: dropped after it.
        let found;
        let mut running = self.lock();
        found = running.get(key).and_then(Weak::upgrade);
        // One that somebody still holds stays with them, but is found no more.
        if found.as_ref().is_none_or(|task| task.is_finished()) {
            running.remove(key);
        }
    }

    /// Forgets all warmups of a split whose object was replaced: what they lease is of the old
    /// version. Readers that have joined them keep what they have.
    pub(super) fn forget_split(&self, path: &Path) {
        for (key, _) in &self.lingering {
            if key.path == *path {
                self.lingering.invalidate(&*key);
            }
        }
        self.lingering.run_pending_tasks();
        self.lock().retain(|key, _| key.path != *path);
    }

    /// Lets go of all finished warmups.
    pub(super) fn clear(&self) {
        self.lingering.invalidate_all();
        self.lingering.run_pending_tasks();
    }

    /// Number of warmups that run or are held by somebody.
    pub(super) fn len(&self) -> u64 {
        self.lingering.run_pending_tasks();
        self.lock().len() as u64
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WarmupKey, Weak<Task>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::filter::Fingerprint;
    use crate::store::TrafficCounter;

    #[tokio::test]
    async fn retiring_a_finished_warmup_leaves_its_successor_alone() {
        let registry = Registry::new(Duration::from_secs(60), 1 << 20, Handle::current());
        let key = WarmupKey {
            path: Path::from("a.split"),
            fingerprint: Fingerprint::from_bytes([0; 32]),
        };
        let successor = registry.find_or_start(&key, || {
            let (runtime, traffic) = (registry.runtime(), TrafficCounter::default());
            let for_ever = std::future::pending();
            let (task, _) = Task::start(key.clone(), &registry, runtime, traffic, true, for_ever);
            task
        });
        // Two searches have read late beside the first.
        registry.retire(&key);
        let found = registry.find(&key);
        assert!(found.is_some_and(|found| Arc::ptr_eq(&found, &successor)));
    }
}
