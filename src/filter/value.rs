//! A scalar of a filter, before the schema says what it means.

use std::fmt;

use serde_json::{Number, Value};

use crate::error::Result;
use crate::filter::json::kind_of;
use crate::filter::path::Path;

/// A scalar that a clause compares with a field: what JSON can write, apart from `null`.
///
/// What it means is decided when the filter meets a schema: `"10"` is a number for a number
/// field and a word for a text field.
///
/// ```
/// use forewarm::FieldValue;
///
/// assert_eq!(FieldValue::from("PushEvent"), FieldValue::Text("PushEvent".into()));
/// assert_eq!(FieldValue::from(10), FieldValue::Integer(10));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldValue {
    /// `true` or `false`.
    Bool(bool),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A whole number that fits 64 bits with sign.
    Integer(i64),
    /// A string: a word, a date, an address, base64, a facet, or a number in quotes.
    Text(String),
    /// A whole number above `i64::MAX`.
    Unsigned(u64),
}

impl FieldValue {
    /// The value as JSON. A float that is not finite, which JSON cannot write, becomes a string.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Float(value) => Number::from_f64(*value)
                .map_or_else(|| Value::String(value.to_string()), Value::Number),
            Self::Integer(value) => Value::Number((*value).into()),
            Self::Text(value) => Value::String(value.clone()),
            Self::Unsigned(value) => Value::Number((*value).into()),
        }
    }

    pub(crate) fn from_value(value: &Value, path: &Path<'_>) -> Result<Self> {
        match value {
            Value::Bool(value) => Ok(Self::Bool(*value)),
            Value::Number(number) => {
                if let Some(value) = number.as_i64() {
                    Ok(Self::Integer(value))
                } else if let Some(value) = number.as_u64() {
                    Ok(Self::Unsigned(value))
                } else {
                    number
                        .as_f64()
                        .map(Self::Float)
                        .ok_or_else(|| path.error(format_args!("cannot read the number {number}")))
                }
            }
            Value::String(value) => Ok(Self::Text(value.clone())),
            other => Err(path.error(format_args!(
                "expected a single value, got {}",
                kind_of(other)
            ))),
        }
    }
}

/// As the text of a field would spell it, so `10` and `"10"` are the same word.
impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Float(_) => match self.to_value() {
                Value::String(text) => f.write_str(&text),
                number => write!(f, "{number}"),
            },
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Unsigned(value) => write!(f, "{value}"),
        }
    }
}

impl From<&str> for FieldValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for FieldValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<bool> for FieldValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for FieldValue {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<i64> for FieldValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for FieldValue {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<u64> for FieldValue {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Unsigned(value), Self::Integer)
    }
}

impl From<f64> for FieldValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
