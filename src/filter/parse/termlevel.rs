//! Clauses on exact values.

use serde_json::Value;

use super::check_terms;
use super::parameters::{boost, name, names, only_field, optional_string, required, strings};
use super::patterns::refuse;
use crate::error::Result;
use crate::filter::clause::{ExistsClause, IdsClause, RangeClause, TermsClause};
use crate::filter::json::{check_keys, kind_of, object, string};
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

pub(super) fn exists(body: &Value, path: &Path<'_>) -> Result<ExistsClause> {
    let map = object(body, path)?;
    check_keys(map, &["_name", "boost", "field"], "parameter", path)?;
    let field = string(required(map, "field", path)?, &path.key("field"))?;
    Ok(ExistsClause {
        field: field.to_owned(),
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn ids(body: &Value, path: &Path<'_>) -> Result<IdsClause> {
    let map = object(body, path)?;
    check_keys(map, &["_name", "boost", "values"], "parameter", path)?;
    let values = required(map, "values", path)?;
    let place = &path.key("values");
    let values = match values {
        Value::String(id) => vec![id.clone()],
        values => strings(values, place)?,
    };
    check_terms(values.len(), place)?;
    Ok(IdsClause {
        values,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

/// Parameters of older versions, and what is written today.
const OLD_BOUNDS: &[(&str, &str)] = &[
    ("from", "write \"gte\", or \"gt\" to leave it out"),
    ("include_lower", "write \"gte\" or \"gt\""),
    ("include_upper", "write \"lte\" or \"lt\""),
    ("to", "write \"lte\", or \"lt\" to leave it out"),
];

pub(super) fn range(body: &Value, path: &Path<'_>) -> Result<RangeClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let map = object(value, path)?;
    refuse(value, OLD_BOUNDS, path)?;
    let known = [
        "_name",
        "boost",
        "format",
        "gt",
        "gte",
        "lt",
        "lte",
        "relation",
        "time_zone",
    ];
    check_keys(map, &known, "parameter", path)?;
    // `null` is how Elasticsearch's own clients write a bound that is open.
    let bound = |key| match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => FieldValue::from_value(value, &path.key(key)).map(Some),
    };
    if let Some(relation) = optional_string(map, "relation", path)?
        && !relation.eq_ignore_ascii_case("intersects")
    {
        return Err(path.key("relation").error(format_args!(
            "{relation:?} is for fields of ranges, which there are none of: leave it out"
        )));
    }
    Ok(RangeClause {
        field: field.to_owned(),
        gt: bound("gt")?,
        gte: bound("gte")?,
        lt: bound("lt")?,
        lte: bound("lte")?,
        format: optional_string(map, "format", path)?,
        time_zone: optional_string(map, "time_zone", path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn terms(body: &Value, path: &Path<'_>) -> Result<TermsClause> {
    let map = object(body, path)?;
    // Parameters stand beside the field. A field of such a name has an array for its value.
    let is_field = |entry: &(&String, &Value)| {
        !matches!(entry.0.as_str(), "_name" | "boost") || entry.1.is_array()
    };
    let mut fields = map.iter().filter(is_field);
    let Some((field, value)) = fields.next() else {
        return Err(path.error("expected a field, got none"));
    };
    if fields.next().is_some() {
        return Err(path.error(format_args!("expected one field, got {}", names(map))));
    }
    let boost = if field == "boost" {
        1.0
    } else {
        boost(map, path)?
    };
    let name = if field == "_name" {
        None
    } else {
        name(map, path)?
    };
    let path = &path.key(field);
    let Value::Array(values) = value else {
        return Err(path.error(format_args!("expected an array, got {}", kind_of(value))));
    };
    check_terms(values.len(), path)?;
    let values = values
        .iter()
        .enumerate()
        .map(|(index, value)| FieldValue::from_value(value, &path.index(index)))
        .collect::<Result<_>>()?;
    Ok(TermsClause {
        field: field.to_owned(),
        values,
        boost,
        name,
    })
}
