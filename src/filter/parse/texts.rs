//! Parameters that clauses over texts have.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::filter::builder::MAX_EXPANSIONS;
use crate::filter::clause::{Fuzziness, FuzzyWords, ZeroTermsQuery};
use crate::filter::json::{check_keys, kind_of, string};
use crate::filter::path::Path;

/// Parameters of Elasticsearch that people may well have, and why they are refused.
const REFUSED: &[(&str, &str)] = &[
    (
        "analyzer",
        "a text is cut by the tokenizer of its field: leave it out",
    ),
    (
        "auto_generate_synonyms_phrase_query",
        "a synonym is one word: leave it out",
    ),
    (
        "cutoff_frequency",
        "Elasticsearch removed it: leave it out, no common word is slow here",
    ),
    (
        "fuzzy_rewrite",
        "a word that may differ always scores 1: leave it out",
    ),
];

/// The parameters of `{"field": {…}}`, or none of `{"field": value}`.
pub(super) fn text_parameters<'v>(
    value: &'v Value,
    known: &[&str],
    path: &Path<'_>,
) -> Result<Option<&'v Map<String, Value>>> {
    match value {
        Value::Object(map) => {
            known_parameters(map, known, path)?;
            Ok(Some(map))
        }
        _ => Ok(None),
    }
}

/// Refuses parameters that are not in `known`, which is sorted.
pub(super) fn known_parameters(
    map: &Map<String, Value>,
    known: &[&str],
    path: &Path<'_>,
) -> Result<()> {
    match REFUSED.iter().find(|(name, _)| map.contains_key(*name)) {
        Some((name, why)) => Err(path.error(format_args!(
            "the parameter {name:?} is not supported: {why}"
        ))),
        None => check_keys(map, known, "parameter", path),
    }
}

/// A boolean that may be left out.
pub(super) fn flag(
    map: &Map<String, Value>,
    key: &str,
    default: bool,
    path: &Path<'_>,
) -> Result<bool> {
    match map.get(key) {
        None => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(value) => Err(path
            .key(key)
            .error(format_args!("expected a boolean, got {}", kind_of(value)))),
    }
}

/// A whole number that may be left out.
pub(super) fn whole(
    map: &Map<String, Value>,
    key: &str,
    default: u32,
    path: &Path<'_>,
) -> Result<u32> {
    let Some(value) = map.get(key) else {
        return Ok(default);
    };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| {
        path.key(key)
            .error(format_args!("expected a whole number from 0, got {value}"))
    })
}

pub(super) fn zero_terms_query(
    map: &Map<String, Value>,
    path: &Path<'_>,
) -> Result<ZeroTermsQuery> {
    let Some(value) = map.get("zero_terms_query") else {
        return Ok(ZeroTermsQuery::None);
    };
    let path = &path.key("zero_terms_query");
    let text = string(value, path)?;
    if text.eq_ignore_ascii_case("all") {
        Ok(ZeroTermsQuery::All)
    } else if text.eq_ignore_ascii_case("none") {
        Ok(ZeroTermsQuery::None)
    } else {
        Err(path.error(format_args!("expected \"all\" or \"none\", got {text:?}")))
    }
}

/// `fuzziness`, and what means something only with it.
pub(super) fn fuzzy(map: &Map<String, Value>, path: &Path<'_>) -> Result<Option<FuzzyWords>> {
    let prefix_length = whole(map, "prefix_length", 0, path)?;
    let transpositions = flag(map, "fuzzy_transpositions", true, path)?;
    let Some(value) = map.get("fuzziness") else {
        // Clients write defaults, too.
        for (key, is_default) in [
            ("prefix_length", prefix_length == 0),
            ("fuzzy_transpositions", transpositions),
        ] {
            if !is_default {
                let message = "means nothing without \"fuzziness\"";
                return Err(path.error(format_args!("the parameter {key:?} {message}")));
            }
        }
        return Ok(None);
    };
    Ok(Some(FuzzyWords {
        fuzziness: fuzziness(value, &path.key("fuzziness"))?,
        prefix_length,
        transpositions,
    }))
}

pub(super) fn fuzziness(value: &Value, path: &Path<'_>) -> Result<Fuzziness> {
    let read = match value {
        Value::Number(number) => Fuzziness::read(&number.to_string()),
        Value::String(text) => Fuzziness::read(text),
        _ => None,
    };
    read.ok_or_else(|| {
        path.error(format_args!(
            "expected 0, 1, 2, \"AUTO\" or \"AUTO:low,high\", got {value}"
        ))
    })
}

/// `max_expansions`: of a prefix. Words that may differ have no limit that could be set.
pub(super) fn expansions(map: &Map<String, Value>, fuzzy: bool, path: &Path<'_>) -> Result<u32> {
    let expansions = whole(map, "max_expansions", MAX_EXPANSIONS, path)?;
    if fuzzy && expansions != MAX_EXPANSIONS {
        return Err(path.key("max_expansions").error(
            "not supported with \"fuzziness\", which finds every term within the distance: leave \
             it out",
        ));
    }
    Ok(expansions)
}
