//! Is a warm search as fast as one of splits that are all in memory?
//!
//! Each request is run in pairs, A B B A: A is [`Warmer::search`], joined to warmups that have
//! finished; B is [`ResidentSplits::search`], the same search over tantivy's own `RamDirectory`.
//! Both begin with the JSON of a request (A takes its fingerprint and joins, B compiles it) and end
//! with the response, stored documents, highlights and aggregations included. The requests are the bodies of `testdata/bodies` over real documents, as far as those
//! are here (`FOREWARM_SHARED`, `FOREWARM_DEBIAN`), and a suite over generated ones.
//!
//! What is printed is the median over the pairs of A / B for each request, and of those the
//! median, the 90th percentile and the worst. For the generated suite the same search is also
//! written straight against tantivy (`common/ram.rs`), to see that B itself is no slower than it
//! must be.
//!
//! `FOREWARM_BENCH_DOCS` sets the number of generated documents, `FOREWARM_BENCH_PAIRS` that of
//! pairs, `FOREWARM_BENCH_ONLY` runs requests whose name contains it, and prints each;
//! `FOREWARM_BENCH_PARSED=1` begins with requests that are read already, of which nothing else is
//! known.

#[path = "common/bodies.rs"]
mod bodies;
#[path = "common/corpus.rs"]
mod corpus;
#[path = "common/ram.rs"]
mod ram;
#[path = "../tests/common/shared.rs"]
mod shared;

use std::sync::Arc;
use std::time::Instant;

use forewarm::{OnMiss, ResidentSplits, SearchRequest, Warmer, WarmerSettings};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::runtime::Runtime;

use bodies::Suite;
use corpus::{Corpus, Outcome};
use ram::Ram;

/// How much slower a warm search may be, as the median over the requests.
const TARGET: f64 = 1.02;
/// How much slower any may be.
const WORST: f64 = 1.10;
/// How many of the slowest are printed.
const SHOWN: usize = 8;

/// What came of one request.
struct Measured {
    name: String,
    ratio: f64,
    /// Medians, in microseconds.
    warm: f64,
    ideal: f64,
}

fn main() -> Outcome<()> {
    let runtime = Runtime::new()?;
    let pool = Arc::new(ThreadPoolBuilder::new().build()?);
    let pairs = match std::env::var("FOREWARM_BENCH_PAIRS") {
        Ok(pairs) => pairs.parse()?,
        Err(_) if corpus::is_test() => 2,
        Err(_) => 200,
    };
    println!(
        "{} threads, {pairs} pairs a request",
        pool.current_num_threads()
    );
    let mut all = Vec::new();
    for suite in runtime.block_on(bodies::suites())? {
        all.extend(measure(&runtime, &pool, &suite, pairs, None)?);
    }
    for docs in corpus::sizes(&[200_000])? {
        let corpus = runtime.block_on(Corpus::build(docs))?;
        let ram = Ram::new(&corpus.indexes, Arc::clone(&pool))?;
        let requests = corpus::requests().into_iter();
        let suite = Suite {
            name: format!("generated, {docs} documents"),
            store: Arc::clone(&corpus.store),
            splits: corpus.splits.clone(),
            requests: requests.map(|(name, it)| (name.to_owned(), it)).collect(),
        };
        all.extend(measure(&runtime, &pool, &suite, pairs, Some(&ram))?);
    }
    summary("all", &mut all);
    Ok(())
}

fn measure(
    runtime: &Runtime,
    pool: &Arc<ThreadPool>,
    suite: &Suite,
    pairs: usize,
    ram: Option<&Ram>,
) -> Outcome<Vec<Measured>> {
    let _inside = runtime.enter();
    let warmer = Warmer::builder(suite.store.clone())
        .settings(WarmerSettings::default().with_on_miss(OnMiss::Fail))
        .pool(Arc::clone(pool))
        .build()?;
    let resident = runtime.block_on(ResidentSplits::load(&warmer, &suite.splits, u64::MAX))?;
    let only = std::env::var("FOREWARM_BENCH_ONLY").ok();
    println!("\n{}, {} splits", suite.name, suite.splits.len());
    let mut measured = Vec::new();
    for (name, request) in &suite.requests {
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let run = alternate(&warmer, &resident, suite, request, pairs);
        let one = runtime.block_on(run)?.named(name);
        if only.is_some() || ram.is_some() {
            one.print();
        }
        if let Some(ram) = ram {
            let run = against(&warmer, ram, suite, request, pairs);
            let one = runtime.block_on(run)?.named("  against tantivy alone");
            one.print();
        }
        measured.push(one);
    }
    summary(&suite.name, &mut measured);
    Ok(measured)
}

