//! A soak: 64 random requests at once over 200 splits, many times larger than the cache together.
//! Memory is measured from outside of forewarm, and every answer is checked.
//!
//! The splits are local files, made by this process; the soak runs in a child process, whose peak
//! of resident memory (`VmHWM` of `/proc/self/status`) is its own. It may be the capacity (256
//! MiB) and the bytes in flight (64 MiB), a quarter more, and 64 MiB for everything else.
//!
//! `FOREWARM_SOAK_SECONDS` sets how long, `FOREWARM_SOAK_SPLITS` how many splits.

#[path = "common/memory.rs"]
mod memory;
#[path = "common/soaked.rs"]
mod soaked;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forewarm::{CacheSettings, SearchRequest, SplitAddress, StoreSettings, Warmer, WarmerSettings};
use object_store::local::LocalFileSystem;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::runtime::Runtime;

use soaked::{Outcome, Question, SHAPES};

const CAPACITY: u64 = 256 << 20;
const IN_FLIGHT: u64 = 64 << 20;
const REST: u64 = 64 << 20;
const WORKERS: u64 = 64;
/// Names the folder of splits to the child process.
const FOLDER: &str = "FOREWARM_SOAK_FOLDER";

fn main() -> Outcome<()> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Runtime::new()?.block_on(soak(&PathBuf::from(folder), is_test));
    }
    let splits = match std::env::var("FOREWARM_SOAK_SPLITS") {
        Ok(splits) => splits.parse()?,
        Err(_) if is_test => 8,
        Err(_) => 200,
    };
    let folder = tempfile::tempdir()?;
    let bytes = soaked::write(folder.path(), splits, if is_test { 200 } else { 20_000 })?;
    println!("{splits} splits, {:.1} MiB", mib(bytes));
    let mut child = Command::new(std::env::current_exe()?);
    child.env(FOLDER, folder.path());
    child.args(is_test.then_some("--test"));
    if child.status()?.success() {
        Ok(())
    } else {
        Err("the soak failed: see above".into())
    }
}

/// What is counted over all workers.
#[derive(Default)]
struct Counts {
    searches: AtomicU64,
    splits: AtomicU64,
    late_reads: AtomicU64,
    not_warm: AtomicU64,
    gets: AtomicU64,
}

async fn soak(folder: &Path, is_test: bool) -> Outcome<()> {
    let seconds = match std::env::var("FOREWARM_SOAK_SECONDS") {
        Ok(seconds) => seconds.parse()?,
        Err(_) if is_test => 1,
        Err(_) => 30,
    };
    let questions: Arc<[Question]> = soaked::questions(folder)?.into();
    let splits = std::fs::read_dir(folder)?.count() - 1;
    let cache = CacheSettings::default()
        .with_capacity_bytes(CAPACITY)
        .with_lease_bytes(IN_FLIGHT)
        .with_opened_bytes(24 << 20)
        .with_plan_bytes(8 << 20);
    let store = StoreSettings::default().with_in_flight_bytes(IN_FLIGHT);
    let settings = WarmerSettings::default()
        .with_cache(cache)
        .with_store(store);
    let baseline = memory::resident_bytes();
    let files = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
    let warmer = Warmer::builder(files).settings(settings).build()?;
    let counts = Arc::new(Counts::default());
    let end = Instant::now() + Duration::from_secs(seconds);
    let workers = (0..WORKERS).map(|worker| {
        let worker = Worker {
            number: worker,
            warmer: warmer.clone(),
            questions: Arc::clone(&questions),
            splits,
            end,
            counts: Arc::clone(&counts),
        };
        tokio::spawn(worker.run())
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    report(&warmer, &counts, baseline, seconds)
}

struct Worker {
    number: u64,
    warmer: Warmer,
    questions: Arc<[Question]>,
    splits: usize,
    end: Instant,
    counts: Arc<Counts>,
}

impl Worker {
    async fn run(self) -> Outcome<()> {
        let mut rng = StdRng::seed_from_u64(self.number);
        while Instant::now() < self.end {
            let question = &self.questions[rng.random_range(0..self.questions.len())];
            let numbers: Vec<usize> = (0..rng.random_range(1..=8))
                .map(|_| rng.random_range(0..self.splits))
                .collect();
            self.ask(question, &numbers).await?;
        }
        Ok(())
    }

    async fn ask(&self, question: &Question, numbers: &[usize]) -> Outcome<()> {
        let request = SearchRequest::from_value(&question.body)?;
        let splits: Vec<SplitAddress> = numbers.iter().map(|&it| soaked::address(it)).collect();
        let response = self.warmer.search(&splits, &request).await?;
        let expected: u64 = numbers.iter().map(|it| question.counts[it % SHAPES]).sum();
        let found = response.hits.total.map_or(0, |total| total.value);
        if found != expected {
            let body = &question.body;
            return Err(format!("{found} matches instead of {expected}: {body}").into());
        }
        let report = response.report;
        let warm = matches!(report.outcome, "ready" | "waited");
        if warm && report.late_reads > 0 {
            return Err(format!("{} late reads of a warm search", report.late_reads).into());
        }
        let counts = &self.counts;
        let add = |count: &AtomicU64, more: u64| count.fetch_add(more, Ordering::Relaxed);
        add(&counts.searches, 1);
        add(&counts.splits, splits.len() as u64);
        add(&counts.gets, report.gets);
        add(&counts.not_warm, u64::from(!warm));
        add(&counts.late_reads, report.late_reads);
        Ok(())
    }
}

fn report(warmer: &Warmer, counts: &Counts, baseline: u64, seconds: u64) -> Outcome<()> {
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let (peak, now) = (memory::peak_bytes(), memory::resident_bytes());
    let allowed = (CAPACITY + IN_FLIGHT) * 5 / 4 + REST;
    let statistics = warmer.statistics();
    println!(
        "{seconds} s, {WORKERS} requests at once: {} searches of {} splits, {} GETs, all answers \
         right",
        load(&counts.searches),
        load(&counts.splits),
        load(&counts.gets)
    );
    println!(
        "late reads of warm searches 0; {} searches were not warm, for want of leases, and made \
         {} late reads",
        load(&counts.not_warm),
        load(&counts.late_reads)
    );
    println!(
        "cached {:.1} MiB of {:.1}, opened {:.1} MiB, plans {:.1} MiB",
        mib(statistics.cached_bytes),
        mib(CAPACITY),
        mib(statistics.opened_bytes),
        mib(statistics.plan_bytes)
    );
    let verdict = if peak <= allowed {
        "within"
    } else {
        "NOT within"
    };
    println!(
        "resident: {:.1} MiB before, {:.1} MiB now, peak {:.1} MiB, {verdict} {:.1} MiB",
        mib(baseline),
        mib(now),
        mib(peak),
        mib(allowed)
    );
    if peak <= allowed {
        Ok(())
    } else {
        Err("too much memory".into())
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
