use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use object_store::path::Path;
use rayon::ThreadPool;
use tokio::runtime::Handle;
use tracing::Instrument;

use super::builder::WarmerBuilder;
use super::learned::Learned;
use super::outcome::Outcome;
use super::registry::Registry;
use super::settings::WarmerSettings;
use super::start::Start;
use super::task::{Task, Warmup, WarmupKey};
use super::warmed::Warmed;
use super::work::Work;
use crate::cache::ExtentCache;
use crate::directory::{LateReads, OnMiss, ReadScope};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Fingerprint, PastLimit, SearchRequest};
use crate::plan::{Depth, Explanation, PlanEntry, PlanWriter, Planner, resolve};
use crate::pool;
use crate::split::{Opener, Split, SplitAddress, SplitLayout};
use crate::store::{Origin, Priority, TrafficCounter};
use crate::telemetry::list;

/// Warms splits and searches them: holds the store, the cache, the runtime that fetches and the
/// pool that computes. Clones are cheap and share everything.
///
/// The crate's first page has an example that runs.
#[derive(Clone)]
pub struct Warmer {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) settings: WarmerSettings,
    pub(super) cache: ExtentCache,
    pub(super) opener: Opener,
    pub(super) registry: Arc<Registry>,
    pub(super) learned: Learned,
    pub(super) runtime: Handle,
    pub(super) planner: Planner,
    pub(super) search_hits: AtomicU64,
    pub(super) late_reads: AtomicU64,
    /// Writes to the plan store, when there is one.
    pub(super) writer: Option<Arc<PlanWriter>>,
}

impl Warmer {
    /// Begins a warmer over `store`.
    pub fn builder(store: Arc<dyn ObjectStore>) -> WarmerBuilder {
        WarmerBuilder::new(store)
    }

    /// The settings it was built with.
    pub fn settings(&self) -> &WarmerSettings {
        &self.inner.settings
    }

    /// Opens a split, or finds it open.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Corrupt`, `Unsupported` when the split has the other kind of dictionary, and
    /// those of the store.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the opening to whoever else waits for it.
    pub async fn open(&self, split: &SplitAddress) -> Result<Arc<Split>> {
        self.open_counted(split, &TrafficCounter::default()).await
    }

    /// The same split, all in memory.
    pub(crate) async fn load(&self, split: &Split) -> Result<Split> {
        let loaded = self.inner.opener.load(split).await;
        self.forget_if_changed(&split.address(), loaded).await
    }

    pub(crate) async fn open_counted(
        &self,
        split: &SplitAddress,
        traffic: &TrafficCounter,
    ) -> Result<Arc<Split>> {
        let opened = self.inner.opener.open(split, traffic).await;
        self.forget_if_changed(split, opened).await
    }

    /// Starts to warm `split` for `request`, or finds the warmup that runs or has finished, and
    /// returns at once. Errors are told by joining.
    ///
    /// # Cancel safety
    ///
    /// See [`Warmup`]: dropping the last handle of an unfinished warmup gives it up.
    pub fn warm(&self, split: &SplitAddress, request: &SearchRequest) -> Warmup {
        let work = Work::of_request(request);
        self.begin_warmup(split, &work, &mut Start::now()).0
    }

