use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use object_store::path::Path;
use shuttle::future::{self, block_on, yield_now};
use shuttle::thread;
use tokio::runtime::Handle;

use crate::error::{Error, ErrorKind};
use crate::explore::explore;
use crate::filter::Fingerprint;
use crate::store::{Priority, Request, TrafficCounter, in_time};
use crate::warmup::outcome::Outcome;
use crate::warmup::registry::Registry;
use crate::warmup::task::{Task, Warmup, WarmupKey};
use crate::warmup::warmed::Warmed;

/// Too long for anybody to wait for, so that nothing is swept.
pub(super) const EVER: Duration = Duration::from_secs(1 << 30);

/// A registry, and what was begun, finished and given up in it.
#[derive(Clone)]
pub(super) struct Rig {
    pub(super) registry: Arc<Registry>,
    pub(super) counts: Arc<Counts>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) begun: AtomicUsize,
    pub(super) ended: AtomicUsize,
}

/// How the work of a warmup goes.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// It ends when it is given up.
    Endless,
    /// Its first run does.
    FailsOnce,
    Works,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::of(u64::MAX)
    }

    /// With so many bytes for warmups that linger.
    pub(super) fn of(linger_bytes: u64) -> Self {
        Self {
            registry: Registry::new(EVER, linger_bytes, Handle::current()),
            counts: Arc::default(),
        }
    }

    pub(super) fn key(of: u8) -> WarmupKey {
        WarmupKey {
            path: Path::from("a.split"),
            fingerprint: Fingerprint(of),
        }
    }

    /// Asks for the warmup of `key`.
    pub(super) fn task(&self, key: &WarmupKey, work: Work) -> Arc<Task> {
        let now = Instant::now();
        self.registry
            .find_or_start(&key.path, key.fingerprint, now, |key| {
                let run = self.counts.begun.fetch_add(1, Ordering::SeqCst);
                let ended = Ended(Arc::clone(&self.counts));
                let traffic = TrafficCounter::of(&Request::default(), Priority::Prefetch);
                let runtime = self.registry.runtime();
                let (task, _) =
                    Task::start(key, &self.registry, runtime, traffic, true, async move {
                        let _ended = ended;
                        yield_now().await;
                        match work {
                            Work::Endless => pending().await,
                            Work::FailsOnce if run == 0 => {
                                Err(Error::new(ErrorKind::Store, "it fails"))
                            }
                            _ => Ok(Arc::new(Warmed { run, weight: 1000 })),
                        }
                    });
                task
            })
    }

    pub(super) fn find(&self, of: u8) -> Option<Arc<Task>> {
        let key = Self::key(of);
        self.registry
            .find(&key.path, key.fingerprint, Instant::now())
    }

    pub(super) fn warm(&self, of: u8, work: Work) -> Warmup {
        Warmup::new(self.task(&Self::key(of), work))
    }

    /// Waits until all that was begun has ended or been given up.
    pub(super) fn all_have_ended(&self) {
        let count = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        while count(&self.counts.ended) < count(&self.counts.begun) {
            thread::yield_now();
        }
    }
}

