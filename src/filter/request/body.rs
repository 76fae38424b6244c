//! Requests from JSON and to JSON.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{DEFAULT_SIZE, SearchRequest, TrackTotalHits};
use crate::error::Result;
use crate::filter::aggregations::Aggregations;
use crate::filter::clause::Clause;
use crate::filter::fetch_field::{self, FetchField};
use crate::filter::filter::FilterKind;
use crate::filter::highlight;
use crate::filter::json::{self, StrictValue, check_keys, kind_of, object};
use crate::filter::parse::Parser;
use crate::filter::path::Path;
use crate::filter::sort;
use crate::filter::sort_value::SortValue;
use crate::filter::source::SourceFilter;

/// The keys of a body, sorted as error messages list them.
const KEYS: &[&str] = &[
    "_source",
    "aggregations",
    "aggs",
    "docvalue_fields",
    "fields",
    "from",
    "highlight",
    "query",
    "search_after",
    "size",
    "sort",
    "stored_fields",
    "track_total_hits",
];

impl SearchRequest {
    /// Reads a request from JSON text, in which no key may stand twice.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), naming the place: the text is not
    /// JSON, a key is unknown, a value has the wrong type or is out of bounds.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_value(&json::from_str(text)?)
    }

    /// Reads a request from parsed JSON.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    pub fn from_value(value: &Value) -> Result<Self> {
        let root = Path::root("request");
        let map = object(value, &root)?;
        check_keys(map, KEYS, "key", &root)?;
        let query: Clause = match map.get("query") {
            None => Clause::match_all().into(),
            Some(query) => Parser::new().clause(query, &Path::root("query"), 0)?,
        };
        let mut request = Self::new(query);
        if let Some(size) = count(map, "size")? {
            request.size = size;
        }
        if let Some(from) = count(map, "from")? {
            request.from = from;
        }
        if let Some(value) = map.get("sort") {
            request.sort = sort::from_value(value, &Path::root("sort"))?;
        }
        if let Some(value) = map.get("search_after") {
            request.search_after = Some(place(value)?);
        }
        if let Some(value) = map.get("track_total_hits") {
            request.track_total_hits = track(value)?;
        }
        request.read_fetch(map)?;
        match (map.get("aggs"), map.get("aggregations")) {
            (Some(_), Some(_)) => {
                return Err(root.error("\"aggregations\" and \"aggs\" are the same: give one"));
            }
            (Some(value), None) => {
                request.aggregations = Aggregations::parse(value, &Path::root("aggs"))?;
            }
            (None, Some(value)) => {
                request.aggregations = Aggregations::parse(value, &Path::root("aggregations"))?;
            }
            (None, None) => {}
        }
        request.validate()?;
        Ok(request)
    }

    /// Reads what hits bring.
    fn read_fetch(&mut self, map: &Map<String, Value>) -> Result<()> {
        if let Some(value) = map.get("_source") {
            self.source = SourceFilter::from_value(value, &Path::root("_source"))?;
        }
        for (key, or_stored) in [("fields", true), ("docvalue_fields", false)] {
            if let Some(value) = map.get(key) {
                let fields = fetch_field::from_value(value, &Path::root(key))?.into_iter();
                self.fields
                    .extend(fields.map(|field| FetchField { or_stored, ..field }));
            }
        }
        if let Some(value) = map.get("highlight") {
            self.highlight = highlight::from_value(value, &Path::root("highlight"))?;
        }
        if let Some(value) = map.get("stored_fields") {
            let path = Path::root("stored_fields");
            if *value != json!("_none_") && *value != json!(["_none_"]) {
                return Err(path.error(
                    "only \"_none_\" is supported: name stored fields in \"_source\", columns in \
                     \"fields\"",
                ));
            }
            if map.contains_key("_source") && self.source != SourceFilter::None {
                return Err(path.error("\"_none_\" and \"_source\" exclude each other"));
            }
            self.source = SourceFilter::None;
        }
        Ok(())
    }

    /// The request as JSON. [`from_value`](Self::from_value) reads it back unchanged.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the filter is an opaque query,
    /// which has no JSON.
    pub fn to_value(&self) -> Result<Value> {
        let FilterKind::Clause(clause) = self.filter.kind() else {
            return Err(Path::root("query").error("an opaque query has no JSON"));
        };
        let mut body = Map::new();
        body.insert("query".into(), clause.to_value());
        if self.size != DEFAULT_SIZE {
            body.insert("size".into(), json!(self.size));
        }
        if self.from != 0 {
            body.insert("from".into(), json!(self.from));
        }
        if !self.sort.is_empty() {
            body.insert("sort".into(), sort::to_value(&self.sort));
        }
        if let Some(place) = &self.search_after {
            let written = serde_json::to_value(place);
            let written = written.map_err(|error| Path::root("search_after").error(error))?;
            body.insert("search_after".into(), written);
        }
        match self.track_total_hits {
            TrackTotalHits::Exactly => {}
            TrackTotalHits::Not => {
                body.insert("track_total_hits".into(), json!(false));
            }
            TrackTotalHits::UpTo(limit) => {
                body.insert("track_total_hits".into(), json!(limit));
            }
        }
        if self.source != SourceFilter::All {
            body.insert("_source".into(), self.source.to_value());
        }
        if !self.fields.is_empty() {
            for (key, or_stored) in [("fields", true), ("docvalue_fields", false)] {
                let fields = fetch_field::to_value(&self.fields, or_stored);
                if fields != json!([]) {
                    body.insert(key.into(), fields);
                }
            }
        }
        if !self.highlight.is_empty() {
            body.insert("highlight".into(), highlight::to_value(&self.highlight));
        }
        if !self.aggregations.is_empty() {
            body.insert("aggs".into(), self.aggregations.to_value());
        }
        Ok(Value::Object(body))
    }
}

impl Serialize for SearchRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_value()
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SearchRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let StrictValue(value) = StrictValue::deserialize(deserializer)?;
        Self::from_value(&value).map_err(D::Error::custom)
    }
}

fn count(map: &Map<String, Value>, key: &str) -> Result<Option<usize>> {
    let Some(value) = map.get(key) else {
        return Ok(None);
    };
    match value.as_u64().and_then(|count| usize::try_from(count).ok()) {
        Some(count) => Ok(Some(count)),
        None => {
            let path = Path::root(key);
            Err(path.error(format_args!("expected a whole number from 0, got {value}")))
        }
    }
}

fn place(value: &Value) -> Result<Vec<SortValue>> {
    let path = Path::root("search_after");
    let Value::Array(values) = value else {
        let kind = kind_of(value);
        return Err(path.error(format_args!("expected an array, got {kind}")));
    };
    let values = values.iter().enumerate();
    values
        .map(|(index, value)| SortValue::from_json(value, &path.index(index)))
        .collect()
}

fn track(value: &Value) -> Result<TrackTotalHits> {
    match value {
        Value::Bool(true) => Ok(TrackTotalHits::Exactly),
        Value::Bool(false) => Ok(TrackTotalHits::Not),
        Value::Number(number) if number.is_u64() => {
            Ok(TrackTotalHits::UpTo(number.as_u64().unwrap_or(u64::MAX)))
        }
        other => {
            let path = Path::root("track_total_hits");
            let kind = kind_of(other);
            Err(path.error(format_args!(
                "expected a boolean or a whole number from 0, got {kind}"
            )))
        }
    }
}
