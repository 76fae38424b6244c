//! How often anything at all is asked of a folder of splits, and at which hours. It is known far
//! better than how often any one request is, which is expected as a share of it.

use std::f64::consts::LN_2;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::daily::Daily;
use super::decayed::Decayed;
use super::heat::HalfLives;

/// How much more or less is expected than lately, at most, by what is usual at this hour: a day that
/// differs from the last ones must not be taken for a tenth of what it is.
const MAX_TREND: f64 = 4.0;

/// All searches of one folder.
#[derive(Debug, Default)]
pub(super) struct Folder(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    lately: Decayed,
    searches: Decayed,
    daily: Daily,
}

/// What was asked of a folder, and what is to be expected.
#[derive(Clone, Copy, Debug)]
pub(super) struct FolderOutlook {
    /// Searches in the next half-life.
    pub(super) expected: f64,
    /// Searches so far, each of which counts half after each half-life.
    pub(super) lately: f64,
    /// The same, after each half-life of habits.
    pub(super) searches: f64,
}

impl Folder {
    /// Counts one search at `now`, in milliseconds since 1970. Answers with what came before it, as
    /// habits remember.
    pub(super) fn note(&self, now: u64, half_lives: HalfLives) -> Decayed {
        let mut state = self.lock();
        let before = state.searches;
        state.lately.add(1.0, now, half_lives.lately);
        state.searches.add(1.0, now, half_lives.habit);
        state.daily.note(now);
        before
    }

    /// Takes over searches that were in another process.
    pub(super) fn restore(&self, heat: Decayed, half_lives: HalfLives) {
        let mut state = self.lock();
        state.lately.merge(heat, half_lives.lately);
        state.searches.merge(heat, half_lives.habit);
    }

    /// What to expect in the half-life that begins at `now`.
    pub(super) fn outlook(&self, now: u64, half_lives: HalfLives) -> FolderOutlook {
        let horizon = half_lives.lately_ms();
        let mut state = self.lock();
        let lately = state.lately.at(now, half_lives.lately);
        // A steady rate comes to a sum of what is asked in a half-life, ÷ ln 2; and on average it was
        // asked as long ago, in the middle of twice that.
        let past = (2.0 * horizon as f64 / LN_2) as u64;
        let trend = state.daily.trend(now, past, horizon);
        let trend = trend.clamp(1.0 / MAX_TREND, MAX_TREND);
        // What comes each day at this hour need not have come today yet.
        let usual = state.daily.surely(now, horizon);
        FolderOutlook {
            expected: (lately * LN_2 * trend).max(usual),
            lately,
            searches: state.searches.at(now, half_lives.habit),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE_MS: u64 = 60_000;
    const HOUR_MS: u64 = 60 * MINUTE_MS;
    const HALF_LIVES: HalfLives = HalfLives {
        lately: Duration::from_secs(3600),
        habit: Duration::from_secs(6 * 3600),
    };

    #[test]
    fn a_steady_rate_is_expected_to_go_on() {
        let folder = Folder::default();
        for minute in 0..72 * 60 {
            folder.note(minute * MINUTE_MS, HALF_LIVES);
        }
        let outlook = folder.outlook(72 * HOUR_MS, HALF_LIVES);
        assert!((55.0..65.0).contains(&outlook.expected), "{outlook:?}");
        assert!((80.0..90.0).contains(&outlook.lately), "{outlook:?}");
        assert!((480.0..520.0).contains(&outlook.searches), "{outlook:?}");
    }

    #[test]
    fn a_morning_is_expected_to_be_like_the_last_ones() {
        let folder = Folder::default();
        let at = |minute: u64| {
            folder.note(minute * MINUTE_MS, HALF_LIVES);
        };
        for minute in 0..(48 + 8) * 60 {
            let is_day = (8..18).contains(&(minute / 60 % 24));
            (0..if is_day { 10 } else { 1 }).for_each(|_| at(minute));
        }
        let morning = folder.outlook(56 * HOUR_MS, HALF_LIVES).expected;
        assert!(morning > 200.0, "{morning}");
    }
}
