//! The columns of the table: every shape of field.

use serde_json::{Map, Value, json};
use tantivy::schema::{
    BytesOptions, DateOptions, FAST, FacetOptions, INDEXED, IndexRecordOption, IpAddrOptions,
    JsonObjectOptions, NumericOptions, STRING, Schema, SchemaBuilder, TEXT, TextFieldIndexing,
    TextOptions,
};

/// A table of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    Text,
    Number,
    Other,
    Json,
}

impl Family {
    pub const ALL: [Self; 4] = [Self::Text, Self::Number, Self::Other, Self::Json];

    pub fn title(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Number => "Numbers",
            Self::Other => "Booleans, dates, addresses, bytes, facets",
            Self::Json => "Paths of JSON fields",
        }
    }
}

/// What is in a field, and what requests look for in it.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    /// What half of the documents hold.
    pub value: fn() -> Value,
    /// What the others do, by the number of the document: a dictionary of one block would be hot.
    pub other: fn(u64) -> Value,
    /// One value that is looked for.
    pub exact: fn() -> Value,
    /// What full-text clauses look for: two words, or the value.
    pub words: fn() -> Value,
    /// What such a text or term begins with.
    pub beginning: &'static str,
    /// The value with a letter wrong.
    pub nearly: &'static str,
}

const WORDS: Content = Content {
    value: || json!(["brown", "quick brown"]),
    other: |id| {
        json!(format!(
            "lazy dog number{id} x{}",
            id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ))
    },
    exact: || json!("brown"),
    words: || json!("quick brown"),
    beginning: "bro",
    nearly: "brawn",
};

const fn scalar(
    value: fn() -> Value,
    other: fn(u64) -> Value,
    beginning: &'static str,
    nearly: &'static str,
) -> Content {
    Content {
        value,
        other,
        exact: value,
        words: value,
        beginning,
        nearly,
    }
}

