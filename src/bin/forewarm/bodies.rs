//! `forewarm search` with a file of bodies: one search a line, one warmer for all.

use std::time::Duration;

use forewarm::{SearchRequest, SplitAddress, Warmer};
use serde_json::{Value, json};

use crate::args::SearchArgs;
use crate::engine::{self, Cost};
use crate::failure::Outcome;
use crate::plans;
use crate::search::{repeated, sized};
use crate::session::{Progress, Session};
use crate::table::{self, Lean};
use crate::units;
use crate::url::Place;

/// What one line came to.
struct Searched {
    line: usize,
    /// The response; in JSON it is shown whole.
    answer: Value,
    time: Duration,
    /// All runs together.
    cost: Cost,
}

/// Runs the bodies, each with the number of its line; ends with the first that fails.
pub(crate) async fn run(
    session: &Session,
    args: &SearchArgs,
    requests: Vec<(usize, SearchRequest)>,
) -> Outcome {
    let place = Place::to_read(&args.url, &args.store.option)?;
    let splits = place.splits().await?;
    let store = engine::simulate(splits.store, args.simulate);
    let plans = plans::open(&args.plans, &args.store.option)?;
    let warmer = engine::warmer_with_plans(store, args.strict, args.deadline, plans)?;
    plans::load(session, &warmer).await;
    let searched = search(args, &warmer, &splits.addresses, requests).await;
    plans::save(session, &warmer).await;
    let searched = searched?;
    if session.json() {
        let lines: Outcome<Vec<Value>> = searched.into_iter().map(as_json).collect();
        session.print_json(&lines?)
    } else {
        print(session, &searched)
    }
}

/// Searches one after another.
async fn search(
    args: &SearchArgs,
    warmer: &Warmer,
    splits: &[SplitAddress],
    requests: Vec<(usize, SearchRequest)>,
) -> Outcome<Vec<Searched>> {
    let total = requests.len() as u64 * u64::from(args.repeat);
    let progress = Progress::over_items("searching", total);
    let mut searched = Vec::new();
    for (line, request) in requests {
        let request = sized(request, args);
        let run = repeated(args, warmer, splits, &request, &progress);
        let (response, runs) = run
            .await
            .map_err(|failure| failure.during(&format!("line {line}")))?;
        let costs: Vec<Cost> = runs.iter().map(|(_, cost)| cost.clone()).collect();
        searched.push(Searched {
            line,
            answer: engine::value(&response)?,
            time: runs.iter().map(|(time, _)| *time).sum(),
            cost: Cost::sum(&costs),
        });
    }
    Ok(searched)
}

fn as_json(searched: Searched) -> Outcome<Value> {
    let mut answer = searched.answer;
    answer["forewarm"] = engine::value(&searched.cost)?;
    Ok(json!({"line": searched.line, "response": answer}))
}

fn print(session: &Session, searched: &[Searched]) -> Outcome {
    let columns = [
        ("line", Lean::Right),
        ("hits", Lean::Right),
        ("outcome", Lean::Left),
        ("GETs", Lean::Right),
        ("bytes", Lean::Right),
        ("rounds", Lean::Right),
        ("late reads", Lean::Right),
        ("time", Lean::Right),
    ];
    let mut table = table::table(&columns);
    for Searched {
        line,
        answer,
        time,
        cost,
    } in searched
    {
        let hits = match answer["hits"]["total"]["value"].as_u64() {
            Some(total) => units::count(total),
            None => "-".to_owned(),
        };
        table.add_row([
            line.to_string(),
            hits,
            cost.outcome.clone(),
            units::count(cost.gets),
            units::bytes(cost.bytes),
            units::count(cost.rounds),
            units::count(cost.late_reads),
            units::duration(*time),
        ]);
    }
    session.print(table::text(&table))
}
