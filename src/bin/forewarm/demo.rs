//! `forewarm demo`: the same searches cold, warmed and warm, over a store that behaves like S3.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarm::{PackSettings, SearchRequest, SplitAddress, Warmer};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::DemoArgs;
use crate::demo_data::{Corpus, FIRST_SECOND, PHRASE, SECONDS};
use crate::engine::{self, Cost};
use crate::failure::{Failure, Outcome};
use crate::session::{Progress, Session};
use crate::table::{self, Lean};
use crate::uploads::TidyStore;
use crate::url::SPLIT_SUFFIX;
use crate::{pack, units};

/// A warm search takes microseconds: the median of this many is shown.
const WARM_RUNS: usize = 5;

const COLD: &str = "cold, no warming";
const WARMED: &str = "cold, warmed";
const WARM: &str = "warm";

/// What the demo found.
#[derive(Debug, Serialize)]
struct Report {
    corpus: Made,
    store: Behaviour,
    requests: Vec<Measured>,
    proven: Proof,
}

#[derive(Debug, Serialize)]
struct Made {
    docs: u64,
    splits: u64,
    bytes: u64,
    took_ms: u64,
}

#[derive(Debug, Serialize)]
struct Behaviour {
    first_byte_ms: f64,
    bytes_per_second: u64,
}

/// One request in all three ways.
#[derive(Debug, Serialize)]
struct Measured {
    name: &'static str,
    request: Value,
    hits: u64,
    identical: bool,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    how: &'static str,
    time_us: u64,
    /// How many times as fast as cold without warming.
    ratio: f64,
    #[serde(flatten)]
    cost: Cost,
}

#[derive(Debug, Serialize)]
struct Proof {
    /// Searches that joined a warmup.
    joined: u64,
    /// Reads of the store by those searches after their join.
    late_reads: u64,
    /// GETs of the searches that found everything warm.
    warm_gets: u64,
    /// Whether each request had the same hits, order and scores in all three ways.
    identical: bool,
}

impl Proof {
    fn of(requests: &[Measured]) -> Self {
        let joined = || {
            requests
                .iter()
                .flat_map(|request| &request.runs)
                .filter(|run| run.how != COLD)
        };
        let warm = joined().filter(|run| run.how == WARM);
        Self {
            joined: requests.len() as u64 * (1 + WARM_RUNS as u64),
            late_reads: joined().map(|run| run.cost.late_reads).sum(),
            warm_gets: warm.map(|run| run.cost.gets).sum(),
            identical: requests.iter().all(|request| request.identical),
        }
    }

    fn holds(&self) -> bool {
        self.late_reads == 0 && self.warm_gets == 0 && self.identical
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &DemoArgs) -> Outcome {
    let folder = match &args.keep {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::caused(format!("cannot make {folder}"), &error))?;
            PathBuf::from(folder)
        }
        None => session.temporary_folder()?,
    };
    let local: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(&folder)?);
    let corpus = Arc::new(Corpus::new(args.seed, args.docs));
    let (made, addresses) = make(session, args, &corpus, &local).await?;
    session.written().keep();
    if !session.json() {
        announce(session, args, &made, &folder)?;
    }
    let requests = measure_all(session, args, &corpus, &local, &addresses).await?;
    let report = Report {
        corpus: made,
        store: Behaviour {
            first_byte_ms: args.simulate_latency.as_secs_f64() * 1e3,
            bytes_per_second: args.simulate_bandwidth,
        },
        proven: Proof::of(&requests),
        requests,
    };
    if session.json() {
        session.print_json(&report)?;
    } else {
        print(session, &report)?;
    }
    if report.proven.holds() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the promise was broken: {}, {} of warm searches, answers {}",
        units::counted(report.proven.late_reads, "late read"),
        units::counted(report.proven.warm_gets, "GET"),
        if report.proven.identical {
            "identical"
        } else {
            "different"
        }
    )))
}

fn announce(session: &Session, args: &DemoArgs, made: &Made, folder: &FilePath) -> Outcome {
    session.print(format!(
        "{} in {} ({}), made in {}{}",
        units::counted(made.docs, "document"),
        units::counted(made.splits, "split"),
        units::bytes(made.bytes),
        units::duration(Duration::from_millis(made.took_ms)),
        if args.keep.is_some() {
            format!(", kept in {}", folder.display())
        } else {
            String::new()
        }
    ))?;
    session.print(format!(
        "read through a store with {} to the first byte (median, with a tail) and {} a connection\n",
        units::duration(args.simulate_latency),
        units::bandwidth(args.simulate_bandwidth),
    ))
}

