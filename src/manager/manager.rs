use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::busy::{Busy, Working};
use super::job::{Job, JobHandle, JobId, JobStatus, Target};
use super::jobs::Jobs;
use super::settings::ManagerSettings;
use super::statistics::{Counters, ManagerSnapshot};
use crate::error::Result;
use crate::filter::{Fingerprint, SearchRequest};
use crate::split::SplitAddress;
use crate::store::in_time;
use crate::warmup::{Outcome, Warmer, Warmth};

/// Who asks for what [`Manager::prewarm`] warms.
const PREWARM: &str = "prewarm";

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
    warmer: Warmer,
    settings: ManagerSettings,
    enabled: AtomicBool,
    jobs: Arc<Jobs>,
    busy: Arc<Busy>,
    counters: Arc<Counters>,
}

/// How a manager ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Jobs that had not ended by the deadline, and were given up.
    pub cancelled_jobs: usize,
    /// Whether what was learnt could be written to the plan store, or there is none.
    pub plans_written: bool,
}

impl Manager {
    /// A manager over `warmer`, switched on if the settings say so. Its jobs run on the warmer's
    /// runtime.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong.
    pub fn new(warmer: Warmer, settings: ManagerSettings) -> Result<Self> {
        settings.validate()?;
        Ok(Self {
            inner: Arc::new(Inner {
                warmer,
                enabled: AtomicBool::new(settings.enabled),
                settings,
                jobs: Arc::default(),
                busy: Arc::default(),
                counters: Arc::default(),
            }),
        })
    }

    /// The warmer that fetches and searches.
    pub fn warmer(&self) -> &Warmer {
        &self.inner.warmer
    }

    /// The settings it was built with.
    pub fn settings(&self) -> &ManagerSettings {
        &self.inner.settings
    }

    /// Whether it is switched on.
    pub fn is_enabled(&self) -> bool {
        self.inner.enabled.load(Ordering::Relaxed)
    }

    /// Switches it on or off. What runs goes on; while it is off, what is asked for is left out,
    /// and searches read as if nobody had asked.
    pub fn set_enabled(&self, enabled: bool) {
        self.inner.enabled.store(enabled, Ordering::Relaxed);
    }

    /// Warms `splits` for a request, in the background, and returns at once. A warmup is shared by
    /// all who ask for the same split and request; a job that warms the same and has not ended is
    /// found, and no other begun.
    ///
    /// The splits are begun in the order given, so many at once as
    /// [`max_concurrent_warmups`](ManagerSettings::max_concurrent_warmups); a reader who joins one
    /// whose turn has not come begins it.
    pub fn prewarm(&self, splits: &[SplitAddress], request: &SearchRequest) -> JobHandle {
        let request = Arc::new(request.clone());
        let targets = splits.iter().map(|split| Target {
            split: split.clone(),
            request: Arc::clone(&request),
        });
        self.start(PREWARM, targets.collect())
    }

    /// Starts a job, or finds the one that does the same.
    fn start(&self, source: &str, targets: Vec<Target>) -> JobHandle {
        let inner = &self.inner;
        let (job, is_new) = inner.jobs.find_or_add(source, targets);
        if !is_new {
            return JobHandle(job);
        }
        let working = match (self.is_enabled(), inner.busy.begin()) {
            (false, _) => Err("the manager is switched off"),
            (true, None) => Err("the manager is shutting down"),
            (true, Some(working)) => Ok(working),
        };
        match working {
            Err(reason) => {
                job.skip(reason);
                inner.end(&job);
            }
            Ok(working) => {
                let run = Runner {
                    warmer: inner.warmer.clone(),
                    counters: Arc::clone(&inner.counters),
                    at_once: inner.settings.max_concurrent_warmups,
                    end: EndJob {
                        job: Arc::clone(&job),
                        jobs: Arc::clone(&inner.jobs),
                        counters: Arc::clone(&inner.counters),
                        keep: (
                            inner.settings.finished_jobs,
                            inner.settings.finished_jobs_for,
                        ),
                        _working: working,
                    },
                };
                let runner = inner.warmer.runtime().spawn(run.run());
                job.run_by(runner.abort_handle());
            }
        }
        JobHandle(job)
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
        let inner = &self.inner;
        let pending = || inner.jobs.pending(split.path(), fingerprint);
        let warmup = match inner.warmer.find(split, fingerprint) {
            Some(warmup) => Some(warmup),
            None => pending().map(|(split, request)| inner.warmer.warm(&split, &request)),
        };
        let outcome = match warmup {
            Some(warmup) => warmup.join(deadline).await,
            None => {
                tracing::warn!(%split, %fingerprint, "no such warmup to join");
                Outcome::Missing
            }
        };
        inner.counters.count_join(&outcome, started.elapsed());
        outcome
    }

