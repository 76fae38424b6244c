//! Splits that come and go.

mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use object_store::path::Path;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

pub use settings::RefreshSettings;

use super::{TickReport, Trigger, TriggerContext, TriggerSettings, Wanted};
use crate::error::Result;
use crate::filter::SearchRequest;
use crate::manager::event::Event;
use crate::split::SplitAddress;
use crate::warmup::Warmth;

/// Its name.
pub(in crate::manager) const REFRESH: &str = "refresh";

/// Warms in newcomers what is hot in those they replace, then announces them and retires these;
/// and brings back what is hot and was evicted.
///
/// A newcomer is announced after its tick in any case: a split that cannot be warmed is searched
/// on demand, but never withheld.
#[derive(Debug)]
pub(in crate::manager) struct Refresh {
    settings: RefreshSettings,
    told: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Told or listed and not announced yet, with what they replace; by path.
    coming: BTreeMap<Path, Coming>,
    /// To be retired with the next tick.
    leaving: BTreeSet<Path>,
    /// Those of `coming` that this tick is about.
    warming: Vec<Path>,
    /// Found in the listing once: only these are retired when they are listed no more.
    listed: BTreeSet<Path>,
    /// Retired, and maybe listed all the same.
    outlived: BTreeSet<Path>,
    /// When the tick began that last listed the prefix, and looked for what was evicted.
    round: Option<Instant>,
    announced: u64,
    retired: u64,
}

#[derive(Debug)]
struct Coming {
    split: SplitAddress,
    /// Others, never itself.
    replaces: Vec<Path>,
}

impl State {
    /// Whether splits are to be announced or retired.
    fn has_news(&self) -> bool {
        !(self.coming.is_empty() && self.leaving.is_empty())
    }

    /// Takes note of a split that takes the place of others. One that has not been announced yet
    /// never is then, and what it was to replace is replaced by this one.
    fn expect(&mut self, split: SplitAddress, replaces: &[Path]) {
        let path = split.path().clone();
        self.leaving.remove(&path);
        self.outlived.remove(&path);
        let mut replaced: Vec<Path> = Vec::new();
        for other in replaces {
            let skipped = self.coming.remove(other);
            let skipped = skipped.map_or_else(Vec::new, |it| it.replaces);
            for other in std::iter::once(other.clone()).chain(skipped) {
                if other != path && !replaced.contains(&other) {
                    replaced.push(other);
                }
            }
        }
        let replaces = replaced;
        self.coming.insert(path, Coming { split, replaces });
    }

    /// Whether a listing that has the path brings nothing new.
    fn is_past(&self, path: &Path) -> bool {
        let is_replaced = |coming: &Coming| coming.replaces.contains(path);
        self.leaving.contains(path)
            || self.outlived.contains(path)
            || self.coming.values().any(is_replaced)
    }
}

impl Refresh {
    /// Acts by settings that have no problems.
    pub(in crate::manager) fn new(settings: RefreshSettings) -> Self {
        Self {
            settings,
            told: Notify::new(),
            state: Mutex::default(),
        }
    }

    /// These are not served any more: whoever lists them does not find them anew.
    pub(in crate::manager) fn retire(&self, paths: &[Path]) {
        let mut state = self.lock();
        for path in paths {
            state.coming.remove(path);
            state.leaving.remove(path);
        }
        self.outlive(&mut state, paths);
    }

    /// Remembers what was retired until a listing lacks it; without a prefix nothing is listed.
    fn outlive(&self, state: &mut State, retired: &[Path]) {
        if self.settings.prefix.is_some() {
            state.outlived.extend(retired.iter().cloned());
        }
    }

    /// Whether this tick looks for what nobody tells: once an interval, however many ticks there
    /// are for what is told, and when somebody asks.
    fn begins_round(&self, context: &TriggerContext) -> bool {
        let (begun, interval) = (context.begun(), context.settings().interval);
        let mut state = self.lock();
        let has_passed = |round: Instant| begun.saturating_duration_since(round) >= interval;
        let is_due = context.is_asked() || state.round.is_none_or(has_passed);
        if is_due {
            state.round = Some(begun);
        }
        is_due
    }

    /// Lists the prefix, and takes note of what has come and gone.
    ///
    /// # Errors
    ///
    /// Those of the store; nothing is taken note of then.
    async fn look(&self, context: &TriggerContext) -> Result<()> {
        let Some(prefix) = &self.settings.prefix else {
            return Ok(());
        };
        let found = context.warmer().list_splits(prefix).await?;
        let served = context.splits();
        let served: BTreeSet<&Path> = served.iter().map(SplitAddress::path).collect();
        let mut state = self.lock();
        let paths: BTreeSet<Path> = found.iter().map(|split| split.path().clone()).collect();
        for split in found {
            let path = split.path();
            if !served.contains(path) && !state.is_past(path) {
                let replaces = Vec::new();
                let coming = state.coming.entry(path.clone());
                coming.or_insert(Coming { split, replaces });
            }
        }
        let gone: Vec<Path> = state.listed.difference(&paths).cloned().collect();
        for path in gone {
            state.coming.remove(&path);
            if !state.outlived.contains(&path) {
                state.leaving.insert(path);
            }
        }
        state.outlived.retain(|path| paths.contains(path));
        state.listed = paths;
        Ok(())
    }

