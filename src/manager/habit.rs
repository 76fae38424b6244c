//! How a request is asked of a folder of splits: how often, at which hours, and of which splits.
//!
//! Splits of one folder take each other's place: what is asked of "the last hour" is asked of the
//! newest of them, whichever that is. So how often is remembered of the folder, and of each split
//! only how likely one of these searches asks it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::daily::Daily;
use super::decayed::Decayed;
use super::folder::Folder;
use super::heat::{Asked, HalfLives};

/// The weight of the last search in how likely the next one asks a split: it counts as much as all
/// before it, for a window of time that moved on does not come back.
const LAST_SEARCH: f64 = 0.5;
/// Searches that count against a request which was asked in none of them before it was first asked:
/// no more, for it may be new.
const DOUBT: f64 = 64.0;
/// Searches as which the share of a folder's searches that was a request's for long counts beside
/// what it was lately.
const PRIOR: f64 = 1.0;

/// Of one request in one folder.
pub(super) struct Habit {
    pub(super) asked: Arc<Asked>,
    pub(super) folder: Box<str>,
    state: Mutex<State>,
}

struct State {
    heat: Decayed,
    daily: Daily,
    /// All that is asked of the folder.
    of_all: Arc<Folder>,
    /// As `heat`, for longer.
    asks: Decayed,
    /// Searches of the folder before the first of these.
    before: Decayed,
    searches: u64,
    /// How likely a search asks the newest splits.
    newest: Share,
    /// How many the last one asked that did.
    depth: usize,
}

/// How likely the next search asks a split.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    share: f64,
    /// The search of the habit that asked it last.
    at: u64,
}

/// What is to be expected of a habit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// Searches in the next half-life.
    pub(super) searches: f64,
    /// Searches so far, by which shares are told.
    pub(super) so_far: u64,
    /// How likely one of them asks the splits that are the newest then.
    pub(super) newest: f64,
    /// How many of the newest.
    pub(super) depth: usize,
    /// When the last one was, in milliseconds since 1970.
    pub(super) last: u64,
}

impl Share {
    /// Takes note that the search of that number asks it.
    pub(super) fn note(&mut self, search: u64) {
        self.share = match self.at {
            // Nothing says yet that any would not.
            0 => 1.0,
            _ => LAST_SEARCH + (1.0 - LAST_SEARCH) * self.after(search - 1),
        };
        self.at = search;
    }

    /// What it is after so many searches.
    pub(super) fn after(self, searches: u64) -> f64 {
        let missed = i32::try_from(searches.saturating_sub(self.at)).unwrap_or(i32::MAX);
        self.share * (1.0 - LAST_SEARCH).powi(missed)
    }

    /// Takes over the share that it was asked by in another process, unless there were searches here.
    pub(super) fn restore(&mut self, share: f64) {
        if self.at == 0 {
            self.share = share.clamp(0.0, 1.0);
        }
    }

    /// Takes over the share of a split that it replaces.
    pub(super) fn succeed(&mut self, replaced: Self) {
        if self.share < replaced.share {
            *self = replaced;
        }
    }
}

impl Outlook {
    /// How often a split is expected to be asked that has so many newer ones in its folder, and that
    /// searches ask by that share as far as they tell.
    ///
    /// `stay` is for how many half-lives it is one of the newest that they ask.
    pub(super) fn of(&self, newer: usize, share: f64, stay: f64) -> f64 {
        // Where searches ask the newest, one that has been left behind waits in vain for the next
        // search to tell.
        let stays = match newer < self.depth {
            true => 1.0 - self.newest * (1.0 - stay),
            false => 1.0 - self.newest,
        };
        self.searches * share * stays
    }
}

impl Habit {
    pub(super) fn new(asked: &Arc<Asked>, folder: &str, of_all: Arc<Folder>) -> Arc<Self> {
        Arc::new(Self {
            asked: Arc::clone(asked),
            folder: folder.into(),
            state: Mutex::new(State {
                heat: Decayed::default(),
                daily: Daily::default(),
                of_all,
                asks: Decayed::default(),
                before: Decayed::default(),
                searches: 0,
                newest: Share::default(),
                depth: 0,
            }),
        })
    }

