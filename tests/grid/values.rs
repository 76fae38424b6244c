//! The fields of the test schema, and the values that documents and requests take from small
//! pools, so that they meet.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};
use tantivy::DateTime;
use tantivy::schema::{
    DateOptions, FAST, Facet, INDEXED, IndexRecordOption, JsonObjectOptions, NumericOptions,
    STORED, STRING, Schema, TEXT, TextFieldIndexing, TextOptions,
};
use tantivy::time::format_description::well_known::Rfc3339;

/// A scalar, in the form that documents, requests and sort values are compared in.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Key {
    Bool(bool),
    Bytes(Vec<u8>),
    /// Seconds since 1970.
    Date(i64),
    Ip(Ipv6Addr),
    /// In quarters, so that it is exact for whole numbers of 64 bits and fractions alike.
    Number(i128),
    Text(String),
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Bool,
    Bytes,
    Date,
    F64,
    Facet,
    I64,
    Ip,
    /// Numbers in some documents, strings in others.
    Mixed,
    Raw,
    Text,
    U64,
}

/// A field or JSON path of the schema.
#[derive(Debug)]
pub struct Target {
    /// As a request spells it.
    pub name: &'static str,
    pub kind: Kind,
    pub indexed: bool,
    pub fast: bool,
    /// Whether a document may have several values.
    pub multi: bool,
}

const fn target(name: &'static str, kind: Kind, how: &str) -> Target {
    let (mut indexed, mut fast, mut multi) = (false, false, false);
    let how = how.as_bytes();
    let mut at = 0;
    while at < how.len() {
        match how[at] {
            b'i' => indexed = true,
            b'f' => fast = true,
            _ => multi = true,
        }
        at += 1;
    }
    Target {
        name,
        kind,
        indexed,
        fast,
        multi,
    }
}

/// Every target: `i` indexed, `f` fast, `m` maybe several values.
pub const TARGETS: &[Target] = &[
    target("title", Kind::Text, "im"),
    target("body", Kind::Text, "i"),
    target("tag", Kind::Raw, "ifm"),
    target("key", Kind::Raw, "i"),
    target("label", Kind::Raw, "fm"),
    target("rare", Kind::Raw, "if"),
    target("count", Kind::U64, "fm"),
    target("nu", Kind::U64, "if"),
    target("ni", Kind::I64, "ifm"),
    target("nf", Kind::F64, "if"),
    target("ix", Kind::U64, "im"),
    target("flag", Kind::Bool, "if"),
    target("at", Kind::Date, "if"),
    target("day", Kind::Date, "i"),
    target("ip", Kind::Ip, "ifm"),
    target("raw", Kind::Bytes, "if"),
    target("facet", Kind::Facet, "ifm"),
    target("js.n", Kind::F64, "ifm"),
    target("js.i", Kind::I64, "if"),
    target("js.s", Kind::Raw, "if"),
    target("js.ok", Kind::Bool, "if"),
    target("js.deep.x", Kind::Raw, "ifm"),
    target("js.dot.ted", Kind::Raw, "if"),
    target("js.mix", Kind::Mixed, "if"),
    target("doc.n", Kind::F64, "im"),
    target("doc.s", Kind::Raw, "i"),
    target("doc.a\\.b", Kind::Raw, "i"),
];

pub const WORDS: &[&str] = &[
    "the", "sea", "night", "quick", "fox", "lazy", "dog", "quiet", "seal", "zebra",
];
const RAWS: &[&str] = &["k0", "k1", "k2", "k10", "k11", "l", "longone"];
const BYTES: &[(&[u8], &str)] = &[
    (b"\x01\x02", "AQI="),
    (b"abc", "YWJj"),
    (b"abcd", "YWJjZA=="),
    (b"\xff", "/w=="),
];
const FACETS: &[&str] = &["/a", "/a/b", "/a/b/c", "/d", "/d/e"];
/// 2024-01-30: pools of dates cross the end of a month.
const FIRST_DATE: i64 = 1_706_572_800;