    /// [`warm`](Self::warm) for several splits, whose GETs are then coalesced with regard to each
    /// other: where they want more than [go at
    /// once](crate::StoreSettings::max_concurrent_gets) together, each fetches more of the gaps
    /// between what it reads, if everything is here sooner then.
    pub fn warm_many(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmup> {
        let work = Work::of_request(request);
        let mut start = Start::now();
        let warmups = splits
            .iter()
            .map(|split| self.begin_warmup(split, &work, &mut start).0);
        warmups.collect()
    }

    /// Answers with the warmup, and whether it was started now, with the others of `start`.
    pub(crate) fn begin_warmup(
        &self,
        split: &SplitAddress,
        work: &Work,
        start: &mut Start,
    ) -> (Warmup, bool) {
        let before = start.held.len();
        let warmup = self.warm_held(split, work, None, start);
        (warmup, start.held.len() > before)
    }

    /// [`warm`](Self::warm) for `origin`, with which is counted what becomes of the bytes that the
    /// warmup fetches, and which expects them to be wanted `asks` times (none: somebody is about to
    /// join); one that runs or has finished keeps the origin it was started for. Answers with the
    /// warmup, and whether it was started now.
    pub(crate) fn warm_for(
        &self,
        split: &SplitAddress,
        work: &Work,
        origin: &Arc<Origin>,
        asks: Option<u32>,
    ) -> (Warmup, bool) {
        let mut start = Start::now();
        let warmup = self.warm_held(split, work, Some((origin, asks)), &mut start);
        (warmup, !start.held.is_empty())
    }

    /// Without `origin` a search wants it for itself.
    fn warm_held(
        &self,
        split: &SplitAddress,
        work: &Work,
        origin: Option<(&Arc<Origin>, Option<u32>)>,
        start: &mut Start,
    ) -> Warmup {
        let registry = &self.inner.registry;
        let (fingerprint, at) = (work.fingerprint(), start.at());
        let task = registry.find_or_start(split.path(), fingerprint, at, |key| {
            list::WARMUPS.add(1);
            let span = tracing::info_span!(
                "warm", split = %split, fingerprint = %work.fingerprint(),
                gets = tracing::field::Empty, bytes = tracing::field::Empty,
                rounds = tracing::field::Empty, outcome = tracing::field::Empty
            );
            // Until somebody joins.
            let traffic = TrafficCounter::of(work.queued(), Priority::Prefetch);
            let (origin, asks) = origin.unzip();
            let traffic = traffic.for_origin(origin);
            // A search tells the cache itself what it reads.
            let mut traffic = match asks.flatten() {
                Some(asks) => traffic.expecting(asks),
                None => traffic.hurried(),
            };
            if self.settings().trace {
                traffic = traffic.traced();
            }
            let warmer = self.clone();
            let run = warmer.run(split.clone(), work.clone(), span.clone(), traffic.clone());
            let (task, held) = Task::start(
                key,
                registry,
                &self.inner.runtime,
                traffic,
                work.can_recur(),
                run.instrument(span),
            );
            start.held.push(held);
            task
        });
        Warmup::new(task)
    }

    /// Joins the warmup of `split` for `request`, wherever it was started.
    ///
    /// Answers [`Outcome::Missing`] when there is none. See [`Warmup::join`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels nothing while another handle lives.
    pub async fn join(
        &self,
        split: &SplitAddress,
        request: &SearchRequest,
        deadline: Duration,
    ) -> Outcome {
        let fingerprint = Work::of_request(request).fingerprint();
        match self.find(split, fingerprint, Instant::now()) {
            Some(warmup) => warmup.join(deadline).await,
            None => {
                tracing::warn!(%split, %fingerprint, "no such warmup to join");
                list::JOINS.add_of(Outcome::Missing.name(), 1);
                Outcome::Missing
            }
        }
    }

    /// The warmup that is used `now`.
    pub(crate) fn find(
        &self,
        split: &SplitAddress,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Option<Warmup> {
        let found = self.inner.registry.find(split.path(), fingerprint, now);
        found.map(Warmup::new)
    }

    /// Finds out what warming `split` for `request` would read, fetching nothing but
    /// dictionaries, and a split that is [small](crate::StoreSettings::whole_split_bytes) with its
    /// footer, as a warmup would.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and `InvalidRequest` when the request does not fit the
    /// split's schema.
    ///
    /// # Cancel safety
    ///
    /// Nothing goes on after the future is dropped.
    pub async fn explain(
        &self,
        split: &SplitAddress,
        request: &SearchRequest,
    ) -> Result<Explanation> {
        let work = Work::of_request(request);
        let replay = self.predict_replay(split, &work).await;
        // As a warmup would.
        let traffic = TrafficCounter::default().hurried();
        let split = self.open_counted(split, &traffic).await?;
        let demand = self.demand(&split, &work, true).await?;
        let planner = &self.inner.planner;
        let resolution = resolve(&split, demand, Depth::Dictionaries, planner, &traffic).await?;
        let mut explanation = Explanation::new(&split, &resolution)?;
        explanation.replay = replay;
        Ok(explanation)
    }

    /// What a split is made of: files, segments, bytes of each component and field.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), and of reading the names of columns where those are not hot.
    ///
    /// # Cancel safety
    ///
    /// What runs on the pool runs to its end.
    pub async fn layout(&self, split: &SplitAddress) -> Result<SplitLayout> {
        let split = self.open(split).await?;
        let scope = ReadScope::search([].into(), OnMiss::Fetch, Arc::default());
        pool::run(self.pool(), move || {
            scope
                .enter(|| SplitLayout::of(&split))
                .map_err(|error| Error::from_tantivy(split.path(), error))
        })
        .await
    }

    /// Lets go of all finished warmups, so that only leases of searches under way remain.
    pub fn forget_warmups(&self) {
        self.inner.registry.clear();
    }

    /// Empties everything: finished warmups, cached extents, opened splits, plans. What is in use stays
    /// with its users, and what was learnt from late reads stays known.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some of it in place.
    pub async fn clear(&self) {
        self.inner.registry.clear();
        self.inner.opener.clear().await;
        self.inner.cache.clear();
        self.inner.planner.absences.clear();
        self.inner.planner.plans.clear();
    }

    /// Closes a split that is searched no more, and lets go of what is cached of it, of its finished
    /// warmups and of its plans. Searches under way keep what they have.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some of it in place.
    pub async fn forget_split(&self, path: &Path) {
        let inner = &self.inner;
        inner.registry.forget_split(path);
        inner.planner.plans.forget_split(path);
        inner.opener.forget(path).await;
        inner.cache.forget(path);
    }

    /// Passes `result` on; when it says that the object was replaced, the next open starts anew.
    pub(crate) async fn forget_if_changed<T>(
        &self,
        address: &SplitAddress,
        result: Result<T>,
    ) -> Result<T> {
        if let Err(error) = &result
            && error.kind() == ErrorKind::SplitChanged
        {
            self.inner.opener.forget(address.path()).await;
            self.inner.registry.forget_split(address.path());
        }
        result
    }

    /// Remembers what a search read late of a split although it was warmed, by `plan` when it was
    /// by one.
    pub(crate) fn learn(
        &self,
        split: &Split,
        work: &Work,
        plan: Option<&PlanEntry>,
        ranges: Vec<Range<u64>>,
    ) {
        // What is streamed because it is too much to be warmed is read late on purpose.
        let streams = self.settings().expansion.past_limit == PastLimit::Stream;
        if ranges.is_empty() || streams {
            return;
        }
        match plan {
            Some(plan) => self.inner.planner.plans.heal(plan, ranges),
            None if work.may_hide_reads() => {
                self.inner.learned.add(split, work.recurring(), ranges);
            }
            None => return,
        }
        self.inner.registry.retire(&WarmupKey {
            path: split.path().clone(),
            fingerprint: work.fingerprint(),
        });
    }

    /// Remembers what the hits of a request brought from splits.
    pub(crate) fn note_documents(
        &self,
        work: &Work,
        request: &Arc<SearchRequest>,
        brought: Vec<(Arc<Warmed>, Vec<Range<u64>>)>,
    ) {
        let Some(identity) = work.identity() else {
            return;
        };
        for (warmed, ranges) in brought {
            if let Some(plan) = &warmed.plan {
                let plans = &self.inner.planner.plans;
                plans.note_documents(plan, identity, ranges);
            }
            warmed.noted.set(request);
        }
    }

    /// The plans that are known: what requests were found to read in splits, and how many documents
    /// match, where that is remembered. Another warmer that is [given](Self::add_plans) them warms
    /// the same in one round.
    ///
    /// ```no_run
    /// # async fn example(here: forewarm::Warmer, there: forewarm::Warmer) {
    /// there.add_plans(here.plans().iter().map(|plan| plan.as_ref().clone()));
    /// # }
    /// ```
    pub fn plans(&self) -> Vec<Arc<PlanEntry>> {
        self.inner.planner.plans.all()
    }

    /// Takes over plans of another warmer, and what is remembered beside them. A plan of a version of a
    /// split that is no more costs a refused GET, and is forgotten.
    pub fn add_plans(&self, plans: impl IntoIterator<Item = PlanEntry>) {
        for plan in plans {
            self.inner.planner.plans.add(Arc::new(plan));
        }
    }

    /// Adds the reads of a search to the statistics.
    pub(crate) fn count_reads(&self, reads: &LateReads) {
        let inner = &self.inner;
        inner
            .search_hits
            .fetch_add(reads.found(), Ordering::Relaxed);
        list::SEARCH_HITS.add(reads.found());
        inner.late_reads.fetch_add(reads.count(), Ordering::Relaxed);
    }

    /// Lets go of what is cached of stale splits, as far as that makes room for `bytes` more: they
    /// stay open, and their plans known. Answers of how many.
    pub(crate) fn make_room(&self, bytes: u64, is_stale: impl Fn(&Path) -> bool) -> usize {
        self.inner.cache.make_room(bytes, is_stale)
    }

    /// Bytes held by warmups and searches.
    pub(crate) fn leased_bytes(&self) -> u64 {
        self.inner.cache.leased_bytes()
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    pub(crate) fn pool(&self) -> &Arc<ThreadPool> {
        &self.inner.planner.pool
    }
}

impl std::fmt::Debug for Warmer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warmer")
            .field("store", &self.inner.cache.fetcher().store().to_string())
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
