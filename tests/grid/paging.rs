//! Going on after the last hit, and counting no further than asked.

use forewarm::{Hit, SearchRequest, SearchResponse};
use serde_json::{Value, json};

use crate::clauses::sort;
use crate::collectors::CORPUS;
use crate::corpus::RandomCorpus;
use crate::expected::assert_answers;
use crate::random::{RUNTIME, search_thrice};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn search(random: &RandomCorpus, body: &Value) -> SearchResponse {
    let request = SearchRequest::from_value(body).unwrap();
    RUNTIME.block_on(search_thrice(
        &random.corpus.store,
        &random.corpus.addresses,
        &request,
    ))
}

fn names(hits: &[Hit]) -> Vec<(String, String)> {
    let names = hits.iter();
    names
        .map(|hit| (hit.index.clone(), hit.id.clone()))
        .collect()
}

/// Turns pages until there are no more.
fn paged(random: &RandomCorpus, body: &Value, size: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut body = body.clone();
    body["size"] = json!(size);
    loop {
        let response = search(random, &body);
        let hits = &response.hits.hits;
        found.extend(names(hits));
        let Some(last) = hits.last() else {
            return found;
        };
        // Through JSON text, as a client sends it.
        let place = serde_json::to_string(&last.sort).unwrap();
        body["search_after"] = serde_json::from_str(&place).unwrap();
    }
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let config = Config {
        cases: 30,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    let strategy = (prop::collection::vec(sort(), 1..=3), 40..200_usize);
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |(mut sorts, size)| {
            sorts.push(json!({"_doc": "asc"}));
            let body = json!({
                "query": {"match": {"title": "sea quiet"}},
                "sort": sorts,
                "size": 1000,
                "_source": false,
            });
            let response = search(&CORPUS, &body);
            assert_answers(&response, &body, &CORPUS);
            let all = names(&response.hits.hits);
            assert_eq!(paged(&CORPUS, &body, size), all, "{body}");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// What the place is between, and of what other type, does not matter.
#[test]
fn a_place_need_not_be_that_of_a_hit() {
    for (sort, place, expected) in [
        (json!({"tag": "asc"}), json!("k10x"), json!("k11")),
        (json!({"tag": "desc"}), json!("k10x"), json!("k10")),
        (json!({"tag": "asc"}), json!(""), json!("k0")),
        (json!({"nu": "asc"}), json!(2.5), json!(3)),
        (json!({"nf": "asc"}), json!(-1000), json!(-2.25)),
        (json!({"js.n": "asc"}), json!(0.1), json!(0.75)),
        (
            json!({"at": "asc"}),
            json!("2024-01-30T11:00:00Z"),
            json!("2024-01-30T12:00:00Z"),
        ),
        (
            json!({"at": "asc"}),
            json!(1_706_616_000_000_i64),
            json!("2024-01-30T18:00:00Z"),
        ),
        (json!({"ip": "asc"}), json!("10.0.0.2"), json!("10.0.0.3")),
        (json!({"flag": "asc"}), json!(false), json!(true)),
        (json!({"raw": "asc"}), json!("6162"), json!("616263")),
    ] {
        let body = json!({"sort": [sort], "search_after": [place], "size": 1});
        let response = search(&CORPUS, &body);
        let found = serde_json::to_value(&response.hits.hits[0].sort[0]).unwrap();
        assert_eq!(found, expected, "{body}");
    }
    let body = json!({"sort": [{"nu": "asc"}], "search_after": [null], "size": 1});
    assert!(search(&CORPUS, &body).hits.hits.is_empty());
    let body = json!({"sort": [{"nu": {"order": "asc", "missing": "_first"}}],
        "search_after": [null], "size": 1});
    let response = search(&CORPUS, &body);
    assert_eq!(
        serde_json::to_value(&response.hits.hits[0].sort).unwrap(),
        json!([0])
    );
}

#[test]
fn counting_stops_past_its_limit_and_the_hits_stay_the_same() {
    let query = json!({"match": {"title": "sea the"}});
    let exact = search(&CORPUS, &json!({"query": query, "size": 5}));
    let total = exact.hits.total.unwrap().value;
    for size in [0, 5] {
        for (track, expected) in [
            (json!(true), Some((total, "eq"))),
            (json!(false), None),
            (json!(0), Some((0, "gte"))),
            (json!(total - 1), Some((total - 1, "gte"))),
            (json!(total), Some((total, "eq"))),
            (json!(total + 1), Some((total, "eq"))),
        ] {
            for sort in [json!([]), json!(["_score"]), json!(["nu"])] {
                let body = json!({"query": query, "size": size, "track_total_hits": track,
                    "sort": sort});
                let response = search(&CORPUS, &body);
                let found = response
                    .hits
                    .total
                    .map(|total| (total.value, total.relation));
                assert_eq!(found, expected, "{body}");
                assert_answers(&response, &body, &CORPUS);
                let aggregated = json!({"query": query, "size": size, "track_total_hits": track,
                    "sort": sort, "aggs": {"most": {"max": {"field": "nu"}}}});
                let response = search(&CORPUS, &aggregated);
                let found = response
                    .hits
                    .total
                    .map(|total| (total.value, total.relation));
                assert_eq!(found, expected, "{aggregated}");
            }
        }
    }
}
