//! What was asked lately, of which splits: the memory that triggers go by.
//!
//! Each access counts 1, and counts half after each half-life. Heat is kept for each request, and
//! for each pair of split and request, both bounded in bytes; what falls out is decided by moka,
//! whose count-min sketch of past accesses lets the frequent stay. With a request all goes that
//! was remembered of it.

mod asked;
#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use moka::sync::Cache;
use object_store::path::Path;

use super::births::folder_of;
use super::decayed::Decayed;
use super::folder::Folder;
use super::habit::{Habit, Share};
use super::settings::HeatSettings;
use crate::filter::{Fingerprint, SearchRequest};
use crate::split::SplitAddress;
pub(super) use asked::{Asked, Copies, request_weight};

/// Of all bytes that one in so many may be a request's: what is larger is not remembered, for it
/// would take the place of many.
const REQUEST_PART: u64 = 64;
/// What a pair takes in memory beside its address.
const PAIR_BYTES: usize = 352;
/// What a habit takes in memory beside its folder, and a folder beside its name.
const HABIT_BYTES: usize = 512;
const FOLDER_BYTES: usize = 512;

/// An access log in memory, decayed over time.
pub(super) struct Heat {
    pub(super) half_lives: HalfLives,
    max_bytes: u64,
    /// Bytes of all requests, those among them that moka has not got round to evicting.
    held: Arc<AtomicU64>,
    folders: Cache<Arc<str>, Arc<Folder>>,
    requests: Cache<Fingerprint, Arc<Asked>>,
    pub(super) habits: Cache<HabitKey, Arc<Habit>>,
    pub(super) pairs: Cache<PairKey, Arc<Pair>>,
}

/// After how long an access counts half.
#[derive(Clone, Copy, Debug)]
pub(super) struct HalfLives {
    /// In how often something was asked lately.
    pub(super) lately: Duration,
    /// In which share of the searches of a folder asks the same.
    pub(super) habit: Duration,
}

/// A folder of splits, and a whole request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct HabitKey {
    folder: Box<str>,
    request: Fingerprint,
}

/// A split and a whole request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct PairKey {
    pub(super) split: Path,
    pub(super) request: Fingerprint,
}

pub(super) struct Pair {
    pub(super) split: SplitAddress,
    pub(super) asked: Arc<Asked>,
    state: Mutex<PairState>,
}

#[derive(Clone)]
struct PairState {
    heat: Decayed,
    /// Of the request in the folder of the split, while that is remembered.
    habit: Weak<Habit>,
    /// How likely a search of the habit asks the split.
    share: Share,
}

/// A request in a split, and how often it was asked: what outlives the process.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) split: SplitAddress,
    /// Without a moment.
    pub(super) request: Arc<SearchRequest>,
    /// Of the whole request.
    pub(super) identity: Fingerprint,
    pub(super) heat: Decayed,
}

/// A request in a split, and how hot it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HotPair {
    /// The split.
    pub split: SplitAddress,
    /// The request, which takes the moment it is warmed at for `now`.
    pub request: Arc<SearchRequest>,
    /// Accesses, each of which counts half after each half-life.
    pub heat: f64,
    /// When it was last asked, in milliseconds since 1970.
    pub last_asked: u64,
}

/// A request, and how hot it is over all splits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HotRequest {
    /// The request, which takes the moment it is warmed at for `now`.
    pub request: Arc<SearchRequest>,
    /// Searches, each of which counts half after each half-life.
    pub heat: f64,
    /// When it was last asked, in milliseconds since 1970.
    pub last_asked: u64,
}

impl Heat {
    /// Remembers what fits into `max_bytes`.
    pub(super) fn new(settings: &HeatSettings) -> Self {
        let max_bytes = settings.max_bytes;
        let folders = Cache::builder()
            .name("forewarm-folders")
            .max_capacity(max_bytes / 16)
            .weigher(|name: &Arc<str>, _| weight(FOLDER_BYTES + 2 * name.len()))
            .build();
        let requests = Cache::builder()
            .name("forewarm-asked")
            .max_capacity(requests_bytes(max_bytes))
            .weigher(|_, asked: &Arc<Asked>| weight(asked.bytes))
            // At once: pairs and habits may hold it for long.
            .eviction_listener(|_, asked: Arc<Asked>, _| asked.forget())
            .build();
        let habits = Cache::builder()
            .name("forewarm-habits")
            .max_capacity(max_bytes / 4)
            .weigher(|key: &HabitKey, _| weight(HABIT_BYTES + 2 * key.folder.len()))
            .build();
        let pairs = Cache::builder()
            .name("forewarm-heat")
            .max_capacity(max_bytes / 2)
            .weigher(|_, pair: &Arc<Pair>| weight(pair_weight(&pair.split)))
            .build();
        Self {
            half_lives: HalfLives {
                lately: settings.half_life,
                habit: settings.habit_half_life,
            },
            max_bytes,
            held: Arc::default(),
            folders,
            requests,
            habits,
            pairs,
        }
    }

