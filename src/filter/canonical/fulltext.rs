//! Clauses over texts.
//!
//! Each clause over one field is one shape, and `multi_match` is that shape with a set of fields:
//! of one field it is the same as the clause for it. What Elasticsearch calls the best, the most
//! or all of the fields is a matter of scores.

use std::collections::BTreeSet;

use serde_json::Value;

use super::form::Form;
use crate::filter::builder::MAX_EXPANSIONS;
use crate::filter::clause::{
    FuzzyWords, MatchBoolPrefixClause, MatchClause, MatchPhraseClause, MatchPhrasePrefixClause,
    MinimumShouldMatch, MultiMatchClause, MultiMatchType, Operator, QueryStringClause,
    SimpleQueryFlag, SimpleQueryStringClause, ZeroTermsQuery,
};
use crate::filter::value::FieldValue;

pub(super) fn match_text(clause: &MatchClause) -> Form {
    Text {
        operator: clause.operator,
        minimum: clause.minimum_should_match.as_ref(),
        fuzzy: clause.fuzzy,
        zero_terms: clause.zero_terms_query,
        lenient: clause.lenient,
        ..Text::new(MultiMatchType::BestFields, &clause.query)
    }
    .canonical("field", Form::leaf(clause.field.as_str()))
}

pub(super) fn match_bool_prefix(clause: &MatchBoolPrefixClause) -> Form {
    Text {
        operator: clause.operator,
        minimum: clause.minimum_should_match.as_ref(),
        fuzzy: clause.fuzzy,
        ..Text::new(MultiMatchType::BoolPrefix, &clause.query)
    }
    .canonical("field", Form::leaf(clause.field.as_str()))
}

pub(super) fn match_phrase(clause: &MatchPhraseClause) -> Form {
    Text {
        slop: clause.slop,
        zero_terms: clause.zero_terms_query,
        ..Text::new(MultiMatchType::Phrase, &clause.query)
    }
    .canonical("field", Form::leaf(clause.field.as_str()))
}

pub(super) fn match_phrase_prefix(clause: &MatchPhrasePrefixClause) -> Form {
    Text {
        slop: clause.slop,
        max_expansions: clause.max_expansions,
        zero_terms: clause.zero_terms_query,
        ..Text::new(MultiMatchType::PhrasePrefix, &clause.query)
    }
    .canonical("field", Form::leaf(clause.field.as_str()))
}

pub(super) fn multi_match(clause: &MultiMatchClause) -> Form {
    let fields: BTreeSet<&str> = clause.fields.iter().map(|field| plain(field)).collect();
    let text = Text {
        kind: clause.kind,
        query: &clause.query,
        operator: clause.operator,
        minimum: clause.minimum_should_match.as_ref(),
        fuzzy: clause.fuzzy,
        slop: clause.slop,
        max_expansions: clause.max_expansions,
        zero_terms: clause.zero_terms_query,
        lenient: clause.lenient,
    };
    match fields.first() {
        // A pattern is no field of that name.
        Some(field) if fields.len() == 1 && !field.contains('*') => {
            text.canonical("field", Form::leaf(*field))
        }
        _ => text.canonical("fields", Form::texts(fields)),
    }
}

/// What both kinds of query text have.
fn query_text(
    (query, fields, default): (&str, &[String], Operator),
    asked: Option<&MinimumShouldMatch>,
    lenient: bool,
) -> Vec<(&'static str, Form)> {
    let fields: BTreeSet<&str> = fields.iter().map(|field| plain(field)).collect();
    let mut body = vec![
        ("query", Form::leaf(query)),
        ("fields", Form::texts(fields)),
        ("operator", Form::leaf(operator(default))),
    ];
    insert(&mut body, "minimum_should_match", asked.map(minimum_of));
    insert(&mut body, "lenient", lenient.then_some(true));
    body
}

pub(super) fn query_string(clause: &QueryStringClause) -> Form {
    let body = query_text(
        (&clause.query, &clause.fields, clause.default_operator),
        clause.minimum_should_match.as_ref(),
        clause.lenient,
    );
    Form::of("query_string", Form::object(body))
}

