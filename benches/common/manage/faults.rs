//! Warmups that fail, are late or were never asked for: the reader finds the same.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    Manager, ManagerSettings, OnMiss, SearchOptions, SimulatedSettings, StoreSettings, Warmer,
    WarmerSettings, Warming,
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
    // Each warmup fails at its first GET, or all are slow until the reader has given up.
    let is_slow = fault == "timed_out";
    store.be_ill_for(if is_slow {
        usize::MAX
    } else {
        case.splits.len()
    });
    let job = manager.prewarm(case.splits, &case.request);
    if is_slow {
        options = options.with_join_deadline(HURRY);
    }
    let search = manager.search(case.splits, &case.request, &options);
    let recovery = async {
        if is_slow {
            tokio::time::sleep(HURRY).await;
            store.be_ill_for(0);
        }
    };
    let (found, ()) = tokio::join!(search, recovery);
    let found = found?;
    if !job.wait(PATIENCE).await.state.is_finished() {
        return Err("the job has not ended".into());
    }
    Ok((found.report.outcome, corpus::answer(&found)?))
}

/// A manager whose GETs are tried once, over a store that is well.
fn manager(
    case: &Case<'_>,
    plain: &Arc<dyn ObjectStore>,
    ill: SimulatedSettings,
) -> Outcome<(Manager, Arc<Switched>)> {
    let store = Switched::new(plain, corpus::steady(), ill);
    let settings = WarmerSettings::default()
        .with_on_miss(OnMiss::Fetch)
        .with_store(StoreSettings::default().with_max_attempts(1));
    let builder = Warmer::builder(store.clone()).settings(settings);
    let warmer = builder.pool(Arc::clone(&case.bench.pool)).build()?;
    Ok((Manager::new(warmer, ManagerSettings::default())?, store))
}
