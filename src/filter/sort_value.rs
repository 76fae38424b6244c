//! What hits are sorted by: given back with each hit, and taken as a place to go on from.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tantivy::DateTime;
use tantivy::schema::{
    BytesOptions, DateOptions, FieldType, IpAddrOptions, NumericOptions, Schema, TextOptions,
};
use tantivy::time::OffsetDateTime;
use tantivy::time::format_description::well_known::Rfc3339;

use crate::error::Result;
use crate::filter::field::Target;
use crate::filter::json::kind_of;
use crate::filter::path::Path;
use crate::filter::sort::{Sort, SortKey};

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
    /// Whether both are of one type; all numbers are.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.value_type() == other.value_type()
    }

    /// Numbers of different kinds compare by value: one path may be integers in one segment and
    /// fractions in the next.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Ip(a), Self::Ip(b)) => a.cmp(b),
            (Self::Str(a), Self::Str(b)) => a.cmp(b),
            (Self::F64(a), Self::F64(b)) => a.total_cmp(b),
            (Self::F64(a), _) if other.is_like(self) => compare_mixed(*a, other),
            (_, Self::F64(b)) if other.is_like(self) => compare_mixed(*b, self).reverse(),
            _ => match (self.integer(), other.integer()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => self.value_type().cmp(&other.value_type()),
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
        // Where it stands among fractions.
        return fraction.total_cmp(&0.0);
    }
    // Saturates at infinities, which no integer of 64 bits reaches.
    let whole = fraction.floor() as i128;
    whole.cmp(&integer).then(if fraction > fraction.floor() {
        Ordering::Greater
    } else if fraction == 0.0 && fraction.is_sign_negative() {
        // As among fractions: the order must be total.
        Ordering::Less
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

impl From<bool> for SortValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<DateTime> for SortValue {
    fn from(value: DateTime) -> Self {
        Self::Date(value)
    }
}

impl From<f64> for SortValue {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl From<i64> for SortValue {
    fn from(value: i64) -> Self {
        Self::I64(value)
    }
}

impl From<&str> for SortValue {
    fn from(value: &str) -> Self {
        Self::Str(value.to_owned())
    }
}

impl From<String> for SortValue {
    fn from(value: String) -> Self {
        Self::Str(value)
    }
}

impl From<u64> for SortValue {
    fn from(value: u64) -> Self {
        Self::U64(value)
    }
}

/// What a value is, in the order in which values of different types stand.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ValueType {
    Bool,
    Number,
    Date,
    IpAddr,
    Text,
    Bytes,
}

impl ValueType {
    /// A field of such values.
    fn field(self) -> FieldType {
        match self {
            Self::Bool => FieldType::Bool(NumericOptions::default()),
            Self::Number => FieldType::F64(NumericOptions::default()),
            Self::Date => FieldType::Date(DateOptions::default()),
            Self::IpAddr => FieldType::IpAddr(IpAddrOptions::default()),
            Self::Text => FieldType::Str(TextOptions::default()),
            Self::Bytes => FieldType::Bytes(BytesOptions::default()),
        }
    }
}

impl SortValue {
    /// The type, where there is a value.
    pub(crate) fn value_type(&self) -> Option<ValueType> {
        Some(match self {
            Self::Bool(_) => ValueType::Bool,
            Self::Bytes(_) => ValueType::Bytes,
            Self::Date(_) => ValueType::Date,
            Self::F64(_) | Self::I64(_) | Self::U64(_) => ValueType::Number,
            Self::Ip(_) => ValueType::IpAddr,
            Self::Null => return None,
            Self::Str(_) => ValueType::Text,
        })
    }

    /// A value as JSON has it, where its type is known.
    ///
    /// # Errors
    ///
    /// It is of another type.
    pub(crate) fn from_json_as(kind: ValueType, value: &Value, path: &Path<'_>) -> Result<Self> {
        let read = Self::from_json(value, path)?.of_field(&kind.field());
        read.map_err(|expected| path.error(format_args!("expected {expected}, got {value}")))
    }

    /// A value as JSON has it: strings stay strings until the field is known.
    pub(crate) fn from_json(value: &Value, path: &Path<'_>) -> Result<Self> {
        Ok(match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Null => Self::Null,
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(whole), ..) => Self::I64(whole),
                (_, Some(whole), _) => Self::U64(whole),
                (.., Some(fraction)) => Self::F64(fraction),
                _ => return Err(path.error(format_args!("{number} is no number of 64 bits"))),
            },
            Value::String(text) => Self::Str(text.clone()),
            Value::Array(_) | Value::Object(_) => {
                let kind = kind_of(value);
                return Err(path.error(format_args!(
                    "expected a value that a hit was sorted by, got {kind}"
                )));
            }
        })
    }

    /// The value for a key of the sort, of the type that the key compares.
    ///
    /// # Errors
    ///
    /// It is of another type than the field.
    pub(crate) fn typed(&self, sort: &Sort, schema: &Schema, path: &Path<'_>) -> Result<Self> {
        let wrong = |expected: &str, of: &str| {
            let got = serde_json::to_value(self).unwrap_or_default();
            Err(path.error(format_args!("expected {expected} for {of}, got {got}")))
        };
        match &sort.key {
            SortKey::Doc => match self.integer().map(u64::try_from) {
                Some(Ok(place)) => Ok(Self::U64(place)),
                _ => wrong("a whole number from 0", "_doc"),
            },
            // Scores have 32 bits; a digit lost in JSON is found again.
            SortKey::Score => match self.number() {
                Some(score) => Ok(Self::F64(f64::from(score as f32))),
                None => wrong("a number", "_score"),
            },
            SortKey::Field(_) if *self == Self::Null => Ok(Self::Null),
            SortKey::Field(name) => {
                let target = Target::resolve_value(schema, name, path)?;
                match self.of_field(target.entry.field_type()) {
                    Ok(value) => Ok(value),
                    Err(expected) => wrong(expected, target.type_name()),
                }
            }
        }
    }

    fn of_field(&self, field: &FieldType) -> std::result::Result<Self, &'static str> {
        let text = match self {
            Self::Str(text) => Some(text.as_str()),
            _ => None,
        };
        match field {
            FieldType::Bool(_) => match self {
                Self::Bool(_) => Some(self.clone()),
                _ => None,
            }
            .ok_or("true or false"),
            FieldType::Bytes(_) => match self {
                Self::Bytes(_) => Some(self.clone()),
                _ => text.and_then(from_hex).map(Self::Bytes),
            }
            .ok_or("bytes in hexadecimal"),
            FieldType::Date(_) => self.date().ok_or("a date or milliseconds since 1970"),
            FieldType::F64(_) | FieldType::I64(_) | FieldType::U64(_) => match self.number() {
                Some(_) => Ok(self.clone()),
                None => Err("a number"),
            },
            FieldType::IpAddr(_) => match self {
                Self::Ip(_) => Some(self.clone()),
                _ => text.and_then(|text| text.parse().ok()).map(|ip| match ip {
                    IpAddr::V4(v4) => Self::Ip(v4.to_ipv6_mapped()),
                    IpAddr::V6(v6) => Self::Ip(v6),
                }),
            }
            .ok_or("an IP address"),
            FieldType::JsonObject(_) => Ok(self.clone()),
            _ => text.map(|_| self.clone()).ok_or("a string"),
        }
    }

    /// The date that it is, or that it is written as.
    pub(crate) fn date(&self) -> Option<Self> {
        match self {
            Self::Date(_) => Some(self.clone()),
            Self::Str(text) => {
                let date = OffsetDateTime::parse(text, &Rfc3339).ok()?;
                let nanos = i64::try_from(date.unix_timestamp_nanos()).ok()?;
                Some(Self::Date(DateTime::from_timestamp_nanos(nanos)))
            }
            _ => {
                let millis = i64::try_from(self.integer()?).ok()?;
                millis.checked_mul(1_000_000)?;
                Some(Self::Date(DateTime::from_timestamp_millis(millis)))
            }
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::F64(value) => Some(*value),
            other => other.integer().map(|whole| whole as f64),
        }
    }
}

/// The place in an order after which hits begin, in the types of a schema.
///
/// # Errors
///
/// A value is of another type than its key, named with its place in `search_after`.
pub(crate) fn typed_place(
    sorts: &[Sort],
    values: &[SortValue],
    schema: &Schema,
) -> Result<Vec<SortValue>> {
    let root = Path::root("search_after");
    let keys = sorts.iter().zip(values).enumerate();
    keys.map(|(index, (sort, value))| value.typed(sort, schema, &root.index(index)))
        .collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
