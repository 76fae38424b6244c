//! What was asked lately, of which splits: the memory that triggers go by.
//!
//! Each access counts 1, and counts half after each half-life. Heat is kept for each request, and
//! for each pair of split and request, both bounded in bytes; what falls out is decided by moka,
//! whose count-min sketch of past accesses lets the frequent stay.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use object_store::path::Path;

use super::births::folder_of;
use super::habit::{Habit, Share};
use crate::filter::{Fingerprint, SearchRequest};
use crate::split::SplitAddress;

/// What a request takes in memory for each byte of its JSON, and beside it.
const REQUEST_FACTOR: usize = 8;
const REQUEST_BYTES: usize = 1024;
/// What a pair takes in memory beside its path.
const PAIR_BYTES: usize = 352;
/// What a habit takes in memory beside its folder.
const HABIT_BYTES: usize = 512;

/// An access log in memory, decayed over time.
pub(super) struct Heat {
    pub(super) half_life: Duration,
    requests: Cache<Fingerprint, Arc<Asked>>,
    pub(super) habits: Cache<HabitKey, Arc<Habit>>,
    pub(super) pairs: Cache<PairKey, Arc<Pair>>,
}

/// A whole request, and a folder of splits.
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

/// A request that was asked.
pub(super) struct Asked {
    pub(super) identity: Fingerprint,
    /// Without a moment: whoever warms it warms it for his own.
    pub(super) request: Arc<SearchRequest>,
    json_bytes: usize,
    heat: Mutex<Decayed>,
}

pub(super) struct Pair {
    pub(super) split: SplitAddress,
    pub(super) asked: Arc<Asked>,
    state: Mutex<PairState>,
}

struct PairState {
    heat: Decayed,
    /// Of the request in the folder of the split.
    habit: Arc<Habit>,
    /// How likely a search of the habit asks the split.
    share: Share,
}

/// A sum of accesses, each of which counts half after each half-life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decayed {
    sum: f64,
    /// When the sum was that, in milliseconds since 1970.
    at: u64,
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

impl Decayed {
    pub(super) fn new(sum: f64, at: u64) -> Self {
        Self { sum, at }
    }

    /// What it comes to at `now`.
    pub(super) fn at(self, now: u64, half_life: Duration) -> f64 {
        let passed = now.saturating_sub(self.at) as f64;
        self.sum * (-passed / (half_life.as_millis().max(1) as f64)).exp2()
    }

    /// When something was last added, in milliseconds since 1970.
    pub(super) fn moment(self) -> u64 {
        self.at
    }

    pub(super) fn add(&mut self, more: f64, now: u64, half_life: Duration) {
        self.sum = self.at(now, half_life) + more;
        self.at = self.at.max(now);
    }
}

impl Heat {
    /// Remembers what fits into `max_bytes`.
    pub(super) fn new(half_life: Duration, max_bytes: u64) -> Self {
        let requests = Cache::builder()
            .name("forewarm-asked")
            .max_capacity(max_bytes / 4)
            .weigher(|_, asked: &Arc<Asked>| weight(asked.weight()))
            .build();
        let habits = Cache::builder()
            .name("forewarm-habits")
            .max_capacity(max_bytes / 4)
            .weigher(|key: &HabitKey, _| weight(HABIT_BYTES + 2 * key.folder.len()))
            .build();
        let pairs = Cache::builder()
            .name("forewarm-heat")
            .max_capacity(max_bytes / 2)
            .weigher(|key: &PairKey, _| weight(PAIR_BYTES + 2 * key.split.as_ref().len()))
            .build();
        Self {
            half_life,
            requests,
            habits,
            pairs,
        }
    }

