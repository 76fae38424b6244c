//! What is loaded and saved at once, and how batches come together.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use object_store::path::Path;

use crate::filter::Fingerprint;
use crate::plan::absences::Absence;
use crate::plan::{AbsenceEntry, PlanEntry};

/// Rows of a plan store: plans by split and fingerprint, and absences.
///
/// ```
/// use forewarm::PlanBatch;
///
/// let mut batch = PlanBatch::default();
/// batch.rejected += 1;
/// assert!(batch.is_empty());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PlanBatch {
    /// Plans and counts of matches, at most one row of each split and fingerprint.
    pub plans: Vec<Arc<PlanEntry>>,
    /// What splits were found not to hold.
    pub absences: Vec<AbsenceEntry>,
    /// How many packs or rows were passed over while loading, because they could not be read or
    /// another version wrote them. Means nothing when saving.
    pub rejected: u64,
}

impl PlanBatch {
    /// How many plans and absences there are.
    pub fn len(&self) -> usize {
        self.plans.len() + self.absences.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Batches put together: of a key that several have, the row that was used last stays, completed by
/// the others.
#[derive(Default)]
pub(super) struct Union {
    plans: HashMap<(Path, Fingerprint), Arc<PlanEntry>>,
    /// With the last time each was found.
    absences: HashMap<Absence, u64>,
    rejected: u64,
}

impl Union {
    /// Adds a batch that was written later than those added before.
    pub(super) fn add(&mut self, batch: PlanBatch) {
        for plan in batch.plans {
            let key = (plan.split().clone(), plan.fingerprint());
            match self.plans.get_mut(&key) {
                Some(known) => {
                    let (later, earlier) = if known.age() > plan.age() {
                        (Arc::clone(known), plan)
                    } else {
                        (plan, Arc::clone(known))
                    };
                    *known = later.completed(&earlier);
                }
                None => {
                    self.plans.insert(key, plan);
                }
            }
        }
        for AbsenceEntry { absence, found } in batch.absences {
            let known = self.absences.entry(absence).or_default();
            *known = found.max(*known);
        }
        self.rejected += batch.rejected;
    }

    /// What was used or found last between two times, the latest first.
    pub(super) fn between(self, oldest: u64, latest: u64) -> PlanBatch {
        let is_between = |used: u64| (oldest..=latest).contains(&used);
        let plans = self.plans.into_values();
        let mut plans: Vec<_> = plans.filter(|plan| is_between(plan.last_used)).collect();
        let key = |plan: &PlanEntry| (Reverse(plan.last_used), plan.fingerprint());
        plans.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.split().cmp(b.split())));
        let absences = self.absences.into_iter();
        let mut absences: Vec<_> = absences
            .filter(|(_, found)| is_between(*found))
            .map(|(absence, found)| AbsenceEntry::new(absence, found))
            .collect();
        absences.sort_by_key(|absence| Reverse(absence.found));
        PlanBatch {
            plans,
            absences,
            rejected: self.rejected,
        }
    }
}
