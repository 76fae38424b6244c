//! A small corpus with every type of field, and what each clause means on it, said naively.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use serde_json::{Value, json};
use tantivy::schema::{
    DateOptions, DateTimePrecision, FAST, Facet, INDEXED, JsonObjectOptions, STRING, Schema, TEXT,
    TextFieldIndexing,
};
use tantivy::{Index, TantivyDocument};

use crate::filter::automaton::tests::distance;
use crate::filter::bind::is_like;
use crate::filter::date_math::{DateReader, Moment};
use crate::filter::dates::optional_time;
use crate::filter::numbers::{Number, compare};
use crate::filter::tests::text_model;
use crate::filter::zone::Zone;
use crate::filter::{BoolClause, Clause, FieldValue, RangeClause};

/// How many documents there are, in three segments.
pub(super) const DOCS: u64 = 240;

/// The fields, what they hold, and whether they are fast.
pub(super) const FIELDS: &[(&str, Kind, bool)] = &[
    ("bool", Kind::Bool, false),
    ("bool_fast", Kind::Bool, true),
    ("bytes", Kind::Bytes, false),
    ("bytes_fast", Kind::Bytes, true),
    ("date", Kind::Date, false),
    ("date_both", Kind::Date, true),
    ("date_fast", Kind::Date, true),
    ("f64", Kind::Number, false),
    ("f64_fast", Kind::Number, true),
    ("i64", Kind::Integer, false),
    ("i64_both", Kind::Integer, true),
    ("i64_fast", Kind::Integer, true),
    ("ip", Kind::Address, false),
    ("ip_fast", Kind::Address, true),
    ("json.flag", Kind::Json, false),
    ("json.mixed", Kind::Json, false),
    ("json.when", Kind::Json, false),
    (r"json.dot\.key", Kind::Json, false),
    ("json_fast.flag", Kind::Json, true),
    ("json_fast.mixed", Kind::Json, true),
    ("json_fast.when", Kind::Json, true),
    (r"json_fast.dot\.key", Kind::Json, true),
    ("json_dots.mixed", Kind::Json, true),
    ("json_dots.dot.key", Kind::Json, true),
    ("tags", Kind::Word, true),
    ("text", Kind::Text, false),
    ("u64", Kind::Unsigned, false),
    ("u64_fast", Kind::Unsigned, true),
    ("word", Kind::Word, false),
    ("word_fast", Kind::Word, true),
];

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Address,
    Bool,
    Bytes,
    Date,
    Integer,
    Json,
    Number,
    Text,
    Unsigned,
    Word,
}

pub(super) const WORDS: &[&str] = &[
    "alder", "ash", "ashen", "beech", "elm", "oak", "rowan", "10",
];
pub(super) const DATES: &[&str] = &[
    "2023-12-31T23:59:59Z",
    "2024-01-01T00:00:00Z",
    "2024-01-01T12:30:00Z",
    "2024-01-31T08:00:00Z",
    "2024-02-01T00:00:00Z",
];
pub(super) const ADDRESSES: &[&str] = &["10.0.0.1", "10.0.0.2", "10.1.0.0", "::1", "fe80::1"];
/// Networks, their first address and their last.
pub(super) const NETWORKS: &[(&str, &str, &str)] = &[
    ("10.0.0.0/24", "10.0.0.0", "10.0.0.255"),
    ("10.0.0.77/8", "10.0.0.0", "10.255.255.255"),
    ("10.0.0.2/32", "10.0.0.2", "10.0.0.2"),
    (
        "fe80::/10",
        "fe80::",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ),
    ("::/120", "::", "::ff"),
    ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];
