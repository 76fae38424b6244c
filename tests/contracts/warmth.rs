//! C1 where it is easily missed: queries of the caller's that read more than they tell, and splits
//! that index the same field in different ways.

use std::sync::Arc;

use forewarm::{Filter, PackSettings, SearchRequest, SplitAddress, pack};
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::json;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, Occur, Query, TermQuery};
use tantivy::schema::{IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, IndexSettings, Term};

use crate::fixture::{request, strict, warmer};

/// A split of many words, none of them hot, with the text indexed by `tokenizer`.
async fn split(store: &InMemory, name: &str, tokenizer: &str) -> SplitAddress {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(tokenizer)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let mut schema = Schema::builder();
    let options = TextOptions::default().set_indexing_options(indexing);
    let body = schema.add_text_field("body", options);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), schema.build(), IndexSettings::default())
        .expect("an empty directory");
    let mut writer = index
        .writer_with_num_threads(1, 30_000_000)
        .expect("a writer");
    for number in 0..3_000 {
        let text = format!(
            "running walks{number} {} sleeps{} runb{number}",
            number % 97,
            number * 7
        );
        writer
            .add_document(tantivy::doc!(body => text))
            .expect("room");
    }
    writer.commit().expect("a commit");
    writer.wait_merging_threads().expect("no merges");
    let mut settings = PackSettings::default();
    settings.term_dictionary_budget = 0;
    let path = Path::from(name);
    let packed = pack(&directory, &settings).expect("an index");
    packed
        .upload(store, &path)
        .await
        .expect("a store that takes objects");
    // Opened by its footer alone, so that no dictionary comes along by accident.
    SplitAddress::new(path).with_footer(packed.footer_range())
}

async fn strict_hits(query: Box<dyn Query>) -> u64 {
    let store = Arc::new(InMemory::new());
    let split = split(&store, "a.split", "default").await;
    let request = SearchRequest::new(Filter::query(query));
    let response = warmer(store, strict()).search(&[split], &request).await;
    let response = response.expect("a warm search");
    assert_eq!(response.report.outcome, "waited");
    assert_eq!(response.report.late_reads, 0);
    response.hits.total.expect("a total").value
}

fn term(text: &str, record: IndexRecordOption) -> TermQuery {
    let field = tantivy::schema::Field::from_field_id(0);
    TermQuery::new(Term::from_field_text(field, text), record)
}

#[tokio::test]
async fn a_term_query_that_reads_positions_is_warm() {
    let query = term("running", IndexRecordOption::WithFreqsAndPositions);
    assert_eq!(strict_hits(Box::new(query)).await, 3_000);
}

#[tokio::test]
async fn a_combination_that_cannot_match_is_warm() {
    let part = |text| {
        let query = term(text, IndexRecordOption::WithFreqs);
        (Occur::Should, Box::new(query) as Box<dyn Query>)
    };
    let parts = vec![part("running"), part("walks17")];
    let query = BooleanQuery::with_minimum_required_clauses(parts, 3);
    assert_eq!(strict_hits(Box::new(query)).await, 0);
}

#[tokio::test]
async fn splits_that_make_different_terms_of_a_text_are_warm_together() {
    let store = Arc::new(InMemory::new());
    let splits = [
        split(&store, "plain.split", "default").await,
        split(&store, "stemmed.split", "en_stem").await,
    ];
    let request = request(json!({ "match": { "body": "running" } }));
    let response = warmer(store, strict()).search(&splits, &request).await;
    let response = response.expect("a warm search");
    assert_eq!(response.report.late_reads, 0);
    assert_eq!(response.hits.total.expect("a total").value, 6_000);
}
