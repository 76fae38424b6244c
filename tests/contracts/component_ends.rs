//! What cannot be warmed by component, and how such warmups end.

use std::time::Duration;

use forewarm::{CacheSettings, Component, ErrorKind, Filter, Outcome, SearchRequest, SplitAddress};
use serde_json::json;
use tantivy::directory::RamDirectory;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::{FAST, Schema};
use tantivy::{Index, Term};

use crate::fixture::{put, request, settings, strict, warmer};
use crate::shop::{LONG, SHOP, all_warm, max, select, shop, sorted};
use crate::test_store::TestStore;
use Component::{Columns, Norms, Positions, Postings, Store, Terms};

#[tokio::test]
async fn a_selection_that_does_not_fit_is_refused_before_anything_is_fetched() {
    let store = TestStore::in_memory();
    let splits = [
        put(store.as_ref(), "a.split", &shop(Some("more"))).await,
        put(store.as_ref(), "b.split", &SHOP).await,
    ];
    let warmer = warmer(store.clone(), settings());
    for split in &splits {
        warmer.open(split).await.unwrap();
    }
    store.take();
    let deletes = Component::Deletes;
    for (components, fields, expected) in [
        (
            &[][..],
            &[][..],
            "selection: nothing is selected: name a component or a field",
        ),
        (
            &[deletes, Store],
            &["body", "tag"],
            "selection: deletes: read when a split is opened, not by itself; store of body, tag: \
             stored documents are not divided by field",
        ),
        (&[], &["pricd"], "a.split: unknown field \"pricd\""),
        (
            &[Columns],
            &["price.x"],
            "a.split: unknown field \"price.x\": \"price\" is a u64 field, which has no paths",
        ),
        (
            &[Positions],
            &["tag"],
            "a.split: positions of \"tag\": the field is indexed without them",
        ),
        (
            &[Norms],
            &["code"],
            "a.split: norms of \"code\": the field is indexed without them",
        ),
        (
            &[Norms],
            &["repo"],
            "a.split: norms of \"repo\": the field is indexed without them",
        ),
        (
            &[Columns],
            &["body"],
            "a.split: columns of \"body\": the field is not fast",
        ),
        (
            &[Terms, Postings],
            &["id", "price"],
            "a.split: terms of \"price\": the field is not indexed",
        ),
        (
            &[Terms],
            &["repo.stars"],
            "a.split: terms of \"repo.stars\": only columns lie apart by path: name the JSON field \
             itself",
        ),
        (
            &[],
            &["note"],
            "a.split: \"note\": the field is neither indexed nor fast",
        ),
        (
            &[Columns],
            &["price", "more"],
            "1 of 2 splits have what is selected, others do not: warm them apart: b.split: unknown \
             field \"more\"",
        ),
    ] {
        let selection = select(components, fields);
        for request in [None, Some(sorted())] {
            let refused = match &request {
                None => warmer.warm_components(&splits, &selection).await,
                Some(request) => {
                    warmer
                        .warm_components_for(&splits, request, &selection)
                        .await
                }
            };
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            if request.is_none() || !components.contains(&Store) {
                assert_eq!(error.chain(), expected);
            }
            // A request is looked up in the split that has what is selected.
            assert!(store.take().is_empty() || request.is_some());
        }
    }
    let error = warmer
        .warm_components_for(&splits, &sorted(), &select(&[Store], &[]))
        .await;
    assert_eq!(
        error.unwrap_err().chain(),
        "selection: store for a request: only its search tells which documents it brings, so warm \
         the store without one"
    );
    let wrong = request(json!({ "term": { "nosuch": 1 } }));
    let error = warmer
        .warm_components_for(&splits, &wrong, &select(&[Terms], &[]))
        .await;
    assert!(error.unwrap_err().chain().contains("nosuch"));
}

#[tokio::test]
async fn what_hides_its_fields_is_selected_by_component_alone() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let warmer = warmer(store.clone(), settings());
    let schema = warmer.open(&splits[0]).await.unwrap().schema().clone();
    let word = Term::from_field_text(schema.get_field("body").unwrap(), "commn");
    let query = FuzzyTermQuery::new(word, 1, true);
    let request = SearchRequest::new(Filter::query(Box::new(query)));
    let by_field = select(&[Terms], &["body"]);
    let error = warmer.warm_components_for(&splits, &request, &by_field);
    assert_eq!(
        error.await.unwrap_err().chain(),
        "a.split: the request holds what only tells which fields it reads while it reads them: \
         select by component alone"
    );
    let terms = select(&[Terms], &[]);
    let warmups = warmer.warm_components_for(&splits, &request, &terms);
    let warmups = warmups.await.unwrap();
    all_warm(&warmups).await;
    let report = warmups[0].report();
    assert!(report.lower_bound);
    assert!(report.components[&Terms].bytes > 0);
    assert!(!report.components.contains_key(&Postings));
}

#[tokio::test]
async fn a_component_that_no_field_has_is_refused() {
    let store = TestStore::in_memory();
    let mut schema = Schema::builder();
    schema.add_u64_field("id", FAST);
    let directory = RamDirectory::create();
    Index::create(directory.clone(), schema.build(), Default::default()).unwrap();
    let splits = [put(store.as_ref(), "a.split", &directory).await];
    let warmer = warmer(store.clone(), settings());
    let error = warmer
        .warm_components(&splits, &select(&[Positions, Columns], &[]))
        .await;
    assert_eq!(
        error.unwrap_err().chain(),
        "a.split: positions: no field has any"
    );
    // A split without documents has the component, and nothing in it.
    let warmups = warmer
        .warm_components(&splits, &select(&[Columns, Store], &[]))
        .await;
    all_warm(&warmups.unwrap()).await;
}

