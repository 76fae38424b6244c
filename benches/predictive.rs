//! A generated day of 100,000 searches over a store with a first byte after 30 ms: how many find
//! everything warm, with nobody warming, with the trigger `preload` at the start, with
//! [`PredictiveSettings`], and with an oracle.
//!
//! What is asked is described in `common/day.rs`; the seed decides it. All that the day reads comes to
//! about 60 MiB (what is fetched where nobody warms and nothing has to go); the cache, of 12 MiB, holds
//! a fifth of that: what is asked within some hours, and not within the day. The day before was searched
//! elsewhere: its log is known (`preload` has the hot set that its process wrote), its bytes are not
//! here.
//!
//! The oracle looks as often as the trigger, under the same budgets, into the same cache. It knows
//! every search until it looks next (the requests that nobody asked before, and those that are
//! asked once, too) and of which of the splits that are there when it looks. It tells the cache that it
//! is certain: nothing that is there already counts for more. It does not know which splits will come.
//!
//! A search is warm when, the moment it begins, all that it reads is in memory; why the others were not
//! is printed below each way (see `common/day_misses.rs`). What was fetched ahead is wasted when it
//! leaves memory unread (see `forewarm::Use`), or is unread when the day ends.
//!
//! Time is tokio's, paused: what takes time is the simulated store alone. Everything of one way runs on
//! one thread, so that time never passes while somebody computes.
//!
//! `FOREWARM_DAY_SEARCHES` sets how many searches, `FOREWARM_DAY_SEED` the seed, `FOREWARM_DAY_CACHE` the KiB
//! of cache, `FOREWARM_DAY_WAYS` which ways (some of `npPo`), `FOREWARM_DAY_PREDICTIVE` other settings of
//! the trigger, in JSON. With `FOREWARM_DAY_STATUS` the trigger's status is printed, too.

mod common {
    pub mod day;
    #[path = "day_misses.rs"]
    pub mod misses;
    #[path = "day_oracle.rs"]
    pub mod oracle;
    #[path = "day_splits.rs"]
    pub mod splits;

    pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
}

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::Outcome;
use common::day::{DAY, Days, HOUR, What, path};
use common::misses::Misses;
use common::oracle::Oracle;
use forewarm::{
    CacheSettings, HeatSettings, HotSetObject, HotSetSettings, Manager, ManagerSettings,
    PredictiveSettings, PreloadSettings, SearchOptions, SearchRequest, SimulatedSettings,
    SimulatedStore, SplitAddress, StoreSettings, TriggerHandle, Warmer, WarmerSettings, Warmth,
};
use object_store::memory::InMemory;
use tokio::time::{Instant, sleep_until};

const SEARCHES: usize = 100_000;
const SEED: u64 = 5;
const CACHE_KIB: usize = 12 << 10;
/// Warmups of one job, so that a look when a split has come gets done what it lists for it.
const BATCH: usize = 512;
const INTERVAL: Duration = Duration::from_secs(120);
const BYTES_PER_HOUR: u64 = 64 << 20;
const GETS_PER_HOUR: u64 = 20_000;
/// That it is yesterday no more.
const TODAY: u64 = u64::MAX;
/// How often it is looked what was warmed ahead.
const TOLD: Duration = Duration::from_secs(15);
/// What is to be reached.
const GAIN: f64 = 0.8;
const WASTE: f64 = 0.3;

