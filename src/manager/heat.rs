//! What was asked lately, of which splits: the memory that triggers go by.
//!
//! Each access counts 1, and counts half after each half-life. Heat is kept for each request, and
//! for each pair of split and request, both bounded in bytes; what falls out is decided by moka,
//! whose count-min sketch of past accesses lets the frequent stay.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use object_store::path::Path;

use super::births::folder_of;
use super::habit::{Habit, Outlook, Share};
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

/// A request that was asked.
pub(super) struct Asked {
    pub(super) identity: Fingerprint,
    /// Without a moment, and never given out: the first to ask its fingerprint would set one.
    request: SearchRequest,
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

impl Decayed {
    /// A sum that was `sum` at `at`; nothing when it cannot have been.
    pub(super) fn new(sum: f64, at: u64) -> Option<Self> {
        (sum.is_finite() && sum >= 0.0).then_some(Self { sum, at })
    }

    /// The sum as it was when something was last added to it, and when that was.
    pub(super) fn parts(self) -> (f64, u64) {
        (self.sum, self.at)
    }

    /// The same, unless it is of a time to come.
    pub(super) fn no_later_than(mut self, now: u64) -> Self {
        self.at = self.at.min(now);
        self
    }

    /// What it comes to at `now`.
    pub(super) fn at(self, now: u64, half_life: Duration) -> f64 {
        let passed = now.saturating_sub(self.at) as f64;
        self.sum * (-passed / (half_life.as_millis().max(1) as f64)).exp2()
    }

    pub(super) fn add(&mut self, more: f64, now: u64, half_life: Duration) {
        self.sum = self.at(now, half_life) + more;
        self.at = self.at.max(now);
    }

    /// When something was last added, in milliseconds since 1970.
    pub(super) fn moment(self) -> u64 {
        self.at
    }

    /// Adds what was summed up elsewhere.
    pub(super) fn merge(&mut self, other: Self, half_life: Duration) {
        let now = self.at.max(other.at);
        self.add(other.at(now, half_life), now, half_life);
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
            .weigher(|_, pair: &Arc<Pair>| weight(pair_weight(&pair.split)))
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
                let pair = self.pair(split, &asked);
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

    /// Takes over what was hot in another process, beside what was asked meanwhile.
    pub(super) fn restore(&self, remembered: &[Remembered]) {
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
                state.heat.merge(one.heat, self.half_life);
                Arc::clone(&state.habit)
            };
            let habit = habits
                .entry(Arc::as_ptr(&habit))
                .or_insert((habit, one.heat));
            if habit.1.sum < one.heat.sum {
                habit.1 = one.heat;
            }
            pairs.push((pair, one.heat));
            // At least as often as of the split it was asked of most.
            if hottest.sum < one.heat.sum {
                *hottest = one.heat;
            }
        }
        for (asked, heat) in hottest.into_values() {
            asked.heat().merge(heat, self.half_life);
        }
        for (pair, heat) in pairs {
            let mut state = pair.lock();
            if let Some((_, hottest)) = habits.get(&Arc::as_ptr(&state.habit)) {
                // By a share of the searches that asked the hottest of the folder.
                let share = heat.at(hottest.at.max(heat.at), self.half_life)
                    / hottest.at(hottest.at.max(heat.at), self.half_life);
                state.share.restore(share);
            }
        }
        for (habit, heat) in habits.into_values() {
            habit.restore(heat, self.half_life);
        }
    }

    /// All pairs, in no order, for another process to [`restore`](Self::restore).
    pub(super) fn remembered(&self) -> Vec<Remembered> {
        let mut copies = Copies::default();
        let pairs = self.pairs.iter().map(|(_, pair)| Remembered {
            split: pair.split.clone(),
            request: copies.of(&pair.asked),
            identity: pair.asked.identity,
            heat: pair.lock().heat,
        });
        pairs.collect()
    }

    /// Pairs, the hottest first; those alike by path.
    pub(super) fn pairs(&self, now: u64) -> Vec<HotPair> {
        let mut copies = Copies::default();
        let pairs = self.pairs.iter().map(|(_, pair)| {
            let heat = pair.lock().heat;
            HotPair {
                split: pair.split.clone(),
                request: copies.of(&pair.asked),
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
                request: Copies::default().of(&asked),
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

    /// What was asked of splits is expected of the one that replaces them.
    pub(super) fn succeed(&self, split: &SplitAddress, replaces: &[Path], now: u64) {
        let pairs = self.pairs.iter();
        let of_replaced = pairs.filter(|(key, _)| replaces.contains(&key.split));
        for (_, pair) in of_replaced.collect::<Vec<_>>() {
            let (heat, share) = {
                let state = pair.lock();
                (state.heat, state.share)
            };
            let expected = heat.at(now, self.half_life);
            let successor = self.pair(split, &pair.asked);
            let mut state = successor.lock();
            state.heat.add(expected, now, self.half_life);
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
                    request,
                    json_bytes: json.to_string().len(),
                    heat: Mutex::default(),
                })
            })
        };
        self.requests.try_get_with(identity, fresh).ok()
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
        self.pairs.get_with(key, || {
            Arc::new(Pair {
                split: split.clone(),
                asked: Arc::clone(asked),
                state: Mutex::new(PairState {
                    heat: Decayed::default(),
                    habit: self.habit(folder_of(split.path()), asked),
                    share: Share::default(),
                }),
            })
        })
    }

