//! Warms when the manager starts: given requests in the splits that are served, then the hot set
//! of the last run, in order of heat.
//!
//! It waits for what it needs: the hot set to be read, and, for given requests, a split to be
//! announced. What a tick left out is tried again at intervals. It is over when nothing is left to
//! try, or its deadline has passed; from then on it only does what `warm_now` asks for.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::preload_settings::PreloadSettings;
use super::settings::TriggerSettings;
use super::status::TickReport;
use super::{Trigger, TriggerContext, Wanted};
use crate::error::Result;
use crate::filter::{Fingerprint, SearchRequest};
use crate::manager::heat::Remembered;
use crate::manager::hot_set::{HotSetKeeper, Reading};
use crate::split::SplitAddress;
use crate::store::in_time;
use crate::warmup::Warmth;

/// What it is called in jobs and statistics.
const NAME: &str = "preload";

/// Reasons for which what is left out is tried again, by this process or the next.
const PASSING: [&str; 6] = [
    "budget",
    "deadline",
    "off",
    "reserve",
    "shutdown",
    "throttled",
];

/// Warms when the manager starts.
#[derive(Debug)]
pub(in crate::manager) struct Preload {
    settings: PreloadSettings,
    /// Those of the settings, and the caller's.
    requests: Vec<SearchRequest>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Counted from when it is first asked whether it is due.
    deadline: Option<Instant>,
    awaited: Awaited,
    progress: Progress,
}

/// What makes it due.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Awaited {
    /// It was never run.
    #[default]
    Start,
    /// It was run, and something was missing.
    More {
        hot_set: bool,
        splits: bool,
        again: bool,
    },
    /// Nothing any more.
    Nothing,
}

/// How far it has come.
#[derive(Clone, Debug, Default)]
pub(in crate::manager) struct Progress {
    pub(in crate::manager) is_over: bool,
    /// Whether a tick is under way, which counts apart.
    pub(in crate::manager) is_ticking: bool,
    /// Requests in splits that are to be warm.
    pub(in crate::manager) wanted: u64,
    /// Of these, how many were warm before the last tick.
    pub(in crate::manager) before: u64,
    /// Pairs of the hot set whose split is not served any more.
    pub(in crate::manager) passed_over: u64,
    /// How the last tick that has ended went.
    pub(in crate::manager) last: TickReport,
}

impl Preload {
    /// Warms `requests` beside those that the settings name, which are sound.
    pub(in crate::manager) fn new(settings: PreloadSettings, requests: Vec<SearchRequest>) -> Self {
        let bodies = settings.requests.iter();
        let bodies = bodies.filter_map(|body| SearchRequest::from_value(body).ok());
        Self {
            requests: bodies.chain(requests).collect(),
            settings,
            state: Mutex::default(),
        }
    }

    pub(in crate::manager) fn progress(&self) -> Progress {
        self.lock().progress.clone()
    }

