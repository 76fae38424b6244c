use std::cmp::Ordering;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::Weight;
use tantivy::schema::Schema;
use tantivy::{DocAddress, DocId, Score, SegmentReader};

/// The best documents of a segment, or of all.
type Best<K> = Vec<(K, DocAddress)>;

/// A collector of the best documents, merged so that of equal ones the first are kept.
///
/// tantivy's merge takes documents to come in their order, and passes over what is no better than
/// the worst it holds; but a segment gives its best in no order, so that among equal ones a later
/// document could win.
pub(super) struct InOrder<C, F> {
    collector: Arc<C>,
    limit: usize,
    /// Puts the better key first.
    compare: F,
}

impl<C, F> InOrder<C, F> {
    /// `collector` brings the `limit` best documents of a segment.
    pub(super) fn new(collector: C, limit: usize, compare: F) -> Self {
        Self {
            collector: Arc::new(collector),
            limit,
            compare,
        }
    }
}

impl<C, K, F> Collector for InOrder<C, F>
where
    C: Collector<Fruit = Best<K>> + 'static,
    K: Send + Sync + 'static,
    F: Fn(&K, &K) -> Ordering + Send + Sync,
{
    type Fruit = Best<K>;
    type Child = InOrderSegment<C>;

    fn check_schema(&self, schema: &Schema) -> tantivy::Result<()> {
        self.collector.check_schema(schema)
    }

    fn for_segment(
        &self,
        segment: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<InOrderSegment<C>> {
        Ok(InOrderSegment {
            child: self.collector.for_segment(segment, reader)?,
            collector: Arc::clone(&self.collector),
        })
    }

    fn requires_scoring(&self) -> bool {
        self.collector.requires_scoring()
    }

    fn merge_fruits(&self, fruits: Vec<tantivy::Result<Best<K>>>) -> tantivy::Result<Best<K>> {
        let mut all = Vec::new();
        for fruit in fruits {
            all.extend(fruit?);
        }
        all.sort_unstable_by(|(left, at), (right, other)| {
            (self.compare)(left, right).then_with(|| at.cmp(other))
        });
        all.truncate(self.limit);
        Ok(all)
    }

    fn collect_segment(
        &self,
        weight: &dyn Weight,
        segment: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<tantivy::Result<Best<K>>> {
        // The collector's own way of going through a segment, which passes over what cannot win.
        let fruit = self.collector.collect_segment(weight, segment, reader)?;
        Ok(self.collector.merge_fruits(vec![fruit]))
    }
}

/// The part of [`InOrder`] for one segment.
pub(super) struct InOrderSegment<C: Collector> {
    collector: Arc<C>,
    child: C::Child,
}

impl<C: Collector + 'static> SegmentCollector for InOrderSegment<C> {
    type Fruit = tantivy::Result<C::Fruit>;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.child.collect(doc, score);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        self.child.collect_block(docs);
    }

    fn harvest(self) -> Self::Fruit {
        self.collector.merge_fruits(vec![self.child.harvest()])
    }
}
