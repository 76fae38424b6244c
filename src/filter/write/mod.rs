//! Clauses to JSON: the short spelling where there is one.

mod fulltext;
mod patterns;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value, json};

use crate::filter::clause::{BoolClause, Clause, MinimumShouldMatch, Operator, RangeClause};
use crate::filter::json::StrictValue;

impl Clause {
    /// The clause as Elasticsearch writes it. [`from_value`](Self::from_value) reads it back
    /// unchanged.
    ///
    /// ```
    /// use forewarm::Clause;
    ///
    /// let clause: Clause = Clause::term("type", "PushEvent").into();
    /// assert_eq!(clause.to_value(), serde_json::json!({"term": {"type": "PushEvent"}}));
    /// ```
    pub fn to_value(&self) -> Value {
        match self {
            Self::Bool(clause) => json!({"bool": with_common(bool_body(clause), self)}),
            Self::ConstantScore(clause) => {
                let body = json!({"filter": clause.filter.to_value()});
                json!({"constant_score": with_common(body, self)})
            }
            Self::DisMax(clause) => {
                let queries: Vec<Value> = clause.queries.iter().map(Self::to_value).collect();
                let mut body = Map::from_iter([("queries".to_owned(), queries.into())]);
                if clause.tie_breaker != 0.0 {
                    body.insert("tie_breaker".into(), shortest(clause.tie_breaker));
                }
                json!({"dis_max": with_common(Value::Object(body), self)})
            }
            Self::Exists(clause) => {
                json!({"exists": with_common(json!({"field": clause.field}), self)})
            }
            Self::Fuzzy(clause) => {
                let body = patterns::fuzzy(clause);
                by_field("fuzzy", &clause.field, body, "value", self)
            }
            Self::Ids(clause) => {
                json!({"ids": with_common(json!({"values": clause.values}), self)})
            }
            Self::Match(clause) => by_field(
                "match",
                &clause.field,
                fulltext::match_body(clause),
                "query",
                self,
            ),
            Self::MatchAll(_) => json!({"match_all": with_common(json!({}), self)}),
            Self::MatchBoolPrefix(clause) => {
                let body = fulltext::match_bool_prefix_body(clause);
                by_field("match_bool_prefix", &clause.field, body, "query", self)
            }
            Self::MatchNone(_) => json!({"match_none": with_common(json!({}), self)}),
            Self::MatchPhrase(clause) => {
                let body = fulltext::match_phrase_body(clause);
                by_field("match_phrase", &clause.field, body, "query", self)
            }
            Self::MatchPhrasePrefix(clause) => {
                let body = fulltext::match_phrase_prefix_body(clause);
                by_field("match_phrase_prefix", &clause.field, body, "query", self)
            }
            Self::MultiMatch(clause) => {
                json!({"multi_match": with_common(fulltext::multi_match_body(clause), self)})
            }
            Self::Prefix(clause) => {
                let body = patterns::pattern(json!(clause.value), clause.case_insensitive);
                by_field("prefix", &clause.field, body, "value", self)
            }
            Self::QueryString(clause) => {
                json!({"query_string": with_common(fulltext::query_string_body(clause), self)})
            }
            Self::Range(clause) => {
                json!({"range": {&clause.field: with_common(range_body(clause), self)}})
            }
            Self::Regexp(clause) => {
                let body = patterns::regexp(clause);
                by_field("regexp", &clause.field, body, "value", self)
            }
            Self::SimpleQueryString(clause) => {
                let body = fulltext::simple_query_string_body(clause);
                json!({"simple_query_string": with_common(body, self)})
            }
            Self::Term(clause) => {
                let body = patterns::pattern(clause.value.to_value(), clause.case_insensitive);
                by_field("term", &clause.field, body, "value", self)
            }
            Self::Terms(clause) => {
                let values: Vec<Value> =
                    clause.values.iter().map(|value| value.to_value()).collect();
                json!({"terms": with_common(json!({&clause.field: values}), self)})
            }
            Self::Wildcard(clause) => {
                let body = patterns::pattern(json!(clause.value), clause.case_insensitive);
                by_field("wildcard", &clause.field, body, "value", self)
            }
        }
    }
}

impl Serialize for Clause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Clause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let StrictValue(value) = StrictValue::deserialize(deserializer)?;
        Self::from_value(&value).map_err(D::Error::custom)
    }
}

/// `{name: {field: value}}` when the body has nothing but its value, else
/// `{name: {field: body}}`.
fn by_field(
    name: &str,
    field: &str,
    mut body: Map<String, Value>,
    value: &str,
    clause: &Clause,
) -> Value {
    insert_common(&mut body, clause);
    let body = match body.get(value) {
        Some(only) if body.len() == 1 => only.clone(),
        _ => Value::Object(body),
    };
    json!({name: {field: body}})
}

fn with_common(mut body: Value, clause: &Clause) -> Value {
    if let Value::Object(map) = &mut body {
        insert_common(map, clause);
    }
    body
}

/// What every clause has: its boost and its name.
fn insert_common(body: &mut Map<String, Value>, clause: &Clause) {
    let boost = clause.boost_factor();
    if boost != 1.0 {
        body.insert("boost".into(), shortest(boost));
    }
    if let Some(name) = clause.name() {
        body.insert("_name".into(), json!(name));
    }
}

/// The shortest decimal that reads back as the same `f32`: 0.1, not 0.10000000149011612.
fn shortest(number: f32) -> Value {
    let shortest = number.to_string().parse().ok().and_then(Number::from_f64);
    shortest.map_or(Value::Null, Value::Number)
}

fn insert_minimum(body: &mut Map<String, Value>, minimum: Option<&MinimumShouldMatch>) {
    if let Some(minimum) = minimum {
        let value = match minimum {
            MinimumShouldMatch::Count(count) => json!(count),
            other => json!(other.to_string()),
        };
        body.insert("minimum_should_match".into(), value);
    }
}

fn insert_operator(body: &mut Map<String, Value>, key: &str, operator: Operator) {
    if operator == Operator::And {
        body.insert(key.into(), json!("and"));
    }
}

fn bool_body(clause: &BoolClause) -> Value {
    let mut body = Map::new();
    let lists = [
        ("must", &clause.must),
        ("filter", &clause.filter),
        ("should", &clause.should),
        ("must_not", &clause.must_not),
    ];
    for (key, clauses) in lists {
        if !clauses.is_empty() {
            let values = clauses.iter().map(Clause::to_value).collect();
            body.insert(key.into(), Value::Array(values));
        }
    }
    insert_minimum(&mut body, clause.minimum_should_match.as_ref());
    Value::Object(body)
}

fn range_body(clause: &RangeClause) -> Value {
    let mut body = Map::new();
    let bounds = [
        ("gt", &clause.gt),
        ("gte", &clause.gte),
        ("lt", &clause.lt),
        ("lte", &clause.lte),
    ];
    for (key, bound) in bounds {
        if let Some(value) = bound {
            body.insert(key.into(), value.to_value());
        }
    }
    if let Some(format) = &clause.format {
        body.insert("format".into(), json!(format));
    }
    if let Some(time_zone) = &clause.time_zone {
        body.insert("time_zone".into(), json!(time_zone));
    }
    Value::Object(body)
}