/// Counts a run when its work is dropped, finished or not.
struct Ended(Arc<Counts>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn all_who_ask_join_one_run_and_get_the_same() {
    explore(|| {
        let rig = Rig::new();
        let readers = [0, 1, 2].map(|_| {
            let rig = rig.clone();
            future::spawn(async move {
                let warmup = rig.warm(0, Work::Works);
                warmup.wait(in_time(EVER)).await
            })
        });
        for reader in readers {
            let (outcome, warmed) = block_on(reader).unwrap();
            assert!(outcome.is_warm(), "{outcome}");
            assert_eq!(warmed.map(|warmed| warmed.run), Some(0));
        }
        assert_eq!(rig.counts.begun.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn one_who_goes_cancels_nothing_for_those_who_stay() {
    explore(|| {
        let rig = Rig::new();
        let read = || {
            let warmup = rig.warm(0, Work::Works);
            future::spawn(async move { warmup.join(EVER).await })
        };
        let [goes, stays] = [read(), read()];
        let goer = thread::spawn(move || goes.abort());
        let outcome = block_on(stays).unwrap();
        assert!(outcome.is_warm(), "{outcome}");
        goer.join().unwrap();
        assert_eq!(rig.counts.begun.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn when_the_last_goes_it_is_given_up_and_the_next_is_begun_anew() {
    explore(|| {
        let rig = Rig::new();
        let handles = [rig.warm(0, Work::Works), rig.warm(0, Work::Works)];
        let goers = handles.map(|handle| thread::spawn(move || drop(handle)));
        // It comes while they go: it finds theirs and keeps it alive, finds what they left behind,
        // or begins one; it never waits for one that was given up.
        let warmup = rig.warm(0, Work::Works);
        let outcome = block_on(warmup.join(EVER));
        assert!(outcome.is_warm(), "{outcome}");
        goers.into_iter().for_each(|goer| goer.join().unwrap());
        rig.all_have_ended();
        let begun = rig.counts.begun.load(Ordering::SeqCst);
        assert!(begun <= 2, "{begun} were begun");
    });
}

#[test]
fn what_nobody_holds_any_more_is_given_up() {
    explore(|| {
        let rig = Rig::new();
        let handles = [0, 1].map(|_| rig.warm(0, Work::Endless));
        let goers = handles.map(|handle| thread::spawn(move || drop(handle)));
        goers.into_iter().for_each(|goer| goer.join().unwrap());
        assert!(rig.find(0).is_none());
        rig.all_have_ended();
    });
}

#[test]
fn what_finishes_while_its_last_holder_goes_is_kept_whole_or_not_at_all() {
    explore(|| {
        let rig = Rig::new();
        let handle = rig.warm(0, Work::Works);
        let goer = thread::spawn(move || drop(handle));
        rig.all_have_ended();
        goer.join().unwrap();
        // What is found has finished, or is about to; nobody waits for it in vain.
        if let Some(task) = rig.find(0) {
            let outcome = block_on(Warmup::new(task).join(EVER));
            assert!(outcome.is_warm(), "{outcome}");
        }
    });
}

#[test]
fn what_is_detached_runs_to_its_end_and_is_found() {
    explore(|| {
        let rig = Rig::new();
        rig.warm(0, Work::Works).detach();
        let other = rig.warm(0, Work::Works);
        let goer = thread::spawn(move || drop(other));
        rig.all_have_ended();
        goer.join().unwrap();
        let found = rig.find(0).map(Warmup::new);
        let outcome = found.map(|warmup| block_on(warmup.join(EVER)));
        assert!(outcome.is_some_and(|outcome| outcome.is_warm()));
        assert_eq!(rig.counts.begun.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn what_has_failed_may_go_while_the_next_is_begun() {
    explore(|| {
        let rig = Rig::new();
        let failed = rig.warm(0, Work::FailsOnce);
        assert!(!block_on(failed.join(EVER)).is_warm());
        assert!(rig.find(0).is_none());
        let goer = thread::spawn(move || drop(failed));
        let outcome = block_on(rig.warm(0, Work::FailsOnce).join(EVER));
        assert!(outcome.is_warm(), "{outcome}");
        goer.join().unwrap();
    });
}

#[test]
fn a_failure_is_told_to_all_who_wait_and_the_next_is_begun_anew() {
    explore(|| {
        let rig = Rig::new();
        let readers = [0, 1].map(|_| {
            let rig = rig.clone();
            future::spawn(async move {
                let warmup = rig.warm(0, Work::FailsOnce);
                (warmup.join(EVER).await, warmup)
            })
        });
        // They keep what failed.
        let read = readers.map(|reader| block_on(reader).unwrap());
        let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
        let outcomes = read.each_ref().map(|(outcome, _)| outcome);
        let begun = rig.counts.begun.load(Ordering::SeqCst);
        match begun {
            1 => assert!(outcomes.into_iter().all(failed)),
            2 => assert_eq!(outcomes.into_iter().filter(|it| failed(it)).count(), 1),
            _ => panic!("{begun} were begun"),
        }
        let first = rig.warm(0, Work::FailsOnce);
        let outcome = block_on(first.join(EVER));
        assert!(outcome.is_warm(), "{outcome}");
        assert_eq!(rig.counts.begun.load(Ordering::SeqCst), 2);
    });
}
