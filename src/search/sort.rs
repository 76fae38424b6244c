use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use tantivy::collector::sort_key::Comparator;
use tantivy::collector::{SegmentSortKeyComputer, SortKeyComputer};
use tantivy::columnar::column_values::CompactSpaceU64Accessor;
use tantivy::columnar::{BytesColumn, Cardinality, Column, ColumnType, MonotonicallyMappableToU64};
use tantivy::index::SegmentId;
use tantivy::{DateTime, DocId, Score, SegmentReader, TantivyError};

use super::after::Place;
use crate::filter::{Missing, Sort, SortKey, SortOrder, SortValue};

/// The most keys that hits can be sorted by: the keys of a match live on the stack.
pub(crate) const MAX_SORT_KEYS: usize = 4;

/// Sorts hits by columns, score and document order; by up to `KEYS` of them.
///
/// Keys are compared for every match, so there is room for just as many as are needed.
#[derive(Clone, Debug)]
pub(super) struct SortBy<const KEYS: usize> {
    keys: Arc<[Sort]>,
    /// The number of each segment among those of all splits: documents are numbered anew in
    /// each, so their own numbers say nothing of their order.
    segments: Arc<HashMap<SegmentId, u32>>,
}

impl<const KEYS: usize> SortBy<KEYS> {
    pub(super) fn keys(&self) -> &[Sort] {
        &self.keys
    }

    /// The keys of one segment.
    pub(super) fn in_segment(&self, reader: &SegmentReader) -> tantivy::Result<SegmentSort<KEYS>> {
        let mut keys = [const { None }; KEYS];
        for (place, sort) in keys.iter_mut().zip(self.keys.iter()) {
            let number = self.segments.get(&reader.segment_id()).copied();
            *place = Some(SegmentSortKey::new(reader, number.unwrap_or(0), sort)?);
        }
        Ok(SegmentSort {
            keys,
            comparator: self.comparator(),
        })
    }

    /// For segments in this order, numbered from `first`. What stands beyond `KEYS` keys is
    /// ignored.
    pub(super) fn new(
        keys: &[Sort],
        first: u32,
        segments: impl IntoIterator<Item = SegmentId>,
    ) -> Self {
        let keys = &keys[..keys.len().min(KEYS)];
        let segments: HashMap<_, _> = segments.into_iter().zip(first..).collect();
        Self {
            keys: keys.into(),
            segments: Arc::new(segments),
        }
    }
}

/// A key inside one segment, made so that the greater one is the better hit, whatever the order:
/// first whether there is a value, as `missing` says, then the order-preserving code (for strings,
/// the ordinal), inverted when ascending.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SegmentKey {
    presence: Presence,
    code: u64,
}

