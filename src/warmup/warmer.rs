use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use rayon::ThreadPool;
use tantivy::tokenizer::TokenizerManager;
use tokio::runtime::Handle;
use tracing::Instrument;

use super::learned::Learned;
use super::outcome::Outcome;
use super::registry::Registry;
use super::settings::WarmerSettings;
use super::statistics::Statistics;
use super::task::{Finished, Task, Warmed, Warmup, WarmupKey};
use super::work::{BoundWork, Work};
use crate::Traffic;
use crate::cache::ExtentCache;
use crate::directory::{OnMiss, ReadScope};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Fingerprint, PastLimit, SearchRequest};
use crate::plan::{Absences, Depth, Explanation, Planner, Resolution, resolve};
use crate::pool;
use crate::split::{Opener, Split, SplitAddress, SplitLayout, Tokenizers};
use crate::store::{Fetcher, TrafficCounter};

/// Warms splits and searches them: holds the store, the cache, the runtime that fetches and the
/// pool that computes. Clones are cheap and share everything.
///
/// The crate's first page has an example that runs.
#[derive(Clone)]
pub struct Warmer {
    inner: Arc<Inner>,
}

struct Inner {
    settings: WarmerSettings,
    cache: ExtentCache,
    opener: Opener,
    registry: Arc<Registry>,
    learned: Learned,
    runtime: Handle,
    planner: Planner,
    late_reads: AtomicU64,
}

/// Builds a [`Warmer`].
#[must_use]
pub struct WarmerBuilder {
    store: Arc<dyn ObjectStore>,
    settings: WarmerSettings,
    runtime: Option<Handle>,
    pool: Option<Arc<ThreadPool>>,
    tokenizers: Tokenizers,
}

impl WarmerBuilder {
    /// Sets the settings; default is [`WarmerSettings::default`].
    pub fn settings(mut self, settings: WarmerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the runtime that fetches; default is the one that [`build`](Self::build) is called in.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Sets the pool that plans and searches; default is one of a thread a core.
    pub fn pool(mut self, pool: Arc<ThreadPool>) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Sets the tokenizers of indexed text and JSON fields, by the names that schemas give them;
    /// default is tantivy's: `default`, `en_stem`, `raw` and `whitespace`.
    ///
    /// A split says only the name of a tokenizer. The text of a search must be cut as its index
    /// was, so register here what the indexer registered: on
    /// [`TokenizerManager::default`], to which tantivy's own belong. One that is not registered is
    /// an error of the searches that need it. What is registered later counts for splits that are
    /// open, too.
    ///
    /// ```
    /// use forewarm::Warmer;
    /// use tantivy::tokenizer::{AsciiFoldingFilter, SimpleTokenizer, TextAnalyzer, TokenizerManager};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), forewarm::Error> {
    /// # let store = std::sync::Arc::new(object_store::memory::InMemory::new());
    /// let tokenizers = TokenizerManager::default();
    /// let folded = TextAnalyzer::builder(SimpleTokenizer::default()).filter(AsciiFoldingFilter);
    /// tokenizers.register("folded", folded.build());
    /// let warmer = Warmer::builder(store).tokenizers(tokenizers).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokenizers(mut self, tokenizers: TokenizerManager) -> Self {
        self.tokenizers.indexed = tokenizers;
        self
    }

    /// Sets the tokenizers of text fields that are fast and not indexed, by the names that schemas
    /// give them; default is as for [`tokenizers`](Self::tokenizers), which also says why.
    pub fn fast_field_tokenizers(mut self, tokenizers: TokenizerManager) -> Self {
        self.tokenizers.fast = tokenizers;
        self
    }

