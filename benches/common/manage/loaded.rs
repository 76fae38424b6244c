//! 64 searchers and all triggers at once against one manager, over a store that is well, and over two
//! that fail and dawdle.
//!
//! What is asked is drawn beforehand, and answered in memory; every answer is compared. Splits are files,
//! 1.25 MB each and a multiple of the cache together, so that memory is what forewarm holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarm::{
    CacheSettings, ErrorKind, EventBinding, EventsSettings, Manager, ManagerSettings,
    PreloadSettings, RefreshSettings, ResidentSplits, SearchOptions, SearchRequest,
    SimulatedSettings, SimulatedStore, SplitAddress, StoreSettings, TriggerSettings, Warmer,
    WarmerSettings,
};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use super::beside::Beside;
use super::corpus::{self, Bench, Corpus, FIRST_BYTE};
use super::switched::Switched;
use crate::soaked::Outcome;
use crate::targets::Targets;

const SEARCHERS: u64 = 64;
const CAPACITY: u64 = 64 << 20;
const LEASES: u64 = 128 << 20;
/// How much more memory may be taken at the end than at the beginning.
const FLAT: f64 = 1.1;
/// Shares of what is asked that come again and again, and that a coordinator warms first.
const HOT: f64 = 0.6;
const PREWARMED: f64 = 0.25;

/// A request of some splits, and its right answer.
struct Ask {
    splits: Vec<SplitAddress>,
    request: SearchRequest,
    right: String,
}

pub async fn run(bench: &Bench) -> Outcome<usize> {
    let seconds = match std::env::var("FOREWARM_LOAD_SECONDS") {
        Ok(seconds) => seconds.parse()?,
        Err(_) if bench.is_test => 2,
        Err(_) => 30,
    };
    let time = Duration::from_secs(seconds);
    let (splits, docs, sets) = if bench.is_test {
        (16, 100, 5)
    } else {
        (200, 2_000, 250)
    };
    let corpus = Corpus::write(splits, docs).await?;
    let asks = Arc::new(asks(bench, &corpus, splits, sets).await?);
    let mut missed = 0;
    for store in [Store::Well, Store::Failing, Store::Refusing] {
        let load = Load {
            bench,
            corpus: &corpus,
            asks: &asks,
            splits,
            time,
            store,
        };
        let mut targets = Targets::default();
        load.put_on(&mut targets).await?;
        missed += targets.print(&format!(
            "load: {SEARCHERS} searchers, {} requests over {splits} splits, {time:?}, {FIRST_BYTE:?} to the \
             first byte, a store that {}",
            asks.len(),
            store.name(),
        ));
    }
    Ok(missed)
}

/// How the store is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Store {
    Well,
    /// GETs break off.
    Failing,
    /// GETs are refused: `503 SlowDown`, which asks for less.
    Refusing,
}

impl Store {
    fn name(self) -> &'static str {
        match self {
            Self::Well => "is well",
            Self::Failing => "fails 5 % of GETs and slows 5 % tenfold",
            Self::Refusing => "refuses 5 % of GETs (503) and slows 5 % tenfold",
        }
    }

    fn over(self, files: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        let mut well = corpus::steady();
        well.tail = SimulatedSettings::default().tail;
        let mut ill = well.clone();
        (ill.error, ill.slow) = (0.05, 0.05);
        match self {
            Self::Well => Arc::new(SimulatedStore::new(files, well)),
            Self::Refusing => Arc::new(SimulatedStore::new(files, ill)),
            Self::Failing => {
                let store = Switched::new(&files, well, ill);
                store.be_ill_for(usize::MAX);
                store
            }
        }
    }
}

