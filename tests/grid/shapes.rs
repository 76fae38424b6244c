//! Every type of field, every shape of index: packs, verifies, opens and searches.

use forewarm::{PackSettings, SearchRequest, verify};
use serde_json::{Value, json};
use tantivy::collector::Count;
use tantivy::schema::{
    BytesOptions, DateOptions, FAST, FacetOptions, INDEXED, IpAddrOptions, JsonObjectOptions,
    NumericOptions, STORED, STRING, Schema, SchemaBuilder, TEXT, TextOptions,
};
use tantivy::{TantivyDocument, Term};

use crate::corpus::{Corpus, index_of, writer};
use crate::expected::{assert_best, assert_total, query};
use crate::random::{RUNTIME, search_thrice};

/// A field named `f`, two values of it, and what of it can be searched.
struct Shape {
    name: &'static str,
    add: fn(&mut SchemaBuilder),
    values: [Value; 2],
    /// Where values are: `f`, or a path in it.
    path: &'static str,
    searched: bool,
    fast: bool,
}

fn shapes() -> Vec<Shape> {
    let shape = |name, add, values, flags: &str| Shape {
        name,
        add,
        values,
        path: if flags.contains('j') { "f.a.b" } else { "f" },
        searched: flags.contains('s'),
        fast: flags.contains('f'),
    };
    let words = || [json!("alpha"), json!("beta")];
    let numbers = || [json!(7), json!(9)];
    let dates = || [json!("2024-02-29T00:00:00Z"), json!("1969-07-20T20:17:40Z")];
    let addresses = || [json!("10.1.2.3"), json!("2001:db8::1")];
    let bytes = || [json!("AQI="), json!("/w==")];
    let objects = || {
        [
            json!({"a": {"b": "alpha"}}),
            json!({"a": {"b": 3}, "c": [1, 2]}),
        ]
    };
    vec![
        shape("text", |s| _ = s.add_text_field("f", TEXT), words(), "s"),
        shape(
            "text, all",
            |s| _ = s.add_text_field("f", TEXT | FAST | STORED),
            words(),
            "sf",
        ),
        shape(
            "string",
            |s| _ = s.add_text_field("f", STRING),
            words(),
            "s",
        ),
        shape(
            "string, fast",
            |s| _ = s.add_text_field("f", STRING | FAST),
            words(),
            "sf",
        ),
        shape(
            "string, only fast",
            |s| _ = s.add_text_field("f", TextOptions::from(FAST)),
            words(),
            "sf",
        ),
        shape(
            "text, only stored",
            |s| _ = s.add_text_field("f", TextOptions::from(STORED)),
            words(),
            "",
        ),
        shape("u64", |s| _ = s.add_u64_field("f", INDEXED), numbers(), "s"),
        shape(
            "u64, fast",
            |s| _ = s.add_u64_field("f", INDEXED | FAST),
            numbers(),
            "sf",
        ),
        shape(
            "u64, only fast",
            |s| _ = s.add_u64_field("f", NumericOptions::from(FAST)),
            numbers(),
            "sf",
        ),
        shape(
            "u64, only stored",
            |s| _ = s.add_u64_field("f", NumericOptions::from(STORED)),
            numbers(),
            "",
        ),
        shape("i64", |s| _ = s.add_i64_field("f", INDEXED), numbers(), "s"),
        shape(
            "i64, only fast",
            |s| _ = s.add_i64_field("f", NumericOptions::from(FAST)),
            numbers(),
            "sf",
        ),
        shape(
            "f64",
            |s| _ = s.add_f64_field("f", INDEXED | FAST),
            [json!(0.5), json!(-1e300)],
            "sf",
        ),
        shape(
            "f64, indexed",
            |s| _ = s.add_f64_field("f", INDEXED),
            [json!(0.5), json!(-1e300)],
            "s",
        ),
        shape(
            "bool",
            |s| _ = s.add_bool_field("f", INDEXED),
            [json!(true), json!(false)],
            "s",
        ),
        shape(
            "bool, fast",
            |s| _ = s.add_bool_field("f", INDEXED | FAST),
            [json!(true), json!(false)],
            "sf",
        ),
        shape(
            "date",
            |s| _ = s.add_date_field("f", DateOptions::from(INDEXED)),
            dates(),
            "s",
        ),
        shape(
            "date, fast",
            |s| _ = s.add_date_field("f", INDEXED | FAST),
            dates(),
            "sf",
        ),
        shape(
            "address",
            |s| _ = s.add_ip_addr_field("f", IpAddrOptions::from(INDEXED)),
            addresses(),
            "s",
        ),
        shape(
            "address, fast",
            |s| _ = s.add_ip_addr_field("f", INDEXED | FAST),
            addresses(),
            "sf",
        ),
        shape(
            "address, only fast",
            |s| _ = s.add_ip_addr_field("f", IpAddrOptions::from(FAST)),
            addresses(),
            "sf",
        ),
        shape(
            "bytes",
            |s| _ = s.add_bytes_field("f", BytesOptions::from(INDEXED)),
            bytes(),
            "s",
        ),
        shape(
            "bytes, fast",
            |s| _ = s.add_bytes_field("f", INDEXED | FAST),
            bytes(),
            "sf",
        ),
        shape(
            "facet",
            |s| _ = s.add_facet_field("f", FacetOptions::default()),
            [json!("/a/b"), json!("/c")],
            "sf",
        ),
        shape("json", |s| _ = s.add_json_field("f", TEXT), objects(), "sj"),
        shape(
            "json, fast",
            |s| _ = s.add_json_field("f", TEXT | FAST),
            objects(),
            "sfj",
        ),
        shape(
            "json, dots",
            |s| {
                let options: JsonObjectOptions = (TEXT | STORED | FAST).into();
                s.add_json_field("f", options.set_expand_dots_enabled());
            },
            [json!({"a.b": "alpha"}), json!({"a": {"b": 3}, "c": {}})],
            "sfj",
        ),
    ]
}