    fn habit(&self, folder: &str, asked: &Arc<Asked>) -> Arc<Habit> {
        let key = HabitKey {
            folder: folder.into(),
            request: asked.identity,
        };
        self.habits.get_with(key, || Habit::new(asked, folder))
    }
}

impl Asked {
    fn heat(&self) -> MutexGuard<'_, Decayed> {
        self.heat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn weight(&self) -> usize {
        request_weight(self.json_bytes)
    }
}

/// Copies of requests, one of each, that take the moment they are first warmed at for `now`.
#[derive(Default)]
pub(super) struct Copies(HashMap<Fingerprint, Arc<SearchRequest>>);

impl Copies {
    pub(super) fn of(&mut self, asked: &Asked) -> Arc<SearchRequest> {
        let copy = self.0.entry(asked.identity);
        Arc::clone(copy.or_insert_with(|| Arc::new(asked.request.clone())))
    }
}

impl Pair {
    /// What to expect of the pair's habit, and how likely one of its searches asks the split.
    pub(super) fn outlook(&self, now: u64, half_life: Duration) -> (Outlook, f64) {
        let state = self.lock();
        let outlook = state.habit.outlook(now, half_life);
        (outlook, state.share.after(outlook.so_far))
    }

    fn lock(&self) -> MutexGuard<'_, PairState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that a request takes in memory, about.
pub(super) fn request_weight(json_bytes: usize) -> usize {
    REQUEST_BYTES + REQUEST_FACTOR * json_bytes
}

/// Bytes that a pair takes in memory beside its request, about.
pub(super) fn pair_weight(split: &SplitAddress) -> usize {
    PAIR_BYTES + 2 * split.path().as_ref().len()
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
        heat.succeed(
            &split(9),
            &[split(1).path().clone(), split(2).path().clone()],
            2 * HOUR_MS,
        );
        let newcomer = heat.pairs(2 * HOUR_MS);
        let newcomer = newcomer.iter().filter(|pair| pair.split == split(9));
        let heat_of_newcomer: f64 = newcomer.map(|pair| pair.heat).sum();
        assert!((heat_of_newcomer - 2.5).abs() < 1e-9, "{heat_of_newcomer}");
        heat.forget_split(split(9).path());
        heat.forget_split(split(2).path());
        assert_eq!(heat.pairs(0).len(), 1);
        assert_eq!(heat.requests(0).len(), 2);
    }

    #[test]
    fn what_is_restored_is_as_hot_as_it_was_whenever_it_was_written() {
        let (here, there) = (Heat::new(HOUR, 1 << 20), Heat::new(HOUR, 1 << 20));
        for n in 0..5 {
            here.note(&[split(n), split(0)], &asking("sea"), nobody, HOUR_MS);
        }
        // Asked meanwhile: that counts beside what was.
        there.note(&[split(0)], &asking("sea"), nobody, 2 * HOUR_MS);
        there.restore(&here.remembered());
        let now = 2 * HOUR_MS;
        let (was, is) = (here.pairs(now), there.pairs(now));
        assert_eq!(texts(&was), texts(&is));
        let sum = |hot: &[HotPair]| hot.iter().map(|one| one.heat).sum::<f64>();
        assert!((sum(&was) + 1.0 - sum(&is)).abs() < 1e-9);
        assert!((there.requests(now)[0].heat - 4.0).abs() < 1e-9);
        assert_eq!(there.pairs(now)[0].last_asked, now);
    }

    #[test]
    fn each_who_asks_what_is_hot_has_a_moment_of_his_own() {
        let heat = Heat::new(HOUR, 1 << 20);
        let today = SearchRequest::new(Clause::range("at").gte("now/d"));
        heat.note(&[split(1), split(2)], &today, nobody, 0);
        let (first, second) = (heat.pairs(0), heat.pairs(0));
        assert!(Arc::ptr_eq(&first[0].request, &first[1].request));
        assert!(!Arc::ptr_eq(&first[0].request, &second[0].request));
    }

    #[test]
    fn heat_that_cannot_be_is_none() {
        for sum in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Decayed::new(sum, 0).is_none());
        }
        assert_eq!(Decayed::new(2.5, 7).map(Decayed::parts), Some((2.5, 7)));
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
