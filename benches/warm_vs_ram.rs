//! Is a warm search as fast as one of an index that is all in memory?
//!
//! Each request of the suite is run by turns, A B A B: A is `Warmer::search`, joined to a warmup
//! that has finished; B compiles and runs the same request over the same segments in a
//! `RamDirectory`, see `common/ram.rs`. What is printed is the median over the pairs of A / B, and
//! the median times; then the same for what both do on the pool, which leaves out what one of them
//! does not do at all (A joins and makes a response, B compiles). A request that matches nothing shows what joining and answering cost by themselves.
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
    /// What each spent on the pool: without joining and answering, without compiling.
    warm_inside: Vec<f64>,
    ram_inside: Vec<f64>,
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
        "{:<24} {:>8} {:>10} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "request (us)", "matches", "warm", "ram", "ratio", "warm, pool", "ram, pool", "ratio"
    );
    let (mut wholes, mut insides) = (Vec::new(), Vec::new());
    for (name, request) in corpus::requests() {
        let run = alternate(&warmer, &ram, &corpus, &request, pairs);
        let (matches, times) = runtime.block_on(run)?;
        let (whole, inside) = print(name, matches, &times);
        wholes.push(whole);
        insides.push(inside);
    }
    let (whole, inside) = (median(&wholes), median(&insides));
    let verdict = if whole <= TARGET {
        "within"
    } else {
        "NOT within"
    };
    println!("median of the suite: {whole:.3}, {verdict} {TARGET}; on the pool {inside:.3}");

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
        warm_inside: Vec::with_capacity(pairs),
        ram_inside: Vec::with_capacity(pairs),
    };
    // The first of these warms the split, the others the processor.
    let mut matches = 0;
    for _ in 0..5 {
        let response = warmer.search(&corpus.splits, request).await?;
        let (hits, total, _) = ram.search(request).await?;
        matches = response.hits.total.map_or(0, |total| total.value as usize);
        let found = (response.hits.hits.len(), matches);
        assert_eq!(found, (hits, total), "both find the same");
    }
    for _ in 0..pairs {
        let started = Instant::now();
        let response = warmer.search(&corpus.splits, request).await?;
        times.warm.push(started.elapsed().as_nanos() as f64);
        assert_eq!((response.report.gets, response.report.late_reads), (0, 0));
        let inside = response.report.search_us as f64 * 1e3;
        times.warm_inside.push(inside);

        let started = Instant::now();
        let (_, _, inside) = ram.search(request).await?;
        times.ram_inside.push(inside.as_nanos() as f64);
        times.ram.push(started.elapsed().as_nanos() as f64);
    }
    Ok((matches, times))
}

/// Prints a line, and answers with the medians of the ratios: of the whole, and on the pool.
fn print(name: &str, matches: usize, times: &Pairs) -> (f64, f64) {
    let whole = median_ratio(&times.warm, &times.ram);
    let inside = median_ratio(&times.warm_inside, &times.ram_inside);
    println!(
        "{name:<24} {matches:>8} {:>10.1} {:>10.1} {whole:>8.3} {:>10.1} {:>10.1} {inside:>8.3}",
        median(&times.warm) / 1e3,
        median(&times.ram) / 1e3,
        median(&times.warm_inside) / 1e3,
        median(&times.ram_inside) / 1e3,
    );
    (whole, inside)
}

fn median_ratio(over: &[f64], under: &[f64]) -> f64 {
    let ratios: Vec<f64> = over.iter().zip(under).map(|(a, b)| a / b).collect();
    median(&ratios)
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
