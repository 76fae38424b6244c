//! Splits that are warmed by component and field.

use std::sync::Arc;

use forewarm::{
    Component, ComponentBytes, ComponentSelection, ErrorKind, PackSettings, SearchRequest,
    SplitAddress, pack,
};
use object_store::ObjectStore;
use serde_json::{Value, json};

use crate::fixture::{answer, key, put, request, settings, strict, truth, warmer, with_documents};
use crate::shop::{LONG, SHOP, all_warm, body, max, select, shop, sorted};
use crate::test_store::{TestStore, fetched_twice};
use Component::{Columns, Norms, Positions, Postings, Store, Terms};

/// Requests, and all that each reads.
fn cases() -> Vec<(SearchRequest, Vec<ComponentSelection>)> {
    let phrase = json!({ "match_phrase": { "body": "the old man" } });
    let tags = json!({ "size": 0, "aggs": { "tags": { "terms": { "field": "tag" } } } });
    let text = [Terms, Postings, Norms];
    let all = [Terms, Postings, Positions, Columns, Norms, Store];
    let exact = [Terms, Postings];
    [
        (
            request(json!({ "match": { "body": "common w3" } })),
            vec![select(&text, &["body"])],
        ),
        (request(phrase.clone()), vec![select(&[], &["body"])]),
        (
            with_documents(phrase),
            vec![select(&[], &["body"]), select(&[Store], &[])],
        ),
        (
            request(json!({ "prefix": { "code": "0" } })),
            vec![select(&exact, &["code"])],
        ),
        (
            request(json!({ "match": { "repo.topic": "w7" } })),
            vec![select(&exact, &["repo"])],
        ),
        (
            request(json!({ "term": { "id": 77 } })),
            vec![select(&[], &["id"])],
        ),
        (
            sorted(),
            vec![select(&exact, &[]), select(&[Columns], &["price"])],
        ),
        (
            with_documents(json!({ "match": { "body": "w5" } })),
            vec![select(&all, &[])],
        ),
        (body(tags), vec![select(&[Columns], &["tag"])]),
        (max("price"), vec![select(&[Columns], &["price"])]),
        (max("repo.stars"), vec![select(&[Columns], &["repo.stars"])]),
        (max("repo.stars"), vec![select(&[Columns], &["repo"])]),
        (
            request(json!({ "exists": { "field": "repo.owner" } })),
            vec![select(&[Columns], &["repo.owner"])],
        ),
    ]
    .into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_of_what_was_warmed_reads_nothing_though_it_warms_nothing_itself() {
    let store = TestStore::in_memory();
    let plain: Arc<dyn ObjectStore> = store.clone();
    let directory = shop(None);
    let splits = [put(store.as_ref(), "a.split", &directory).await];
    for (request, selections) in cases() {
        let expected = truth(&plain, &splits, &request).await;
        let name = selections[0].to_string();
        let warmer = warmer(plain.clone(), strict());
        let mut held = Vec::new();
        for selection in &selections {
            held.extend(warmer.warm_components(&splits, selection).await.unwrap());
        }
        all_warm(&held).await;
        store.take();
        let response = warmer.search_without_warming(&splits, &request).await;
        let response = response.unwrap_or_else(|error| panic!("{name}: {}", error.chain()));
        assert_eq!(answer(&response), expected, "{name}");
        assert_eq!(response.report.late_reads, 0, "{name}");
        // Nor does one that warms have anything to fetch.
        let response = warmer.search(&splits, &request).await.unwrap();
        assert_eq!(response.report.gets, 0, "{name}");
        assert_eq!(store.take(), [], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_selected_is_not_warmed() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let code = request(json!({ "prefix": { "code": "0" } }));
    for (selection, request) in [
        (select(&[Columns], &["price"]), code.clone()),
        (select(&[Terms], &["code"]), code),
        (select(&[Columns], &["price", "tag"]), max("repo.stars")),
        (select(&[Columns], &["repo.owner"]), max("repo.stars")),
        (select(&[], &["body"]), sorted()),
    ] {
        let warmer = warmer(store.clone(), strict());
        let held = warmer.warm_components(&splits, &selection).await.unwrap();
        all_warm(&held).await;
        let error = warmer.search_without_warming(&splits, &request).await;
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::LateRead,
            "{selection}"
        );
    }
}

#[tokio::test]
async fn warming_components_is_one_round_after_opening_and_none_the_second_time() {
    let store = TestStore::in_memory();
    let splits = [
        put(store.as_ref(), "a.split", &SHOP).await,
        put(store.as_ref(), "b.split", &shop(Some("more"))).await,
    ];
    let selection = select(&[Terms, Postings, Positions, Columns, Norms, Store], &[]);
    let warmer = warmer(store.clone(), settings().with_trace(true));
    let warmups = warmer.warm_components(&splits, &selection).await.unwrap();
    all_warm(&warmups).await;
    let sent = store.take();
    assert_eq!(fetched_twice(&sent), 0);
    let mut traced = 0;
    for (warmup, split) in warmups.iter().zip(&splits) {
        let traffic = warmup.traffic();
        let opened = warmer.open(split).await.unwrap().traffic();
        assert_eq!(traffic.rounds, opened.rounds + 1);
        assert_eq!(warmup.trace().len() as u64, traffic.gets);
        assert_eq!(warmup.report().looked_up.gets, 0);
        traced += warmup.trace().len();
        // What came with the footer need not be fetched.
        let brought = |bytes: &ComponentBytes| bytes.bytes - bytes.cached_bytes;
        let missing: u64 = warmup.report().components.values().map(brought).sum();
        let fetched = traffic.bytes - opened.bytes;
        assert!(fetched >= missing && fetched <= missing + missing / 8);
    }
    assert_eq!(sent.len(), traced);

    for warmup in warmer.warm_components(&splits, &selection).await.unwrap() {
        assert!(warmup.join(LONG).await.is_warm());
        assert_eq!(warmup.traffic().gets, 0);
        for (component, bytes) in &warmup.report().components {
            assert_eq!(bytes.bytes, bytes.cached_bytes, "{component:?}");
            assert!(bytes.bytes > 0, "{component:?}");
        }
    }
    assert_eq!(store.take(), []);
}

#[tokio::test]
async fn names_of_columns_that_are_not_hot_take_one_round_more() {
    let store = TestStore::in_memory();
    let mut cold = PackSettings::default();
    cold.column_dictionary_budget = 0;
    let path = "a.split".into();
    let packed = pack(&*SHOP, &cold).unwrap();
    packed.upload(store.as_ref(), &path).await.unwrap();
    let splits = [SplitAddress::new(path)];
    let settings = {
        let mut settings = strict();
        // Nothing comes along with the footer.
        settings.store.footer_guess_bytes = 1 << 10;
        settings
    };
    let selection = select(&[Columns], &["repo"]);
    let warmer = warmer(store.clone(), settings);
    let opened = warmer.open(&splits[0]).await.unwrap().traffic();
    let warmups = warmer.warm_components(&splits, &selection).await.unwrap();
    all_warm(&warmups).await;
    assert_eq!(warmups[0].report().looked_up.rounds, 1);
    assert_eq!(warmups[0].traffic().rounds, 2);
    assert!(opened.rounds >= 1);
    let found = warmer
        .search_without_warming(&splits, &max("repo.stars"))
        .await;
    assert_eq!(found.unwrap().report.late_reads, 0);
}

#[tokio::test]
async fn a_report_counts_the_bytes_of_each_field_in_each_component() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let warmer = warmer(store.clone(), settings());
    let layout = warmer.layout(&splits[0]).await.unwrap();
    let all = select(&[Terms, Postings, Positions, Columns, Norms, Store], &[]);
    let warmups = warmer.warm_components(&splits, &all).await.unwrap();
    let report = warmups[0].report();
    let of = |field: &str, component| report.fields[field][&component].bytes;
    for (field, component) in [
        ("body", Terms),
        ("body", Postings),
        ("body", Positions),
        ("body", Norms),
        ("code", Terms),
        ("price", Columns),
    ] {
        let expected = layout.fields[field][&component];
        assert_eq!(of(field, component), expected, "{field} {component:?}");
    }
    // All columns of a JSON field.
    let columns = layout
        .fields
        .iter()
        .filter(|(name, _)| name.starts_with("repo."));
    let columns: u64 = columns.filter_map(|(_, it)| it.get(&Columns)).sum();
    assert_eq!(of("repo", Columns), columns);
    // The dictionary of a few tags is hot.
    assert_eq!(of("tag", Terms), 0);
    let fields = report.fields.values();
    let postings: u64 = fields
        .filter_map(|it| it.get(&Postings))
        .map(|it| it.bytes)
        .sum();
    assert_eq!(report.components[&Postings].bytes, postings);
    assert!(!report.fields.contains_key("note"));
    let written = serde_json::to_value(report).unwrap();
    assert_eq!(
        written["fields"]["price"]["columns"]["bytes"],
        of("price", Columns)
    );
}

#[tokio::test]
async fn of_a_request_all_components_are_what_explain_tells() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let all = select(&[Terms, Postings, Positions, Columns, Norms], &[]);
    for (request, _) in cases() {
        let text = request.to_value().unwrap();
        let explained = warmer(store.clone(), settings())
            .explain(&splits[0], &request)
            .await;
        let explained = explained.unwrap();
        let warmer = warmer(store.clone(), strict());
        let warmups = warmer
            .warm_components_for(&splits, &request, &all)
            .await
            .unwrap();
        all_warm(&warmups).await;
        let report = warmups[0].report();
        let told: Vec<_> = explained
            .components
            .iter()
            .map(|(at, it)| (*at, it.bytes))
            .collect();
        let brought: Vec<_> = report
            .components
            .iter()
            .map(|(at, it)| (*at, it.bytes))
            .collect();
        assert_eq!(brought, told, "{text}");
        let traffic = warmups[0].traffic();
        assert_eq!(traffic.rounds, explained.total.rounds, "{text}");
        assert_eq!(
            (traffic.gets, traffic.bytes),
            (explained.total.gets, explained.total.bytes),
            "{text}"
        );
        let warmup = warmer.warm(&splits[0], &request);
        assert!(warmup.join(LONG).await.is_warm());
        assert_eq!(warmup.traffic().gets, 0, "{text}");
    }
}

