//! What is expected to be asked, by what was asked.

use std::collections::HashSet;
use std::sync::Arc;

use object_store::path::Path;

use super::births::Births;
use super::heat::Heat;
use crate::filter::{Fingerprint, SearchRequest};
use crate::split::SplitAddress;

/// How often a request is expected to be asked of a split.
#[derive(Clone, Debug)]
pub(super) struct Forecast {
    pub(super) split: SplitAddress,
    pub(super) request: Arc<SearchRequest>,
    /// Tells the request from all others.
    pub(super) identity: Fingerprint,
    /// Times it will be asked in the next half-life.
    pub(super) expected: f64,
    /// Searches of the request in the folder so far.
    pub(super) searches: u64,
    /// Whether the split has come since the request was last asked of its folder.
    pub(super) is_new: bool,
}

impl Forecast {
    /// Tells the pair from all others.
    pub(super) fn key(&self) -> (Path, Fingerprint) {
        (self.split.path().clone(), self.identity)
    }
}

impl Heat {
    /// How often requests are expected to be asked of splits, in no order: of those that they were
    /// asked of lately, and of those that came after that.
    pub(super) fn forecasts(&self, births: &Births, now: u64) -> Vec<Forecast> {
        let mut forecasts = Vec::new();
        let mut known = HashSet::new();
        let newer = births.newer();
        for (key, pair) in &self.pairs {
            if !births.is_served(&key.split) {
                continue;
            }
            let outlook = pair.habit().outlook(now, self.half_life);
            let share = pair.share_after(outlook.so_far);
            // Where nobody tells what is served, nothing is newer than anything.
            let newer = newer.get(&key.split).copied().unwrap_or(0);
            forecasts.push(Forecast {
                split: pair.split.clone(),
                request: Arc::clone(&pair.asked.request),
                identity: key.request,
                expected: outlook.of(newer, share),
                searches: outlook.so_far,
                is_new: false,
            });
            known.insert((key.split.clone(), key.request));
        }
        for (_, habit) in &self.habits {
            let outlook = habit.outlook(now, self.half_life);
            let identity = habit.asked.identity;
            let new = births.since(&habit.folder, outlook.last);
            let new = new.take(outlook.depth);
            let new = new.filter(|split| !known.contains(&(split.path().clone(), identity)));
            forecasts.extend(new.map(|split| Forecast {
                split: split.clone(),
                request: Arc::clone(&habit.asked.request),
                identity,
                expected: outlook.searches * outlook.newest,
                searches: outlook.so_far,
                is_new: true,
            }));
        }
        forecasts
    }
}
