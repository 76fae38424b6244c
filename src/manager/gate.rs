//! Whose batch of a trigger goes next.
//!
//! Batches wait for places by priority, then in the order of coming. The first of the line holds
//! back all behind it until it fits, so that a large batch is not passed for ever; one larger than
//! the gate goes alone. All is decided under one lock, and wakers are called without it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Lets so many warmups of triggers through at once.
pub(super) struct Gate(Mutex<State>);

struct State {
    places: usize,
    taken: usize,
    next: u64,
    line: BTreeMap<(Reverse<u8>, u64), Waiting>,
}

struct Waiting {
    places: usize,
    passed: oneshot::Sender<Pass>,
}

/// Places of one batch, given back when dropped.
pub(super) struct Pass {
    gate: Arc<Gate>,
    places: usize,
}

impl Gate {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            places,
            taken: 0,
            next: 0,
            line: BTreeMap::new(),
        })))
    }

    /// From now on, so many places. Those that are taken stay so.
    pub(super) fn resize(self: &Arc<Self>, places: usize) {
        self.lock().places = places;
        self.admit();
    }

    /// Waits for `places`; the greatest `priority` goes first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place in the line.
    pub(super) async fn pass(self: &Arc<Self>, priority: u8, places: usize) -> Pass {
        loop {
            let (send, passed) = oneshot::channel();
            {
                let mut state = self.lock();
                let ticket = state.next;
                state.next += 1;
                let waiting = Waiting {
                    places: places.max(1),
                    passed: send,
                };
                state.line.insert((Reverse(priority), ticket), waiting);
            }
            self.admit();
            // The gate keeps the sender until it lets it through.
            if let Ok(pass) = passed.await {
                return pass;
            }
        }
    }

    fn admit(self: &Arc<Self>) {
        let mut admitted = Vec::new();
        let mut state = self.lock();
        while let Some(first) = state.line.first_entry() {
            if first.get().passed.is_closed() {
                first.remove();
                continue;
            }
            let wanted = first.get().places;
            if state.taken > 0 && state.taken + wanted > state.places {
                break;
            }
            if let Some((_, waiting)) = state.line.pop_first() {
                state.taken += wanted;
                admitted.push(waiting);
            }
        }
        drop(state);
        for Waiting { places, passed } in admitted {
            let gate = Arc::clone(self);
            // Whoever has gone meanwhile gives it back by dropping it.
            let _ = passed.send(Pass { gate, places });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.lock().taken -= self.places;
        self.gate.admit();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn the_greatest_priority_goes_first_and_who_gives_up_holds_back_nobody() {
        let gate = Gate::new(2);
        let first = gate.pass(0, 2).await;
        let mut low = Box::pin(gate.pass(1, 1));
        let mut high = Box::pin(gate.pass(9, 2));
        let mut gone = Box::pin(gate.pass(10, 2));
        assert!(poll!(&mut low).is_pending() && poll!(&mut high).is_pending());
        assert!(poll!(&mut gone).is_pending());
        drop(gone);
        drop(first);
        assert!(poll!(&mut low).is_pending());
        let high = high.await;
        assert!(poll!(&mut low).is_pending());
        drop(high);
        drop(low.await);
        assert_eq!(gate.lock().taken, 0);
    }

    #[tokio::test]
    async fn a_batch_larger_than_the_gate_goes_alone() {
        let gate = Gate::new(2);
        let one = gate.pass(0, 1).await;
        let mut large = Box::pin(gate.pass(0, 5));
        let mut small = Box::pin(gate.pass(0, 1));
        assert!(poll!(&mut large).is_pending() && poll!(&mut small).is_pending());
        drop(one);
        let large = large.await;
        assert!(poll!(&mut small).is_pending());
        gate.resize(6);
        drop(small.await);
        drop(large);
        assert_eq!(gate.lock().taken, 0);
    }

    #[tokio::test]
    async fn a_pass_granted_to_one_who_went_is_given_on() {
        let gate = Gate::new(1);
        let first = gate.pass(0, 1).await;
        let mut went = Box::pin(gate.pass(5, 1));
        let mut next = Box::pin(gate.pass(0, 1));
        assert!(poll!(&mut went).is_pending() && poll!(&mut next).is_pending());
        drop(first);
        // Granted, and never looked at.
        drop(went);
        drop(next.await);
        assert_eq!(gate.lock().taken, 0);
    }
}