fn main() -> Outcome<()> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let number = |name: &str, default: usize| -> Outcome<usize> {
        match std::env::var(name) {
            Ok(text) => Ok(text.parse()?),
            Err(_) => Ok(default),
        }
    };
    let searches = number(
        "FOREWARM_DAY_SEARCHES",
        if is_test { 4_000 } else { SEARCHES },
    )?;
    let seed = number("FOREWARM_DAY_SEED", SEED as usize)? as u64;
    let cache_kib = number("FOREWARM_DAY_CACHE", CACHE_KIB)?;
    let capacity = (cache_kib as u64) << 10;
    let chosen = std::env::var("FOREWARM_DAY_WAYS").unwrap_or_else(|_| "npPo".into());
    let days = Arc::new(Days::new(seed, searches)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = runtime.block_on(common::splits::put(&days))?;
    let (count, new) = days.searches();
    println!(
        "{count} searches, of which {:.1} % ask what nobody asked before; seed {seed}, a cache of {} KiB",
        new as f64 / count as f64 * 100.0,
        cache_kib
    );
    let ways = [
        ('n', Way::None),
        ('p', Way::Preload),
        ('P', Way::Predictive),
        ('o', Way::Oracle),
    ];
    let ways = ways
        .into_iter()
        .filter(|(letter, _)| chosen.contains(*letter));
    let threads: Vec<_> = ways
        .map(|(_, way)| {
            let (days, store) = (Arc::clone(&days), Arc::clone(&store));
            let run = move || follow(way, capacity, &days, store);
            (way, std::thread::spawn(run))
        })
        .collect();
    let mut tallies = HashMap::new();
    for (way, thread) in threads {
        let tally = thread.join().map_err(|_| "a way panicked")??;
        tally.print(way);
        tallies.insert(way, tally);
    }
    verdict(&tallies);
    Ok(())
}

/// Who warms.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Way {
    None,
    Preload,
    Predictive,
    Oracle,
}

/// What came of it.
#[derive(Default)]
struct Tally {
    searches: u64,
    warm: u64,
    gets: u64,
    bytes: u64,
    late_reads: u64,
    latencies: Vec<Duration>,
    misses: Misses,
    /// Bytes fetched ahead, and those of them that searches read, and that none did.
    ahead: u64,
    used: u64,
    wasted: u64,
    status: String,
    took: Duration,
}

/// One way through the two days.
struct Run {
    manager: Manager,
    /// Of the process that was searched yesterday, which wrote down what was hot.
    before: Option<Manager>,
    days: Arc<Days>,
    tally: Arc<Mutex<Tally>>,
    start: Instant,
    /// What time it is while yesterday's log is read.
    yesterday: Arc<AtomicU64>,
}

fn follow(way: Way, capacity: u64, days: &Arc<Days>, store: Arc<InMemory>) -> Outcome<Tally> {
    let began = std::time::Instant::now();
    // Work for the pool is done when nothing else is left to do, on this very thread.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(|| while rayon::yield_local() == Some(rayon::Yield::Executed) {})
        .build()?;
    let days = Arc::clone(days);
    let mut tally = runtime.block_on(async move {
        let run = Run::new(way, capacity, days, store, Arc::new(pool))?;
        // A task, so that what wakes it is seen before time passes.
        tokio::spawn(run.go(way)).await?
    })?;
    tally.took = began.elapsed();
    Ok(tally)
}

impl Run {
    fn new(
        way: Way,
        capacity: u64,
        days: Arc<Days>,
        store: Arc<InMemory>,
        pool: Arc<rayon::ThreadPool>,
    ) -> Outcome<Self> {
        let start = Instant::now();
        let mut slow = SimulatedSettings::default();
        slow.first_byte = Duration::from_millis(30);
        let cache = CacheSettings::default()
            .with_capacity_bytes(capacity)
            .with_lease_bytes(32 << 20);
        // What lingers does so by the clock of the machine, which does not stand still.
        let settings = WarmerSettings::default()
            .with_cache(cache)
            // The splits are small, so that a day of them fits a bench, and stand for large ones.
            .with_store(StoreSettings::default().with_whole_split_bytes(0))
            .with_linger(Duration::ZERO);
        let store = Arc::new(SimulatedStore::new(store, slow));
        let builder = Warmer::builder(store.clone()).settings(settings.clone());
        let warmer = builder.pool(Arc::clone(&pool)).build()?;
        let predictive = predictive()?;
        let trigger = predictive.trigger.clone();
        let trigger = trigger
            .with_interval(INTERVAL)
            .with_batch_size(BATCH)
            .with_bytes_per_hour(Some(BYTES_PER_HOUR))
            .with_gets_per_hour(Some(GETS_PER_HOUR));
        let predictive = predictive.with_trigger(trigger.clone());
        let preload = PreloadSettings::default().with_trigger(trigger.clone());
        let manager_settings = ManagerSettings::default()
            .with_heat(HeatSettings::default())
            // Nobody reads what today's process would write.
            .with_hot_set(HotSetSettings::default().with_interval(DAY))
            .with_preload((way == Way::Preload).then_some(preload))
            .with_predictive((way == Way::Predictive).then_some(predictive));
        let yesterday = Arc::new(AtomicU64::new(0));
        let clock = clock(&yesterday, start);
        let mut builder = Manager::builder(warmer).settings(manager_settings);
        let mut before = None;
        if way == Way::Preload {
            let place = HotSetObject::new(Arc::new(InMemory::new()), "hot".into());
            let warmer = Warmer::builder(store).settings(settings).pool(pool);
            let manager = Manager::builder(warmer.build()?).hot_set(place.clone());
            before = Some(manager.clock(clock.clone()).build()?);
            builder = builder.hot_set(place);
        }
        if way == Way::Oracle {
            builder = builder.trigger(Oracle {
                days: Arc::clone(&days),
                settings: trigger,
                start,
            });
        }
        let builder = builder.clock(clock);
        Ok(Self {
            manager: builder.build()?,
            before,
            days,
            tally: Arc::default(),
            start,
            yesterday,
        })
    }

