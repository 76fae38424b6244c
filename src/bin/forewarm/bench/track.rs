//! Runs bodies in each way over one store, by turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarm::{
    ResidentSplits, SearchRequest, SearchResponse, SimulatedSettings, SimulatedStore, SplitAddress,
    StoreSettings, Warmer, WarmerBuilder, WarmerSettings,
};
use object_store::ObjectStore;
use rayon::ThreadPool;
use serde_json::Value;

use super::forget::{Forget, Needs};
use super::measured::{Course, Leg, Measured, Sample};
use super::oracle::{Least, least};
use super::ways::Way;
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::tap::{Tap, TapStore};

/// No warmup is given up, however slow the store is said to be.
const PATIENCE: Duration = Duration::from_secs(600);

/// Warm searches are compared with ideal ones for this long at the most, once there are a few.
const PAIRS_TIME: Duration = Duration::from_millis(1500);
const FEWEST_PAIRS: usize = 5;

/// A baseline that takes longer than this is run once a body: its figures are not close.
const SLOW: Duration = Duration::from_secs(1);

/// Whoever takes longer than this for a body is stopped, and counts as not serving it: tantivy
/// reads thousands of posting lists of a pattern one after another.
const LIMIT: Duration = Duration::from_secs(20);

/// One body of the file.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) request: SearchRequest,
}

/// Splits, and all that is shared by the runs over them.
pub(crate) struct Track {
    /// Where the splits are, as fast as it is.
    pub(crate) plain: Arc<dyn ObjectStore>,
    /// With their footers, as a catalogue knows them.
    pub(crate) splits: Vec<SplitAddress>,
    pub(crate) pool: Arc<ThreadPool>,
    pub(crate) resident: ResidentSplits,
    pub(crate) forget: Forget,
    /// What whole splits may take, in bytes.
    pub(crate) memory: u64,
    /// Up to how many bytes splits are fetched whole.
    pub(crate) whole_splits: u64,
    /// What gaps may add to a round without a plan, in bytes.
    pub(crate) unplanned_gaps: u64,
}

/// How the store behaves, and what is run over it.
#[derive(Clone, Debug)]
pub(crate) struct Conditions {
    pub(crate) store: SimulatedSettings,
    pub(crate) ways: Vec<Way>,
    pub(crate) repeat: u32,
    pub(crate) pairs: u32,
}

/// What the runs of one body share.
struct Shared<'a> {
    body: &'a Body,
    answer: Value,
    needs: Result<Needs, String>,
    /// Has warmed the body, and keeps it.
    warm: Option<Warmer>,
    /// Has searched the body, and knows its plan.
    teacher: Option<Warmer>,
}

impl Track {
    /// Runs a body in all ways.
    ///
    /// # Errors
    ///
    /// Those of the library, and an answer that is not the ideal one.
    pub(crate) async fn measure(&self, body: &Body, conditions: &Conditions) -> Outcome<Measured> {
        let ideal = self.resident.search(&body.request).await?;
        let mut shared = Shared {
            body,
            answer: answer(&ideal)?,
            needs: self.forget.needs(&body.request),
            warm: None,
            teacher: None,
        };
        let ways = &conditions.ways;
        if ways.contains(&Way::Planned) {
            let teacher = self.warmer(Arc::clone(&self.plain)).build()?;
            teacher.search(&self.splits, &body.request).await?;
            shared.teacher = Some(teacher);
        }
        if ways.contains(&Way::Warm) {
            let warmer = self.warmer(Arc::clone(&self.plain)).build()?;
            warmer.search(&self.splits, &body.request).await?;
            shared.warm = Some(warmer);
        }
        let mut courses: Vec<Course> = ways.iter().map(|way| Course::new(*way)).collect();
        for run in 0..conditions.repeat as usize {
            for at in 0..courses.len() {
                // Who goes first changes, so that nobody always follows the same one.
                let at = (at + run) % ways.len();
                self.run(&mut courses[at], &shared, conditions, run).await?;
            }
        }
        Ok(Measured {
            line: body.line,
            body: body.text.clone(),
            matches: ideal.hits.total.map(|total| total.value),
            brings: ideal
                .hits
                .hits
                .iter()
                .any(|hit| hit.source.is_some() || hit.fields.is_some() || hit.highlight.is_some()),
            courses,
            warm_to_ideal: self.compare(&shared, conditions).await?,
            least: self.least(body).await?,
        })
    }

