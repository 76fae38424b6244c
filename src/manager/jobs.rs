use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use tokio::time::Instant;

use super::job::{Job, JobId, Target};
use crate::filter::{Fingerprint, SearchRequest};
use crate::split::SplitAddress;
use crate::telemetry::list;

/// Splits of finished jobs that are kept, each of which takes some hundred bytes.
const KEPT_TARGETS: usize = 100_000;

/// The jobs of a manager: those that run, and for a while those that have ended.
#[derive(Default)]
pub(super) struct Jobs {
    next: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<JobId, Arc<Job>>,
    /// By what they warm: asking for the same again finds them.
    by_targets: HashMap<TargetsKey, JobId>,
    /// The oldest first.
    ended: VecDeque<Arc<Job>>,
    /// What these were to warm, together.
    ended_targets: usize,
    /// Targets of running jobs that may not have begun, by split and request.
    pending: HashMap<(Path, Fingerprint), Pending>,
}

struct Pending {
    split: SplitAddress,
    request: Arc<SearchRequest>,
    jobs: usize,
}

/// Who asked, and the splits and requests in order.
#[derive(Clone, Eq, Hash, PartialEq)]
struct TargetsKey(String, Vec<(Path, Fingerprint)>);

impl TargetsKey {
    fn of(source: &str, targets: &[Target]) -> Self {
        let mut keys: Vec<_> = targets.iter().map(key).collect();
        keys.sort();
        Self(source.to_owned(), keys)
    }
}

fn key(target: &Target) -> (Path, Fingerprint) {
    (target.split.path().clone(), target.request.fingerprint())
}

impl Jobs {
    /// The running job of `source` that warms the same, or a new one; and whether it is new.
    pub(super) fn find_or_add(&self, source: &str, targets: Vec<Target>) -> (Arc<Job>, bool) {
        let by_targets = TargetsKey::of(source, &targets);
        let mut state = self.lock();
        let known = state.by_targets.get(&by_targets);
        if let Some(job) = known.and_then(|id| state.running.get(id))
            && !job.is_ended()
        {
            return (Arc::clone(job), false);
        }
        let id = JobId(self.next.fetch_add(1, Ordering::Relaxed));
        for target in &targets {
            let pending = state.pending.entry(key(target)).or_insert_with(|| Pending {
                split: target.split.clone(),
                request: Arc::clone(&target.request),
                jobs: 0,
            });
            pending.jobs += 1;
        }
        let job = Job::new(id, source, targets);
        state.running.insert(id, Arc::clone(&job));
        list::RUNNING_JOBS.increment();
        state.by_targets.insert(by_targets, id);
        (job, true)
    }

    /// The request of a target of a running job, so that whoever needs it need not wait for its
    /// turn.
    pub(super) fn pending(
        &self,
        split: &Path,
        fingerprint: Fingerprint,
    ) -> Option<(SplitAddress, Arc<SearchRequest>)> {
        let state = self.lock();
        let pending = state.pending.get(&(split.clone(), fingerprint))?;
        Some((pending.split.clone(), Arc::clone(&pending.request)))
    }

    /// Moves a job that has ended to those that are kept to be looked at.
    pub(super) fn retire(&self, job: &Arc<Job>, keep: usize, keep_for: Duration) {
        let mut state = self.lock();
        if state.running.remove(&job.id).is_none() {
            return;
        }
        list::RUNNING_JOBS.decrement();
        let by_targets = TargetsKey::of(&job.source, &job.targets);
        if state.by_targets.get(&by_targets) == Some(&job.id) {
            state.by_targets.remove(&by_targets);
        }
        for target in &job.targets {
            let key = key(target);
            if let Some(pending) = state.pending.get_mut(&key) {
                pending.jobs -= 1;
                if pending.jobs == 0 {
                    state.pending.remove(&key);
                }
            }
        }
        state.ended_targets += job.targets.len();
        state.ended.push_back(Arc::clone(job));
        state.forget(keep, keep_for);
    }

    /// The job of that name.
    pub(super) fn get(&self, id: JobId, keep: usize, keep_for: Duration) -> Option<Arc<Job>> {
        let mut state = self.lock();
        state.forget(keep, keep_for);
        let ended = || state.ended.iter().find(|job| job.id == id).cloned();
        state.running.get(&id).cloned().or_else(ended)
    }

    /// All that run, then those that have ended, the oldest first.
    pub(super) fn all(&self, keep: usize, keep_for: Duration) -> Vec<Arc<Job>> {
        let mut state = self.lock();
        state.forget(keep, keep_for);
        let ended = state.ended.iter().cloned().collect::<Vec<_>>();
        state.running.values().cloned().chain(ended).collect()
    }

    pub(super) fn running(&self) -> Vec<Arc<Job>> {
        self.lock().running.values().cloned().collect()
    }

    /// Whether none runs.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().running.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self, keep: usize, keep_for: Duration) {
        let now = Instant::now();
        let is_old = |job: &Arc<Job>| {
            let ended = job.ended().unwrap_or(now);
            now.duration_since(ended) > keep_for
        };
        while let Some(oldest) = self.ended.front() {
            let is_full = self.ended.len() > keep || self.ended_targets > KEPT_TARGETS;
            if !is_full && !is_old(oldest) {
                break;
            }
            self.ended_targets -= oldest.targets.len();
            self.ended.pop_front();
        }
    }
}
