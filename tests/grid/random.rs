//! Random documents, random requests.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use forewarm::{OnMiss, SearchRequest, SplitAddress, StoreSettings, Warmer, WarmerSettings};
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
        .with_store(StoreSettings::default().with_merge_gap_bytes(0));
    Warmer::builder(Arc::clone(store))
        .settings(settings)
        .runtime(RUNTIME.handle().clone())
        .pool(Arc::clone(&POOL))
        .build()
        .unwrap()
}

/// Searches cold, then warm: the answers must be the same, and neither may read late.
pub async fn search_twice(
    warmer: &Warmer,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> forewarm::SearchResponse {
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
    cold
}

fn variable(name: &str, default: u64) -> u64 {
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
struct Body(Value);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string())
    }
}

async fn check(random: &RandomCorpus, body: &Value) {
    let request = SearchRequest::from_value(body).unwrap();
    let warmer = strict(&random.corpus.store);
    let response = search_twice(&warmer, &random.corpus.addresses, &request).await;
    assert_answers(&response, body, random);
}
