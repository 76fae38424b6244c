//! Is a warm search as fast as one of an index that is all in memory?
//!
//! Each request of the suite is run by turns, A B A B: A is `Warmer::search`, joined to a warmup
//! that has finished; B compiles and runs the same request over the same segments in a
//! `RamDirectory`, see `common/ram.rs`. What is printed is the median over the pairs of A / B, and
//! the times. A request that matches nothing shows what joining and answering cost by themselves.
//!
//! `FOREWARM_BENCH_DOCS` sets the number of documents, `FOREWARM_BENCH_PAIRS` that of pairs.

#[path = "common/corpus.rs"]
mod corpus;
#[path = "common/ram.rs"]
mod ram;

use std::sync::Arc;
use std::time::Instant;

use forewarm::{Clause, OnMiss, SearchRequest, SourceFilter, Warmer, WarmerSettings};
use rayon::ThreadPoolBuilder;
use tokio::runtime::Runtime;

use corpus::{Corpus, Outcome};
use ram::Ram;

/// How much slower a warm search may be, as the median over the suite.
const TARGET: f64 = 1.05;

/// The times of one request, in nanoseconds, by pair.
struct Pairs {
    warm: Vec<f64>,
    ram: Vec<f64>,
    /// What the warm searches spent on the pool, without joining and answering.
    inside: Vec<f64>,
}

fn main() -> Outcome<()> {
    let runtime = Runtime::new()?;
    let pairs = match std::env::var("FOREWARM_BENCH_PAIRS") {
        Ok(pairs) => pairs.parse()?,
        Err(_) if corpus::is_test() => 3,
        Err(_) => 300,
    };
    for docs in corpus::sizes(&[200_000])? {
        measure(&runtime, docs, pairs)?;
    }
    Ok(())
}

fn measure(runtime: &Runtime, docs: usize, pairs: usize) -> Outcome<()> {
    let corpus = runtime.block_on(Corpus::build(docs))?;
    let pool = Arc::new(ThreadPoolBuilder::new().build()?);
    let warmer = {
        let _inside = runtime.enter();
        Warmer::builder(corpus.store.clone())
            .settings(WarmerSettings::default().with_on_miss(OnMiss::Fail))
            .pool(Arc::clone(&pool))
            .build()?
    };
    let ram = Ram::new(&corpus.indexes, Arc::clone(&pool))?;

    println!(
        "{docs} documents in {} splits, {} threads, {pairs} pairs a request",
        corpus.splits.len(),
        pool.current_num_threads()
    );
    println!(
        "{:<24} {:>8} {:>10} {:>10} {:>10} {:>8}",
        "request", "matches", "warm us", "ram us", "search us", "warm/ram"
    );
    let mut ratios = Vec::new();
    for (name, request) in corpus::requests() {
        let (matches, times) =
            runtime.block_on(alternate(&warmer, &ram, &corpus, &request, pairs))?;
        let ratio = print(name, matches, &times);
        ratios.push(ratio);
    }
    let ratio = median(&ratios);
    let verdict = if ratio <= TARGET {
        "within"
    } else {
        "NOT within"
    };
    println!("median of the suite: {ratio:.3}, {verdict} {TARGET}");

    let nothing = SearchRequest::new(Clause::match_none()).source(SourceFilter::None);
    let (_, times) = runtime.block_on(alternate(&warmer, &ram, &corpus, &nothing, pairs))?;
    print("(nothing matches)", 0, &times);
    println!();
    Ok(())
}

/// Runs a request by turns, and checks that both sides find the same.
async fn alternate(
    warmer: &Warmer,
    ram: &Ram,
    corpus: &Corpus,
    request: &SearchRequest,
    pairs: usize,
) -> Outcome<(usize, Pairs)> {
    let mut times = Pairs {
        warm: Vec::with_capacity(pairs),
        ram: Vec::with_capacity(pairs),
        inside: Vec::with_capacity(pairs),
    };
    // The first of these warms the split, the others the processor.
    let mut matches = 0;
    for _ in 0..5 {
        let response = warmer.search(&corpus.splits, request).await?;
        let found = ram.search(request).await?;
        matches = response.hits.total.map_or(0, |total| total.value as usize);
        assert_eq!((response.hits.hits.len(), matches), found, "other answers");
    }
    for _ in 0..pairs {
        let started = Instant::now();
        let response = warmer.search(&corpus.splits, request).await?;
        times.warm.push(started.elapsed().as_nanos() as f64);
        assert_eq!((response.report.gets, response.report.late_reads), (0, 0));
        times.inside.push(response.report.search_us as f64 * 1e3);

        let started = Instant::now();
        ram.search(request).await?;
        times.ram.push(started.elapsed().as_nanos() as f64);
    }
    Ok((matches, times))
}

/// Prints a line, and answers with the median of the ratios.
fn print(name: &str, matches: usize, times: &Pairs) -> f64 {
    let by_pair = times.warm.iter().zip(&times.ram);
    let ratio = median(&by_pair.map(|(warm, ram)| warm / ram).collect::<Vec<_>>());
    println!(
        "{name:<24} {matches:>8} {:>10.1} {:>10.1} {:>10.1} {ratio:>8.3}",
        median(&times.warm) / 1e3,
        median(&times.ram) / 1e3,
        median(&times.inside) / 1e3,
    );
    ratio
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}
