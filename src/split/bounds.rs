//! What a catalogue knows of the values in a split.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::filter::{Path, SortValue, ValueType};

/// Between which values all of a column are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ColumnBounds {
    pub(crate) min: SortValue,
    pub(crate) max: SortValue,
}

impl ColumnBounds {
    /// # Errors
    ///
    /// `InvalidRequest` when the ends are of different types, not in order, or nothing that values
    /// can be compared with.
    pub(super) fn new(field: &str, min: SortValue, max: SortValue) -> Result<Self> {
        let is_value = |value: &SortValue| match value {
            SortValue::F64(value) => value.is_finite(),
            value => *value != SortValue::Null,
        };
        let wrong = if !is_value(&min) || !is_value(&max) {
            "are no values that others can be between"
        } else if !min.is_like(&max) {
            "are of different types"
        } else if min.compare(&max).is_gt() {
            "are not in order"
        } else {
            return Ok(Self { min, max });
        };
        Err(Error::invalid(format!(
            "bounds of {field:?}: {min:?} and {max:?} {wrong}"
        )))
    }
}

impl ColumnBounds {
    /// Bytes of texts in it.
    pub(super) fn text_bytes(&self) -> usize {
        let ends = [&self.min, &self.max].into_iter();
        let lengths = ends.map(|end| match end {
            SortValue::Bytes(bytes) => bytes.len(),
            SortValue::Str(text) => text.len(),
            _ => 0,
        });
        lengths.sum()
    }
}

/// Bounds in JSON, where a value alone would not tell its type.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    #[serde(rename = "type")]
    kind: ValueType,
    min: Value,
    max: Value,
}

impl Wire {
    /// Nothing where a value has no form in JSON, as a date past the year 9999.
    pub(super) fn of(bounds: &ColumnBounds) -> Option<Self> {
        Some(Self {
            kind: bounds.min.value_type()?,
            min: serde_json::to_value(&bounds.min).ok()?,
            max: serde_json::to_value(&bounds.max).ok()?,
        })
    }

    /// # Errors
    ///
    /// As [`ColumnBounds::new`], and for a value that is not of its type.
    pub(super) fn read(&self, field: &str) -> Result<ColumnBounds> {
        let path = Path::root("bounds");
        let path = path.key(field);
        let read = |value, end| SortValue::from_json_as(self.kind, value, &path.key(end));
        ColumnBounds::new(field, read(&self.min, "min")?, read(&self.max, "max")?)
    }
}

#[cfg(test)]
mod tests {
    use tantivy::DateTime;

    use super::*;
    use crate::split::SplitAddress;

    fn address() -> SplitAddress {
        SplitAddress::new("a.split".into())
    }

    #[test]
    fn bounds_of_every_type_survive_json() {
        let date = DateTime::from_timestamp_nanos(1_706_572_800_123_456_789);
        let ends: [(SortValue, SortValue); 8] = [
            (false.into(), true.into()),
            (SortValue::Bytes(vec![0, 255]), SortValue::Bytes(vec![1])),
            (date.into(), date.into()),
            ((-0.5).into(), 7.0.into()),
            (i64::MIN.into(), 7_i64.into()),
            (
                SortValue::Ip(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped()),
                SortValue::Ip(std::net::Ipv6Addr::from([0xff; 16])),
            ),
            ("2024-01-30T00:00:00Z".into(), "b".into()),
            (5_u64.into(), u64::MAX.into()),
        ];
        for (min, max) in ends {
            let address = address()
                .with_bounds("x", min.clone(), max.clone())
                .unwrap();
            let json = serde_json::to_string(&address).unwrap();
            let read: SplitAddress = serde_json::from_str(&json).unwrap();
            let bounds = read.bounds("x").unwrap();
            assert!(bounds.min.compare(&min).is_eq(), "{json}");
            assert!(bounds.max.compare(&max).is_eq(), "{json}");
            assert!(
                bounds.min.is_like(&min) && bounds.max.is_like(&max),
                "{json}"
            );
        }
    }

    #[test]
    fn bounds_that_bound_nothing_are_errors() {
        for (min, max, expected) in [
            (2_i64.into(), 1_u64.into(), "are not in order"),
            (1_i64.into(), "a".into(), "are of different types"),
            (f64::NAN.into(), 1.0.into(), "are no values"),
            (SortValue::Null, SortValue::Null, "are no values"),
        ] {
            let error = address().with_bounds("x", min, max).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let json =
            r#"{"path": "a.split", "bounds": {"at": {"type": "date", "min": "x", "max": 1}}}"#;
        let error = serde_json::from_str::<SplitAddress>(json).unwrap_err();
        let expected = r#"bounds.at.min: expected a date or milliseconds since 1970, got "x""#;
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn an_address_without_bounds_is_written_as_before() {
        let json = r#"{"path":"a.split","footer":{"start":1,"end":2}}"#;
        let read: SplitAddress = serde_json::from_str(json).unwrap();
        assert!(read.bounds("x").is_none());
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}
