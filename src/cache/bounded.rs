use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use object_store::path::Path;
use tokio::runtime::Handle;

use super::budget::{Budget, Reservation};
use super::extent::Extent;
use super::extents::SplitExtents;
use super::fate::Fate;
use super::lookups::{Looked, Lookups};
use super::settings::CacheSettings;
use super::shelf::{ObjectKey, Shelf, Shelves, lock};
use super::slot::Slot;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Fetcher, ObjectHandle, Origin, Tally, TrafficCounter, Use};
use crate::sync::atomic::AtomicU64;

/// Look-ups of one key that moka tells apart: its counters have four bits.
const MAX_COUNT: u32 = 15;
/// Look-ups of what a search reads, when its warmup is asked for and when it has read it.
const LOOKUPS: u32 = 2;

/// What is fetched unasked for one request takes no more of the capacity than one part in so many.
const SPARED: u64 = 8;

type Moka = moka::sync::Cache<(u64, u64), Slot<Extent>>;

/// All extents of all splits, bounded in bytes.
#[derive(Clone)]
pub(crate) struct ExtentCache(Arc<Inner>);

struct Inner {
    moka: Moka,
    budget: Budget,
    capacity: u64,
    leased: Arc<AtomicU64>,
    next_id: AtomicU64,
    /// What became of all that was fetched, for whomever.
    all: Arc<Tally>,
    lookups: Lookups,
    shelves: Arc<Shelves>,
    fetcher: Arc<Fetcher>,
    runtime: Handle,
}

impl ExtentCache {
    pub(crate) fn new(settings: &CacheSettings, fetcher: Arc<Fetcher>, runtime: Handle) -> Self {
        let moka = Moka::builder()
            .name("forewarm-extents")
            .max_capacity(settings.capacity_bytes)
            .weigher(|_, slot: &Slot<Extent>| slot.weight())
            .eviction_listener(|_, slot: Slot<Extent>, _| slot.empty())
            .build();
        Self(Arc::new(Inner {
            moka,
            budget: Budget::new(settings.capacity_bytes.saturating_add(settings.lease_bytes)),
            capacity: settings.capacity_bytes,
            leased: Arc::default(),
            next_id: AtomicU64::new(1),
            all: Arc::default(),
            lookups: Lookups::default(),
            shelves: Arc::default(),
            fetcher,
            runtime,
        }))
    }

    /// The extents of `object`: for as long as any of them is alive, a split opened again finds
    /// what was fetched before.
    pub(crate) fn split(&self, object: &ObjectHandle) -> Arc<SplitExtents> {
        let key = ObjectKey {
            path: object.path().clone(),
            version: object.version().clone(),
        };
        let mut shelves = lock(&self.0.shelves);
        let found = shelves.get(&key).and_then(Weak::upgrade);
        let shelf = found.unwrap_or_else(|| {
            let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
            let (all, leased) = (Arc::clone(&self.0.shelves), Arc::clone(&self.0.leased));
            let shelf = Shelf::new(id, key.clone(), all, leased);
            shelves.insert(key, Arc::downgrade(&shelf));
            shelf
        });
        drop(shelves);
        SplitExtents::new(shelf, object.clone(), self.clone())
    }

    /// Bytes of cached extents, bookkeeping included.
    pub(crate) fn cached_bytes(&self) -> u64 {
        self.0.moka.run_pending_tasks();
        self.0.moka.weighted_size()
    }

    /// Number of cached extents.
    pub(crate) fn cached_extents(&self) -> u64 {
        self.0.moka.run_pending_tasks();
        self.0.moka.entry_count()
    }

    /// Bytes held by leases, each extent counted once.
    pub(crate) fn leased_bytes(&self) -> u64 {
        self.0.leased.load(Ordering::Acquire)
    }

