//! Which warmups there are.
//!
//! Running warmups are known weakly: they live as long as somebody holds a handle. Finished ones
//! are held for a while, bounded in leased bytes, so that a reader who comes later finds them; the
//! first reader does not use them up.
//!
//! All of them, those that linger too, are found in `known`, a hash table in shards: a warm search
//! takes microseconds, and moka's look-ups a good part of one each. So moka is told of the first use in
//! a [`USES`], which is as exact as letting go of those used least lately has to be.
//!
//! Lock order: the lingering cache's own locks, then a shard's. A task is never dropped with a shard
//! locked, for its `Drop` takes that lock.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use object_store::path::Path;
use tokio::runtime::Handle;

use super::task::{Task, WarmupKey};
use crate::cache::Slot;
use crate::sync::{Mutex, MutexGuard};

/// Bookkeeping of a lingering warmup: its entry, task and query.
const TASK_BYTES: u64 = 2048;

/// Uses of one warmup that are one to the cache of those that linger.
const USES: Duration = Duration::from_millis(100);

/// No longer than one part in so many of how long they linger.
const USES_SHARE: u32 = 10;

/// Tables by path, so that searches of splits seldom want one at the same time.
const SHARDS: usize = 64;

/// The warmups of some splits.
type Shard = HashMap<WarmupKey, Known, RandomState>;

/// A warmup that runs, lingers, or is held by somebody.
struct Known {
    task: Weak<Task>,
    /// When the cache of those that linger was last told that it is used.
    told: Instant,
}

pub(crate) struct Registry {
    known: [Mutex<Shard>; SHARDS],
    paths: RandomState,
    /// Uses within this time are one.
    uses: Duration,
    /// None does where they are to be let go of at once.
    lingers: bool,
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
            known: std::array::from_fn(|_| Mutex::default()),
            paths: RandomState::default(),
            uses: USES.min(linger / USES_SHARE),
            lingers: !linger.is_zero(),
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
        // Declared before the guard: dropped after it.
        let found;
        let mut shard = self.shard(&key.path);
        found = shard.get_mut(key).and_then(|known| known.used(self.uses));
        drop(shard);
        self.found(key, found?)
    }

    /// Tells the cache of those that linger that one was used.
    fn found(&self, key: &WarmupKey, (task, is_told): (Arc<Task>, bool)) -> Option<Arc<Task>> {
        if is_told {
            // Looking is what it takes note of.
            let _ = self.lingering.get(key);
        }
        (!task.has_failed()).then_some(task)
    }

    /// The warmup of `key`, started by `start` when there is none.
    pub(super) fn find_or_start(
        &self,
        key: &WarmupKey,
        start: impl FnOnce() -> Arc<Task>,
    ) -> Arc<Task> {
        if let Some(task) = self.find(key) {
            return task;
        }
        // Declared before the guard: dropped after it.
        let stale;
        let mut shard = self.shard(&key.path);
        // Another may have come first.
        let found = shard.get(key).and_then(|known| known.task.upgrade());
        match found {
            Some(task) if !task.has_failed() => return task,
            other => stale = other,
        }
        let task = start();
        let known = Known {
            task: Arc::downgrade(&task),
            told: Instant::now(),
        };
        shard.insert(key.clone(), known);
        drop(shard);
        drop(stale);
        task
    }

    /// Holds a warmup for a while that keeps so many bytes alive: those leased, and its opened split.
    pub(super) fn keep(&self, task: Arc<Task>, bytes: u64) {
        let key = task.key().clone();
        // One that was forgotten meanwhile has no say in who is found.
        let is_known = |known: &Known| Weak::as_ptr(&known.task) == Arc::as_ptr(&task);
        if !self.lingers || !self.shard(&key.path).get(&key).is_some_and(is_known) {
            return;
        }
        self.lingering
            .insert(key, Slot::new(task, bytes + TASK_BYTES));
    }

    /// Called by a task that is dropped.
    pub(super) fn forget(&self, key: &WarmupKey) {
        let mut shard = self.shard(&key.path);
        if shard
            .get(key)
            .is_some_and(|known| known.task.strong_count() == 0)
        {
            shard.remove(key);
        }
    }

    /// Lets go of a finished warmup that brought too little, so that the next one starts anew. One
    /// under way was started since, and stays.
    pub(super) fn retire(&self, key: &WarmupKey) {
        self.lingering.invalidate(key);
        self.lingering.run_pending_tasks();
        // Declared before the guard: dropped after it.
        let found;
        let mut shard = self.shard(&key.path);
        found = shard.get(key).and_then(|known| known.task.upgrade());
        // One that somebody still holds stays with them, but is found no more.
        if found.as_ref().is_none_or(|task| task.is_finished()) {
            shard.remove(key);
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
        self.shard(path).retain(|key, _| key.path != *path);
    }

    /// Lets go of all finished warmups.
    pub(super) fn clear(&self) {
        self.lingering.invalidate_all();
        self.lingering.run_pending_tasks();
    }

    /// Number of warmups that run or are held by somebody.
    pub(super) fn len(&self) -> u64 {
        self.lingering.run_pending_tasks();
        self.known
            .iter()
            .map(|shard| lock(shard).len() as u64)
            .sum()
    }

    /// The table that warmups of the split at `path` are in.
    fn shard(&self, path: &Path) -> MutexGuard<'_, Shard> {
        let hash = self.paths.hash_one(path) as usize;
        lock(&self.known[hash % SHARDS])
    }
}

impl Known {
    /// The warmup, which is used now, and whether that is to be told.
    fn used(&mut self, uses: Duration) -> Option<(Arc<Task>, bool)> {
        let task = self.task.upgrade()?;
        let now = Instant::now();
        let is_told = now.duration_since(self.told) >= uses;
        if is_told {
            self.told = now;
        }
        Some((task, is_told))
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
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