    /// Builds the warmer.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when settings are wrong or no runtime is given and none is current;
    /// `Internal` when the pool's threads cannot be started.
    pub fn build(self) -> Result<Warmer> {
        self.settings.validate()?;
        let runtime = match self.runtime {
            Some(runtime) => runtime,
            None => Handle::try_current().map_err(|error| {
                Error::with_source(
                    ErrorKind::InvalidRequest,
                    "a warmer needs a tokio runtime: build it in one, or give its handle",
                    error,
                )
            })?,
        };
        let pool = match self.pool {
            Some(pool) => pool,
            None => {
                let pool = rayon::ThreadPoolBuilder::new()
                    .thread_name(|number| format!("forewarm-{number}"))
                    .build()
                    .map_err(|error| {
                        let message = "the search pool cannot be started";
                        Error::with_source(ErrorKind::Internal, message, error)
                    })?;
                Arc::new(pool)
            }
        };
        let settings = self.settings;
        let fetcher = Arc::new(Fetcher::new(self.store, settings.store.clone()));
        let cache = ExtentCache::new(&settings.cache, fetcher, runtime.clone());
        let opener = Opener::new(
            cache.clone(),
            Arc::clone(&pool),
            settings.cache.opened_bytes,
            self.tokenizers,
        );
        let registry = Registry::new(
            settings.linger,
            settings.cache.lease_bytes / 2,
            runtime.clone(),
        );
        let late_reads = AtomicU64::new(0);
        let planner = Planner {
            pool,
            limits: settings.expansion,
            absences: Absences::new(settings.cache.absence_bytes),
        };
        let inner = Inner {
            late_reads,
            settings,
            cache,
            opener,
            registry,
            learned: Learned::new(),
            runtime,
            planner,
        };
        Ok(Warmer {
            inner: Arc::new(inner),
        })
    }
}

impl Warmer {
    /// Begins a warmer over `store`.
    pub fn builder(store: Arc<dyn ObjectStore>) -> WarmerBuilder {
        WarmerBuilder {
            store,
            settings: WarmerSettings::default(),
            runtime: None,
            pool: None,
            tokenizers: Tokenizers::default(),
        }
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
        self.warm_work(split, &Work::of_request(request)).0
    }

