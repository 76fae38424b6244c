//! What requires something that is not there: it costs one look, once.

use std::sync::Arc;

use forewarm::{
    CacheSettings, Component, OnMiss, PackSettings, SearchRequest, StoreSettings, Warmer,
    WarmerSettings,
};
use serde_json::{Value, json};

use crate::bodies::WIKI;
use crate::corpus::{Corpus, index_of};
use crate::random::{POOL, RUNTIME};

/// What cannot match, as a filter, whatever else is asked.
fn absences() -> Vec<Value> {
    vec![
        json!({"term": {"body": "nosuchword"}}),
        json!({"bool": {"must": [{"term": {"body": "sea"}}, {"term": {"body": "nosuchword"}}]}}),
        json!({"bool": {"filter": [
            {"match": {"body": "the sea"}},
            {"match_phrase": {"body": "of the"}},
            {"term": {"title": "nosuchword"}},
            {"range": {"url": {"gte": "https"}}},
            {"prefix": {"title": "s"}},
        ], "must_not": [{"term": {"body": "war"}}]}}),
        json!({"bool": {"should": [
            {"term": {"body": "nosuchone"}},
            {"term": {"title": "nosuchtwo"}},
            {"bool": {"must": [{"term": {"body": "sea"}}, {"term": {"body": "nosuchthree"}}]}},
        ]}}),
        json!({"bool": {"should": [
            {"term": {"body": "sea"}}, {"term": {"body": "nosuchone"}}, {"term": {"body": "nosuchtwo"}},
        ], "minimum_should_match": 2}}),
        json!({"terms": {"body": ["nosuchone", "nosuchtwo", "nosuchthree"]}}),
        json!({"match": {"body": {"query": "sea nosuchword", "operator": "and"}}}),
        json!({"match_phrase": {"body": "of the nosuchword"}}),
        json!({"match_phrase_prefix": {"body": "of nosuchword"}}),
        json!({"prefix": {"body": "zzzzqqq"}}),
        json!({"wildcard": {"body": "zzzzqqq*z"}}),
        json!({"regexp": {"body": "zzzzqqq[0-9]+"}}),
        json!({"constant_score": {"filter": {"term": {"url": "nosuchpage"}}}}),
        json!({"dis_max": {"queries": [{"term": {"body": "nosuchone"}}, {"term": {"title": "nosuchtwo"}}]}}),
        json!({"simple_query_string": {"query": "sea + nosuchword", "fields": ["body"]}}),
    ]
}

/// What is asked of the matches.
fn collected() -> Vec<Value> {
    vec![
        json!({}),
        json!({"size": 0}),
        json!({"sort": [{"url": "asc"}]}),
        // The order of equal buckets depends on every segment, so `terms` would open all columns.
        json!({"size": 0, "aggs": {"pages": {"cardinality": {"field": "url"}}}}),
    ]
}

/// Two segments whose dictionaries are not hot.
fn corpus() -> Option<Corpus> {
    let documents = WIKI.as_ref()?;
    let segments: Vec<Vec<_>> = documents
        .documents()
        .chunks(500)
        .map(<[_]>::to_vec)
        .collect();
    let source = index_of(&documents.schema, &segments);
    let mut settings = PackSettings::default();
    settings.term_dictionary_budget = 0;
    Some(RUNTIME.block_on(Corpus::of(&[source], &settings)))
}

/// A strict warmer whose cache holds no extent for long.
fn forgetful(corpus: &Corpus) -> Warmer {
    let settings = WarmerSettings::default()
        .with_on_miss(OnMiss::Fail)
        .with_cache(CacheSettings::default().with_capacity_bytes(1))
        .with_store(
            StoreSettings::default()
                .with_merge_gap_bytes(0)
                .with_whole_split_bytes(0),
        );
    Warmer::builder(Arc::clone(&corpus.store))
        .settings(settings)
        .runtime(RUNTIME.handle().clone())
        .pool(Arc::clone(&POOL))
        .build()
        .unwrap()
}

#[test]
fn what_cannot_match_costs_two_rounds_and_the_second_time_nothing() {
    let Some(corpus) = corpus() else { return };
    for clause in absences() {
        for mut body in collected() {
            body["query"] = clause.clone();
            let request = SearchRequest::from_value(&body).unwrap();
            let warmer = forgetful(&corpus);
            let search = || {
                RUNTIME
                    .block_on(warmer.search(&corpus.addresses, &request))
                    .unwrap()
            };
            let first = search();
            assert_eq!(first.hits.total.unwrap().value, 0, "{body}");
            assert!(first.report.rounds <= 2, "{body}: {:?}", first.report);
            assert_eq!(first.report.late_reads, 0, "{body}");

            let explained =
                RUNTIME.block_on(forgetful(&corpus).explain(&corpus.addresses[0], &request));
            let explained = explained.unwrap();
            let data = explained
                .components
                .keys()
                .filter(|name| **name != Component::Terms);
            assert_eq!(data.collect::<Vec<_>>(), [] as [&Component; 0], "{body}");
            let looked_up = explained.components[&Component::Terms].bytes;
            assert_eq!(
                first.report.bytes,
                explained.open.bytes + looked_up,
                "{body}"
            );

            warmer.forget_warmups();
            assert_eq!(warmer.statistics().cached_extents, 0, "{body}");
            let second = search();
            assert_eq!(second.report.late_reads, 0, "{body}");
            if request.is_scored() {
                // How often the words that are there occur counts in the scores of other splits.
                assert!(second.report.rounds <= 1, "{body}: {:?}", second.report);
                assert!(
                    second.report.bytes <= looked_up,
                    "{body}: {:?}",
                    second.report
                );
            } else {
                assert_eq!(second.report.gets, 0, "{body}: {:?}", second.report);
            }
        }
    }
}