/// The value at the path of a shape.
fn at_path(value: &Value) -> Value {
    let nested = value.pointer("/a/b").or_else(|| value.pointer("/a.b"));
    nested.unwrap_or(value).clone()
}

/// Which documents, by segment: each has no value, or the first or the second or both.
const LAYOUTS: &[(&str, &[&[&str]])] = &[
    ("no documents", &[]),
    ("one document", &[&["0"]]),
    ("one without a value", &[&[""]]),
    ("only the second", &[&["1", "1"]]),
    (
        "several segments",
        &[&["0", "", "1"], &["", ""], &["01", "1", "0"]],
    ),
    (
        "deletes",
        &[&["0", "x", "1"], &["x", "x"], &["01", "x0", "", "0"]],
    ),
    ("a segment of deletes", &[&["x", "x0"], &["1"]]),
];

fn documents(shape: &Shape, schema: &Schema, segments: &[&[&str]]) -> Vec<Vec<TantivyDocument>> {
    let document = |which: &&str| {
        let mut values = Vec::new();
        for (at, value) in shape.values.iter().enumerate() {
            if which.contains(&at.to_string()) {
                values.push(value.clone());
            }
        }
        let mut document = json!({"gone": u64::from(which.contains('x'))});
        if !values.is_empty() {
            document["f"] = Value::Array(values);
        }
        let Value::Object(document) = document else {
            unreachable!()
        };
        TantivyDocument::from_json_object(schema, document).unwrap()
    };
    let segments = segments.iter();
    segments
        .map(|segment| segment.iter().map(document).collect())
        .collect()
}

fn requests(shape: &Shape) -> Vec<Value> {
    let path = shape.path;
    let mut requests = vec![
        json!({"query": {"match_all": {}}}),
        json!({"query": {"match_all": {}}, "_source": false, "size": 2, "from": 1}),
        json!({"query": {"term": {"gone": 0}}, "sort": "_doc"}),
    ];
    if shape.searched {
        for value in &shape.values {
            requests.push(json!({"query": {"term": {path: at_path(value)}}}));
            requests
                .push(json!({"query": {"bool": {"must_not": {"term": {path: at_path(value)}}}}}));
        }
        let values: Vec<Value> = shape.values.iter().map(at_path).collect();
        requests.push(json!({"query": {"terms": {path: values}}}));
        if !shape.name.starts_with("facet") {
            requests.push(json!({"query": {"range": {path: {"gte": values[0]}}}}));
            requests.push(json!({"query": {"range": {path: {}}}}));
        }
    }
    if shape.fast {
        requests.push(json!({"query": {"exists": {"field": "f"}}}));
        if shape.path == "f" {
            requests.push(json!({"query": {"match_all": {}}, "sort": [{"f": "desc"}]}));
        }
    }
    requests
}

async fn check(shape: &Shape, layout: &str, segments: &[&[&str]], hot_dictionaries: u64) {
    let mut schema = Schema::builder();
    (shape.add)(&mut schema);
    schema.add_u64_field("gone", INDEXED);
    let schema = schema.build();
    let source = index_of(&schema, &documents(shape, &schema, segments));
    let gone = schema.get_field("gone").unwrap();
    let mut deleting = writer(&source.1);
    deleting.delete_term(Term::from_field_u64(gone, 1));
    deleting.commit().unwrap();
    deleting.wait_merging_threads().unwrap();

    let mut settings = PackSettings::default();
    settings.term_dictionary_budget = hot_dictionaries;
    settings.column_dictionary_budget = hot_dictionaries;
    let corpus = Corpus::of(&[source], &settings).await;
    let path = corpus.addresses[0].path();
    let report = verify(corpus.store.clone(), path).await.unwrap();
    assert!(report.is_sound(), "{}, {layout}: {report:?}", shape.name);

    for body in requests(shape) {
        let request = SearchRequest::from_value(&body).unwrap();
        println!("{}, {layout}: {body}", shape.name);
        let response = search_thrice(&corpus.store, &corpus.addresses, &request).await;
        let query = query(request.filter(), &corpus.ram);
        assert_total(
            &response,
            &request,
            corpus.ram.search(&query, &Count).unwrap(),
        );
        if request.sorts().is_empty() {
            assert_best(&response, &request, &corpus);
        }
    }
}

#[test]
fn every_type_of_field_in_every_shape_of_index_is_searched() {
    for shape in shapes() {
        for (layout, segments) in LAYOUTS {
            for hot_dictionaries in [0, 64 << 10] {
                RUNTIME.block_on(check(&shape, layout, segments, hot_dictionaries));
            }
        }
    }
}
