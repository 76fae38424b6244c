//! The small parts of the way: opening (footer, hot bytes, tantivy's readers), naming a request,
//! joining a warmup that has finished, and reading a leased extent.
//!
//! The store is in memory and answers at once, so that what is measured is forewarm itself.

#[path = "common/corpus.rs"]
mod corpus;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkGroup, Criterion, measurement::WallTime};
use forewarm::{Clause, OnMiss, SearchOptions, Warmer, WarmerSettings};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::{EmptyQuery, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader, Term};
use tokio::runtime::Runtime;

use corpus::{Corpus, Outcome};

/// What joining a finished warmup may cost.
const JOIN_TARGET: Duration = Duration::from_micros(5);
const DEADLINE: Duration = Duration::from_secs(30);

fn main() -> Outcome<()> {
    let runtime = Runtime::new()?;
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for docs in corpus::sizes(&[100_000])? {
        let corpus = runtime.block_on(Corpus::build(docs))?;
        let warmer = {
            let _inside = runtime.enter();
            Warmer::builder(corpus.store.clone())
                .settings(WarmerSettings::default().with_on_miss(OnMiss::Fail))
                .build()?
        };
        let mut group = criterion.benchmark_group(format!("micro/{docs}"));
        open(&mut group, &runtime, &warmer, &corpus);
        join(&mut group, &runtime, &warmer, &corpus)?;
        read(&mut group, &runtime, &warmer, &corpus)?;
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}

/// Opening from nothing: the tail is fetched, footer and hot bytes are parsed and checked, and
/// tantivy opens its readers. Then opening what is open.
fn open(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    warmer: &Warmer,
    all: &Corpus,
) {
    let address = &all.splits[0];
    group.bench_function("open", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let mut spent = Duration::ZERO;
                for _ in 0..times {
                    warmer.clear().await;
                    let started = Instant::now();
                    let split = warmer.open(address).await.expect("a split of the corpus");
                    spent += started.elapsed();
                    drop(black_box(split));
                }
                spent
            })
        });
    });
    group.bench_function("open, when it is open", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let started = Instant::now();
                for _ in 0..times {
                    let split = warmer.open(address).await;
                    black_box(split.expect("a split of the corpus"));
                }
                started.elapsed()
            })
        });
    });
    let split = runtime.block_on(warmer.open(address));
    let split = split.expect("a split of the corpus");
    eprintln!(
        "open: {} segments, a footer of {} bytes with {} hot ones",
        split.num_segments(),
        split.footer().end - split.footer().start,
        split.hot_bytes()
    );
}

/// Joining what has finished: by its handle, and by naming the request.
fn join(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    warmer: &Warmer,
    all: &Corpus,
) -> Outcome<()> {
    let address = &all.splits[0];
    let requests = corpus::requests();
    let (_, request) = requests.get(1).ok_or("the suite has requests")?;
    let warmup = warmer.warm(address, request);
    let outcome = runtime.block_on(warmup.join(DEADLINE));
    if !outcome.is_warm() {
        return Err(format!("the warmup {outcome}").into());
    }
    let mut mean = Duration::ZERO;
    group.bench_function("join a finished warmup", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let started = Instant::now();
                for _ in 0..times {
                    black_box(warmup.join(DEADLINE).await);
                }
                let spent = started.elapsed();
                mean = spent.div_f64(times as f64);
                spent
            })
        });
    });
    let verdict = if mean < JOIN_TARGET {
        "under"
    } else {
        "NOT under"
    };
    eprintln!("join: {mean:?}, {verdict} {JOIN_TARGET:?}");
    group.bench_function("join, by naming split and request", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let started = Instant::now();
                for _ in 0..times {
                    black_box(warmer.join(address, request, DEADLINE).await);
                }
                started.elapsed()
            })
        });
    });
    group.bench_function("fingerprint of a request", |bencher| {
        // Setting the size makes a request forget its fingerprint.
        let fresh = || request.clone().size(request.hits_wanted());
        bencher.iter_batched(
            fresh,
            |fresh| black_box(fresh.fingerprint()),
            BatchSize::SmallInput,
        );
    });
    Ok(())
}

/// Opening a posting list of a term: one read of a leased extent, beside the same read of a
/// `RamDirectory`.
fn read(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    warmer: &Warmer,
    all: &Corpus,
) -> Outcome<()> {
    let body = all.indexes[0].schema().get_field("body")?;
    let term = Term::from_field_text(body, &corpus::word(30));
    let reads = |times| Reads {
        field: body,
        term: term.clone(),
        times,
    };
    group.bench_function("read postings, leased extent", |bencher| {
        bencher.iter_custom(|times| {
            let options = SearchOptions::default();
            let nothing = Clause::match_none();
            let search = warmer.search_with(&all.splits[..1], nothing, reads(times), &options);
            let (spent, report) = runtime.block_on(search).expect("a warm search");
            assert_eq!(report.late_reads, 0);
            spent
        });
    });
    let searcher = all.indexes[0].reader()?.searcher();
    group.bench_function("read postings, RamDirectory", |bencher| {
        bencher.iter_custom(|times| {
            let search = searcher.search(&EmptyQuery, &reads(times));
            search.expect("a search in memory")
        });
    });
    Ok(())
}

/// Not a collector of documents: it reads a posting list some times, and tells how long that took.
struct Reads {
    field: Field,
    term: Term,
    times: u64,
}

impl Reads {
    fn read(&self, reader: &SegmentReader, times: u64) -> tantivy::Result<Duration> {
        let index = reader.inverted_index(self.field)?;
        let Some(info) = index.get_term_info(&self.term)? else {
            return Ok(Duration::ZERO);
        };
        let started = Instant::now();
        for _ in 0..times {
            black_box(index.read_block_postings_from_terminfo(&info, IndexRecordOption::Basic)?);
        }
        Ok(started.elapsed())
    }
}

impl Collector for Reads {
    type Fruit = Duration;
    type Child = Nothing;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<Nothing> {
        // What the warmup sees of this collector: the range that it will read.
        self.read(reader, 1).map(|_| Nothing)
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn collect_segment(
        &self,
        _weight: &dyn Weight,
        _segment: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<Duration> {
        self.read(reader, self.times)
    }

    fn merge_fruits(&self, fruits: Vec<Duration>) -> tantivy::Result<Duration> {
        Ok(fruits.into_iter().sum())
    }
}

struct Nothing;

impl SegmentCollector for Nothing {
    type Fruit = Duration;

    fn collect(&mut self, _doc: DocId, _score: Score) {}

    fn harvest(self) -> Duration {
        Duration::ZERO
    }
}
