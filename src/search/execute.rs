use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tantivy::collector::{Collector, SegmentCollector};
use tracing::Instrument;

use super::collect::{Hopeless, SegmentNumbers, collect};
use super::options::{SearchOptions, Warming};
use super::reading::Reading;
use super::report::SearchReport;
use super::response::SearchResponse;
use super::run::{Run, all_read, note_use};
use super::sort::MAX_SORT_KEYS;
use crate::error::{Error, Result};
use crate::filter::{Filter, SearchRequest};
use crate::needs::ProbeCollector;
use crate::split::SplitAddress;
use crate::telemetry::list;
use crate::warmup::{Warmer, Work, shared};

impl Warmer {
    /// Searches splits: joins their warmups, starting those that nobody has, then searches all
    /// segments on the pool, and fetches the documents of the hits in one round.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the request does not fit a split's schema, errors of opening a split,
    /// and those of reads on demand. A warmup that fails is not an error: the search reads on
    /// demand and the report says so.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops its share in the warmups; what runs on the pool runs to its end.
    pub async fn search(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
    ) -> Result<SearchResponse> {
        self.search_with_options(splits, request, &SearchOptions::default())
            .await
    }

    /// [`search`](Self::search) that reads everything on demand: the baseline.
    ///
    /// # Errors
    ///
    /// As [`search`](Self::search).
    ///
    /// # Cancel safety
    ///
    /// As [`search`](Self::search).
    pub async fn search_without_warming(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
    ) -> Result<SearchResponse> {
        let options = SearchOptions::default().with_warming(Warming::Off);
        self.search_with_options(splits, request, &options).await
    }

    /// [`search`](Self::search) with options of its own.
    ///
    /// # Errors
    ///
    /// As [`search`](Self::search).
    ///
    /// # Cancel safety
    ///
    /// As [`search`](Self::search).
    pub async fn search_with_options(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        options: &SearchOptions,
    ) -> Result<SearchResponse> {
        let request = shared(request);
        let work = Work::of_shared(Arc::clone(&request));
        let span = search_span(&work, splits.len());
        let record = span.clone();
        // In place, for the future of a search is large, and to hand it on would move it.
        let search = pin!(async {
            let started = Instant::now();
            request.check_sorts()?;
            let (splits, known) = self.known(splits, &request, &work, options);
            let mut joined = self.joined(&splits, &work, options, started).await?;
            let (asked, run) = (self.asked(request, known), Run::new(self, &work, options));
            let page = asked.page();
            let mut answer = run.answer(&asked, &mut joined, None, page).await?;
            run.complete(&mut answer, &mut joined.report).await?;
            let mut response = run.respond(&asked, answer, joined.report);
            response.took = started.elapsed().as_millis() as u64;
            observe(&response.report, &record);
            Ok(response)
        });
        search.instrument(span).await
    }

    /// Searches splits with any collector of tantivy's or the caller's. Segments are numbered in a
    /// row over all splits, in the order given: that is what addresses in the fruit mean.
    ///
    /// What the collector reads is found by probing it before the search; columns named in
    /// [`SearchOptions::columns`] arrive a round earlier. What it opens only while it collects no
    /// probe can see: the first search reads it late, and what was read then is remembered for
    /// collectors of the same type with the same columns and filter, and warmed from then on.
    ///
    /// # Errors
    ///
    /// As [`search`](Self::search).
    ///
    /// # Cancel safety
    ///
    /// As [`search`](Self::search).
    pub async fn search_with<C>(
        &self,
        splits: &[SplitAddress],
        filter: impl Into<Filter>,
        collector: C,
        options: &SearchOptions,
    ) -> Result<(C::Fruit, SearchReport)>
    where
        C: Collector + 'static,
        <C::Child as SegmentCollector>::Fruit: Send,
    {
        let collector = Arc::new(collector);
        let probe: Arc<dyn ProbeCollector> = Arc::clone(&collector) as _;
        let scored = collector.requires_scoring();
        let kind = std::any::type_name::<C>();
        let columns = options.columns.clone();
        let work = Work::of_collector(filter.into(), scored, columns, probe, kind);
        let span = search_span(&work, splits.len());
        let record = span.clone();
        let search = pin!(async {
            let joined = self.joined(splits, &work, options, Instant::now()).await?;
            let run = Run::new(self, &work, options);
            let fruit = run.part(&joined.splits, move |splits, scope, late| {
                let numbers = SegmentNumbers::of(splits);
                let reading = Reading::Scoped(Arc::clone(scope));
                let fruit = collect(splits, &numbers, &*collector, Hopeless::Seen, &reading)?;
                note_use(splits);
                all_read(late).map(|()| fruit)
            });
            let (fruit, planned) = fruit.await?;
            let mut report = joined.report;
            report.planned_splits = planned;
            report.search_us = micros(joined.at.elapsed());
            run.settle(&joined.splits, &mut report);
            report.late_reads = run.late.count();
            report.then(run.late.traffic());
            self.count_reads(&run.late);
            observe(&report, &record);
            Ok((fruit, report))
        });
        search.instrument(span).await
    }
}

impl SearchRequest {
    /// [`validate`](Self::validate), and that there are not more keys to sort by than searches
    /// carry.
    pub(super) fn check_sorts(&self) -> Result<()> {
        self.validate()?;
        if self.sorts().len() > MAX_SORT_KEYS {
            return Err(Error::invalid(format!(
                "sort: {} keys, more than {MAX_SORT_KEYS}",
                self.sorts().len()
            )));
        }
        Ok(())
    }
}

pub(super) fn search_span(work: &Work, splits: usize) -> tracing::Span {
    tracing::info_span!(
        "search", fingerprint = %work.fingerprint(), splits, gets = tracing::field::Empty,
        bytes = tracing::field::Empty, rounds = tracing::field::Empty,
        late_reads = tracing::field::Empty, outcome = tracing::field::Empty
    )
}

pub(super) fn observe(report: &SearchReport, span: &tracing::Span) {
    span.record("gets", report.gets)
        .record("bytes", report.bytes);
    span.record("rounds", report.rounds)
        .record("late_reads", report.late_reads);
    span.record("outcome", report.outcome);
    list::GIVEN_UP_SPLITS.add(report.given_up_splits as u64);
    list::SEARCHES.add_of(report.outcome, 1);
    list::SEARCH_SECONDS.record(Duration::from_micros(report.search_us));
    list::JOIN_SECONDS.record(Duration::from_micros(report.join_us));
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
