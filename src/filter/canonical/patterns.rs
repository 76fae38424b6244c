//! The canonical forms of clauses that match terms by a pattern.

use serde_json::{Value, json};

use crate::filter::bind::{canonical_wildcard, has_case};
use crate::filter::clause::{FuzzyClause, RegexpClause, RegexpFlags, WildcardClause};

/// A word that allows no edits is a wildcard without operators, and is bound as one.
pub(super) fn fuzzy(clause: &FuzzyClause) -> Value {
    let word = clause.value.to_string();
    let edits = clause.fuzziness.edits(word.chars().count());
    if edits == 0 {
        let escaped = word
            .replace('\\', r"\\")
            .replace('*', r"\*")
            .replace('?', r"\?");
        return json!({"wildcard": {"field": clause.field, "value": escaped}});
    }
    let mut body = json!({"field": clause.field, "value": word, "edits": edits});
    if clause.prefix_length != 0 {
        body["prefix_length"] = json!(clause.prefix_length);
    }
    if !clause.transpositions {
        body["transpositions"] = json!(false);
    }
    json!({"fuzzy": body})
}

/// Terms that begin with a text.
pub(super) fn prefix(field: &str, value: &str, case_insensitive: bool) -> Value {
    let folded = case_insensitive && has_case(value);
    let value = if folded {
        value.to_ascii_lowercase()
    } else {
        value.to_owned()
    };
    json!({"prefix": insensitive(json!({"field": field, "value": value}), folded)})
}

pub(super) fn regexp(clause: &RegexpClause) -> Value {
    let mut body = json!({"field": clause.field, "value": clause.value});
    if clause.flags != RegexpFlags::ALL {
        body["flags"] = json!(clause.flags.to_string());
    }
    json!({"regexp": insensitive(body, clause.case_insensitive)})
}

/// A pattern whose only operator is a `*` at its end is a prefix, and is bound as one.
pub(super) fn wildcard(clause: &WildcardClause) -> Value {
    let folded = clause.case_insensitive && has_case(&clause.value);
    let value = canonical_wildcard(&clause.value, folded);
    if let Some(beginning) = value.strip_suffix('*')
        && !beginning.contains(['*', '?', '\\'])
    {
        return prefix(&clause.field, beginning, clause.case_insensitive);
    }
    let body = json!({"field": clause.field, "value": value});
    json!({"wildcard": insensitive(body, folded)})
}

/// Notes that case does not matter, where it could.
pub(super) fn insensitive(mut body: Value, case_insensitive: bool) -> Value {
    if case_insensitive {
        body["case_insensitive"] = json!(true);
    }
    body
}
