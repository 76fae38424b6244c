use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use tantivy::collector::sort_key::Comparator;
use tantivy::collector::{SegmentSortKeyComputer, SortKeyComputer};
use tantivy::columnar::column_values::CompactSpaceU64Accessor;
use tantivy::columnar::{BytesColumn, Cardinality, Column, ColumnType, MonotonicallyMappableToU64};
use tantivy::index::SegmentId;
use tantivy::time::format_description::well_known::Rfc3339;
use tantivy::{DateTime, DocId, Score, SegmentReader, TantivyError};

use crate::filter::{Missing, Sort, SortKey, SortOrder};

/// The most keys that hits can be sorted by: the keys of a match live on the stack.
pub(crate) const MAX_SORT_KEYS: usize = 4;

/// A value that hits are sorted by, as it is returned with each hit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SortValue {
    /// A boolean.
    Bool(bool),
    /// Bytes, written in hexadecimal.
    Bytes(Vec<u8>),
    /// A date, written as RFC 3339.
    Date(DateTime),
    /// A floating point number.
    F64(f64),
    /// A signed number.
    I64(i64),
    /// An address.
    Ip(Ipv6Addr),
    /// The document has no value.
    Null,
    /// A string.
    Str(String),
    /// An unsigned number.
    U64(u64),
}

impl SortValue {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::F64(_) | Self::I64(_) | Self::U64(_) => 2,
            Self::Date(_) => 3,
            Self::Ip(_) => 4,
            Self::Str(_) => 5,
            Self::Bytes(_) => 6,
        }
    }

    /// Numbers of different kinds compare by value: one path may be integers in one segment and
    /// fractions in the next.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Ip(a), Self::Ip(b)) => a.cmp(b),
            (Self::Str(a), Self::Str(b)) => a.cmp(b),
            (Self::F64(a), Self::F64(b)) => a.total_cmp(b),
            (Self::F64(a), _) if other.rank() == self.rank() => compare_mixed(*a, other),
            (_, Self::F64(b)) if other.rank() == self.rank() => compare_mixed(*b, self).reverse(),
            _ => match (self.integer(), other.integer()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => self.rank().cmp(&other.rank()),
            },
        }
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Self::I64(value) => Some(i128::from(*value)),
            Self::U64(value) => Some(i128::from(*value)),
            _ => None,
        }
    }
}

/// Compares a fraction with an integer without rounding the integer.
fn compare_mixed(fraction: f64, integer: &SortValue) -> Ordering {
    let Some(integer) = integer.integer() else {
        return Ordering::Equal;
    };
    if fraction.is_nan() {
        return Ordering::Greater;
    }
    // Saturates at infinities, which no integer of 64 bits reaches.
    let whole = fraction.floor() as i128;
    whole.cmp(&integer).then(if fraction > fraction.floor() {
        Ordering::Greater
    } else {
        Ordering::Equal
    })
}

impl Serialize for SortValue {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Bytes(value) => {
                let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                to.serialize_str(&hex)
            }
            Self::Date(value) => {
                let text = value.into_utc().format(&Rfc3339);
                to.serialize_str(&text.map_err(serde::ser::Error::custom)?)
            }
            Self::F64(value) => to.serialize_f64(*value),
            Self::I64(value) => to.serialize_i64(*value),
            Self::Ip(value) => match value.to_ipv4_mapped() {
                Some(v4) => to.collect_str(&v4),
                None => to.collect_str(value),
            },
            Self::Null => to.serialize_none(),
            Self::Str(value) => to.serialize_str(value),
            Self::U64(value) => to.serialize_u64(*value),
        }
    }
}

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
    /// For segments in this order. What stands beyond `KEYS` keys is ignored.
    pub(super) fn new(keys: &[Sort], segments: impl IntoIterator<Item = SegmentId>) -> Self {
        let keys = &keys[..keys.len().min(KEYS)];
        let segments: HashMap<_, _> = segments.into_iter().zip(0..).collect();
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

impl SortComparator {
    fn by_key<T>(
        &self,
        at: usize,
        left: Option<T>,
        right: Option<T>,
        compare: impl Fn(T, T) -> Ordering,
    ) -> Ordering {
        let key = &self.keys[at];
        let missing_wins = key.missing == Missing::First;
        match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if missing_wins => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) if missing_wins => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(left), Some(right)) => match key.order {
                SortOrder::Ascending => compare(right, left),
                SortOrder::Descending => compare(left, right),
            },
        }
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
        let some = |value: &'_ SortValue| !matches!(value, SortValue::Null);
        (0..self.keys.len())
            .map(|at| {
                let left = left.get(at).filter(|value| some(value));
                let right = right.get(at).filter(|value| some(value));
                self.by_key(at, left, right, SortValue::compare)
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
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
}

pub(super) struct SegmentSort<const KEYS: usize> {
    keys: [Option<SegmentSortKey>; KEYS],
    comparator: SortComparator,
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