/// A target by its name.
pub fn target_named(name: &str) -> &'static Target {
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("no target {name}"))
}

impl Kind {
    /// How many values its pool has.
    pub fn pool(self) -> usize {
        match self {
            Self::Bool => 2,
            Self::Bytes => BYTES.len(),
            Self::Date => 12,
            Self::Facet => FACETS.len(),
            Self::Ip => 8,
            Self::Raw | Self::Mixed => RAWS.len(),
            Self::Text => WORDS.len(),
            Self::F64 | Self::I64 | Self::U64 => 16,
        }
    }

    /// A value of its pool.
    pub fn value(self, at: usize) -> Key {
        let at = at % self.pool();
        let number = at as i128;
        match self {
            Self::Bool => Key::Bool(at == 1),
            Self::Bytes => Key::Bytes(BYTES[at].0.to_vec()),
            Self::Date => Key::Date(FIRST_DATE + at as i64 * 6 * 3600),
            Self::Facet => Key::Text(FACETS[at].into()),
            Self::Ip if at.is_multiple_of(2) => {
                Key::Ip(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, at as u16))
            }
            Self::Ip => Key::Ip(std::net::Ipv4Addr::new(10, 0, 0, at as u8).to_ipv6_mapped()),
            Self::Mixed if at.is_multiple_of(2) => Key::Number(number * 4),
            Self::Raw | Self::Mixed => Key::Text(RAWS[at].into()),
            Self::Text => Key::Text(WORDS[at].into()),
            Self::F64 => Key::Number(number * 2 - 10 + i128::from(at.is_multiple_of(3))),
            Self::I64 => match at {
                0 => Key::Number(i128::from(i64::MIN) * 4),
                1 => Key::Number(i128::from(i64::MAX) * 4),
                _ => Key::Number((number - 8) * 4),
            },
            Self::U64 => match at {
                0 => Key::Number(i128::from(u64::MAX) * 4),
                _ => Key::Number((number - 1) * 4),
            },
        }
    }
}

impl Key {
    /// As a document and a request write it.
    pub fn json(&self) -> Value {
        match self {
            Self::Bool(value) => json!(value),
            Self::Bytes(bytes) => {
                let known = BYTES.iter().find(|(known, _)| known == bytes);
                json!(known.expect("bytes of the pool").1)
            }
            Self::Date(seconds) => {
                let date = DateTime::from_timestamp_secs(*seconds).into_utc();
                json!(date.format(&Rfc3339).expect("a date of four digits"))
            }
            Self::Ip(address) => match address.to_ipv4_mapped() {
                Some(v4) => json!(v4.to_string()),
                None => json!(address.to_string()),
            },
            Self::Number(quarters) if quarters % 4 == 0 => {
                let whole = quarters / 4;
                match i64::try_from(whole) {
                    Ok(whole) => json!(whole),
                    Err(_) => json!(u64::try_from(whole).expect("64 bits")),
                }
            }
            Self::Number(quarters) => json!(*quarters as f64 / 4.0),
            Self::Text(text) => json!(text),
        }
    }

    /// What a request's value means for a field.
    pub fn of_json(kind: Kind, value: &Value) -> Self {
        match (kind, value) {
            (_, Value::Bool(value)) => Self::Bool(*value),
            (_, Value::Number(number)) => Self::Number(match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => i128::from(whole) * 4,
                (_, Some(whole)) => i128::from(whole) * 4,
                _ => (number.as_f64().expect("a number") * 4.0) as i128,
            }),
            (_, Value::String(text)) => (0..kind.pool())
                .map(|at| kind.value(at))
                .find(|key| key.json() == *value)
                .unwrap_or_else(|| Self::Text(text.clone())),
            _ => panic!("no value: {value}"),
        }
    }
}

/// A document: the values of its targets.
#[derive(Clone, Debug, Default)]
pub struct Doc {
    pub values: BTreeMap<&'static str, Vec<Key>>,
}

