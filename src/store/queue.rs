//! Whose GET is sent next.
//!
//! A GET needs a slot and its bytes of those in flight, and is given both at once, so none holds
//! one while it waits for the other. Those that wait are ordered
//!
//! 1. by priority: what somebody waits for goes before what is only prefetched;
//! 2. among requests, by start-time fair queuing: each request has a virtual time, which grows by
//!    what its GETs cost, and the one that is least far goes next;
//! 3. within a request the smallest first, for many can go on with little.
//!
//! A GET whose turn has come and whose bytes are not free holds back whatever has less priority.
//! Those of other requests pass it as long as they fit and have not passed it with as many bytes as
//! may be in flight: a huge column neither blocks the small reads behind it nor starves. One larger
//! than all bytes in flight goes alone. Prefetches wait for as long as demand wants all slots.
//!
//! All is decided under one lock, which is held for a few map operations; wakers are called
//! without it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::request::{Priority, Request, Urgency, raises};
use crate::sync::{Mutex, MutexGuard};

/// What a GET costs beside its bytes, in bytes: about what a connection would have brought in the
/// time to its first byte.
const GET_COST: u64 = 1 << 20;

/// How many requests behind one that waits for bytes are looked at for a GET that fits.
const MAX_PASSING: usize = 64;

pub(super) struct Queue {
    state: Mutex<State>,
}

struct State {
    slots: usize,
    bytes: u64,
    used_slots: usize,
    used_bytes: u64,
    next_ticket: u64,
    /// When the GET granted last was due, in virtual time.
    now: u64,
    /// The number of raises that was seen.
    raises: u64,
    demand: Class,
    prefetch: Class,
}

/// What waits with one priority.
#[derive(Default)]
struct Class {
    lines: HashMap<u64, Line>,
    /// The lines, by when they are due.
    order: BTreeSet<(u64, u64)>,
}

/// The GETs of one request that wait, by bytes and in the order of coming.
struct Line {
    request: Request,
    due: u64,
    waiting: BTreeMap<(u64, u64), Waiting>,
    /// Bytes that have passed its first GET since its turn came.
    passed: u64,
}

struct Waiting {
    urgency: Arc<Urgency>,
    granted: oneshot::Sender<()>,
}

/// A place in the queue, and then a slot with its bytes; given back when dropped.
pub(super) struct Turn<'a> {
    queue: &'a Queue,
    request: u64,
    bytes: u64,
    ticket: u64,
}

impl Queue {
    pub(super) fn new(slots: usize, bytes: u64) -> Self {
        Self {
            state: Mutex::new(State {
                slots,
                bytes,
                used_slots: 0,
                used_bytes: 0,
                next_ticket: 0,
                now: 0,
                raises: raises(),
                demand: Class::default(),
                prefetch: Class::default(),
            }),
        }
    }

    /// Waits for a slot and `bytes`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place, or what was just granted.
    pub(super) async fn turn(
        &self,
        request: &Request,
        urgency: &Arc<Urgency>,
        bytes: u64,
    ) -> Turn<'_> {
        let (turn, granted) = self.line_up(request, urgency, bytes);
        // The sender lives as long as the place, which `turn` holds.
        let _ = granted.await;
        turn
    }

    fn line_up(
        &self,
        request: &Request,
        urgency: &Arc<Urgency>,
        bytes: u64,
    ) -> (Turn<'_>, oneshot::Receiver<()>) {
        // None is free, or any number could pass one that waits for bytes.
        let bytes = bytes.max(1);
        let (granted, receiver) = oneshot::channel();
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let waiting = Waiting {
            urgency: Arc::clone(urgency),
            granted,
        };
        state.add(request.clone(), (bytes, ticket), waiting);
        let turn = Turn {
            queue: self,
            request: request.id(),
            bytes,
            ticket,
        };
        self.dispatch(state);
        (turn, receiver)
    }

    /// Changes how many GETs go at once. Those under way go on.
    pub(super) fn set_slots(&self, slots: usize) {
        let mut state = self.lock();
        state.slots = slots.max(1);
        self.dispatch(state);
    }

    /// Grants all that can be granted.
    fn dispatch(&self, mut state: MutexGuard<'_, State>) {
        let granted = state.grant_all();
        drop(state);
        for granted in granted {
            // Nobody there: its turn is being dropped, and gives back.
            let _ = granted.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if !state.remove(self.request, (self.bytes, self.ticket)) {
            state.used_slots -= 1;
            state.used_bytes -= self.bytes;
        }
        self.queue.dispatch(state);
    }
}

