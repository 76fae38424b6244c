//! Segments of all splits are merged in their order, in whichever order they were searched.

use forewarm::SearchOptions;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::{DocId, Score, SegmentReader};

use crate::fixture::{request, strict, warmer};
use crate::kept_terms;
use crate::test_store::TestStore;

/// The numbers of the segments, in the order in which they are merged.
struct Numbers;

struct Number(u32);

impl Collector for Numbers {
    type Fruit = Vec<u32>;
    type Child = Number;

    fn for_segment(&self, segment: u32, _: &SegmentReader) -> tantivy::Result<Number> {
        Ok(Number(segment))
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, numbers: Vec<u32>) -> tantivy::Result<Vec<u32>> {
        Ok(numbers)
    }
}

impl SegmentCollector for Number {
    type Fruit = u32;

    fn collect(&mut self, _: DocId, _: Score) {}

    fn harvest(self) -> u32 {
        self.0
    }
}

#[tokio::test]
async fn segments_are_merged_in_order_whichever_is_searched_first() {
    let store = TestStore::in_memory();
    let splits = kept_terms::splits(&store).await;
    let warmer = warmer(store.clone(), strict());
    for query in kept_terms::expanding() {
        let filter = request(query).filter().clone();
        let options = SearchOptions::default();
        for _ in 0..3 {
            let searched = warmer.search_with(&splits, filter.clone(), Numbers, &options);
            assert_eq!(searched.await.unwrap().0, [0, 1, 2]);
        }
    }
}
