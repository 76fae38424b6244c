//! Clauses whose text has a grammar.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::fulltext::fields;
use super::parameters::{boost, minimum_should_match, name, operator, required};
use super::texts::{flag, known_parameters, whole};
use crate::error::Result;
use crate::filter::clause::{QueryStringClause, SimpleQueryFlag, SimpleQueryStringClause};
use crate::filter::json::{object, string};
use crate::filter::path::Path;

pub(super) fn query_string(body: &Value, path: &Path<'_>) -> Result<QueryStringClause> {
    let map = object(body, path)?;
    let known = [
        "_name",
        "boost",
        "default_field",
        "default_operator",
        "fields",
        "lenient",
        "minimum_should_match",
        "query",
    ];
    known_parameters(map, &known, path)?;
    let fields = match map.get("default_field") {
        None => fields(map, path)?,
        Some(_) if map.contains_key("fields") => {
            return Err(path.error("\"default_field\" and \"fields\" exclude each other"));
        }
        Some(field) => vec![string(field, &path.key("default_field"))?.to_owned()],
    };
    Ok(QueryStringClause {
        query: query(map, path)?,
        fields,
        default_operator: operator(map, "default_operator", path)?,
        minimum_should_match: minimum_should_match(map, path)?,
        lenient: flag(map, "lenient", false, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn simple_query_string(
    body: &Value,
    path: &Path<'_>,
) -> Result<SimpleQueryStringClause> {
    let map = object(body, path)?;
    let known = [
        "_name",
        "boost",
        "default_operator",
        "fields",
        "flags",
        "fuzzy_prefix_length",
        "fuzzy_transpositions",
        "lenient",
        "minimum_should_match",
        "query",
    ];
    known_parameters(map, &known, path)?;
    Ok(SimpleQueryStringClause {
        query: query(map, path)?,
        fields: fields(map, path)?,
        default_operator: operator(map, "default_operator", path)?,
        flags: flags(map, path)?,
        minimum_should_match: minimum_should_match(map, path)?,
        fuzzy_prefix_length: whole(map, "fuzzy_prefix_length", 0, path)?,
        fuzzy_transpositions: flag(map, "fuzzy_transpositions", true, path)?,
        lenient: flag(map, "lenient", false, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

fn query(map: &Map<String, Value>, path: &Path<'_>) -> Result<String> {
    string(required(map, "query", path)?, &path.key("query")).map(str::to_owned)
}

/// `ALL`, `NONE`, or names of operators with `|` between them.
fn flags(map: &Map<String, Value>, path: &Path<'_>) -> Result<BTreeSet<SimpleQueryFlag>> {
    let Some(value) = map.get("flags") else {
        return Ok(SimpleQueryFlag::all());
    };
    let path = &path.key("flags");
    let mut flags = BTreeSet::new();
    let known = SimpleQueryFlag::NAMES;
    for name in string(value, path)?.split('|') {
        let name = name.trim().to_ascii_uppercase();
        match name.as_str() {
            "" | "ALL" => flags.extend(SimpleQueryFlag::all()),
            "NONE" => return Ok(BTreeSet::new()),
            // An older name of the same.
            "SLOP" => flags.extend([SimpleQueryFlag::Near]),
            _ => match known.iter().find(|(known, _)| *known == name) {
                Some((_, flag)) => flags.extend([*flag]),
                None => {
                    let known: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                    return Err(path.error(format_args!(
                        "unknown flag {name:?} (known: ALL, NONE, {})",
                        known.join(", ")
                    )));
                }
            },
        }
    }
    Ok(flags)
}