impl State {
    fn class(&mut self, priority: Priority) -> &mut Class {
        match priority {
            Priority::Demand => &mut self.demand,
            Priority::Prefetch => &mut self.prefetch,
        }
    }

    fn add(&mut self, request: Request, key: (u64, u64), waiting: Waiting) {
        let now = self.now;
        let class = self.class(waiting.urgency.priority());
        let id = request.id();
        let line = class.lines.entry(id).or_insert_with(|| {
            let due = request.due().max(now);
            class.order.insert((due, id));
            Line {
                request,
                due,
                waiting: BTreeMap::new(),
                passed: 0,
            }
        });
        line.waiting.insert(key, waiting);
    }

    /// Takes out what waits; answers whether it was there.
    fn remove(&mut self, request: u64, key: (u64, u64)) -> bool {
        self.demand.take(request, key).is_some() || self.prefetch.take(request, key).is_some()
    }

    fn fits(&self, bytes: u64) -> bool {
        self.used_slots == 0 || self.used_bytes.saturating_add(bytes) <= self.bytes
    }

    fn grant_all(&mut self) -> Vec<oneshot::Sender<()>> {
        self.look_for_raised();
        let mut granted = Vec::new();
        while self.used_slots < self.slots
            && let Some((priority, id, key)) = self.next()
        {
            self.used_slots += 1;
            self.used_bytes += key.0;
            let now = self.now;
            let class = self.class(priority);
            if let Some(line) = class.lines.get_mut(&id) {
                class.order.remove(&(line.due, id));
                let due = line.due;
                line.due = due.saturating_add(key.0).saturating_add(GET_COST);
                line.passed = 0;
                line.request.set_due(line.due);
                class.order.insert((line.due, id));
                self.now = now.max(due);
            }
            let waiting = self.class(priority).take(id, key);
            granted.extend(waiting.map(|waiting| waiting.granted));
        }
        granted
    }

    /// The next GET that can be granted its bytes.
    fn next(&mut self) -> Option<(Priority, u64, (u64, u64))> {
        let priority = match self.demand.order.is_empty() {
            true => Priority::Prefetch,
            false => Priority::Demand,
        };
        let limit = self.bytes;
        let first = |class: &Class, id: u64| {
            let line = class.lines.get(&id)?;
            line.waiting.first_key_value().map(|(&key, _)| key)
        };
        let class = self.class(priority);
        let &(due, head) = class.order.first()?;
        let key = first(class, head)?;
        if self.fits(key.0) {
            return Some((priority, head, key));
        }
        // Whoever comes from now on is not due before it.
        self.now = self.now.max(due);
        let free = limit.saturating_sub(self.used_bytes);
        let class = self.class(priority);
        let passed = class.lines.get(&head)?.passed;
        let may_pass = free.min(limit.saturating_sub(passed));
        let behind = class.order.iter().skip(1).take(MAX_PASSING);
        let (id, key) = behind
            .filter_map(|&(_, id)| Some((id, first(class, id)?)))
            .find(|(_, key)| key.0 <= may_pass)?;
        class.lines.get_mut(&head)?.passed += key.0;
        Some((priority, id, key))
    }

