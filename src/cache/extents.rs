use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tantivy::directory::OwnedBytes;
use tokio::runtime::Handle;

use super::bounded::ExtentCache;
use super::budget::Reservation;
use super::extent::{EXTENT_OVERHEAD_BYTES, Extent, weight_of};
use super::fate::Reader;
use super::flight::{Flight, Pilot};
use super::found::{Found, is_held};
use super::lease::{Lease, LeaseBuilder};
use super::lookups::{Looked, Lookups};
use super::shelf::Shelf;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Batch, Coalescing, ObjectHandle, TrafficCounter, contains, normalise};

/// How often a range may turn out not to be covered after its fetches have landed. Each time means
/// that somebody else fetched only other parts of a shared GET.
const MAX_PASSES: usize = 16;

/// A body is kept whole when at most this share of it (one in so many) was not asked for; of a
/// more wasteful one only the parts asked for are copied out, so that a short posting list does
/// not pin the gap beside it.
const WASTE_ONE_IN: u64 = 4;

/// The extents of one split object in one version, and the means to fetch more of them.
pub(crate) struct SplitExtents {
    pub(super) shelf: Arc<Shelf>,
    object: ObjectHandle,
    pub(super) cache: ExtentCache,
}

impl SplitExtents {
    pub(super) fn new(shelf: Arc<Shelf>, object: ObjectHandle, cache: ExtentCache) -> Arc<Self> {
        Arc::new(Self {
            shelf,
            object,
            cache,
        })
    }

    /// Identifies the split among all of this process.
    pub(crate) fn id(&self) -> u64 {
        self.shelf.id()
    }

    pub(crate) fn object(&self) -> &ObjectHandle {
        &self.object
    }

    /// The runtime that fetches.
    pub(crate) fn runtime(&self) -> &Handle {
        self.cache.runtime()
    }

    /// How long one fetch may take.
    pub(crate) fn patience(&self) -> Duration {
        self.cache.fetcher().settings().get_deadline
    }

    /// Reads `range` for `reader`, from memory or the store. When the budget has no room for an extent the
    /// bytes are fetched all the same and not kept.
    ///
    /// # Errors
    ///
    /// Those of the fetch.
    pub(crate) async fn read(
        self: &Arc<Self>,
        range: Range<u64>,
        reader: Reader,
        traffic: &TrafficCounter,
    ) -> Result<OwnedBytes> {
        let rule = self.rule();
        match self.bring(&rule, vec![range.clone()], traffic, None).await {
            Ok(Acquired { extents, .. }) => match extents.first() {
                Some(extent) => Ok(extent.read(&range, reader)),
                None => Ok(OwnedBytes::empty()),
            },
            Err(error) if error.kind() == ErrorKind::Budget => {
                let bytes = self
                    .cache
                    .fetcher()
                    .get_range(&self.object, range, traffic)
                    .await?;
                Ok(OwnedBytes::new(bytes))
            }
            Err(error) => Err(error),
        }
    }

    /// The extent that covers `range`, when one is in memory.
    pub(crate) fn lookup(&self, range: &Range<u64>) -> Option<Arc<Extent>> {
        let state = self.shelf.lock();
        let candidate = state.before(range);
        // The reference must not be dropped under the lock.
        drop(state);
        candidate.filter(|extent| extent.covers(range))
    }

    /// [`lookup`](Self::lookup), of which the cache takes note: what is used stays.
    pub(crate) fn recall(&self, range: &Range<u64>) -> Option<Arc<Extent>> {
        let extent = self.lookup(range)?;
        self.cache.touch(self.id(), &extent);
        Some(extent)
    }

    /// Whether all of `range` is in memory, in however many extents, of which the cache takes note.
    pub(crate) fn recall_parts(&self, range: &Range<u64>) -> bool {
        let mut found = Found::default();
        let state = self.shelf.lock();
        let missing = found.look(&state, from_ref(range));
        drop(state);
        let is_here = missing.is_empty() && found.flights.is_empty();
        if is_here {
            found
                .extents
                .iter()
                .for_each(|extent| self.cache.touch(self.id(), extent));
        }
        is_here
    }

