//! Searching split by split answers as searching them at once does, whatever becomes warm first and
//! whatever is known of the columns.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    SearchOptions, SearchRequest, SimulatedSettings, SimulatedStore, SortKey, SortValue,
    SplitAddress,
};
use object_store::ObjectStore;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tantivy::DateTime;

use crate::aggregations::roomy_tree;
use crate::clauses::{clause, sort};
use crate::corpus::{RandomCorpus, corpus_plan};
use crate::expected::assert_answers;
use crate::random::{Body, RUNTIME, strict, variable};
use crate::values::Key;

/// Requests of a corpus, at most.
const REQUESTS: usize = 40;

/// What is asked, and how it is searched.
#[derive(Clone, Debug)]
struct Case {
    body: Body,
    /// Which splits have bounds, and which are warm before.
    known: [bool; 4],
    warm: [bool; 4],
    at_once: Option<usize>,
    /// Of the store's latencies.
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    (
        body(),
        prop::array::uniform4(prop::bool::weighted(0.8)),
        prop::array::uniform4(prop::bool::weighted(0.2)),
        select(vec![Some(1), Some(2), Some(usize::MAX), None]),
        any::<u64>(),
    )
        .prop_map(|(body, known, warm, at_once, seed)| Case {
            body: Body(body),
            known,
            warm,
            at_once,
            seed,
        })
}

/// Bodies that are often answered by some of the splits.
fn body() -> impl Strategy<Value = Value> {
    let query = prop_oneof![
        3 => Just(json!({"match_all": {}})),
        2 => clause(),
        3 => clause().prop_map(|filter| json!({"bool": {"filter": [filter]}})),
        1 => clause().prop_map(|filter| json!({"constant_score": {"filter": filter}})),
    ];
    // Numbers of documents grow from split to split; other columns have much the same values.
    let by_id = select(vec![json!("id"), json!({"id": "desc"})]);
    let key = prop_oneof![2 => by_id, 3 => sort()];
    let sorts = prop_oneof![
        1 => Just(Vec::new()),
        4 => prop::collection::vec(key, 1..=3),
    ];
    let track = select(vec![
        json!(false),
        json!(false),
        json!(3),
        json!(40),
        json!(true),
    ]);
    let rarely = |value: BoxedStrategy<Value>| prop::option::weighted(0.08, value);
    let aggregations = rarely(roomy_tree().boxed());
    let highlight = rarely(Just(json!({"fields": {"title": {}}})).boxed());
    (
        query,
        0..8_usize,
        0..4_usize,
        sorts,
        track,
        aggregations,
        highlight,
    )
        .prop_map(
            |(query, size, from, sorts, track, aggregations, highlight)| {
                let mut body = json!({"query": query, "size": size, "from": from});
                let map = body.as_object_mut().expect("an object");
                map.insert("track_total_hits".into(), track);
                if !sorts.is_empty() {
                    map.insert("sort".into(), Value::Array(sorts));
                }
                map.extend(aggregations.map(|tree| ("aggs".to_owned(), tree)));
                map.extend(highlight.map(|fields| ("highlight".to_owned(), fields)));
                body
            },
        )
}

/// A value as bounds have it.
fn bound(key: &Key) -> SortValue {
    match key {
        Key::Bool(value) => SortValue::Bool(*value),
        Key::Bytes(bytes) => SortValue::Bytes(bytes.clone()),
        Key::Date(seconds) => SortValue::Date(DateTime::from_timestamp_secs(*seconds)),
        Key::Ip(address) => SortValue::Ip(*address),
        Key::Number(quarters) if quarters % 4 != 0 => SortValue::F64(*quarters as f64 / 4.0),
        Key::Number(quarters) => match i64::try_from(quarters / 4) {
            Ok(whole) => SortValue::I64(whole),
            Err(_) => SortValue::U64((quarters / 4) as u64),
        },
        Key::Text(text) => SortValue::Str(text.clone()),
    }
}

