//! `forewarm warm`: one warmup, and what it asked of the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use forewarm::{
    GetOutcome, GetTrace, Outcome as Joined, SearchRequest, Warmer, WarmerSettings, Warmup,
};
use futures_util::future::join_all;
use serde::Serialize;

use crate::args::{RequestArgs, SimulateArgs, StoreArgs};
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::report::{Places, Waterfall, trace_page};
use crate::session::{Progress, Session};
use crate::table::{self, Lean};
use crate::tap::Get;
use crate::units::{self, parse_duration};
use crate::url::{Place, Splits};

const EXAMPLES: &str = "\
Examples:
  forewarm warm splits/ --query 'title:rust'
  forewarm warm s3://bucket/logs --body body.json --trace trace.html
  forewarm warm splits/ --query rust --simulate-latency 30ms --trace trace.html --json
";

/// Warm splits for a request, and show what that asked of the store
///
/// Starts the warmup of each split, joins all of them, and prints how they ended, with GETs,
/// bytes, rounds and time. Nothing is searched.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct WarmArgs {
    /// A split, or a prefix that holds *.split
    #[arg(value_name = "URL")]
    url: String,

    #[command(flatten)]
    request: RequestArgs,

    /// Draw the requests to the store as a waterfall in this HTML file
    #[arg(long, value_name = "FILE")]
    trace: Option<String>,

    /// Fail if a split is not warm in the end
    #[arg(long)]
    strict: bool,

    /// Wait this long for the warmups
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    deadline: Duration,

    #[command(flatten)]
    simulate: SimulateArgs,

    #[command(flatten)]
    store: StoreArgs,
}

/// What the command answers.
#[derive(Debug, Serialize)]
struct Report {
    splits: Vec<Warmed>,
    total: Total,
}

/// All splits together.
#[derive(Debug, Default, Serialize)]
struct Total {
    gets: u64,
    bytes: u64,
    /// On the longest chain.
    rounds: u64,
    time_us: u64,
    /// Splits that are warm.
    warm: usize,
}

/// One split.
#[derive(Debug, Serialize)]
struct Warmed {
    path: String,
    outcome: &'static str,
    gets: u64,
    bytes: u64,
    rounds: u64,
    /// From the start to the last byte.
    time_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    trace: Vec<GetTrace>,
}

impl Warmed {
    fn new(warmup: &Warmup, outcome: &Joined) -> Self {
        let trace = warmup.trace();
        Self {
            path: warmup.path().to_string(),
            outcome: outcome.name(),
            gets: trace.len() as u64 + warmup.left_out_of_trace(),
            bytes: trace.iter().map(|get| get.bytes).sum(),
            rounds: trace.iter().map(|get| get.round).max().unwrap_or(0),
            time_us: trace.iter().map(|get| get.ended_us).max().unwrap_or(0),
            failure: match outcome {
                Joined::Failed(error) => Some(error.chain()),
                _ => None,
            },
            trace,
        }
    }

