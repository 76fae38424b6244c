//! A search request, in the shape of an Elasticsearch `_search` body.

mod body;
mod wording;

use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::Value;
use tantivy::Index;

use crate::error::Result;
use crate::filter::aggregations::Aggregations;
use crate::filter::canonical::Form;
use crate::filter::clause::Clause;
use crate::filter::date_math::Moment;
use crate::filter::fetch_field::{self, FetchField};
use crate::filter::filter::Filter;
use crate::filter::fingerprint::Fingerprint;
use crate::filter::highlight::{self, HighlightField};
use crate::filter::path::Path;
use crate::filter::sort::{Sort, SortKey};
use crate::filter::sort_value::SortValue;
use crate::filter::source::SourceFilter;

/// How far into the hits a request may reach; Elasticsearch's `index.max_result_window`.
const MAX_WINDOW: usize = 10_000;
/// How many names of clauses the hits of a request may be told to match, together.
const MAX_NAMES: usize = 1_000_000;
/// How many hits a request asks for when it does not say.
const DEFAULT_SIZE: usize = 10;

/// What to search for and what to bring back.
///
/// The shape is that of an Elasticsearch `_search` body (page *Search API*, `search-search`):
/// `query`, `size`, `from`, `sort`, `search_after`, `track_total_hits`, `_source`, `fields` and
/// `docvalue_fields`, `stored_fields` (only `_none_`), `highlight`, and `aggs` or `aggregations`.
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
    aggregations: Aggregations,
    search_after: Option<Vec<SortValue>>,
    fields: Vec<FetchField>,
    highlight: Vec<HighlightField>,
    /// Computed when it is first asked for, and made anew by setters of what it depends on:
    /// hashing costs more than joining, and a request is warmed, joined and searched.
    pub(crate) fingerprint: OnceLock<Fingerprint>,
    /// What `now` is, from when it is first asked for.
    now: OnceLock<Moment>,
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
            aggregations: Aggregations::default(),
            search_after: None,
            fields: Vec::new(),
            highlight: Vec::new(),
            fingerprint: OnceLock::new(),
            now: OnceLock::new(),
        }
    }

    /// Sets what `now` is in date arithmetic, to the millisecond.
    ///
    /// A request has one moment, so that it is warmed and searched for the same dates. If none is
    /// set, it is when the request is first warmed, searched or asked for its fingerprint; clones
    /// made after that have the same. It is no part of the request's JSON.
    ///
    /// ```
    /// use forewarm::{Clause, SearchRequest};
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// let today = SearchRequest::new(Clause::range("at").gte("now/d"));
    /// let at = |hours: u64| today.clone().at(UNIX_EPOCH + Duration::from_secs(hours * 3600));
    /// assert_eq!(at(1).fingerprint(), at(23).fingerprint());
    /// assert_ne!(at(1).fingerprint(), at(25).fingerprint());
    /// ```
    #[must_use]
    pub fn at(mut self, now: SystemTime) -> Self {
        self.now = OnceLock::from(Moment::of(now));
        self.fingerprint = OnceLock::new();
        self
    }

    /// What `now` is.
    pub(crate) fn moment(&self) -> Moment {
        *self.now.get_or_init(Moment::now)
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

    /// Sets what is computed over all matches.
    #[must_use]
    pub fn aggregations(mut self, aggregations: Aggregations) -> Self {
        self.aggregations = aggregations;
        self.fingerprint = OnceLock::new();
        self
    }

    /// Sets the place in the order after which hits begin: what the last hit before was
    /// [sorted by](crate::Hit::sort). It needs a [`sort`](Self::sort) of the same keys, and no
    /// [`from`](Self::from).
    ///
    /// Hits that compare equal to the place are passed over, so the sort should tell all apart:
    /// end it with [`Sort::doc`], which is unique as long as the same splits are searched in the
    /// same order.
    ///
    /// ```
    /// use forewarm::{Clause, SearchRequest, Sort, SortValue};
    ///
    /// let next = SearchRequest::new(Clause::match_all())
    ///     .sort([Sort::by("price"), Sort::doc()])
    ///     .search_after([SortValue::U64(12), SortValue::U64(4_294_967_301)]);
    /// assert_eq!(next.to_value()?["search_after"], serde_json::json!([12, 4_294_967_301_u64]));
    /// # Ok::<(), forewarm::Error>(())
    /// ```
    #[must_use]
    pub fn search_after(mut self, place: impl IntoIterator<Item = SortValue>) -> Self {
        self.search_after = Some(place.into_iter().collect());
        self
    }

    /// Sets which fields hits bring the values of. One that is fast costs a whole column in each
    /// segment that has a hit.
    #[must_use]
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<FetchField>>) -> Self {
        self.fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Sets which texts of hits are shown with the words of the query marked.
    #[must_use]
    pub fn highlight(
        mut self,
        fields: impl IntoIterator<Item = impl Into<HighlightField>>,
    ) -> Self {
        self.highlight = fields.into_iter().map(Into::into).collect();
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

    /// What is computed over all matches.
    pub fn aggregated(&self) -> &Aggregations {
        &self.aggregations
    }

    /// The place in the order after which hits begin.
    pub fn place(&self) -> Option<&[SortValue]> {
        self.search_after.as_deref()
    }

    /// The fields that hits bring the values of.
    pub fn fetched_fields(&self) -> &[FetchField] {
        &self.fields
    }

    /// The texts of hits that are shown with the words of the query marked.
    pub fn highlighted(&self) -> &[HighlightField] {
        &self.highlight
    }

    /// Visits the named clauses, unless there are no hits to name them for.
    pub(crate) fn visit_named<'r>(&'r self, visit: &mut dyn FnMut(&'r str, &'r Clause)) {
        if self.size > 0
            && let Some(clause) = self.filter.clause()
        {
            clause.visit_named(visit);
        }
    }

    /// Checks what hits bring against an index.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the field and its place.
    pub(crate) fn check_fetch(&self, index: &Index) -> Result<()> {
        if self.fields.is_empty() && self.highlight.is_empty() {
            return Ok(());
        }
        fetch_field::check(&self.fields, &index.schema())?;
        highlight::bind(&self.highlight, index).map(drop)
    }

    /// Whether scores are computed: only when hits are ordered by them, as in Elasticsearch.
    pub fn is_scored(&self) -> bool {
        self.size > 0
            && (self.sort.is_empty() || self.sort.iter().any(|sort| sort.key == SortKey::Score))
    }

    /// Whether the hits of both surely bring the same, where both have the same fingerprint.
    pub(crate) fn brings_same(&self, other: &Self) -> bool {
        (self.size, self.from) == (other.size, other.from)
            && self.source == other.source
            && self.sort == other.sort
            && self.search_after == other.search_after
            && self.fields == other.fields
            && self.highlight == other.highlight
            && self.filter.is_same(&other.filter)
    }

    /// Checks what setters cannot: that the window of hits is small enough, and that a place to
    /// go on from is one of the sort.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if `from` + `size` is above 10,000, or
    /// `search_after` comes without a sort, with another number of values, or with `from`.
    pub fn validate(&self) -> Result<()> {
        let window = self.from.saturating_add(self.size);
        if window > MAX_WINDOW {
            let path = Path::root("size");
            return Err(path.error(format_args!(
                "from + size is {window}, more than the {MAX_WINDOW} allowed"
            )));
        }
        let mut names = 0_usize;
        self.visit_named(&mut |_, _| names += 1);
        if names.saturating_mul(self.size) > MAX_NAMES {
            return Err(Path::root("size").error(format_args!(
                "{names} named clauses for {} hits make more than {MAX_NAMES} names: ask for fewer",
                self.size
            )));
        }
        let Some(place) = &self.search_after else {
            return Ok(());
        };
        let path = Path::root("search_after");
        if self.sort.is_empty() {
            return Err(path.error("it is a place in an order: give the \"sort\" too"));
        }
        if place.len() != self.sort.len() {
            let (values, keys) = (place.len(), self.sort.len());
            return Err(path.error(format_args!("{values} values for a sort by {keys} keys")));
        }
        if self.from > 0 {
            let from = self.from;
            return Err(path.error(format_args!("with it \"from\" must be 0, got {from}")));
        }
        Ok(())
    }

    /// What else the request reads, for its canonical form.
    pub(crate) fn canonical_extras(&self) -> Vec<(&'static str, Form)> {
        let mut extras = Vec::new();
        if !self.aggregations.is_empty() {
            extras.push(("aggs", self.aggregations.canonical(self.moment()).into()));
        }
        let mut named = Vec::new();
        let shallow = self.filter.clause().filter(|it| !it.is_too_deep());
        if let Some(clause) = shallow.filter(|_| self.size > 0) {
            read_for_names(clause, self.is_scored(), self.moment(), &mut named);
        }
        if !named.is_empty() {
            named.sort_by_key(Value::to_string);
            named.dedup();
            extras.push(("named", Value::Array(named).into()));
        }
        extras
    }
}

/// The canonical forms of clauses that are read only because they have a name: those that change
/// neither matches nor scores are left out of the query.
fn read_for_names(clause: &Clause, scored: bool, now: Moment, named: &mut Vec<Value>) {
    match clause {
        Clause::Bool(clause) => {
            for part in &clause.must {
                read_for_names(part, scored, now, named);
            }
            for part in clause.filter.iter().chain(&clause.must_not) {
                read_for_names(part, false, now, named);
            }
            for part in &clause.should {
                if scored {
                    read_for_names(part, scored, now, named);
                } else {
                    part.visit_named(&mut |_, clause| {
                        named.push(Filter::from(clause.clone()).canonical_unscored(now));
                    });
                }
            }
        }
        Clause::ConstantScore(clause) => read_for_names(&clause.filter, false, now, named),
        Clause::DisMax(clause) => {
            for query in &clause.queries {
                read_for_names(query, scored, now, named);
            }
        }
        _ => {}
    }
}
