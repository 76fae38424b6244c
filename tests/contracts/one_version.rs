//! C5: an object that is replaced is never mixed with what it was before.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{ErrorKind, OnMiss, Outcome, SearchOptions, SearchRequest, Warming};
use object_store::ObjectStore;
use serde_json::{Value, json};

use crate::fixture::{answer, index, key, put, request, settings, truth, warmer, with_documents};
use crate::test_store::TestStore;

const LONG: Duration = Duration::from_secs(60);

fn by_key(n: u64) -> SearchRequest {
    with_documents(json!({ "term": { "key": key(n) } }))
}

fn versions(answer: &Value) -> Vec<u64> {
    let hits = answer["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| hit["_source"]["version"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_replaced_split_is_told_and_then_opened_anew() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let split = [put(store.as_ref(), "a.split", &index(1, 3000, 1)).await];
    let warmer = warmer(store.clone(), settings());
    let response = warmer.search(&split, &by_key(1)).await.unwrap();
    assert_eq!(versions(&answer(&response)), [1]);

    // Other documents, so other offsets.
    put(store.as_ref(), "a.split", &index(2, 1200, 2)).await;
    let outcome = warmer.warm(&split[0], &by_key(1000)).join(LONG).await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome}");
    };
    assert_eq!(error.kind(), ErrorKind::SplitChanged, "{}", error.chain());
    assert!(error.to_string().contains("open it again"), "{error}");

    for n in [1, 1000, 2000] {
        let expected = truth(&plain, &split, &by_key(n)).await;
        let response = warmer.search(&split, &by_key(n)).await.unwrap();
        assert_eq!(answer(&response), expected, "document {n}");
        assert_eq!(versions(&answer(&response)), [2]);
    }
}

#[tokio::test]
async fn a_search_on_demand_of_a_replaced_split_is_an_error() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 3000, 1)).await];
    let warmer = warmer(store.clone(), settings());
    warmer.open(&split[0]).await.unwrap();
    // As long as before, to the byte or nearly: only the ETag tells.
    put(store.as_ref(), "a.split", &index(1, 3000, 2)).await;
    let options = SearchOptions::default()
        .with_warming(Warming::Off)
        .with_on_miss(OnMiss::Fetch);
    let error = warmer
        .search_with_options(&split, &by_key(7), &options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SplitChanged, "{}", error.chain());
    let response = warmer
        .search_with_options(&split, &by_key(7), &options)
        .await
        .unwrap();
    assert_eq!(versions(&answer(&response)), [2]);
}

#[tokio::test]
async fn a_search_that_warms_a_replaced_split_answers_from_the_new_version() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 3000, 1)).await];
    let warmer = warmer(store.clone(), settings());
    warmer.open(&split[0]).await.unwrap();
    put(store.as_ref(), "a.split", &index(1, 3000, 2)).await;
    // The warmup fails, the split is opened again, and read on demand: C2 and C5 together.
    let response = warmer.search(&split, &by_key(7)).await.unwrap();
    assert_eq!(response.report.outcome, "failed");
    assert_eq!(versions(&answer(&response)), [2]);
}

#[tokio::test]
async fn a_finished_warmup_of_the_old_version_is_not_joined_for_ever() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 3000, 1)).await];
    let warmer = warmer(store.clone(), settings());
    let warmup = warmer.warm(&split[0], &by_key(5));
    assert!(warmup.join(LONG).await.is_warm());
    put(store.as_ref(), "a.split", &index(2, 1300, 2)).await;

    // Its documents are of the version that is gone.
    let error = warmer.search(&split, &by_key(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SplitChanged);
    let response = warmer.search(&split, &by_key(5)).await.unwrap();
    assert_eq!(versions(&answer(&response)), [2]);
    drop(warmup);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn searches_beside_replacements_see_one_version_each() {
    let store = TestStore::in_memory();
    let split = [put(store.as_ref(), "a.split", &index(1, 800, 0)).await];
    let indexes: Vec<_> = (0..2)
        .map(|version| index(1 + version, 800, version))
        .collect();
    let warmer = warmer(store.clone(), settings());
    let all = with_documents(json!({ "match": { "body": "man" } }));
    let mut answered = 0;
    for round in 0..40 {
        let (warmer_too, split_too, all) = (warmer.clone(), split.clone(), all.clone());
        let search = tokio::spawn(async move { warmer_too.search(&split_too, &all).await });
        put(store.as_ref(), "a.split", &indexes[round % 2]).await;
        match search.await.unwrap() {
            Ok(response) => {
                let versions = versions(&answer(&response));
                assert!(
                    versions.windows(2).all(|pair| pair[0] == pair[1]),
                    "{versions:?}"
                );
                let total = response.hits.total.unwrap().value;
                assert_eq!(total, 800 * (1 + versions[0]), "{versions:?}");
                answered += 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::SplitChanged, "{}", error.chain()),
        }
        if round % 5 == 0 {
            warmer.forget_warmups();
        }
    }
    assert!(answered > 0);
}

#[tokio::test]
async fn a_deleted_split_is_not_found() {
    let store = TestStore::in_memory();
    let split = put(store.as_ref(), "a.split", &index(1, 100, 0)).await;
    let warmer = warmer(store.clone(), settings());
    let missing = forewarm::SplitAddress::new("b.split".into());
    let error = warmer.open(&missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let both = [split, missing];
    let error = warmer
        .search(&both, &request(json!({ "match_all": {} })))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("b.split"), "{error}");
}
