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

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use object_store::path::Path;
use tokio::runtime::Handle;

use super::task::{Task, WarmupKey};
use crate::cache::Slot;
use crate::filter::Fingerprint;
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
type Shard = HashTable<Known>;

/// A warmup that runs, lingers, or is held by somebody.
struct Known {
    key: WarmupKey,
    task: Weak<Task>,
    /// From when on the cache of those that linger is to be told that it is used.
    untold: Instant,
}

pub(crate) struct Registry {
    known: [Mutex<Shard>; SHARDS],
    hashes: RandomState,
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
            hashes: RandomState::default(),
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

    /// The warmup of a request, by its fingerprint, in the split at `path`, that runs or lingers and
    /// is used `now`; one that failed is not found.
    pub(super) fn find(
        &self,
        path: &Path,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Option<Arc<Task>> {
        // Declared before the guard: dropped after it.
        let found;
        let (mut shard, hash) = self.shard(path, fingerprint);
        found = shard
            .find_mut(hash, |known| known.is_of(path, fingerprint))
            .and_then(|known| known.used(now, self.uses));
        drop(shard);
        let (task, is_told) = found?;
        if is_told {
            // Looking is what the cache of those that linger takes note of.
            let _ = self.lingering.get(task.key());
        }
        (!task.has_failed()).then_some(task)
    }

    /// [`find`](Self::find), or the warmup that is started by `start` when there is none.
    pub(super) fn find_or_start(
        &self,
        path: &Path,
        fingerprint: Fingerprint,
        now: Instant,
        start: impl FnOnce(WarmupKey) -> Arc<Task>,
    ) -> Arc<Task> {
        if let Some(task) = self.find(path, fingerprint, now) {
            return task;
        }
        // Declared before the guard: dropped after it.
        let stale;
        let (mut shard, hash) = self.shard(path, fingerprint);
        let is_it = |known: &Known| known.is_of(path, fingerprint);
        // Another may have come first.
        let found = shard
            .find(hash, is_it)
            .and_then(|known| known.task.upgrade());
        match found {
            Some(task) if !task.has_failed() => return task,
            other => stale = other,
        }
        let key = WarmupKey {
            path: path.clone(),
            fingerprint,
        };
        let task = start(key.clone());
        let known = Known {
            key,
            task: Arc::downgrade(&task),
            untold: now + self.uses,
        };
        match shard.entry(hash, is_it, |known| self.hash(&known.key)) {
            Entry::Occupied(mut entry) => *entry.get_mut() = known,
            Entry::Vacant(entry) => drop(entry.insert(known)),
        }
        drop(shard);
        drop(stale);
        task
    }

    /// Holds a warmup for a while that keeps so many bytes alive.
    pub(super) fn keep(&self, task: Arc<Task>, bytes: u64) {
        let key = task.key().clone();
        // One that was forgotten meanwhile has no say in who is found.
        let is_it =
            |known: &Known| known.key == key && Weak::as_ptr(&known.task) == Arc::as_ptr(&task);
        let (shard, hash) = self.shard(&key.path, key.fingerprint);
        let is_known = shard.find(hash, is_it).is_some();
        drop(shard);
        if !self.lingers || !is_known {
            return;
        }
        self.lingering
            .insert(key, Slot::new(task, bytes + TASK_BYTES));
    }

    /// Called by a task that is dropped.
    pub(super) fn forget(&self, key: &WarmupKey) {
        let (mut shard, hash) = self.shard(&key.path, key.fingerprint);
        let is_gone = |known: &Known| known.key == *key && known.task.strong_count() == 0;
        if let Ok(entry) = shard.find_entry(hash, is_gone) {
            entry.remove();
        }
    }

    /// Lets go of a finished warmup that brought too little, so that the next one starts anew. One
    /// under way was started since, and stays.
    pub(super) fn retire(&self, key: &WarmupKey) {
        self.lingering.invalidate(key);
        self.lingering.run_pending_tasks();
        // Declared before the guard: dropped after it.
        let found;
        let (mut shard, hash) = self.shard(&key.path, key.fingerprint);
        let Ok(entry) = shard.find_entry(hash, |known| known.key == *key) else {
            return;
        };
        found = entry.get().task.upgrade();
        // One that somebody still holds stays with them, but is found no more.
        if found.as_ref().is_none_or(|task| task.is_finished()) {
            entry.remove();
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
        let shard = self.shard_of(self.hash_of(path).finish());
        lock(shard).retain(|known| known.key.path != *path);
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

    /// The table that warmups of the split at `path` are in, locked, and the hash of one there.
    fn shard(&self, path: &Path, fingerprint: Fingerprint) -> (MutexGuard<'_, Shard>, u64) {
        let hasher = self.hash_of(path);
        let shard = self.shard_of(hasher.finish());
        (lock(shard), with(hasher, fingerprint))
    }

    fn shard_of(&self, hash: u64) -> &Mutex<Shard> {
        &self.known[hash as usize % SHARDS]
    }

    fn hash_of(&self, path: &Path) -> impl Hasher {
        let mut hasher = self.hashes.build_hasher();
        path.hash(&mut hasher);
        hasher
    }

    fn hash(&self, key: &WarmupKey) -> u64 {
        with(self.hash_of(&key.path), key.fingerprint)
    }
}

/// The hash of a path and a fingerprint, of which a part does: it is a hash itself, of a request that
/// was asked here.
fn with(mut hasher: impl Hasher, fingerprint: Fingerprint) -> u64 {
    hasher.write_u64(fingerprint.part());
    hasher.finish()
}

impl Known {
    fn is_of(&self, path: &Path, fingerprint: Fingerprint) -> bool {
        self.key.fingerprint == fingerprint && self.key.path == *path
    }

    /// The warmup, which is used `now`, and whether that is to be told.
    fn used(&mut self, now: Instant, uses: Duration) -> Option<(Arc<Task>, bool)> {
        let task = self.task.upgrade()?;
        let is_told = now >= self.untold;
        if is_told {
            self.untold = now + uses;
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

    /// Starts a warmup of request `of` in the split at `path` that never ends.
    fn start(registry: &Arc<Registry>, path: &Path, of: u8) -> Arc<Task> {
        let (fingerprint, now) = (Fingerprint::from_bytes([of; 32]), Instant::now());
        registry.find_or_start(path, fingerprint, now, |key| {
            let (runtime, traffic) = (registry.runtime(), TrafficCounter::default());
            let for_ever = std::future::pending();
            Task::start(key, registry, runtime, traffic, true, for_ever).0
        })
    }

    #[tokio::test]
    async fn each_is_found_by_its_split_and_request_however_many_there_are() {
        let registry = Registry::new(Duration::from_secs(60), 1 << 20, Handle::current());
        let paths: Vec<_> = (0..500).map(|n| Path::from(format!("{n}.split"))).collect();
        let tasks: Vec<Vec<_>> = paths
            .iter()
            .map(|path| (0..3).map(|of| start(&registry, path, of)).collect())
            .collect();
        assert_eq!(registry.len(), 1500);
        registry.forget_split(&paths[7]);
        assert_eq!(registry.len(), 1497);
        // One that began before the last use was told is no surprise.
        let before = Instant::now().checked_sub(Duration::from_secs(1));
        let now = before.unwrap_or_else(Instant::now);
        for (at, (path, tasks)) in paths.iter().zip(&tasks).enumerate() {
            for (of, task) in tasks.iter().enumerate() {
                let fingerprint = Fingerprint::from_bytes([of as u8; 32]);
                let found = registry.find(path, fingerprint, now);
                let is_it = found.is_some_and(|found| Arc::ptr_eq(&found, task));
                assert_eq!(is_it, at != 7, "{path}");
            }
        }
        drop(tasks);
        assert_eq!(registry.len(), 0);
    }

    #[tokio::test]
    async fn retiring_a_finished_warmup_leaves_its_successor_alone() {
        let registry = Registry::new(Duration::from_secs(60), 1 << 20, Handle::current());
        let path = Path::from("a.split");
        let successor = start(&registry, &path, 0);
        // Two searches have read late beside the first.
        registry.retire(successor.key());
        let found = registry.find(&path, successor.key().fingerprint, Instant::now());
        assert!(found.is_some_and(|found| Arc::ptr_eq(&found, &successor)));
    }
}
