use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_util::future::poll_immediate;
use shuttle::future::{self, JoinHandle, block_on, yield_now};
use shuttle::thread;

use crate::explore::explore;
use crate::store::queue::Queue;
use crate::store::{Priority, Request, Urgency};

const SLOTS: usize = 2;
const BYTES: u64 = 10;

/// A queue, and who has been given a turn.
#[derive(Clone)]
struct Rig {
    queue: Arc<Queue>,
    running: Arc<AtomicUsize>,
    bytes: Arc<AtomicU64>,
    lined_up: Arc<AtomicUsize>,
    /// In the order of their turns.
    turns: Arc<std::sync::Mutex<Vec<&'static str>>>,
}

impl Rig {
    fn new(slots: usize) -> Self {
        Self {
            queue: Arc::new(Queue::new(slots, BYTES)),
            running: Arc::default(),
            bytes: Arc::default(),
            lined_up: Arc::default(),
            turns: Arc::default(),
        }
    }

    /// A GET that waits for its turn, checks that it fits beside all that run, and ends.
    async fn get(self, name: &'static str, urgency: Arc<Urgency>, bytes: u64, slots: usize) {
        let request = Request::default();
        let mut turn = pin!(self.queue.turn(&request, &urgency, bytes));
        let first = poll_immediate(turn.as_mut()).await;
        self.lined_up.fetch_add(1, Ordering::SeqCst);
        let turn = match first {
            Some(turn) => turn,
            None => turn.await,
        };
        self.turns.lock().unwrap().push(name);
        let running = Running::new(&self, bytes, slots);
        yield_now().await;
        drop(running);
        drop(turn);
    }

    fn spawn(&self, name: &'static str, priority: Priority, bytes: u64) -> JoinHandle<()> {
        let urgency = Urgency::new(priority);
        future::spawn(self.clone().get(name, urgency, bytes, SLOTS))
    }

    /// Waits until so many stand in line, or have had their turn.
    fn has_lined_up(&self, gets: usize) {
        while self.lined_up.load(Ordering::SeqCst) < gets {
            thread::yield_now();
        }
    }

    /// All slots and bytes are free: a queue that has lost some would let this wait for ever.
    fn is_whole(&self, slots: usize) {
        let request = Request::default();
        let urgency = Urgency::new(Priority::Demand);
        let bytes = BYTES / slots as u64;
        let turns: Vec<_> = (0..slots)
            .map(|_| block_on(self.queue.turn(&request, &urgency, bytes)))
            .collect();
        assert_eq!(turns.len(), slots);
    }
}

/// A GET that has its turn; it is counted until it ends or is given up.
struct Running {
    rig: Rig,
    bytes: u64,
}

impl Running {
    fn new(rig: &Rig, bytes: u64, slots: usize) -> Self {
        let running = rig.running.fetch_add(1, Ordering::SeqCst) + 1;
        let in_flight = rig.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        assert!(running <= slots, "{running} run in {slots} slots");
        let is_alone = running == 1;
        assert!(in_flight <= BYTES || is_alone, "{in_flight} in flight");
        let rig = rig.clone();
        Self { rig, bytes }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.rig.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        self.rig.running.fetch_sub(1, Ordering::SeqCst);
    }
}

fn join(gets: impl IntoIterator<Item = JoinHandle<()>>) {
    for get in gets {
        block_on(get).unwrap();
    }
}

#[test]
fn no_more_run_than_there_are_slots_and_bytes_and_all_get_their_turn() {
    explore(|| {
        let rig = Rig::new(SLOTS);
        join([
            rig.spawn("small", Priority::Demand, 3),
            rig.spawn("larger", Priority::Prefetch, 8),
            // More than there is: it goes alone.
            rig.spawn("huge", Priority::Demand, 25),
            rig.spawn("small too", Priority::Prefetch, 4),
        ]);
        rig.is_whole(SLOTS);
    });
}

#[test]
fn a_turn_that_is_given_up_at_the_moment_it_is_granted_goes_to_the_next() {
    explore(|| {
        let rig = Rig::new(1);
        let urgency = Urgency::new(Priority::Demand);
        let request = Request::default();
        let held = block_on(rig.queue.turn(&request, &urgency, 1));
        let get = |name| future::spawn(rig.clone().get(name, Arc::clone(&urgency), 5, 1));
        let (given_up, next, last) = (get("given up"), get("next"), get("last"));
        let canceller = thread::spawn(move || given_up.abort());
        drop(held);
        canceller.join().unwrap();
        join([next, last]);
        rig.is_whole(1);
    });
}

#[test]
fn one_that_is_given_up_in_line_holds_back_nobody_any_more() {
    explore(|| {
        let rig = Rig::new(SLOTS);
        let demand = Urgency::new(Priority::Demand);
        let held = block_on(rig.queue.turn(&Request::default(), &demand, 5));
        let huge = future::spawn(rig.clone().get("huge", demand, 20, SLOTS));
        rig.has_lined_up(1);
        // It fits, but demand goes first.
        let small = rig.spawn("small", Priority::Prefetch, 4);
        let canceller = thread::spawn(move || huge.abort());
        join([small]);
        canceller.join().unwrap();
        drop(held);
        rig.is_whole(SLOTS);
    });
}

#[test]
fn slots_that_come_and_go_are_neither_lost_nor_given_twice() {
    explore(|| {
        let rig = Rig::new(1);
        let demand = Urgency::new(Priority::Demand);
        let held = block_on(rig.queue.turn(&Request::default(), &demand, 1));
        let gets = ["first", "second", "third"].map(|name| rig.spawn(name, Priority::Demand, 2));
        let queue = Arc::clone(&rig.queue);
        let setter = thread::spawn(move || {
            queue.set_slots(SLOTS);
            queue.set_slots(1);
            queue.set_slots(SLOTS);
        });
        join(gets);
        setter.join().unwrap();
        drop(held);
        rig.is_whole(SLOTS);
    });
}

#[test]
fn what_somebody_waits_for_goes_first_however_late_that_became_known() {
    explore(|| {
        let rig = Rig::new(1);
        let demand = Urgency::new(Priority::Demand);
        let held = block_on(rig.queue.turn(&Request::default(), &demand, 1));
        let idle = rig.spawn("idle", Priority::Prefetch, 1);
        rig.has_lined_up(1);
        let (shared, waiter) = (
            Urgency::new(Priority::Prefetch),
            Urgency::new(Priority::Prefetch),
        );
        let get = rig.clone().get("urgent", Arc::clone(&shared), 1, 1);
        let urgent = future::spawn(get);
        // A warmup finds that GET on its way and waits with it, and at that moment is joined;
        // meanwhile another one makes the queue look whose turn it is.
        let finder = thread::spawn({
            let waiter = Arc::clone(&waiter);
            move || shared.wait_with(&waiter)
        });
        let joiner = thread::spawn(move || waiter.raise());
        let last = rig.spawn("last", Priority::Prefetch, 1);
        finder.join().unwrap();
        joiner.join().unwrap();
        rig.has_lined_up(3);
        drop(held);
        join([idle, urgent, last]);
        assert_eq!(*rig.turns.lock().unwrap(), ["urgent", "idle", "last"]);
    });
}
