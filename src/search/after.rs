//! Going on after a hit: `search_after`.

use std::cmp::Ordering;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{BytesColumn, ColumnType};
use tantivy::schema::Schema;
use tantivy::{DocId, Score, SegmentReader, TantivyError};

use super::sort::{SegmentSort, SortBy};
use crate::filter::{SortValue, typed_place};

/// Passes on the matches that come after a place in an order.
pub(super) struct After<const KEYS: usize, C> {
    by: SortBy<KEYS>,
    place: Arc<[SortValue]>,
    collector: C,
}

impl<const KEYS: usize, C> After<KEYS, C> {
    pub(super) fn new(by: SortBy<KEYS>, place: Arc<[SortValue]>, collector: C) -> Self {
        Self {
            by,
            place,
            collector,
        }
    }
}

pub(super) struct SegmentAfter<const KEYS: usize, C> {
    sort: SegmentSort<KEYS>,
    place: Vec<Place>,
    collector: C,
}

impl<const KEYS: usize, C: Collector> Collector for After<KEYS, C> {
    type Fruit = C::Fruit;
    type Child = SegmentAfter<KEYS, C::Child>;

    fn check_schema(&self, schema: &Schema) -> tantivy::Result<()> {
        self.collector.check_schema(schema)
    }

    fn for_segment(&self, segment: u32, reader: &SegmentReader) -> tantivy::Result<Self::Child> {
        let place = typed_place(self.by.keys(), &self.place, reader.schema())
            .map_err(|error| TantivyError::InvalidArgument(error.to_string()))?;
        let sort = self.by.in_segment(reader)?;
        Ok(SegmentAfter {
            place: sort.places(place)?,
            sort,
            collector: self.collector.for_segment(segment, reader)?,
        })
    }

    fn requires_scoring(&self) -> bool {
        self.collector.requires_scoring()
    }

    fn merge_fruits(
        &self,
        fruits: Vec<<C::Child as SegmentCollector>::Fruit>,
    ) -> tantivy::Result<C::Fruit> {
        self.collector.merge_fruits(fruits)
    }
}

impl<const KEYS: usize, C: SegmentCollector> SegmentCollector for SegmentAfter<KEYS, C> {
    type Fruit = C::Fruit;

    fn collect(&mut self, doc: DocId, score: Score) {
        if self.sort.is_after(&self.place, doc, score) {
            self.collector.collect(doc, score);
        }
    }

    fn harvest(self) -> C::Fruit {
        self.collector.harvest()
    }
}

/// A place in the order of one key, in the terms of a segment.
pub(super) enum Place {
    /// Every value of the segment compares with it in the same way: they are of other types.
    Fixed(Ordering),
    /// Where documents without a value stand.
    Missing,
    /// At this ordinal of the segment's dictionary, or just before it.
    Ordinal { ordinal: u64, exact: bool },
    /// A value that is compared itself.
    Value(SortValue),
}

impl Place {
    /// A string or bytes in a dictionary.
    pub(super) fn in_dictionary(
        value: &SortValue,
        column: &BytesColumn,
        kind: ColumnType,
    ) -> tantivy::Result<Self> {
        let bytes: &[u8] = match (value, kind) {
            (SortValue::Str(text), ColumnType::Str) => text.as_bytes(),
            (SortValue::Bytes(bytes), ColumnType::Bytes) => bytes,
            (other, ColumnType::Str) => {
                return Ok(Self::Fixed(SortValue::Str(String::new()).compare(other)));
            }
            (other, _) => return Ok(Self::Fixed(SortValue::Bytes(Vec::new()).compare(other))),
        };
        let (mut low, mut high) = (0, column.num_terms() as u64);
        let mut term = Vec::new();
        while low < high {
            let middle = low + (high - low) / 2;
            column.ord_to_bytes(middle, &mut term)?;
            match term.as_slice().cmp(bytes) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => {
                    return Ok(Self::Ordinal {
                        ordinal: middle,
                        exact: true,
                    });
                }
                Ordering::Greater => high = middle,
            }
        }
        Ok(Self::Ordinal {
            ordinal: low,
            exact: false,
        })
    }

    /// How a value of the segment, given as its code, compares with the place.
    pub(super) fn compare(&self, code: u64, value: impl FnOnce() -> SortValue) -> Ordering {
        match self {
            Self::Fixed(order) => *order,
            // Asked only of documents that have a value.
            Self::Missing => Ordering::Equal,
            Self::Ordinal { ordinal, exact } => match code.cmp(ordinal) {
                Ordering::Equal if !exact => Ordering::Greater,
                order => order,
            },
            Self::Value(place) => value().compare(place),
        }
    }
}
