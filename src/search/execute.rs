use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tantivy::aggregation::AggregationLimitsGuard;
use tantivy::collector::{Collector, SegmentCollector};
use tracing::Instrument;

use super::answer::{Answer, Asked};
use super::collect::{Hopeless, Prepared, collect};
use super::documents::Way;
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
use crate::store::{Traffic, TrafficCounter, in_time};
use crate::warmup::{Compiled, Outcome, Warmed, Warmer, Warmup, Work};

/// Splits that have been joined, or opened when there was nothing to join.
pub(super) struct Joined {
    pub(super) splits: Arc<[Prepared]>,
    pub(super) report: SearchReport,
    /// Held until the search ends: a warmup that is late goes on meanwhile, and the search shares
    /// what it fetches.
    _warmups: Vec<Warmup>,
}

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

    /// Joins or starts warmups, and opens splits that have none.
    async fn joined(
        &self,
        splits: &[SplitAddress],
        work: &Work,
        options: &SearchOptions,
    ) -> Result<Joined> {
        let started = Instant::now();
        let patience = options
            .join_deadline
            .unwrap_or(self.settings().join_deadline);
        let deadline = in_time(patience);
        let warmups: Vec<_> = match options.warming {
            Warming::JoinOnly => {
                let find = |split| self.find(split, work.fingerprint());
                let found = splits.iter().map(find);
                found.map(|it| it.map(|warmup| (warmup, false))).collect()
            }
            Warming::Off => splits.iter().map(|_| None).collect(),
            Warming::Start => {
                let warmups = self.warm_works(splits, work).into_iter();
                warmups.map(Some).collect()
            }
        };
        let mut seen = Seen::new(splits.len());
        // They all run by themselves, so it is as well to wait for one after another.
        for warmup in &warmups {
            match warmup {
                Some((warmup, started)) => {
                    let (outcome, warmed) = warmup.wait(deadline).await;
                    seen.add(outcome, warmed, *started);
                }
                None => seen.add(Outcome::Missing, None, false),
            }
        }
        let waited = started.elapsed();
        let mut report = SearchReport::new(splits.len(), &seen.outcome);
        report.then(seen.traffic);
        let (prepared, opened, opening) = self.prepared(splits, seen.warmed, work).await?;
        report.then(opened);
        report.probe_rounds = seen.probe_rounds;
        report.open_us = micros(seen.opening.max(opening));
        report.warmup_us = micros(seen.warming);
        report.join_us = micros(waited);
        Ok(Joined {
            splits: prepared.into(),
            report,
            _warmups: warmups
                .into_iter()
                .flatten()
                .map(|(warmup, _)| warmup)
                .collect(),
        })
    }

    /// What a search needs of all splits; what opening those cost that were not warmed, and how
    /// long it took.
    async fn prepared(
        &self,
        splits: &[SplitAddress],
        warmed: Vec<Option<Arc<Warmed>>>,
        work: &Work,
    ) -> Result<(Vec<Prepared>, Traffic, Duration)> {
        let mut same = SameFilter::new(work);
        let mut prepared = Vec::with_capacity(splits.len());
        let mut rest = Vec::new();
        for (warmed, address) in warmed.into_iter().zip(splits) {
            match warmed {
                Some(warmed) if same.is(&warmed) => prepared.push(Some(Prepared::of(warmed))),
                warmed => {
                    prepared.push(None);
                    rest.push(self.prepare(address, warmed, work));
                }
            }
        }
        let mut opened = Traffic::default();
        let mut opening = Duration::ZERO;
        let rest = try_join_all(rest).await?.into_iter();
        let mut rest = rest.map(|(split, spent, took)| {
            opened = opened.beside(spent);
            opening = opening.max(took);
            split
        });
        let prepared = prepared.into_iter();
        let prepared = prepared.filter_map(|ready| ready.or_else(|| rest.next()));
        Ok((prepared.collect(), opened, opening))
    }

    /// What a search needs of a split whose warmup compiled another filter, or that has none.
    async fn prepare(
        &self,
        address: &SplitAddress,
        warmed: Option<Arc<Warmed>>,
        work: &Work,
    ) -> Result<(Prepared, Traffic, Duration)> {
        let started = Instant::now();
        let traffic = TrafficCounter::default();
        let split = match &warmed {
            Some(warmed) => Arc::clone(&warmed.split),
            None => self.open_counted(address, &traffic).await?,
        };
        let opening = match warmed {
            Some(_) => Duration::ZERO,
            None => started.elapsed(),
        };
        // It may read the same as its warmup, but score and name otherwise.
        let limits = &self.settings().expansion;
        let Compiled { query, extras } = work.compiled(&split, limits, self.pool()).await?;
        let hopeless = warmed.as_ref().map(|warmed| Arc::clone(&warmed.hopeless));
        let prepared = Prepared {
            split,
            query,
            extras,
            hopeless: hopeless.unwrap_or_default(),
            warmed,
        };
        Ok((prepared, traffic.snapshot(), opening))
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
        let (warmer, splits, how) = (self.clone(), splits.to_vec(), self.how(options));
        let asked = Arc::new(request.clone());
        let named = pool::run(self.pool(), move || {
            let work = Work::of_shared(Arc::clone(&asked));
            let joined = warmer.joined_now(&splits, &work);
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

    /// [Joins](Self::joined) where nothing has to be started, waited for or compiled.
    fn joined_now(&self, splits: &[SplitAddress], work: &Work) -> Option<Joined> {
        let started = Instant::now();
        let mut same = SameFilter::new(work);
        let mut prepared = Vec::with_capacity(splits.len());
        let mut warmups = Vec::with_capacity(splits.len());
        for split in splits {
            let warmup = self.find(split, work.fingerprint())?;
            let warmed = warmup.warmed().filter(|warmed| same.is(warmed))?;
            prepared.push(Prepared::of(warmed));
            warmups.push(warmup);
        }
        warmups
            .iter()
            .for_each(|warmup| warmup.observe(&Outcome::Ready));
        let mut report = SearchReport::new(splits.len(), &Outcome::Ready);
        report.join_us = micros(started.elapsed());
        Some(Joined {
            splits: prepared.into(),
            report,
            _warmups: warmups,
        })
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

/// What joining saw of all splits.
struct Seen {
    outcome: Outcome,
    warmed: Vec<Option<Arc<Warmed>>>,
    traffic: Traffic,
    probe_rounds: u64,
    opening: Duration,
    warming: Duration,
}

impl Seen {
    fn new(splits: usize) -> Self {
        Self {
            outcome: Outcome::Ready,
            warmed: Vec::with_capacity(splits),
            traffic: Traffic::default(),
            probe_rounds: 0,
            opening: Duration::ZERO,
            warming: Duration::ZERO,
        }
    }

    /// Adds a split; what its warmup cost counts for the search that started it.
    fn add(&mut self, outcome: Outcome, warmed: Option<Arc<Warmed>>, started: bool) {
        let so_far = std::mem::replace(&mut self.outcome, Outcome::Ready);
        self.outcome = so_far.worse(outcome);
        if let Some(warmed) = warmed.as_ref().filter(|_| started) {
            self.traffic = self.traffic.beside(warmed.traffic);
            self.opening = self.opening.max(warmed.opening);
            self.warming = self.warming.max(warmed.warming);
            self.probe_rounds = self.probe_rounds.max(warmed.probe_rounds);
        }
        self.warmed.push(warmed);
    }
}

/// Compares the filters of warmups with that of a search: those that one request has warmed have
/// clones of one filter, which is compared once.
struct SameFilter<'a> {
    work: &'a Work,
    known: Option<(Filter, bool)>,
}

impl<'a> SameFilter<'a> {
    fn new(work: &'a Work) -> Self {
        Self { work, known: None }
    }

    fn is(&mut self, warmed: &Warmed) -> bool {
        match &self.known {
            Some((filter, same)) if filter.is_clone_of(&warmed.filter) => *same,
            _ => {
                let same = warmed.filter.is_same(self.work.filter());
                self.known = Some((warmed.filter.clone(), same));
                same
            }
        }
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
