//! What the whole pool does when the store says that it is asked too much.
//!
//! A refusal (`503 SlowDown`, `429`) holds back every GET for a while, which doubles with each
//! refusal and shrinks as GETs succeed, and halves the number of GETs that go at once, which then
//! grows by one for as many successes as go at once (as TCP does). Refusals of what had been sent
//! before the last reaction are its echo and change nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub(super) struct Throttle {
    state: Mutex<State>,
    max_slots: usize,
    first_pause: Duration,
    max_pause: Duration,
}

struct State {
    /// No GET is sent before.
    until: Option<Instant>,
    /// The last reaction to a refusal.
    reacted: Option<Instant>,
    pause: Duration,
    slots: f64,
    refusals: u64,
}

impl Throttle {
    pub(super) fn new(max_slots: usize, first_pause: Duration, max_pause: Duration) -> Self {
        Self {
            state: Mutex::new(State {
                until: None,
                reacted: None,
                pause: Duration::ZERO,
                slots: max_slots as f64,
                refusals: 0,
            }),
            max_slots,
            first_pause,
            max_pause,
        }
    }

    /// When GETs may be sent again, when they may not now.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.lock().until.filter(|&until| until > now)
    }

    /// A request `sent` then was refused now, perhaps with the time to wait for. `jitter` (0.5 to
    /// 1.5) stretches the pause, so that several processes do not come back together. Answers with
    /// how many GETs may go at once from now on.
    pub(super) fn refused(
        &self,
        sent: Instant,
        now: Instant,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> usize {
        let mut state = self.lock();
        state.refusals += 1;
        let is_echo = state.reacted.is_some_and(|reacted| sent <= reacted);
        if !is_echo {
            state.reacted = Some(now);
            let doubled = state.pause.saturating_mul(2).max(self.first_pause);
            state.pause = doubled.min(self.max_pause);
            state.slots = (state.slots / 2.0).max(1.0);
        }
        let asked = retry_after.filter(|asked| !is_echo || *asked > state.pause);
        if !is_echo || asked.is_some() {
            // What the store asks for is not cut short, but for what no GET can wait for anyway.
            let pause = state.pause.mul_f64(jitter.clamp(0.5, 1.5));
            let until = now + pause.max(asked.unwrap_or_default().min(MAX_RETRY_AFTER));
            state.until = Some(state.until.map_or(until, |before| before.max(until)));
        }
        state.slots()
    }

    /// A request `sent` then was answered. Answers with how many GETs may go at once from now on,
    /// when that has changed.
    pub(super) fn succeeded(&self, sent: Instant) -> Option<usize> {
        let mut state = self.lock();
        state.reacted.filter(|&reacted| sent > reacted)?;
        let before = state.slots();
        state.slots = (state.slots + 1.0 / state.slots).min(self.max_slots as f64);
        state.pause = state.pause.mul_f64(0.9);
        if state.slots >= self.max_slots as f64 && state.pause < self.first_pause / 2 {
            // All is as before.
            state.reacted = None;
            state.pause = Duration::ZERO;
        }
        let after = state.slots();
        (before != after).then_some(after)
    }

    /// How many requests were refused.
    pub(super) fn refusals(&self) -> u64 {
        self.lock().refusals
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest wait that a store's own word is taken for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

impl State {
    fn slots(&self) -> usize {
        (self.slots as usize).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn throttle() -> (Throttle, Instant) {
        (Throttle::new(64, 100 * MS, 1000 * MS), Instant::now())
    }

    #[test]
    fn refusals_double_the_pause_and_halve_the_slots() {
        let (throttle, start) = throttle();
        let mut now = start;
        let mut pauses = Vec::new();
        let mut slots = Vec::new();
        for _ in 0..6 {
            now += MS;
            slots.push(throttle.refused(now - MS / 2, now, None, 1.0));
            let until = throttle.until(now).unwrap();
            pauses.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(slots, [32, 16, 8, 4, 2, 1]);
        assert_eq!((throttle.until(now), throttle.refusals()), (None, 6));
    }

    #[test]
    fn echoes_change_nothing_and_successes_bring_it_back() {
        let (throttle, start) = throttle();
        let now = start + 10 * MS;
        for _ in 0..64 {
            assert_eq!(throttle.refused(start, now, None, 1.0), 32);
        }
        assert_eq!(throttle.until(now), Some(now + 100 * MS));
        // Sent before the refusal: tells nothing of the time after it.
        assert_eq!(throttle.succeeded(start), None);
        let mut slots = 32;
        let mut successes = 0;
        while slots < 64 {
            successes += 1;
            let changed = throttle.succeeded(now + 200 * MS);
            assert!(changed.is_none_or(|changed| changed == slots + 1));
            slots = changed.unwrap_or(slots);
        }
        assert!((1400..1700).contains(&successes), "{successes}");
        // As if nothing had been.
        throttle.succeeded(now + 200 * MS);
        assert_eq!(throttle.refused(now + MS, now + 300 * MS, None, 1.0), 32);
        assert_eq!(throttle.until(now + 300 * MS), Some(now + 400 * MS));
    }

    #[test]
    fn the_time_that_a_store_asks_for_is_waited() {
        let (throttle, now) = throttle();
        throttle.refused(now, now, Some(Duration::from_secs(3)), 1.0);
        assert_eq!(throttle.until(now), Some(now + 3000 * MS));
        throttle.refused(now, now, Some(Duration::MAX), 1.0);
        assert_eq!(throttle.until(now), Some(now + MAX_RETRY_AFTER));
    }
}