const U64: Content = scalar(|| json!(77), |id| json!(1_000 + id * 77_777), "7", "78");
const I64: Content = scalar(
    || json!(77),
    |id| json!(-1_000 - 77_777 * id as i64),
    "7",
    "78",
);
const F64: Content = scalar(
    || json!(7.5),
    |id| json!(-1.0 / (id + 1) as f64),
    "7",
    "7.6",
);
const BOOL: Content = scalar(|| json!(true), |_| json!(false), "t", "tree");
const DATE: Content = scalar(
    || json!("2024-02-29T12:00:00Z"),
    |id| {
        let (day, minute) = (id % 28 + 1, id / 28);
        json!(format!("1969-07-{day:02}T20:{minute:02}:40Z"))
    },
    "2024-02",
    "2024-02-28T12:00:00Z",
);
const ADDRESS: Content = scalar(
    || json!("10.1.2.3"),
    |id| json!(format!("2001:db8::{id:x}:1")),
    "10.",
    "10.1.2.4",
);
const BYTES: Content = scalar(
    || json!("AQI="),
    |id| {
        // Digits are base64, too.
        json!(format!("{id:08}"))
    },
    "AQ",
    "AQI",
);
const FACET: Content = scalar(
    || json!("/a/b"),
    |id| json!(format!("/c/{}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
    "/a",
    "/a/c",
);

/// One shape of field, or a path in one.
#[derive(Debug)]
pub struct Shape {
    pub family: Family,
    pub title: String,
    /// As a request spells it.
    pub path: String,
    pub content: Content,
}

/// Every shape, and the schema that has them all.
pub struct Fields {
    pub shapes: Vec<Shape>,
    pub schema: Schema,
}

impl Fields {
    pub fn new() -> Self {
        let mut fields = Builder {
            shapes: Vec::new(),
            schema: Schema::builder(),
        };
        fields.schema.add_u64_field("id", FAST);
        fields.texts();
        fields.numbers();
        fields.others();
        fields.json();
        Self {
            shapes: fields.shapes,
            schema: fields.schema.build(),
        }
    }

    /// A document that holds the value of every field, or the other one.
    pub fn document(&self, id: u64, holds: bool) -> Map<String, Value> {
        let mut document = Map::from_iter([("id".to_owned(), json!(id))]);
        for shape in &self.shapes {
            let value = if holds {
                (shape.content.value)()
            } else {
                (shape.content.other)(id)
            };
            match shape.path.split_once('.') {
                None => document.insert(shape.path.clone(), value),
                Some((field, key)) => {
                    let object = document.entry(field).or_insert_with(|| json!({}));
                    object[key] = value;
                    None
                }
            };
        }
        document
    }
}

struct Builder {
    shapes: Vec<Shape>,
    schema: SchemaBuilder,
}

impl Builder {
    fn shape(&mut self, family: Family, title: impl Into<String>, path: &str, content: Content) {
        self.shapes.push(Shape {
            family,
            title: title.into(),
            path: path.to_owned(),
            content,
        });
    }

    fn texts(&mut self) {
        let indexed = |record, norms| {
            let indexing = TextFieldIndexing::default()
                .set_index_option(record)
                .set_fieldnorms(norms);
            TextOptions::default().set_indexing_options(indexing)
        };
        let positions = IndexRecordOption::WithFreqsAndPositions;
        let shapes = [
            ("words", "text", TEXT),
            (
                "words, no positions",
                "text_no_positions",
                indexed(IndexRecordOption::WithFreqs, true),
            ),
            (
                "words, no frequencies",
                "text_no_freqs",
                indexed(IndexRecordOption::Basic, true),
            ),
            (
                "words, no norms",
                "text_no_norms",
                indexed(positions, false),
            ),
            (
                "words, fast only",
                "text_fast",
                TextOptions::default().set_fast("default"),
            ),
            ("raw", "raw", STRING),
            ("raw, indexed and fast", "raw_both", STRING | FAST),
            ("raw, fast only", "raw_fast", TextOptions::from(FAST)),
        ];
        for (title, name, options) in shapes {
            self.schema.add_text_field(name, options);
            self.shape(Family::Text, title, name, WORDS);
        }
    }

    fn numbers(&mut self) {
        for (how, suffix, options) in ways() {
            self.schema
                .add_u64_field(&format!("u64{suffix}"), options.clone());
            self.schema
                .add_i64_field(&format!("i64{suffix}"), options.clone());
            self.schema.add_f64_field(&format!("f64{suffix}"), options);
            for (name, content) in [("u64", U64), ("i64", I64), ("f64", F64)] {
                let path = format!("{name}{suffix}");
                self.shape(Family::Number, format!("{name}, {how}"), &path, content);
            }
        }
    }

    fn others(&mut self) {
        for (how, suffix, options) in ways() {
            let (indexed, fast) = (options.is_indexed(), options.is_fast());
            self.schema
                .add_bool_field(&format!("bool{suffix}"), options);
            let mut dates = DateOptions::default();
            let mut addresses = IpAddrOptions::default();
            let mut bytes = BytesOptions::default();
            if indexed {
                (dates, addresses) = (dates.set_indexed(), addresses.set_indexed());
                bytes = bytes.set_indexed();
            }
            if fast {
                (dates, addresses) = (dates.set_fast(), addresses.set_fast());
                bytes = bytes.set_fast();
            }
            self.schema.add_date_field(&format!("date{suffix}"), dates);
            self.schema
                .add_ip_addr_field(&format!("ip{suffix}"), addresses);
            self.schema
                .add_bytes_field(&format!("bytes{suffix}"), bytes);
            for (name, content) in [
                ("bool", BOOL),
                ("date", DATE),
                ("ip", ADDRESS),
                ("bytes", BYTES),
            ] {
                let path = format!("{name}{suffix}");
                self.shape(Family::Other, format!("{name}, {how}"), &path, content);
            }
        }
        self.schema
            .add_facet_field("facet", FacetOptions::default());
        self.shape(Family::Other, "facet", "facet", FACET);
    }

    fn json(&mut self) {
        let indexed = || JsonObjectOptions::from(TEXT);
        let shapes = [
            ("indexed", "json", indexed()),
            ("indexed and fast", "json_both", indexed().set_fast("raw")),
            (
                "fast only",
                "json_fast",
                JsonObjectOptions::default().set_fast("raw"),
            ),
        ];
        for (how, name, options) in shapes {
            self.schema.add_json_field(name, options);
            for (key, what, content) in [
                ("text", "text", WORDS),
                ("number", "number", I64),
                ("date", "date", DATE),
                ("bool", "bool", BOOL),
            ] {
                let path = format!("{name}.{key}");
                self.shape(Family::Json, format!("{what}, {how}"), &path, content);
            }
        }
    }
}

/// How a number can be kept.
fn ways() -> [(&'static str, &'static str, NumericOptions); 3] {
    [
        ("indexed", "", INDEXED.into()),
        ("indexed and fast", "_both", (INDEXED | FAST).into()),
        ("fast only", "_fast", FAST.into()),
    ]
}