/// Makes the documents and packs them, on all cores.
async fn make(
    session: &Session,
    args: &DemoArgs,
    corpus: &Arc<Corpus>,
    local: &Arc<dyn ObjectStore>,
) -> Outcome<(Made, Vec<SplitAddress>)> {
    let start = Instant::now();
    let splits = args.splits.min(args.docs);
    let progress = Progress::over_items("making documents and splits", splits);
    let store = TidyStore::new(local.clone(), session.written().clone());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let packed: Vec<(SplitAddress, u64)> = stream::iter(0..splits)
        .map(|number| {
            let (corpus, interrupt) = (corpus.clone(), session.interrupt().clone());
            let range = number * args.docs / splits..(number + 1) * args.docs / splits;
            let (store, bar) = (&store, progress.bar());
            async move {
                let index = move || corpus.index(range, &interrupt);
                let directory = tokio::task::spawn_blocking(index).await??;
                let packed = pack::pack_directory(directory, PackSettings::default()).await?;
                let path = Path::from(format!("demo-{number:05}{SPLIT_SUFFIX}"));
                packed.upload(store, &path).await?;
                bar.inc(1);
                let bytes = packed.len();
                Outcome::Ok((SplitAddress::new(path).with_size(bytes), bytes))
            }
        })
        .buffered(cores)
        .try_collect()
        .await?;
    let made = Made {
        docs: args.docs,
        splits,
        bytes: packed.iter().map(|(_, bytes)| bytes).sum(),
        took_ms: start.elapsed().as_millis() as u64,
    };
    Ok((
        made,
        packed.into_iter().map(|(address, _)| address).collect(),
    ))
}

/// The requests, by what they are there to show.
fn requests(corpus: &Corpus) -> Vec<(&'static str, Value)> {
    let words = |a, b| format!("{} {}", corpus.word(a), corpus.word(b));
    let term = |field: &str, value: &str| json!({"term": {field: value}});
    let range = |field: &str, bounds: Value| json!({"range": {field: bounds}});
    let of = |query: Value| json!({ "query": query });
    let prefix: String = corpus.word(4321).chars().take(4).collect();
    let filtered = json!({"bool": {
        "must": [term("body", corpus.word(300))],
        "filter": [term("category", corpus.category(2)), range("price", json!({"gte": 20, "lt": 80}))]
    }});
    let counted = json!({"bool": {"filter": [
        range("created", json!({"gte": date(0.25), "lt": date(0.75)})),
        range("quantity", json!({"lte": 100}))
    ]}});
    let categories = [corpus.category(5), corpus.category(9)];
    let paths = json!({"bool": {"filter": [
        term("attributes.colour", "turquoise"),
        term("attributes.material", "oak"),
        {"term": {"in_stock": true}}
    ]}});
    vec![
        ("term", of(term("body", corpus.word(900)))),
        (
            "match, two words",
            of(json!({"match": {"title": words(60, 700)}})),
        ),
        ("bool with a range filter", of(filtered)),
        (
            "phrase",
            of(json!({"match_phrase": {"body": words(PHRASE[0], PHRASE[1])}})),
        ),
        ("prefix", of(json!({"prefix": {"title": prefix}}))),
        (
            "terms, newest first",
            json!({"query": {"terms": {"category": categories}}, "sort": [{"created": "desc"}]}),
        ),
        (
            "range, count only",
            json!({"query": counted, "size": 0, "track_total_hits": true}),
        ),
        ("JSON paths", of(paths)),
    ]
}