    async fn go(mut self, way: Way) -> Outcome<Tally> {
        let mut newest: HashMap<usize, usize> = HashMap::new();
        let days = Arc::clone(&self.days);
        let mut searches = tokio::task::JoinSet::new();
        let mut is_today = false;
        let mut told = DAY;
        for event in &days.events {
            if let Some(at) = event.at.checked_sub(DAY) {
                sleep_until(self.start + at).await;
            } else {
                let at = event.at.as_millis() as u64;
                self.yesterday.store(at, Ordering::Relaxed);
            }
            if event.at >= DAY && !is_today {
                is_today = true;
                self.yesterday.store(TODAY, Ordering::Relaxed);
                if let Some(before) = self.before.take() {
                    before.start();
                    before.shutdown(HOUR).await;
                }
                self.manager.start();
            }
            if event.at >= told {
                let jobs = self.manager.jobs();
                self.tally.lock().expect("no panic").misses.note_jobs(&jobs);
                told = event.at + TOLD;
            }
            match event.what {
                What::Split(number) => {
                    newest.insert(event.tenant, number);
                    let split = SplitAddress::new(path(event.tenant, number).into());
                    let mut tally = self.tally.lock().expect("no panic");
                    tally.misses.note_split(&split, event.at);
                    drop(tally);
                    if let Some(before) = &self.before {
                        before.announce([split.clone()]);
                    }
                    self.manager.announce([split]);
                }
                What::Search { request, window } => {
                    let splits = window_of(event.tenant, newest[&event.tenant], window);
                    let asks = &days.requests[request];
                    if is_today {
                        searches.spawn(self.search(splits, asks, event.at));
                        while let Some(done) = searches.try_join_next() {
                            done??;
                        }
                        continue;
                    }
                    if way == Way::Predictive {
                        self.manager.note_search(&splits, asks);
                    }
                    if let Some(before) = &self.before {
                        before.note_search(&splits, asks);
                    }
                    let mut tally = self.tally.lock().expect("no panic");
                    let misses = &mut tally.misses;
                    misses.note_search(&splits, asks.fingerprint(), &[], event.at);
                }
            }
        }
        while let Some(done) = searches.join_next().await {
            done??;
        }
        self.end().await
    }

    async fn end(self) -> Outcome<Tally> {
        let statistics = self.manager.warmer().statistics();
        let status = self.manager.triggers().first().map(TriggerHandle::status);
        // What is in memory and unread is read no more.
        self.manager.shutdown(HOUR).await;
        self.manager.warmer().clear().await;
        let mut tally = std::mem::take(&mut *self.tally.lock().expect("no panic"));
        for source in self.manager.snapshot().sources.values() {
            let usage = source.usage;
            tally.ahead += usage.fetched_bytes;
            tally.used += usage.used_bytes;
            tally.wasted += usage.wasted_bytes;
        }
        (tally.gets, tally.bytes) = (statistics.gets, statistics.bytes);
        if let Some(status) = status {
            tally.status = serde_json::to_string(&status)?;
        }
        Ok(tally)
    }