    /// Takes note that `request` was asked of `splits` at `now`, in milliseconds since 1970, when
    /// `newest` was the newest split of a folder. Requests that cannot be written as JSON (with
    /// queries of tantivy's) leave no trace.
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
        asked.heat().add(1.0, now, self.half_life);
        let mut folders: BTreeMap<&str, Vec<&SplitAddress>> = BTreeMap::new();
        for split in splits {
            let folder = folder_of(split.path());
            folders.entry(folder).or_default().push(split);
        }
        for (folder, splits) in folders {
            let habit = self.habit(folder, &asked);
            let newest = newest(folder);
            let is_newest = |split: &&SplitAddress| Some(split.path()) == newest.as_ref();
            let asks_newest = splits.iter().any(is_newest);
            let search = habit.note(splits.len(), asks_newest, now, self.half_life);
            for split in splits {
                let pair = self.pair(split, &habit);
                let mut state = pair.lock();
                state.heat.add(1.0, now, self.half_life);
                if !Arc::ptr_eq(&state.habit, &habit) {
                    // It was forgotten meanwhile, and begins anew.
                    state.habit = Arc::clone(&habit);
                    state.share = Share::default();
                }
                state.share.note(search);
            }
        }
    }

    /// Takes over what was hot in another process.
    pub(super) fn restore(&self, hot: &[HotPair]) {
        let mut hottest: HashMap<Fingerprint, (Arc<Asked>, Decayed)> = HashMap::new();
        let mut habits: HashMap<HabitKey, (Arc<Habit>, Decayed)> = HashMap::new();
        for one in hot {
            let Some(asked) = self.asked(&one.request) else {
                continue;
            };
            let heat = Decayed::new(one.heat, one.last_asked);
            let folder = folder_of(one.split.path());
            let habit = self.habit(folder, &asked);
            self.pair(&one.split, &habit).lock().heat = heat;
            let key = HabitKey {
                folder: folder.into(),
                request: asked.identity,
            };
            let known = habits.entry(key).or_insert((habit, heat));
            if known.1.sum < heat.sum {
                known.1 = heat;
            }
            // At least as often as of the split it was asked of most.
            let request = hottest.entry(asked.identity).or_insert((asked, heat));
            if request.1.sum < heat.sum {
                request.1 = heat;
            }
        }
        for (asked, heat) in hottest.into_values() {
            *asked.heat() = heat;
        }
        for (habit, heat) in habits.values() {
            habit.restore(*heat);
        }
        for one in hot {
            self.restore_share(one, &habits);
        }
    }

    /// What was asked less often than the hottest of its folder is asked by a share of searches.
    fn restore_share(&self, one: &HotPair, habits: &HashMap<HabitKey, (Arc<Habit>, Decayed)>) {
        let Some(asked) = self.asked(&one.request) else {
            return;
        };
        let key = HabitKey {
            folder: folder_of(one.split.path()).into(),
            request: asked.identity,
        };
        let Some((habit, hottest)) = habits.get(&key) else {
            return;
        };
        let now = hottest.at.max(one.last_asked);
        let heat = Decayed::new(one.heat, one.last_asked).at(now, self.half_life);
        let share = heat / hottest.at(now, self.half_life).max(f64::MIN_POSITIVE);
        self.pair(&one.split, habit).lock().share = Share::known(share.min(1.0));
    }

    /// Pairs, the hottest first; those alike by path.
    pub(super) fn pairs(&self, now: u64) -> Vec<HotPair> {
        let pairs = self.pairs.iter().map(|(_, pair)| {
            let heat = pair.lock().heat;
            HotPair {
                split: pair.split.clone(),
                request: Arc::clone(&pair.asked.request),
                heat: heat.at(now, self.half_life),
                last_asked: heat.at,
            }
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
        let requests = self.requests.iter().map(|(_, asked)| {
            let heat = *asked.heat();
            HotRequest {
                request: Arc::clone(&asked.request),
                heat: heat.at(now, self.half_life),
                last_asked: heat.at,
            }
        });
        let mut requests: Vec<_> = requests.collect();
        requests.sort_by(|a, b| {
            let by_time = || b.last_asked.cmp(&a.last_asked);
            b.heat.total_cmp(&a.heat).then_with(by_time)
        });
        requests
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
        self.requests.invalidate_all();
        self.habits.invalidate_all();
        self.pairs.invalidate_all();
    }

    fn asked(&self, request: &SearchRequest) -> Option<Arc<Asked>> {
        let json = request.to_value().ok()?;
        let identity = Fingerprint::of(&json);
        let fresh = || {
            SearchRequest::from_value(&json).map(|request| {
                Arc::new(Asked {
                    identity,
                    request: Arc::new(request),
                    json_bytes: json.to_string().len(),
                    heat: Mutex::default(),
                })
            })
        };
        self.requests.try_get_with(identity, fresh).ok()
    }

    fn habit(&self, folder: &str, asked: &Arc<Asked>) -> Arc<Habit> {
        let key = HabitKey {
            folder: folder.into(),
            request: asked.identity,
        };
        self.habits.get_with(key, || Habit::new(asked, folder))
    }

    fn pair(&self, split: &SplitAddress, habit: &Arc<Habit>) -> Arc<Pair> {
        let key = PairKey {
            split: split.path().clone(),
            request: habit.asked.identity,
        };
        self.pairs.get_with(key, || {
            Arc::new(Pair {
                split: split.clone(),
                asked: Arc::clone(&habit.asked),
                state: Mutex::new(PairState {
                    heat: Decayed::default(),
                    habit: Arc::clone(habit),
                    share: Share::default(),
                }),
            })
        })
    }
}

impl Asked {
    fn heat(&self) -> MutexGuard<'_, Decayed> {
        self.heat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn weight(&self) -> usize {
        REQUEST_BYTES + REQUEST_FACTOR * self.json_bytes
    }
}

impl Pair {
    pub(super) fn habit(&self) -> Arc<Habit> {
        Arc::clone(&self.lock().habit)
    }

    /// How likely a search asks the split after so many of its habit.
    pub(super) fn share_after(&self, searches: u64) -> f64 {
        self.lock().share.after(searches)
    }

    fn lock(&self) -> MutexGuard<'_, PairState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Clause;

    const HOUR: Duration = Duration::from_secs(3600);
    const HOUR_MS: u64 = 3_600_000;

    /// There is no newest split.
    fn nobody(_: &str) -> Option<Path> {
        None
    }

    fn split(n: usize) -> SplitAddress {
        SplitAddress::new(format!("{n:03}.split").into())
    }

    fn asking(word: &str) -> SearchRequest {
        SearchRequest::new(Clause::match_text("body", word))
    }

    fn texts(hot: &[HotPair]) -> Vec<(String, String)> {
        let text = |one: &HotPair| {
            let query = one.request.to_value().unwrap()["query"].to_string();
            (one.split.to_string(), query)
        };
        hot.iter().map(text).collect()
    }

    #[test]
    fn an_access_counts_half_after_each_half_life() {
        let heat = Heat::new(HOUR, 1 << 20);
        heat.note(&[split(1)], &asking("sea"), nobody, 0);
        heat.note(&[split(1)], &asking("sea"), nobody, HOUR_MS);
        let hot = heat.pairs(2 * HOUR_MS);
        assert_eq!(hot.len(), 1);
        assert!((hot[0].heat - 0.75).abs() < 1e-9, "{}", hot[0].heat);
        assert_eq!(hot[0].last_asked, HOUR_MS);
        assert!((heat.requests(2 * HOUR_MS)[0].heat - 0.75).abs() < 1e-9);
    }

    #[test]
    fn what_was_asked_often_and_lately_is_hotter() {
        let heat = Heat::new(HOUR, 1 << 20);
        for _ in 0..3 {
            heat.note(&[split(1), split(2)], &asking("old"), nobody, 0);
        }
        heat.note(&[split(2)], &asking("new"), nobody, 2 * HOUR_MS);
        let hot = texts(&heat.pairs(2 * HOUR_MS));
        assert_eq!(hot.len(), 3);
        assert!(hot[0].1.contains("new"), "{hot:?}");
        assert_eq!(
            (hot[1].0.as_str(), hot[2].0.as_str()),
            ("001.split", "002.split")
        );
        heat.forget_split(split(2).path());
        assert_eq!(heat.pairs(0).len(), 1);
        assert_eq!(heat.requests(0).len(), 2);
    }

    #[test]
    fn what_is_restored_is_as_hot_as_it_was() {
        let (here, there) = (Heat::new(HOUR, 1 << 20), Heat::new(HOUR, 1 << 20));
        for n in 0..5 {
            here.note(&[split(n), split(0)], &asking("sea"), nobody, HOUR_MS);
        }
        there.restore(&here.pairs(HOUR_MS));
        let (was, is) = (here.pairs(HOUR_MS), there.pairs(HOUR_MS));
        assert_eq!(texts(&was), texts(&is));
        let sum = |hot: &[HotPair]| hot.iter().map(|one| one.heat).sum::<f64>();
        assert!((sum(&was) - sum(&is)).abs() < 1e-9);
        assert!(there.requests(HOUR_MS)[0].heat >= 5.0);
    }

    #[test]
    fn memory_is_bounded_and_the_frequent_stay() {
        let heat = Heat::new(HOUR, 256 << 10);
        for n in 0..4000 {
            heat.note(&[split(0)], &asking("common"), nobody, n);
            heat.note(
                &[split(1 + n as usize)],
                &asking(&format!("w{n}")),
                nobody,
                n,
            );
        }
        heat.pairs.run_pending_tasks();
        heat.requests.run_pending_tasks();
        let hot = heat.pairs(4000);
        assert!(hot.len() < 1000, "{}", hot.len());
        assert!(hot[0].heat > 3000.0, "{:?}", hot[0]);
        assert!(heat.requests(4000)[0].heat > 3000.0);
    }
}
