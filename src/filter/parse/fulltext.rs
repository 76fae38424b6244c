//! Clauses whose text goes through a tokenizer.

use serde_json::{Map, Value};

use super::compound::check_tie_breaker;
use super::parameters::{
    boost, minimum_should_match, name, only_field, operator, required, strings,
};
use super::texts::{
    expansions, flag, fuzzy, known_parameters, text_parameters, whole, zero_terms_query,
};
use crate::error::Result;
use crate::filter::clause::{
    Clause, MatchBoolPrefixClause, MatchClause, MatchPhraseClause, MatchPhrasePrefixClause,
    MultiMatchClause, MultiMatchType,
};
use crate::filter::json::{kind_of, object, string};
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

pub(super) fn match_text(body: &Value, path: &Path<'_>) -> Result<MatchClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let known = [
        "_name",
        "boost",
        "fuzziness",
        "fuzzy_transpositions",
        "lenient",
        "max_expansions",
        "minimum_should_match",
        "operator",
        "prefix_length",
        "query",
        "zero_terms_query",
    ];
    let Some(map) = text_parameters(value, &known, path)? else {
        let query = FieldValue::from_value(value, path)?;
        return Ok(Clause::match_text(field, query));
    };
    let fuzzy = fuzzy(map, path)?;
    expansions(map, fuzzy.is_some(), path)?;
    Ok(MatchClause {
        field: field.to_owned(),
        query: query(map, path)?,
        operator: operator(map, "operator", path)?,
        minimum_should_match: minimum_should_match(map, path)?,
        fuzzy,
        zero_terms_query: zero_terms_query(map, path)?,
        lenient: flag(map, "lenient", false, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn match_bool_prefix(body: &Value, path: &Path<'_>) -> Result<MatchBoolPrefixClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let known = [
        "_name",
        "boost",
        "fuzziness",
        "fuzzy_transpositions",
        "max_expansions",
        "minimum_should_match",
        "operator",
        "prefix_length",
        "query",
    ];
    let Some(map) = text_parameters(value, &known, path)? else {
        let query = FieldValue::from_value(value, path)?;
        return Ok(Clause::match_bool_prefix(field, query));
    };
    let fuzzy = fuzzy(map, path)?;
    expansions(map, fuzzy.is_some(), path)?;
    Ok(MatchBoolPrefixClause {
        field: field.to_owned(),
        query: query(map, path)?,
        operator: operator(map, "operator", path)?,
        minimum_should_match: minimum_should_match(map, path)?,
        fuzzy,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn match_phrase(body: &Value, path: &Path<'_>) -> Result<MatchPhraseClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let known = ["_name", "boost", "query", "slop", "zero_terms_query"];
    let Some(map) = text_parameters(value, &known, path)? else {
        let query = FieldValue::from_value(value, path)?;
        return Ok(Clause::match_phrase(field, query));
    };
    Ok(MatchPhraseClause {
        field: field.to_owned(),
        query: query(map, path)?,
        slop: whole(map, "slop", 0, path)?,
        zero_terms_query: zero_terms_query(map, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn match_phrase_prefix(
    body: &Value,
    path: &Path<'_>,
) -> Result<MatchPhrasePrefixClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let known = [
        "_name",
        "boost",
        "max_expansions",
        "query",
        "slop",
        "zero_terms_query",
    ];
    let Some(map) = text_parameters(value, &known, path)? else {
        let query = FieldValue::from_value(value, path)?;
        return Ok(Clause::match_phrase_prefix(field, query));
    };
    Ok(MatchPhrasePrefixClause {
        field: field.to_owned(),
        query: query(map, path)?,
        max_expansions: expansions(map, false, path)?,
        slop: whole(map, "slop", 0, path)?,
        zero_terms_query: zero_terms_query(map, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn multi_match(body: &Value, path: &Path<'_>) -> Result<MultiMatchClause> {
    let map = object(body, path)?;
    let known = [
        "_name",
        "boost",
        "fields",
        "fuzziness",
        "fuzzy_transpositions",
        "lenient",
        "max_expansions",
        "minimum_should_match",
        "operator",
        "prefix_length",
        "query",
        "slop",
        "tie_breaker",
        "type",
        "zero_terms_query",
    ];
    known_parameters(map, &known, path)?;
    let fuzzy = fuzzy(map, path)?;
    Ok(MultiMatchClause {
        query: query(map, path)?,
        fields: fields(map, path)?,
        kind: multi_match_type(map, path)?,
        tie_breaker: tie_breaker(map, path)?,
        operator: operator(map, "operator", path)?,
        minimum_should_match: minimum_should_match(map, path)?,
        slop: whole(map, "slop", 0, path)?,
        max_expansions: expansions(map, fuzzy.is_some(), path)?,
        fuzzy,
        zero_terms_query: zero_terms_query(map, path)?,
        lenient: flag(map, "lenient", false, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

fn query(map: &Map<String, Value>, path: &Path<'_>) -> Result<FieldValue> {
    FieldValue::from_value(required(map, "query", path)?, &path.key("query"))
}

/// One field or a list of them.
pub(super) fn fields(map: &Map<String, Value>, path: &Path<'_>) -> Result<Vec<String>> {
    match map.get("fields") {
        None => Ok(Vec::new()),
        Some(Value::String(field)) => Ok(vec![field.clone()]),
        Some(fields) => strings(fields, &path.key("fields")),
    }
}

fn multi_match_type(map: &Map<String, Value>, path: &Path<'_>) -> Result<MultiMatchType> {
    let Some(value) = map.get("type") else {
        return Ok(MultiMatchType::default());
    };
    let path = &path.key("type");
    let text = string(value, path)?;
    let names = MultiMatchType::NAMES;
    match names.iter().find(|(name, _)| *name == text) {
        Some((_, kind)) => Ok(*kind),
        None if text == "cross_fields" => Err(path.error(
            "\"cross_fields\" is not supported, for it needs statistics across fields: use \
             \"most_fields\", or a field that holds the text of all",
        )),
        None => {
            let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            Err(path.error(format_args!(
                "unknown type {text:?} (known: {})",
                names.join(", ")
            )))
        }
    }
}

fn tie_breaker(map: &Map<String, Value>, path: &Path<'_>) -> Result<Option<f32>> {
    let Some(value) = map.get("tie_breaker") else {
        return Ok(None);
    };
    let path = &path.key("tie_breaker");
    let number = value
        .as_f64()
        .ok_or_else(|| path.error(format_args!("expected a number, got {}", kind_of(value))))?;
    check_tie_breaker(number as f32, path).map(Some)
}
