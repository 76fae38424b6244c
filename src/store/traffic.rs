use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::request::{Priority, Request, Urgency};
use super::trace::{GetTrace, Trace};
use super::want::Want;

/// What some work asked of the object store.
///
/// A *round* is a batch of GETs none of which waits for another: the latency of cold work is its
/// rounds times the store's time to first byte, plus bytes over bandwidth.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Traffic {
    /// Requests sent, retries and HEADs included.
    pub gets: u64,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Rounds on the longest chain.
    pub rounds: u64,
}

impl Traffic {
    /// The traffic of two pieces of work, one of which waited for the other: rounds add up.
    pub fn then(self, next: Self) -> Self {
        Self {
            gets: self.gets + next.gets,
            bytes: self.bytes + next.bytes,
            rounds: self.rounds + next.rounds,
        }
    }

    /// What came on top of `earlier`, a reading of the same counter.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            gets: self.gets.saturating_sub(earlier.gets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            rounds: self.rounds.saturating_sub(earlier.rounds),
        }
    }

    /// The traffic of two pieces of work side by side: the longer chain of rounds counts.
    pub fn beside(self, other: Self) -> Self {
        Self {
            gets: self.gets + other.gets,
            bytes: self.bytes + other.bytes,
            rounds: self.rounds.max(other.rounds),
        }
    }
}

/// Counts requests and bytes of some work as they happen, and tells the fetcher whose they are and
/// how urgent; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct TrafficCounter {
    counts: Arc<Counts>,
    request: Request,
    want: Arc<Want>,
    urgency: Arc<Urgency>,
    origin: Option<Arc<Origin>>,
    asks: u32,
    is_hurried: bool,
    /// What came for the work before it asks for it.
    held: Held,
    trace: Option<Arc<Trace>>,
    /// GETs that wait for their turn, and that are under way, of the whole work.
    queued: Arc<AtomicU64>,
    under_way: Arc<AtomicU64>,
}

type Held = Arc<Mutex<Vec<Arc<dyn Any + Send + Sync>>>>;

struct Holding(Held);

impl Drop for Holding {
    fn drop(&mut self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let let_go = std::mem::take(&mut *held);
        // Extents take locks of their own when they are dropped.
        drop(held);
        drop(let_go);
    }
}

#[derive(Debug, Default)]
struct Counts {
    gets: AtomicU64,
    bytes: AtomicU64,
    rounds: AtomicU64,
}

impl TrafficCounter {
    /// A counter of work that is part of `request`.
    pub(crate) fn of(request: &Request, priority: Priority) -> Self {
        Self {
            counts: Arc::default(),
            request: request.clone(),
            want: Arc::new(Want::new(request)),
            urgency: Urgency::new(priority),
            origin: None,
            asks: 0,
            is_hurried: false,
            held: Held::default(),
            trace: None,
            queued: Arc::default(),
            under_way: Arc::default(),
        }
    }

    /// Notes from now on when each request was sent, answered and done: some 200 bytes each.
    pub(crate) fn traced(self) -> Self {
        Self {
            trace: Some(Arc::new(Trace::new())),
            ..self
        }
    }

    /// The same counter, of work that is done for `origin`, or for a search of its own.
    pub(crate) fn for_origin(self, origin: Option<&Arc<Origin>>) -> Self {
        Self {
            origin: origin.cloned(),
            ..self
        }
    }

    /// The same counter, of work whose bytes are expected to be wanted so often.
    pub(crate) fn expecting(self, asks: u32) -> Self {
        Self { asks, ..self }
    }

    /// The same counter, of a warmup that somebody waits for, or is about to: bytes may be spent to
    /// save it rounds.
    pub(crate) fn hurried(self) -> Self {
        Self {
            is_hurried: true,
            ..self
        }
    }

    pub(crate) fn is_hurried(&self) -> bool {
        self.is_hurried
    }

    /// Holds what came for the work before it asks for it, for as long as it is
    /// [holding](Self::holding).
    pub(crate) fn hold(&self, what: Arc<dyn Any + Send + Sync>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(what);
    }

    /// Lets go of what it [holds](Self::hold) when the answer is dropped.
    pub(crate) fn holding(&self) -> impl Drop + use<> {
        Holding(Arc::clone(&self.held))
    }

