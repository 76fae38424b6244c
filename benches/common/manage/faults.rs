//! Warmups that fail, are late or were never asked for: the reader finds the same.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    JobState, Manager, ManagerSettings, OnMiss, SearchOptions, SimulatedSettings, StoreSettings,
    Warmer, WarmerSettings, Warming,
};
use object_store::ObjectStore;

use super::corpus;
use super::switched::Switched;
use super::two_phase::Case;
use crate::soaked::Outcome;
use crate::targets::Targets;

const PATIENCE: Duration = Duration::from_secs(600);
/// How long a reader waits for what is slow.
const HURRY: Duration = Duration::from_millis(20);

pub async fn measure(
    case: &Case<'_>,
    plain: &Arc<dyn ObjectStore>,
    targets: &mut Targets,
) -> Outcome<()> {
    let right = corpus::answer(&case.resident.search(&case.request).await?)?;
    for fault in ["failed", "timed_out", "missing"] {
        let found = search_despite(case, plain, fault).await;
        let (measured, holds) = match &found {
            Ok((outcome, _)) if *outcome != fault => (format!("was {outcome}"), false),
            Ok((_, answer)) if *answer != right => ("another answer".to_owned(), false),
            Ok(_) => ("the same answer".to_owned(), true),
            Err(error) => (format!("failed: {error}"), false),
        };
        let what = format!(
            "{:>3} splits, the warmups are {}",
            case.splits.len(),
            fault.replace('_', " ")
        );
        targets.add(what, "the answer of RAM", measured, holds);
    }
    Ok(())
}

/// The outcome that a search reports whose warmups fared so, and its answer.
async fn search_despite(
    case: &Case<'_>,
    plain: &Arc<dyn ObjectStore>,
    fault: &str,
) -> Outcome<(&'static str, String)> {
    let mut ill = corpus::steady();
    match fault {
        "failed" => ill.error = 1.0,
        _ => ill.slow = 1.0,
    }
    let (manager, store) = manager(case, plain, ill)?;
    let mut options = SearchOptions::default();
    if fault == "missing" {
        options = options.with_warming(Warming::JoinOnly);
        let found = manager.search(case.splits, &case.request, &options).await?;
        return Ok((found.report.outcome, corpus::answer(&found)?));
    }
    store.set_ill(true);
    let job = manager.prewarm(case.splits, &case.request);
    if fault == "timed_out" {
        options = options.with_join_deadline(HURRY);
    }
    let search = manager.search(case.splits, &case.request, &options);
    // The reader is there before the warmups end; the store recovers before it reads on demand.
    let recovery = async {
        if fault == "failed" {
            let state = job.wait(PATIENCE).await.state;
            store.set_ill(false);
            state
        } else {
            tokio::time::sleep(HURRY).await;
            store.set_ill(false);
            job.wait(PATIENCE).await.state
        }
    };
    let (found, state) = tokio::join!(search, recovery);
    let expected = if fault == "failed" {
        JobState::Failed
    } else {
        JobState::Complete
    };
    if state != expected {
        return Err(format!("the job is {}", state.name()).into());
    }
    let found = found?;
    Ok((found.report.outcome, corpus::answer(&found)?))
}

/// A manager whose GETs are tried once, and which is not slowed down for long by a store that refuses
/// them; the store is well.
fn manager(
    case: &Case<'_>,
    plain: &Arc<dyn ObjectStore>,
    ill: SimulatedSettings,
) -> Outcome<(Manager, Arc<Switched>)> {
    let store = Switched::new(plain, corpus::steady(), ill);
    let gets = StoreSettings::default()
        .with_max_attempts(1)
        .with_throttle_pause(Duration::from_millis(1))
        .with_max_throttle_pause(Duration::from_millis(10));
    let settings = WarmerSettings::default()
        .with_on_miss(OnMiss::Fetch)
        .with_store(gets);
    let builder = Warmer::builder(store.clone()).settings(settings);
    let warmer = builder.pool(Arc::clone(&case.bench.pool)).build()?;
    Ok((Manager::new(warmer, ManagerSettings::default())?, store))
}
