//! The rows of the table: every clause, with the parameters that change what is read.

use serde_json::{Value, json};

use super::fields::Shape;

/// One request, over any field.
pub struct Row {
    pub title: &'static str,
    pub body: fn(&Shape) -> Value,
}

/// A clause, scored.
macro_rules! row {
    ($title:literal, |$path:ident, $it:ident| $clause:tt) => {
        Row {
            title: $title,
            body: |shape| {
                let ($path, $it) = (&shape.path, Asked(shape));
                let _ = (&$it, $path);
                json!({ "query": $clause })
            },
        }
    };
}

/// What a row asks of a field.
struct Asked<'s>(&'s Shape);

impl Asked<'_> {
    fn exact(&self) -> Value {
        (self.0.content.exact)()
    }

    fn words(&self) -> Value {
        (self.0.content.words)()
    }

    fn beginning(&self) -> &'static str {
        self.0.content.beginning
    }

    fn nearly(&self) -> &'static str {
        self.0.content.nearly
    }

    /// What phrases with an open end look for.
    fn open_end(&self) -> Value {
        let words = self.words();
        let text = words.as_str().map(|words| words.split_once(' '));
        match text {
            Some(Some((first, _))) => json!(format!("{first} {}", self.beginning())),
            _ => words,
        }
    }

    fn upper_case(&self) -> String {
        text(&self.exact()).to_uppercase()
    }

    /// `f:value` in the grammar of query strings.
    fn named(&self, value: &str) -> String {
        format!("{}:{value}", self.0.path)
    }

    fn word(&self) -> String {
        let text = text(&self.exact());
        let plain = text.chars().all(|c| c.is_alphanumeric() || c == '.');
        if plain {
            self.named(&text)
        } else {
            self.named(&format!("\"{text}\""))
        }
    }

    fn phrase(&self) -> String {
        self.named(&format!("\"{}\"", text(&self.words())))
    }

    fn span(&self) -> String {
        let text = text(&self.exact());
        self.named(&format!("[{text} TO *]"))
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Clauses that look at one field.
pub fn rows() -> Vec<Row> {
    let mut rows = exact();
    rows.extend(patterns());
    rows.extend(full_text());
    rows.extend(strings());
    rows.extend(contexts());
    rows
}

fn exact() -> Vec<Row> {
    vec![
        row!("`term`", |f, it| { "term": { f: it.exact() } }),
        row!("`term`, `case_insensitive`", |f, it| {
            "term": { f: { "value": it.upper_case(), "case_insensitive": true } }
        }),
        row!("`terms`", |f, it| { "terms": { f: [it.exact(), it.exact()] } }),
        row!("`range`", |f, it| { "range": { f: { "gte": it.exact() } } }),
        row!("`exists`", |f, it| { "exists": { "field": f } }),
    ]
}

fn patterns() -> Vec<Row> {
    vec![
        row!("`prefix`", |f, it| { "prefix": { f: it.beginning() } }),
        row!("`prefix`, `case_insensitive`", |f, it| {
            "prefix": { f: { "value": it.beginning(), "case_insensitive": true } }
        }),
        row!("`wildcard`", |f, it| {
            "wildcard": { f: (format!("*{}*", it.beginning())) }
        }),
        row!("`wildcard`, only a prefix", |f, it| {
            "wildcard": { f: (format!("{}*", it.beginning())) }
        }),
        row!("`regexp`", |f, it| { "regexp": { f: (format!("{}.*", it.beginning())) } }),
        row!("`fuzzy`", |f, it| { "fuzzy": { f: it.nearly() } }),
    ]
}

fn full_text() -> Vec<Row> {
    vec![
        row!("`match`", |f, it| { "match": { f: it.words() } }),
        row!("`match`, `operator: and`", |f, it| {
            "match": { f: { "query": it.words(), "operator": "and" } }
        }),
        row!("`match`, `fuzziness`", |f, it| {
            "match": { f: { "query": it.nearly(), "fuzziness": 1 } }
        }),
        row!("`match_phrase`", |f, it| { "match_phrase": { f: it.words() } }),
        row!("`match_phrase`, `slop`", |f, it| {
            "match_phrase": { f: { "query": it.words(), "slop": 2 } }
        }),
        row!("`match_phrase_prefix`", |f, it| { "match_phrase_prefix": { f: it.open_end() } }),
        row!("`match_bool_prefix`", |f, it| { "match_bool_prefix": { f: it.open_end() } }),
        row!("`multi_match`, `best_fields`", |f, it| {
            "multi_match": { "query": it.words(), "fields": [f] }
        }),
        row!("`multi_match`, `most_fields`", |f, it| {
            "multi_match": { "query": it.words(), "fields": [f], "type": "most_fields" }
        }),
        row!("`multi_match`, `phrase`", |f, it| {
            "multi_match": { "query": it.words(), "fields": [f], "type": "phrase" }
        }),
        row!("`multi_match`, `phrase_prefix`", |f, it| {
            "multi_match": { "query": it.open_end(), "fields": [f], "type": "phrase_prefix" }
        }),
        row!("`multi_match`, `bool_prefix`", |f, it| {
            "multi_match": { "query": it.open_end(), "fields": [f], "type": "bool_prefix" }
        }),
    ]
}

fn strings() -> Vec<Row> {
    vec![
        row!("`query_string`, `f:value`", |f, it| { "query_string": { "query": it.word() } }),
        row!("`query_string`, `f:\"a b\"`", |f, it| {
            "query_string": { "query": it.phrase() }
        }),
        row!("`query_string`, `f:a*`", |f, it| {
            "query_string": { "query": it.named(&format!("{}*", it.beginning())) }
        }),
        row!("`query_string`, `f:[a TO *]`", |f, it| {
            "query_string": { "query": it.span() }
        }),
        row!("`simple_query_string`, a word", |f, it| {
            "simple_query_string": { "query": it.exact_text(), "fields": [f] }
        }),
        row!("`simple_query_string`, `\"a b\"`", |f, it| {
            "simple_query_string": { "query": it.quoted(), "fields": [f] }
        }),
        row!("`simple_query_string`, `a*`", |f, it| {
            "simple_query_string": { "query": it.starred(), "fields": [f] }
        }),
    ]
}

impl Asked<'_> {
    fn exact_text(&self) -> String {
        text(&self.exact())
    }

    fn quoted(&self) -> String {
        format!("\"{}\"", text(&self.words()))
    }

    fn starred(&self) -> String {
        format!("{}*", self.beginning())
    }
}

