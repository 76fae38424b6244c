//! What a fan-out to many small splits costs beyond the search itself, and how fast all of them
//! are warmed for one request.
//!
//! The same request is run in pairs, A B B A: A is [`Warmer::search`], B is
//! [`ResidentSplits::search`] over the same splits in tantivy's `RamDirectory`. (A − B) ÷ splits is
//! what forewarm takes for each split: once with warmups that linger (joining), once with all of
//! them forgotten before each search, plans known and extents cached (planning and joining).
//!
//! Then, over a simulated store that answers after 30 ms: all splits opened and warmed for one
//! request, against the time that their GETs take at the least, GETs ÷ concurrency × time to first
//! byte; first without plans, then with the plans of the first, by a warmer that has nothing open.
//!
//! Last, over such a store again: pages by date, of splits whose bounds are known, searched at once
//! and progressively, by warmers that have nothing.
//!
//! `FOREWARM_BENCH_SPLITS` sets the number of splits, `FOREWARM_BENCH_PAIRS` that of pairs.

#[path = "common/memory.rs"]
mod memory;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarm::{
    Clause, OnMiss, PackSettings, ResidentSplits, SearchOptions, SearchRequest, SimulatedSettings,
    SimulatedStore, Sort, SourceFilter, SplitAddress, TrackTotalHits, Warmer, WarmerSettings, pack,
};
use object_store::memory::InMemory;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tantivy::directory::RamDirectory;
use tantivy::schema::{FAST, INDEXED, STORED, STRING, Schema, TEXT};
use tantivy::{DateTime, Index, TantivyDocument};
use tokio::runtime::Runtime;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What planning and joining may cost, in microseconds a split.
const TARGET: f64 = 20.0;
/// How much longer than the least possible a warmup of all splits may take.
const WARM_TARGET: f64 = 1.3;
const FIRST_BYTE: Duration = Duration::from_millis(30);
const DOCS: u64 = 50;

fn main() -> Outcome<()> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let number = |name: &str, default| std::env::var(name).map_or(Ok(default), |it| it.parse());
    let splits = number("FOREWARM_BENCH_SPLITS", if is_test { 8 } else { 1000 })?;
    let pairs = number("FOREWARM_BENCH_PAIRS", if is_test { 2 } else { 40 })?;
    let runtime = Runtime::new()?;
    let pool = Arc::new(ThreadPoolBuilder::new().build()?);
    let (store, splits) = runtime.block_on(corpus(splits))?;
    println!(
        "{} splits of {DOCS} documents, {} threads",
        splits.len(),
        pool.current_num_threads()
    );
    runtime.block_on(fan_out(&store, &splits, &pool, pairs))?;
    runtime.block_on(warm_all(&store, &splits, &pool))?;
    runtime.block_on(newest(&store, &splits, &pool))
}

/// Splits of the same schema.
async fn corpus(count: usize) -> Outcome<(Arc<InMemory>, Vec<SplitAddress>)> {
    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT | STORED);
    let level = schema.add_text_field("level", STRING | FAST | STORED);
    let at = schema.add_date_field("at", FAST | INDEXED | STORED);
    let size = schema.add_u64_field("size", FAST | INDEXED | STORED);
    let schema = schema.build();
    let store = Arc::new(InMemory::new());
    let mut splits = Vec::with_capacity(count);
    for split in 0..count as u64 {
        let directory = RamDirectory::create();
        let mut writer = Index::builder()
            .schema(schema.clone())
            .single_segment_index_writer(directory.clone(), 15_000_000)?;
        for number in split * DOCS..(split + 1) * DOCS {
            let mut document = TantivyDocument::new();
            let words = (number % 7, number % 13, number % 101);
            document.add_text(body, format!("a{} b{} c{} all", words.0, words.1, words.2));
            document.add_text(level, ["info", "warn", "error"][(number % 3) as usize]);
            document.add_date(at, date(number));
            document.add_u64(size, number % 977);
            writer.add_document(document)?;
        }
        writer.finalize()?;
        let path = format!("{split:05}.split").into();
        pack(&directory, &PackSettings::default())?
            .upload(store.as_ref(), &path)
            .await?;
        let (first, last) = (date(split * DOCS), date(split * DOCS + DOCS - 1));
        splits.push(SplitAddress::new(path).with_bounds("at", first, last)?);
    }
    Ok((store, splits))
}