/// The splits of a corpus, some with the bounds of what a request sorts by.
fn addresses(
    random: &RandomCorpus,
    request: &SearchRequest,
    known: [bool; 4],
) -> Vec<SplitAddress> {
    let corpus = &random.corpus;
    let addresses = corpus.addresses.iter().cloned().enumerate();
    let with_bounds = |(at, mut address): (usize, SplitAddress)| {
        if !known[at] {
            return address;
        }
        let end = corpus.firsts.get(at + 1).copied().unwrap_or(u32::MAX);
        let segments = corpus.firsts[at]..end;
        for sort in request.sorts() {
            let SortKey::Field(field) = &sort.key else {
                continue;
            };
            let docs = random.docs.iter();
            let docs = docs.filter(|(address, _)| segments.contains(&address.segment_ord));
            let mut values: Vec<Key> = docs
                .flat_map(|(_, (id, doc))| match field.as_str() {
                    "id" => vec![Key::Number(i128::from(*id) * 4)],
                    field => doc.of(field).to_vec(),
                })
                .collect();
            values.sort();
            if let (Some(min), Some(max)) = (values.first(), values.last()) {
                address = address.with_bounds(field, bound(min), bound(max)).unwrap();
            }
        }
        address
    };
    addresses.map(with_bounds).collect()
}

/// Answers how many splits were given up.
async fn check(random: &RandomCorpus, case: &Case, body: &Value) -> (usize, Option<Value>) {
    let request = SearchRequest::from_value(body).unwrap();
    let splits = addresses(random, &request, case.known);
    let expected = strict(&random.corpus.store).search(&splits, &request).await;
    let expected = expected.unwrap();

    let mut settings = SimulatedSettings::default();
    settings.first_byte = Duration::from_micros(700);
    settings.seed = case.seed;
    let slow = SimulatedStore::new(Arc::clone(&random.corpus.store), settings);
    let slow: Arc<dyn ObjectStore> = Arc::new(slow);
    let warmer = strict(&slow);
    let warm = splits.iter().zip(case.warm).filter(|(_, warm)| *warm);
    let mut warmups = Vec::new();
    for (split, _) in warm {
        let warmup = warmer.warm(split, &request);
        assert!(warmup.join(Duration::MAX).await.is_warm());
        warmups.push(warmup);
    }
    let mut options = SearchOptions::default();
    options.splits_at_once = case.at_once;
    let found = warmer
        .search_progressively(&splits, &request, &options)
        .await;
    let found = found.unwrap();
    let report = &found.report;
    assert_eq!(report.late_reads, 0);
    assert_eq!(report.splits + report.given_up_splits, splits.len());
    let json = |hits| serde_json::to_value(hits).unwrap();
    assert_eq!(json(&found.hits), json(&expected.hits));
    assert_eq!(found.aggregations, expected.aggregations);
    if request.place().is_none() {
        assert_answers(&found, body, random);
    }
    let last = expected.hits.hits.last().filter(|_| request.offset() == 0);
    let place = last.filter(|last| !last.sort.is_empty());
    (
        report.given_up_splits,
        place.map(|last| serde_json::to_value(&last.sort).unwrap()),
    )
}

#[test]
fn a_progressive_search_of_anything_answers_as_one_at_once() {
    let config = Config {
        cases: variable("FOREWARM_CASES", 40) as u32 / 2,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut seed = [5; 32];
    seed[..8].copy_from_slice(&variable("FOREWARM_SEED", 0).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let strategy = (corpus_plan(), prop::collection::vec(case(), 1..REQUESTS));
    let (given_up, searches) = (Cell::new(0), Cell::new(0));
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |(plan, cases)| {
            let random = RUNTIME.block_on(RandomCorpus::build(&plan));
            for case in &cases {
                let Body(mut body) = case.body.clone();
                let (count, place) = RUNTIME.block_on(check(&random, case, &body));
                given_up.set(given_up.get() + count);
                searches.set(searches.get() + 1);
                if let Some(place) = place {
                    body["search_after"] = place;
                    let (count, _) = RUNTIME.block_on(check(&random, case, &body));
                    given_up.set(given_up.get() + count);
                }
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (given_up, searches) = (given_up.get(), searches.get());
    println!("{searches} requests, {given_up} splits given up");
    assert!(given_up > 0);
}
