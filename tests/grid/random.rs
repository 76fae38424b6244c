//! Random documents, random requests.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use forewarm::{
    OnMiss, SearchOptions, SearchRequest, SplitAddress, StoreSettings, Warmer, WarmerSettings,
};
use object_store::ObjectStore;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::clauses::request;
use crate::corpus::{RandomCorpus, corpus_plan};
use crate::expected::assert_answers;

/// Requests of a corpus, on average.
const REQUESTS: usize = 40;

pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

pub static POOL: LazyLock<Arc<rayon::ThreadPool>> = LazyLock::new(|| {
    Arc::new(
        rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .build()
            .unwrap(),
    )
});

/// A strict warmer that fetches no byte it was not asked for: neither gaps nor a guessed footer
/// can hide a need that was forgotten.
pub fn strict(store: &Arc<dyn ObjectStore>) -> Warmer {
    let settings = WarmerSettings::default()
        .with_on_miss(OnMiss::Fail)
        .with_store(
            StoreSettings::default()
                .with_merge_gap_bytes(0)
                .with_whole_split_bytes(0),
        );
    Warmer::builder(Arc::clone(store))
        .settings(settings)
        .runtime(RUNTIME.handle().clone())
        .pool(Arc::clone(&POOL))
        .build()
        .unwrap()
}

thread_local! {
    /// Bytes that the plans of this thread's searches hold, and bytes that searches by them read.
    pub static PLANNED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Searches cold, then warm, then in another process by the plan of the first: the answers must be
/// the same, and none may read late.
pub async fn search_thrice(
    store: &Arc<dyn ObjectStore>,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> forewarm::SearchResponse {
    let warmer = strict(store);
    let cold = warmer
        .search(splits, request)
        .await
        .unwrap_or_else(|error| {
            let mut message = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                message.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            panic!("{message}")
        });
    assert_eq!(cold.report.late_reads, 0);
    let warm = warmer.search(splits, request).await.unwrap();
    assert_eq!(warm.report.late_reads, 0);
    assert_eq!(warm.report.gets, 0, "the same search again read the store");
    let hits = |response: &forewarm::SearchResponse| serde_json::to_value(&response.hits).unwrap();
    assert_eq!(hits(&warm), hits(&cold));

    let other = strict(store);
    other.add_plans(warmer.plans().iter().map(|plan| plan.as_ref().clone()));
    let recording = SearchOptions::default().with_record_reads(true);
    let replayed = other.search_with_options(splits, request, &recording).await;
    let replayed = replayed.unwrap();
    let report = &replayed.report;
    assert_eq!((report.late_reads, report.plan_misses), (0, 0));
    if request.filter().clause().is_some() {
        assert_eq!(report.planned_splits, splits.len());
        assert_eq!(report.rounds, 1, "a plan that is known takes one round");
    }
    assert_eq!(hits(&replayed), hits(&cold));
    assert_eq!(replayed.aggregations.is_some(), cold.aggregations.is_some());
    if request.filter().clause().is_some() {
        let plans = other.plans();
        let plans = plans.iter().filter_map(|row| row.plan());
        let ranges = plans.flat_map(|plan| plan.search());
        let planned: u64 = ranges.map(|range| range.end - range.start).sum();
        let read = report.read_bytes.unwrap();
        PLANNED.with(|sums| {
            let (all_planned, all_read) = sums.get();
            sums.set((all_planned + planned, all_read + read));
        });
    }
    cold
}

pub fn variable(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |value| value.parse().expect(name))
}

#[test]
fn a_strict_search_of_anything_answers_as_memory_does() {
    let config = Config {
        cases: variable("FOREWARM_CASES", 40) as u32,
        failure_persistence: None,
        max_shrink_iters: 5_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&variable("FOREWARM_SEED", 0).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let requests = proptest::collection::vec(request().prop_map(Body), 1..2 * REQUESTS);
    let strategy = (corpus_plan(), requests);
    let count = Cell::new(0_usize);
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |(plan, requests)| {
            let random = RUNTIME.block_on(RandomCorpus::build(&plan));
            count.set(count.get() + requests.len());
            for Body(body) in &requests {
                let checked = AssertUnwindSafe(|| RUNTIME.block_on(check(&random, body)));
                catch_unwind(checked).map_err(|panic| {
                    let message = panic.downcast_ref::<String>().cloned();
                    let message = message.unwrap_or_else(|| "panicked".to_owned());
                    TestCaseError::fail(format!("{body}: {message}"))
                })?;
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{} random requests answered as in memory", count.get());
}

/// A request that a failure prints in one line.
#[derive(Clone)]
pub struct Body(pub Value);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string())
    }
}

async fn check(random: &RandomCorpus, body: &Value) {
    let request = SearchRequest::from_value(body).unwrap();
    let store = &random.corpus.store;
    let response = search_thrice(store, &random.corpus.addresses, &request).await;
    assert_answers(&response, body, random);
}