/// When a document was written: one a second.
fn date(number: u64) -> DateTime {
    DateTime::from_timestamp_secs(1_700_000_000 + number as i64)
}

fn requests() -> Vec<(&'static str, SearchRequest)> {
    let term = SearchRequest::new(Clause::term("body", "c5"));
    let filtered = Clause::bool()
        .must(Clause::match_text("body", "a3 b4"))
        .filter(Clause::term("level", "warn"))
        .filter(Clause::range("size").lt(500));
    let sorted = SearchRequest::new(filtered).sort([Sort::by("at").descending()]);
    let counted = SearchRequest::new(Clause::term("level", "error")).size(0);
    vec![
        ("a term, with documents", term.clone()),
        ("a term, hits alone", term.source(SourceFilter::None)),
        ("a filter, by date", sorted),
        ("a count", counted),
    ]
}

async fn fan_out(
    store: &Arc<InMemory>,
    splits: &[SplitAddress],
    pool: &Arc<ThreadPool>,
    pairs: usize,
) -> Outcome<()> {
    let warmer = Warmer::builder(store.clone())
        .settings(WarmerSettings::default().with_on_miss(OnMiss::Fail))
        .pool(Arc::clone(pool))
        .build()?;
    let resident = ResidentSplits::load(&warmer, splits, u64::MAX).await?;
    println!("\nmicroseconds a split beyond the search itself, and the search (medians)");
    for (name, request) in requests() {
        for forgets in [false, true] {
            for _ in 0..3 {
                let warm = warmer.search(splits, &request).await?;
                let ideal = resident.search(&request).await?;
                assert_eq!(
                    serde_json::to_value(&warm.hits)?,
                    serde_json::to_value(&ideal.hits)?
                );
            }
            let (mut differences, mut ideals) = (Vec::new(), Vec::new());
            for turn in 0..pairs {
                let warm = async || {
                    if forgets {
                        warmer.forget_warmups();
                    }
                    let request = request.clone().size(request.hits_wanted());
                    let started = Instant::now();
                    let response = warmer.search(splits, &request).await?;
                    let took = micros(started);
                    let report = response.report;
                    assert_eq!((report.gets, report.late_reads), (0, 0));
                    assert!(!forgets || report.planned_splits == splits.len());
                    Outcome::Ok(took)
                };
                let ideal = async || {
                    let request = request.clone().size(request.hits_wanted());
                    let started = Instant::now();
                    resident.search(&request).await?;
                    Outcome::Ok(micros(started))
                };
                let (warm, ideal) = if turn % 2 == 0 {
                    let warm = warm().await?;
                    (warm, ideal().await?)
                } else {
                    let ideal = ideal().await?;
                    (warm().await?, ideal)
                };
                differences.push((warm - ideal) / splits.len() as f64);
                ideals.push(ideal / splits.len() as f64);
            }
            let way = if forgets { "warmed anew" } else { "joined" };
            let difference = median(differences);
            let verdict = if difference <= TARGET {
                "within"
            } else {
                "NOT within"
            };
            println!(
                "  {difference:>7.2} ({verdict} {TARGET})  search {:>7.2}  {way:<12} {name}",
                median(ideals)
            );
        }
    }
    Ok(())
}

