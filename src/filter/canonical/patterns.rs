//! The canonical forms of clauses that match terms by a pattern.

use serde_json::Value;

use super::form::Form;
use crate::filter::bind::{canonical_wildcard, has_case};
use crate::filter::clause::{FuzzyClause, RegexpClause, RegexpFlags, WildcardClause};

/// A word that allows no edits is a wildcard without operators, and is bound as one.
pub(super) fn fuzzy(clause: &FuzzyClause) -> Form {
    let word = clause.value.to_string();
    let edits = clause.fuzziness.edits(word.chars().count());
    if edits == 0 {
        let escaped = word
            .replace('\\', r"\\")
            .replace('*', r"\*")
            .replace('?', r"\?");
        return Form::of("wildcard", Form::object(body(&clause.field, escaped)));
    }
    let mut body = body(&clause.field, word);
    body.push(("edits", Form::leaf(edits)));
    if clause.prefix_length != 0 {
        body.push(("prefix_length", Form::leaf(clause.prefix_length)));
    }
    if !clause.transpositions {
        body.push(("transpositions", Form::leaf(false)));
    }
    Form::of("fuzzy", Form::object(body))
}

/// Terms that begin with a text.
pub(super) fn prefix(field: &str, value: &str, case_insensitive: bool) -> Form {
    let folded = case_insensitive && has_case(value);
    let value = if folded {
        value.to_ascii_lowercase()
    } else {
        value.to_owned()
    };
    Form::of("prefix", insensitive(body(field, value), folded))
}

pub(super) fn regexp(clause: &RegexpClause) -> Form {
    let mut body = body(&clause.field, clause.value.as_str());
    if clause.flags != RegexpFlags::ALL {
        body.push(("flags", Form::leaf(clause.flags.to_string())));
    }
    Form::of("regexp", insensitive(body, clause.case_insensitive))
}

/// A pattern whose only operator is a `*` at its end is a prefix, and is bound as one.
pub(super) fn wildcard(clause: &WildcardClause) -> Form {
    let folded = clause.case_insensitive && has_case(&clause.value);
    let value = canonical_wildcard(&clause.value, folded);
    if let Some(beginning) = value.strip_suffix('*')
        && !beginning.contains(['*', '?', '\\'])
    {
        return prefix(&clause.field, beginning, clause.case_insensitive);
    }
    Form::of("wildcard", insensitive(body(&clause.field, value), folded))
}

/// Notes that case does not matter, where it could.
pub(super) fn insensitive(mut body: Vec<(&'static str, Form)>, case_insensitive: bool) -> Form {
    if case_insensitive {
        body.push(("case_insensitive", Form::leaf(true)));
    }
    Form::object(body)
}

/// What a clause over one field begins with.
pub(super) fn body(field: &str, value: impl Into<Value>) -> Vec<(&'static str, Form)> {
    vec![("field", Form::leaf(field)), ("value", Form::leaf(value))]
}