    /// Tells of which searches of its folder it is a part, before the first of its own is noted, when
    /// so many were before; and when the folder was forgotten, and counts anew.
    pub(super) fn belong(&self, of_all: &Arc<Folder>, before: Decayed) {
        let mut state = self.lock();
        let is_same = Arc::ptr_eq(&state.of_all, of_all);
        if !is_same || state.asks.sum() <= 0.0 {
            state.of_all = Arc::clone(of_all);
            state.asks = Decayed::default();
            state.before = before;
        }
    }

    /// Takes note of a search of so many splits, the newest among them or not; answers with its
    /// number.
    pub(super) fn note(
        &self,
        splits: usize,
        asks_newest: bool,
        now: u64,
        half_lives: HalfLives,
    ) -> u64 {
        let mut state = self.lock();
        state.heat.add(1.0, now, half_lives.lately);
        state.asks.add(1.0, now, half_lives.habit);
        state.daily.note(now);
        state.searches += 1;
        let search = state.searches;
        if asks_newest {
            state.newest.note(search);
            state.depth = splits;
        } else if state.newest.at == 0 {
            // From now on it is not to be taken for certain.
            state.newest = Share {
                share: 0.0,
                at: search,
            };
        }
        search
    }

    /// Takes over how hot it was in another process, which does not tell of the newest splits then:
    /// that they are asked is as likely as not.
    pub(super) fn restore(&self, heat: Decayed, half_lives: HalfLives) {
        let mut state = self.lock();
        state.heat.merge(heat, half_lives.lately);
        state.asks.merge(heat, half_lives.habit);
        if state.searches == 0 {
            state.newest.restore(0.5);
            state.depth = 1;
        }
    }

    /// What to expect of it in the half-life that begins at `now`.
    pub(super) fn outlook(&self, now: u64, half_lives: HalfLives) -> Outlook {
        let mut state = self.lock();
        // What comes each day at this hour need not have come today yet.
        let usual = state.daily.surely(now, half_lives.lately_ms());
        let of_all = state.of_all.outlook(now, half_lives);
        let share = state.share(of_all.searches, of_all.lately, now, half_lives);
        Outlook {
            searches: (share * of_all.expected).max(usual),
            so_far: state.searches,
            newest: state.newest.after(state.searches),
            depth: state.depth,
            last: state.heat.moment(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Which share of its folder's next searches it is, where so many were in all, each of which counts
    /// half after a half-life of habits, or of what was lately.
    fn share(&self, searches: f64, lately: f64, now: u64, half_lives: HalfLives) -> f64 {
        let asks = self.asks.at(now, half_lives.habit);
        let before = self.before.at(now, half_lives.habit);
        // In no more than there were, whatever was restored, or rounded.
        let among = (searches - before).max(asks) + before.min(DOUBT);
        let usual = asks / among.max(f64::MIN_POSITIVE);
        if usual <= 0.0 {
            return 0.0;
        }
        // The mean of a Gamma distribution that begins with a mean of `usual`.
        let heat = self.heat.at(now, half_lives.lately);
        ((PRIOR + heat) / (PRIOR / usual + lately.max(heat))).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_moved_on_is_forgotten_in_a_few_searches() {
        let mut share = Share::default();
        assert!(share.after(9) < 1e-9);
        for search in 3..8 {
            share.note(search);
            assert!((share.after(search) - 1.0).abs() < 1e-9);
        }
        assert!((share.after(8) - 0.5).abs() < 1e-9);
        assert!(share.after(11) < 0.1);
        share.note(11);
        assert!((0.5..0.6).contains(&share.after(11)));
        assert!(share.after(u64::MAX) < 1e-9);
    }

    #[test]
    fn every_second_search_makes_a_share_of_about_a_half() {
        let mut share = Share::default();
        for search in (1..40).step_by(2) {
            share.note(search);
        }
        let (high, low) = (share.after(39), share.after(40));
        assert!((0.6..0.7).contains(&high) && (0.3..0.4).contains(&low));
    }
}
