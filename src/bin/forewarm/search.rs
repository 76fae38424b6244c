//! `forewarm search`: warm, join, search.

use std::time::{Duration, Instant};

use forewarm::{PlanLoad, SearchRequest, SearchResponse, SplitAddress, Warmer};
use serde_json::Value;

use crate::args::SearchArgs;
use crate::bodies;
use crate::engine::{self, Cost};
use crate::failure::{Failure, Outcome};
use crate::plans;
use crate::session::{Progress, Session};
use crate::table::{self, Lean};
use crate::units;
use crate::url::Place;

/// How much of a document is shown, in characters.
const SHOWN: usize = 120;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &SearchArgs) -> Outcome {
    if let Some(requests) = engine::requests(&args.request).await? {
        return bodies::run(session, args, requests).await;
    }
    let place = Place::to_read(&args.url, &args.store.option)?;
    let request = sized(engine::request(&args.request).await?, args);
    let splits = place.splits().await?;
    let store = engine::simulate(splits.store, args.simulate);
    let plans = plans::open(&args.plans, &args.store.option)?;
    let is_planned = plans.is_some();
    let warmer = engine::warmer_with_plans(store, args.strict, args.deadline, plans)?;
    let loaded = plans::load(session, &warmer).await;

    let progress = Progress::over_items("searching", args.repeat.into());
    let searched = repeated(args, &warmer, &splits.addresses, &request, &progress).await;
    drop(progress);
    plans::save(session, &warmer).await;
    let (response, runs) = searched?;
    for failure in runs
        .iter()
        .filter_map(|(_, cost)| cost.failure.as_ref())
        .take(1)
    {
        session.note(format!(
            "warning: read on demand, because the warmup failed: {failure}"
        ));
    }
    let answer = engine::value(&response)?;
    if session.json() {
        print_json(session, answer, &runs, is_planned.then_some(loaded))
    } else {
        print(session, &answer, &runs)
    }
}

/// The request with the number of hits that the arguments ask for.
pub(crate) fn sized(request: SearchRequest, args: &SearchArgs) -> SearchRequest {
    match args.size {
        Some(size) => request.size(size),
        None => request,
    }
}

/// Searches as often as the arguments say: the last response, and what each run cost.
pub(crate) async fn repeated(
    args: &SearchArgs,
    warmer: &Warmer,
    splits: &[SplitAddress],
    request: &SearchRequest,
    progress: &Progress,
) -> Outcome<(SearchResponse, Vec<(Duration, Cost)>)> {
    let mut runs = Vec::new();
    let mut last: Option<SearchResponse> = None;
    for _ in 0..args.repeat {
        let start = Instant::now();
        let response = if args.no_warm {
            warmer.search_without_warming(splits, request).await?
        } else {
            warmer.search(splits, request).await?
        };
        runs.push((start.elapsed(), Cost::of(&response.report)));
        last = Some(response);
        progress.bar().inc(1);
    }
    // clap asks for one run at least.
    let response = last.ok_or_else(|| Failure::usage("--repeat is at least 1"))?;
    Ok((response, runs))
}

/// The response, with the cost of all runs; each run's own beside it when there are several, and
/// what was loaded when plans are kept.
fn print_json(
    session: &Session,
    mut answer: Value,
    runs: &[(Duration, Cost)],
    loaded: Option<PlanLoad>,
) -> Outcome {
    let costs: Vec<Cost> = runs.iter().map(|(_, cost)| cost.clone()).collect();
    let mut total = engine::value(&Cost::sum(&costs))?;
    if costs.len() > 1 {
        total["runs"] = engine::value(&costs)?;
    }
    if let Some(loaded) = loaded {
        total["loaded"] = engine::value(&loaded)?;
    }
    answer["forewarm"] = total;
    session.print_json(&answer)
}

fn print(session: &Session, answer: &Value, runs: &[(Duration, Cost)]) -> Outcome {
    let hits = answer["hits"]["hits"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if !hits.is_empty() {
        let sorted = hits.iter().any(|hit| hit["sort"].is_array());
        let by = if sorted { "sort" } else { "score" };
        let columns = [
            (by, Lean::Right),
            ("split", Lean::Left),
            ("document", Lean::Left),
        ];
        let mut table = table::table(&columns);
        for hit in hits {
            let rank = if sorted {
                plain(&hit["sort"])
            } else {
                score(&hit["_score"])
            };
            table.add_row([
                rank,
                plain(&hit["_index"]),
                shortened(&plain(&hit["_source"])),
            ]);
        }
        session.print(table::text(&table))?;
    }
    if let Some(total) = answer["hits"]["total"]["value"].as_u64() {
        let relation = answer["hits"]["total"]["relation"].as_str();
        let at_least = if relation == Some("gte") {
            "at least "
        } else {
            ""
        };
        session.print(format!("{at_least}{} in all", units::counted(total, "hit")))?;
    }
    print_runs(session, runs)
}

fn print_runs(session: &Session, runs: &[(Duration, Cost)]) -> Outcome {
    let columns = [
        ("run", Lean::Right),
        ("outcome", Lean::Left),
        ("GETs", Lean::Right),
        ("bytes", Lean::Right),
        ("rounds", Lean::Right),
        ("late reads", Lean::Right),
        ("open", Lean::Right),
        ("warmup", Lean::Right),
        ("search", Lean::Right),
        ("documents", Lean::Right),
        ("time", Lean::Right),
    ];
    let mut table = table::table(&columns);
    let micros = |us: u64| units::duration(Duration::from_micros(us));
    for (number, (time, cost)) in runs.iter().enumerate() {
        table.add_row([
            (number + 1).to_string(),
            cost.outcome.clone(),
            units::count(cost.gets),
            units::bytes(cost.bytes),
            units::count(cost.rounds),
            units::count(cost.late_reads),
            micros(cost.open_us),
            micros(cost.warmup_us),
            micros(cost.search_us),
            micros(cost.fetch_docs_us),
            units::duration(*time),
        ]);
    }
    session.print(table::text(&table))
}

fn score(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".to_owned(), |score| format!("{score:.3}"))
}

/// A value as people read it: text without its quotes, a list of one as what is in it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.len() == 1 => plain(&items[0]),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn shortened(text: &str) -> String {
    // Control characters in a document are no business of the terminal.
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_without_their_json() {
        assert_eq!(plain(&json!(["2024"])), "2024");
        assert_eq!(plain(&json!([1, 2])), "[1,2]");
        assert_eq!(plain(&Value::Null), "-");
        assert_eq!(score(&json!(1.23456)), "1.235");
        assert_eq!(score(&Value::Null), "-");
        assert_eq!(shortened("a\u{1b}[2J\nb"), "a [2J b");
        assert_eq!(shortened(&"x".repeat(200)).chars().count(), SHOWN + 1);
    }
}
