//! A coordinator that warms, and a reader that plans and then searches, against a reader alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarm::{
    JobState, Manager, ManagerSettings, OnMiss, ResidentSplits, SearchOptions, SearchRequest,
    SimulatedStore, SplitAddress, Warmer, WarmerSettings,
};
use object_store::ObjectStore;
use serde_json::{Value, json};

use super::corpus::{self, Bench, Corpus};
use super::faults;
use crate::soaked::Outcome;
use crate::targets::{Targets, median};

/// How much longer the reader may take than the slower of planning and warming, and the search in
/// memory.
const ALLOWED: f64 = 1.1;
const PATIENCE: Duration = Duration::from_secs(600);

/// One request of some splits.
pub struct Case<'a> {
    pub bench: &'a Bench,
    pub splits: &'a [SplitAddress],
    pub resident: &'a ResidentSplits,
    pub request: SearchRequest,
    /// A warmer whose plans are known, when any are.
    pub teacher: Option<&'a Warmer>,
    /// Whether documents are prewarmed, too.
    pub documents: bool,
}

/// A row of the bench.
struct Row {
    name: &'static str,
    body: Value,
    knows_plans: bool,
    /// Whether documents are prewarmed.
    documents: bool,
    /// Whether the target is its own.
    is_held: bool,
}

pub async fn run(bench: &Bench) -> Outcome<usize> {
    let sizes: &[usize] = if bench.is_test { &[8] } else { &[8, 200] };
    let most = sizes.iter().copied().max().unwrap_or(0);
    let corpus = Corpus::write(8, if bench.is_test { 100 } else { 2_000 }).await?;
    let plain = corpus.in_memory(most).await?;
    let mut targets = Targets::default();
    for &size in sizes {
        let splits = corpus::addresses(size);
        let teacher = warmer(bench, Arc::clone(&plain), OnMiss::Fetch)?;
        let resident = ResidentSplits::load(&teacher, &splits, u64::MAX).await?;
        for row in rows() {
            let case = Case {
                bench,
                splits: &splits,
                resident: &resident,
                request: SearchRequest::from_value(&row.body)?,
                teacher: row.knows_plans.then_some(&teacher),
                documents: row.documents,
            };
            if row.knows_plans {
                teacher.search(&splits, &case.request).await?;
            }
            for planning in [20, 100].map(Duration::from_millis) {
                case.measure(&plain, planning, &row, &mut targets).await?;
            }
        }
        let body = json!({"query": {"match": {"body": "old man3"}}, "sort": [{"price": "desc"}]});
        let case = Case {
            bench,
            splits: &splits,
            resident: &resident,
            request: SearchRequest::from_value(&body)?,
            teacher: None,
            documents: false,
        };
        faults::measure(&case, &plain, &mut targets).await?;
    }
    Ok(targets.print(
        "two-phase: what the reader waits ÷ (the slower of planning and warmup + search in RAM), \
         30 ms to the first byte",
    ))
}

/// Which documents hits bring is known only once they are found: where no plan tells, that is a round
/// after the warmup, unless prewarming brings them, too.
fn rows() -> [Row; 4] {
    let query = json!({"bool": {
        "must": {"match": {"body": "old man3"}},
        "filter": {"range": {"price": {"gte": 200, "lt": 700}}},
    }});
    let documents = json!({"query": query, "size": 10});
    let mut hits = documents.clone();
    hits["_source"] = json!(false);
    let row = |name, body: &Value| Row {
        name,
        body: body.clone(),
        knows_plans: false,
        documents: false,
        is_held: true,
    };
    [
        row("never seen, hits", &hits),
        Row {
            is_held: false,
            ..row("never seen, a round for documents", &documents)
        },
        Row {
            documents: true,
            ..row("never seen, documents prewarmed", &documents)
        },
        Row {
            knows_plans: true,
            ..row("plan known, documents", &documents)
        },
    ]
}

pub fn warmer(bench: &Bench, store: Arc<dyn ObjectStore>, on_miss: OnMiss) -> Outcome<Warmer> {
    let settings = WarmerSettings::default().with_on_miss(on_miss);
    let builder = Warmer::builder(store).settings(settings);
    Ok(builder.pool(Arc::clone(&bench.pool)).build()?)
}

impl Case<'_> {
    async fn measure(
        &self,
        plain: &Arc<dyn ObjectStore>,
        planning: Duration,
        row: &Row,
        targets: &mut Targets,
    ) -> Outcome<()> {
        let rounds = if self.bench.is_test { 1 } else { 9 };
        let mut ratios = Vec::new();
        let mut times: [Vec<f64>; 4] = Default::default();
        let right = corpus::answer(&self.resident.search(&self.request).await?)?;
        for _ in 0..rounds {
            let warmup = self.warmup(plain).await?;
            let started = Instant::now();
            self.resident.search(&self.request).await?;
            let in_memory = millis(started.elapsed());
            let (planned, read) = self.read(plain, planning, true, &right).await?;
            let (_, alone) = self.read(plain, planning, false, &right).await?;
            ratios.push(read / (planned.max(warmup) + in_memory));
            for (times, time) in times.iter_mut().zip([warmup, in_memory, read, alone]) {
                times.push(time);
            }
        }
        let [warmup, in_memory, read, alone] = times.map(median);
        let ratio = median(ratios);
        let what = format!(
            "{:>3} splits, {planning:?} planned, {}",
            self.splits.len(),
            row.name
        );
        let measured = format!(
            "{ratio:.3}: {read:.1} ms; warmup {warmup:.1}, in RAM {in_memory:.1}, not prewarmed {alone:.1}"
        );
        if row.is_held {
            targets.add(what, format!("≤ {ALLOWED}"), measured, ratio <= ALLOWED);
        } else {
            targets.tell(what, measured);
        }
        Ok(())
    }

    /// A manager that has nothing, over a store of its own.
    fn manager(&self, plain: &Arc<dyn ObjectStore>) -> Outcome<Manager> {
        let store = SimulatedStore::new(Arc::clone(plain), corpus::steady());
        let warmer = warmer(self.bench, Arc::new(store), OnMiss::Fail)?;
        if let Some(teacher) = self.teacher {
            corpus::hand_over(teacher, &warmer);
        }
        let settings = ManagerSettings::default().with_prewarm_documents(self.documents);
        Ok(Manager::new(warmer, settings)?)
    }

    /// How long the warmup takes alone, in milliseconds.
    async fn warmup(&self, plain: &Arc<dyn ObjectStore>) -> Outcome<f64> {
        let manager = self.manager(plain)?;
        let started = Instant::now();
        let job = manager.prewarm(self.splits, &self.request);
        let status = job.wait(PATIENCE).await;
        let took = millis(started.elapsed());
        if status.state != JobState::Complete {
            return Err(format!("a warmup without faults is {}", status.state.name()).into());
        }
        Ok(took)
    }

    /// How long the reader plans, and how long it takes until it has the answer, planning included,
    /// in milliseconds.
    async fn read(
        &self,
        plain: &Arc<dyn ObjectStore>,
        planning: Duration,
        prewarms: bool,
        right: &str,
    ) -> Outcome<(f64, f64)> {
        let manager = self.manager(plain)?;
        let started = Instant::now();
        let _job = prewarms.then(|| manager.prewarm(self.splits, &self.request));
        tokio::time::sleep(planning).await;
        let planned = millis(started.elapsed());
        let options = SearchOptions::default();
        let found = manager.search(self.splits, &self.request, &options).await?;
        let read = millis(started.elapsed());
        if corpus::answer(&found)? != right {
            return Err("another answer than in memory".into());
        }
        Ok((planned, read))
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
