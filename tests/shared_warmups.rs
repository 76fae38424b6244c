//! Requests that read the same share a warmup, and still get their own answers.

use std::sync::Arc;

use forewarm::{
    Clause, Filter, OnMiss, PackSettings, SearchRequest, SplitAddress, StoreSettings, Warmer,
    WarmerSettings, pack,
};
use object_store::memory::InMemory;
use tantivy::collector::Count;
use tantivy::directory::RamDirectory;
use tantivy::query::{Query, TermQuery};
use tantivy::schema::{IndexRecordOption, Schema, TEXT};
use tantivy::{Index, Term, doc};

async fn warmer() -> (Warmer, Vec<SplitAddress>, Schema) {
    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT);
    let schema = schema.build();
    let directory = RamDirectory::create();
    let mut writer = Index::builder()
        .schema(schema.clone())
        .single_segment_index_writer(directory.clone(), 15_000_000)
        .unwrap();
    writer
        .add_document(doc!(body => "the sea at night"))
        .unwrap();
    writer.add_document(doc!(body => "a night")).unwrap();
    writer.finalize().unwrap();
    let store = Arc::new(InMemory::new());
    let path = "a.split".into();
    pack(&directory, &PackSettings::default())
        .unwrap()
        .upload(store.as_ref(), &path)
        .await
        .unwrap();
    let warmer = Warmer::builder(store)
        .settings(
            WarmerSettings::default()
                .with_on_miss(OnMiss::Fail)
                .with_store(StoreSettings::default().with_whole_split_bytes(0)),
        )
        .build()
        .unwrap();
    (warmer, vec![SplitAddress::new(path)], schema)
}

#[tokio::test]
async fn a_boost_counts_though_another_request_warmed() {
    let (warmer, splits, _) = warmer().await;
    let plain = SearchRequest::new(Clause::term("body", "sea"));
    let boosted = SearchRequest::new(Clause::term("body", "sea").boost(3.0));
    assert_eq!(plain.fingerprint(), boosted.fingerprint());
    let plain = warmer.search(&splits, &plain).await.unwrap();
    let boosted = warmer.search(&splits, &boosted).await.unwrap();
    assert_eq!(boosted.report.gets, 0);
    let (plain, boosted) = (plain.hits.max_score, boosted.hits.max_score);
    assert_eq!(boosted, plain.map(|score| 3.0 * score));
}

#[tokio::test]
async fn a_key_given_twice_warms_too_little_but_answers_right() {
    let (warmer, splits, schema) = warmer().await;
    let body = schema.get_field("body").unwrap();
    let of = |word: &str| {
        let term = Term::from_field_text(body, word);
        let query: Box<dyn Query> = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
        SearchRequest::new(Filter::query_with_key(query, "the same")).size(0)
    };
    let options = forewarm::SearchOptions::default().with_on_miss(OnMiss::Fetch);
    for (word, expected) in [("sea", 1), ("night", 2), ("sea", 1)] {
        let answer = warmer
            .search_with_options(&splits, &of(word), &options)
            .await
            .unwrap();
        assert_eq!(answer.hits.total.unwrap().value, expected, "{word}");
    }
    let count = warmer
        .search_with(&splits, Clause::term("body", "night"), Count, &options)
        .await
        .unwrap();
    assert_eq!(count.0, 2);
}