    /// Tells the cache what searches have read from `lease`, of which it sees nothing by itself.
    pub(crate) fn touch(&self, lease: &Lease) {
        let used: Vec<_> = lease.used().collect();
        let state = self.shelf.lock();
        // Another may have taken its place, and then nobody would find it in the cache again.
        let known = used.iter().map(|extent| state.before(extent.range()));
        let known: Vec<_> = known.collect();
        drop(state);
        for (used, known) in used.iter().zip(&known) {
            match known {
                Some(known) if known.covers(used.range()) => self.cache.touch(self.id(), known),
                _ => {}
            }
        }
    }

    /// Tells the cache that ranges which are all in memory are expected to be read.
    pub(crate) fn expect_reads(&self, ranges: Vec<Range<u64>>) {
        // Looking is what it takes note of.
        let _ = self.cached(&normalise(ranges));
    }

    /// Extents such that each of `wanted` lies inside one of them, when they are all in memory.
    fn cached(&self, wanted: &[Range<u64>]) -> Option<Vec<Arc<Extent>>> {
        // Declared before the guard: dropped after it.
        let mut extents: Vec<Arc<Extent>> = Vec::with_capacity(wanted.len());
        let state = self.shelf.lock();
        for range in wanted {
            if extents.last().is_some_and(|last| last.covers(range)) {
                continue;
            }
            extents.push(state.before(range)?);
            if !extents.last().is_some_and(|last| last.covers(range)) {
                return None;
            }
        }
        drop(state);
        for extent in &extents {
            self.cache.touch(self.id(), extent);
        }
        Some(extents)
    }

    /// Parts of `ranges` that are neither in memory nor on their way, coalesced into GETs: a part of
    /// `wanted_by_all` that are wanted at once, or alone.
    pub(crate) fn missing(&self, ranges: Vec<Range<u64>>, wanted_by_all: u64) -> Vec<Batch> {
        self.missing_by(&self.rule(), ranges, wanted_by_all)
    }

    /// How ranges become GETs.
    fn rule(&self) -> Coalescing {
        self.cache.fetcher().coalescing()
    }

    /// How they do where no plan tells what is read.
    pub(crate) fn rule_unplanned(&self) -> Coalescing {
        self.cache.fetcher().coalescing_unplanned()
    }

    /// [`missing`](Self::missing) by a rule.
    pub(crate) fn missing_by(
        &self,
        rule: &Coalescing,
        ranges: Vec<Range<u64>>,
        wanted_by_all: u64,
    ) -> Vec<Batch> {
        let mut keep = Found::default();
        let state = self.shelf.lock();
        let missing = keep.look(&state, &normalise(ranges));
        let batches = rule.batches(&missing, |gap| is_held(&state, gap), wanted_by_all);
        drop(state);
        batches
    }

    /// How many GETs are wanted for `ranges`, where none waits for another.
    pub(crate) fn wanted(&self, ranges: &[Range<u64>]) -> u64 {
        self.wanted_by(&self.rule(), ranges)
    }

    /// [`wanted`](Self::wanted) by a rule.
    pub(crate) fn wanted_by(&self, rule: &Coalescing, ranges: &[Range<u64>]) -> u64 {
        if ranges.iter().all(|range| self.lookup(range).is_some()) {
            return 0;
        }
        let mut keep = Found::default();
        let state = self.shelf.lock();
        let missing = keep.look(&state, &normalise(ranges.to_vec()));
        let wanted = rule.wanted(&missing, |gap| is_held(&state, gap));
        drop(state);
        wanted
    }

    /// What is missing of `whole`, where that [is little](ExtentCache::is_little).
    pub(crate) fn little_missing(
        &self,
        whole: Range<u64>,
        traffic: &TrafficCounter,
    ) -> Option<Vec<Range<u64>>> {
        if !self.cache.is_little(0, traffic) {
            return None;
        }
        let batches = self.missing(vec![whole], 0);
        let missing: Vec<_> = batches.into_iter().flat_map(|batch| batch.parts).collect();
        let bytes = missing.iter().map(|part| part.end - part.start).sum();
        self.cache.is_little(bytes, traffic).then_some(missing)
    }

