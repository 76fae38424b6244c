//! Parameters that many clauses have.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::filter::clause::{MinimumShouldMatch, Operator};
use crate::filter::json::{check_keys, kind_of, object, string};
use crate::filter::path::Path;

/// The keys of an object, for a message.
pub(super) fn names(map: &Map<String, Value>) -> String {
    let mut names: Vec<String> = map.keys().take(4).map(|key| format!("{key:?}")).collect();
    if map.len() > names.len() {
        names.push("…".to_owned());
    }
    format!("{}: {}", map.len(), names.join(", "))
}

/// The one entry of `{"field": …}`.
pub(super) fn only_field<'v>(body: &'v Value, path: &Path<'_>) -> Result<(&'v str, &'v Value)> {
    let map = object(body, path)?;
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (Some((field, value)), None) => Ok((field, value)),
        (None, _) => Err(path.error("expected a field, got an empty object")),
        (Some(_), Some(_)) => {
            Err(path.error(format_args!("expected one field, got {}", names(map))))
        }
    }
}

/// The parameters of `{"field": {…}}`, or none of `{"field": value}`.
pub(super) fn parameters<'v>(
    value: &'v Value,
    known: &[&str],
    path: &Path<'_>,
) -> Result<Option<&'v Map<String, Value>>> {
    match value {
        Value::Object(map) => {
            check_keys(map, known, "parameter", path)?;
            Ok(Some(map))
        }
        _ => Ok(None),
    }
}

pub(super) fn required<'v>(
    map: &'v Map<String, Value>,
    key: &str,
    path: &Path<'_>,
) -> Result<&'v Value> {
    map.get(key)
        .ok_or_else(|| path.error(format_args!("the parameter {key:?} is missing")))
}

pub(super) fn boost(map: &Map<String, Value>, path: &Path<'_>) -> Result<f32> {
    let Some(value) = map.get("boost") else {
        return Ok(1.0);
    };
    let path = &path.key("boost");
    check_boost(number(value, path)? as f32, path)
}

/// The number that `value` must be.
pub(super) fn number(value: &Value, path: &Path<'_>) -> Result<f64> {
    let wrong = || path.error(format_args!("expected a number, got {}", kind_of(value)));
    value.as_f64().ok_or_else(wrong)
}

/// Refuses a boost that would spoil scores.
pub(crate) fn check_boost(boost: f32, path: &Path<'_>) -> Result<f32> {
    if boost.is_finite() && boost >= 0.0 {
        Ok(boost)
    } else {
        Err(path.error(format_args!(
            "expected a number from 0 to {:e}, got {boost:e}",
            f32::MAX
        )))
    }
}

/// The name of a clause, `_name`.
pub(super) fn name(map: &Map<String, Value>, path: &Path<'_>) -> Result<Option<String>> {
    optional_string(map, "_name", path)
}

/// A string that may be left out.
pub(super) fn optional_string(
    map: &Map<String, Value>,
    key: &str,
    path: &Path<'_>,
) -> Result<Option<String>> {
    let value = map.get(key);
    value
        .map(|value| string(value, &path.key(key)).map(str::to_owned))
        .transpose()
}

/// The parameters of a clause that has no others than every clause has.
pub(super) fn only_common<'v>(body: &'v Value, path: &Path<'_>) -> Result<&'v Map<String, Value>> {
    let map = object(body, path)?;
    check_keys(map, &["_name", "boost"], "parameter", path)?;
    Ok(map)
}

pub(super) fn minimum_should_match(
    map: &Map<String, Value>,
    path: &Path<'_>,
) -> Result<Option<MinimumShouldMatch>> {
    let Some(value) = map.get("minimum_should_match") else {
        return Ok(None);
    };
    let path = &path.key("minimum_should_match");
    let parsed = match value {
        Value::Number(number) => number
            .as_i64()
            .and_then(|count| i32::try_from(count).ok())
            .map(MinimumShouldMatch::Count),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    parsed.map(Some).ok_or_else(|| {
        path.error(format_args!(
            "expected a whole number, a percentage or a combination like \"2<75%\", got {value}"
        ))
    })
}

pub(super) fn operator(map: &Map<String, Value>, key: &str, path: &Path<'_>) -> Result<Operator> {
    let Some(value) = map.get(key) else {
        return Ok(Operator::Or);
    };
    let path = &path.key(key);
    let text = string(value, path)?;
    if text.eq_ignore_ascii_case("and") {
        Ok(Operator::And)
    } else if text.eq_ignore_ascii_case("or") {
        Ok(Operator::Or)
    } else {
        Err(path.error(format_args!("expected \"and\" or \"or\", got {text:?}")))
    }
}

/// A list of strings.
pub(crate) fn strings(value: &Value, path: &Path<'_>) -> Result<Vec<String>> {
    let Value::Array(values) = value else {
        return Err(path.error(format_args!("expected an array, got {}", kind_of(value))));
    };
    values
        .iter()
        .enumerate()
        .map(|(index, value)| string(value, &path.index(index)).map(str::to_owned))
        .collect()
}
