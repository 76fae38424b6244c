//! A search on the pool, in a scope that reads from the leases.

use std::sync::Arc;
use std::time::Instant;

use tantivy::aggregation::AggregationLimitsGuard;

use super::answer::{Answer, Asked};
use super::collect::Prepared;
use super::documents::Way;
use super::execute::micros;
use super::joined::Joined;
use super::options::{SearchOptions, Warming};
use super::reading::Reading;
use crate::directory::{LateReads, OnMiss, ReadScope, Reads};
use crate::error::{Error, Result};
use crate::filter::SearchRequest;
use crate::pool;
use crate::warmup::{Warmer, Work};

impl Warmer {
    /// Runs a search on the pool, in a scope that reads from the leases.
    pub(super) async fn run_search<T: Send + 'static>(
        &self,
        mut joined: Joined,
        work: &Work,
        options: &SearchOptions,
        search: impl FnOnce(&[Prepared], &Arc<ReadScope>, &LateReads) -> Result<T> + Send + 'static,
    ) -> Result<(T, Joined, Arc<LateReads>)> {
        let started = Instant::now();
        let late = Arc::new(LateReads::default());
        let leases = joined
            .splits
            .iter()
            .filter_map(|split| {
                let lease = &split.warmed.as_ref()?.lease;
                Some((split.split.id(), Arc::clone(lease)))
            })
            .collect();
        let reads = options.record_reads.then(Arc::<Reads>::default);
        let scope = ReadScope::search(leases, self.on_miss(options), Arc::clone(&late))
            .recording(reads.clone());
        let (splits, counts) = (Arc::clone(&joined.splits), Arc::clone(&late));
        let result = pool::run(self.pool(), move || search(&splits, &scope, &counts)).await;
        joined.report.read_bytes = reads.map(|reads| reads.bytes());
        joined.report.search_us = micros(started.elapsed());
        let splits = Arc::clone(&joined.splits);
        for split in &*splits {
            // Without a warmup everything is read late, which teaches nothing.
            let Some(warmed) = &split.warmed else {
                continue;
            };
            let plan = warmed.plan.as_deref().filter(|_| warmed.replayed);
            joined.report.planned_splits += usize::from(plan.is_some());
            if late.count() > 0 {
                let ranges = late.ranges(split.split.id());
                joined.report.plan_misses += plan.map_or(0, |_| ranges.len() as u64);
                self.learn(&split.split, work, plan, ranges);
            }
        }
        match result {
            Ok(found) => Ok((found, joined, late)),
            Err(error) => Err(self.failed(&joined, &late, error).await),
        }
    }

    /// What to tell of a search that failed: tantivy tells a failed read in many ways, and the
    /// first one itself says most. Splits that were replaced are forgotten.
    async fn failed(&self, joined: &Joined, late: &LateReads, error: Error) -> Error {
        self.count_late_reads(late.count());
        let error = late.failure().cloned().unwrap_or(error);
        for split in &*joined.splits {
            let address = split.split.address();
            let _ = self
                .forget_if_changed::<()>(&address, Err(error.clone()))
                .await;
        }
        error
    }

    /// A request and its splits, with fresh limits.
    pub(super) fn asked(&self, request: &SearchRequest, splits: Arc<[Prepared]>) -> Asked {
        let settings = self.settings();
        let (bytes, buckets) = (settings.aggregation_bytes, settings.aggregation_buckets);
        Asked {
            request: Arc::new(request.clone()),
            splits,
            limits: AggregationLimitsGuard::new(Some(bytes), Some(buckets)),
            buckets,
        }
    }

    /// Runs a request on the pool.
    pub(super) async fn answer(
        &self,
        joined: Joined,
        work: &Work,
        asked: &Asked,
        options: &SearchOptions,
    ) -> Result<(Answer, Joined, Arc<LateReads>)> {
        let asked = asked.clone();
        let warming = options.warming;
        let (answer, mut joined, late) = self
            .run_search(joined, work, options, move |_, scope, late| {
                let way = match warming {
                    Warming::Off => Way::OnDemand(Reading::Scoped(scope.without_leases())),
                    Warming::JoinOnly | Warming::Start => Way::InMemory,
                };
                asked.answer(&Reading::Scoped(Arc::clone(scope)), way, || all_read(late))
            })
            .await?;
        let documents = micros(answer.reading_documents);
        joined.report.search_us = joined.report.search_us.saturating_sub(documents);
        joined.report.fetch_docs_us = documents;
        Ok((answer, joined, late))
    }

    pub(super) fn on_miss(&self, options: &SearchOptions) -> OnMiss {
        options.on_miss.unwrap_or(self.settings().on_miss)
    }
}

/// A reader that took a failed read for an empty one has not answered.
pub(super) fn all_read(late: &LateReads) -> Result<()> {
    late.failure().cloned().map_or(Ok(()), Err)
}
