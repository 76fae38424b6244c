use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::{StreamExt, stream};
use object_store::path::Path;
use tokio::time::Instant;

use super::busy::{Busy, Working};
use super::catalog::Catalog;
use super::gate::Gate;
use super::heat::Heat;
use super::hot_set::HotSetKeeper;
use super::job::{Job, JobHandle, Target};
use super::jobs::Jobs;
use super::settings::ManagerSettings;
use super::statistics::Counters;
use super::tally::Ended;
use crate::clock::Clock;
use crate::filter::SearchRequest;
use crate::split::SplitAddress;
use crate::warmup::{Warmer, Work};

/// What a manager, its jobs and its triggers share.
pub(super) struct Core {
    pub(super) warmer: Warmer,
    settings: RwLock<Arc<ManagerSettings>>,
    enabled: AtomicBool,
    pub(super) jobs: Jobs,
    pub(super) busy: Arc<Busy>,
    pub(super) counters: Counters,
    pub(super) catalog: Catalog,
    pub(super) heat: Heat,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Clock,
    /// Where what is hot outlives the process.
    pub(super) hot_set: Option<HotSetKeeper>,
    /// Searches under way.
    searching: AtomicUsize,
}

/// What a job is to do.
pub(super) struct Order {
    /// Who asks.
    pub(super) source: String,
    pub(super) targets: Vec<Target>,
    /// Warmups under way at once.
    pub(super) at_once: usize,
}

impl Core {
    pub(super) fn new(
        warmer: Warmer,
        settings: ManagerSettings,
        clock: Clock,
        hot_set: Option<HotSetKeeper>,
    ) -> Self {
        Self {
            warmer,
            enabled: AtomicBool::new(settings.enabled),
            jobs: Jobs::default(),
            busy: Arc::default(),
            counters: Counters::default(),
            catalog: Catalog::default(),
            heat: Heat::new(&settings.heat),
            gate: Gate::new(settings.max_concurrent_trigger_warmups),
            clock,
            hot_set,
            searching: AtomicUsize::new(0),
            settings: RwLock::new(Arc::new(settings)),
        }
    }

    pub(super) fn settings(&self) -> Arc<ManagerSettings> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&settings)
    }

    pub(super) fn set_settings(&self, settings: ManagerSettings) {
        self.set_enabled(settings.enabled);
        self.gate.resize(settings.max_concurrent_trigger_warmups);
        let known = self.settings.write();
        *known.unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub(super) fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// A search is under way until what this answers with is dropped.
    pub(super) fn searching(&self) -> Searching<'_> {
        self.searching.fetch_add(1, Ordering::Relaxed);
        Searching(&self.searching)
    }

    /// Whether nobody searches.
    pub(super) fn is_idle(&self) -> bool {
        self.searching.load(Ordering::Relaxed) == 0
    }

    /// Whether nobody searches and nothing is being warmed.
    pub(super) fn is_quiet(&self) -> bool {
        self.is_idle() && self.jobs.is_empty()
    }

    /// Remembers that `request` was asked of `splits`.
    pub(super) fn note(&self, splits: &[SplitAddress], request: &SearchRequest) {
        let newest = |folder: &str| {
            let births = self.catalog.births();
            births.newest(folder).map(|split| split.path().clone())
        };
        self.heat.note(splits, request, newest, self.clock.millis());
    }

    /// Since when something must have been asked to be kept, in milliseconds since 1970.
    pub(super) fn oldest_hot(&self) -> u64 {
        let max_age = self.settings().hot_set.max_age.as_millis();
        let max_age = u64::try_from(max_age).unwrap_or(u64::MAX);
        self.clock.millis().saturating_sub(max_age)
    }

    /// Starts a job, or finds the one that does the same.
    pub(super) fn start(self: &Arc<Self>, order: Order) -> JobHandle {
        let Order {
            source,
            targets,
            at_once,
        } = order;
        let (job, is_new) = self.jobs.find_or_add(&source, targets);
        if !is_new {
            return JobHandle(job);
        }
        let working = match (self.is_enabled(), self.busy.begin()) {
            (false, _) => Err("the manager is switched off"),
            (true, None) => Err("the manager is shutting down"),
            (true, Some(working)) => Ok(working),
        };
        match working {
            Err(reason) => {
                job.skip(reason);
                self.end(&job);
            }
            Ok(working) => {
                let end = EndJob {
                    core: Arc::clone(self),
                    job: Arc::clone(&job),
                    _working: working,
                };
                let runner = self.warmer.runtime().spawn(end.run(at_once));
                job.run_by(runner.abort_handle());
            }
        }
        JobHandle(job)
    }

    /// Serves `announced` from now on, with the heat of the splits that each replaces, and `retired`
    /// no more.
    pub(super) async fn exchange(
        &self,
        announced: Vec<(SplitAddress, Vec<Path>)>,
        retired: &[Path],
    ) {
        let now = self.clock.millis();
        for (split, replaces) in &announced {
            self.heat.succeed(split, replaces, now);
        }
        let announced = announced.into_iter().map(|(split, _)| split);
        self.catalog.exchange(announced, retired, now);
        for path in retired {
            self.heat.forget_split(path);
            if let Some(hot_set) = &self.hot_set {
                hot_set.forget_split(path);
            }
            self.warmer.forget_split(path).await;
        }
    }

    fn end(&self, job: &Arc<Job>) {
        let settings = self.settings();
        self.jobs
            .retire(job, settings.finished_jobs, settings.finished_jobs_for);
        self.counters.count_job(job.status().state.name());
    }
}

/// A search under way.
pub(super) struct Searching<'a>(&'a AtomicUsize);

impl Drop for Searching<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Works on one job, and ends it however that goes.
struct EndJob {
    core: Arc<Core>,
    job: Arc<Job>,
    _working: Working,
}

impl EndJob {
    async fn run(self, at_once: usize) {
        // Splits that a request is warmed on take turns with other work as one.
        let mut works = HashMap::new();
        let targets = self.job.targets.iter().map(|target| {
            let work = Work::of_request(&target.request);
            works.entry(work.fingerprint()).or_insert(work).clone()
        });
        stream::iter(targets.enumerate())
            .for_each_concurrent(at_once, |(at, work)| self.warm(at, work))
            .await;
    }

    async fn warm(&self, at: usize, work: Work) {
        let (core, job) = (&self.core, &self.job);
        let target = &job.targets[at];
        let Target { split, asks, .. } = target;
        let origin = core.counters.origin(&job.source);
        let warm = || core.warmer.warm_for(split, &work, &origin, *asks);
        let started = Instant::now();
        let Some(warmup) = job.begin(at, warm) else {
            return;
        };
        // The warmup has deadlines of its own.
        let outcome = warmup.ended().await;
        let ended = Ended {
            outcome: &outcome,
            traffic: job.end(at, &outcome),
            took: started.elapsed(),
            at: core.clock.millis(),
        };
        core.counters.count_warmup(&job.source, target, &ended);
    }
}

impl Drop for EndJob {
    fn drop(&mut self) {
        // Nothing is left, unless the runtime went.
        self.job.cancel("its runtime has shut down");
        self.core.end(&self.job);
    }
}
