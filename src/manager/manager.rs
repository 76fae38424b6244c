use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::path::Path;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::builder::{KnownTriggers, ManagerBuilder};
use super::core::{Core, Order};
use super::event::Event;
use super::hot_set::{HotSetKeeper, HotSetStatus};
use super::job::{JobHandle, JobId, JobStatus, Target};
use super::settings::ManagerSettings;
use super::statistics::ManagerSnapshot;
use super::trigger::{Post, Preload, Runner, ScheduleStatus, Trigger, TriggerHandle};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Fingerprint, SearchRequest};
use crate::search::{SearchOptions, SearchResponse};
use crate::split::SplitAddress;
use crate::store::in_time;
use crate::telemetry::list;
use crate::warmup::{Outcome, Warmer, Warmth};

/// Who asks for what [`Manager::prewarm`] warms.
pub(super) const PREWARM: &str = "prewarm";

/// How long plans may take to be written at shutdown, past its deadline if need be.
const FLUSH: Duration = Duration::from_secs(5);

/// Warms before fan-out, for a coordinator and its readers: jobs over many splits that can be
/// watched, joined and cancelled, told apart beforehand, and ended in good order. Clones are cheap
/// and share everything.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use forewarm::{Clause, Manager, ManagerSettings, SearchRequest, SplitAddress, Warmer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), forewarm::Error> {
/// let store = Arc::new(object_store::memory::InMemory::new());
/// let manager = Manager::new(Warmer::builder(store).build()?, ManagerSettings::default())?;
/// let splits = [SplitAddress::new("no-such.split".into())];
/// let request = SearchRequest::new(Clause::match_all());
///
/// // The coordinator: returns at once.
/// let job = manager.prewarm(&splits, &request);
/// // A reader, anywhere, by fingerprint. Whatever the outcome, it goes on to search.
/// let outcome = manager.join(&splits[0], request.fingerprint(), Duration::from_secs(5)).await;
/// assert!(!outcome.is_warm());
/// // An operator.
/// let status = job.wait(Duration::from_secs(5)).await;
/// assert_eq!(status.state.name(), "failed");
/// manager.shutdown(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Manager {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    posts: Vec<Arc<Post>>,
    known: KnownTriggers,
    /// Whether triggers run, and what tells them to stop; they also do when it is gone.
    is_started: AtomicBool,
    stop: watch::Sender<bool>,
}

/// How a manager ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Jobs that had not ended by the deadline, and were given up.
    pub cancelled_jobs: usize,
    /// Whether what was learnt could be written to the plan store in time, or there is none.
    pub plans_written: bool,
    /// Whether what was hot could be written, or there is [no place](ManagerBuilder::hot_set) for it.
    pub hot_set_written: bool,
}

impl Manager {
    /// A manager over `warmer`, with the triggers that the settings name. Its jobs run on the
    /// warmer's runtime.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong.
    pub fn new(warmer: Warmer, settings: ManagerSettings) -> Result<Self> {
        Self::builder(warmer).settings(settings).build()
    }

    /// Begins a manager over `warmer` that is given more than settings.
    pub fn builder(warmer: Warmer) -> ManagerBuilder {
        ManagerBuilder::new(warmer)
    }

