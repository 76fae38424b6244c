//! Clauses whose text goes through a tokenizer.

use serde_json::Value;

use super::parameters::{
    boost, minimum_should_match, name, only_field, operator, parameters, required, strings,
};
use crate::error::Result;
use crate::filter::clause::{Clause, MatchClause, MatchPhraseClause, QueryStringClause};
use crate::filter::json::{check_keys, object, string};
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

pub(super) fn match_text(body: &Value, path: &Path<'_>) -> Result<MatchClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let known = [
        "_name",
        "boost",
        "minimum_should_match",
        "operator",
        "query",
    ];
    let Some(map) = parameters(value, &known, path)? else {
        return Ok(Clause::match_text(
            field,
            FieldValue::from_value(value, path)?,
        ));
    };
    Ok(MatchClause {
        field: field.to_owned(),
        query: FieldValue::from_value(required(map, "query", path)?, &path.key("query"))?,
        operator: operator(map, "operator", path)?,
        minimum_should_match: minimum_should_match(map, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn match_phrase(body: &Value, path: &Path<'_>) -> Result<MatchPhraseClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let Some(map) = parameters(value, &["_name", "boost", "query", "slop"], path)? else {
        return Ok(Clause::match_phrase(
            field,
            FieldValue::from_value(value, path)?,
        ));
    };
    let slop = match map.get("slop") {
        None => 0,
        Some(value) => value
            .as_u64()
            .and_then(|slop| u32::try_from(slop).ok())
            .ok_or_else(|| {
                path.key("slop")
                    .error(format_args!("expected a whole number from 0, got {value}"))
            })?,
    };
    Ok(MatchPhraseClause {
        field: field.to_owned(),
        query: FieldValue::from_value(required(map, "query", path)?, &path.key("query"))?,
        slop,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn query_string(body: &Value, path: &Path<'_>) -> Result<QueryStringClause> {
    let map = object(body, path)?;
    let known = [
        "_name",
        "boost",
        "default_field",
        "default_operator",
        "fields",
        "query",
    ];
    check_keys(map, &known, "parameter", path)?;
    let query = string(required(map, "query", path)?, &path.key("query"))?;
    let fields = match (map.get("default_field"), map.get("fields")) {
        (None, None) => Vec::new(),
        (Some(field), None) => vec![string(field, &path.key("default_field"))?.to_owned()],
        (None, Some(fields)) => strings(fields, &path.key("fields"))?,
        (Some(_), Some(_)) => {
            return Err(path.error("\"default_field\" and \"fields\" exclude each other"));
        }
    };
    Ok(QueryStringClause {
        query: query.to_owned(),
        fields,
        default_operator: operator(map, "default_operator", path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}
