//! `forewarm explain`: what a warmup would fetch.

use forewarm::{Explanation, Traffic};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::args::ExplainArgs;
use crate::engine;
use crate::failure::Outcome;
use crate::session::{Progress, Session};
use crate::table::{self, Lean};
use crate::tree::tree;
use crate::units;
use crate::url::Place;

/// Splits looked at at once.
const AT_ONCE: usize = 16;

/// How many of a component's ranges are shown to people; JSON has them all.
const RANGES: usize = 2;

/// What the command answers.
#[derive(Debug, Serialize)]
struct Report {
    splits: Vec<Explanation>,
    /// All splits together, warmed beside each other: rounds are those of the longest chain.
    total: Traffic,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &ExplainArgs) -> Outcome {
    let place = Place::to_read(&args.url, &args.store.option)?;
    let request = engine::request(&args.request).await?;
    let splits = place.splits().await?;
    let store = engine::simulate(splits.store, args.simulate);
    let warmer = engine::warmer(store, false, None)?;
    let progress = Progress::over_items("explaining", splits.addresses.len() as u64);
    let (warmer, request, bar) = (&warmer, &request, progress.bar());
    let explained: Vec<Explanation> = stream::iter(&splits.addresses)
        .map(|address| async move {
            let explanation = warmer.explain(address, request).await?;
            bar.inc(1);
            Outcome::Ok(explanation)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    drop(progress);
    let totals = explained.iter().map(|explanation| explanation.total);
    let report = Report {
        total: totals.fold(Traffic::default(), Traffic::beside),
        splits: explained,
    };
    if session.json() {
        session.print_json(&report)
    } else {
        print(session, &report)
    }
}

fn print(session: &Session, report: &Report) -> Outcome {
    for split in &report.splits {
        print_split(session, split)?;
    }
    let lower_bound = report.splits.iter().any(|split| split.lower_bound);
    session.print(format!(
        "a cold warmup of {} costs {}{}",
        units::counted(report.splits.len() as u64, "split"),
        if lower_bound { "at least " } else { "" },
        traffic(report.total)
    ))
}

fn print_split(session: &Session, split: &Explanation) -> Outcome {
    session.print(&split.split)?;
    session.print(tree(&split.clauses).to_string().trim_end())?;
    if split.hopeless_segments > 0 {
        session.print(format!(
            "{} of {} hold no match, and are left out",
            split.hopeless_segments,
            units::counted(split.segments as u64, "segment")
        ))?;
    }
    let columns = [
        ("component", Lean::Left),
        ("ranges", Lean::Right),
        ("GETs", Lean::Right),
        ("bytes", Lean::Right),
        ("missing", Lean::Right),
        ("where", Lean::Left),
    ];
    let mut table = table::table(&columns);
    for (component, cost) in &split.components {
        let mut places: Vec<String> = cost
            .ranges
            .iter()
            .take(RANGES)
            .map(|range| format!("{}..{}", range.start, range.end))
            .collect();
        if cost.ranges.len() > RANGES {
            places.push("…".to_owned());
        }
        table.add_row([
            component.name().to_owned(),
            units::count(cost.ranges.len() as u64),
            units::count(cost.gets),
            units::bytes(cost.bytes),
            units::bytes(cost.missing_bytes),
            places.join(" "),
        ]);
    }
    if !split.components.is_empty() {
        session.print(table::text(&table))?;
    }
    session.print(format!(
        "open {}; dictionaries {}; data {}",
        traffic(split.open),
        traffic(split.dictionaries),
        traffic(split.data)
    ))?;
    match split.replay {
        Some(replay) => session.print(format!("by the known plan {}\n", traffic(replay))),
        None => session.print(""),
    }
}

fn traffic(traffic: Traffic) -> String {
    format!(
        "{}, {}, {}",
        units::counted(traffic.gets, "GET"),
        units::bytes(traffic.bytes),
        units::counted(traffic.rounds, "round")
    )
}