impl Doc {
    /// A document whose values come from `rng`; targets in `absent` have none.
    pub fn random(rng: &mut StdRng, absent: &[&str]) -> Self {
        let mut values = BTreeMap::new();
        for target in TARGETS {
            let absent = absent.contains(&target.name)
                || target.name == "rare" && rng.random_bool(0.9)
                || rng.random_bool(0.2);
            if absent {
                continue;
            }
            let count = match target.multi {
                true => rng.random_range(1..=3),
                false => 1,
            };
            let value = |_| match target.kind {
                Kind::Text => {
                    let words: Vec<&str> = (0..rng.random_range(1..=8))
                        .map(|_| {
                            // The first words are the common ones.
                            let at = rng.random_range(0..WORDS.len() * WORDS.len());
                            WORDS[WORDS.len() - 1 - at.isqrt()]
                        })
                        .collect();
                    Key::Text(words.join(" "))
                }
                kind => kind.value(rng.random_range(0..kind.pool())),
            };
            values.insert(target.name, (0..count).map(value).collect());
        }
        Self { values }
    }

    /// The values of a target.
    pub fn of(&self, name: &str) -> &[Key] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// As JSON for tantivy.
    pub fn json(&self, id: u64) -> Map<String, Value> {
        let mut root = Map::from_iter([("id".to_owned(), json!(id))]);
        for (name, values) in &self.values {
            let value = match values.as_slice() {
                [one] => one.json(),
                several => several.iter().map(Key::json).collect(),
            };
            let mut at = &mut root;
            let (folders, leaf) = match *name {
                "js.dot.ted" => (vec!["js"], "dot.ted"),
                "doc.a\\.b" => (vec!["doc"], "a.b"),
                name => {
                    let mut parts: Vec<&str> = name.split('.').collect();
                    let leaf = parts.pop().expect("a name");
                    (parts, leaf)
                }
            };
            for folder in folders {
                let entry = at.entry(folder).or_insert_with(|| json!({}));
                at = entry.as_object_mut().expect("an object");
            }
            at.insert(leaf.to_owned(), value);
        }
        root
    }
}

/// The schema of [`TARGETS`].
pub fn schema() -> Schema {
    let mut schema = Schema::builder();
    schema.add_u64_field("id", INDEXED | FAST | STORED);
    schema.add_text_field("title", TEXT | STORED);
    let plain = TextFieldIndexing::default()
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::WithFreqs);
    let plain = TextOptions::default().set_indexing_options(plain);
    schema.add_text_field("body", plain);
    schema.add_text_field("tag", STRING | FAST | STORED);
    schema.add_text_field("key", STRING);
    schema.add_text_field("label", TextOptions::from(FAST));
    schema.add_text_field("rare", STRING | FAST);
    schema.add_u64_field("count", NumericOptions::from(FAST));
    schema.add_u64_field("nu", INDEXED | FAST);
    schema.add_i64_field("ni", INDEXED | FAST);
    schema.add_f64_field("nf", INDEXED | FAST);
    schema.add_u64_field("ix", INDEXED);
    schema.add_bool_field("flag", INDEXED | FAST);
    schema.add_date_field("at", DateOptions::from(INDEXED | FAST));
    schema.add_date_field("day", DateOptions::from(INDEXED));
    schema.add_ip_addr_field("ip", INDEXED | FAST);
    schema.add_bytes_field("raw", INDEXED | FAST);
    schema.add_facet_field("facet", INDEXED);
    let json: JsonObjectOptions = TEXT.into();
    schema.add_json_field("js", json.clone().set_fast("raw").set_expand_dots_enabled());
    schema.add_json_field("doc", json);
    schema.build()
}

/// The facet and all that it lies below, itself included.
pub fn facet_and_above(text: &str) -> Vec<String> {
    let facet = Facet::from_text(text).expect("a facet of the pool");
    let path = facet.to_path();
    (0..=path.len())
        .map(|depth| Facet::from_path(&path[..depth]).to_path_string())
        .collect()
}
