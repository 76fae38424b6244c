//! Collectors and queries of the caller that open things only while they run.

use std::sync::Arc;

use forewarm::{
    Clause, Filter, OnMiss, SearchOptions, SearchRequest, StoreSettings, Warmer, WarmerSettings,
};
use tantivy::collector::{Collector, Count, MultiCollector, SegmentCollector, TopDocs};
use tantivy::columnar::Column;
use tantivy::query::{EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{DocId, DocSet, Order, Score, SegmentReader, TERMINATED};

use crate::collectors::CORPUS;
use crate::random::{RUNTIME, strict};

/// Sums a column that it opens with the first document.
struct LazySum;

struct SegmentLazySum {
    reader: SegmentReader,
    column: Option<Column<u64>>,
    sum: u64,
    failed: bool,
}

impl Collector for LazySum {
    type Fruit = u64;
    type Child = SegmentLazySum;

    fn for_segment(&self, _: u32, reader: &SegmentReader) -> tantivy::Result<SegmentLazySum> {
        Ok(SegmentLazySum {
            reader: reader.clone(),
            column: None,
            sum: 0,
            failed: false,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, sums: Vec<u64>) -> tantivy::Result<u64> {
        Ok(sums.into_iter().fold(0, u64::wrapping_add))
    }
}

impl SegmentCollector for SegmentLazySum {
    type Fruit = u64;

    fn collect(&mut self, doc: DocId, _: Score) {
        if self.column.is_none() && !self.failed {
            match self.reader.fast_fields().column_opt("count") {
                Ok(column) => self.column = column,
                Err(_) => self.failed = true,
            }
        }
        if let Some(column) = &self.column {
            let values = column.values_for_doc(doc);
            self.sum = values.fold(self.sum, u64::wrapping_add);
        }
    }

    fn harvest(self) -> u64 {
        self.sum
    }
}

/// Documents whose `count` holds an even number; its column is opened when the scorer advances.
#[derive(Clone, Debug)]
struct LazyEven;

struct LazyEvenScorer {
    reader: SegmentReader,
    column: Option<Column<u64>>,
    doc: DocId,
}

impl Query for LazyEven {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(Self))
    }
}

impl Weight for LazyEven {
    fn scorer(&self, reader: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        // Stands on no document until it is advanced, as `AllQuery` stands on the first.
        Ok(Box::new(LazyEvenScorer {
            reader: reader.clone(),
            column: None,
            doc: if reader.max_doc() == 0 { TERMINATED } else { 0 },
        }))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("even", 1.0))
    }
}

impl LazyEvenScorer {
    fn is_even(&mut self, doc: DocId) -> bool {
        if self.column.is_none() {
            self.column = self.reader.fast_fields().column_opt("count").ok().flatten();
        }
        let column = self.column.as_ref();
        column.is_some_and(|column| column.values_for_doc(doc).any(|value| value % 2 == 0))
    }
}

impl DocSet for LazyEvenScorer {
    fn advance(&mut self) -> DocId {
        while self.doc + 1 < self.reader.max_doc() {
            self.doc += 1;
            if self.is_even(self.doc) {
                return self.doc;
            }
        }
        self.doc = TERMINATED;
        TERMINATED
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.reader.max_doc()
    }
}

impl Scorer for LazyEvenScorer {
    fn score(&mut self) -> Score {
        1.0
    }
}

/// A warmer that fetches only what it is asked for, on demand too.
fn lenient() -> Warmer {
    let settings = WarmerSettings::default().with_store(
        StoreSettings::default()
            .with_merge_gap_bytes(0)
            .with_whole_split_bytes(0),
    );
    Warmer::builder(Arc::clone(&CORPUS.corpus.store))
        .settings(settings)
        .runtime(RUNTIME.handle().clone())
        .build()
        .unwrap()
}

