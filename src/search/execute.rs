use std::sync::Arc;
use std::time::{Duration, Instant};

use tantivy::aggregation::AggregationLimitsGuard;
use tantivy::collector::{Collector, SegmentCollector};
use tracing::Instrument;

use super::answer::{Answer, Asked};
use super::collect::{Hopeless, Prepared, collect};
use super::documents::Way;
use super::join::Joined;
use super::options::{SearchOptions, Warming};
use super::reading::Reading;
use super::report::SearchReport;
use super::response::SearchResponse;
use super::sort::MAX_SORT_KEYS;
use crate::directory::{LateReads, OnMiss, ReadScope, Reads};
use crate::error::{Error, Result};
use crate::filter::{Filter, SearchRequest};
use crate::needs::ProbeCollector;
use crate::pool;
use crate::split::SplitAddress;
use crate::warmup::{Warmer, Work};

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
        let span = search_span(splits.len());
        let record = span.clone();
        let search = async {
            let started = Instant::now();
            request.check_sorts()?;
            let (work, now) = self.search_now(splits, request, options).await?;
            record.record("fingerprint", tracing::field::display(work.fingerprint()));
            let (asked, answered) = match now {
                Some(answered) => answered,
                None => {
                    let joined = self.joined(splits, &work, options).await?;
                    self.answer(joined, request, options).await?
                }
            };
            let (answer, joined, late) = self.ended(answered, &work).await?;
            let response = self.respond(&asked, &work, joined, answer, &late, options);
            let mut response = response.await?;
            response.took = started.elapsed().as_millis() as u64;
            self.count_late_reads(response.report.late_reads);
            observe(&response.report, &record);
            Ok(response)
        };
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
        let span = search_span(splits.len());
        span.record("fingerprint", tracing::field::display(work.fingerprint()));
        let record = span.clone();
        let search = async {
            let joined = self.joined(splits, &work, options).await?;
            let how = self.how(options);
            let ran = pool::run(self.pool(), move || {
                Ok(how.run(joined, |splits, scope, late| {
                    let reading = Reading::Scoped(Arc::clone(scope));
                    let fruit = collect(splits, &*collector, Hopeless::Seen, &reading)?;
                    all_read(late).map(|()| fruit)
                }))
            });
            let (fruit, joined, late) = self.ended(ran.await?, &work).await?;
            let mut report = joined.report;
            report.late_reads = late.count();
            report.then(late.traffic());
            self.count_late_reads(report.late_reads);
            observe(&report, &record);
            Ok((fruit, report))
        };
        search.instrument(span).await
    }

    /// Looks after what a run on the pool leaves behind: what was read late is learnt.
    async fn ended<T>(&self, ran: Ran<T>, work: &Work) -> Result<(T, Joined, Arc<LateReads>)> {
        let Ran {
            mut joined,
            late,
            result,
        } = ran;
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
    pub(super) fn asked(&self, request: Arc<SearchRequest>, splits: Arc<[Prepared]>) -> Asked {
        let settings = self.settings();
        let (bytes, buckets) = (settings.aggregation_bytes, settings.aggregation_buckets);
        Asked {
            request,
            splits,
            limits: AggregationLimitsGuard::new(Some(bytes), Some(buckets)),
            buckets,
        }
    }

    /// Names a request and, where all of it is warm, runs it: on the pool, for a long request takes
    /// long to be named, and in one go, for the shortest searches take no longer than waking a
    /// thread.
    async fn search_now(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        options: &SearchOptions,
    ) -> Result<(Work, Option<(Asked, Ran<Answer>)>)> {
        if options.warming == Warming::Off {
            return Ok((Work::of_request(request), None));
        }
        // Before it is cloned: whoever asks the same request again means the same moment.
        request.moment();
        let paths: Vec<_> = splits.iter().map(|split| split.path().clone()).collect();
        let (warmer, how) = (self.clone(), self.how(options));
        let asked = Arc::new(request.clone());
        let named = pool::run(self.pool(), move || {
            let work = Work::of_shared(Arc::clone(&asked));
            let joined = warmer.joined_now(paths, &work);
            let ran = joined.map(|joined| {
                let asked = warmer.asked(asked, Arc::clone(&joined.splits));
                let ran = how.answer(joined, &asked, Warming::Start);
                (asked, ran)
            });
            Ok((work, ran))
        });
        let (work, ran) = named.await?;
        // Nobody has to name it again.
        let _ = request.fingerprint.set(work.fingerprint());
        Ok((work, ran))
    }

    /// Runs a request on the pool.
    async fn answer(
        &self,
        joined: Joined,
        request: &SearchRequest,
        options: &SearchOptions,
    ) -> Result<(Asked, Ran<Answer>)> {
        let asked = self.asked(Arc::new(request.clone()), Arc::clone(&joined.splits));
        let (how, warming) = (self.how(options), options.warming);
        let answered = pool::run(self.pool(), move || {
            let ran = how.answer(joined, &asked, warming);
            Ok((asked, ran))
        });
        answered.await
    }

    fn how(&self, options: &SearchOptions) -> How {
        How {
            on_miss: self.on_miss(options),
            record_reads: options.record_reads,
        }
    }

    pub(super) fn on_miss(&self, options: &SearchOptions) -> OnMiss {
        options.on_miss.unwrap_or(self.settings().on_miss)
    }
}

