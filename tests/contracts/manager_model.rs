//! The registry of a manager against a simple model: whatever is done in whatever order.

use std::collections::BTreeSet;
use std::time::Duration;

use forewarm::{JobHandle, JobState, Manager, ManagerSettings, Outcome, SearchOptions, Warming};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::fixture::{request, settings, warmer};
use crate::manager::{PATIENCE, SPLITS, have_gone, splits};
use crate::test_store::TestStore;

/// One thing that somebody does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Prewarm(usize, u64),
    Join(usize, u64),
    Search(usize, u64),
    Cancel(usize),
    Evict,
    Clear,
    Switch(bool),
    Settle,
    Shutdown,
}

fn act() -> impl Strategy<Value = Act> {
    let split = 0..SPLITS as usize;
    prop_oneof![
        6 => (split.clone(), 0..3_u64).prop_map(|(split, of)| Act::Prewarm(split, of)),
        4 => (split.clone(), 0..3_u64).prop_map(|(split, of)| Act::Join(split, of)),
        3 => (split, 0..3_u64).prop_map(|(split, of)| Act::Search(split, of)),
        2 => (0..8_usize).prop_map(Act::Cancel),
        2 => Just(Act::Evict),
        2 => Just(Act::Clear),
        1 => any::<bool>().prop_map(Act::Switch),
        3 => Just(Act::Settle),
        1 => Just(Act::Shutdown),
    ]
}

/// What must be known of a manager to say what it may answer.
#[derive(Default)]
struct Model {
    off: bool,
    stopped: bool,
    /// Splits and requests that somebody asked for and nobody let go of.
    asked: BTreeSet<(usize, u64)>,
    /// Whether every job has ended, so that only what lingers is there to be joined.
    quiet: bool,
}

impl Model {
    /// What has finished is let go of; what runs stays. Answers with what is surely gone.
    fn evict(&mut self) -> BTreeSet<(usize, u64)> {
        match self.quiet {
            true => std::mem::take(&mut self.asked),
            false => BTreeSet::new(),
        }
    }
}

async fn follow(acts: &[Act]) {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let two = ManagerSettings::default().with_max_concurrent_warmups(2);
    let manager = Manager::new(warmer(store.clone(), settings()), two).unwrap();
    let request = |of: u64| request(json!({"term": {"tag": format!("t{of}")}}));
    let mut model = Model::default();
    let mut jobs = Vec::new();
    for &act in acts {
        match act {
            Act::Prewarm(split, of) => {
                let job = manager.prewarm(&splits[split..], &request(of));
                let status = job.status();
                if model.off || model.stopped {
                    let known = jobs.iter().any(|known: &JobHandle| known.id() == job.id());
                    assert!(known || status.state == JobState::Skipped);
                } else {
                    assert_ne!(status.state, JobState::Skipped);
                    model.quiet = false;
                    model
                        .asked
                        .extend((split..splits.len()).map(|split| (split, of)));
                }
                jobs.push(job);
            }
            Act::Join(split, of) => {
                let outcome = manager.join(&splits[split], request(of).fingerprint(), PATIENCE);
                let outcome = outcome.await;
                assert!(
                    outcome.is_warm() || matches!(outcome, Outcome::Missing),
                    "{outcome:?}"
                );
                if !model.asked.contains(&(split, of)) {
                    assert!(matches!(outcome, Outcome::Missing), "{outcome:?}");
                }
            }
            Act::Search(split, of) => {
                let options = SearchOptions::default().with_warming(Warming::JoinOnly);
                let one = std::slice::from_ref(&splits[split]);
                let warmer = manager.warmer();
                let response = warmer
                    .search_with_options(one, &request(of), &options)
                    .await;
                let total = response.unwrap().hits.total.unwrap().value;
                assert_eq!(total, (100 + split as u64 - of).div_ceil(5));
            }
            Act::Cancel(job) => {
                if let Some(job) = jobs.get(job) {
                    job.cancel();
                    assert!(job.status().state.is_finished());
                }
            }
            Act::Evict | Act::Clear => {
                match act {
                    Act::Evict => manager.warmer().forget_warmups(),
                    _ => manager.clear_all().await,
                }
                for (split, of) in model.evict() {
                    let outcome = manager.join(&splits[split], request(of).fingerprint(), PATIENCE);
                    let outcome = outcome.await;
                    assert!(matches!(outcome, Outcome::Missing), "{outcome:?}");
                }
            }
            Act::Switch(on) => {
                manager.set_enabled(on);
                model.off = !on;
            }
            Act::Settle => {
                for job in &jobs {
                    let status = job.wait(PATIENCE).await;
                    assert!(status.state.is_finished());
                    assert_eq!(status.finished, status.splits);
                }
                have_gone(&manager, &jobs).await;
                model.quiet = true;
            }
            Act::Shutdown => {
                manager.shutdown(PATIENCE).await;
                model.stopped = true;
                model.quiet = true;
                assert!(jobs.iter().all(|job| job.status().state.is_finished()));
            }
        }
    }
    manager.shutdown(PATIENCE).await;
    for job in &jobs {
        let status = job.status();
        assert!(status.state.is_finished(), "{status:?}");
        assert!(status.items.iter().all(|item| item.state.is_finished()));
        assert!(
            !status
                .items
                .iter()
                .any(|item| item.state == JobState::Failed),
            "{status:?}"
        );
    }
    let ended: u64 = manager.snapshot().ended_jobs.values().sum();
    let ids: BTreeSet<_> = jobs.iter().map(JobHandle::id).collect();
    assert_eq!(ended, ids.len() as u64);
    drop(jobs);
    manager.clear_all().await;
    // The work of a warmup that is done, or given up, lets go of its lease a moment later.
    let leased = || manager.warmer().statistics().leased_bytes;
    let all_gone = async {
        while leased() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(10), all_gone).await;
    assert!(gone.is_ok(), "{} bytes stay leased", leased());
}

#[test]
fn whatever_is_done_in_whatever_order_every_job_ends_as_it_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let acts = proptest::collection::vec(act(), 1..24);
    TestRunner::new(config)
        .run(&acts, |acts| {
            runtime.block_on(follow(&acts));
            Ok(())
        })
        .unwrap();
}