    async fn run(
        &self,
        course: &mut Course,
        shared: &Shared<'_>,
        conditions: &Conditions,
        run: usize,
    ) -> Outcome {
        if course.not_served.is_some() || course.is_slow() {
            return Ok(());
        }
        if course.way == Way::Forget
            && let Err(reason) = &shared.needs
        {
            course.not_served = Some(reason.clone());
            return Ok(());
        }
        let mut store = conditions.store.clone();
        // The n-th GET of a run meets the same delay in each way.
        store.seed = store.seed.wrapping_add(run as u64);
        let slow = Arc::new(SimulatedStore::new(Arc::clone(&self.plain), store));
        let (store, tap) = TapStore::new(slow);
        let before = resident_memory();
        let work = self.sample(course.way, shared, store, &tap);
        tokio::pin!(work);
        let sample = match tokio::time::timeout(LIMIT, &mut work).await {
            Ok(sample) => sample,
            Err(_) => {
                tap.cut();
                // It fails; the pool is free again.
                let _ = work.await;
                course.not_served = Some(format!("it takes over {} s", LIMIT.as_secs()));
                return Ok(());
            }
        };
        let mut sample = sample.map_err(|failure| failure.during(course.way.name()))?;
        let after = resident_memory();
        sample.grown = before.zip(after).map(|(before, after)| after - before);
        if course.way == Way::Forget && sample.first.late_reads > 0 {
            course.not_served = Some(format!(
                "its search reads {} times what tantivy's functions did not warm",
                sample.first.late_reads
            ));
        }
        course.samples.push(sample);
        Ok(())
    }

    async fn sample(
        &self,
        way: Way,
        shared: &Shared<'_>,
        store: Arc<TapStore>,
        tap: &Tap,
    ) -> Outcome<Sample> {
        match (way, &shared.needs, &shared.teacher) {
            (Way::Everything, ..) => self.everything(shared, store, tap).await,
            (Way::First, ..) => self.ours(shared, self.warmer(store).build()?, tap).await,
            (Way::Forget, Ok(needs), _) => self.forgetful(shared, needs, store, tap).await,
            (Way::None, ..) => {
                let warmer = self.warmer(store).build()?;
                self.unwarmed(shared, warmer, tap).await
            }
            (Way::Planned, _, Some(teacher)) => {
                let warmer = self.warmer(store).build()?;
                let plans = teacher.plans();
                warmer.add_plans(plans.iter().map(|plan| plan.as_ref().clone()));
                self.ours(shared, warmer, tap).await
            }
            (Way::Warm, ..) => self.warm(shared).await,
            _ => self.ideal(shared).await,
        }
    }

    async fn ours(&self, shared: &Shared<'_>, warmer: Warmer, tap: &Tap) -> Outcome<Sample> {
        let request = &shared.body.request;
        let started = Instant::now();
        let response = warmer.search(&self.splits, request).await?;
        let first = Leg::reported(started.elapsed(), tap.take(), &response.report);
        shared.check(&response)?;
        let started = Instant::now();
        let response = warmer.search(&self.splits, request).await?;
        let repeated = Leg::reported(started.elapsed(), tap.take(), &response.report);
        shared.check(&response)?;
        Ok(Sample {
            first,
            repeated: Some(repeated),
            memory: self.held(&warmer).await?,
            grown: None,
        })
    }

    async fn unwarmed(&self, shared: &Shared<'_>, warmer: Warmer, tap: &Tap) -> Outcome<Sample> {
        let request = &shared.body.request;
        let started = Instant::now();
        let response = warmer.search_without_warming(&self.splits, request).await?;
        let first = Leg::reported(started.elapsed(), tap.take(), &response.report);
        shared.check(&response)?;
        Ok(Sample {
            first,
            repeated: None,
            memory: self.held(&warmer).await?,
            grown: None,
        })
    }

    async fn everything(
        &self,
        shared: &Shared<'_>,
        store: Arc<TapStore>,
        tap: &Tap,
    ) -> Outcome<Sample> {
        let started = Instant::now();
        let warmer = self.warmer(store).build()?;
        let resident = ResidentSplits::load(&warmer, &self.splits, self.memory).await?;
        let response = resident.search(&shared.body.request).await?;
        let first = Leg::new(started.elapsed(), tap.take(), 0);
        shared.check(&response)?;
        let started = Instant::now();
        let response = resident.search(&shared.body.request).await?;
        let repeated = Leg::new(started.elapsed(), tap.take(), 0);
        shared.check(&response)?;
        Ok(Sample {
            first,
            repeated: Some(repeated),
            memory: resident.bytes(),
            grown: None,
        })
    }

    async fn forgetful(
        &self,
        shared: &Shared<'_>,
        needs: &Needs,
        store: Arc<TapStore>,
        tap: &Tap,
    ) -> Outcome<Sample> {
        let request = &shared.body.request;
        let store: Arc<dyn ObjectStore> = store;
        let started = Instant::now();
        self.forget.fetch_footers(&store).await?;
        let found = self.forget.search(&store, request, needs).await?;
        let first = Leg::new(started.elapsed(), tap.take(), found.late_reads);
        found.check(&shared.answer)?;
        let started = Instant::now();
        let again = self.forget.search(&store, request, needs).await?;
        let repeated = Leg::new(started.elapsed(), tap.take(), again.late_reads);
        Ok(Sample {
            first,
            repeated: Some(repeated),
            memory: found.memory,
            grown: None,
        })
    }