/// How a search reads.
#[derive(Clone, Copy)]
struct How {
    on_miss: OnMiss,
    record_reads: bool,
}

/// A search that has run.
struct Ran<T> {
    joined: Joined,
    late: Arc<LateReads>,
    result: Result<T>,
}

impl How {
    /// Searches on this thread, which is one of the pool's, in a scope that reads from the leases.
    fn run<T>(
        self,
        mut joined: Joined,
        search: impl FnOnce(&[Prepared], &Arc<ReadScope>, &LateReads) -> Result<T>,
    ) -> Ran<T> {
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
        let reads = self.record_reads.then(Arc::<Reads>::default);
        let scope =
            ReadScope::search(leases, self.on_miss, Arc::clone(&late)).recording(reads.clone());
        let result = pool::guarded(|| search(&joined.splits, &scope, &late)).flatten();
        joined.report.read_bytes = reads.map(|reads| reads.bytes());
        joined.report.search_us = micros(started.elapsed());
        Ran {
            joined,
            late,
            result,
        }
    }

    /// Runs a request.
    fn answer(self, joined: Joined, asked: &Asked, warming: Warming) -> Ran<Answer> {
        let mut ran = self.run(joined, |_, scope, late| {
            let way = match warming {
                Warming::Off => Way::OnDemand(Reading::Scoped(scope.without_leases())),
                Warming::JoinOnly | Warming::Start => Way::InMemory,
            };
            asked.answer(&Reading::Scoped(Arc::clone(scope)), way, || all_read(late))
        });
        if let Ok(answer) = &ran.result {
            let documents = micros(answer.reading_documents);
            let report = &mut ran.joined.report;
            report.search_us = report.search_us.saturating_sub(documents);
            report.fetch_docs_us = documents;
        }
        ran
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

/// A reader that took a failed read for an empty one has not answered.
fn all_read(late: &LateReads) -> Result<()> {
    late.failure().cloned().map_or(Ok(()), Err)
}

fn search_span(splits: usize) -> tracing::Span {
    tracing::info_span!(
        "search",
        fingerprint = tracing::field::Empty,
        splits,
        gets = tracing::field::Empty,
        bytes = tracing::field::Empty,
        rounds = tracing::field::Empty,
        late_reads = tracing::field::Empty,
        outcome = tracing::field::Empty
    )
}

fn observe(report: &SearchReport, span: &tracing::Span) {
    span.record("gets", report.gets)
        .record("bytes", report.bytes);
    span.record("rounds", report.rounds)
        .record("late_reads", report.late_reads);
    span.record("outcome", report.outcome);
    metrics::counter!("forewarm_searches_total", "outcome" => report.outcome).increment(1);
    metrics::histogram!("forewarm_search_seconds").record(report.search_us as f64 / 1e6);
    metrics::histogram!("forewarm_join_seconds").record(report.join_us as f64 / 1e6);
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
