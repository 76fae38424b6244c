//! What random searches once found wrong.

use forewarm::{SearchRequest, SortValue};
use serde_json::json;

use crate::collectors::CORPUS;
use crate::corpus::{CorpusPlan, RandomCorpus};
use crate::expected::assert_answers;
use crate::random::{RUNTIME, search_thrice};

fn assert_right(random: &RandomCorpus, body: serde_json::Value) -> forewarm::SearchResponse {
    let request = SearchRequest::from_value(&body).unwrap();
    let response = RUNTIME.block_on(search_thrice(
        &random.corpus.store,
        &random.corpus.addresses,
        &request,
    ));
    assert_answers(&response, &body, random);
    response
}

#[test]
fn documents_keep_the_order_of_the_index_over_segments_and_splits() {
    for order in ["asc", "desc"] {
        let body = json!({
            "query": {"exists": {"field": "count"}},
            "sort": [{"_doc": order}, {"nu": "asc"}],
            "size": 600,
        });
        let response = assert_right(&CORPUS, body);
        let numbers = response.hits.hits.iter().map(|hit| match hit.sort[0] {
            SortValue::U64(number) => number,
            ref other => panic!("{other:?}"),
        });
        let numbers: Vec<u64> = numbers.collect();
        match order {
            "asc" => assert!(numbers.is_sorted()),
            _ => assert!(numbers.is_sorted_by(|a, b| a > b)),
        }
    }
}

/// tantivy keeps a few decompressed blocks. Which ones changes while documents are read, and so
/// did which were missing, again and again.
#[test]
fn many_documents_of_many_blocks_are_found_again() {
    let random = RUNTIME.block_on(RandomCorpus::build(&CorpusPlan {
        seed: 7,
        splits: vec![vec![21, 105, 11, 119], vec![19, 306]],
        deletes: 0,
        hot_dictionaries: 0,
        trailer: false,
    }));
    for body in [
        json!({"query": {"match_all": {}}, "sort": "nf", "size": 1000}),
        json!({"query": {"exists": {"field": "tag"}}, "size": 90, "from": 40}),
    ] {
        assert_right(&random, body);
    }
}

#[test]
fn ties_of_a_union_keep_the_order_of_the_index() {
    let random = RUNTIME.block_on(RandomCorpus::build(&CorpusPlan {
        seed: 18079559262675133853,
        splits: vec![vec![20], vec![1, 9, 20, 15], vec![363, 162, 9, 3]],
        deletes: 38,
        hot_dictionaries: 65536,
        trailer: false,
    }));
    let query =
        json!({"bool": {"should": [{"exists": {"field": "tag"}}, {"term": {"flag": false}}]}});
    let sort = json!([{"at": {"order": "asc", "missing": "_first"}}, {"ni": {"order": "asc", "missing": "_first"}}]);
    for size in [5, 6, 8, 10, 11, 12, 13] {
        assert_right(&random, json!({"query": query, "size": size, "sort": sort}));
    }
}
