//! What warming is worth: each request of the suite cold without warming, cold with warming, warm,
//! and on indexes in a `RamDirectory`, over a store that answers after 0, 10 and 30 ms.
//!
//! *Cold* starts from nothing: a warmer that has opened no split and holds no byte. The requests
//! bring no stored fields. Beside the times stand GETs, bytes, rounds and late reads of a search,
//! and at the end of each size and latency a table of all of it (medians).
//!
//! `FOREWARM_BENCH_DOCS` sets the numbers of documents, as `10000,100000,1000000`.

#[path = "common/corpus.rs"]
mod corpus;
#[path = "common/ram.rs"]
mod ram;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, measurement::WallTime};
use forewarm::{SearchReport, SearchRequest, SimulatedSettings, SimulatedStore, Warmer};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::runtime::Runtime;

use corpus::{Corpus, Outcome};
use ram::Ram;

/// Median times to the first byte, in milliseconds.
const LATENCIES: [u64; 3] = [0, 10, 30];

/// How a request is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    ColdUnwarmed,
    ColdWarmed,
    Warm,
    Ram,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ColdUnwarmed => "cold, not warmed",
            Self::ColdWarmed => "cold, warmed",
            Self::Warm => "warm",
            Self::Ram => "RamDirectory",
        })
    }
}

/// The corpus behind a store of one latency.
struct Bench<'a> {
    runtime: &'a Runtime,
    pool: &'a Arc<ThreadPool>,
    corpus: &'a Corpus,
    ram: &'a Ram,
    latency: Duration,
}

/// What one benchmark measured.
#[derive(Default)]
struct Measured {
    times: Vec<Duration>,
    report: Option<SearchReport>,
}

fn main() -> Outcome<()> {
    let runtime = Runtime::new()?;
    let pool = Arc::new(ThreadPoolBuilder::new().build()?);
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for docs in corpus::sizes(&[10_000, 100_000])? {
        let corpus = runtime.block_on(Corpus::build(docs))?;
        let ram = Ram::new(&corpus.indexes, Arc::clone(&pool))?;
        for latency in LATENCIES {
            let bench = Bench {
                runtime: &runtime,
                pool: &pool,
                corpus: &corpus,
                ram: &ram,
                latency: Duration::from_millis(latency),
            };
            let name = format!("{docs} documents, {latency} ms");
            let mut group = criterion.benchmark_group(&name);
            group.sampling_mode(SamplingMode::Flat);
            let mut table = Vec::new();
            for (name, request) in corpus::requests() {
                for way in [Way::ColdUnwarmed, Way::ColdWarmed, Way::Warm, Way::Ram] {
                    let measured = bench.run(&mut group, name, &request, way);
                    table.push((name, way, measured));
                }
            }
            group.finish();
            print(&name, &table);
        }
    }
    criterion.final_summary();
    Ok(())
}

impl Bench<'_> {
    fn run(
        &self,
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &str,
        request: &SearchRequest,
        way: Way,
    ) -> Measured {
        let mut measured = Measured::default();
        let shared = self.warmer(0);
        let mut seed = 0;
        group.bench_function(BenchmarkId::new(way.to_string(), name), |bencher| {
            bencher.iter_custom(|times| {
                let mut spent = Duration::ZERO;
                for _ in 0..times {
                    seed += 1;
                    let (time, report) = self
                        .once(&shared, request, way, seed)
                        .expect("a search of the corpus");
                    measured.times.push(time);
                    measured.report = report;
                    spent += time;
                }
                spent
            });
        });
        eprintln!("{name}, {way}: {}", Cost(measured.report.as_ref()));
        measured
    }

    /// A warmer that holds nothing, over a store whose delays are drawn from `seed`.
    fn warmer(&self, seed: u64) -> Warmer {
        let mut settings = SimulatedSettings::default();
        settings.first_byte = self.latency;
        settings.seed = seed;
        if self.latency.is_zero() {
            settings.bytes_per_second = 0;
        }
        let store = SimulatedStore::new(self.corpus.store.clone(), settings);
        let _inside = self.runtime.enter();
        Warmer::builder(Arc::new(store))
            .pool(Arc::clone(self.pool))
            .build()
            .expect("the default settings are valid")
    }

    fn once(
        &self,
        shared: &Warmer,
        request: &SearchRequest,
        way: Way,
        seed: u64,
    ) -> Outcome<(Duration, Option<SearchReport>)> {
        let splits = &self.corpus.splits;
        match way {
            Way::Ram => {
                let started = Instant::now();
                self.runtime.block_on(self.ram.search(request))?;
                Ok((started.elapsed(), None))
            }
            Way::Warm => {
                // Warmups linger for a while only; the first run starts one.
                self.runtime.block_on(async {
                    for warmup in shared.warm_many(splits, request) {
                        warmup.join(Duration::from_secs(30)).await;
                    }
                });
                let started = Instant::now();
                let response = self.runtime.block_on(shared.search(splits, request))?;
                Ok((started.elapsed(), Some(response.report)))
            }
            Way::ColdWarmed => {
                let warmer = self.warmer(seed);
                let started = Instant::now();
                let response = self.runtime.block_on(warmer.search(splits, request))?;
                Ok((started.elapsed(), Some(response.report)))
            }
            Way::ColdUnwarmed => {
                let warmer = self.warmer(seed);
                let started = Instant::now();
                let search = warmer.search_without_warming(splits, request);
                let response = self.runtime.block_on(search)?;
                Ok((started.elapsed(), Some(response.report)))
            }
        }
    }
}

/// The counters of a search, in a line.
struct Cost<'a>(Option<&'a SearchReport>);

impl fmt::Display for Cost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(report) => write!(
                f,
                "{:>4} GETs {:>10} bytes {:>3} rounds {:>4} late reads",
                report.gets, report.bytes, report.rounds, report.late_reads
            ),
            None => f.write_str("no store"),
        }
    }
}

fn print(name: &str, table: &[(&str, Way, Measured)]) {
    eprintln!("\n{name}");
    for (request, way, measured) in table {
        let mut times = measured.times.clone();
        times.sort();
        // Nothing was measured where the command line names other benchmarks.
        let Some(median) = times.get(times.len() / 2) else {
            continue;
        };
        let milliseconds = median.as_secs_f64() * 1e3;
        let cost = Cost(measured.report.as_ref());
        eprintln!("{request:<24} {way:<18} {milliseconds:>10.3} ms  {cost}");
    }
    eprintln!();
}