    fn is_warm(&self) -> bool {
        matches!(self.outcome, "ready" | "waited")
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &WarmArgs) -> Outcome {
    let place = Place::to_read(&args.url, &args.store.option)?;
    let request = engine::request(&args.request).await?;
    let splits = place.splits().await?;
    let report = warm(args, &splits, &request).await?;
    if let Some(path) = &args.trace {
        write_trace(path, args, &request, &splits, &report).await?;
    }
    if session.json() {
        session.print_json(&report)?;
    } else {
        print(session, &report)?;
    }
    let cold = report.splits.len() - report.total.warm;
    if args.strict && cold > 0 {
        return Err(Failure::failed(format!(
            "{} not warm",
            units::counted(cold as u64, "split")
        )));
    }
    Ok(())
}

async fn warm(args: &WarmArgs, splits: &Splits, request: &SearchRequest) -> Outcome<Report> {
    let store = engine::simulate(Arc::clone(&splits.store), args.simulate);
    let settings = WarmerSettings::default().with_trace(true);
    let warmer = Warmer::builder(store).settings(settings).build()?;
    let progress = Progress::over_items("warming", splits.addresses.len() as u64);
    let bar = progress.bar();
    let started = Instant::now();
    let warmups = warmer.warm_many(&splits.addresses, request);
    let joins = warmups.iter().map(|warmup| async move {
        let outcome = warmup.join(args.deadline).await;
        bar.inc(1);
        outcome
    });
    let outcomes = join_all(joins).await;
    let time_us = started.elapsed().as_micros() as u64;
    let warmed = warmups.iter().zip(outcomes);
    let splits: Vec<Warmed> = warmed
        .map(|(warmup, outcome)| Warmed::new(warmup, &outcome))
        .collect();
    let total = Total {
        gets: splits.iter().map(|split| split.gets).sum(),
        bytes: splits.iter().map(|split| split.bytes).sum(),
        rounds: splits.iter().map(|split| split.rounds).max().unwrap_or(0),
        time_us,
        warm: splits.iter().filter(|split| split.is_warm()).count(),
    };
    Ok(Report { splits, total })
}

async fn write_trace(
    path: &str,
    args: &WarmArgs,
    request: &SearchRequest,
    splits: &Splits,
    report: &Report,
) -> Outcome {
    // The store as it is: what lies where need not be found out slowly.
    let plain = Warmer::builder(Arc::clone(&splits.store)).build()?;
    let opened = report.splits.iter().zip(&splits.addresses);
    let opened = opened.filter(|(split, _)| split.is_warm());
    let opened: Vec<_> = opened.map(|(_, address)| address.clone()).collect();
    let places = Places::of(&plain, &opened).await?;
    let gets = report.splits.iter().flat_map(|split| &split.trace);
    let gets: Vec<Get> = gets.map(Get::from).collect();
    let title = format!(
        "{} warm in {}",
        units::counted(report.total.warm as u64, "split"),
        micros(report.total.time_us)
    );
    let drawn = [Waterfall::of(&title, &gets, &places, None)];
    let page = trace_page(&args.url, &request.to_value()?.to_string(), &drawn)?;
    std::fs::write(path, page)
        .map_err(|error| Failure::caused(format!("cannot write {path}"), &error))
}

impl From<&GetTrace> for Get {
    fn from(trace: &GetTrace) -> Self {
        Self {
            path: trace.path.clone(),
            range: trace.range.clone(),
            asked_us: trace.asked_us,
            sent_us: trace.sent_us,
            first_byte_us: trace.first_byte_us,
            ended_us: trace.ended_us,
            bytes: trace.bytes,
            round: trace.round,
            failed: trace.outcome != GetOutcome::Ok,
        }
    }
}

fn micros(micros: u64) -> String {
    units::duration(Duration::from_micros(micros))
}

fn print(session: &Session, report: &Report) -> Outcome {
    let columns = [
        ("split", Lean::Left),
        ("outcome", Lean::Left),
        ("GETs", Lean::Right),
        ("bytes", Lean::Right),
        ("rounds", Lean::Right),
        ("time", Lean::Right),
    ];
    let mut table = table::table(&columns);
    for split in &report.splits {
        table.add_row([
            split.path.clone(),
            split.outcome.to_owned(),
            units::count(split.gets),
            units::bytes(split.bytes),
            units::count(split.rounds),
            micros(split.time_us),
        ]);
    }
    session.print(table::text(&table))?;
    for split in &report.splits {
        if let Some(failure) = &split.failure {
            session.note(format!("warning: {} is not warm: {failure}", split.path));
        }
    }
    session.print(format!(
        "{} of {} warm in {}: {}, {}, {}",
        report.total.warm,
        units::counted(report.splits.len() as u64, "split"),
        micros(report.total.time_us),
        units::counted(report.total.gets, "GET"),
        units::bytes(report.total.bytes),
        units::counted(report.total.rounds, "round")
    ))
}
