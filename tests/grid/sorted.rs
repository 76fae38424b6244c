//! Pages in the order of columns, made anew from all matches.

use std::cmp::Ordering;

use forewarm::{Missing, SearchRequest, SearchResponse, Sort, SortKey, SortOrder};
use serde_json::Value;
use tantivy::columnar::DynamicColumn;
use tantivy::time::OffsetDateTime;
use tantivy::time::format_description::well_known::Rfc3339;
use tantivy::{DateTime, DocAddress, DocId, Score, SegmentReader};

use crate::corpus::Corpus;
use crate::expected::{addresses, assert_close};

/// A value that documents are sorted by.
#[derive(Clone, Debug, PartialEq)]
enum Key {
    Bool(bool),
    Date(DateTime),
    Number(f64),
    Text(String),
}

impl Key {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => panic!("{self:?} and {other:?}"),
        }
    }

    /// A value of `search_after`, of the kind that a column has.
    fn of(value: &Value, like: &Self) -> Option<Self> {
        Some(match (value, like) {
            (Value::Null, _) => return None,
            (Value::String(text), Self::Date(_)) => Self::Date(DateTime::from_utc(
                OffsetDateTime::parse(text, &Rfc3339).unwrap(),
            )),
            (Value::Number(number), Self::Date(_)) => {
                Self::Date(DateTime::from_timestamp_millis(number.as_i64().unwrap()))
            }
            (Value::Bool(value), _) => Self::Bool(*value),
            (Value::Number(number), _) => Self::Number(number.as_f64().unwrap()),
            (Value::String(text), _) => Self::Text(text.clone()),
            _ => panic!("{value} is no place"),
        })
    }
}

/// The values of a document in all columns of a name.
fn values(reader: &SegmentReader, name: &str, doc: DocId) -> Vec<Key> {
    let mut found = Vec::new();
    for handle in reader.fast_fields().dynamic_column_handles(name).unwrap() {
        match handle.open().unwrap() {
            DynamicColumn::Bool(column) => found.extend(column.values_for_doc(doc).map(Key::Bool)),
            DynamicColumn::DateTime(column) => {
                found.extend(column.values_for_doc(doc).map(Key::Date))
            }
            DynamicColumn::F64(column) => found.extend(column.values_for_doc(doc).map(Key::Number)),
            DynamicColumn::I64(column) => found.extend(
                column
                    .values_for_doc(doc)
                    .map(|value| Key::Number(value as f64)),
            ),
            DynamicColumn::U64(column) => found.extend(
                column
                    .values_for_doc(doc)
                    .map(|value| Key::Number(value as f64)),
            ),
            DynamicColumn::Str(column) => found.extend(column.term_ords(doc).map(|ord| {
                let mut text = String::new();
                assert!(column.ord_to_str(ord, &mut text).unwrap());
                Key::Text(text)
            })),
            _ => panic!("no body sorts by {name}"),
        }
    }
    found
}

struct Match {
    keys: Vec<Option<Key>>,
    score: Score,
    address: DocAddress,
}

impl Match {
    fn new((address, score): (DocAddress, Score), sorts: &[Sort], corpus: &Corpus) -> Self {
        let reader = corpus.ram.segment_reader(address.segment_ord);
        let key = |sort: &Sort| match &sort.key {
            SortKey::Field(name) => {
                let values = values(reader, name, address.doc_id).into_iter();
                match sort.order {
                    SortOrder::Ascending => values.min_by(Key::compare),
                    _ => values.max_by(Key::compare),
                }
            }
            SortKey::Score => Some(Key::Number(score.into())),
            _ => None,
        };
        Self {
            keys: sorts.iter().map(key).collect(),
            score,
            address,
        }
    }
}

fn compare(sort: &Sort, a: Option<&Key>, b: Option<&Key>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (Some(a), Some(b)) => match sort.order {
            SortOrder::Ascending => a.compare(b),
            _ => b.compare(a),
        },
        (Some(_), None) if sort.missing == Missing::Last => Ordering::Less,
        (None, Some(_)) if sort.missing == Missing::First => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// Whether a match comes after a place.
fn is_after(found: &Match, place: &Value, sorts: &[Sort]) -> bool {
    let keys = sorts.iter().zip(&found.keys).enumerate();
    let orders = keys.map(|(at, (sort, key))| {
        let place = match key {
            Some(like) => Key::of(&place[at], like),
            None => (!place[at].is_null()).then(|| Key::Text(String::new())),
        };
        compare(sort, key.as_ref(), place.as_ref())
    });
    orders.into_iter().find(|order| order.is_ne()) == Some(Ordering::Greater)
}

/// Asserts that a page is that of all `matches`, sorted; ties are in the order of the index.
pub fn assert_sorted(
    response: &SearchResponse,
    request: &SearchRequest,
    place: Option<&Value>,
    matches: &[(DocAddress, Score)],
    corpus: &Corpus,
) {
    let sorts = request.sorts();
    let mut sorted: Vec<Match> = matches
        .iter()
        .map(|found| Match::new(*found, sorts, corpus))
        .filter(|found| place.is_none_or(|place| is_after(found, place, sorts)))
        .collect();
    sorted.sort_by(|a, b| {
        let keys = sorts.iter().zip(a.keys.iter().zip(&b.keys));
        keys.map(|(sort, (a, b))| compare(sort, a.as_ref(), b.as_ref()))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.address.cmp(&b.address))
    });
    let page = sorted.iter().skip(request.offset());
    let page: Vec<&Match> = page.take(request.hits_wanted()).collect();
    let expected: Vec<DocAddress> = page.iter().map(|hit| hit.address).collect();
    assert_eq!(addresses(response, corpus), expected);
    for (hit, expected) in response.hits.hits.iter().zip(page) {
        assert_eq!(hit.sort.len(), sorts.len());
        if let Some(score) = hit.score {
            assert_close(score, expected.score);
        }
        let keys = sorts.iter().zip(&hit.sort).zip(&expected.keys);
        for ((sort, value), key) in keys {
            let value = serde_json::to_value(value).unwrap();
            match (&sort.key, key) {
                (SortKey::Field(_), Some(key)) => {
                    assert_eq!(Key::of(&value, key).as_ref(), Some(key));
                }
                (SortKey::Field(_), None) => assert!(value.is_null()),
                _ => assert!(value.is_number()),
            }
        }
    }
}
