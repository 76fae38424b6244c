//! What is written: what is hot now, and what was read and may not be warm yet.

use std::collections::HashMap;

use bytes::Bytes;
use object_store::path::Path;

use super::codec::{HotSet, PlanKey};
use crate::filter::Fingerprint;
use crate::manager::core::Core;
use crate::manager::heat::Remembered;
use crate::warmup::RequestPlans;

/// Pairs, the hottest first, and the plans of theirs.
pub(super) struct Gathered<'a> {
    pub(super) pairs: Vec<Remembered>,
    pub(super) plans: Plans<'a>,
}

/// Finds the plans of pairs.
pub(super) struct Plans<'a> {
    core: &'a Core,
    merged: Option<&'a HotSet>,
    /// By the identity of the request.
    requests: HashMap<Fingerprint, RequestPlans>,
}

/// Puts what is hot and `merged` together. Of a pair that is in both, the hotter stays; a plan that
/// is known now stands before one that was read.
pub(super) fn gather<'a>(core: &'a Core, merged: Option<&'a HotSet>) -> Gathered<'a> {
    let half_life = core.settings().heat.half_life;
    let (now, oldest) = (core.clock.millis(), core.oldest_hot());
    let heat = |pair: &Remembered| pair.heat.at(now, half_life);
    let mut pairs: HashMap<(Path, Fingerprint), Remembered> = HashMap::new();
    let read = merged.map(|set| set.pairs.iter().cloned());
    for pair in core
        .heat
        .remembered()
        .into_iter()
        .chain(read.into_iter().flatten())
    {
        let key = (pair.split.path().clone(), pair.identity);
        match pairs.get_mut(&key) {
            Some(known) if heat(known) >= heat(&pair) => {}
            Some(known) => *known = pair,
            None => {
                pairs.insert(key, pair);
            }
        }
    }
    let mut pairs: Vec<_> = pairs.into_values().collect();
    pairs.retain(|pair| pair.heat.parts().1 >= oldest);
    pairs.sort_by(|a, b| {
        let by_path = || a.split.path().cmp(b.split.path());
        heat(b)
            .total_cmp(&heat(a))
            .then_with(by_path)
            .then_with(|| a.identity.cmp(&b.identity))
    });
    let plans = Plans {
        core,
        merged,
        requests: HashMap::new(),
    };
    Gathered { pairs, plans }
}

impl Plans<'_> {
    /// The plan of a pair as a row, if there is one that can be kept.
    pub(super) fn of(&mut self, pair: &Remembered) -> Option<(PlanKey, Bytes)> {
        let warmer = &self.core.warmer;
        let request = self.requests.entry(pair.identity);
        // A copy: asking for its plans gives a request a moment.
        let request = request.or_insert_with(|| warmer.plans_of(&(*pair.request).clone()));
        let key = PlanKey {
            split: pair.split.path().clone(),
            fingerprint: request.fingerprint()?,
        };
        let known = request.find(&key.split);
        let row = match known.and_then(|plan| plan.to_bytes().ok()) {
            Some(row) => row.into(),
            None => self.merged?.plans.get(&key)?.clone(),
        };
        Some((key, row))
    }
}