/// The moment at this share of the time over which the documents are spread, as RFC 3339.
fn date(share: f64) -> String {
    let second = FIRST_SECOND + (SECONDS as f64 * share) as i64;
    tantivy::DateTime::from_timestamp_secs(second)
        .into_utc()
        .format(&tantivy::time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}

async fn measure_all(
    session: &Session,
    args: &DemoArgs,
    corpus: &Corpus,
    local: &Arc<dyn ObjectStore>,
    addresses: &[SplitAddress],
) -> Outcome<Vec<Measured>> {
    let requests = requests(corpus);
    let progress = Progress::over_items("searching", requests.len() as u64);
    let mut measured = Vec::new();
    for (name, body) in requests {
        // A store of its own for each measurement: both cold ones meet the same delays.
        let warmer = || {
            let (latency, bandwidth) = (args.simulate_latency, args.simulate_bandwidth);
            let store = engine::slow_store(local.clone(), latency, bandwidth, args.seed);
            engine::warmer(store, false, None)
        };
        let what = format!("request `{name}` {body}");
        let result = measure(name, body, warmer, addresses).await;
        measured.push(result.map_err(|failure| failure.during(&what))?);
        progress.bar().inc(1);
        session.interrupt().check()?;
    }
    Ok(measured)
}

/// One request: cold without warming, cold with warming, warm.
async fn measure(
    name: &'static str,
    body: Value,
    warmer: impl Fn() -> Outcome<Warmer>,
    addresses: &[SplitAddress],
) -> Outcome<Measured> {
    let request = SearchRequest::from_json(&body.to_string())?;
    let start = Instant::now();
    let response = warmer()?
        .search_without_warming(addresses, &request)
        .await?;
    let cold_time = start.elapsed();
    let expected = answer(&response)?;
    let mut runs = vec![row(COLD, cold_time, cold_time, Cost::of(&response.report))];

    let warmer = warmer()?;
    let start = Instant::now();
    let response = warmer.search(addresses, &request).await?;
    runs.push(row(
        WARMED,
        start.elapsed(),
        cold_time,
        Cost::of(&response.report),
    ));
    let mut identical = answer(&response)? == expected;

    let mut times = Vec::new();
    let mut costs = Vec::new();
    for _ in 0..WARM_RUNS {
        let start = Instant::now();
        let response = warmer.search(addresses, &request).await?;
        times.push(start.elapsed());
        costs.push(Cost::of(&response.report));
        identical &= answer(&response)? == expected;
    }
    times.sort_unstable();
    runs.push(row(
        WARM,
        times[WARM_RUNS / 2],
        cold_time,
        Cost::sum(&costs),
    ));
    let hits = expected["total"]["value"].as_u64().unwrap_or_default();
    Ok(Measured {
        name,
        request: body,
        hits,
        identical,
        runs,
    })
}

/// What must not depend on how it was read: hits, order, scores and counts.
fn answer(response: &forewarm::SearchResponse) -> Outcome<Value> {
    Ok(engine::value(response)?["hits"].take())
}

fn row(how: &'static str, time: Duration, cold: Duration, cost: Cost) -> Run {
    let ratio = cold.as_secs_f64() / time.as_secs_f64().max(1e-9);
    Run {
        how,
        time_us: time.as_micros() as u64,
        ratio,
        cost,
    }
}

fn print(session: &Session, report: &Report) -> Outcome {
    let columns = [
        ("request", Lean::Left),
        ("hits", Lean::Right),
        ("how", Lean::Left),
        ("GETs", Lean::Right),
        ("bytes", Lean::Right),
        ("rounds", Lean::Right),
        ("late reads", Lean::Right),
        ("time", Lean::Right),
        ("ratio to cold", Lean::Right),
    ];
    let mut table = table::table(&columns);
    for request in &report.requests {
        for (position, run) in request.runs.iter().enumerate() {
            let first = position == 0;
            table.add_row([
                if first {
                    request.name.to_owned()
                } else {
                    String::new()
                },
                if first {
                    units::count(request.hits)
                } else {
                    String::new()
                },
                run.how.to_owned(),
                units::count(run.cost.gets),
                units::bytes(run.cost.bytes),
                units::count(run.cost.rounds),
                units::count(run.cost.late_reads),
                units::duration(Duration::from_micros(run.time_us)),
                format!("{:.1} ×", run.ratio),
            ]);
        }
    }
    session.print(table::text(&table))?;
    session.print(format!(
        "a cold search with warming takes 1/{:.1} of the time of one without, a warm one 1/{:.0} (medians)",
        median_ratio(report, WARMED),
        median_ratio(report, WARM),
    ))?;
    let proven = &report.proven;
    if proven.holds() {
        session.print(format!(
            "proven: {} searches joined a warmup and made 0 late reads, warm ones made 0 GETs, and all {} \
             had identical answers in all three ways",
            units::count(proven.joined),
            units::counted(report.requests.len() as u64, "request"),
        ))?;
    }
    Ok(())
}

fn median_ratio(report: &Report, how: &str) -> f64 {
    let runs = report.requests.iter().flat_map(|request| &request.runs);
    let mut ratios: Vec<f64> = runs
        .filter(|run| run.how == how)
        .map(|run| run.ratio)
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(1.0)
}
