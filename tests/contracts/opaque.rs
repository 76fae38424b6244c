//! An opaque query is asked so many times and no more, and how many is reported.
//!
//! A dictionary that is no SSTable is read whole, so there it never takes several rounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forewarm::{ErrorKind, Filter, Outcome, SearchRequest};
use tantivy::query::{AllQuery, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{DocId, Score, SegmentReader, Term};

use crate::fixture::{key, strict, warmer};
use crate::limits::split;
use crate::test_store::TestStore;

/// Looks up one key after the other, each only when the one before was there.
#[derive(Clone, Debug)]
struct OneByOne {
    keys: u64,
    asked: Arc<AtomicU64>,
}

impl Query for OneByOne {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for OneByOne {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let field = reader.schema().get_field("key")?;
        let index = reader.inverted_index(field)?;
        // Keys are in no order, so most lie in blocks of their own.
        for n in 0..self.keys {
            index.get_term_info(&Term::from_field_text(field, &key(n)))?;
        }
        AllQuery
            .weight(EnableScoring::disabled_from_schema(reader.schema()))?
            .scorer(reader, boost)
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("every document", 1.0))
    }
}

fn opaque(keys: u64) -> (SearchRequest, Arc<AtomicU64>) {
    let asked = Arc::new(AtomicU64::new(0));
    let query = OneByOne {
        keys,
        asked: Arc::clone(&asked),
    };
    (
        SearchRequest::new(Filter::query(Box::new(query))).size(0),
        asked,
    )
}

#[tokio::test]
async fn rounds_of_an_opaque_query_are_reported() {
    let store = TestStore::in_memory();
    let splits = [split(&store, "a.split", 20_000, 0).await];
    let (request, _) = opaque(5);
    let response = warmer(store.clone(), strict())
        .search(&splits, &request)
        .await
        .unwrap();
    let rounds = response.report.probe_rounds;
    assert!((2..=6).contains(&rounds), "{rounds} rounds");
    assert_eq!(response.report.late_reads, 0);
    assert_eq!(response.hits.total.unwrap().value, 20_000);
}

#[tokio::test]
async fn an_opaque_query_that_always_misses_more_ends() {
    let store = TestStore::in_memory();
    let splits = [split(&store, "a.split", 20_000, 0).await];
    let (request, asked) = opaque(2_000);
    let warmer = warmer(store.clone(), strict());
    let outcome = warmer
        .warm(&splits[0], &request)
        .join(Duration::from_secs(60))
        .await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome}");
    };
    assert!(
        error
            .to_string()
            .contains("still misses bytes after 64 rounds"),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 64);
    // Strict, the search fails at its first late read; else it would go on by itself.
    let error = warmer.search(&splits, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LateRead, "{}", error.chain());
}
