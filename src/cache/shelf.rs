use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, PoisonError, Weak};

use object_store::path::Path;

use super::extent::Extent;
use super::flight::Flight;
use crate::store::ObjectVersion;
use crate::sync::atomic::AtomicU64;
use crate::sync::{Mutex, MutexGuard};

/// One object in one version.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(super) struct ObjectKey {
    pub(super) path: Path,
    pub(super) version: ObjectVersion,
}

/// All shelves that are in use.
pub(super) type Shelves = Mutex<HashMap<ObjectKey, Weak<Shelf>>>;

/// What is in memory, or on its way, of one object in one version.
///
/// Extents hold their shelf, and a shelf holds nothing that holds extents: a cache that is dropped
/// frees its extents.
pub(super) struct Shelf {
    id: u64,
    key: ObjectKey,
    shelves: Arc<Shelves>,
    leased: Arc<AtomicU64>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// By start; none lies inside another, so that ends grow as starts do.
    pub(super) extents: BTreeMap<u64, Weak<Extent>>,
    /// By start of the GET.
    pub(super) flights: BTreeMap<u64, Weak<Flight>>,
}

/// What became of an extent that was [placed](Shelf::place).
pub(super) struct Placed {
    /// Whether the extent is known now; it is not when another covers it.
    pub(super) is_known: bool,
    /// Those that it took the place of.
    pub(super) inside: Vec<Arc<Extent>>,
    /// Looked at only, and not to be dropped under the lock.
    others: Vec<Arc<Extent>>,
}

impl State {
    /// The last extent that starts where `range` does or before it: the one that covers `range`, if
    /// any does. It must not be dropped under the lock.
    pub(super) fn before(&self, range: &Range<u64>) -> Option<Arc<Extent>> {
        let mut before = self.extents.range(..=range.start).rev();
        before.find_map(|(_, extent)| extent.upgrade())
    }
}

impl Shelf {
    pub(super) fn new(
        id: u64,
        key: ObjectKey,
        shelves: Arc<Shelves>,
        leased: Arc<AtomicU64>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            key,
            shelves,
            leased,
            state: Mutex::default(),
        })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn path(&self) -> &Path {
        &self.key.path
    }

    /// The gauge of leased bytes.
    pub(super) fn leased(&self) -> &AtomicU64 {
        &self.leased
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Makes `extent` known in the place of those inside it, in one step: nobody may find its range
    /// missing in between, and fetch it again.
    pub(super) fn place(&self, extent: &Arc<Extent>) -> Placed {
        let range = extent.range();
        let mut placed = Placed {
            is_known: true,
            inside: Vec::new(),
            others: Vec::new(),
        };
        let mut state = self.lock();
        let mut before = state.extents.range(..=range.start).rev();
        if let Some(before) = before.find_map(|(_, extent)| extent.upgrade()) {
            placed.is_known = !before.covers(range);
            placed.others.push(before);
        }
        if placed.is_known {
            let mut inside = Vec::new();
            for (&start, known) in state.extents.range(range.start..range.end) {
                match known.upgrade() {
                    Some(known) if extent.covers(known.range()) => {
                        inside.push(start);
                        placed.inside.push(known);
                    }
                    Some(known) => placed.others.push(known),
                    None => {}
                }
            }
            for start in inside {
                state.extents.remove(&start);
            }
            state.extents.insert(range.start, Arc::downgrade(extent));
        }
        placed
    }

    /// Called by an extent that is dropped.
    pub(super) fn forget_extent(&self, start: u64) {
        let mut state = self.lock();
        if state
            .extents
            .get(&start)
            .is_some_and(|extent| extent.strong_count() == 0)
        {
            state.extents.remove(&start);
        }
    }

    /// Called by a flight that is dropped.
    pub(super) fn forget_flight(&self, start: u64) {
        let mut state = self.lock();
        if state
            .flights
            .get(&start)
            .is_some_and(|flight| flight.strong_count() == 0)
        {
            state.flights.remove(&start);
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let mut shelves = lock(&self.shelves);
        if shelves
            .get(&self.key)
            .is_some_and(|shelf| shelf.strong_count() == 0)
        {
            shelves.remove(&self.key);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that runs under these locks panics half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