    /// Moves what has become urgent.
    fn look_for_raised(&mut self) {
        let raises = raises();
        if self.raises == raises {
            return;
        }
        self.raises = raises;
        let mut raised = Vec::new();
        for (&id, line) in &self.prefetch.lines {
            for (&key, waiting) in &line.waiting {
                if waiting.urgency.priority() == Priority::Demand {
                    raised.push((id, line.request.clone(), key));
                }
            }
        }
        for (id, request, key) in raised {
            if let Some(waiting) = self.prefetch.take(id, key) {
                self.add(request, key, waiting);
            }
        }
    }
}

impl Class {
    fn take(&mut self, request: u64, key: (u64, u64)) -> Option<Waiting> {
        let line = self.lines.get_mut(&request)?;
        let waiting = line.waiting.remove(&key)?;
        if line.waiting.is_empty() {
            self.order.remove(&(line.due, request));
            self.lines.remove(&request);
        }
        Some(waiting)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Place<'a> = (Turn<'a>, oneshot::Receiver<()>);

    fn is_granted(place: &mut Place<'_>) -> bool {
        place.1.try_recv().is_ok()
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// A GET of request and bytes lines up.
        Enter(usize, u64),
        /// One that is under way, or waits, is dropped.
        Leave(usize),
        /// Somebody waits for the request.
        Raise(usize),
        Slots(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0usize..5, prop_oneof![1u64..20, 1u64..150]).prop_map(|(r, b)| Step::Enter(r, b)),
            4 => any::<usize>().prop_map(Step::Leave),
            1 => (0usize..5).prop_map(Step::Raise),
            1 => (1usize..5).prop_map(Step::Slots),
        ];
        proptest::collection::vec(step, 0..120)
    }

    struct Get<'a> {
        place: Place<'a>,
        request: usize,
        bytes: u64,
        runs: bool,
    }

    const BYTES: u64 = 100;

    /// Lets all start that were granted, and checks that they were the right ones.
    fn start<'a>(gets: &mut Vec<Get<'a>>, urgencies: &[Arc<Urgency>], slots: usize) {
        let mut started = Vec::new();
        for (at, get) in gets.iter_mut().enumerate() {
            if !get.runs && is_granted(&mut get.place) {
                started.push(at);
                get.runs = true;
            }
        }
        let priority = |get: &Get<'_>| urgencies[get.request].priority();
        for &at in &started {
            let get = &gets[at];
            for other in gets.iter().filter(|other| !other.runs) {
                assert!(priority(get) <= priority(other), "prefetch before demand");
                if other.request == get.request {
                    assert!(get.bytes <= other.bytes, "larger before smaller");
                }
            }
        }
        let running: Vec<_> = gets.iter().filter(|get| get.runs).collect();
        let bytes: u64 = running.iter().map(|get| get.bytes).sum();
        assert!(started.is_empty() || running.len() <= slots);
        assert!(
            bytes <= BYTES || running.len() == 1,
            "{bytes} bytes in flight"
        );
        let waits = gets.iter().any(|get| !get.runs);
        assert!(!waits || !running.is_empty(), "all wait and nothing runs");
    }

    proptest! {
        #[test]
        fn limits_hold_in_the_right_order_and_everything_runs(steps in steps()) {
            let mut slots = 3;
            let queue = Queue::new(slots, BYTES);
            let requests: Vec<Request> = (0..5).map(|_| Request::default()).collect();
            let urgencies: Vec<_> = (0..5)
                .map(|n| Urgency::new(if n % 2 == 0 { Priority::Prefetch } else { Priority::Demand }))
                .collect();
            let mut gets: Vec<Get<'_>> = Vec::new();
            for step in steps {
                match step {
                    Step::Enter(request, bytes) => gets.push(Get {
                        place: queue.line_up(&requests[request], &urgencies[request], bytes),
                        request,
                        bytes,
                        runs: false,
                    }),
                    Step::Leave(at) if !gets.is_empty() => drop(gets.swap_remove(at % gets.len())),
                    Step::Leave(_) => {}
                    Step::Raise(request) => urgencies[request].raise(),
                    Step::Slots(now) => {
                        slots = now;
                        queue.set_slots(slots);
                    }
                }
                start(&mut gets, &urgencies, slots);
            }
            while let Some(at) = gets.iter().position(|get| get.runs) {
                drop(gets.swap_remove(at));
                start(&mut gets, &urgencies, slots);
            }
            prop_assert!(gets.is_empty(), "{} never ran", gets.len());
            let state = queue.lock();
            prop_assert_eq!((state.used_slots, state.used_bytes), (0, 0));
            prop_assert!(state.demand.order.is_empty() && state.prefetch.lines.is_empty());
        }
    }

    fn demand() -> (Request, Arc<Urgency>) {
        (Request::default(), Urgency::new(Priority::Demand))
    }

    #[test]
    fn requests_take_turns_however_many_gets_they_have() {
        let queue = Queue::new(4, u64::MAX);
        let (early, late) = (demand(), demand());
        let enter = |of: &(Request, Arc<Urgency>), count| -> Vec<_> {
            (0..count)
                .map(|_| queue.line_up(&of.0, &of.1, 1000))
                .collect()
        };
        let mut many = enter(&early, 1000);
        let mut few = enter(&late, 20);
        // Each that runs ends, until all of the late one have run.
        let mut ended = 0;
        while !few.is_empty() {
            many.retain_mut(|place| {
                let granted = is_granted(place);
                ended += usize::from(granted);
                !granted
            });
            few.retain_mut(|place| !is_granted(place));
        }
        assert!(ended <= 20 + 8, "{ended} of the early request went first");
    }

    #[test]
    fn a_huge_get_is_passed_by_small_ones_but_not_for_ever() {
        let queue = Queue::new(64, 100);
        let (busy, column, small) = (demand(), demand(), demand());
        let running = queue.line_up(&busy.0, &busy.1, 30);
        let mut huge = queue.line_up(&column.0, &column.1, 90);
        let mut passed = 0;
        loop {
            let mut place = queue.line_up(&small.0, &small.1, 10);
            if !is_granted(&mut place) {
                break;
            }
            passed += 1;
            assert!(!is_granted(&mut huge));
        }
        assert_eq!(passed, 10);
        drop(running);
        assert!(is_granted(&mut huge));
    }

    #[test]
    fn joining_makes_a_prefetch_go_first() {
        let queue = Queue::new(1, 100);
        let (running, first, other) = (demand(), Request::default(), Request::default());
        let (idle, joined) = (
            Urgency::new(Priority::Prefetch),
            Urgency::new(Priority::Prefetch),
        );
        // Another warmup waits for the GET of the first.
        let shared = Urgency::new(Priority::Prefetch);
        shared.wait_with(&joined);
        let held = queue.line_up(&running.0, &running.1, 1);
        let mut before = queue.line_up(&first, &idle, 1);
        let mut mine = queue.line_up(&other, &shared, 1);
        joined.raise();
        drop(held);
        assert!(!is_granted(&mut before));
        assert!(is_granted(&mut mine));
    }

    #[test]
    fn a_prefetch_found_by_one_who_is_waited_for_already_goes_first() {
        let queue = Queue::new(1, 100);
        let (running, first, other) = (demand(), Request::default(), Request::default());
        let (idle, shared) = (
            Urgency::new(Priority::Prefetch),
            Urgency::new(Priority::Prefetch),
        );
        let held = queue.line_up(&running.0, &running.1, 1);
        let mut before = queue.line_up(&first, &idle, 1);
        let mut mine = queue.line_up(&other, &shared, 1);
        shared.wait_with(&running.1);
        drop(held);
        assert!(!is_granted(&mut before));
        assert!(is_granted(&mut mine));
    }
}
