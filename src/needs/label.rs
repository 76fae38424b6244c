//! Clauses as a person would write them down.

use std::fmt::Write as _;

use tantivy::Term;
use tantivy::schema::Schema;

use super::shown::{Shown, column_values, cut, debug, term_range};
use crate::filter::BoundClause;

/// How many values of a list are shown.
const MAX_SHOWN: usize = 3;

/// What one clause says, without the clauses in it.
pub(super) fn label(clause: &BoundClause, schema: &Schema) -> String {
    match clause {
        BoundClause::All => "every document".to_owned(),
        BoundClause::Automaton { field, automaton } => {
            let place = Shown::new(*field, automaton.beginning(), schema).place;
            format!("{place}: {}", cut(automaton.shown()))
        }
        BoundClause::Bool(_) => "bool".to_owned(),
        BoundClause::Boost(_, boost) => format!("boost {boost}"),
        BoundClause::ColumnRange { column, values, .. } => {
            format!("column {}: {}", cut(column), column_values(values))
        }
        BoundClause::Constant(_, score) => format!("constant score {score}"),
        BoundClause::DisMax { tie_breaker, .. } if *tie_breaker == 0.0 => "best of".to_owned(),
        BoundClause::DisMax { tie_breaker, .. } => format!("best of, tie breaker {tie_breaker}"),
        BoundClause::Empty => "no document".to_owned(),
        BoundClause::Exists { column, subpaths } => {
            let below = if *subpaths { " or one below" } else { "" };
            format!("column {}{below}: any value", cut(column))
        }
        BoundClause::Ids(ids) => {
            let ids = ids.iter().map(|(segment, doc)| format!("{segment}:{doc}"));
            format!("ids {}", list(ids))
        }
        BoundClause::Opaque(query) => format!("query {}", debug(query)),
        BoundClause::Phrase { terms, slop } => {
            let slop = match slop {
                0 => String::new(),
                slop => format!(", slop {slop}"),
            };
            let terms = terms.iter().map(|(_, term)| term);
            format!("{}{slop}", values("phrase", terms, schema))
        }
        BoundClause::PhrasePrefix {
            terms,
            prefix,
            max_expansions,
        } => {
            let terms = terms.iter().map(|(_, term)| term);
            let phrase = values("phrase", terms, schema);
            let prefix = shown(&prefix.1, schema).value();
            format!("{phrase}, then prefix {prefix}, of which the first {max_expansions}")
        }
        BoundClause::Term { term, .. } => values("term", [term], schema),
        BoundClause::TermRange {
            field,
            lower,
            upper,
        } => term_range(*field, lower, upper, schema),
        BoundClause::Terms { terms, .. } => values("any of", terms, schema),
    }
}

fn shown<'t>(term: &'t Term, schema: &Schema) -> Shown<'t> {
    Shown::new(term.field(), term.serialized_value_bytes(), schema)
}

/// Where terms are, what they are for, and their values.
fn values<'t>(what: &str, terms: impl IntoIterator<Item = &'t Term>, schema: &Schema) -> String {
    let mut terms = terms.into_iter().map(|term| shown(term, schema)).peekable();
    let place = terms.peek().map(|term| term.place.clone());
    let values = list(terms.map(|term| term.value()));
    format!("{}: {what} {values}", place.unwrap_or_default())
}

/// The first of some values, and how many more there are.
fn list(mut values: impl Iterator<Item = String>) -> String {
    let mut text = values
        .by_ref()
        .take(MAX_SHOWN)
        .collect::<Vec<_>>()
        .join(" ");
    let more = values.count();
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}