/// Base64 of `""`, `"a"`, `"ab"`, `"b"` and the byte 255.
pub(super) const BYTES: &[&str] = &["", "YQ==", "YWI=", "Yg==", "/w=="];
pub(super) const FLOATS: &[f64] = &[-2.5, -1.0, 0.0, 0.5, 1.5, 1e12];
pub(super) const INTEGERS: &[i64] = &[i64::MIN, -7, -1, 0, 1, 2, 10, i64::MAX];
pub(super) const UNSIGNED: &[u64] = &[0, 1, 2, 10, 1 << 63, u64::MAX];

/// Whether a regular expression matches a text.
type Accepts = fn(&str) -> bool;

/// Regular expressions, and what they match: lower case, where case does not matter.
pub(super) const REGEXPS: &[(&str, Accepts)] = &[
    ("a.*", |text| text.starts_with('a')),
    (".*h", |text| text.ends_with('h')),
    ("ash(en)?", |text| text == "ash" || text == "ashen"),
    ("oak|elm", |text| text == "oak" || text == "elm"),
    ("[a-e].{2}", |text| {
        text.len() == 3 && ('a'..='e').contains(&text.chars().next().unwrap())
    }),
    ("[^aeo]*", |text| !text.contains(['a', 'e', 'o'])),
    (r"\d+", |text| {
        text.bytes().all(|byte| byte.is_ascii_digit())
    }),
    ("oak", |text| text == "oak"),
    ("", |text| text.is_empty()),
    (".*", |_| true),
];

fn schema() -> Schema {
    let mut schema = Schema::builder();
    let millis = DateOptions::default().set_precision(DateTimePrecision::Milliseconds);
    let positions = TextFieldIndexing::default()
        .set_index_option(tantivy::schema::IndexRecordOption::WithFreqsAndPositions);
    let json = JsonObjectOptions::default();
    schema.add_u64_field("id", FAST);
    schema.add_bool_field("bool", INDEXED);
    schema.add_bool_field("bool_fast", FAST);
    schema.add_bytes_field("bytes", INDEXED);
    schema.add_bytes_field("bytes_fast", FAST);
    schema.add_date_field("date", millis.clone().set_indexed());
    schema.add_date_field("date_both", millis.clone().set_indexed().set_fast());
    schema.add_date_field("date_fast", millis.set_fast());
    schema.add_f64_field("f64", INDEXED);
    schema.add_f64_field("f64_fast", FAST);
    schema.add_facet_field("facet", INDEXED);
    schema.add_i64_field("i64", INDEXED);
    schema.add_i64_field("i64_both", INDEXED | FAST);
    schema.add_i64_field("i64_fast", FAST);
    schema.add_ip_addr_field("ip", INDEXED);
    schema.add_ip_addr_field("ip_fast", FAST);
    schema.add_json_field("json", json.clone().set_indexing_options(positions.clone()));
    schema.add_json_field("json_fast", json.clone().set_fast("raw"));
    schema.add_json_field(
        "json_dots",
        json.set_fast("raw")
            .set_indexing_options(positions)
            .set_expand_dots_enabled(),
    );
    schema.add_text_field("stored", tantivy::schema::STORED);
    schema.add_text_field("tags", STRING | FAST);
    schema.add_text_field("text", TEXT);
    schema.add_u64_field("u64", INDEXED);
    schema.add_u64_field("u64_fast", FAST);
    schema.add_text_field("word", STRING);
    schema.add_text_field("word_fast", FAST);
    schema.build()
}

fn pick<T: Clone>(values: &[T], number: u64) -> T {
    values[usize::try_from(number).unwrap() % values.len()].clone()
}

