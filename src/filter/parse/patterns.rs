//! Clauses that match one value, or terms by a pattern.

use serde_json::{Map, Value};

use super::parameters::{boost, name, only_field, parameters, required};
use super::texts::{expansions, flag, fuzziness, whole};
use crate::error::Result;
use crate::filter::clause::{
    Clause, Fuzziness, FuzzyClause, PrefixClause, RegexpClause, RegexpFlags, TermClause,
    WildcardClause,
};
use crate::filter::json::string;
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

/// Why a parameter of Elasticsearch is an error here.
const REWRITE: (&str, &str) = ("rewrite", "every match scores the boost");
const STATES: (&str, &str) = (
    "max_determinized_states",
    "an expression may need at most 1000 states",
);

pub(super) fn fuzzy(body: &Value, path: &Path<'_>) -> Result<FuzzyClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    refuse(value, &[REWRITE], path)?;
    let known = [
        "_name",
        "boost",
        "fuzziness",
        "max_expansions",
        "prefix_length",
        "transpositions",
        "value",
    ];
    let Some(map) = parameters(value, &known, path)? else {
        return Ok(Clause::fuzzy(field, FieldValue::from_value(value, path)?));
    };
    expansions(map, true, path)?;
    Ok(FuzzyClause {
        field: field.to_owned(),
        value: FieldValue::from_value(required(map, "value", path)?, &path.key("value"))?,
        fuzziness: match map.get("fuzziness") {
            None => Fuzziness::AUTO,
            Some(value) => fuzziness(value, &path.key("fuzziness"))?,
        },
        prefix_length: whole(map, "prefix_length", 0, path)?,
        transpositions: flag(map, "transpositions", true, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn prefix(body: &Value, path: &Path<'_>) -> Result<PrefixClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    refuse(value, &[REWRITE], path)?;
    let known = ["_name", "boost", "case_insensitive", "value"];
    let Some(map) = parameters(value, &known, path)? else {
        return Ok(Clause::prefix(field, string(value, path)?));
    };
    let value = string(required(map, "value", path)?, &path.key("value"))?;
    Ok(PrefixClause {
        field: field.to_owned(),
        value: value.to_owned(),
        case_insensitive: flag(map, "case_insensitive", false, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn regexp(body: &Value, path: &Path<'_>) -> Result<RegexpClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    refuse(value, &[STATES, REWRITE], path)?;
    let known = ["_name", "boost", "case_insensitive", "flags", "value"];
    let Some(map) = parameters(value, &known, path)? else {
        return Ok(Clause::regexp(field, string(value, path)?));
    };
    let value = string(required(map, "value", path)?, &path.key("value"))?;
    Ok(RegexpClause {
        field: field.to_owned(),
        value: value.to_owned(),
        case_insensitive: flag(map, "case_insensitive", false, path)?,
        flags: flags(map, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn term(body: &Value, path: &Path<'_>) -> Result<TermClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let known = ["_name", "boost", "case_insensitive", "value"];
    let Some(map) = parameters(value, &known, path)? else {
        return Ok(Clause::term(field, FieldValue::from_value(value, path)?));
    };
    Ok(TermClause {
        field: field.to_owned(),
        value: FieldValue::from_value(required(map, "value", path)?, &path.key("value"))?,
        case_insensitive: flag(map, "case_insensitive", false, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

pub(super) fn wildcard(body: &Value, path: &Path<'_>) -> Result<WildcardClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    refuse(value, &[REWRITE], path)?;
    let known = ["_name", "boost", "case_insensitive", "value", "wildcard"];
    let Some(map) = parameters(value, &known, path)? else {
        return Ok(Clause::wildcard(field, string(value, path)?));
    };
    // Elasticsearch has two names for it.
    let key = match (map.get("value"), map.get("wildcard")) {
        (Some(_), Some(_)) => {
            return Err(path.error("\"value\" and \"wildcard\" exclude each other"));
        }
        (None, Some(_)) => "wildcard",
        _ => "value",
    };
    Ok(WildcardClause {
        field: field.to_owned(),
        value: string(required(map, key, path)?, &path.key(key))?.to_owned(),
        case_insensitive: flag(map, "case_insensitive", false, path)?,
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

/// Refuses parameters that are known, but not supported, saying why.
pub(super) fn refuse(value: &Value, refused: &[(&str, &str)], path: &Path<'_>) -> Result<()> {
    match refused.iter().find(|(key, _)| value.get(key).is_some()) {
        None => Ok(()),
        Some((key, why)) => Err(path.error(format_args!("{key:?} is not supported: {why}"))),
    }
}

fn flags(map: &Map<String, Value>, path: &Path<'_>) -> Result<RegexpFlags> {
    let Some(value) = map.get("flags") else {
        return Ok(RegexpFlags::ALL);
    };
    let path = &path.key("flags");
    RegexpFlags::read(string(value, path)?).map_err(|unknown| {
        path.error(format_args!(
            "unknown flag {unknown:?} (known: ALL, ANYSTRING, COMPLEMENT, EMPTY, INTERSECTION, \
             INTERVAL, NONE)"
        ))
    })
}