    fn search(
        &self,
        splits: Vec<SplitAddress>,
        request: &SearchRequest,
        at: Duration,
    ) -> impl Future<Output = Outcome<()>> + Send + 'static {
        let (manager, tally, request) = (
            self.manager.clone(),
            Arc::clone(&self.tally),
            request.clone(),
        );
        async move {
            let began = Instant::now();
            let warmth = manager.warmer().classify(&splits, &request);
            let is_warm = |it: &Warmth| matches!(it, Warmth::Cached | Warmth::ProvablyEmpty);
            let is_all_warm = warmth.iter().all(is_warm);
            {
                let misses = &mut tally.lock().expect("no panic").misses;
                misses.note_search(&splits, request.fingerprint(), &warmth, at);
            }
            let options = SearchOptions::default();
            let response = manager.search(&splits, &request, &options).await?;
            let mut found = tally.lock().expect("no panic");
            found.searches += 1;
            found.warm += u64::from(is_all_warm);
            found.late_reads += response.report.late_reads;
            found.latencies.push(began.elapsed());
            Ok(())
        }
    }
}

/// Those of `FOREWARM_DAY_PREDICTIVE`, in JSON, or the defaults.
fn predictive() -> Outcome<PredictiveSettings> {
    match std::env::var("FOREWARM_DAY_PREDICTIVE") {
        Ok(text) => Ok(serde_json::from_str(&text)?),
        Err(_) => Ok(PredictiveSettings::default()),
    }
}

/// Tells the time of yesterday's log while that is read, and then what time has passed since.
fn clock(
    yesterday: &Arc<AtomicU64>,
    start: Instant,
) -> impl Fn() -> SystemTime + Clone + Send + Sync + 'static {
    let yesterday = Arc::clone(yesterday);
    move || {
        let first = UNIX_EPOCH + DAY * 20_000;
        match yesterday.load(Ordering::Relaxed) {
            TODAY => first + DAY + start.elapsed(),
            millis => first + Duration::from_millis(millis),
        }
    }
}

fn window_of(tenant: usize, newest: usize, window: usize) -> Vec<SplitAddress> {
    let numbers = (newest + 1).saturating_sub(window)..=newest;
    numbers
        .map(|number| SplitAddress::new(path(tenant, number).into()))
        .collect()
}

impl Tally {
    fn share(&self) -> f64 {
        self.warm as f64 / self.searches.max(1) as f64
    }

    fn waste(&self) -> f64 {
        self.wasted as f64 / (self.used + self.wasted).max(1) as f64
    }

    fn print(&self, way: Way) {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let quantile = |share: f64| {
            let at = (latencies.len().saturating_sub(1) as f64 * share) as usize;
            latencies.get(at).copied().unwrap_or_default().as_millis()
        };
        println!(
            "{:<10} warm {:5.1} %  GETs {:>7}  {:>7.1} MiB  warmed {:>6.1} MiB, wasted {:4.1} %  \
             p50 {:>3} ms  p90 {:>3} ms  p99 {:>3} ms  late reads {}  ({:.0} s)",
            format!("{way:?}").to_lowercase(),
            self.share() * 100.0,
            self.gets,
            self.bytes as f64 / 1_048_576.0,
            self.ahead as f64 / 1_048_576.0,
            self.waste() * 100.0,
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            self.late_reads,
            self.took.as_secs_f64(),
        );
        self.misses.print(self.searches);
        if std::env::var_os("FOREWARM_DAY_STATUS").is_some() {
            println!("  {}", self.status);
        }
    }
}

fn verdict(tallies: &HashMap<Way, Tally>) {
    let (Some(none), Some(ours), Some(best)) = (
        tallies.get(&Way::None),
        tallies.get(&Way::Predictive),
        tallies.get(&Way::Oracle),
    ) else {
        return;
    };
    let gain = (ours.share() - none.share()) / (best.share() - none.share());
    let within = |is: bool| if is { "within" } else { "NOT within" };
    println!(
        "predictive reaches {:.1} % of the oracle's gain, {} {:.0} %; wasted {:.1} %, {} {:.0} %",
        gain * 100.0,
        within(gain >= GAIN),
        GAIN * 100.0,
        ours.waste() * 100.0,
        within(ours.waste() <= WASTE),
        WASTE * 100.0,
    );
}