/// One document. Mixing the number spreads values over documents without a generator.
pub(super) fn document(id: u64) -> Value {
    let mix = |salt: u64| {
        (id + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(7) ^ (salt * 0x85EB_CA77)
    };
    let at = |salt: u64| mix(salt).wrapping_mul(0xC2B2_AE3D_27D4_EB4F) >> 40;
    let mixed: Value = match at(1) % 5 {
        // Within ±2^53: a column of floats holds larger ones only roughly.
        0 => json!(pick(&INTEGERS[1..INTEGERS.len() - 1], at(2))),
        1 => json!(pick(FLOATS, at(2))),
        2 => json!(pick(&[0_u64, 1 << 53], at(2))),
        3 => json!([pick(WORDS, at(2)), at(3) % 4]),
        _ => json!(pick(WORDS, at(2))),
    };
    let nested = json!({
        "flag": at(4) % 2 == 0,
        "mixed": mixed,
        "when": pick(DATES, at(5)),
        "dot.key": pick(WORDS, at(6)),
    });
    let words = [pick(WORDS, at(7)), pick(WORDS, at(8)), pick(WORDS, at(9))];
    let mut doc = json!({
        "id": id,
        "bool": at(10) % 2 == 0, "bool_fast": at(10) % 3 == 0,
        "bytes": pick(BYTES, at(11)), "bytes_fast": pick(BYTES, at(11)),
        "date": pick(DATES, at(12)), "date_both": pick(DATES, at(12)),
        "date_fast": pick(DATES, at(12)),
        "f64": pick(FLOATS, at(13)), "f64_fast": pick(FLOATS, at(13)),
        "facet": pick(&["/tree", "/tree/oak", "/treetop"], at(14)),
        "i64": pick(INTEGERS, at(15)), "i64_both": pick(INTEGERS, at(15)),
        "i64_fast": [pick(INTEGERS, at(15)), pick(INTEGERS, at(16))],
        "ip": pick(ADDRESSES, at(17)), "ip_fast": pick(ADDRESSES, at(17)),
        "json": nested, "json_fast": nested, "json_dots": nested,
        "stored": "x",
        "tags": [words[0], words[1]],
        "text": format!("The {}, {}! {}", words[0].to_uppercase(), words[1], words[2]),
        "u64": pick(UNSIGNED, at(18)), "u64_fast": pick(UNSIGNED, at(18)),
        "word": words[2], "word_fast": words[2],
    });
    // Every document lacks some fields, and every tenth nearly all.
    let map = doc.as_object_mut().unwrap();
    let names: Vec<String> = map.keys().filter(|key| *key != "id").cloned().collect();
    for (index, name) in names.iter().enumerate() {
        if at(100 + index as u64) % 6 == 0 || (id % 10 == 9 && index % 8 != 0) {
            map.shift_remove(name);
        }
    }
    doc
}

/// The corpus as an index of three segments.
pub(super) fn index() -> Index {
    let schema = schema();
    let index = Index::create_in_ram(schema.clone());
    let mut writer = index.writer_with_num_threads(1, 20_000_000).unwrap();
    writer.set_merge_policy(Box::new(tantivy::merge_policy::NoMergePolicy));
    for id in 0..DOCS {
        let document = document(id).to_string();
        writer
            .add_document(TantivyDocument::parse_json(&schema, &document).unwrap())
            .unwrap();
        if id % (DOCS / 3) == DOCS / 3 - 1 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    index
}

pub(super) fn kind(field: &str) -> Kind {
    FIELDS.iter().find(|(name, ..)| *name == field).unwrap().1
}

/// The values of a field, or of a path in it.
pub(super) fn values(doc: &Value, field: &str) -> Vec<Value> {
    let value = match field.split_once('.') {
        None => doc.get(field),
        Some((json, r"dot\.key" | "dot.key")) => doc.get(json).and_then(|doc| doc.get("dot.key")),
        Some((json, key)) => doc.get(json).and_then(|doc| doc.get(key)),
    };
    match value {
        None => Vec::new(),
        Some(Value::Array(values)) => values.clone(),
        Some(value) => vec![value.clone()],
    }
}

fn number(value: &Value) -> Option<Number> {
    let path = crate::filter::Path::root("test");
    if value.is_number() {
        FieldValue::from_value(value, &path)
            .ok()
            .and_then(|value| Number::read(&value))
    } else {
        None
    }
}

/// Whether a document matches a clause.
pub(super) fn matches(clause: &Clause, doc: &Value) -> bool {
    match clause {
        Clause::Bool(clause) => bool_matches(clause, doc),
        Clause::ConstantScore(clause) => matches(&clause.filter, doc),
        Clause::DisMax(clause) => clause.queries.iter().any(|clause| matches(clause, doc)),
        Clause::Exists(clause) => !values(doc, &clause.field).is_empty(),
        Clause::Fuzzy(clause) => {
            // The words of the corpus are ASCII.
            let wanted = clause.value.to_string();
            let edits = usize::from(clause.fuzziness.edits(wanted.len()));
            let (same, rest) = wanted.split_at(wanted.len().min(clause.prefix_length as usize));
            strings(doc, &clause.field).iter().any(|text| {
                text.strip_prefix(same)
                    .is_some_and(|text| distance(rest, text, clause.transpositions) <= edits)
            })
        }
        Clause::Ids(clause) => {
            let own = doc["_id"].as_str().unwrap();
            clause.values.iter().any(|id| id == own)
        }
        Clause::MatchAll(_) => true,
        Clause::MatchNone(_) => false,
        Clause::Prefix(clause) => {
            let wanted = folded(&clause.value, clause.case_insensitive);
            strings(doc, &clause.field)
                .iter()
                .any(|text| folded(text, clause.case_insensitive).starts_with(&wanted))
        }
        Clause::Range(clause) => range_matches(clause, doc),
        Clause::Regexp(clause) => {
            let test = REGEXPS.iter().find(|(text, _)| *text == clause.value);
            let test = test.unwrap().1;
            strings(doc, &clause.field)
                .iter()
                .any(|text| test(&folded(text, clause.case_insensitive)))
        }
        Clause::Term(clause) if clause.case_insensitive => {
            let wanted = clause.value.to_string();
            is_any(&clause.field, std::slice::from_ref(&clause.value), doc)
                || strings(doc, &clause.field)
                    .iter()
                    .any(|text| text.eq_ignore_ascii_case(&wanted))
        }
        Clause::Term(clause) => is_any(&clause.field, std::slice::from_ref(&clause.value), doc),
        Clause::Terms(clause) => is_any(&clause.field, &clause.values, doc),
        Clause::Wildcard(clause) => {
            let characters = |text: &str| -> Vec<char> {
                folded(text, clause.case_insensitive).chars().collect()
            };
            let pattern = characters(&clause.value);
            strings(doc, &clause.field)
                .iter()
                .any(|text| is_like(&pattern, &characters(text)))
        }
        other => text_model::matches(other, doc),
    }
}

/// The strings of a field that patterns are held against: its words, if it has any.
fn strings(doc: &Value, field: &str) -> Vec<String> {
    let kind = kind(field);
    let of = |value: &Value| match value.as_str() {
        None => Vec::new(),
        Some(_) if kind == Kind::Text => text_words(value),
        Some(text) if kind == Kind::Json && optional_time(text).is_some() => Vec::new(),
        Some(text) => vec![text.to_owned()],
    };
    values(doc, field).iter().flat_map(of).collect()
}

fn folded(text: &str, case_insensitive: bool) -> String {
    if case_insensitive {
        text.to_ascii_lowercase()
    } else {
        text.to_owned()
    }
}

pub(super) fn words(text: &str) -> Vec<String> {
    let split = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    split.map(str::to_lowercase).collect()
}

pub(super) fn text_words(value: &Value) -> Vec<String> {
    value.as_str().map(words).unwrap_or_default()
}

fn bool_matches(clause: &BoolClause, doc: &Value) -> bool {
    let all = |clauses: &[Clause]| clauses.iter().all(|clause| matches(clause, doc));
    let any = |clauses: &[Clause]| clauses.iter().any(|clause| matches(clause, doc));
    let should = clause
        .should
        .iter()
        .filter(|clause| matches(clause, doc))
        .count();
    let required = !clause.must.is_empty() || !clause.filter.is_empty();
    let least = usize::from(!required && !clause.should.is_empty());
    let minimum = clause
        .minimum_should_match
        .as_ref()
        .map_or(0, |minimum| minimum.resolve(clause.should.len()));
    if !required && clause.should.is_empty() && clause.must_not.is_empty() {
        return true;
    }
    all(&clause.must)
        && all(&clause.filter)
        && !any(&clause.must_not)
        && should >= minimum.max(least)
}

fn is_any(field: &str, wanted: &[FieldValue], doc: &Value) -> bool {
    values(doc, field)
        .iter()
        .any(|value| wanted.iter().any(|wanted| equal(field, value, wanted)))
}

/// Whether a field holds a value, of whatever kind that is.
pub(super) fn equals(field: &str, wanted: &FieldValue, doc: &Value) -> bool {
    is_any(field, std::slice::from_ref(wanted), doc)
}

fn equal(field: &str, value: &Value, wanted: &FieldValue) -> bool {
    let same_text = || value.as_str() == Some(&wanted.to_string());
    let same_number = || match (number(value), Number::read(wanted)) {
        (Some(value), Some(wanted)) => compare(value, wanted).is_eq(),
        _ => false,
    };
    match kind(field) {
        Kind::Text => text_words(value).contains(&wanted.to_string()),
        Kind::Word | Kind::Bytes => same_text(),
        Kind::Address => {
            let (first, last) = addresses(&wanted.to_string());
            (first..=last).contains(&addresses(value.as_str().unwrap()).0)
        }
        Kind::Bool => value.as_bool() == crate::filter::coerce::boolean(wanted),
        Kind::Integer | Kind::Number | Kind::Unsigned => same_number(),
        Kind::Date => {
            span(wanted, None).contains(optional_time(value.as_str().unwrap()).unwrap().start())
        }
        Kind::Json => match value {
            Value::Bool(value) => value.to_string() == wanted.to_string(),
            Value::Number(_) => same_number(),
            _ => same_text(),
        },
    }
}

/// What `now` is in the tests of this corpus: within its dates.
pub(super) fn now() -> Moment {
    let rfc3339 = tantivy::time::format_description::well_known::Rfc3339;
    let now = tantivy::time::OffsetDateTime::parse("2024-01-31T08:00:00Z", &rfc3339);
    Moment::of(now.unwrap().into())
}

/// The span of a date; `date_math` has tables of its own.
fn span(value: &FieldValue, zone: Option<&str>) -> RangeInclusive<i128> {
    let zone = zone.map_or(Zone::UTC, |zone| Zone::parse(zone).unwrap());
    DateReader::at(now()).with_zone(zone).span(value).unwrap()
}

/// The first and the last address that a text stands for.
fn addresses(text: &str) -> (Ipv6Addr, Ipv6Addr) {
    let (first, last) = NETWORKS
        .iter()
        .find(|(network, ..)| *network == text)
        .map_or((text, text), |(_, first, last)| (first, last));
    let address = |text: &str| match text.parse::<IpAddr>().unwrap() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    (address(first), address(last))
}

fn range_matches(clause: &RangeClause, doc: &Value) -> bool {
    values(doc, &clause.field)
        .iter()
        .any(|value| within(clause, value))
}

fn within(clause: &RangeClause, value: &Value) -> bool {
    let bounds = [&clause.gt, &clause.gte, &clause.lt, &clause.lte];
    let all =
        |test: &dyn Fn(&FieldValue) -> bool| bounds.iter().all(|b| b.as_ref().is_none_or(test));
    if bounds.iter().all(|bound| bound.is_none()) {
        return true;
    }
    let ordered = |order: &dyn Fn(&FieldValue) -> std::cmp::Ordering| {
        clause.gt.as_ref().is_none_or(|bound| order(bound).is_gt())
            && clause.gte.as_ref().is_none_or(|bound| order(bound).is_ge())
            && clause.lt.as_ref().is_none_or(|bound| order(bound).is_lt())
            && clause.lte.as_ref().is_none_or(|bound| order(bound).is_le())
    };
    let dated = |value: &str| {
        let at = *optional_time(value).unwrap().start();
        let span = |bound: &FieldValue| span(bound, clause.time_zone.as_deref());
        let holds = |bound: &Option<FieldValue>, test: &dyn Fn(RangeInclusive<i128>) -> bool| {
            bound.as_ref().is_none_or(|bound| test(span(bound)))
        };
        holds(&clause.gt, &|span| at > *span.end())
            && holds(&clause.gte, &|span| at >= *span.start())
            && holds(&clause.lt, &|span| at < *span.start())
            && holds(&clause.lte, &|span| at <= *span.end())
    };
    let text = |bound: &FieldValue| matches!(bound, FieldValue::Text(_));
    match (kind(&clause.field), value) {
        (Kind::Date, Value::String(value)) => dated(value),
        (Kind::Json, Value::String(value))
            if optional_time(value).is_some_and(|_| value.contains('-')) =>
        {
            all(&|bound| {
                text(bound)
                    && optional_time(&bound.to_string()).is_some()
                    && bound.to_string().contains('-')
            }) && dated(value)
        }
        (Kind::Json, Value::String(value)) => {
            all(&text) && ordered(&|bound| value.as_str().cmp(&bound.to_string()))
        }
        (Kind::Json, Value::Number(_)) => {
            all(&|bound| Number::read(bound).is_some())
                && ordered(&|bound| compare(number(value).unwrap(), Number::read(bound).unwrap()))
        }
        (Kind::Json, Value::Bool(value)) => {
            all(&|bound| matches!(bound, FieldValue::Bool(_)))
                && ordered(&|bound| value.to_string().cmp(&bound.to_string()))
        }
        (Kind::Integer | Kind::Number | Kind::Unsigned, value) => {
            ordered(&|bound| compare(number(value).unwrap(), Number::read(bound).unwrap()))
        }
        (Kind::Bool, value) => ordered(&|bound| value.to_string().cmp(&bound.to_string())),
        (Kind::Address, Value::String(value)) => {
            let value = addresses(value).0;
            let holds = |bound: &Option<FieldValue>, test: &dyn Fn(Ipv6Addr, Ipv6Addr) -> bool| {
                let bound = bound.as_ref().map(|bound| addresses(&bound.to_string()));
                bound.is_none_or(|(first, last)| test(first, last))
            };
            holds(&clause.gt, &|_, last| value > last)
                && holds(&clause.gte, &|first, _| value >= first)
                && holds(&clause.lt, &|first, _| value < first)
                && holds(&clause.lte, &|_, last| value <= last)
        }
        (Kind::Bytes, Value::String(value)) => {
            // `BYTES` is sorted by what it stands for.
            let rank = |text: &str| BYTES.iter().position(|bytes| *bytes == text).unwrap();
            ordered(&|bound| rank(value).cmp(&rank(&bound.to_string())))
        }
        (Kind::Word, Value::String(value)) => {
            ordered(&|bound| value.as_str().cmp(&bound.to_string()))
        }
        (Kind::Text, value) => text_words(value)
            .iter()
            .any(|word| ordered(&|bound| word.as_str().cmp(&bound.to_string()))),
        (kind, value) => panic!("no model of {kind:?} with {value}"),
    }
}

/// Whether the facet of a document is, or is below, another.
pub(super) fn facet_matches(doc: &Value, wanted: &str) -> bool {
    let Some(facet) = doc.get("facet").and_then(Value::as_str) else {
        return false;
    };
    let (facet, wanted) = (
        Facet::from_text(facet).unwrap(),
        Facet::from_text(wanted).unwrap(),
    );
    facet == wanted || wanted.is_prefix_of(&facet)
}
