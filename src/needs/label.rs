//! Clauses as a person would write them down.

use std::fmt::Write as _;

use tantivy::Term;
use tantivy::schema::{Schema, Type, ValueBytes};

use crate::filter::BoundClause;

/// How many values of a list are shown.
const MAX_SHOWN: usize = 3;

/// What one clause says, without the clauses in it.
pub(super) fn label(clause: &BoundClause, schema: &Schema) -> String {
    let name = |field| schema.get_field_name(field);
    match clause {
        BoundClause::All => "every document".to_owned(),
        BoundClause::Automaton { field, automaton } => {
            format!("terms of {}: {automaton:?}", name(*field))
        }
        BoundClause::Bool(_) => "bool".to_owned(),
        BoundClause::Boost(_, boost) => format!("boost {boost}"),
        BoundClause::ColumnRange { column, values, .. } => format!("column {column}: {values:?}"),
        BoundClause::Constant(_, score) => format!("constant score {score}"),
        BoundClause::DisMax { tie_breaker, .. } => format!("best of, tie breaker {tie_breaker}"),
        BoundClause::Empty => "no document".to_owned(),
        BoundClause::Exists { column, .. } => format!("column {column} has a value"),
        BoundClause::Ids(_) => "documents by their ids".to_owned(),
        BoundClause::Opaque(query) => {
            let text = format!("{query:?}");
            let end = text.char_indices().nth(80).map_or(text.len(), |(at, _)| at);
            format!("query {}", &text[..end])
        }
        BoundClause::Phrase { terms, slop } => {
            let terms: Vec<&Term> = terms.iter().map(|(_, term)| term).collect();
            format!("phrase {}, slop {slop}", list(&terms, schema))
        }
        BoundClause::PhrasePrefix {
            terms,
            prefix,
            max_expansions,
        } => {
            let terms: Vec<&Term> = terms.iter().map(|(_, term)| term).collect();
            let prefix = shown(&prefix.1, schema);
            let terms = list(&terms, schema);
            format!("phrase {terms}, then one of {max_expansions} that begin with {prefix}")
        }
        BoundClause::Term { term, .. } => format!("term {}", shown(term, schema)),
        BoundClause::TermRange {
            field,
            lower,
            upper,
        } => {
            let range = crate::filter::Expansion::Range(lower.clone(), upper.clone());
            format!("terms of {}: {range:?}", name(*field))
        }
        BoundClause::Terms { terms, .. } => {
            let terms: Vec<&Term> = terms.iter().collect();
            format!("any of {}", list(&terms, schema))
        }
    }
}

fn list(terms: &[&Term], schema: &Schema) -> String {
    let mut text = terms
        .iter()
        .take(MAX_SHOWN)
        .map(|term| shown(term, schema))
        .collect::<Vec<_>>()
        .join(" ");
    if terms.len() > MAX_SHOWN {
        let _ = write!(text, " and {} more", terms.len() - MAX_SHOWN);
    }
    text
}

/// A term as `field:value`.
fn shown(term: &Term, schema: &Schema) -> String {
    let value = term.value();
    let text = if value.typ() == Type::Json {
        // The path, which the name shows, a NUL, then the value with its type.
        let bytes = term.serialized_value_bytes();
        let path = bytes.iter().position(|byte| *byte == 0);
        let typed = path.and_then(|at| bytes.get(at + 1..));
        typed.filter(|typed| !typed.is_empty()).map_or_else(
            || bytes.escape_ascii().to_string(),
            |typed| plain(&ValueBytes::wrap(typed)),
        )
    } else {
        plain(&value)
    };
    format!("{}:{text}", term.get_full_path(schema))
}

fn plain<B: AsRef<[u8]>>(value: &ValueBytes<B>) -> String {
    let shown = match value.typ() {
        Type::Str => value.as_str().map(|value| format!("{value:?}")),
        Type::U64 => value.as_u64().map(|value| value.to_string()),
        Type::I64 => value.as_i64().map(|value| value.to_string()),
        Type::F64 => value.as_f64().map(|value| value.to_string()),
        Type::Bool => value.as_bool().map(|value| value.to_string()),
        Type::Date => value.as_date().map(|value| format!("{value:?}")),
        Type::Facet => value.as_facet().map(|value| value.to_string()),
        Type::IpAddr => value.as_ip_addr().map(|value| value.to_string()),
        Type::Bytes | Type::Json | Type::Custom => None,
    };
    shown.unwrap_or_else(|| value.as_serialized()[1..].escape_ascii().to_string())
}