    /// Takes note that `request` was asked of `splits` at `now`, in milliseconds since 1970, when
    /// `newest` was the newest split of a folder. Requests that cannot be written as JSON (with
    /// queries of tantivy's), and those that are too large, leave no trace.
    pub(super) fn note(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        newest: impl Fn(&str) -> Option<Path>,
        now: u64,
    ) {
        let Some(asked) = self.asked(request) else {
            return;
        };
        let half_lives = self.half_lives;
        asked.heat().add(1.0, now, half_lives.lately);
        let mut folders: BTreeMap<&str, Vec<&SplitAddress>> = BTreeMap::new();
        for split in splits {
            let folder = folder_of(split.path());
            folders.entry(folder).or_default().push(split);
        }
        for (folder, splits) in folders {
            let of_all = self.folder(folder);
            let before = of_all.note(now, half_lives);
            let habit = self.habit(folder, &asked);
            habit.belong(&of_all, before);
            let newest = newest(folder);
            let is_newest = |split: &&SplitAddress| Some(split.path()) == newest.as_ref();
            let asks_newest = splits.iter().any(is_newest);
            let search = habit.note(splits.len(), asks_newest, now, half_lives);
            for split in splits {
                let pair = self.pair(split, &asked);
                let mut state = pair.lock();
                state.heat.add(1.0, now, half_lives.lately);
                if !std::ptr::eq(state.habit.as_ptr(), Arc::as_ptr(&habit)) {
                    // It was forgotten meanwhile, and begins anew.
                    state.habit = Arc::downgrade(&habit);
                    state.share = Share::default();
                }
                state.share.note(search);
            }
        }
    }