    /// Puts of the bytes at `start`, which came with a footer that opening read for `traffic`, those in
    /// the cache that are not there yet, as far as they fit. Answers with what was put there, which
    /// stays if moka has room.
    pub(crate) fn insert(
        self: &Arc<Self>,
        start: u64,
        bytes: &[u8],
        traffic: &TrafficCounter,
    ) -> Vec<Arc<Extent>> {
        let range = start..start + bytes.len() as u64;
        let batches = self.missing(vec![range], 0);
        let parts = batches.into_iter().flat_map(|batch| batch.parts);
        let put = parts.filter_map(|part| {
            let reservation = self.cache.reserve(weight_of(&part, 1)).ok()?;
            let bytes = bytes[(part.start - start) as usize..(part.end - start) as usize].to_vec();
            let extent = self.landed(part.start, bytes, reservation, traffic);
            self.publish(&extent, traffic.asks());
            Some(extent)
        });
        put.collect()
    }

    /// An extent of bytes that have just come.
    fn landed(
        &self,
        start: u64,
        bytes: Vec<u8>,
        reservation: Reservation,
        traffic: &TrafficCounter,
    ) -> Arc<Extent> {
        let fate = self.cache.fate(bytes.len() as u64, traffic.origin());
        Extent::new(Arc::clone(&self.shelf), start, bytes, reservation, [fate])
    }

