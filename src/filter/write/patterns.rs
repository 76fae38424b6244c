//! Clauses that match terms by a pattern.

use serde_json::{Map, Value, json};

use crate::filter::clause::{Fuzziness, FuzzyClause, RegexpClause, RegexpFlags};

pub(super) fn fuzzy(clause: &FuzzyClause) -> Map<String, Value> {
    let mut body = Map::from_iter([("value".to_owned(), clause.value.to_value())]);
    match clause.fuzziness {
        Fuzziness::AUTO => {}
        Fuzziness::Edits(edits) => {
            body.insert("fuzziness".into(), json!(edits));
        }
        auto => {
            body.insert("fuzziness".into(), json!(auto.to_string()));
        }
    }
    if clause.prefix_length != 0 {
        body.insert("prefix_length".into(), json!(clause.prefix_length));
    }
    if !clause.transpositions {
        body.insert("transpositions".into(), json!(false));
    }
    body
}

/// A value, and whether its case matters.
pub(super) fn pattern(value: Value, case_insensitive: bool) -> Map<String, Value> {
    let mut body = Map::from_iter([("value".to_owned(), value)]);
    if case_insensitive {
        body.insert("case_insensitive".into(), json!(true));
    }
    body
}

pub(super) fn regexp(clause: &RegexpClause) -> Map<String, Value> {
    let mut body = pattern(json!(clause.value), clause.case_insensitive);
    if clause.flags != RegexpFlags::ALL {
        body.insert("flags".into(), json!(clause.flags.to_string()));
    }
    body
}