    /// Takes over what was hot in another process, beside what was asked meanwhile.
    pub(super) fn restore(&self, remembered: &[Remembered]) {
        let half_life = self.half_lives.lately;
        let mut hottest: HashMap<Fingerprint, (Arc<Asked>, Decayed)> = HashMap::new();
        let mut habits: HashMap<*const Habit, (Arc<Habit>, Decayed)> = HashMap::new();
        let mut pairs = Vec::with_capacity(remembered.len());
        for one in remembered {
            let (asked, hottest) = match hottest.entry(one.identity) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => match self.asked(&one.request) {
                    Some(asked) => entry.insert((asked, one.heat)),
                    None => continue,
                },
            };
            let pair = self.pair(&one.split, asked);
            let habit = {
                let mut state = pair.lock();
                state.heat.merge(one.heat, self.half_lives.lately);
                state.habit.upgrade()
            };
            let Some(habit) = habit else {
                continue;
            };
            let habit = habits
                .entry(Arc::as_ptr(&habit))
                .or_insert((habit, one.heat));
            if habit.1.sum() < one.heat.sum() {
                habit.1 = one.heat;
            }
            pairs.push((pair, one.heat));
            // At least as often as of the split it was asked of most.
            if hottest.sum() < one.heat.sum() {
                *hottest = one.heat;
            }
        }
        for (asked, heat) in hottest.into_values() {
            asked.heat().merge(heat, self.half_lives.lately);
        }
        for (pair, heat) in pairs {
            let mut state = pair.lock();
            if let Some((_, hottest)) = habits.get(&state.habit.as_ptr()) {
                // By a share of the searches that asked the hottest of the folder.
                let then = hottest.moment().max(heat.moment());
                let share = heat.at(then, half_life) / hottest.at(then, half_life);
                state.share.restore(share);
            }
        }
        for (habit, heat) in habits.into_values() {
            self.folder(&habit.folder).restore(heat, self.half_lives);
            habit.restore(heat, self.half_lives);
        }
    }

    /// All pairs, in no order, for another process to [`restore`](Self::restore).
    pub(super) fn remembered(&self) -> Vec<Remembered> {
        let mut copies = Copies::default();
        let pairs = self.pairs.iter().filter_map(|(_, pair)| {
            Some(Remembered {
                split: pair.split.clone(),
                request: copies.find(&pair.asked)?,
                identity: pair.asked.identity,
                heat: pair.lock().heat,
            })
        });
        pairs.collect()
    }

    /// Pairs, the hottest first; those alike by path.
    pub(super) fn pairs(&self, now: u64) -> Vec<HotPair> {
        let mut copies = Copies::default();
        let pairs = self.pairs.iter().filter_map(|(_, pair)| {
            let heat = pair.lock().heat;
            Some(HotPair {
                split: pair.split.clone(),
                request: copies.find(&pair.asked)?,
                heat: heat.at(now, self.half_lives.lately),
                last_asked: heat.moment(),
            })
        });
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by(|a, b| {
            let by_path = || a.split.path().cmp(b.split.path());
            b.heat.total_cmp(&a.heat).then_with(by_path)
        });
        pairs
    }

    /// Requests, the hottest first.
    pub(super) fn requests(&self, now: u64) -> Vec<HotRequest> {
        let requests = self.requests.iter().filter_map(|(_, asked)| {
            let heat = *asked.heat();
            Some(HotRequest {
                request: Copies::default().find(&asked)?,
                heat: heat.at(now, self.half_lives.lately),
                last_asked: heat.moment(),
            })
        });
        let mut requests: Vec<_> = requests.collect();
        requests.sort_by(|a, b| {
            let by_time = || b.last_asked.cmp(&a.last_asked);
            b.heat.total_cmp(&a.heat).then_with(by_time)
        });
        requests
    }

    /// What was asked of splits is expected of the one that replaces them.
    pub(super) fn succeed(&self, split: &SplitAddress, replaces: &[Path], now: u64) {
        let pairs = self.pairs.iter();
        let of_replaced = pairs.filter(|(key, _)| replaces.contains(&key.split));
        for (_, pair) in of_replaced.collect::<Vec<_>>() {
            let (heat, share) = {
                let state = pair.lock();
                (state.heat, state.share)
            };
            let expected = heat.at(now, self.half_lives.lately);
            let successor = self.pair(split, &pair.asked);
            let mut state = successor.lock();
            state.heat.add(expected, now, self.half_lives.lately);
            state.share.succeed(share);
        }
    }

    /// Forgets splits that are searched no more; requests stay hot for those that come.
    pub(super) fn forget_split(&self, path: &Path) {
        for (key, _) in &self.pairs {
            if key.split == *path {
                self.pairs.invalidate(&*key);
            }
        }
    }

    pub(super) fn clear(&self) {
        self.folders.invalidate_all();
        self.requests.invalidate_all();
        self.habits.invalidate_all();
        self.pairs.invalidate_all();
    }

    fn asked(&self, request: &SearchRequest) -> Option<Arc<Asked>> {
        let json = request.to_value().ok()?;
        let identity = Fingerprint::of(&json);
        let fresh = || {
            let bytes = request_weight(json.to_string().len());
            let is_small = bytes as u64 <= self.max_bytes / REQUEST_PART;
            let request = is_small.then(|| SearchRequest::from_value(&json).ok());
            let request = request.flatten().ok_or(())?;
            Ok::<_, ()>(Asked::new(identity, request, bytes, &self.held))
        };
        let asked = self.requests.try_get_with(identity, fresh).ok()?;
        if self.held.load(Ordering::Relaxed) > requests_bytes(self.max_bytes) {
            // moka would wait for dozens more.
            self.requests.run_pending_tasks();
        }
        Some(asked)
    }

    /// Whether a request was asked of a split, or of one that it replaces.
    pub(super) fn knows(&self, split: &SplitAddress, request: Fingerprint) -> bool {
        let split = split.path().clone();
        self.pairs.contains_key(&PairKey { split, request })
    }

    fn pair(&self, split: &SplitAddress, asked: &Arc<Asked>) -> Arc<Pair> {
        let key = PairKey {
            split: split.path().clone(),
            request: asked.identity,
        };
        let with = |state| {
            Arc::new(Pair {
                split: split.clone(),
                asked: Arc::clone(asked),
                state: Mutex::new(state),
            })
        };
        let fresh = || {
            with(PairState {
                heat: Decayed::default(),
                habit: Arc::downgrade(&self.habit(folder_of(split.path()), asked)),
                share: Share::default(),
            })
        };
        let known = self.pairs.get_with(key.clone(), fresh);
        if Arc::ptr_eq(&known.asked, asked) {
            return known;
        }
        // The request was forgotten meanwhile, and is asked again.
        let state = known.lock().clone();
        let renewed = with(state);
        self.pairs.insert(key, Arc::clone(&renewed));
        renewed
    }

    fn habit(&self, folder: &str, asked: &Arc<Asked>) -> Arc<Habit> {
        let key = HabitKey {
            folder: folder.into(),
            request: asked.identity,
        };
        let fresh = || Habit::new(asked, folder, self.folder(folder));
        let known = self.habits.get_with(key.clone(), fresh);
        if Arc::ptr_eq(&known.asked, asked) {
            return known;
        }
        // The request was forgotten meanwhile, and its habits begin anew.
        let renewed = fresh();
        self.habits.insert(key, Arc::clone(&renewed));
        renewed
    }

    fn folder(&self, name: &str) -> Arc<Folder> {
        self.folders.get_with(name.into(), Arc::default)
    }
}

impl HalfLives {
    /// The first, in milliseconds.
    pub(super) fn lately_ms(self) -> u64 {
        u64::try_from(self.lately.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Pair {
    /// The pair's habit, and how likely one of its searches asks the split; nothing of one that was
    /// forgotten.
    pub(super) fn habit(&self) -> Option<(Arc<Habit>, Share)> {
        let state = self.lock();
        let habit = state.habit.upgrade();
        let habit = habit.filter(|_| !self.asked.is_forgotten())?;
        Some((habit, state.share))
    }

    fn lock(&self) -> MutexGuard<'_, PairState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that a pair takes in memory beside its request, about.
pub(super) fn pair_weight(split: &SplitAddress) -> usize {
    PAIR_BYTES + 2 * split.path().as_ref().len() + split.bounds_weight()
}

/// What requests may take of all bytes: three sixteenths. Pairs may take half, habits a quarter, and
/// folders the rest.
fn requests_bytes(max_bytes: u64) -> u64 {
    max_bytes / 16 * 3
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
