//! What a warmer has of its plan store.

use std::sync::Arc;

use object_store::path::Path;
use serde::Serialize;

use super::warmer::Warmer;
use super::work::Work;
use crate::clock::Clock;
use crate::error::Result;
use crate::filter::{Fingerprint, SearchRequest};
use crate::plan::{KnownPlans, PlanEntry, Planned};
use crate::pool;
use crate::telemetry::list;

/// What was loaded from a plan store. See [`WarmerBuilder::plan_store`](crate::WarmerBuilder::plan_store).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlanLoad {
    /// Plans. More than fit into [`plan_bytes`](crate::CacheSettings::plan_bytes) are not kept.
    pub plans: u64,
    /// Proven absences.
    pub absences: u64,
    /// Packs or rows that were passed over: torn, changed, or of another version of forewarm or
    /// tantivy. A warning names each.
    pub rejected: u64,
}

/// Finds the plans of one request in any split.
pub(crate) struct RequestPlans {
    plans: Arc<KnownPlans>,
    planned: Option<Planned>,
}

impl RequestPlans {
    /// What its plans are known by; nothing where nobody can ask for the same again.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.planned.as_ref().map(|planned| planned.fingerprint)
    }

    /// The plan that is known in `split`.
    pub(crate) fn find(&self, split: &Path) -> Option<Arc<PlanEntry>> {
        self.plans.find(split, self.planned.as_ref()?)
    }
}

impl Warmer {
    /// The plans of a request, as far as they are known.
    pub(crate) fn plans_of(&self, request: &SearchRequest) -> RequestPlans {
        let work = Work::of_request(request);
        RequestPlans {
            plans: Arc::clone(&self.inner.planner.plans),
            planned: work.planned(&self.settings().expansion).cloned(),
        }
    }

    /// Takes over everything that the plan store holds, so that warmups of what any node has
    /// searched before are one round. Nothing when there is no
    /// [plan store](crate::WarmerBuilder::plan_store).
    ///
    /// Call it before the first search, or beside it: what is loaded is used from then on.
    ///
    /// # Errors
    ///
    /// Those of the store when it cannot be reached. That is a cold start and no more: searches go
    /// on without. What cannot be read is no error, and counted in
    /// [`rejected`](PlanLoad::rejected).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loads nothing, or, at the very end, everything.
    pub async fn load_plans(&self) -> Result<PlanLoad> {
        let Some(writer) = &self.inner.writer else {
            return Ok(PlanLoad::default());
        };
        let store = writer.store();
        let mut batch = store.load().await?;
        let max_age = store.settings().max_age.as_secs();
        let oldest = Clock::system().seconds().saturating_sub(max_age);
        batch.plans.retain(|plan| plan.last_used() >= oldest);
        batch.absences.retain(|absence| absence.found() >= oldest);
        let load = PlanLoad {
            plans: batch.plans.len() as u64,
            absences: batch.absences.len() as u64,
            rejected: batch.rejected,
        };
        list::PLAN_STORE_LOADED.add(load.plans + load.absences);
        let (plans, absences) = (
            Arc::clone(&self.inner.planner.plans),
            self.inner.planner.absences.clone(),
        );
        pool::run(self.pool(), move || {
            batch.plans.into_iter().for_each(|plan| plans.add(plan));
            absences.add(batch.absences);
            Ok(())
        })
        .await?;
        tracing::info!(?load, "plans were loaded");
        Ok(load)
    }

    /// Writes to the plan store what it does not have yet: before the process ends.
    ///
    /// # Errors
    ///
    /// Those of the store. What was not written is tried again.
    ///
    /// # Cancel safety
    ///
    /// What was not written is tried again.
    pub async fn flush_plans(&self) -> Result<()> {
        match &self.inner.writer {
            Some(writer) => writer.flush().await,
            None => Ok(()),
        }
    }
}