/// Requests of random sets of splits, with their answers in memory.
async fn asks(bench: &Bench, corpus: &Corpus, splits: usize, sets: usize) -> Outcome<Vec<Ask>> {
    let files = Arc::new(LocalFileSystem::new_with_prefix(corpus.folder.path())?);
    let loader = Warmer::builder(files).pool(Arc::clone(&bench.pool));
    let loader = loader.build()?;
    let mut rng = StdRng::seed_from_u64(5);
    let mut asks = Vec::new();
    for _ in 0..sets {
        let count = rng.random_range(1..=8);
        let numbers = rand::seq::index::sample(&mut rng, splits, count);
        let splits: Vec<_> = numbers.into_iter().map(crate::soaked::address).collect();
        let resident = ResidentSplits::load(&loader, &splits, u64::MAX).await?;
        for _ in 0..8 {
            let question = &corpus.questions[rng.random_range(0..corpus.questions.len())];
            let request = SearchRequest::from_value(&question.body)?;
            asks.push(Ask {
                right: corpus::answer(&resident.search(&request).await?)?,
                splits: splits.clone(),
                request,
            });
        }
    }
    Ok(asks)
}

struct Load<'a> {
    bench: &'a Bench,
    corpus: &'a Corpus,
    asks: &'a Arc<Vec<Ask>>,
    splits: usize,
    time: Duration,
    store: Store,
}

impl Load<'_> {
    async fn put_on(&self, targets: &mut Targets) -> Outcome<()> {
        let manager = self.manager()?;
        manager.announce(corpus::addresses(self.splits));
        manager.start();
        let beside = Beside::start(&manager, self.splits, self.time);
        let end = Instant::now() + self.time;
        let searchers = (0..SEARCHERS).map(|seed| {
            let (manager, asks) = (manager.clone(), Arc::clone(self.asks));
            tokio::spawn(search(manager, asks, seed, end))
        });
        let mut all = Done::default();
        for searcher in searchers.collect::<Vec<_>>() {
            all.add(searcher.await??);
        }
        let resident = beside.end().await?;
        self.judge(&manager, all, targets);
        let growth = resident.growth();
        targets.add(
            "resident memory, last quarter ÷ first",
            format!("≤ {FLAT}"),
            format!("{growth:.3}: {resident}"),
            growth <= FLAT,
        );
        self.triggers(&manager, targets);
        let report = manager.shutdown(Duration::from_secs(30)).await;
        targets.add(
            "shutdown",
            "plans written",
            format!("{} jobs cancelled", report.cancelled_jobs),
            report.plans_written,
        );
        Ok(())
    }

    fn manager(&self) -> Outcome<Manager> {
        let files = LocalFileSystem::new_with_prefix(self.corpus.folder.path())?;
        let store = self.store.over(Arc::new(files));
        let cache = CacheSettings::default()
            .with_capacity_bytes(CAPACITY)
            .with_lease_bytes(LEASES)
            .with_opened_bytes(32 << 20)
            .with_plan_bytes(8 << 20);
        let gets = StoreSettings::default().with_in_flight_bytes(LEASES / 2);
        let settings = WarmerSettings::default().with_cache(cache).with_store(gets);
        let warmer = Warmer::builder(store).settings(settings);
        let warmer = warmer.pool(Arc::clone(&self.bench.pool)).build()?;
        Ok(Manager::new(warmer, self.settings())?)
    }

    /// All triggers, none of which waits for long.
    fn settings(&self) -> ManagerSettings {
        let often = TriggerSettings::default().with_interval(Duration::from_secs(1));
        let bodies = |few: usize| {
            let asked = self.corpus.questions.iter().take(few);
            asked.map(|it| it.body.clone()).collect::<Vec<Value>>()
        };
        let binding = EventBinding::new("tenant_active", bodies(3)).with_prefix("{tenant}");
        let events = EventsSettings::default().with_bindings([binding]);
        let refresh = RefreshSettings::default()
            .with_prefix(Some(String::new()))
            .with_trigger(often.clone());
        let preload = PreloadSettings::default()
            .with_requests(bodies(2))
            .with_trigger(often);
        ManagerSettings::default()
            .with_events(Some(events))
            .with_refresh(Some(refresh))
            .with_preload(Some(preload))
    }

    fn judge(&self, manager: &Manager, done: Done, targets: &mut Targets) {
        let may_be_late = self.store != Store::Well;
        let Done {
            mut micros,
            wrong,
            failed,
            cold,
            late_reads,
        } = done;
        micros.sort_unstable();
        let at = |share: f64| {
            let place = (micros.len().saturating_sub(1) as f64 * share) as usize;
            f64::from(micros.get(place).copied().unwrap_or(0)) / 1e3
        };
        let warmer = manager.warmer().statistics();
        targets.tell(
            "latency, ms",
            format!(
                "p50 {:.1}, p90 {:.1}, p99 {:.1}, longest {:.1}",
                at(0.5),
                at(0.9),
                at(0.99),
                at(1.0)
            ),
        );
        targets.tell(
            "traffic",
            format!(
                "{} searches, {} GETs, {} refused, {} searches not warm, {late_reads} late reads",
                micros.len(),
                warmer.gets,
                warmer.throttled,
                cold,
            ),
        );
        targets.add(
            "wrong answers",
            "0",
            format!("{wrong} of {}", micros.len()),
            wrong == 0 && !micros.is_empty(),
        );
        let is_allowed = |kind: &ErrorKind| may_be_late && *kind == ErrorKind::Timeout;
        let kinds = failed
            .iter()
            .map(|(name, (_, count))| format!("{count} {name}"));
        let kinds: Vec<String> = kinds.collect();
        targets.add(
            "failures",
            if may_be_late { "deadlines only" } else { "0" },
            if kinds.is_empty() {
                "0".to_owned()
            } else {
                kinds.join(", ")
            },
            failed.values().all(|(kind, _)| is_allowed(kind)),
        );
    }

    /// Where the store is ill, what is warmed waits for what is searched.
    fn triggers(&self, manager: &Manager, targets: &mut Targets) {
        for trigger in manager.triggers() {
            let status = trigger.status();
            let what = format!("trigger {}", status.name);
            let measured = format!(
                "{} ticks, {} wanted, {} warm, {} failed, left out {:?}",
                status.ticks, status.wanted, status.warmed, status.failed, status.left_out
            );
            if self.store == Store::Well {
                targets.add(what, "has warmed something", measured, status.warmed > 0);
            } else {
                targets.tell(what, measured);
            }
        }
    }
}

