//! A search request, in the shape of an Elasticsearch `_search` body.

use std::sync::OnceLock;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::filter::clause::Clause;
use crate::filter::filter::{Filter, FilterKind};
use crate::filter::fingerprint::Fingerprint;
use crate::filter::json::{self, StrictValue, check_keys, kind_of, object};
use crate::filter::parse::Parser;
use crate::filter::path::Path;
use crate::filter::sort::{self, Sort, SortKey};
use crate::filter::source::SourceFilter;

/// How far into the hits a request may reach; Elasticsearch's `index.max_result_window`.
const MAX_WINDOW: usize = 10_000;
/// How many hits a request asks for when it does not say.
const DEFAULT_SIZE: usize = 10;

/// What to search for and what to bring back.
///
/// The shape is that of an Elasticsearch `_search` body (page *Search API*, `search-search`):
/// `query`, `size`, `from`, `sort`, `track_total_hits`, `_source`.
///
/// ```
/// use forewarm::{Clause, SearchRequest, Sort};
///
/// let written = SearchRequest::from_json(
///     r#"{"query": {"term": {"type": "PushEvent"}}, "size": 5, "sort": [{"id": "desc"}]}"#,
/// )?;
/// let built = SearchRequest::new(Clause::term("type", "PushEvent"))
///     .size(5)
///     .sort([Sort::by("id").descending()]);
/// assert_eq!(written.to_value()?, built.to_value()?);
/// assert_eq!(written.fingerprint(), built.fingerprint());
/// # Ok::<(), forewarm::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SearchRequest {
    filter: Filter,
    size: usize,
    from: usize,
    sort: Vec<Sort>,
    track_total_hits: TrackTotalHits,
    source: SourceFilter,
    /// Computed when it is first asked for, and made anew by setters of what it depends on:
    /// hashing costs more than joining, and a request is warmed, joined and searched.
    pub(crate) fingerprint: OnceLock<Fingerprint>,
}

/// How exactly hits are counted.
///
/// ```
/// assert_eq!(forewarm::TrackTotalHits::default(), forewarm::TrackTotalHits::Exactly);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum TrackTotalHits {
    /// All of them: the default.
    #[default]
    Exactly,
    /// Not at all.
    Not,
    /// Exactly up to this many.
    UpTo(u64),
}

impl SearchRequest {
    /// A request for the ten best hits of a filter.
    pub fn new(filter: impl Into<Filter>) -> Self {
        Self {
            filter: filter.into(),
            size: DEFAULT_SIZE,
            from: 0,
            sort: Vec::new(),
            track_total_hits: TrackTotalHits::Exactly,
            source: SourceFilter::All,
            fingerprint: OnceLock::new(),
        }
    }

    /// Sets how many hits to bring. With `from` at most 10,000.
    #[must_use]
    pub fn size(mut self, size: usize) -> Self {
        self.size = size;
        self.fingerprint = OnceLock::new();
        self
    }

    /// Sets how many hits to pass over.
    #[must_use]
    pub fn from(mut self, from: usize) -> Self {
        self.from = from;
        self
    }

    /// Sets the order of hits. None: by score, greatest first.
    #[must_use]
    pub fn sort(mut self, sort: impl IntoIterator<Item = Sort>) -> Self {
        self.sort = sort.into_iter().collect();
        self.fingerprint = OnceLock::new();
        self
    }

    /// Sets how exactly hits are counted.
    #[must_use]
    pub fn track_total_hits(mut self, track: TrackTotalHits) -> Self {
        self.track_total_hits = track;
        self
    }

    /// Sets which stored fields hits bring.
    #[must_use]
    pub fn source(mut self, source: SourceFilter) -> Self {
        self.source = source;
        self
    }

    /// What is searched for.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How many hits are brought.
    pub fn hits_wanted(&self) -> usize {
        self.size
    }

    /// How many hits are passed over.
    pub fn offset(&self) -> usize {
        self.from
    }

    /// The order of hits; empty means by score, greatest first.
    pub fn sorts(&self) -> &[Sort] {
        &self.sort
    }

    /// How exactly hits are counted.
    pub fn total_hits(&self) -> TrackTotalHits {
        self.track_total_hits
    }

    /// Which stored fields hits bring.
    pub fn source_filter(&self) -> &SourceFilter {
        &self.source
    }

    /// Whether scores are computed: only when hits are ordered by them, as in Elasticsearch.
    pub fn is_scored(&self) -> bool {
        self.size > 0
            && (self.sort.is_empty() || self.sort.iter().any(|sort| sort.key == SortKey::Score))
    }

    /// Checks what setters cannot: that the window of hits is small enough.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if `from` + `size` is above 10,000.
    pub fn validate(&self) -> Result<()> {
        let window = self.from.saturating_add(self.size);
        if window > MAX_WINDOW {
            let path = Path::root("size");
            return Err(path.error(format_args!(
                "from + size is {window}, more than the {MAX_WINDOW} allowed"
            )));
        }
        Ok(())
    }

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
        let known = [
            "_source",
            "from",
            "query",
            "size",
            "sort",
            "track_total_hits",
        ];
        check_keys(map, &known, "key", &root)?;
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
        if let Some(value) = map.get("track_total_hits") {
            request.track_total_hits = track(value)?;
        }
        if let Some(value) = map.get("_source") {
            request.source = SourceFilter::from_value(value, &Path::root("_source"))?;
        }
        request.validate()?;
        Ok(request)
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