async fn warm_all(
    store: &Arc<InMemory>,
    splits: &[SplitAddress],
    pool: &Arc<ThreadPool>,
) -> Outcome<()> {
    let mut settings = SimulatedSettings::default();
    settings.first_byte = FIRST_BYTE;
    (settings.tail, settings.slow) = (0.0, 0.0);
    let simulated = Arc::new(SimulatedStore::new(store.clone(), settings));
    let build = || {
        let settings = WarmerSettings::default().with_on_miss(OnMiss::Fail);
        let builder = Warmer::builder(simulated.clone()).settings(settings);
        builder.pool(Arc::clone(pool)).build()
    };
    println!("\nall warm for one request, {FIRST_BYTE:?} to the first byte");
    for (name, request) in requests() {
        let first = build()?;
        warm_once(&format!("no plan      {name}"), &first, splits, &request).await?;
        let planned = build()?;
        planned.add_plans(first.plans().iter().map(|plan| plan.as_ref().clone()));
        warm_once(&format!("plan known   {name}"), &planned, splits, &request).await?;
    }
    Ok(())
}

async fn newest(
    store: &Arc<InMemory>,
    splits: &[SplitAddress],
    pool: &Arc<ThreadPool>,
) -> Outcome<()> {
    let by_date = |clause: Clause| {
        let request = SearchRequest::new(clause).sort([Sort::by("at").descending()]);
        request.track_total_hits(TrackTotalHits::Not)
    };
    let all: Clause = Clause::match_all().into();
    let oldest = Clause::range("at").lt(date(DOCS).into_timestamp_millis());
    let counted = by_date(all.clone()).track_total_hits(TrackTotalHits::Exactly);
    let requests = [
        ("the newest ten", by_date(all)),
        ("ten of the oldest split", by_date(oldest.into())),
        ("the newest ten, and a count", counted),
    ];
    println!("\nby date, {FIRST_BYTE:?} to the first byte");
    for tail in [0.0, SimulatedSettings::default().tail] {
        let mut settings = SimulatedSettings::default();
        (settings.first_byte, settings.tail) = (FIRST_BYTE, tail);
        for (name, request) in &requests {
            let mut answers = Vec::new();
            for way in ["at once", "progressively"] {
                let simulated = Arc::new(SimulatedStore::new(store.clone(), settings.clone()));
                let warmer = Warmer::builder(simulated.clone())
                    .settings(WarmerSettings::default().with_on_miss(OnMiss::Fail))
                    .pool(Arc::clone(pool))
                    .build()?;
                let started = Instant::now();
                let response = match way {
                    "at once" => warmer.search(splits, request).await?,
                    _ => {
                        let options = SearchOptions::default();
                        let search = warmer.search_progressively(splits, request, &options);
                        search.await?
                    }
                };
                let (took, report) = (micros(started) / 1e3, &response.report);
                println!(
                    "  {took:>7.1} ms, {:>5} GETs, {:>3} rounds, {:>5} splits given up, tail {tail:.2}  {way:<13}  {name}",
                    simulated.requests(),
                    report.rounds,
                    report.given_up_splits,
                );
                answers.push(serde_json::to_value(&response.hits)?);
            }
            assert_eq!(answers[0], answers[1]);
        }
    }
    Ok(())
}

async fn warm_once(
    name: &str,
    warmer: &Warmer,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> Outcome<()> {
    let before = memory::resident_bytes();
    let started = Instant::now();
    let warmups = warmer.warm_many(splits, request);
    for warmup in &warmups {
        let outcome = warmup.join(Duration::from_secs(120)).await;
        assert!(outcome.is_warm(), "{outcome}");
    }
    let took = started.elapsed();
    let grown = memory::resident_bytes().saturating_sub(before);
    let concurrency = warmer.settings().store.max_concurrent_gets as f64;
    let statistics = warmer.statistics();
    let least = (statistics.gets as f64 / concurrency).ceil() * FIRST_BYTE.as_secs_f64();
    let ratio = took.as_secs_f64() / least;
    let verdict = if ratio <= WARM_TARGET {
        "within"
    } else {
        "NOT within"
    };
    println!(
        "  {ratio:>5.2} ({verdict} {WARM_TARGET})  {:>7.1} ms, least {:>7.1} ms, {:>5} GETs, cached {:>6.2} MiB, grown {:>6.1} MiB  {name}",
        took.as_secs_f64() * 1e3,
        least * 1e3,
        statistics.gets,
        statistics.resident_bytes as f64 / 1_048_576.0,
        grown as f64 / 1_048_576.0,
    );
    Ok(())
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64 / 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