pub(super) fn simple_query_string(clause: &SimpleQueryStringClause) -> Form {
    let mut body = query_text(
        (&clause.query, &clause.fields, clause.default_operator),
        clause.minimum_should_match.as_ref(),
        clause.lenient,
    );
    if clause.flags != SimpleQueryFlag::all() {
        let names = SimpleQueryFlag::NAMES;
        let set = names.iter().filter(|(_, flag)| clause.flags.contains(flag));
        let set = set.map(|(name, _)| *name);
        body.push(("flags", Form::texts(set)));
    }
    let prefix_length = clause.fuzzy_prefix_length;
    insert(
        &mut body,
        "prefix_length",
        (prefix_length > 0).then_some(prefix_length),
    );
    let apart = (!clause.fuzzy_transpositions).then_some(false);
    insert(&mut body, "transpositions", apart);
    Form::of("simple_query_string", Form::object(body))
}

/// How a text is searched in a field.
struct Text<'c> {
    kind: MultiMatchType,
    query: &'c FieldValue,
    operator: Operator,
    minimum: Option<&'c MinimumShouldMatch>,
    fuzzy: Option<FuzzyWords>,
    slop: u32,
    max_expansions: u32,
    zero_terms: ZeroTermsQuery,
    lenient: bool,
}

impl<'c> Text<'c> {
    fn new(kind: MultiMatchType, query: &'c FieldValue) -> Self {
        Self {
            kind,
            query,
            operator: Operator::Or,
            minimum: None,
            fuzzy: None,
            slop: 0,
            max_expansions: MAX_EXPANSIONS,
            zero_terms: ZeroTermsQuery::None,
            lenient: false,
        }
    }

    /// Defaults are left out.
    fn canonical(&self, key: &'static str, fields: Form) -> Form {
        let mut body = vec![("query", Form::leaf(self.query.to_value())), (key, fields)];
        let and = self.operator == Operator::And;
        insert(&mut body, "operator", and.then_some("and"));
        let minimum = match self.minimum {
            // No word is optional: a minimum above none is never met, however high.
            Some(minimum) if and => (minimum.resolve(0) > 0).then(|| Value::from(1)),
            other => other.map(minimum_of),
        };
        insert(&mut body, "minimum_should_match", minimum);
        if let Some(fuzzy) = self.fuzzy {
            body.push(("fuzziness", Form::leaf(fuzzy.fuzziness.to_string())));
            let prefix_length = (fuzzy.prefix_length > 0).then_some(fuzzy.prefix_length);
            insert(&mut body, "prefix_length", prefix_length);
            let apart = (!fuzzy.transpositions).then_some(false);
            insert(&mut body, "transpositions", apart);
        }
        insert(&mut body, "slop", (self.slop > 0).then_some(self.slop));
        let expansions = self.max_expansions;
        let expansions = (expansions != MAX_EXPANSIONS).then_some(expansions);
        insert(&mut body, "max_expansions", expansions);
        let all = self.zero_terms == ZeroTermsQuery::All;
        insert(&mut body, "zero_terms", all.then_some("all"));
        insert(&mut body, "lenient", self.lenient.then_some(true));
        let name = match self.kind {
            MultiMatchType::BestFields | MultiMatchType::MostFields => "match",
            MultiMatchType::BoolPrefix => "match_bool_prefix",
            MultiMatchType::Phrase => "match_phrase",
            MultiMatchType::PhrasePrefix => "match_phrase_prefix",
        };
        Form::of(name, Form::object(body))
    }
}

/// A field without its factor, which changes no bytes.
fn plain(field: &str) -> &str {
    match field.rsplit_once('^') {
        Some((name, boost)) if boost.parse::<f32>().is_ok() => name,
        _ => field,
    }
}

fn operator(operator: Operator) -> &'static str {
    match operator {
        Operator::And => "and",
        Operator::Or => "or",
    }
}

fn minimum_of(minimum: &MinimumShouldMatch) -> Value {
    match minimum {
        MinimumShouldMatch::Count(count) => Value::from(*count),
        other => Value::from(other.to_string()),
    }
}

fn insert(
    body: &mut Vec<(&'static str, Form)>,
    key: &'static str,
    value: Option<impl Into<Value>>,
) {
    body.extend(value.map(|value| (key, Form::leaf(value))));
}
