use std::sync::Arc;

use tantivy::aggregation::AggregationLimitsGuard;

use super::answer::{Answer, Asked};
use super::documents::Way;
use super::execute::micros;
use super::gathered::{Gathered, Place};
use super::joined::Joined;
use super::known::Known;
use super::options::{SearchOptions, Warming};
use super::page::Page;
use super::prepared::Prepared;
use super::reading::Reading;
use super::report::SearchReport;
use crate::directory::{LateReads, OnMiss, ReadScope, Reads};
use crate::error::{Error, Result};
use crate::filter::SearchRequest;
use crate::pool;
use crate::warmup::{Warmer, Work};

/// A search whose parts run on the pool, in scopes that read from the leases of its splits.
pub(super) struct Run<'a> {
    pub(super) warmer: &'a Warmer,
    pub(super) work: &'a Work,
    pub(super) options: &'a SearchOptions,
    /// What all parts read late.
    pub(super) late: Arc<LateReads>,
    /// What all parts read, where that is recorded.
    reads: Option<Arc<Reads>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(warmer: &'a Warmer, work: &'a Work, options: &'a SearchOptions) -> Self {
        Self {
            warmer,
            work,
            options,
            late: Arc::default(),
            reads: options.record_reads.then(Arc::default),
        }
    }

    /// Runs one part. Answers also how many of the splits were warmed by plans that were known.
    pub(super) async fn part<T: Send + 'static>(
        &self,
        splits: &Gathered,
        search: impl FnOnce(&[Prepared], &Arc<ReadScope>, &LateReads) -> Result<T> + Send + 'static,
    ) -> Result<(T, usize)> {
        let (gathered, work) = (splits.clone(), self.work.clone());
        let (limits, on_miss) = (self.warmer.settings().expansion, self.on_miss());
        let (late, reads) = (Arc::clone(&self.late), self.reads.clone());
        let result = pool::run(self.warmer.pool(), move || {
            let splits = gathered.prepared(&work, &limits)?;
            let lease = |split: &Prepared| {
                let lease = &split.warmed()?.lease;
                Some((split.split().id(), Arc::clone(lease)))
            };
            let leases = splits.iter().filter_map(lease).collect();
            let scope = ReadScope::search(leases, on_miss, Arc::clone(&late)).recording(reads);
            let found = search(&splits, &scope, &late)?;
            let planned = splits.iter().filter(|split| split.is_planned()).count();
            Ok((found, planned))
        });
        match result.await {
            Ok(found) => Ok(found),
            Err(error) => {
                self.learn(splits);
                Err(Box::pin(self.failed(splits, error)).await)
            }
        }
    }

    /// Searches splits and adds what they answer to a page.
    pub(super) async fn search(
        &self,
        asked: &Asked,
        splits: &Arc<[Prepared<'static>]>,
        mut page: Page,
    ) -> Result<Page> {
        let (asked, splits) = (asked.clone(), Gathered::Prepared(Arc::clone(splits)));
        let searched = self.part(&splits, move |splits, scope, late| {
            asked.search(splits, &mut page, &Reading::Scoped(Arc::clone(scope)))?;
            all_read(late).map(|()| page)
        });
        searched.await.map(|(page, _)| page)
    }

    /// Searches the splits that were joined, or the `rest` of them, and makes the answer.
    pub(super) async fn answer(
        &self,
        asked: &Asked,
        joined: &mut Joined,
        rest: Option<Arc<[Prepared<'static>]>>,
        mut page: Page,
    ) -> Result<Box<Answer>> {
        let searched = asked.clone();
        let warming = self.options.warming;
        let answer = self.part(&joined.splits, move |splits, scope, late| {
            let way = match warming {
                Warming::Off => Way::OnDemand(Reading::Scoped(scope.without_leases())),
                Warming::JoinOnly | Warming::Start => Way::InMemory,
            };
            let reading = Reading::Scoped(Arc::clone(scope));
            let rest = rest.as_deref().unwrap_or(splits);
            searched.search(rest, &mut page, &reading)?;
            let answer = searched.answer(splits, page, &reading, way, || all_read(late));
            note_use(splits);
            answer
        });
        let (answer, planned) = answer.await?;
        let documents = micros(answer.reading_documents);
        let report = &mut joined.report;
        report.search_us += micros(joined.at.elapsed()).saturating_sub(documents);
        report.fetch_docs_us = documents;
        report.planned_splits = planned;
        self.settle(&joined.splits, report);
        self.warmer
            .remember_counts(self.work, asked, &joined.splits, &answer);
        Ok(answer)
    }

    /// Takes note of what was read, and of what was read late though splits were warmed.
    pub(super) fn settle(&self, splits: &Gathered, report: &mut SearchReport) {
        report.read_bytes = self.reads.as_ref().map(|reads| reads.bytes());
        report.plan_misses = self.learn(splits);
    }

    /// Remembers what was read late; answers how many reads plans lacked.
    fn learn(&self, splits: &Gathered) -> u64 {
        let mut plan_misses = 0;
        if self.late.count() == 0 {
            return plan_misses;
        }
        for Place { split, warmed, .. } in splits.places() {
            // Without a warmup everything is read late, which teaches nothing.
            let Some(warmed) = warmed else {
                continue;
            };
            let plan = warmed.plan.as_deref().filter(|_| warmed.is_planned());
            let ranges = self.late.ranges(split.id());
            plan_misses += plan.map_or(0, |_| ranges.len() as u64);
            self.warmer.learn(&split, self.work, plan, ranges);
        }
        plan_misses
    }

    /// What to tell of a search that failed: tantivy tells a failed read in many ways, and the
    /// first one itself says most. Splits that were replaced are forgotten.
    async fn failed(&self, splits: &Gathered, error: Error) -> Error {
        self.warmer.count_reads(&self.late);
        let error = self.late.failure().cloned().unwrap_or(error);
        for Place { split, .. } in splits.places() {
            let address = split.address();
            let _ = self
                .warmer
                .forget_if_changed::<()>(&address, Err(error.clone()))
                .await;
        }
        error
    }

    pub(super) fn on_miss(&self) -> OnMiss {
        let settings = self.warmer.settings();
        self.options.on_miss.unwrap_or(settings.on_miss)
    }
}

impl Warmer {
    /// What a request asks, with fresh limits.
    pub(super) fn asked(&self, request: Arc<SearchRequest>, known: Known) -> Asked {
        let settings = self.settings();
        let (bytes, buckets) = (settings.aggregation_bytes, settings.aggregation_buckets);
        Asked {
            request,
            limits: AggregationLimitsGuard::new(Some(bytes), Some(buckets)),
            buckets,
            known,
        }
    }
}

/// A reader that took a failed read for an empty one has not answered.
pub(super) fn all_read(late: &LateReads) -> Result<()> {
    late.failure().cloned().map_or(Ok(()), Err)
}

/// Tells the cache that what was warmed of these splits was searched.
pub(super) fn note_use(splits: &[Prepared]) {
    let warmed = splits.iter().filter_map(Prepared::warmed);
    warmed.for_each(|warmed| warmed.count_search());
}
