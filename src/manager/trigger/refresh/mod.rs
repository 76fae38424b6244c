//! Splits that come and go.

mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use object_store::path::Path;
use serde_json::{Value, json};
use tokio::sync::Notify;

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
    /// Retired, and listed all the same.
    outlived: BTreeSet<Path>,
    announced: u64,
    retired: u64,
}

#[derive(Debug)]
struct Coming {
    split: SplitAddress,
    replaces: Vec<Path>,
}

impl State {
    /// Whether splits are to be announced or retired.
    fn has_news(&self) -> bool {
        !(self.coming.is_empty() && self.leaving.is_empty())
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
            let is_retired = state.leaving.contains(path) || state.outlived.contains(path);
            if !is_retired && !served.contains(path) {
                let replaces = Vec::new();
                let coming = state.coming.entry(path.clone());
                coming.or_insert(Coming { split, replaces });
            }
        }
        let gone: Vec<Path> = state.listed.difference(&paths).cloned().collect();
        for path in &gone {
            state.coming.remove(path);
        }
        state.leaving.extend(gone);
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
        while !self.lock().has_news() {
            tokio::select! {
                () = self.told.notified() => (),
                () = context.interval() => return,
            }
        }
    }

    fn note(&self, event: &Event) {
        let mut state = self.lock();
        match event {
            Event::SplitPublished { split, replaces } => {
                state.leaving.remove(split.path());
                state.outlived.remove(split.path());
                let coming = Coming {
                    split: split.clone(),
                    replaces: replaces.clone(),
                };
                state.coming.insert(split.path().clone(), coming);
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
        if let Err(error) = self.look(context).await {
            // What was told can be acted on all the same.
            if !self.lock().has_news() {
                return Err(error);
            }
            tracing::warn!(error = error.chain(), "splits could not be listed");
        }
        let mut wanted = self.for_newcomers(context);
        wanted.extend(self.evicted(context));
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
            let retired: Vec<Path> = replaced.chain(std::mem::take(leaving)).collect();
            state.announced += announced.len() as u64;
            state.retired += retired.len() as u64;
            state.outlived.extend(retired.iter().cloned());
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
