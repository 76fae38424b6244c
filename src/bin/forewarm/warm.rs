//! `forewarm warm`: one warmup, of a request or of components, and what it asked of the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use forewarm::{
    ComponentReport, ComponentSelection, GetOutcome, GetTrace, Outcome as Joined, SearchRequest,
    Warmer, WarmerSettings,
};
use futures_util::future::join_all;
use serde::Serialize;

use crate::args::{RequestArgs, SelectionArgs, SimulateArgs, StoreArgs};
use crate::components::Selected;
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
  forewarm warm splits/ --component terms,postings,positions,norms --field title
  forewarm warm splits/ --component columns --field price --field repo.stars
  forewarm warm splits/ --field title               all components that the field has
  forewarm warm splits/ --component store           all stored documents
  forewarm warm splits/ --body body.json --component columns
";

/// Warm splits for a request or by component, and show what that asked of the store
///
/// Starts the warmup of each split, joins all of them, and prints how they ended, with GETs,
/// bytes, rounds and time. Nothing is searched.
///
/// Without a request, --component and --field warm these components of these fields whole,
/// whatever will be asked of them; of a request, only what it reads of them. Their bytes are told
/// beyond the hot ones, which opening a split brings. What a field does not have is an error, as is
/// the store of a field or of a request, and more than the cache holds.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = EXAMPLES,
    group = ArgGroup::new("what")
        .required(true)
        .multiple(true)
        .args(["body", "query", "component", "field"])
)]
pub(crate) struct WarmArgs {
    /// A split, or a prefix that holds *.split
    #[arg(value_name = "URL")]
    url: String,

    #[command(flatten)]
    request: RequestArgs,

    #[command(flatten)]
    selection: SelectionArgs,

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
    /// What is selected by component and field, of all splits together.
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<Selected>,
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
    /// What is selected by component and field.
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<ComponentReport>,
    trace: Vec<GetTrace>,
}

/// What is to be warmed.
struct Wanted {
    request: Option<SearchRequest>,
    /// Everything that the request reads, if it is none.
    selection: Option<ComponentSelection>,
}

impl Wanted {
    async fn new(args: &WarmArgs) -> Outcome<Self> {
        let RequestArgs { body, query } = &args.request;
        let request = match body.as_ref().or(query.as_ref()) {
            Some(_) => Some(engine::request(&args.request).await?),
            None => None,
        };
        let SelectionArgs { component, field } = args.selection.clone();
        let is_any = !component.is_empty() || !field.is_empty();
        let selection = is_any.then(|| {
            let selection = ComponentSelection::default();
            selection.with_components(component).with_fields(field)
        });
        let checked = selection.as_ref().map(|selection| match request {
            Some(_) => selection.validate_for_request(),
            None => selection.validate(),
        });
        match checked.transpose() {
            Ok(_) => Ok(Self { request, selection }),
            Err(error) => Err(Failure::usage(error.chain())),
        }
    }

    /// In words, for the drawing.
    fn shown(&self) -> Outcome<String> {
        let request = match &self.request {
            Some(request) => Some(request.to_value()?.to_string()),
            None => None,
        };
        let selection = self.selection.as_ref().map(ToString::to_string);
        let parts: Vec<_> = selection.into_iter().chain(request).collect();
        Ok(parts.join(" for "))
    }

    /// Warms, and joins, all splits.
    async fn warm(
        &self,
        warmer: &Warmer,
        splits: &Splits,
        deadline: Duration,
        joined: impl Fn(),
    ) -> Outcome<Vec<Warmed>> {
        let (splits, joined) = (&splits.addresses, &joined);
        let warmups = match (&self.selection, &self.request) {
            (None, None) => return Err(Failure::usage("nothing to warm is named")),
            (None, Some(request)) => {
                let warmups = warmer.warm_many(splits, request);
                let warmed = warmups.into_iter().map(|warmup| async move {
                    let outcome = warmup.join(deadline).await;
                    joined();
                    let (path, left_out) = (warmup.path(), warmup.left_out_of_trace());
                    Warmed::new(path.to_string(), &outcome, warmup.trace(), left_out)
                });
                return Ok(join_all(warmed).await);
            }
            (Some(selection), None) => warmer.warm_components(splits, selection).await?,
            (Some(selection), Some(request)) => {
                let warmups = warmer.warm_components_for(splits, request, selection);
                warmups.await?
            }
        };
        let warmed = warmups.into_iter().map(|warmup| async move {
            let outcome = warmup.join(deadline).await;
            joined();
            let (path, left_out) = (warmup.path(), warmup.left_out_of_trace());
            let warmed = Warmed::new(path.to_string(), &outcome, warmup.trace(), left_out);
            Warmed {
                selected: Some(warmup.report().clone()),
                ..warmed
            }
        });
        Ok(join_all(warmed).await)
    }
}

impl Warmed {
    fn new(path: String, outcome: &Joined, trace: Vec<GetTrace>, left_out: u64) -> Self {
        Self {
            path,
            outcome: outcome.name(),
            gets: trace.len() as u64 + left_out,
            bytes: trace.iter().map(|get| get.bytes).sum(),
            rounds: trace.iter().map(|get| get.round).max().unwrap_or(0),
            time_us: trace.iter().map(|get| get.ended_us).max().unwrap_or(0),
            failure: match outcome {
                Joined::Failed(error) => Some(error.chain()),
                _ => None,
            },
            selected: None,
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
    let wanted = Wanted::new(args).await?;
    let splits = place.splits().await?;
    let report = warm(args, &splits, &wanted).await?;
    if let Some(path) = &args.trace {
        write_trace(path, args, &wanted, &splits, &report).await?;
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

async fn warm(args: &WarmArgs, splits: &Splits, wanted: &Wanted) -> Outcome<Report> {
    let store = engine::simulate(Arc::clone(&splits.store), args.simulate);
    let settings = WarmerSettings::default().with_trace(true);
    let warmer = Warmer::builder(store).settings(settings).build()?;
    let progress = Progress::over_items("warming", splits.addresses.len() as u64);
    let bar = progress.bar();
    let started = Instant::now();
    let warming = wanted.warm(&warmer, splits, args.deadline, || bar.inc(1));
    let splits = warming.await?;
    let time_us = started.elapsed().as_micros() as u64;
    let total = Total {
        gets: splits.iter().map(|split| split.gets).sum(),
        bytes: splits.iter().map(|split| split.bytes).sum(),
        rounds: splits.iter().map(|split| split.rounds).max().unwrap_or(0),
        time_us,
        warm: splits.iter().filter(|split| split.is_warm()).count(),
    };
    let reports = splits.iter().filter_map(|split| split.selected.as_ref());
    Ok(Report {
        selected: Selected::of(reports),
        splits,
        total,
    })
}

async fn write_trace(
    path: &str,
    args: &WarmArgs,
    wanted: &Wanted,
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
    let page = trace_page(&args.url, &wanted.shown()?, &drawn)?;
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
    if let Some(selected) = &report.selected {
        selected.print(session)?;
    }
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
