//! `forewarm bench`: the ways to warm a search, held against each other.

mod args;
mod figures;
#[cfg(feature = "sstable")]
mod forget;
#[cfg(not(feature = "sstable"))]
#[path = "no_forget.rs"]
mod forget;
mod measured;
mod oracle;
mod summary;
mod targets;
mod track;
mod ways;

use std::sync::Arc;
use std::time::Duration;

use forewarm::{ResidentSplits, SimulatedSettings, Warmer};
use serde::Serialize;

pub(crate) use self::args::BenchArgs;
pub(crate) use self::figures::Spread;
use self::forget::Forget;
pub(crate) use self::measured::{Measured, Setting};
pub(crate) use self::summary::{Summary, time};
use self::targets::Target;
use self::track::{Body, Conditions, Track};
pub(crate) use self::ways::Way;
use crate::args::RequestArgs;
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::report::{self, Places};
use crate::session::{Progress, Session};
use crate::units;
use crate::url::Place;

/// What the command answers.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) splits: usize,
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    pub(crate) settings: Vec<Run>,
}

/// One latency.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) ways: Vec<Summary>,
    pub(crate) targets: Vec<Target>,
    #[serde(flatten)]
    pub(crate) setting: Setting,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &BenchArgs) -> Outcome {
    let bodies = bodies(args).await?;
    let mut report = Report {
        splits: 0,
        documents: 0,
        bytes: 0,
        settings: Vec::new(),
    };
    let track = set_up(args, &mut report).await?;
    let ways = args.asked_ways();
    for latency in &args.latency {
        let message = format!("{} to the first byte", units::duration(*latency));
        let progress = Progress::over_items(&message, bodies.len() as u64);
        let conditions = Conditions {
            store: store(args, *latency),
            ways: ways.clone(),
            repeat: args.repeat,
            pairs: args.pairs,
        };
        let mut measured = Vec::with_capacity(bodies.len());
        for body in &bodies {
            let run = track.measure(body, &conditions).await;
            let during = format!("{}:{}", args.bodies, body.line);
            measured.push(run.map_err(|failure| failure.during(&during))?);
            progress.bar().inc(1);
        }
        drop(progress);
        let setting = Setting {
            latency_ms: latency.as_secs_f64() * 1e3,
            bandwidth: args.bandwidth,
            tail: args.asked_tail(),
            bodies: measured,
        };
        report.settings.push(Run {
            ways: summary::of(&setting, &ways),
            targets: targets::of(&setting),
            setting,
        });
    }
    if let Some(path) = &args.report {
        write_report(path, args, &track, &report).await?;
    }
    if session.json() {
        session.print_json(&report)?;
    } else {
        summary::print(session, &report)?;
    }
    check(args, &report)
}

async fn bodies(args: &BenchArgs) -> Outcome<Vec<Body>> {
    let named = RequestArgs {
        body: Some(args.bodies.clone()),
        query: None,
    };
    let requests = engine::requests(&named).await?;
    let requests = match requests {
        Some(requests) => requests,
        None => vec![(1, engine::request(&named).await?)],
    };
    let some = args.first.unwrap_or(usize::MAX);
    let bodies = requests.into_iter().take(some).map(|(line, request)| {
        let text = request.to_value()?.to_string();
        Ok(Body {
            line,
            text,
            request,
        })
    });
    let bodies = bodies.collect::<Outcome<Vec<Body>>>()?;
    if bodies.is_empty() {
        return Err(Failure::failed(format!("{} holds no body", args.bodies)));
    }
    Ok(bodies)
}

/// Loads what the ideal searches, and what all ways share.
async fn set_up(args: &BenchArgs, report: &mut Report) -> Outcome<Track> {
    let place = Place::to_read(&args.url, &args.store.option)?;
    let splits = place.splits().await?;
    let _progress = Progress::spinner("loading");
    let pool = rayon::ThreadPoolBuilder::new()
        .build()
        .map_err(|error| Failure::caused("cannot start the search pool", &error))?;
    let pool = Arc::new(pool);
    let warmer = Warmer::builder(Arc::clone(&splits.store)).pool(Arc::clone(&pool));
    let warmer = warmer.build()?;
    let mut addresses = Vec::with_capacity(splits.addresses.len());
    for address in &splits.addresses {
        let split = warmer.open(address).await?;
        report.splits += 1;
        report.documents += split.num_docs();
        report.bytes += split.size();
        addresses.push(split.address());
    }
    let resident = ResidentSplits::load(&warmer, &addresses, args.memory).await?;
    let forget = Forget::prepare(&splits.store, &warmer, &addresses, Arc::clone(&pool)).await?;
    Ok(Track {
        plain: splits.store,
        splits: addresses,
        pool,
        resident,
        forget,
        memory: args.memory,
        whole_splits: args.whole_splits,
        unplanned_gaps: args.unplanned_gaps,
    })
}

fn store(args: &BenchArgs, latency: Duration) -> SimulatedSettings {
    let mut settings = SimulatedSettings::default();
    settings.first_byte = latency;
    settings.bytes_per_second = args.bandwidth;
    settings.tail = args.asked_tail();
    settings.seed = args.seed;
    settings
}

async fn write_report(path: &str, args: &BenchArgs, track: &Track, report: &Report) -> Outcome {
    let warmer = track.warmer(Arc::clone(&track.plain)).build()?;
    let places = Places::of(&warmer, &track.splits).await?;
    let page = report::bench_page(report, &places, args.waterfalls)?;
    std::fs::write(path, page)
        .map_err(|error| Failure::caused(format!("cannot write {path}"), &error))
}

/// Fails when a target was missed and somebody wants to know.
fn check(args: &BenchArgs, report: &Report) -> Outcome {
    let targets = report.settings.iter().flat_map(|run| &run.targets);
    let missed: Vec<String> = targets
        .filter(|target| !target.met)
        .map(|target| format!("{} ({})", target.name, target.found))
        .collect();
    if !args.check || missed.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("missed: {}", missed.join("; "))))
}
