//! Splits that are all in memory answer as warmed ones do: they are what those are measured
//! against.

use forewarm::{ErrorKind, ResidentSplits, SearchRequest, SearchResponse};
use serde_json::{Value, json};

use crate::bodies::{DEBIAN, Documents, GH, WIKI, for_each_body};
use crate::random::{RUNTIME, strict};

/// Everything but what it cost.
fn answer(response: &SearchResponse) -> Value {
    let shards = serde_json::to_value(response.shards).unwrap();
    let hits = serde_json::to_value(&response.hits).unwrap();
    json!({"_shards": shards, "hits": hits, "aggregations": response.aggregations})
}

fn assert_resident(documents: &Documents) {
    let corpus = documents.corpus();
    let warmer = strict(&corpus.store);
    let load = ResidentSplits::load(&warmer, &corpus.addresses, u64::MAX);
    let resident = RUNTIME.block_on(load).unwrap();
    assert_eq!(resident.len(), corpus.addresses.len());
    for_each_body(documents, |body| {
        let request = SearchRequest::from_value(body).unwrap();
        let warm = RUNTIME.block_on(warmer.search(&corpus.addresses, &request));
        let same = RUNTIME.block_on(resident.search(&request)).unwrap();
        assert_eq!(answer(&same), answer(&warm.unwrap()));
        assert_eq!((same.report.gets, same.report.late_reads), (0, 0));
    });
}

#[test]
fn resident_debian_packages_answer_as_warmed_ones() {
    if let Some(documents) = &*DEBIAN {
        assert_resident(documents);
    }
}

#[test]
fn resident_github_events_answer_as_warmed_ones() {
    if let Some(documents) = &*GH {
        assert_resident(documents);
    }
}

#[test]
fn resident_wikipedia_articles_answer_as_warmed_ones() {
    if let Some(documents) = &*WIKI {
        assert_resident(documents);
    }
}

#[test]
fn splits_that_do_not_fit_are_not_loaded() {
    let Some(documents) = &*WIKI else { return };
    let corpus = documents.corpus();
    let warmer = strict(&corpus.store);
    let load =
        |max_bytes| RUNTIME.block_on(ResidentSplits::load(&warmer, &corpus.addresses, max_bytes));
    let bytes = load(u64::MAX).unwrap().bytes();
    let before = warmer.statistics().bytes;
    let error = load(bytes - 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
    let message = error.to_string();
    assert!(
        message.contains(&format!("{} bytes", bytes - 1)),
        "{message}"
    );
    assert_eq!(
        warmer.statistics().bytes,
        before,
        "nothing of them was read"
    );
    assert!(load(bytes).is_ok());
}