    /// Tells how warm each of `splits` is for a request: see [`Warmer::classify`].
    pub fn classify(&self, splits: &[SplitAddress], request: &SearchRequest) -> Vec<Warmth> {
        let warmth = self.inner.warmer.classify(splits, request);
        self.inner.counters.count_classified(&warmth);
        warmth
    }

    /// Jobs: those that run, then those that have ended, the oldest first.
    pub fn jobs(&self) -> Vec<JobStatus> {
        let settings = &self.inner.settings;
        let jobs = self
            .inner
            .jobs
            .all(settings.finished_jobs, settings.finished_jobs_for);
        jobs.iter().map(|job| job.status()).collect()
    }

    /// The job of that name, if it runs or is still kept.
    pub fn job(&self, id: JobId) -> Option<JobHandle> {
        self.inner.jobs.get(id).map(JobHandle)
    }

    /// What it has done, and what its warmer holds.
    pub fn snapshot(&self) -> ManagerSnapshot {
        let inner = &self.inner;
        let running = inner.jobs.running().len();
        let warmer = inner.warmer.statistics();
        inner.counters.snapshot(self.is_enabled(), running, warmer)
    }

    /// Counts from zero again. What the warmer counts goes on.
    pub fn reset_statistics(&self) {
        self.inner.counters.reset();
    }

    /// Cancels all jobs and empties the warmer: for tests, and before memory is needed elsewhere.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some of it in place.
    pub async fn clear_all(&self) {
        for job in self.inner.jobs.running() {
            job.cancel("everything was cleared");
        }
        self.inner.warmer.clear().await;
    }

    /// Ends in good order: nothing begins any more, what runs is waited for until `deadline` and
    /// then given up, and what was learnt is written to the plan store. May be called by several at
    /// once, and again.
    ///
    /// # Cancel safety
    ///
    /// Nothing begins any more even if the future is dropped.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let inner = &self.inner;
        let deadline = in_time(deadline);
        inner.busy.stop();
        let mut report = ShutdownReport::default();
        if timeout_at(deadline, inner.busy.idle()).await.is_err() {
            for job in inner.jobs.running() {
                let is_first = job.cancel("the manager was shut down");
                report.cancelled_jobs += usize::from(is_first);
            }
            inner.busy.idle().await;
        }
        let written = inner.warmer.flush_plans().await;
        if let Err(error) = &written {
            tracing::warn!(error = error.chain(), "plans could not be written");
        }
        report.plans_written = written.is_ok();
        report
    }

    /// Whether [`shutdown`](Self::shutdown) has begun.
    pub fn is_shutting_down(&self) -> bool {
        self.inner.busy.is_stopping()
    }
}

impl Inner {
    fn end(&self, job: &Arc<Job>) {
        let settings = &self.settings;
        self.jobs
            .retire(job, settings.finished_jobs, settings.finished_jobs_for);
        self.counters.count_job(job.status().state.name());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.busy.stop();
        for job in self.jobs.running() {
            job.cancel("the manager is gone");
        }
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manager")
            .field("settings", &self.inner.settings)
            .field("enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}

/// Works on one job.
struct Runner {
    warmer: Warmer,
    counters: Arc<Counters>,
    at_once: usize,
    end: EndJob,
}

impl Runner {
    async fn run(self) {
        let job = &self.end.job;
        stream::iter(0..job.targets.len())
            .for_each_concurrent(self.at_once, |target| self.warm(target))
            .await;
    }

    async fn warm(&self, target: usize) {
        let job = &self.end.job;
        let Target { split, request } = &job.targets[target];
        let origin = self.counters.origin(&job.source);
        let warm = || self.warmer.warm_for(split, request, &origin);
        let Some(warmup) = job.begin(target, warm) else {
            return;
        };
        // The warmup has deadlines of its own.
        let outcome = warmup.join(Duration::MAX).await;
        self.counters
            .count_warmup(&job.source, &outcome, warmup.traffic());
        job.end(target, &outcome);
    }
}

/// Ends a job when its runner ends, however that is.
struct EndJob {
    job: Arc<Job>,
    jobs: Arc<Jobs>,
    counters: Arc<Counters>,
    keep: (usize, Duration),
    _working: Working,
}

impl Drop for EndJob {
    fn drop(&mut self) {
        // Nothing is left, unless the runtime went.
        self.job.cancel("its runtime has shut down");
        self.jobs.retire(&self.job, self.keep.0, self.keep.1);
        self.counters.count_job(self.job.status().state.name());
    }
}