#[test]
fn what_a_collector_reads_while_it_collects_is_warm_the_second_time() {
    let corpus = &CORPUS.corpus;
    let filter = Filter::from(Clause::exists("nf"));
    let query = filter.to_query(corpus.ram.index()).unwrap();
    let expected = corpus.ram.search(&query, &LazySum).unwrap();
    let options = SearchOptions::default();
    RUNTIME.block_on(async {
        let warmer = lenient();
        let search = |options: SearchOptions| {
            let (warmer, filter) = (warmer.clone(), filter.clone());
            async move {
                warmer
                    .search_with(&corpus.addresses, filter, LazySum, &options)
                    .await
                    .unwrap()
            }
        };
        let (sum, report) = search(options.clone()).await;
        assert_eq!(sum, expected);
        assert!(report.late_reads > 0);
        // Nothing is in memory now but what was learnt.
        warmer.clear().await;
        let strictly = options.with_on_miss(OnMiss::Fail);
        let (sum, report) = search(strictly).await;
        assert_eq!((sum, report.late_reads), (expected, 0));
        // One that is told apart by its columns has learnt nothing.
        warmer.clear().await;
        let other = SearchOptions::default().with_columns(["nf"]);
        assert!(search(other).await.1.late_reads > 0);
        // And columns that are declared need not be learnt.
        warmer.clear().await;
        let declared = SearchOptions::default()
            .with_columns(["count"])
            .with_on_miss(OnMiss::Fail);
        let (sum, report) = search(declared).await;
        assert_eq!((sum, report.late_reads), (expected, 0));
    });
}

#[test]
fn what_a_query_reads_while_it_advances_is_warm_the_second_time() {
    let corpus = &CORPUS.corpus;
    let expected = corpus.ram.search(&LazyEven, &Count).unwrap() as u64;
    let filter = Filter::query_with_key(Box::new(LazyEven), "even");
    RUNTIME.block_on(async {
        let warmer = lenient();
        let request = SearchRequest::new(filter.clone()).size(3);
        let response = warmer.search(&corpus.addresses, &request).await.unwrap();
        assert_eq!(response.hits.total.unwrap().value, expected);
        assert!(response.report.late_reads > 0);
        for _ in 0..2 {
            warmer.clear().await;
            let strictly = SearchOptions::default().with_on_miss(OnMiss::Fail);
            let searched = warmer.search_with_options(&corpus.addresses, &request, &strictly);
            let response = searched.await.unwrap();
            assert_eq!(response.hits.total.unwrap().value, expected);
            assert_eq!(response.report.late_reads, 0);
        }
        // Through `search_with` too: that it is the same query is in the key.
        warmer.clear().await;
        let options = SearchOptions::default();
        let search = || warmer.search_with(&corpus.addresses, filter.clone(), Count, &options);
        assert!(search().await.unwrap().1.late_reads > 0);
        warmer.clear().await;
        let (count, report) = search().await.unwrap();
        assert_eq!((count as u64, report.late_reads), (expected, 0));
    });
}

/// In strict mode a search that meets one fails, and has learnt of it all the same.
#[test]
fn a_strict_search_learns_from_its_failure() {
    let corpus = &CORPUS.corpus;
    let filter = Filter::from(Clause::exists("nf"));
    let query = filter.to_query(corpus.ram.index()).unwrap();
    let expected = corpus.ram.search(&query, &LazySum).unwrap();
    let warmer = strict(&corpus.store);
    let options = SearchOptions::default();
    RUNTIME.block_on(async {
        for attempt in 0..6 {
            let search = warmer.search_with(&corpus.addresses, filter.clone(), LazySum, &options);
            match search.await {
                Ok((sum, report)) => {
                    assert!(attempt > 0);
                    assert_eq!((sum, report.late_reads), (expected, 0));
                    return;
                }
                Err(error) => assert_eq!(error.kind(), forewarm::ErrorKind::LateRead),
            }
        }
        panic!("it never learnt");
    });
}

/// Declared columns arrive in the first round; what is not declared takes a round more.
#[test]
fn declared_columns_save_a_round() {
    let corpus = &CORPUS.corpus;
    let many = || {
        let mut many = MultiCollector::new();
        let _ =
            many.add_collector(TopDocs::with_limit(3).order_by_fast_field::<u64>("nu", Order::Asc));
        let _ = many
            .add_collector(TopDocs::with_limit(3).order_by_fast_field::<u64>("count", Order::Desc));
        let _ = many
            .add_collector(TopDocs::with_limit(3).order_by_string_fast_field("rare", Order::Desc));
        many
    };
    let rounds = |columns: &[&str]| {
        let options = SearchOptions::default().with_columns(columns.iter().copied());
        let filter = Clause::match_all();
        let warmer = strict(&corpus.store);
        let search = warmer.search_with(&corpus.addresses, filter, many(), &options);
        let (_, report) = RUNTIME.block_on(search).unwrap();
        assert_eq!(report.late_reads, 0);
        report.rounds
    };
    let undeclared = rounds(&[]);
    let declared = rounds(&["nu", "count", "rare"]);
    assert!(declared + 1 < undeclared, "{declared} {undeclared}");
}