    /// Where the hot set comes from, if it is wanted and there is any.
    fn hot_set<'c>(&self, context: &'c TriggerContext) -> Option<&'c HotSetKeeper> {
        let keeper = context.core.hot_set.as_ref();
        keeper.filter(|_| self.settings.hot_set)
    }

    /// When it is given up.
    fn deadline(&self) -> Instant {
        let patience = self.settings.deadline;
        *self
            .lock()
            .deadline
            .get_or_insert_with(|| in_time(patience))
    }

    /// Nothing is awaited any more.
    fn end(&self, context: &TriggerContext) {
        let mut state = self.lock();
        state.awaited = Awaited::Nothing;
        state.progress.is_over = true;
        drop(state);
        if let Some(keeper) = self.hot_set(context) {
            keeper.settle();
        }
        context.post.wake();
    }

    /// Waits for what was missing, if anything was.
    async fn more(&self, context: &TriggerContext, awaited: Awaited) {
        let (hot_set, splits, again) = match awaited {
            Awaited::Start => match self.hot_set(context) {
                Some(_) => return,
                None => (false, true, false),
            },
            Awaited::More {
                hot_set,
                splits,
                again,
            } => (hot_set, splits, again),
            Awaited::Nothing => (false, false, false),
        };
        let mut reading = self.hot_set(context).map(HotSetKeeper::watch_reading);
        let mut served = context.watch_splits();
        tokio::select! {
            _ = async { match &mut reading {
                Some(reading) => reading.wait_for(|it| *it == Reading::Read).await.is_ok(),
                None => std::future::pending().await,
            } }, if hot_set => (),
            // Its sender lives as long as the manager.
            _ = served.wait_for(|splits| !splits.is_empty()), if splits => (),
            () = context.interval(), if again => (),
            () = std::future::pending() => (),
        }
    }

    /// What was hot in the last run, once that was read, and since; the hottest first.
    async fn hot_pairs(&self, context: &TriggerContext) -> Vec<Remembered> {
        let Some(keeper) = self.hot_set(context) else {
            return Vec::new();
        };
        // The first try has a deadline. The sender lives as long as the manager.
        let mut reading = keeper.watch_reading();
        let _ = reading.wait_for(|it| *it != Reading::Untried).await;
        keeper.pairs(&context.core)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Trigger for Preload {
    fn name(&self) -> &str {
        NAME
    }

    fn settings(&self) -> TriggerSettings {
        self.settings.trigger.clone()
    }

    async fn due(&self, context: &TriggerContext) {
        let deadline = self.deadline();
        let awaited = self.lock().awaited;
        if awaited != Awaited::Nothing {
            if self.requests.is_empty() && self.hot_set(context).is_none() {
                self.end(context);
            } else {
                tokio::select! {
                    biased;
                    () = self.more(context, awaited) => return,
                    () = sleep_until(deadline) => self.end(context),
                }
            }
        }
        std::future::pending().await
    }

    async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>> {
        let hot = self.hot_pairs(context).await;
        let splits = context.splits();
        let mut list = List::default();
        for request in &self.requests {
            list.add_given(request, &splits);
        }
        let mut passed_over = 0;
        for pair in hot {
            passed_over += u64::from(!list.add_hot(pair, &splits));
        }
        let wanted = list.wanted.len();
        let awaited = self.lock().awaited;
        let list = match awaited {
            Awaited::Start => list.wanted,
            _ => still_cold(context, list.wanted),
        };
        // Whoever asks for a tick later asks nothing of what came before.
        if awaited != Awaited::Nothing {
            self.lock().progress = Progress {
                is_over: false,
                is_ticking: true,
                wanted: wanted as u64,
                before: (wanted - list.len()) as u64,
                passed_over,
                last: TickReport::default(),
            };
        }
        Ok(list)
    }

    async fn ticked(&self, context: &TriggerContext, report: &TickReport) {
        let keeper = self.hot_set(context);
        let again = PASSING.iter().any(|why| report.left_out.contains_key(why));
        let hot_set = keeper.is_some_and(|keeper| keeper.reading() != Reading::Read);
        let splits = !self.requests.is_empty() && context.splits().is_empty();
        let is_cancelled = report.left_out.contains_key("cancelled");
        let is_late = self.deadline() <= Instant::now();
        let mut state = self.lock();
        if state.awaited == Awaited::Nothing {
            return;
        }
        state.progress.is_ticking = false;
        state.progress.last = report.clone();
        state.awaited = Awaited::More {
            hot_set,
            splits,
            again,
        };
        drop(state);
        if is_cancelled || is_late || !(hot_set || splits || again) {
            self.end(context);
        }
    }

    fn details(&self) -> Value {
        let Progress {
            is_over,
            passed_over,
            ..
        } = self.progress();
        json!({ "over": is_over, "passed_over": passed_over })
    }
}

/// What is wanted, each once.
#[derive(Default)]
struct List {
    wanted: Vec<Wanted>,
    seen: HashSet<(SplitAddress, Fingerprint)>,
}

impl List {
    /// Adds a request in all splits.
    fn add_given(&mut self, request: &SearchRequest, splits: &[SplitAddress]) {
        // Without JSON nobody else can mean the same.
        let identity = request.to_value().ok().map(|it| Fingerprint::of(&it));
        // A copy takes the moment it is warmed at for `now`.
        let request = Arc::new(request.clone());
        for split in splits {
            let is_new = identity.is_none_or(|identity| self.see(split, identity));
            if is_new {
                self.wanted
                    .push(Wanted::new(split.clone(), Arc::clone(&request)));
            }
        }
    }

    /// Adds a pair; answers whether its split is served, as far as anybody said what is.
    fn add_hot(&mut self, pair: Remembered, splits: &[SplitAddress]) -> bool {
        let found = splits.binary_search_by(|split| split.path().cmp(pair.split.path()));
        let split = match found {
            Ok(at) => &splits[at],
            Err(_) if splits.is_empty() => &pair.split,
            Err(_) => return false,
        };
        if self.see(split, pair.identity) {
            self.wanted.push(Wanted::new(split.clone(), pair.request));
        }
        true
    }

    fn see(&mut self, split: &SplitAddress, identity: Fingerprint) -> bool {
        self.seen.insert((split.clone(), identity))
    }
}

/// Those that are not known to be warm.
fn still_cold(context: &TriggerContext, wanted: Vec<Wanted>) -> Vec<Wanted> {
    let mut by_request: HashMap<*const SearchRequest, Vec<usize>> = HashMap::new();
    for (at, one) in wanted.iter().enumerate() {
        let places = by_request.entry(Arc::as_ptr(&one.request)).or_default();
        places.push(at);
    }
    let mut is_cold = vec![true; wanted.len()];
    for places in by_request.into_values() {
        let splits: Vec<_> = places.iter().map(|&at| wanted[at].split.clone()).collect();
        let request = &wanted[places[0]].request;
        let warmth = context.warmer().classify(&splits, request);
        for (at, warmth) in places.into_iter().zip(warmth) {
            is_cold[at] = !matches!(warmth, Warmth::Cached | Warmth::ProvablyEmpty);
        }
    }
    let wanted = wanted.into_iter().zip(is_cold);
    wanted
        .filter_map(|(one, is_cold)| is_cold.then_some(one))
        .collect()
}
