//! What a clause may expand to is bounded, and what is known to be absent is not looked for again.

use std::sync::Arc;

use forewarm::{
    CacheSettings, ErrorKind, ExpansionSettings, PackSettings, PastLimit, SearchRequest,
    SplitAddress, Warmer, pack,
};
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::{Value, json};

use crate::fixture::{answer, index, key, request, settings, strict, truth, warmer};
use crate::test_store::TestStore;

/// Documents of a segment; each has a key of its own.
const DOCS: u64 = 2_000;

/// A split of one segment, none of whose dictionaries is hot.
pub async fn split(store: &Arc<TestStore>, path: &str, docs: u64, version: u64) -> SplitAddress {
    let mut settings = PackSettings::default();
    // No dictionary is hot, so what is looked up is seen.
    settings.term_dictionary_budget = 0;
    let packed = pack(&index(1, docs, version), &settings).unwrap();
    let path = Path::from(path);
    packed.upload(store.as_ref(), &path).await.unwrap();
    SplitAddress::new(path).with_footer(packed.footer_range())
}

fn limited(terms: u64, bytes: u64, past_limit: PastLimit) -> ExpansionSettings {
    let mut limits = ExpansionSettings::default();
    limits.max_terms = terms;
    limits.max_bytes = bytes;
    limits.past_limit = past_limit;
    limits
}

/// Clauses over keys, all of which match every one of them.
fn expanding() -> Vec<Value> {
    vec![
        json!({"prefix": {"key": ""}}),
        json!({"wildcard": {"key": "*?"}}),
        json!({"regexp": {"key": "[0-9a-f]+"}}),
        json!({"range": {"key": {"gte": "0", "lte": "g"}}}),
    ]
}

fn fuzzy() -> Value {
    json!({"fuzzy": {"body": {"value": "w10", "fuzziness": 2}}})
}

#[tokio::test]
async fn an_expansion_past_a_limit_fails_before_its_postings_are_fetched() {
    let store = TestStore::in_memory();
    let splits = [split(&store, "a.split", DOCS, 0).await];
    let fails = PastLimit::Fail;
    for (limits, message) in [
        (limited(50, u64::MAX, fails), "more than 50 terms"),
        (limited(u64::MAX, 90, fails), "more than 90"),
    ] {
        let mut queries = expanding();
        queries.push(fuzzy());
        for query in queries {
            let warmer = warmer(store.clone(), settings().with_expansion(limits));
            let layout = warmer.layout(&splits[0]).await.unwrap();
            let request = request(query.clone());
            store.take();
            let explained = warmer.explain(&splits[0], &request).await.unwrap_err();
            let warm = warmer.search(&splits, &request).await.unwrap_err();
            let cold = warmer
                .search_without_warming(&splits, &request)
                .await
                .unwrap_err();
            for error in [explained, warm, cold] {
                let chain = error.chain();
                assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{query}: {chain}");
                assert!(chain.contains(message), "{query}: {chain}");
                let field = if query.get("fuzzy").is_some() {
                    "\"body\""
                } else {
                    "\"key\""
                };
                assert!(chain.contains(field), "{query}: {chain}");
            }
            let postings = layout
                .files
                .iter()
                .filter(|file| file.name.ends_with(".idx"));
            let postings: Vec<_> = postings.map(|file| file.range.clone()).collect();
            for get in store.take() {
                let touched = |range: &&std::ops::Range<u64>| {
                    get.range.start < range.end && range.start < get.range.end
                };
                assert_eq!(postings.iter().find(touched), None, "{query}: {get:?}");
            }
        }
    }
}

#[tokio::test]
async fn exactly_at_the_limit_is_within_it() {
    let store = TestStore::in_memory();
    let splits = [split(&store, "a.split", 300, 0).await];
    for query in expanding() {
        for (terms, passes) in [(300, true), (299, false)] {
            let limits = limited(terms, u64::MAX, PastLimit::Fail);
            let warmer = warmer(store.clone(), strict().with_expansion(limits));
            let searched = warmer.search(&splits, &request(query.clone())).await;
            assert_eq!(searched.is_ok(), passes, "{query} within {terms}");
            if let Ok(response) = searched {
                assert_eq!(response.hits.total.unwrap().value, 300);
            }
        }
    }
}

#[tokio::test]
async fn what_streams_answers_right_and_counts_its_late_reads() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let splits = [split(&store, "a.split", DOCS, 0).await];
    let limits = limited(50, u64::MAX, PastLimit::Stream);
    for query in expanding() {
        let request = request(query.clone());
        let expected = truth(&plain, &splits, &request).await;
        let warmer = warmer(store.clone(), settings().with_expansion(limits));
        let response = warmer.search(&splits, &request).await.unwrap();
        assert_eq!(answer(&response), expected, "{query}");
        assert!(
            ["ready", "waited"].contains(&response.report.outcome),
            "{query}"
        );
        assert!(response.report.late_reads > 0, "{query}");
        assert_eq!(warmer.statistics().late_reads, response.report.late_reads);
    }
}

