//! What is remembered of a split is of one version of it.

use std::sync::Arc;

use forewarm::{DirectoryPlans, ErrorKind, OnMiss, Outcome};
use serde_json::json;

use crate::fixture::{index, put, warmer, warmer_with_plans};
use crate::results::{
    LONG, answer, count_of, left_out, of_version, remembering, splits, total, truth,
};
use crate::test_store::TestStore;

#[tokio::test]
async fn a_replaced_split_is_not_answered_from_memory_once_that_is_noticed() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    // So long that opening it does not bring all of it.
    put(store.as_ref(), "0.split", &index(1, 3000, 0)).await;
    let folder = tempfile::tempdir().unwrap();
    let node = || {
        let plans = Arc::new(DirectoryPlans::new(folder.path()));
        let settings = remembering().with_on_miss(OnMiss::Fetch);
        warmer_with_plans(store.clone(), settings, plans)
    };
    let warmer = node();
    let words = [1, 2].map(|n| count_of(json!({"match": {"body": format!("sea{n}")}})));
    let mut old = Vec::new();
    for request in &words {
        let response = warmer.search(&splits, request).await.unwrap();
        old.push(total(&response));
    }
    put(store.as_ref(), "0.split", &index(3, 500, 7)).await;
    // Nothing is asked of the store, so nobody notices: that is the contract.
    let (response, skipped) = left_out(&warmer, &store, &splits, &words[0]).await;
    assert_eq!((total(&response), skipped), (old[0], 3));

    // Something else is read of it, and fails: it is another object.
    let other = count_of(json!({"match_phrase": {"body": "the old man"}}));
    let outcome = warmer.warm(&splits[0], &other).join(LONG).await;
    assert!(matches!(outcome, Outcome::Failed(error) if error.kind() == ErrorKind::SplitChanged));
    for (request, old) in words.iter().zip(&old) {
        let expected = truth(&store, &splits, request).await;
        let (response, skipped) = left_out(&warmer, &store, &splits, request).await;
        assert_eq!((answer(&response), skipped), (expected.clone(), 2));
        assert_ne!(total(&response), *old);
        // The new one is remembered like any.
        let (response, skipped) = left_out(&warmer, &store, &splits, request).await;
        assert_eq!((answer(&response), skipped), (expected, 3));
    }
    warmer.flush_plans().await.unwrap();

    // What is left of the old one in the plan store is not believed by others either.
    let last = node();
    last.search(&splits, &count_of(of_version(7)))
        .await
        .unwrap();
    last.load_plans().await.unwrap();
    for request in &words {
        let (response, _) = left_out(&last, &store, &splits, request).await;
        assert_eq!(answer(&response), truth(&store, &splits, request).await);
    }
}

#[tokio::test]
async fn rows_of_two_versions_of_a_split_are_believed_by_none_before_it_is_opened() {
    let store = TestStore::in_memory();
    let splits = splits(&store).await;
    let (before, after) = (
        count_of(json!({"match": {"body": "sea1"}})),
        count_of(json!({"match": {"body": "sea2"}})),
    );
    let old = warmer(store.clone(), remembering());
    old.search(&splits, &before).await.unwrap();
    put(store.as_ref(), "0.split", &index(3, 500, 7)).await;
    let new = warmer(store.clone(), remembering());
    new.search(&splits, &after).await.unwrap();

    let rows = [old.plans(), new.plans()].concat();
    // Opened by finding out what there is, or by a plan of the new one.
    for order in [
        [(&before, 2), (&after, 3), (&before, 3)],
        [(&after, 2), (&after, 3), (&before, 2)],
    ] {
        let reader = warmer(store.clone(), remembering());
        reader.add_plans(rows.iter().map(|row| row.as_ref().clone()));
        for (request, skipped) in order {
            let found = left_out(&reader, &store, &splits, request).await;
            assert_eq!(answer(&found.0), truth(&store, &splits, request).await);
            assert_eq!(found.1, skipped);
        }
    }
}