/// What a search begins with.
enum Asked {
    Body(String),
    Parsed(Box<SearchRequest>),
}

impl Asked {
    fn new(request: &SearchRequest) -> Outcome<Self> {
        Ok(match std::env::var_os("FOREWARM_BENCH_PARSED") {
            None => Self::Body(request.to_value()?.to_string()),
            Some(_) => Self::Parsed(Box::new(request.clone())),
        })
    }

    /// The same request, of which nothing is known yet: neither its fingerprint nor its moment.
    fn fresh(&self) -> Outcome<SearchRequest> {
        Ok(match self {
            Self::Body(body) => SearchRequest::from_json(body)?,
            Self::Parsed(request) => {
                let size = request.hits_wanted();
                SearchRequest::clone(request).size(size)
            }
        })
    }
}

/// Runs a request by turns, and checks that both sides find the same.
async fn alternate(
    warmer: &Warmer,
    resident: &ResidentSplits,
    suite: &Suite,
    request: &SearchRequest,
    pairs: usize,
) -> Outcome<Times> {
    let asked = Asked::new(request)?;
    // The first of these warms the splits, the others the processor.
    for _ in 0..5 {
        let warm = warmer.search(&suite.splits, &asked.fresh()?).await?;
        let ideal = resident.search(&asked.fresh()?).await?;
        let hits = |it: &forewarm::SearchResponse| serde_json::to_value(&it.hits);
        assert_eq!(hits(&warm)?, hits(&ideal)?, "both find the same");
        assert_eq!(warm.aggregations, ideal.aggregations);
    }
    let mut times = Times::default();
    for turn in 0..pairs {
        let warm = async || {
            let started = Instant::now();
            let response = warmer.search(&suite.splits, &asked.fresh()?).await?;
            let took = started.elapsed().as_nanos() as f64;
            assert_eq!((response.report.gets, response.report.late_reads), (0, 0));
            Outcome::Ok(took)
        };
        let ideal = async || {
            let started = Instant::now();
            let _response = resident.search(&asked.fresh()?).await?;
            Outcome::Ok(started.elapsed().as_nanos() as f64)
        };
        let pair = if turn % 2 == 0 {
            let warm = warm().await?;
            (warm, ideal().await?)
        } else {
            let ideal = ideal().await?;
            (warm().await?, ideal)
        };
        times.add(pair);
    }
    Ok(times)
}

/// The same against the search that is written against tantivy.
async fn against(
    warmer: &Warmer,
    ram: &Ram,
    suite: &Suite,
    request: &SearchRequest,
    pairs: usize,
) -> Outcome<Times> {
    let mut times = Times::default();
    for _ in 0..pairs {
        let started = Instant::now();
        let _response = warmer.search(&suite.splits, request).await?;
        let warm = started.elapsed().as_nanos() as f64;
        let started = Instant::now();
        let _found = ram.search(request).await?;
        times.add((warm, started.elapsed().as_nanos() as f64));
    }
    Ok(times)
}

/// Times of pairs, in nanoseconds.
#[derive(Default)]
struct Times {
    warm: Vec<f64>,
    ideal: Vec<f64>,
}

impl Times {
    fn add(&mut self, (warm, ideal): (f64, f64)) {
        self.warm.push(warm);
        self.ideal.push(ideal);
    }

    fn named(self, name: &str) -> Measured {
        let ratios = self.warm.iter().zip(&self.ideal).map(|(a, b)| a / b);
        Measured {
            name: name.to_owned(),
            ratio: quantile(ratios.collect(), 0.5),
            warm: quantile(self.warm, 0.5) / 1e3,
            ideal: quantile(self.ideal, 0.5) / 1e3,
        }
    }
}

impl Measured {
    fn print(&self) {
        let Self {
            name,
            ratio,
            warm,
            ideal,
        } = self;
        let name: String = name.chars().take(110).collect();
        println!("  {ratio:>6.3}  {warm:>9.1} us warm {ideal:>9.1} us ideal  {name}");
    }
}

fn summary(name: &str, measured: &mut [Measured]) {
    if measured.is_empty() {
        return;
    }
    measured.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    for one in measured.iter().take(SHOWN) {
        one.print();
    }
    let at = |share| quantile(measured.iter().map(|one| one.ratio).collect(), share);
    let (median, ninetieth, worst) = (at(0.5), at(0.9), at(1.0));
    let verdict = |holds| if holds { "within" } else { "NOT within" };
    println!(
        "{name}: {} requests, warm / ideal: median {median:.3} ({} {TARGET}), 90th percentile \
         {ninetieth:.3}, worst {worst:.3} ({} {WORST})",
        measured.len(),
        verdict(median <= TARGET),
        verdict(worst <= WORST),
    );
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}
