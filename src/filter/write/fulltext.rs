//! Clauses over texts: what is not the default.

use serde_json::{Map, Value, json};

use super::{insert_minimum, insert_operator, shortest};
use crate::filter::builder::MAX_EXPANSIONS;
use crate::filter::clause::{
    Fuzziness, FuzzyWords, MatchBoolPrefixClause, MatchClause, MatchPhraseClause,
    MatchPhrasePrefixClause, MultiMatchClause, MultiMatchType, QueryStringClause, SimpleQueryFlag,
    SimpleQueryStringClause, ZeroTermsQuery,
};
use crate::filter::value::FieldValue;

pub(super) fn match_body(clause: &MatchClause) -> Map<String, Value> {
    let mut body = query(&clause.query);
    insert_operator(&mut body, "operator", clause.operator);
    insert_minimum(&mut body, clause.minimum_should_match.as_ref());
    insert_fuzzy(&mut body, clause.fuzzy);
    insert_zero_terms(&mut body, clause.zero_terms_query);
    insert_flag(&mut body, "lenient", clause.lenient, false);
    body
}

pub(super) fn match_bool_prefix_body(clause: &MatchBoolPrefixClause) -> Map<String, Value> {
    let mut body = query(&clause.query);
    insert_operator(&mut body, "operator", clause.operator);
    insert_minimum(&mut body, clause.minimum_should_match.as_ref());
    insert_fuzzy(&mut body, clause.fuzzy);
    body
}

pub(super) fn match_phrase_body(clause: &MatchPhraseClause) -> Map<String, Value> {
    let mut body = query(&clause.query);
    insert_number(&mut body, "slop", clause.slop, 0);
    insert_zero_terms(&mut body, clause.zero_terms_query);
    body
}

pub(super) fn match_phrase_prefix_body(clause: &MatchPhrasePrefixClause) -> Map<String, Value> {
    let mut body = query(&clause.query);
    let expansions = clause.max_expansions;
    insert_number(&mut body, "max_expansions", expansions, MAX_EXPANSIONS);
    insert_number(&mut body, "slop", clause.slop, 0);
    insert_zero_terms(&mut body, clause.zero_terms_query);
    body
}

pub(super) fn multi_match_body(clause: &MultiMatchClause) -> Value {
    let mut body = query(&clause.query);
    insert_fields(&mut body, &clause.fields);
    if clause.kind != MultiMatchType::default() {
        body.insert("type".into(), json!(clause.kind.name()));
    }
    if let Some(part) = clause.tie_breaker {
        body.insert("tie_breaker".into(), shortest(part));
    }
    insert_operator(&mut body, "operator", clause.operator);
    insert_minimum(&mut body, clause.minimum_should_match.as_ref());
    insert_fuzzy(&mut body, clause.fuzzy);
    insert_number(&mut body, "slop", clause.slop, 0);
    let expansions = clause.max_expansions;
    insert_number(&mut body, "max_expansions", expansions, MAX_EXPANSIONS);
    insert_zero_terms(&mut body, clause.zero_terms_query);
    insert_flag(&mut body, "lenient", clause.lenient, false);
    Value::Object(body)
}

pub(super) fn query_string_body(clause: &QueryStringClause) -> Value {
    let mut body = Map::from_iter([("query".to_owned(), json!(clause.query))]);
    insert_fields(&mut body, &clause.fields);
    insert_operator(&mut body, "default_operator", clause.default_operator);
    insert_minimum(&mut body, clause.minimum_should_match.as_ref());
    insert_flag(&mut body, "lenient", clause.lenient, false);
    Value::Object(body)
}

pub(super) fn simple_query_string_body(clause: &SimpleQueryStringClause) -> Value {
    let mut body = Map::from_iter([("query".to_owned(), json!(clause.query))]);
    insert_fields(&mut body, &clause.fields);
    insert_operator(&mut body, "default_operator", clause.default_operator);
    if clause.flags != SimpleQueryFlag::all() {
        let names = SimpleQueryFlag::NAMES;
        let set = names.iter().filter(|(_, flag)| clause.flags.contains(flag));
        let set: Vec<&str> = set.map(|(name, _)| *name).collect();
        let flags = if set.is_empty() {
            "NONE".to_owned()
        } else {
            set.join("|")
        };
        body.insert("flags".into(), Value::String(flags));
    }
    insert_minimum(&mut body, clause.minimum_should_match.as_ref());
    let prefix_length = clause.fuzzy_prefix_length;
    insert_number(&mut body, "fuzzy_prefix_length", prefix_length, 0);
    let transpositions = clause.fuzzy_transpositions;
    insert_flag(&mut body, "fuzzy_transpositions", transpositions, true);
    insert_flag(&mut body, "lenient", clause.lenient, false);
    Value::Object(body)
}

fn query(query: &FieldValue) -> Map<String, Value> {
    Map::from_iter([("query".to_owned(), query.to_value())])
}

fn insert_fields(body: &mut Map<String, Value>, fields: &[String]) {
    if !fields.is_empty() {
        body.insert("fields".into(), json!(fields));
    }
}

fn insert_flag(body: &mut Map<String, Value>, key: &str, flag: bool, default: bool) {
    if flag != default {
        body.insert(key.into(), json!(flag));
    }
}

fn insert_fuzzy(body: &mut Map<String, Value>, fuzzy: Option<FuzzyWords>) {
    let Some(fuzzy) = fuzzy else {
        return;
    };
    let fuzziness = match fuzzy.fuzziness {
        Fuzziness::Edits(edits) => json!(edits),
        auto => json!(auto.to_string()),
    };
    body.insert("fuzziness".into(), fuzziness);
    insert_number(body, "prefix_length", fuzzy.prefix_length, 0);
    insert_flag(body, "fuzzy_transpositions", fuzzy.transpositions, true);
}

fn insert_number(body: &mut Map<String, Value>, key: &str, number: u32, default: u32) {
    if number != default {
        body.insert(key.into(), json!(number));
    }
}

fn insert_zero_terms(body: &mut Map<String, Value>, matches: ZeroTermsQuery) {
    if matches == ZeroTermsQuery::All {
        body.insert("zero_terms_query".into(), json!("all"));
    }
}