    /// Brings `ranges` into memory and returns extents such that each range lies inside one of
    /// them: from the cache, from fetches under way, and by GETs of the gaps only. Answers with
    /// whether any GET was sent by this call or waited for, and counts how much was in memory.
    ///
    /// # Errors
    ///
    /// Those of the fetch, and `Budget` when the bytes do not fit.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its share in the fetches: see [`Flight`].
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        ranges: Vec<Range<u64>>,
        traffic: &TrafficCounter,
    ) -> Result<Acquired> {
        self.acquire_by(&self.rule(), ranges, traffic).await
    }

    /// [`acquire`](Self::acquire) by a rule.
    pub(crate) async fn acquire_by(
        self: &Arc<Self>,
        rule: &Coalescing,
        ranges: Vec<Range<u64>>,
        traffic: &TrafficCounter,
    ) -> Result<Acquired> {
        let lookups = self.cache.lookups();
        self.bring(rule, ranges, traffic, Some(lookups)).await
    }

    /// [`acquire`](Self::acquire) of what opening the split reads. It is not counted: a warmup that
    /// knows beforehand what opening reads asks for it, too.
    pub(crate) async fn acquire_to_open(
        self: &Arc<Self>,
        ranges: Vec<Range<u64>>,
        traffic: &TrafficCounter,
    ) -> Result<Acquired> {
        let wanted = ranges.clone();
        let acquired = self.bring(&self.rule(), ranges, traffic, None).await?;
        for extent in &acquired.extents {
            let within = wanted.iter().filter(|range| extent.covers(range));
            extent.opened(within.map(|range| range.end - range.start).sum());
        }
        Ok(acquired)
    }

    async fn bring(
        self: &Arc<Self>,
        rule: &Coalescing,
        ranges: Vec<Range<u64>>,
        traffic: &TrafficCounter,
        lookups: Option<&Lookups>,
    ) -> Result<Acquired> {
        let count = |looked: Looked| {
            if let Some(lookups) = lookups {
                lookups.count(looked);
            }
        };
        let wanted = normalise(ranges);
        if let Some(extents) = self.cached(&wanted) {
            count(Looked::all(&wanted));
            let waited = false;
            return Ok(Acquired { extents, waited });
        }
        let mut held = LeaseBuilder::default();
        let mut waited = false;
        for pass in 0..MAX_PASSES {
            let Found {
                extents,
                flights,
                looked,
                ..
            } = self.begin(rule, &wanted, traffic);
            if pass == 0 {
                count(looked);
            }
            for extent in extents {
                held.add(extent);
            }
            if flights.is_empty() {
                let extents = self.joined(&wanted, &held)?;
                return Ok(Acquired { extents, waited });
            }
            waited = true;
            for landed in try_join_all(flights.iter().map(|flight| flight.wait())).await? {
                for extent in landed {
                    held.add(extent);
                }
            }
            let present = normalise(held.extents().map(|e| e.range().clone()).collect());
            if wanted.iter().all(|range| contains(&present, range)) {
                let extents = self.joined(&wanted, &held)?;
                return Ok(Acquired { extents, waited });
            }
        }
        Err(Error::new(
            ErrorKind::Internal,
            format!(
                "ranges of {} were not covered after {MAX_PASSES} fetches",
                self.object
            ),
        ))
    }

    /// Looks up `wanted`, and begins to fetch what is neither in memory nor on its way.
    fn begin(
        self: &Arc<Self>,
        rule: &Coalescing,
        wanted: &[Range<u64>],
        traffic: &TrafficCounter,
    ) -> Found {
        let mut found = Found::default();
        let mut pilots = Vec::new();
        let wanted_by_all = traffic.wanted_by_all();
        let mut state = self.shelf.lock();
        let missing = found.look(&state, wanted);
        for batch in rule.batches(&missing, |gap| is_held(&state, gap), wanted_by_all) {
            let (flight, pilot) = Flight::new(Arc::clone(&self.shelf), batch, traffic.urgency());
            let start = flight.range().start;
            state.flights.insert(start, Arc::downgrade(&flight));
            found.flights.push(flight);
            pilots.push(pilot);
        }
        drop(state);
        for flight in &found.flights {
            flight.wait_with(traffic.urgency());
        }
        for pilot in pilots {
            let counter = traffic.with_urgency(Arc::clone(&pilot.urgency));
            let task = Arc::clone(self).fly(pilot, counter);
            self.cache.runtime().spawn(task);
        }
        found
    }

    /// Fetches one batch and lands it.
    async fn fly(self: Arc<Self>, mut pilot: Pilot, traffic: TrafficCounter) {
        let result = self.fetch(&mut pilot, &traffic).await;
        {
            // Whoever looks from now on finds the extents, or fetches again what failed.
            let mut state = self.shelf.lock();
            let start = pilot.batch.range.start;
            if state
                .flights
                .get(&start)
                .is_some_and(|flight| pilot.is_of(flight))
            {
                state.flights.remove(&start);
            }
        }
        pilot.land(result);
    }

    async fn fetch(
        self: &Arc<Self>,
        pilot: &mut Pilot,
        traffic: &TrafficCounter,
    ) -> Result<Vec<Arc<Extent>>> {
        let batch = pilot.batch.clone();
        let Batch { range, parts, .. } = &batch;
        let fetcher = self.cache.fetcher();
        let mut reservation = None;
        let body = fetcher
            .get_pieces(&self.object, &batch.pieces(), traffic, || {
                if !pilot.begin() {
                    return Err(Error::new(
                        ErrorKind::Cancelled,
                        "nobody waits for this fetch",
                    ));
                }
                let overhead = EXTENT_OVERHEAD_BYTES * parts.len() as u64;
                reservation = Some(self.cache.reserve((range.end - range.start) + overhead)?);
                Ok(())
            })
            .await?;
        let Some(mut reservation) = reservation else {
            return Err(Error::new(
                ErrorKind::Internal,
                "a GET was sent without a reservation",
            ));
        };
        let whole = batch.waste() * WASTE_ONE_IN <= range.end - range.start;
        let extents: Vec<Arc<Extent>> = if whole {
            let reservation = reservation.split(weight_of(range, 1));
            vec![self.landed(range.start, body, reservation, traffic)]
        } else {
            parts
                .iter()
                .map(|part| {
                    let from = (part.start - range.start) as usize;
                    let bytes = body[from..from + (part.end - part.start) as usize].to_vec();
                    let reservation = reservation.split(weight_of(part, 1));
                    self.landed(part.start, bytes, reservation, traffic)
                })
                .collect()
        };
        for extent in &extents {
            self.publish(extent, traffic.asks());
        }
        Ok(extents)
    }

    /// Makes an extent that is expected to be wanted so often known to the map and to the cache, in
    /// the place of those inside it.
    pub(super) fn publish(&self, extent: &Arc<Extent>, asks: u32) {
        let placed = self.shelf.place(extent);
        for inside in &placed.inside {
            self.cache.discard(self.id(), inside.range().start);
        }
        if placed.is_known {
            self.cache.keep(self.id(), extent, asks);
        }
    }
}

/// What [`SplitExtents::acquire`] brought.
pub(crate) struct Acquired {
    pub(crate) extents: Vec<Arc<Extent>>,
    /// Whether a GET, one's own or another's, had to be waited for.
    pub(crate) waited: bool,
}