#[tokio::test]
async fn more_than_the_cache_holds_is_refused_with_its_size() {
    let store = TestStore::in_memory();
    let splits = [
        put(store.as_ref(), "a.split", &SHOP).await,
        put(store.as_ref(), "b.split", &SHOP).await,
    ];
    let one = select(&[Postings], &["body"]);
    let plain = warmer(store.clone(), settings());
    let warmups = plain.warm_components(&splits, &one).await.unwrap();
    let bytes = warmups[0].report().components[&Postings].bytes;
    for (capacity, fits) in [(2 * bytes - 1, false), (2 * bytes, true)] {
        let cache = CacheSettings::default().with_capacity_bytes(capacity);
        let warmer = warmer(store.clone(), settings().with_cache(cache));
        for split in &splits {
            warmer.open(split).await.unwrap();
        }
        store.take();
        match warmer.warm_components(&splits, &one).await {
            Ok(warmups) => {
                assert!(fits);
                all_warm(&warmups).await;
            }
            Err(error) => {
                assert!(!fits);
                assert_eq!(error.kind(), ErrorKind::Budget);
                assert_eq!(
                    error.to_string(),
                    format!(
                        "what is selected of 2 splits is {} bytes, which do not fit \
                         cache.capacity_bytes ({capacity}): select less, or warm fewer splits",
                        2 * bytes
                    )
                );
                assert_eq!(store.take(), []);
            }
        }
    }
}

#[tokio::test]
async fn a_split_that_cannot_be_warmed_leaves_the_others() {
    let store = TestStore::in_memory();
    let splits = [
        SplitAddress::new("gone.split".into()),
        put(store.as_ref(), "a.split", &SHOP).await,
    ];
    let warmer = warmer(store.clone(), settings());
    let prices = select(&[Columns], &["price"]);
    let warmups = warmer.warm_components(&splits, &prices).await.unwrap();
    let Outcome::Failed(error) = warmups[0].join(LONG).await else {
        panic!("there is no such split");
    };
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(warmups[0].report().components.is_empty());
    assert!(warmups[1].join(LONG).await.is_warm());

    // A store that fails later fails the warmup, not its caller.
    store.fail_next(1);
    let tags = warmer
        .warm_components(&splits[1..], &select(&[Store], &[]))
        .await
        .unwrap();
    let outcome = tags[0].join(LONG).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome}");
    let again = warmer
        .warm_components(&splits[1..], &select(&[Store], &[]))
        .await
        .unwrap();
    all_warm(&again).await;
}

#[tokio::test]
async fn a_warmup_by_component_has_the_deadline_of_warmups() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let mut settings = settings().with_warmup_deadline(Duration::from_secs(7));
    settings.store.read_timeout = LONG;
    let warmer = warmer(store.clone(), settings);
    warmer.open(&splits[0]).await.unwrap();
    store.close();
    let postings = select(&[Postings], &[]);
    let warmups = warmer.warm_components(&splits, &postings).await.unwrap();
    // From here on nothing computes, which paused time would not wait for.
    tokio::time::pause();
    let outcome = warmups[0].join(Duration::from_secs(3)).await;
    assert!(matches!(outcome, Outcome::TimedOut), "{outcome}");
    let Outcome::Failed(error) = warmups[0].join(LONG).await else {
        panic!("the store answers nothing");
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("longer than 7s"), "{error}");
    // Opening counts.
    warmer.clear().await;
    let warmups = warmer.warm_components(&splits, &postings).await.unwrap();
    let Outcome::Failed(error) = warmups[0].join(Duration::ZERO).await else {
        panic!("it was not opened");
    };
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn the_last_handle_gives_an_unfinished_warmup_up_unless_it_is_detached() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let mut one_at_a_time = settings();
    one_at_a_time.store.max_concurrent_gets = 1;
    one_at_a_time.store.merge_gap_bytes = Some(0);
    let warmer = warmer(store.clone(), one_at_a_time);
    warmer.open(&splits[0]).await.unwrap();
    store.close();
    let terms = select(&[Terms, Columns, Store], &[]);
    let begun = store.begun();
    let warmups = warmer.warm_components(&splits, &terms).await.unwrap();
    store.has_begun(begun + 1).await;
    let clone = warmups[0].clone();
    drop(warmups);
    assert!(!clone.is_finished());
    drop(clone);
    store.open();
    // The one that had begun may end; nothing else is sent.
    while warmer.statistics().resident_bytes != warmer.statistics().cached_bytes {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.begun(), begun + 1);

    for warmup in warmer.warm_components(&splits, &terms).await.unwrap() {
        warmup.detach();
    }
    loop {
        let again = warmer.warm_components(&splits, &terms).await.unwrap();
        let components = again[0].report().components.values();
        if components.into_iter().all(|it| it.bytes == it.cached_bytes) {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_handle_holds_outlives_its_eviction() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let warmer = warmer(store.clone(), strict());
    let prices = select(&[Columns], &["price"]);
    let warmups = warmer.warm_components(&splits, &prices).await.unwrap();
    all_warm(&warmups).await;
    let held = warmer.statistics().leased_bytes;
    assert!(held >= warmups[0].report().components[&Columns].bytes);
    warmer.clear().await;
    let found = warmer.search_without_warming(&splits, &max("price")).await;
    assert_eq!(found.unwrap().report.late_reads, 0);
    drop(warmups);
    assert_eq!(warmer.statistics().leased_bytes, 0);
    warmer.clear().await;
    let error = warmer.search_without_warming(&splits, &max("price")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::LateRead);
}