#[tokio::test]
async fn one_split_past_the_limit_fails_the_search_of_all() {
    let store = TestStore::in_memory();
    let splits = [
        split(&store, "small.split", 40, 0).await,
        split(&store, "large.split", DOCS, 0).await,
    ];
    let limits = limited(50, u64::MAX, PastLimit::Fail);
    let warmer = warmer(store.clone(), settings().with_expansion(limits));
    let request = request(json!({"prefix": {"key": ""}}));
    assert!(warmer.search(&splits[..1], &request).await.is_ok());
    let error = warmer.search(&splits, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{}", error.chain());
}

fn absent() -> SearchRequest {
    let clause = json!({"bool": {"filter": [{"term": {"key": "8 lies between keys"}}]}});
    SearchRequest::from_value(&json!({"query": clause, "size": 0})).unwrap()
}

/// A cache that keeps nothing, so that only an absence that is remembered costs no GET.
fn forgetful(absence_bytes: u64) -> CacheSettings {
    CacheSettings::default()
        .with_capacity_bytes(0)
        .with_absence_bytes(absence_bytes)
        .with_plan_bytes(0)
}

async fn gets(warmer: &Warmer, splits: &[SplitAddress], request: &SearchRequest) -> u64 {
    warmer.forget_warmups();
    let before = warmer.statistics().gets;
    let response = warmer.search(splits, request).await.unwrap();
    assert_eq!(response.hits.total.unwrap().value, 0);
    warmer.statistics().gets - before
}

#[tokio::test]
async fn what_is_known_to_be_absent_is_not_looked_up_again() {
    let store = TestStore::in_memory();
    let splits = [split(&store, "a.split", DOCS, 0).await];
    let warmer = warmer(store.clone(), strict().with_cache(forgetful(1 << 20)));
    let request = absent();
    assert!(gets(&warmer, &splits, &request).await > 0);
    assert_eq!(warmer.statistics().absences, 1);
    assert_eq!(gets(&warmer, &splits, &request).await, 0);
    // Without room for it, it is looked up each time.
    let forgets = crate::fixture::warmer(store.clone(), strict().with_cache(forgetful(0)));
    assert!(gets(&forgets, &splits, &request).await > 0);
    // An FST stays with the opened split.
    let again = gets(&forgets, &splits, &request).await;
    assert_eq!(again > 0, cfg!(feature = "sstable"));
    assert_eq!(forgets.statistics().absences, 0);
    warmer.clear().await;
    assert_eq!(warmer.statistics().absences, 0);
    assert!(gets(&warmer, &splits, &request).await > 0);
}

#[tokio::test]
async fn absences_stay_within_their_bytes() {
    let store = TestStore::in_memory();
    let splits = [split(&store, "a.split", 300, 0).await];
    let warmer = warmer(store.clone(), strict().with_cache(forgetful(4_000)));
    for n in 0..100 {
        let query = json!({"bool": {"filter": [{"term": {"key": format!("absent {n}")}}]}});
        let request = SearchRequest::from_value(&json!({"query": query, "size": 0})).unwrap();
        warmer.search(&splits, &request).await.unwrap();
    }
    // Each weighs 256 bytes and more.
    assert!(
        warmer.statistics().absences <= 15,
        "{}",
        warmer.statistics().absences
    );
}

#[tokio::test]
async fn a_split_that_was_replaced_inherits_no_absences() {
    let store = TestStore::in_memory();
    let splits = [split(&store, "a.split", 300, 0).await];
    let warmer = warmer(store.clone(), settings().with_cache(forgetful(1 << 20)));
    let query = json!({"bool": {"filter": [{"term": {"key": key(500)}}]}});
    let request = SearchRequest::from_value(&json!({"query": query, "size": 0})).unwrap();
    assert!(gets(&warmer, &splits, &request).await > 0);
    assert_eq!(gets(&warmer, &splits, &request).await, 0);
    // Now it has the key.
    let replaced = split(&store, "a.split", 600, 1).await;
    warmer.forget_warmups();
    // The open split is that of before until somebody reads it: then the ETag tells.
    let other = SearchRequest::from_value(&json!({"query": {"term": {"key": key(7)}}})).unwrap();
    let _ = warmer.search(std::slice::from_ref(&replaced), &other).await;
    let response = warmer.search(&[replaced], &request).await.unwrap();
    assert_eq!(response.hits.total.unwrap().value, 1);
}
