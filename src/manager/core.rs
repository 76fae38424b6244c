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
use crate::store::Traffic;
use crate::warmup::{Outcome, Warmer, Work};

/// Why a job is left out that is asked for after shutdown has begun.
pub(super) const SHUTTING_DOWN: &str = "the manager is shutting down";

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
    /// Whether what the hits bring is to be there, too.
    pub(super) documents: bool,
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
        self.gate.resize(settings.max_concurrent_trigger_warmups);
        self.change(|known| *known = Arc::new(settings));
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub(super) fn set_enabled(&self, enabled: bool) {
        // Told by the settings, too: whoever changes others must not switch it back.
        self.change(|known| Arc::make_mut(known).enabled = enabled);
    }

    fn change(&self, change: impl FnOnce(&mut Arc<ManagerSettings>)) {
        let known = self.settings.write();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        self.enabled.store(known.enabled, Ordering::Relaxed);
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
            documents,
        } = order;
        let (job, is_new) = self.jobs.find_or_add(&source, targets);
        if !is_new {
            return JobHandle(job);
        }
        let working = match (self.is_enabled(), self.busy.begin()) {
            (false, _) => Err("the manager is switched off"),
            (true, None) => Err(SHUTTING_DOWN),
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
                let runner = self.warmer.runtime().spawn(end.run(at_once, documents));
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
        // Last: whoever waited for it finds it counted, and may ask for the same again.
        job.close();
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
    async fn run(self, at_once: usize, documents: bool) {
        // Splits that a request is warmed on take turns with other work as one.
        let mut works = HashMap::new();
        let targets = self.job.targets.iter().map(|target| {
            let work = works
                .entry(Arc::as_ptr(&target.request).addr())
                .or_insert_with(|| Work::of_shared(Arc::clone(&target.request)));
            Work::clone(work)
        });
        stream::iter(targets.enumerate())
            .for_each_concurrent(at_once, |(at, work)| self.warm(at, work))
            .await;
        if documents {
            self.bring_documents().await;
        }
    }

    /// Brings what the hits of each request bring, of all splits that were warmed for it together.
    async fn bring_documents(&self) {
        let (core, job) = (&self.core, &self.job);
        let origin = core.counters.origin(&job.source);
        for (asks, request, splits) in job.warm_by_request() {
            let bring = core.warmer.warm_documents(&splits, &request, &origin, asks);
            match bring.await {
                Ok(traffic) => {
                    job.add_documents(traffic);
                    core.counters.count_documents(&job.source, traffic);
                }
                // The search brings them itself, and tells what is wrong.
                Err(error) => tracing::debug!(
                    fingerprint = %request.fingerprint(), error = error.chain(),
                    "what hits bring was not warmed"
                ),
            }
        }
    }

    async fn warm(&self, at: usize, work: Work) {
        let (core, job) = (&self.core, &self.job);
        let target = &job.targets[at];
        let Target { split, asks, .. } = target;
        let origin = core.counters.origin(&job.source);
        let warm = || core.warmer.warm_for(split, &work, &origin, *asks);
        let Some(warmup) = job.begin(at, warm) else {
            return;
        };
        // The warmup has deadlines of its own.
        let outcome = warmup.ended().await;
        if let Some(sent) = job.end(at, &outcome) {
            self.count(at, Some(&outcome), sent);
        }
    }

    /// Counts how the warmup of one target ended, with what was sent for it, and since when.
    fn count(&self, at: usize, outcome: Option<&Outcome>, (traffic, begun): (Traffic, Instant)) {
        let (core, job) = (&self.core, &self.job);
        let ended = Ended {
            outcome,
            traffic,
            took: begun.elapsed(),
            at: core.clock.millis(),
        };
        core.counters
            .count_warmup(&job.source, &job.targets[at], &ended);
    }
}

impl Drop for EndJob {
    fn drop(&mut self) {
        // Nothing is left, unless it was cancelled or the runtime went.
        self.job.give_up("its runtime has shut down");
        for (at, traffic, begun) in self.job.given_up() {
            self.count(at, None, (traffic, begun));
        }
        self.core.end(&self.job);
    }
}