    pub(super) fn of(core: Arc<Core>, posts: Vec<Arc<Post>>, known: KnownTriggers) -> Self {
        let inner = Inner {
            core,
            posts,
            known,
            is_started: AtomicBool::new(false),
            stop: watch::channel(false).0,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.inner.core
    }

    /// The trigger that preloads, if any does, and its post.
    pub(super) fn preload(&self) -> Option<(&Preload, &Post)> {
        let preload = self.inner.known.preload.as_deref()?;
        let mut posts = self.inner.posts.iter();
        let post = posts.find(|post| post.name() == preload.name())?;
        Some((preload, post))
    }

    /// Starts its triggers, and reads the hot set of the last run. Calling it again does nothing, nor
    /// does it after [`shutdown`](Self::shutdown) has begun. Jobs, joins and searches need no start.
    pub fn start(&self) {
        let inner = &self.inner;
        if self.is_shutting_down() || inner.is_started.swap(true, Ordering::Relaxed) {
            return;
        }
        let core = &inner.core;
        if core.hot_set.is_some() {
            let keep = HotSetKeeper::keep(Arc::clone(core), inner.stop.subscribe());
            core.warmer.runtime().spawn(keep);
        }
        for post in &inner.posts {
            let runner = Runner::new(Arc::clone(&inner.core), Arc::clone(post));
            let stop = inner.stop.subscribe();
            inner.core.warmer.runtime().spawn(runner.run(stop));
        }
    }

    /// The warmer that fetches and searches.
    pub fn warmer(&self) -> &Warmer {
        &self.inner.core.warmer
    }

    /// The settings, as they are now.
    pub fn settings(&self) -> Arc<ManagerSettings> {
        self.inner.core.settings()
    }

    /// Whether it is switched on.
    pub fn is_enabled(&self) -> bool {
        self.inner.core.is_enabled()
    }

    /// Switches it on or off. What runs goes on; while it is off, what is asked for is left out,
    /// triggers do nothing, and searches read as if nobody had asked.
    pub fn set_enabled(&self, enabled: bool) {
        self.inner.core.set_enabled(enabled);
    }

    /// Its triggers.
    pub fn triggers(&self) -> Vec<TriggerHandle> {
        let posts = self.inner.posts.iter();
        posts.map(|post| self.handle(post)).collect()
    }

    /// The trigger of that name.
    pub fn trigger(&self, name: &str) -> Option<TriggerHandle> {
        let found = self.inner.posts.iter().find(|post| post.name() == name);
        found.map(|post| self.handle(post))
    }

    fn handle(&self, post: &Arc<Post>) -> TriggerHandle {
        TriggerHandle {
            core: Arc::clone(&self.inner.core),
            post: Arc::clone(post),
        }
    }

    /// What was read of the hot set of the last run, and what is written of this one's; nothing where
    /// there is [no place](ManagerBuilder::hot_set) for one.
    pub fn hot_set(&self) -> Option<HotSetStatus> {
        self.inner.core.hot_set.as_ref().map(HotSetKeeper::status)
    }

    /// Tells its triggers what happened.
    pub fn publish(&self, event: &Event) {
        for post in &self.inner.posts {
            post.trigger().note(event);
        }
    }

    /// The schedules of the trigger `scheduled`: when each ran last and runs next.
    pub fn schedules(&self) -> Vec<ScheduleStatus> {
        let now = self.inner.core.clock.now();
        let scheduled = self.inner.known.scheduled.as_ref();
        scheduled.map_or_else(Vec::new, |scheduled| scheduled.status(now))
    }

    /// Switches one schedule on or off.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is none of that name.
    pub fn set_schedule_enabled(&self, name: &str, enabled: bool) -> Result<()> {
        let scheduled = self.inner.known.scheduled.as_ref();
        match scheduled.is_some_and(|scheduled| scheduled.set_enabled(name, enabled)) {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no schedule {name:?}"),
            )),
        }
    }

    /// The splits that are served, sorted by path: those that triggers warm requests in.
    pub fn splits(&self) -> Arc<[SplitAddress]> {
        self.inner.core.catalog.splits()
    }

    /// Tells of each change of [`splits`](Self::splits) from now on.
    pub fn watch_splits(&self) -> watch::Receiver<Arc<[SplitAddress]>> {
        self.inner.core.catalog.watch()
    }

    /// From now on these splits are served, too, warm or not.
    pub fn announce(&self, splits: impl IntoIterator<Item = SplitAddress>) {
        let core = &self.inner.core;
        core.catalog.exchange(splits, &[], core.clock.millis());
    }

    /// From now on these splits are not served any more: they are closed, and what is cached of
    /// them is let go of. Searches under way go on. Those that a [prefix](crate::RefreshSettings::prefix)
    /// still has are not announced anew; nothing that is bound to events is warmed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some of them open until they are not used.
    pub async fn retire(&self, paths: &[Path]) {
        if let Some(refresh) = &self.inner.known.refresh {
            // Before they go: a listing must not find them anew.
            refresh.retire(paths);
        }
        self.inner.core.exchange(Vec::new(), paths).await;
    }

    /// Searches splits as [`Warmer::search_with_options`] does, and remembers that it was asked,
    /// for the triggers.
    ///
    /// # Errors
    ///
    /// As [`Warmer::search`].
    ///
    /// # Cancel safety
    ///
    /// As [`Warmer::search`].
    pub async fn search(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        options: &SearchOptions,
    ) -> Result<SearchResponse> {
        let core = &self.inner.core;
        let _searching = core.searching();
        self.note_search(splits, request);
        let found = core.warmer.search_with_options(splits, request, options);
        let response = found.await?;
        core.counters
            .count_search(request.fingerprint(), &response.report);
        Ok(response)
    }

    /// Remembers that `request` was asked of `splits`: for who searches in another way than by
    /// [`search`](Self::search). Requests that hold a query of tantivy's leave no trace, for
    /// nobody could write them down, nor do those that are
    /// [too large](crate::HeatSettings::max_bytes).
    pub fn note_search(&self, splits: &[SplitAddress], request: &SearchRequest) {
        let core = &self.inner.core;
        core.note(splits, request);
    }

    /// Warms `splits` for a request, in the background, and returns at once. A warmup is shared by
    /// all who ask for the same split and request; a job that warms the same and has not ended is
    /// found, and no other begun.
    ///
    /// The splits are begun in the order given, so many at once as
    /// [`max_concurrent_warmups`](ManagerSettings::max_concurrent_warmups); a reader who joins one
    /// whose turn has not come begins it.
    pub fn prewarm(&self, splits: &[SplitAddress], request: &SearchRequest) -> JobHandle {
        // Before it is cloned: whoever asks the same request again means the same moment.
        request.moment();
        let request = Arc::new(request.clone());
        let targets = splits.iter().map(|split| Target {
            split: split.clone(),
            request: Arc::clone(&request),
            // The search that follows tells the cache itself what it reads.
            asks: None,
        });
        let core = &self.inner.core;
        core.start(Order {
            source: PREWARM.to_owned(),
            targets: targets.collect(),
            at_once: core.settings().max_concurrent_warmups,
            documents: core.settings().prewarm_documents,
        })
    }

    /// Joins the warmup of `split` for the request of that fingerprint: before, while or after it
    /// runs, by any number of readers, in any order. One that a job has not begun yet is begun.
    ///
    /// Answers [`Outcome::Missing`], and logs a warning, when nobody asked for it or it was let go
    /// of; a search then reads on demand.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels nothing that a job or another reader waits for.
    pub async fn join(
        &self,
        split: &SplitAddress,
        fingerprint: Fingerprint,
        deadline: Duration,
    ) -> Outcome {
        let started = Instant::now();
        let inner = &self.inner.core;
        let pending = || inner.jobs.pending(split.path(), fingerprint);
        let now = std::time::Instant::now();
        let warmup = match inner.warmer.find(split, fingerprint, now) {
            Some(warmup) => Some(warmup),
            None => pending().map(|(split, request)| inner.warmer.warm(&split, &request)),
        };
        let outcome = match warmup {
            Some(warmup) => warmup.join(deadline).await,
            None => {
                tracing::warn!(%split, %fingerprint, "no such warmup to join");
                list::JOINS.add_of(Outcome::Missing.name(), 1);
                Outcome::Missing
            }
        };
        let waited = started.elapsed();
        inner
            .counters
            .count_join(split, fingerprint, outcome.name(), waited);
        outcome
    }

    /// Tells how warm each of `splits` is for a request: see [`Warmer::classify`].
    pub fn classify(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmth> {
        let core = &self.inner.core;
        let warmth = core.warmer.classify(splits, request);
        core.counters.count_classified(&warmth);
        warmth
    }

    /// Jobs: those that run, then those that have ended, the oldest first.
    pub fn jobs(&self) -> Vec<JobStatus> {
        let core = &self.inner.core;
        let settings = core.settings();
        let jobs = core
            .jobs
            .all(settings.finished_jobs, settings.finished_jobs_for);
        jobs.iter().map(|job| job.status()).collect()
    }

    /// The job of that name, if it runs or is still kept.
    pub fn job(&self, id: JobId) -> Option<JobHandle> {
        let core = &self.inner.core;
        let settings = core.settings();
        let job = core
            .jobs
            .get(id, settings.finished_jobs, settings.finished_jobs_for);
        job.map(JobHandle)
    }

    /// What it has done, and what its warmer holds.
    pub fn snapshot(&self) -> ManagerSnapshot {
        let core = &self.inner.core;
        let running = core.jobs.running().len();
        let warmer = core.warmer.statistics();
        core.counters.snapshot(self.is_enabled(), running, warmer)
    }

    /// Counts from zero again. What the warmer counts goes on.
    pub fn reset_statistics(&self) {
        self.inner.core.counters.reset();
    }

    /// Cancels all jobs, forgets what was asked and empties the warmer: for tests, and before memory is needed elsewhere.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some of it in place.
    pub async fn clear_all(&self) {
        let core = &self.inner.core;
        for job in core.jobs.running() {
            job.cancel("everything was cleared");
        }
        core.heat.clear();
        core.warmer.clear().await;
    }

    /// Ends in good order: nothing begins any more, what runs, ticks of triggers among it, is waited
    /// for until `deadline` and then given up, and what was hot is written to the hot set, and what
    /// was learnt to the plan store. Where the deadline leaves no time for that, the hot set has
    /// that of [its own](crate::HotSetSettings::deadline), and the plan store 5 seconds.
    /// May be called by several at once, and again.
    ///
    /// # Cancel safety
    ///
    /// Nothing begins any more even if the future is dropped.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let core = &self.inner.core;
        let deadline = in_time(deadline);
        core.busy.stop();
        let mut report = ShutdownReport::default();
        if timeout_at(deadline, core.busy.idle()).await.is_err() {
            // Before their jobs: a trigger must not go on with what it wants next.
            self.inner.stop.send_replace(true);
            for job in core.jobs.running() {
                let is_first = job.cancel("the manager was shut down");
                report.cancelled_jobs += usize::from(is_first);
            }
            core.busy.idle().await;
        }
        self.inner.stop.send_replace(true);
        // First: it has the plans of what is hot, and a deadline of its own.
        report.hot_set_written = match &core.hot_set {
            Some(hot_set) => hot_set.write(core).await.is_ok(),
            None => true,
        };
        let deadline = deadline.max(Instant::now() + FLUSH);
        report.plans_written = match timeout_at(deadline, core.warmer.flush_plans()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(error = error.chain(), "plans could not be written");
                false
            }
            Err(_) => {
                tracing::warn!("plans were not written in time");
                false
            }
        };
        report
    }

    /// Whether [`shutdown`](Self::shutdown) has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.inner.core.busy.is_stopping()
    }

    /// Works by other settings from now on.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong, or which cannot be changed while
    /// it runs; then nothing is changed.
    pub fn set_settings(&self, settings: ManagerSettings) -> Result<()> {
        settings.validate()?;
        let fixed = settings.fixed_unlike(&self.settings());
        if !fixed.is_empty() {
            return Err(Error::invalid(format!(
                "settings of the manager: {} cannot change while it runs: build another",
                fixed.join(", ")
            )));
        }
        self.inner.core.set_settings(settings);
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.core.busy.stop();
        for job in self.core.jobs.running() {
            job.cancel("the manager is gone");
        }
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manager")
            .field("settings", &self.settings())
            .field("enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}