    /// What to warm in the newcomers of this tick.
    fn for_newcomers(&self, context: &TriggerContext) -> Vec<Wanted> {
        let hot = context.hot_pairs();
        let mut hottest = None;
        let mut state = self.lock();
        let State {
            coming, warming, ..
        } = &mut *state;
        let first = coming.keys().take(self.settings.splits_per_tick);
        *warming = first.cloned().collect();
        let mut wanted = Vec::new();
        for path in warming.iter() {
            let newcomer = &coming[path];
            let of_replaced = |path: &Path| newcomer.replaces.contains(path);
            let mut requests: Vec<(f64, Arc<SearchRequest>)> = Vec::new();
            for pair in hot.iter().filter(|pair| of_replaced(pair.split.path())) {
                match requests
                    .iter_mut()
                    .find(|(_, it)| Arc::ptr_eq(it, &pair.request))
                {
                    Some((heat, _)) => *heat += pair.heat,
                    None => requests.push((pair.heat, Arc::clone(&pair.request))),
                }
            }
            if newcomer.replaces.is_empty() {
                let hottest = hottest.get_or_insert_with(|| context.hot_requests());
                requests.extend(hottest.iter().map(|it| (it.heat, Arc::clone(&it.request))));
            }
            requests.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            requests.truncate(self.settings.requests_per_split);
            let requests = requests.into_iter();
            wanted.extend(requests.map(|(_, it)| Wanted::new(newcomer.split.clone(), it)));
        }
        wanted
    }

    /// What is hot and not in memory any more.
    fn evicted(&self, context: &TriggerContext) -> Vec<Wanted> {
        let Some(least) = self.settings.keep_above else {
            return Vec::new();
        };
        let hot = context.hot_pairs().into_iter();
        let hot = hot.take_while(|pair| pair.heat >= least);
        let is_evicted = |split: &SplitAddress, request: &SearchRequest| {
            let warmth = context
                .warmer()
                .classify(std::slice::from_ref(split), request);
            matches!(warmth.first(), Some(Warmth::Cold(_) | Warmth::Partial(_)))
        };
        hot.filter(|pair| {
            context.serves(pair.split.path()) && is_evicted(&pair.split, &pair.request)
        })
        .map(|pair| Wanted::new(pair.split, pair.request))
        .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Trigger for Refresh {
    fn name(&self) -> &str {
        REFRESH
    }

    fn settings(&self) -> TriggerSettings {
        self.settings.trigger.clone()
    }

    async fn due(&self, context: &TriggerContext) {
        loop {
            let round = {
                let state = self.lock();
                if state.has_news() {
                    return;
                }
                state.round
            };
            tokio::select! {
                () = self.told.notified() => (),
                () = context.interval_after(round) => return,
            }
        }
    }

    fn note(&self, event: &Event) {
        let mut state = self.lock();
        match event {
            Event::SplitPublished { split, replaces } => {
                state.expect(split.clone(), replaces);
            }
            Event::SplitRetired { split } => {
                state.coming.remove(split);
                state.leaving.insert(split.clone());
            }
            _ => return,
        }
        drop(state);
        self.told.notify_one();
    }

    async fn wanted(&self, context: &TriggerContext) -> Result<Vec<Wanted>> {
        let is_round = self.begins_round(context);
        if is_round && let Err(error) = self.look(context).await {
            // What was told can be acted on all the same.
            if !self.lock().has_news() {
                return Err(error);
            }
            tracing::warn!(error = error.chain(), "splits could not be listed");
        }
        let mut wanted = self.for_newcomers(context);
        if is_round {
            wanted.extend(self.evicted(context));
        }
        Ok(wanted)
    }

    async fn ticked(&self, context: &TriggerContext, report: &TickReport) {
        let (announced, retired) = {
            let mut state = self.lock();
            let State {
                coming,
                leaving,
                warming,
                ..
            } = &mut *state;
            let announced = warming.drain(..).filter_map(|path| coming.remove(&path));
            let announced: Vec<Coming> = announced.collect();
            let replaced = announced.iter().flat_map(|it| it.replaces.iter().cloned());
            let mut retired: Vec<Path> = replaced.chain(std::mem::take(leaving)).collect();
            retired.retain(|path| announced.iter().all(|it| it.split.path() != path));
            state.announced += announced.len() as u64;
            state.retired += retired.len() as u64;
            self.outlive(&mut state, &retired);
            (announced, retired)
        };
        if !announced.is_empty() && !report.is_complete() {
            tracing::warn!(?report, "splits are announced that are not all warm");
        }
        let announced = announced.into_iter().map(|it| (it.split, it.replaces));
        context.exchange(announced.collect(), &retired).await;
    }

    fn details(&self) -> Value {
        let state = self.lock();
        json!({
            "announced": state.announced,
            "retired": state.retired,
            "coming": state.coming.len(),
        })
    }
}