#[tokio::test]
async fn of_a_request_only_what_is_selected_is_warmed() {
    let store = TestStore::in_memory();
    let splits = [put(store.as_ref(), "a.split", &SHOP).await];
    let request = body(json!({
        "query": { "bool": {
            "must": [{ "match": { "body": "common w3" } }],
            "filter": [{ "term": { "code": key(3_000) } }],
        } },
        "aggs": { "stars": { "max": { "field": "repo.stars" } } },
        "sort": ["_score", { "price": "asc" }],
        "_source": false,
    }));
    for (selection, expected) in [
        (
            select(&[Columns], &[]),
            json!({ "price": ["columns"], "repo.stars": ["columns"] }),
        ),
        (
            select(&[Columns], &["repo"]),
            json!({ "repo.stars": ["columns"] }),
        ),
        (
            select(&[], &["repo.stars"]),
            json!({ "repo.stars": ["columns"] }),
        ),
        (select(&[Columns], &["repo.owner"]), json!({})),
        (
            select(&[Postings, Norms], &["body"]),
            json!({ "body": ["norms", "postings"] }),
        ),
        (
            select(&[], &["code"]),
            json!({ "code": ["postings", "terms"] }),
        ),
        (
            select(&[Postings], &[]),
            json!({ "body": ["postings"], "code": ["postings"] }),
        ),
        (select(&[Positions], &[]), json!({})),
    ] {
        let warmer = warmer(store.clone(), settings());
        let warmups = warmer
            .warm_components_for(&splits, &request, &selection)
            .await
            .unwrap();
        all_warm(&warmups).await;
        let report = warmups[0].report();
        let fields: serde_json::Map<_, _> = report
            .fields
            .iter()
            .map(|(field, components)| {
                let names: Vec<_> = components.keys().map(|it| it.name()).collect();
                (field.clone(), json!(names))
            })
            .collect();
        assert_eq!(Value::Object(fields), expected, "{selection}");
        // No more than that was fetched beside opening, dictionaries, and gaps between.
        let brought: u64 = report
            .components
            .values()
            .map(|it| it.bytes - it.cached_bytes)
            .sum();
        let opened = warmer.open(&splits[0]).await.unwrap().traffic();
        let fetched = warmups[0].traffic().bytes - opened.bytes - report.looked_up.bytes;
        assert!(
            fetched <= brought + brought / 8 + 1024 * warmups[0].traffic().gets,
            "{selection}"
        );
    }
}