    /// [`warm`](Self::warm) for several splits.
    pub fn warm_many(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmup> {
        let work = Work::of_request(request);
        splits
            .iter()
            .map(|split| self.warm_work(split, &work).0)
            .collect()
    }

    /// Answers with the warmup, and whether it was started now.
    pub(crate) fn warm_work(&self, split: &SplitAddress, work: &Work) -> (Warmup, bool) {
        let key = WarmupKey {
            path: split.path().clone(),
            fingerprint: work.fingerprint(),
        };
        let registry = &self.inner.registry;
        let mut started = false;
        let task = registry.find_or_start(&key, || {
            started = true;
            metrics::counter!("forewarm_warmups_total").increment(1);
            let span = tracing::info_span!(
                "warm", split = %split, fingerprint = %work.fingerprint(),
                gets = tracing::field::Empty, bytes = tracing::field::Empty,
                rounds = tracing::field::Empty, outcome = tracing::field::Empty
            );
            let run = self.clone().run(split.clone(), work.clone(), span.clone());
            Task::start(
                key.clone(),
                registry,
                &self.inner.runtime,
                work.can_recur(),
                run.instrument(span),
            )
        });
        (Warmup::new(task), started)
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
        match self.find(split, fingerprint) {
            Some(warmup) => warmup.join(deadline).await,
            None => {
                tracing::warn!(%split, %fingerprint, "no such warmup to join");
                metrics::counter!("forewarm_joins_total", "outcome" => "missing").increment(1);
                Outcome::Missing
            }
        }
    }

    pub(crate) fn find(&self, split: &SplitAddress, fingerprint: Fingerprint) -> Option<Warmup> {
        let key = WarmupKey {
            path: split.path().clone(),
            fingerprint,
        };
        self.inner.registry.find(&key).map(Warmup::new)
    }

    async fn run(self, address: SplitAddress, work: Work, span: tracing::Span) -> Finished {
        let finished = self.run_once(&address, &work).await;
        let finished = self.forget_if_changed(&address, finished).await;
        match &finished {
            Ok(warmed) => {
                span.record("gets", warmed.traffic.gets)
                    .record("bytes", warmed.traffic.bytes);
                span.record("rounds", warmed.traffic.rounds)
                    .record("outcome", "ready");
                metrics::histogram!("forewarm_warmup_seconds").record(warmed.warming.as_secs_f64());
            }
            Err(error) => {
                span.record("outcome", "failed");
                metrics::counter!("forewarm_warmups_failed_total").increment(1);
                tracing::warn!(split = %address, error = error.chain(), "a warmup failed");
            }
        }
        finished
    }

    async fn run_once(&self, address: &SplitAddress, work: &Work) -> Finished {
        let started = Instant::now();
        let opening_traffic = TrafficCounter::default();
        let split = self.open_counted(address, &opening_traffic).await?;
        let opening = started.elapsed();
        let bound = self.compile(&split, work, false).await?;
        let resolution = resolve(&split, bound.demand, Depth::Data, &self.inner.planner).await?;
        let Resolution {
            lease,
            traffic,
            findings,
            probe_rounds,
            ..
        } = resolution;
        Ok(Arc::new(Warmed {
            split,
            filter: work.filter().clone(),
            query: bound.clause.query(&self.settings().expansion).into(),
            extras: bound.extras,
            lease: Arc::new(lease),
            hopeless: findings.hopeless.into(),
            probe_rounds,
            traffic: opening_traffic.snapshot().then(traffic),
            opening,
            warming: started.elapsed(),
        }))
    }

    /// Binds the work to the split's schema.
    pub(crate) async fn compile(
        &self,
        split: &Arc<Split>,
        work: &Work,
        labelled: bool,
    ) -> Result<BoundWork> {
        let learnt = self.inner.learned.of(split, work.recurring());
        let split = Arc::clone(split);
        let work = work.clone();
        let limits = self.settings().expansion;
        pool::run(self.pool(), move || {
            let mut bound = work.bind(split.index(), &limits, labelled)?;
            bound.demand.learnt = learnt.to_vec();
            Ok(bound)
        })
        .await
    }

    /// Finds out what warming `split` for `request` would read, fetching nothing but
    /// dictionaries.
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
        let split = self.open(split).await?;
        let demand = self.compile(&split, &work, true).await?.demand;
        let planner = &self.inner.planner;
        let resolution = resolve(&split, demand, Depth::Dictionaries, planner).await?;
        Explanation::new(&split, &resolution)
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

    /// What it has done and holds.
    pub fn statistics(&self) -> Statistics {
        let cache = &self.inner.cache;
        let (opened_splits, opened_bytes) = self.inner.opener.usage();
        let Traffic { gets, bytes, .. } = cache.fetcher().totals().snapshot();
        Statistics {
            gets,
            bytes,
            cached_bytes: cache.cached_bytes(),
            cached_extents: cache.cached_extents(),
            capacity_bytes: cache.capacity_bytes(),
            leased_bytes: cache.leased_bytes(),
            resident_bytes: cache.resident_bytes(),
            absences: self.inner.planner.absences.len(),
            opened_splits,
            opened_bytes,
            warmups: self.inner.registry.len(),
            late_reads: self.inner.late_reads.load(Ordering::Relaxed),
        }
    }

    /// Lets go of all finished warmups, so that only leases of searches under way remain.
    pub fn forget_warmups(&self) {
        self.inner.registry.clear();
    }

    /// Empties everything: finished warmups, cached extents, opened splits. What is in use stays
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

    /// Remembers what a search read late of a split although it was warmed.
    pub(crate) fn learn(&self, split: &Split, work: &Work, ranges: Vec<Range<u64>>) {
        // What is streamed because it is too much to be warmed is read late on purpose.
        let streams = self.settings().expansion.past_limit == PastLimit::Stream;
        if ranges.is_empty() || streams || !work.may_hide_reads() {
            return;
        }
        self.inner.learned.add(split, work.recurring(), ranges);
        self.inner.registry.retire(&WarmupKey {
            path: split.path().clone(),
            fingerprint: work.fingerprint(),
        });
    }

    /// Adds the late reads of a search to the statistics.
    pub(crate) fn count_late_reads(&self, reads: u64) {
        self.inner.late_reads.fetch_add(reads, Ordering::Relaxed);
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
