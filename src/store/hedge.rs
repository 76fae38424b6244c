//! Whether a GET that is slow to begin is sent a second time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;

/// When a GET is sent a second time: [`StoreSettings::hedge`](crate::StoreSettings::hedge).
///
/// ```
/// use forewarm::{HedgeSettings, StoreSettings};
///
/// let hedge = HedgeSettings::default().with_quantile(0.99);
/// let settings = StoreSettings::default().with_hedge(hedge);
/// assert_eq!(settings.hedge.unwrap().max_rate, 0.05);
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct HedgeSettings {
    /// A GET is sent again when it is slower to its first byte than this share (0 to 1) of the last
    /// 512. Default 0.95.
    pub quantile: f64,
    /// The most GETs that are sent again, as a share (0 to 1) of all. Default 0.05, so that a store
    /// which is slow as a whole is not asked for twice as much.
    pub max_rate: f64,
    /// No GET is sent again before. Default 5 ms, in milliseconds in settings files: what a round
    /// trip takes at least.
    #[serde(with = "millis")]
    pub min_delay: Duration,
}

impl Default for HedgeSettings {
    fn default() -> Self {
        Self {
            quantile: 0.95,
            max_rate: 0.05,
            min_delay: Duration::from_millis(5),
        }
    }
}

impl HedgeSettings {
    /// Sets [`quantile`](Self::quantile).
    pub fn with_quantile(mut self, quantile: f64) -> Self {
        self.quantile = quantile;
        self
    }

    /// Sets [`max_rate`](Self::max_rate).
    pub fn with_max_rate(mut self, share: f64) -> Self {
        self.max_rate = share;
        self
    }

    /// Sets [`min_delay`](Self::min_delay).
    pub fn with_min_delay(mut self, delay: Duration) -> Self {
        self.min_delay = delay;
        self
    }

    /// What is wrong with these settings, one line each.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in [("quantile", self.quantile), ("max_rate", self.max_rate)] {
            if !(value > 0.0 && value < 1.0) {
                problems.push(format!(
                    "store.hedge.{name} is {value}: it must lie between 0 and 1"
                ));
            }
        }
        problems
    }
}

/// How many of the last GETs the quantile is taken of, and from how many on.
const WINDOW: usize = 512;
const ENOUGH: usize = 64;

/// The quantile is computed anew after so many GETs.
const EVERY: u64 = 32;

/// How many second GETs may be saved up.
const MAX_TOKENS: f64 = 10.0;

pub(super) struct Hedges {
    settings: HedgeSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last times to first byte, as a ring.
    window: Vec<Duration>,
    seen: u64,
    delay: Option<Duration>,
    tokens: f64,
    sent: u64,
}

impl Hedges {
    pub(super) fn new(settings: HedgeSettings) -> Self {
        Self {
            settings,
            state: Mutex::default(),
        }
    }

    /// Takes note of a first byte.
    pub(super) fn learn(&self, first_byte: Duration) {
        let mut state = self.lock();
        let at = (state.seen % WINDOW as u64) as usize;
        state.seen += 1;
        match state.window.get_mut(at) {
            Some(oldest) => *oldest = first_byte,
            None => state.window.push(first_byte),
        }
        if state.window.len() >= ENOUGH && state.seen.is_multiple_of(EVERY) {
            let mut sorted = state.window.clone();
            let at = ((sorted.len() - 1) as f64 * self.settings.quantile).ceil() as usize;
            let at = at.min(sorted.len() - 1);
            let (_, quantile, _) = sorted.select_nth_unstable(at);
            state.delay = Some((*quantile).max(self.settings.min_delay));
        }
    }

    /// A GET is sent: how long to wait for its first byte before it is sent again.
    pub(super) fn delay(&self) -> Option<Duration> {
        let mut state = self.lock();
        state.tokens = (state.tokens + self.settings.max_rate).min(MAX_TOKENS);
        state.delay
    }

    /// Whether a second GET may be sent now; it then is.
    pub(super) fn take(&self) -> bool {
        let mut state = self.lock();
        if state.tokens < 1.0 {
            return false;
        }
        state.tokens -= 1.0;
        state.sent += 1;
        true
    }

    /// How many second GETs were sent.
    pub(super) fn sent(&self) -> u64 {
        self.lock().sent
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_the_quantile_of_the_last_gets() {
        let hedges = Hedges::new(HedgeSettings::default());
        for ms in 1..=63 {
            hedges.learn(Duration::from_millis(ms));
        }
        assert_eq!(hedges.delay(), None);
        for ms in 64..=512 {
            hedges.learn(Duration::from_millis(ms));
        }
        assert_eq!(hedges.delay().unwrap().as_millis(), 487);
        // The old ones are forgotten, and there is a least delay.
        for _ in 0..512 {
            hedges.learn(Duration::from_millis(1));
        }
        assert_eq!(hedges.delay().unwrap().as_millis(), 5);
    }

    #[test]
    fn second_gets_are_a_share_of_all() {
        let hedges = Hedges::new(HedgeSettings::default());
        let mut second = 0;
        for _ in 0..10_000 {
            hedges.delay();
            second += u64::from(hedges.take());
        }
        assert!((480..=500).contains(&second), "{second}");
        assert_eq!(hedges.sent(), second);
    }

    #[test]
    fn shares_beyond_all_are_refused() {
        for bad in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
            let settings = HedgeSettings {
                quantile: bad,
                ..HedgeSettings::default()
            };
            assert_eq!(settings.problems().len(), 1, "{bad}");
        }
    }
}