/// The same clause where it is not scored.
fn contexts() -> Vec<Row> {
    vec![
        row!("`match` under `bool.filter`", |f, it| {
            "bool": { "filter": { "match": { f: it.words() } } }
        }),
        row!("`match` under `bool.must_not`", |f, it| {
            "bool": { "must_not": { "match": { f: it.words() } } }
        }),
        row!("`match` under `constant_score`", |f, it| {
            "constant_score": { "filter": { "match": { f: it.words() } } }
        }),
        row!("`match` under `dis_max`", |f, it| {
            "dis_max": { "queries": [{ "match": { f: it.words() } }] }
        }),
        Row {
            title: "`match`, hits sorted by a column",
            body: |shape| {
                let words = Asked(shape).words();
                json!({"query": {"match": {&shape.path: words}}, "sort": "id"})
            },
        },
        Row {
            title: "`term`, only counted (`size: 0`)",
            body: |shape| {
                let exact = Asked(shape).exact();
                json!({"query": {"term": {&shape.path: exact}}, "size": 0})
            },
        },
    ]
}

/// Clauses that look at no field.
pub fn fieldless() -> Vec<(&'static str, Value)> {
    vec![
        ("`match_all`", json!({"match_all": {}})),
        ("`match_none`", json!({"match_none": {}})),
        ("`ids`", json!({"ids": {"values": ["0:1", "0:2"]}})),
    ]
}

/// Clauses of Elasticsearch that are refused.
pub const REFUSED: &[&str] = &[
    "boosting",
    "combined_fields",
    "distance_feature",
    "function_score",
    "geo_bounding_box",
    "geo_distance",
    "geo_polygon",
    "geo_shape",
    "has_child",
    "has_parent",
    "intervals",
    "knn",
    "more_like_this",
    "nested",
    "parent_id",
    "percolate",
    "pinned",
    "rank_feature",
    "script",
    "script_score",
    "span_near",
    "span_term",
    "terms_set",
    "wrapper",
];
