//! Searches that are answered by what earlier ones counted answer as memory does, over random
//! documents.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use forewarm::{
    OnMiss, ResultSettings, SearchOptions, SearchRequest, StoreSettings, Warmer, WarmerSettings,
};
use object_store::ObjectStore;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::clauses::request;
use crate::corpus::{RandomCorpus, corpus_plan};
use crate::expected::assert_answers;
use crate::random::{Body, POOL, RUNTIME, variable};

fn remembering(store: &Arc<dyn ObjectStore>) -> Warmer {
    let results = ResultSettings::default().with_enabled(true);
    let settings = WarmerSettings::default()
        .with_on_miss(OnMiss::Fail)
        .with_results(results)
        .with_store(StoreSettings::default().with_whole_split_bytes(0));
    Warmer::builder(Arc::clone(store))
        .settings(settings)
        .runtime(RUNTIME.handle().clone())
        .pool(Arc::clone(&POOL))
        .build()
        .unwrap()
}

/// The same as it stands, as a count, and in an order that leaves splits out.
fn variants(body: &Value) -> [Value; 3] {
    let query = &body["query"];
    let mut counted = json!({"query": query, "size": 0});
    let mut sorted = body.clone();
    sorted["sort"] = json!(["id"]);
    sorted["size"] = json!(7);
    if let Some(track) = body.get("track_total_hits") {
        counted["track_total_hits"] = track.clone();
    }
    [body.clone(), counted, sorted]
}

/// Searches cold, then with what was counted, then in another process that was told; answers how
/// many splits were left out.
async fn check(random: &RandomCorpus, body: &Value) -> usize {
    let request = SearchRequest::from_value(body).unwrap();
    let (store, splits) = (&random.corpus.store, &random.corpus.addresses);
    let warmer = remembering(store);
    let first = warmer.search(splits, &request).await.unwrap();
    assert_eq!(first.report.remembered_splits, 0);
    assert_answers(&first, body, random);
    let other = remembering(store);
    other.add_plans(warmer.plans().iter().map(|row| row.as_ref().clone()));
    let mut left_out = 0;
    for warmer in [warmer, other] {
        let again = warmer.search(splits, &request).await.unwrap();
        assert_answers(&again, body, random);
        let hits = |response: &forewarm::SearchResponse| json!(response.hits);
        assert_eq!(hits(&again), hits(&first), "{:?}", again.report);
        let report = &again.report;
        assert_eq!(report.late_reads, 0);
        assert_eq!(report.remembered_splits + report.splits, splits.len());
        assert!(report.splits > 0 || report.gets == 0, "{report:?}");
        left_out += report.remembered_splits;
        let options = SearchOptions::default();
        let progressive = warmer.search_progressively(splits, &request, &options);
        let progressive = progressive.await.unwrap();
        assert_answers(&progressive, body, random);
        let report = &progressive.report;
        let skipped = report.remembered_splits + report.given_up_splits;
        assert_eq!(skipped + report.splits, splits.len());
    }
    left_out
}

#[test]
fn what_is_remembered_changes_no_answer() {
    let config = Config {
        cases: variable("FOREWARM_CASES", 15) as u32,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut seed = [1; 32];
    seed[..8].copy_from_slice(&variable("FOREWARM_SEED", 0).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let requests = proptest::collection::vec(request().prop_map(Body), 1..16);
    let (searched, left_out) = (Cell::new(0), Cell::new(0));
    TestRunner::new_with_rng(config, rng)
        .run(&(corpus_plan(), requests), |(plan, requests)| {
            let random = RUNTIME.block_on(RandomCorpus::build(&plan));
            for body in requests.iter().flat_map(|Body(body)| variants(body)) {
                let checked = AssertUnwindSafe(|| RUNTIME.block_on(check(&random, &body)));
                let skipped = catch_unwind(checked).map_err(|panic| {
                    let message = panic.downcast_ref::<String>().cloned();
                    let message = message.unwrap_or_else(|| "panicked".to_owned());
                    TestCaseError::fail(format!("{body}: {message}"))
                })?;
                searched.set(searched.get() + 2 * random.corpus.addresses.len());
                left_out.set(left_out.get() + skipped);
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (searched, left_out) = (searched.get(), left_out.get());
    println!("{left_out} of {searched} splits were answered from memory");
    assert!(left_out * 5 > searched, "{left_out} of {searched}");
}