    /// How often the bytes are expected to be wanted: what their place in memory is worth.
    pub(crate) fn asks(&self) -> u32 {
        self.asks
    }

    /// For whom it is, unless a search wants it for itself.
    pub(crate) fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }

    /// The same counter, for a fetch that is as urgent as `urgency` says.
    pub(crate) fn with_urgency(&self, urgency: Arc<Urgency>) -> Self {
        Self {
            urgency,
            ..self.clone()
        }
    }

    pub(crate) fn urgency(&self) -> &Arc<Urgency> {
        &self.urgency
    }

    /// A GET waits for its turn, until what this answers with is dropped.
    pub(super) fn queued(&self) -> Gauged {
        Gauged::new(&self.queued)
    }

    /// A GET is under way, until what this answers with is dropped.
    pub(super) fn under_way(&self) -> Gauged {
        Gauged::new(&self.under_way)
    }

    /// What the work waits for now.
    pub(crate) fn waits_for(&self) -> String {
        let queued = self.queued.load(Ordering::Relaxed);
        let under_way = self.under_way.load(Ordering::Relaxed);
        let round = self.rounds() + 1;
        match queued + under_way {
            0 => format!("it was computing, or waited for others, before round {round}"),
            _ => format!("in round {round}, {under_way} GETs were under way and {queued} queued"),
        }
    }

    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// Whether GETs of other splits count with these: whether to [tell](Self::want) is worth it.
    pub(crate) fn has_company(&self) -> bool {
        self.want.warmups() > 1
    }

    /// How many splits the request is about.
    pub(crate) fn splits(&self) -> u64 {
        self.want.warmups() as u64
    }

    /// Tells that the round that begins wants so many GETs of this split.
    pub(crate) fn want(&self, gets: u64) {
        self.want.tell(gets);
    }

    /// Waits until all splits of the request have told what their first round wants.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub(crate) async fn all_want(&self) {
        self.want.all_told().await;
    }

    /// How many GETs all splits of the request want, as far as they have told.
    pub(crate) fn wanted_by_all(&self) -> u64 {
        self.want.of_all()
    }

    /// The requests that were traced, in the order of sending; none unless it traces.
    pub(crate) fn trace(&self) -> Vec<GetTrace> {
        self.trace
            .as_ref()
            .map(|trace| trace.gets())
            .unwrap_or_default()
    }

    /// How many requests the trace has left out because it was full.
    pub(crate) fn left_out_of_trace(&self) -> u64 {
        self.trace.as_ref().map_or(0, |trace| trace.left_out())
    }

    /// Notes a request, when it traces.
    pub(super) fn note(&self, get: impl FnOnce(&Trace) -> GetTrace) {
        if let Some(trace) = &self.trace {
            trace.note(|| get(trace));
        }
    }

    /// Rounds so far.
    pub(super) fn rounds(&self) -> u64 {
        self.counts.rounds.load(Ordering::Relaxed)
    }

    pub(crate) fn count_get(&self) {
        self.counts.gets.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_bytes(&self, bytes: u64) {
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_round(&self) {
        self.counts.rounds.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn gets(&self) -> u64 {
        self.counts.gets.load(Ordering::Relaxed)
    }

    pub(crate) fn snapshot(&self) -> Traffic {
        Traffic {
            gets: self.gets(),
            bytes: self.counts.bytes.load(Ordering::Relaxed),
            rounds: self.rounds(),
        }
    }
}

/// One more, for as long as it lives.
pub(super) struct Gauged(Arc<AtomicU64>);

impl Gauged {
    fn new(gauge: &Arc<AtomicU64>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gauge))
    }
}

impl Drop for Gauged {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for TrafficCounter {
    /// Of work of its own, which somebody waits for.
    fn default() -> Self {
        Self::of(&Request::default(), Priority::Demand)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn rounds_add_up_in_a_chain_and_overlap_side_by_side() {
        let one = Traffic {
            gets: 2,
            bytes: 10,
            rounds: 1,
        };
        let two = Traffic {
            gets: 1,
            bytes: 5,
            rounds: 3,
        };
        assert_eq!(
            one.then(two),
            Traffic {
                gets: 3,
                bytes: 15,
                rounds: 4
            }
        );
        assert_eq!(
            one.beside(two),
            Traffic {
                gets: 3,
                bytes: 15,
                rounds: 3
            }
        );
    }
}