impl SegmentKey {
    /// Both parts as one number, which compares without a branch.
    #[inline]
    fn number(self) -> u128 {
        (self.presence as u128) << 64 | u128::from(self.code)
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Presence {
    /// No value, which stands last.
    #[default]
    Last,
    Value,
    /// No value, which stands first.
    First,
}

/// The better hit is the greater one, as tantivy's top-k wants it.
#[derive(Clone, Debug, Default)]
pub(super) struct SortComparator {
    keys: Arc<[Sort]>,
}

impl Sort {
    /// Compares by this key, told whether there are values on both sides and how they compare.
    fn by_presence(
        &self,
        (left, right): (bool, bool),
        values: impl FnOnce() -> Ordering,
    ) -> Ordering {
        let missing_wins = self.missing == Missing::First;
        match (left, right) {
            (false, false) => Ordering::Equal,
            (true, true) => match self.order {
                SortOrder::Ascending => values().reverse(),
                SortOrder::Descending => values(),
            },
            (left, _) if left == missing_wins => Ordering::Less,
            _ => Ordering::Greater,
        }
    }

    /// Compares two values by this key. The better hit is the greater one.
    pub(super) fn compare(&self, left: &SortValue, right: &SortValue) -> Ordering {
        let some = |value: &SortValue| *value != SortValue::Null;
        self.by_presence((some(left), some(right)), || left.compare(right))
    }

    /// Compares hits by what they were sorted by.
    pub(super) fn compare_all(keys: &[Self], left: &[SortValue], right: &[SortValue]) -> Ordering {
        let keys = keys.iter().zip(left.iter().zip(right));
        keys.map(|(key, (left, right))| key.compare(left, right))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl<const KEYS: usize> Comparator<[SegmentKey; KEYS]> for SortComparator {
    #[inline]
    fn compare(&self, left: &[SegmentKey; KEYS], right: &[SegmentKey; KEYS]) -> Ordering {
        // A loop of a known length: it is run for every match.
        for at in 0..KEYS {
            let order = left[at].number().cmp(&right[at].number());
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl Comparator<Vec<SortValue>> for SortComparator {
    fn compare(&self, left: &Vec<SortValue>, right: &Vec<SortValue>) -> Ordering {
        Sort::compare_all(&self.keys, left, right)
    }
}

impl<const KEYS: usize> SortKeyComputer for SortBy<KEYS> {
    type SortKey = Vec<SortValue>;
    type Child = SegmentSort<KEYS>;
    type Comparator = SortComparator;

    fn comparator(&self) -> SortComparator {
        SortComparator {
            keys: Arc::clone(&self.keys),
        }
    }

    fn requires_scoring(&self) -> bool {
        self.keys.iter().any(|key| key.key == SortKey::Score)
    }

    fn segment_sort_key_computer(
        &self,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentSort<KEYS>> {
        self.in_segment(reader)
    }
}

pub(super) struct SegmentSort<const KEYS: usize> {
    keys: [Option<SegmentSortKey>; KEYS],
    comparator: SortComparator,
}

impl<const KEYS: usize> SegmentSort<KEYS> {
    /// A place in the order, given as values, in the terms of this segment.
    pub(super) fn places(&self, values: Vec<SortValue>) -> tantivy::Result<Vec<Place>> {
        let keys = self.keys.iter().flatten().zip(values);
        keys.map(|(key, value)| key.value.place(value)).collect()
    }

    /// Whether a document comes after a place.
    pub(super) fn is_after(&self, places: &[Place], doc: DocId, score: Score) -> bool {
        let keys = self.keys.iter().flatten().zip(places).enumerate();
        let order = keys
            .map(|(at, (key, place))| {
                let code = key.value.code(doc, score);
                let there = !matches!(place, Place::Missing);
                let sort = &self.comparator.keys[at];
                sort.by_presence((code.is_some(), there), || {
                    code.map_or(Ordering::Equal, |code| {
                        place.compare(code, || key.value.value(code))
                    })
                })
            })
            .find(|order| order.is_ne());
        order == Some(Ordering::Less)
    }
}

/// One key, and how it compares.
struct SegmentSortKey {
    value: SegmentValue,
    /// Inverts the codes of an ascending order.
    mask: u64,
    /// Where documents without a value stand.
    absent: Presence,
}

impl SegmentSortKey {
    fn new(reader: &SegmentReader, segment: u32, sort: &Sort) -> tantivy::Result<Self> {
        let value = match &sort.key {
            SortKey::Doc => SegmentValue::Doc { segment },
            SortKey::Score => SegmentValue::Score,
            SortKey::Field(name) => SegmentValue::column(reader, name, sort.order)?,
        };
        Ok(Self {
            value,
            mask: match sort.order {
                SortOrder::Ascending => u64::MAX,
                SortOrder::Descending => 0,
            },
            absent: match sort.missing {
                Missing::First => Presence::First,
                Missing::Last => Presence::Last,
            },
        })
    }

    #[inline]
    fn of(&self, doc: DocId, score: Score) -> SegmentKey {
        match self.value.code(doc, score) {
            Some(code) => SegmentKey {
                presence: Presence::Value,
                code: code ^ self.mask,
            },
            None => SegmentKey {
                presence: self.absent,
                code: 0,
            },
        }
    }

    fn value(&self, key: SegmentKey) -> SortValue {
        match key.presence {
            Presence::Value => self.value.value(key.code ^ self.mask),
            Presence::First | Presence::Last => SortValue::Null,
        }
    }
}

/// Where one key of a segment comes from.
enum SegmentValue {
    /// No document of the segment has a value.
    Absent,
    Column(Box<SortColumn>),
    /// The order of the index over all segments.
    Doc {
        segment: u32,
    },
    Score,
}

struct SortColumn {
    column: Column<u64>,
    decode: Decode,
    order: SortOrder,
    cardinality: Cardinality,
}

/// How the code of a column value turns into the value.
enum Decode {
    Dictionary(BytesColumn, ColumnType),
    Ip(Arc<CompactSpaceU64Accessor>),
    Number(ColumnType),
}

impl SegmentValue {
    fn column(reader: &SegmentReader, name: &str, order: SortOrder) -> tantivy::Result<Self> {
        let columns = reader.fast_fields();
        let mut found = columns.u64_lenient_for_type_all(None, name)?;
        let Some((column, kind)) = found.pop() else {
            return Ok(Self::Absent);
        };
        if let Some((_, other)) = found.pop() {
            return Err(TantivyError::InvalidArgument(format!(
                "sort: {name} holds values of several types ({other:?} and {kind:?})"
            )));
        }
        let decode = match kind {
            ColumnType::Str => match columns.str(name)? {
                Some(strings) => Decode::Dictionary(strings.into(), kind),
                None => return Ok(Self::Absent),
            },
            ColumnType::Bytes => match columns.bytes(name)? {
                Some(bytes) => Decode::Dictionary(bytes, kind),
                None => return Ok(Self::Absent),
            },
            ColumnType::IpAddr => {
                let codes = Arc::clone(&column.values).downcast_arc::<CompactSpaceU64Accessor>();
                Decode::Ip(codes.map_err(|_| {
                    TantivyError::InternalError(format!("sort: {name} is not an address column"))
                })?)
            }
            _ => Decode::Number(kind),
        };
        Ok(Self::Column(Box::new(SortColumn {
            cardinality: column.get_cardinality(),
            column,
            decode,
            order,
        })))
    }

    /// The code of a document's value: of several, the least when ascending, the greatest when
    /// descending, as Elasticsearch does.
    #[inline]
    fn code(&self, doc: DocId, score: Score) -> Option<u64> {
        match self {
            Self::Absent => None,
            Self::Column(sorted) => {
                let column = &sorted.column;
                match (sorted.cardinality, sorted.order) {
                    (Cardinality::Full, _) => Some(column.values.get_val(doc)),
                    (Cardinality::Optional, _) => column.first(doc),
                    (Cardinality::Multivalued, SortOrder::Ascending) => {
                        column.values_for_doc(doc).min()
                    }
                    (Cardinality::Multivalued, SortOrder::Descending) => {
                        column.values_for_doc(doc).max()
                    }
                }
            }
            Self::Doc { segment } => Some(u64::from(*segment) << 32 | u64::from(doc)),
            Self::Score => Some(f64::from(score).to_u64()),
        }
    }

    fn place(&self, value: SortValue) -> tantivy::Result<Place> {
        if value == SortValue::Null {
            return Ok(Place::Missing);
        }
        if let Self::Column(sorted) = self {
            match &sorted.decode {
                Decode::Dictionary(column, kind) => {
                    return Place::in_dictionary(&value, column, *kind);
                }
                // A path may hold dates in one segment and other strings in the next.
                Decode::Number(ColumnType::DateTime) => {
                    return Ok(Place::Value(value.date().unwrap_or(value)));
                }
                _ => {}
            }
        }
        Ok(Place::Value(value))
    }

    fn value(&self, code: u64) -> SortValue {
        match self {
            Self::Absent => SortValue::Null,
            Self::Column(sorted) => sorted.decode.value(code),
            Self::Doc { .. } => SortValue::U64(code),
            Self::Score => SortValue::F64(f64::from_u64(code)),
        }
    }
}

impl Decode {
    fn value(&self, code: u64) -> SortValue {
        match self {
            Self::Dictionary(column, kind) => {
                let mut bytes = Vec::new();
                // The dictionary is in memory with its column; a code it lacks means corruption,
                // which sorts as no value.
                if !column.ord_to_bytes(code, &mut bytes).unwrap_or(false) {
                    return SortValue::Null;
                }
                match kind {
                    ColumnType::Str => SortValue::Str(String::from_utf8_lossy(&bytes).into_owned()),
                    _ => SortValue::Bytes(bytes),
                }
            }
            Self::Ip(codes) => {
                let code = u32::try_from(code).unwrap_or(u32::MAX);
                SortValue::Ip(Ipv6Addr::from(codes.compact_to_u128(code)))
            }
            Self::Number(ColumnType::Bool) => SortValue::Bool(bool::from_u64(code)),
            Self::Number(ColumnType::DateTime) => SortValue::Date(DateTime::from_u64(code)),
            Self::Number(ColumnType::F64) => SortValue::F64(f64::from_u64(code)),
            Self::Number(ColumnType::I64) => SortValue::I64(i64::from_u64(code)),
            Self::Number(_) => SortValue::U64(code),
        }
    }
}

impl<const KEYS: usize> SegmentSortKeyComputer for SegmentSort<KEYS> {
    type SortKey = Vec<SortValue>;
    type SegmentSortKey = [SegmentKey; KEYS];
    type SegmentComparator = SortComparator;

    fn segment_comparator(&self) -> SortComparator {
        self.comparator.clone()
    }

    #[inline]
    fn segment_sort_key(&mut self, doc: DocId, score: Score) -> [SegmentKey; KEYS] {
        let mut codes = [SegmentKey::default(); KEYS];
        for (code, key) in codes.iter_mut().zip(&self.keys) {
            if let Some(key) = key {
                *code = key.of(doc, score);
            }
        }
        codes
    }

    fn convert_segment_sort_key(&self, codes: [SegmentKey; KEYS]) -> Vec<SortValue> {
        self.keys
            .iter()
            .flatten()
            .zip(codes)
            .map(|(key, code)| key.value(code))
            .collect()
    }
}