/// What came of the searches of one searcher, or of all.
#[derive(Default)]
struct Done {
    /// How long each took.
    micros: Vec<u32>,
    wrong: u64,
    /// By name of the kind.
    failed: BTreeMap<String, (ErrorKind, u64)>,
    /// Searches that went on without their warmups.
    cold: u64,
    late_reads: u64,
}

impl Done {
    fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.wrong += other.wrong;
        self.cold += other.cold;
        self.late_reads += other.late_reads;
        for (name, (kind, count)) in other.failed {
            self.failed.entry(name).or_insert((kind, 0)).1 += count;
        }
    }
}

async fn search(manager: Manager, asks: Arc<Vec<Ask>>, seed: u64, end: Instant) -> Outcome<Done> {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut done, options) = (Done::default(), SearchOptions::default());
    while Instant::now() < end {
        let among = if rng.random_bool(HOT) {
            asks.len() / 20
        } else {
            asks.len()
        };
        let ask = &asks[rng.random_range(0..among.max(1))];
        let job = rng
            .random_bool(PREWARMED)
            .then(|| manager.prewarm(&ask.splits, &ask.request));
        let started = Instant::now();
        let found = manager.search(&ask.splits, &ask.request, &options).await;
        let micros = started.elapsed().as_micros();
        match found {
            Ok(found) => {
                done.micros.push(u32::try_from(micros)?);
                done.wrong += u64::from(corpus::answer(&found)? != ask.right);
                done.cold += u64::from(!matches!(found.report.outcome, "ready" | "waited"));
                done.late_reads += found.report.late_reads;
            }
            Err(error) => {
                let failed = done.failed.entry(error.kind().to_string());
                failed.or_insert((error.kind(), 0)).1 += 1;
            }
        }
        // The odd coordinator changes its mind.
        if let Some(job) = job
            && rng.random_bool(0.1)
        {
            job.cancel();
        }
    }
    Ok(done)
}
