//! Counting matches as far as it was asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::Weight;
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED};

/// A collector of hits that may skip what cannot be among the best, and beside it a count that
/// stops past a limit.
///
/// The two go through the matches one after the other: one that skips cannot count, and one that
/// counts must not skip. So the hits are the same whatever the limit.
pub(super) struct UpTo<C> {
    collector: C,
    limit: u64,
    /// Counted in all segments so far.
    counted: AtomicU64,
}

impl<C> UpTo<C> {
    pub(super) fn new(collector: C, limit: u64) -> Self {
        Self {
            collector,
            limit,
            counted: AtomicU64::new(0),
        }
    }

    /// Counts the matches of a segment until there are more than the limit in all.
    fn count(&self, weight: &dyn Weight, reader: &SegmentReader) -> tantivy::Result<u64> {
        let enough = self.limit.saturating_add(1);
        let left = enough.saturating_sub(self.counted.load(Ordering::Relaxed));
        if left == 0 {
            return Ok(0);
        }
        let mut scorer = weight.scorer(reader, 1.0)?;
        let alive = reader.alive_bitset();
        let (mut doc, mut count) = (scorer.doc(), 0);
        while doc != TERMINATED && count < left {
            count += u64::from(alive.is_none_or(|alive| alive.is_alive(doc)));
            doc = scorer.advance();
        }
        self.counted.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }
}

/// Counts beside another collector, all that it is given.
pub(super) struct SegmentUpTo<C> {
    collector: C,
    count: u64,
}

impl<C: Collector> Collector for UpTo<C> {
    /// What was collected, and how many matches there are, or a number above the limit.
    type Fruit = (C::Fruit, u64);
    type Child = SegmentUpTo<C::Child>;

    fn for_segment(&self, segment: u32, reader: &SegmentReader) -> tantivy::Result<Self::Child> {
        Ok(SegmentUpTo {
            collector: self.collector.for_segment(segment, reader)?,
            count: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.collector.requires_scoring()
    }

    fn merge_fruits(
        &self,
        fruits: Vec<(<C::Child as SegmentCollector>::Fruit, u64)>,
    ) -> tantivy::Result<Self::Fruit> {
        let (fruits, counts): (Vec<_>, Vec<u64>) = fruits.into_iter().unzip();
        let count = counts.into_iter().fold(0, u64::saturating_add);
        Ok((self.collector.merge_fruits(fruits)?, count))
    }

    fn collect_segment(
        &self,
        weight: &dyn Weight,
        segment: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<<Self::Child as SegmentCollector>::Fruit> {
        let fruit = self.collector.collect_segment(weight, segment, reader)?;
        Ok((fruit, self.count(weight, reader)?))
    }
}

impl<C: SegmentCollector> SegmentCollector for SegmentUpTo<C> {
    type Fruit = (C::Fruit, u64);

    fn collect(&mut self, doc: DocId, score: Score) {
        self.count += 1;
        self.collector.collect(doc, score);
    }

    fn harvest(self) -> Self::Fruit {
        (self.collector.harvest(), self.count)
    }
}

/// Counts matches as cheaply as the query can; past a limit, segments are passed over.
pub(super) struct CountOnly {
    limit: u64,
    counted: AtomicU64,
}

impl CountOnly {
    pub(super) fn up_to(limit: u64) -> Self {
        Self {
            limit,
            counted: AtomicU64::new(0),
        }
    }
}

impl Collector for CountOnly {
    type Fruit = u64;
    type Child = SegmentUpTo<Nothing>;

    fn for_segment(&self, _: u32, _: &SegmentReader) -> tantivy::Result<Self::Child> {
        Ok(SegmentUpTo {
            collector: Nothing,
            count: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, counts: Vec<((), u64)>) -> tantivy::Result<u64> {
        let counts = counts.into_iter().map(|((), count)| count);
        Ok(counts.fold(0, u64::saturating_add))
    }

    fn collect_segment(
        &self,
        weight: &dyn Weight,
        _: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<((), u64)> {
        if self.counted.load(Ordering::Relaxed) > self.limit {
            return Ok(((), 0));
        }
        let count = u64::from(weight.count(reader)?);
        self.counted.fetch_add(count, Ordering::Relaxed);
        Ok(((), count))
    }
}

/// Counts the matches of each segment, as cheaply as the query can; past a limit, segments are
/// passed over. Beside other collectors it counts all that it is given.
pub(super) struct BySegment {
    limit: u64,
    counted: AtomicU64,
}

impl BySegment {
    pub(super) fn up_to(limit: u64) -> Self {
        Self {
            limit,
            counted: AtomicU64::new(0),
        }
    }
}

/// The matches of one segment.
pub(super) struct SegmentCount {
    segment: u32,
    count: u64,
}

impl Collector for BySegment {
    /// By segment, in their order; those that were passed over are left out.
    type Fruit = Vec<(u32, u64)>;
    type Child = SegmentCount;

    fn for_segment(&self, segment: u32, _: &SegmentReader) -> tantivy::Result<SegmentCount> {
        Ok(SegmentCount { segment, count: 0 })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, counts: Vec<Option<(u32, u64)>>) -> tantivy::Result<Vec<(u32, u64)>> {
        Ok(counts.into_iter().flatten().collect())
    }

    fn collect_segment(
        &self,
        weight: &dyn Weight,
        segment: u32,
        reader: &SegmentReader,
    ) -> tantivy::Result<Option<(u32, u64)>> {
        if self.counted.load(Ordering::Relaxed) > self.limit {
            return Ok(None);
        }
        let count = u64::from(weight.count(reader)?);
        self.counted.fetch_add(count, Ordering::Relaxed);
        Ok(Some((segment, count)))
    }
}

impl SegmentCollector for SegmentCount {
    type Fruit = Option<(u32, u64)>;

    fn collect(&mut self, _: DocId, _: Score) {
        self.count += 1;
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        self.count += docs.len() as u64;
    }

    fn harvest(self) -> Self::Fruit {
        Some((self.segment, self.count))
    }
}

/// Collects nothing, and looks at no match when it is alone.
pub(super) struct Nothing;

impl Collector for Nothing {
    type Fruit = ();
    type Child = Self;

    fn for_segment(&self, _: u32, _: &SegmentReader) -> tantivy::Result<Self> {
        Ok(Self)
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, _: Vec<()>) -> tantivy::Result<()> {
        Ok(())
    }

    fn collect_segment(&self, _: &dyn Weight, _: u32, _: &SegmentReader) -> tantivy::Result<()> {
        Ok(())
    }
}

impl SegmentCollector for Nothing {
    type Fruit = ();

    fn collect(&mut self, _: DocId, _: Score) {}

    fn collect_block(&mut self, _: &[DocId]) {}

    fn harvest(self) {}
}