    /// Bytes cached, leased or in flight, each counted once.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.0.budget.used()
    }

    /// What became of all that was fetched, for whomever.
    pub(crate) fn usage(&self) -> Use {
        self.0.all.usage()
    }

    /// How much of what was wanted ahead of searches was in memory, so far.
    pub(crate) fn looked(&self) -> Looked {
        self.0.lookups.snapshot()
    }

    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.0.capacity
    }

    /// Whether a split that lacks `bytes` is fetched whole rather than in rounds: a warmup is in a
    /// hurry, the bytes take less time than one of them, and memory can spare them.
    pub(crate) fn is_little(&self, bytes: u64, traffic: &TrafficCounter) -> bool {
        let spared = self.0.capacity / SPARED;
        traffic.is_hurried()
            && bytes.saturating_mul(traffic.splits()) <= spared
            && self.0.fetcher.is_little(bytes, traffic.splits())
    }

    /// Drops all cached extents of the object at `path`, in each version; what is leased stays with
    /// its leases.
    pub(crate) fn forget(&self, path: &Path) {
        for shelf in self.shelves(|other| other == path) {
            self.clear_shelf(&shelf);
        }
        self.0.moka.run_pending_tasks();
    }

    /// Lets go of what is cached of stale objects, as far as that makes room for `bytes` more; what is
    /// leased stays with its leases. Answers of how many.
    pub(crate) fn make_room(&self, bytes: u64, is_stale: impl Fn(&Path) -> bool) -> usize {
        let mut shelves = self.shelves(is_stale);
        shelves.sort_unstable_by(|a, b| a.path().cmp(b.path()));
        let mut forgotten = 0;
        for shelf in &shelves {
            if self.cached_bytes().saturating_add(bytes) <= self.0.capacity {
                break;
            }
            forgotten += usize::from(self.clear_shelf(shelf) > 0);
        }
        forgotten
    }

    /// What is known of objects of some paths. Held by whoever has no lock: shelves and extents take
    /// them when they are dropped.
    fn shelves(&self, is_wanted: impl Fn(&Path) -> bool) -> Vec<Arc<Shelf>> {
        let shelves = lock(&self.0.shelves);
        let wanted = shelves.iter().filter(|(key, _)| is_wanted(&key.path));
        wanted.filter_map(|(_, shelf)| shelf.upgrade()).collect()
    }

    /// Drops the cached extents of one object; answers how many are known.
    fn clear_shelf(&self, shelf: &Shelf) -> usize {
        let starts: Vec<u64> = shelf.lock().extents.keys().copied().collect();
        for start in &starts {
            self.discard(shelf.id(), *start);
        }
        starts.len()
    }

    /// Drops all cached extents; what is leased stays with its leases.
    pub(crate) fn clear(&self) {
        self.0.moka.invalidate_all();
        self.0.moka.run_pending_tasks();
    }

    pub(crate) fn fetcher(&self) -> &Arc<Fetcher> {
        &self.0.fetcher
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// Holds an extent for as long as there is room, and nothing is wanted more often than this,
    /// which was fetched for so many who will ask for it.
    pub(super) fn keep(&self, split: u64, extent: &Arc<Extent>, asks: u32) {
        let key = (split, extent.range().start);
        // moka counts look-ups, hits or not, and admits what was looked up more often than what
        // has to go for it. Whoever fetches it touches it once.
        for _ in 1..asks.saturating_mul(LOOKUPS).min(MAX_COUNT) {
            self.0.moka.get(&key);
        }
        let slot = Slot::new(Arc::clone(extent), extent.weight());
        self.0.moka.insert(key, slot);
        self.0.moka.run_pending_tasks();
    }

    /// Tells that an extent was used; brings one back that only leases kept alive.
    pub(super) fn touch(&self, split: u64, extent: &Arc<Extent>) {
        let key = (split, extent.range().start);
        let cached = self.0.moka.get(&key).and_then(|slot| slot.value());
        if cached.is_none() {
            let slot = Slot::new(Arc::clone(extent), extent.weight());
            self.0.moka.insert(key, slot);
        }
    }

    /// Lets go of an extent that another has taken the place of.
    pub(super) fn discard(&self, split: u64, start: u64) {
        self.0.moka.invalidate(&(split, start));
    }

    pub(super) fn lookups(&self) -> &Lookups {
        &self.0.lookups
    }

    /// The fate of bytes that have just come for `origin`.
    pub(super) fn fate(&self, bytes: u64, origin: Option<&Arc<Origin>>) -> Arc<Fate> {
        Fate::new(bytes, origin, &self.0.all)
    }

    pub(super) fn reserve(&self, bytes: u64) -> Result<Reservation> {
        if let Some(reservation) = self.0.budget.try_reserve(bytes) {
            return Ok(reservation);
        }
        // What moka has decided to evict but not dropped yet still counts.
        self.0.moka.run_pending_tasks();
        self.0.budget.try_reserve(bytes).ok_or_else(|| {
            Error::new(
                ErrorKind::Budget,
                format!(
                    "{bytes} bytes do not fit: {} of {} (capacity_bytes + lease_bytes) are taken; \
                     raise lease_bytes or warm less at once",
                    self.0.budget.used(),
                    self.0.budget.limit()
                ),
            )
        })
    }
}
