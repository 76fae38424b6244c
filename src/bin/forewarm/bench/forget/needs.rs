//! What a request needs, in the terms that an engine of today warms in: terms, ranges of terms,
//! patterns, whole columns, all norms.
//!
//! Terms are asked of the compiled query; the rest is read off the body, for the body says which
//! fields are searched by what. What is overlooked is read late, which shows: the body then
//! counts as not served.

use std::collections::BTreeSet;

use forewarm::{SearchRequest, SortKey};
use serde_json::{Map, Value};
use tantivy::schema::{FieldType, Schema};

/// What is to be warmed, beside the terms of the query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Fields and prefixes of terms, and whether positions are read too.
    pub(super) prefixes: Vec<(String, String, bool)>,
    /// Fields and regular expressions.
    pub(super) patterns: Vec<(String, String)>,
    /// Fast fields.
    pub(super) columns: BTreeSet<String>,
    pub(super) norms: bool,
    pub(super) aggregations: Option<Value>,
}

impl Needs {
    /// Reads them off a request.
    ///
    /// # Errors
    ///
    /// Why this way of warming cannot serve it.
    pub(super) fn of(request: &SearchRequest, schema: &Schema) -> Result<Self, String> {
        let body = request.to_value().map_err(|error| error.chain())?;
        let mut needs = Self {
            norms: request.is_scored(),
            ..Self::default()
        };
        needs.clauses(&body["query"], schema);
        if request.sorts().len() > 2 {
            return Err("sorted by more than two keys".to_owned());
        }
        if request.place().is_some() {
            return Err("search_after".to_owned());
        }
        if !request.highlighted().is_empty() {
            return Err("highlights".to_owned());
        }
        for sort in request.sorts() {
            match &sort.key {
                SortKey::Field(field) => needs.columns.insert(field.clone()),
                SortKey::Score => true,
                _ => return Err("sorted by what tantivy has no collector for".to_owned()),
            };
        }
        if let Some(fields) = body.get("fields").and_then(Value::as_array) {
            for field in fields {
                let name = field.as_str().or_else(|| field["field"].as_str());
                needs.columns.extend(name.map(str::to_owned));
            }
        }
        if let Some(aggregations) = body.get("aggs").or_else(|| body.get("aggregations")) {
            needs.fields_of(aggregations);
            needs.aggregations = Some(aggregations.clone());
        }
        Ok(needs)
    }

    /// Collects what clauses anywhere in the query need beside terms.
    fn clauses(&mut self, value: &Value, schema: &Schema) {
        match value {
            Value::Array(values) => values.iter().for_each(|one| self.clauses(one, schema)),
            Value::Object(clauses) => {
                for (kind, inside) in clauses {
                    self.clause(kind, inside, schema);
                    self.clauses(inside, schema);
                }
            }
            _ => {}
        }
    }

    fn clause(&mut self, kind: &str, inside: &Value, schema: &Schema) {
        let Value::Object(fields) = inside else {
            return;
        };
        match kind {
            "exists" => self
                .columns
                .extend(inside["field"].as_str().map(str::to_owned)),
            "match_phrase_prefix" => {
                for (field, text) in texts(fields, "query") {
                    let last = text.split_whitespace().last().unwrap_or_default();
                    let last = last.to_lowercase();
                    self.prefixes.push((field, last, true));
                }
            }
            "prefix" => {
                for (field, text) in texts(fields, "value") {
                    self.prefixes.push((field, text, false));
                }
            }
            "range" => {
                let numeric = |name: &&String| {
                    let field = schema
                        .get_field(name)
                        .map(|field| schema.get_field_entry(field));
                    // What is no field of its own is a path inside one of JSON.
                    field.map_or(true, |entry| {
                        entry.is_fast() && !matches!(entry.field_type(), FieldType::Str(_))
                    })
                };
                self.columns.extend(fields.keys().filter(numeric).cloned());
            }
            "regexp" => self.patterns.extend(texts(fields, "value")),
            "wildcard" => {
                let patterns = texts(fields, "value").map(|(field, text)| (field, regex(&text)));
                self.patterns.extend(patterns);
            }
            _ => {}
        }
    }

    /// Every field that an aggregation names.
    fn fields_of(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.fields_of(value)),
            Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str() {
                        Some(name) if key == "field" => {
                            self.columns.insert(name.to_owned());
                        }
                        _ => self.fields_of(value),
                    }
                }
            }
            _ => {}
        }
    }
}

/// The text of each field: given by itself, or under a key.
fn texts(fields: &Map<String, Value>, key: &str) -> impl Iterator<Item = (String, String)> {
    fields.iter().filter_map(move |(field, value)| {
        let text = value.as_str().or_else(|| value[key].as_str())?;
        Some((field.clone(), text.to_owned()))
    })
}

/// A pattern with `*` and `?` as a regular expression.
fn regex(pattern: &str) -> String {
    let mut expression = String::with_capacity(pattern.len() + 8);
    for character in pattern.chars() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            other if other.is_ascii_punctuation() => {
                expression.push('\\');
                expression.push(other);
            }
            other => expression.push(other),
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_read_off_the_body() {
        let mut builder = Schema::builder();
        builder.add_u64_field("n", tantivy::schema::FAST);
        builder.add_text_field("t", tantivy::schema::STRING);
        let schema = builder.build();
        let request = SearchRequest::from_json(
            r#"{"query": {"bool": {"filter": [{"range": {"n": {"gte": 1}}},
                {"prefix": {"t": "ab"}}, {"wildcard": {"t": {"value": "a*.c"}}}]}},
                "sort": [{"s": "desc"}],
                "aggs": {"a": {"terms": {"field": "x"}, "aggs": {"b": {"max": {"field": "y"}}}}}}"#,
        )
        .unwrap();
        let needs = Needs::of(&request, &schema).unwrap();
        assert_eq!(
            needs.columns.iter().collect::<Vec<_>>(),
            ["n", "s", "x", "y"]
        );
        assert_eq!(needs.prefixes, [("t".to_owned(), "ab".to_owned(), false)]);
        assert_eq!(needs.patterns, [("t".to_owned(), r"a.*\.c".to_owned())]);
        assert!(!needs.norms);
    }
}