    async fn warm(&self, shared: &Shared<'_>) -> Outcome<Sample> {
        let Some(warmer) = &shared.warm else {
            return Ok(Sample::default());
        };
        let started = Instant::now();
        let response = warmer.search(&self.splits, &shared.body.request).await?;
        let time = started.elapsed();
        shared.check(&response)?;
        let mut leg = Leg::reported(time, Vec::new(), &response.report);
        (leg.gets, leg.bytes) = (response.report.gets, response.report.bytes);
        Ok(Sample {
            first: leg,
            repeated: None,
            memory: self.held(warmer).await?,
            grown: None,
        })
    }

    async fn ideal(&self, shared: &Shared<'_>) -> Outcome<Sample> {
        let started = Instant::now();
        let response = self.resident.search(&shared.body.request).await?;
        let time = started.elapsed();
        shared.check(&response)?;
        Ok(Sample {
            first: Leg::new(time, Vec::new(), 0),
            repeated: None,
            memory: self.resident.bytes(),
            grown: None,
        })
    }

    /// Warm and ideal, one right after the other.
    async fn compare(&self, shared: &Shared<'_>, conditions: &Conditions) -> Outcome<Vec<f64>> {
        let Some(warmer) = &shared.warm else {
            return Ok(Vec::new());
        };
        let request = &shared.body.request;
        let begun = Instant::now();
        let mut ratios = Vec::new();
        for pair in 0..conditions.pairs {
            if ratios.len() >= FEWEST_PAIRS && begun.elapsed() > PAIRS_TIME {
                break;
            }
            let mut times = [0.0; 2];
            for turn in 0..2 {
                // Who goes first changes: A B, B A.
                let who = (turn + pair as usize) % 2;
                let started = Instant::now();
                let response = if who == 0 {
                    warmer.search(&self.splits, request).await?
                } else {
                    self.resident.search(request).await?
                };
                times[who] = started.elapsed().as_secs_f64();
                drop(response);
            }
            ratios.push(times[0] / times[1]);
        }
        Ok(ratios)
    }

    /// What a search reads at the very least: the ranges it reads when each is read by itself.
    async fn least(&self, body: &Body) -> Outcome<Least> {
        let (store, tap) = TapStore::new(Arc::clone(&self.plain));
        let warmer = self.warmer(store).build()?;
        let search = warmer.search_without_warming(&self.splits, &body.request);
        search.await?;
        let settings = &warmer.settings().store;
        let gap = settings.merge_gap_bytes;
        Ok(least(
            &tap.take(),
            gap.unwrap_or(settings.max_merge_gap_bytes),
        ))
    }

    /// Bytes that a warmer which has all splits open keeps.
    async fn held(&self, warmer: &Warmer) -> Outcome<u64> {
        let mut hot = 0;
        for split in &self.splits {
            hot += warmer.open(split).await?.hot_bytes();
        }
        let statistics = warmer.statistics();
        // The cache of opened splits is counted a little late.
        Ok(statistics.resident_bytes + statistics.opened_bytes.max(hot))
    }

    /// A warmer that knows nothing yet.
    pub(crate) fn warmer(&self, store: Arc<dyn ObjectStore>) -> WarmerBuilder {
        let store_settings = StoreSettings::default()
            .with_whole_split_bytes(self.whole_splits)
            .with_unplanned_gap_bytes(self.unplanned_gaps);
        let settings = WarmerSettings::default()
            .with_store(store_settings)
            .with_join_deadline(PATIENCE);
        Warmer::builder(store)
            .settings(settings)
            .pool(Arc::clone(&self.pool))
    }
}

impl Shared<'_> {
    /// Fails when an answer is not the ideal one.
    fn check(&self, response: &SearchResponse) -> Outcome {
        let found = answer(response)?;
        if found == self.answer {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "the answer is {found}, in memory it is {}",
            self.answer
        )))
    }
}

impl Course {
    fn new(way: Way) -> Self {
        Self {
            way,
            not_served: None,
            samples: Vec::new(),
        }
    }

    fn is_slow(&self) -> bool {
        let baseline = matches!(self.way, Way::Everything | Way::None);
        let slow = |sample: &Sample| sample.first.time_us > SLOW.as_secs_f64() * 1e6;
        baseline && self.samples.first().is_some_and(slow)
    }
}

/// All of an answer but what it cost.
fn answer(response: &SearchResponse) -> Outcome<Value> {
    let mut value = engine::value(response)?;
    if let Value::Object(parts) = &mut value {
        parts.shift_remove("took");
        parts.shift_remove("forewarm");
    }
    Ok(value)
}

/// Bytes of this process that are in memory, where Linux tells.
fn resident_memory() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
