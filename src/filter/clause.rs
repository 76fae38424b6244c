//! The syntax tree of a filter: one type per clause of the Elasticsearch query DSL.

use crate::filter::value::FieldValue;

/// A search condition, in the terms of the Elasticsearch query DSL.
///
/// A clause comes from JSON ([`from_json`](Self::from_json), or any serde format that describes
/// itself), or from Rust ([`Clause::term`] and its siblings), and serialises to JSON. It knows no
/// schema yet: that a field exists, is indexed, and can hold the value is checked when the clause
/// meets an index.
///
/// The reference for every clause is the chapter *Query DSL* of the Elasticsearch guide
/// (<https://www.elastic.co/guide/en/elasticsearch/reference/current/query-dsl.html>); each variant
/// names its page.
///
/// ```
/// use forewarm::Clause;
///
/// let written = Clause::from_json(
///     r#"{"bool": {"must": {"term": {"type": "PushEvent"}},
///                  "filter": [{"range": {"price": {"gte": 10, "lt": 20}}}]}}"#,
/// )?;
/// let built = Clause::bool()
///     .must(Clause::term("type", "PushEvent"))
///     .filter(Clause::range("price").gte(10).lt(20));
/// assert_eq!(written, built.into());
/// # Ok::<(), forewarm::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Clause {
    /// Combines clauses (page *Boolean query*, `query-dsl-bool-query`).
    Bool(BoolClause),
    /// Documents that have a value in a field (page *Exists query*, `query-dsl-exists-query`).
    Exists(ExistsClause),
    /// Words of a text, after the field's tokenizer (page *Match query*,
    /// `query-dsl-match-query`).
    Match(MatchClause),
    /// Every document (page *Match all query*, `query-dsl-match-all-query`).
    MatchAll(MatchAllClause),
    /// No document (page *Match all query*, `query-dsl-match-all-query`).
    MatchNone(MatchNoneClause),
    /// Words in their order (page *Match phrase query*, `query-dsl-match-query-phrase`).
    MatchPhrase(MatchPhraseClause),
    /// Terms that begin with a prefix (page *Prefix query*, `query-dsl-prefix-query`).
    Prefix(PrefixClause),
    /// A text in tantivy's query grammar (page *Query string query*,
    /// `query-dsl-query-string-query`, for the parameters).
    QueryString(QueryStringClause),
    /// Values between bounds (page *Range query*, `query-dsl-range-query`).
    Range(RangeClause),
    /// One exact value (page *Term query*, `query-dsl-term-query`).
    Term(TermClause),
    /// Any of several exact values (page *Terms query*, `query-dsl-terms-query`).
    Terms(TermsClause),
}

/// `bool`: documents that match every `must` and `filter`, no `must_not`, and enough `should`.
///
/// An empty `bool` matches every document. Scores of `must` and `should` add up; `filter` and
/// `must_not` are not scored. See [`Clause::bool`].
///
/// ```
/// use forewarm::Clause;
///
/// let clause = Clause::bool()
///     .should(Clause::term("lang", "en"))
///     .should(Clause::term("lang", "de"))
///     .must_not(Clause::exists("deleted_at"));
/// assert_eq!(clause.should.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BoolClause {
    /// What must match, and is scored.
    pub must: Vec<Clause>,
    /// What must match, and is not scored.
    pub filter: Vec<Clause>,
    /// What may match, and is scored.
    pub should: Vec<Clause>,
    /// What must not match.
    pub must_not: Vec<Clause>,
    /// How many of `should` must match. By default one when there is neither `must` nor
    /// `filter`, else none.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
}

/// How many optional clauses must match (page *minimum_should_match parameter*,
/// `query-dsl-minimum-should-match`). The combined form (`"2<75%"`) is not read.
///
/// ```
/// use forewarm::{Clause, MinimumShouldMatch};
///
/// let clause = Clause::bool().minimum_should_match(MinimumShouldMatch::Percent(75));
/// assert_eq!(clause.minimum_should_match, Some(MinimumShouldMatch::Percent(75)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MinimumShouldMatch {
    /// So many; a negative number counts from the top: `-1` is all but one.
    Count(i32),
    /// So many in a hundred, rounded down; negative: so many in a hundred may be missing.
    Percent(i32),
}

/// `exists`: documents that have a value in a field, which must be fast. Score: `boost`.
///
/// For a JSON path a value in any path below it counts. See [`Clause::exists`].
///
/// ```
/// assert_eq!(forewarm::Clause::exists("repo.name").field, "repo.name");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExistsClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The score, 1.0 by default.
    pub boost: f32,
}

/// `match`: the text goes through the field's tokenizer; its words are searched. On a field that
/// is no text, the same as `term`. A text without words matches nothing. See
/// [`Clause::match_text`].
///
/// ```
/// use forewarm::{Clause, Operator};
///
/// let clause = Clause::match_text("title", "quick fox").operator(Operator::And);
/// assert_eq!(clause.operator, Operator::And);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MatchClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The text.
    pub query: FieldValue,
    /// Whether one word suffices (`or`, the default) or all are needed (`and`).
    pub operator: Operator,
    /// How many words must match when `operator` is `or`.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
}

/// `match_all`: every document. Score: `boost`. See [`Clause::match_all`].
///
/// ```
/// assert_eq!(forewarm::Clause::match_all().boost(2.0).boost, 2.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MatchAllClause {
    /// The score, 1.0 by default.
    pub boost: f32,
}

/// `match_none`: no document. See [`Clause::match_none`].
///
/// ```
/// let clause: forewarm::Clause = forewarm::Clause::match_none().into();
/// assert_eq!(serde_json::to_string(&clause).unwrap(), r#"{"match_none":{}}"#);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MatchNoneClause {
    /// Read and written, without effect.
    pub boost: f32,
}

/// `match_phrase`: the words of the text, in this order. The field needs positions. A text of one
/// word is a term; one without words matches nothing. See [`Clause::match_phrase`].
///
/// ```
/// assert_eq!(forewarm::Clause::match_phrase("title", "quick fox").slop(1).slop, 1);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MatchPhraseClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The text.
    pub query: FieldValue,
    /// How many positions the words may be moved altogether, 0 by default.
    pub slop: u32,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
}

/// Whether one of several words suffices, or all are needed.
///
/// ```
/// assert_eq!(forewarm::Operator::default(), forewarm::Operator::Or);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Operator {
    /// All are needed.
    And,
    /// One suffices.
    #[default]
    Or,
}

/// `prefix`: documents with a term that begins with exactly these characters; `*` and `?` mean
/// themselves. For text, facets and JSON paths. Score: `boost`. See [`Clause::prefix`].
///
/// ```
/// assert_eq!(forewarm::Clause::prefix("path", "/var/").value, "/var/");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PrefixClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The characters, not analysed.
    pub value: String,
    /// The score, 1.0 by default.
    pub boost: f32,
}

/// `query_string`: a text in the grammar of tantivy's
/// [`QueryParser`](tantivy::query::QueryParser). See [`Clause::query_string`].
///
/// ```
/// let clause = forewarm::Clause::query_string("title:fox -lazy").fields(["body"]);
/// assert_eq!(clause.fields, ["body"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QueryStringClause {
    /// The text.
    pub query: String,
    /// Where words without a field are searched, each maybe with a factor (`title^3`). Empty:
    /// all indexed text fields.
    pub fields: Vec<String>,
    /// How words without an operator combine, `or` by default.
    pub default_operator: Operator,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
}

/// `range`: values between bounds; of several bounds on one side the tightest holds. Bounds that
/// exclude each other match nothing, none at all every document with a value. Score: `boost`. See
/// [`Clause::range`].
///
/// Whole-number fields round a fractional bound inwards and accept bounds beyond their range.
/// Dates may be shortened (`2024-01-31`, `2024-01`): `gt` and `lte` then mean the end of that day
/// or month, `gte` and `lt` its beginning.
///
/// ```
/// let clause = forewarm::Clause::range("created_at").gte("2024-01-01").format("yyyy-MM-dd");
/// assert_eq!(clause.format.as_deref(), Some("yyyy-MM-dd"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RangeClause {
    /// The field, or the JSON path.
    pub field: String,
    /// Above this.
    pub gt: Option<FieldValue>,
    /// This or above.
    pub gte: Option<FieldValue>,
    /// Below this.
    pub lt: Option<FieldValue>,
    /// This or below.
    pub lte: Option<FieldValue>,
    /// How dates are written, alternatives parted by `||`: `strict_date_optional_time` (the
    /// default, with `epoch_millis`), `epoch_millis`, `epoch_second`, `yyyy-MM-dd`.
    pub format: Option<String>,
    /// The score, 1.0 by default.
    pub boost: f32,
}

/// `term`: documents with exactly this value; text is not analysed. See [`Clause::term`].
///
/// A date that is shortened (`2024-01-31`) matches the whole day, as in Elasticsearch. On a JSON
/// path the value is looked for as each type it can be read as (`"10"`: a number and a string).
///
/// ```
/// assert_eq!(forewarm::Clause::term("type", "PushEvent").boost(3.0).boost, 3.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TermClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The value.
    pub value: FieldValue,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
}

/// `terms`: documents with any of these values; none at all matches nothing. Score: `boost`. See
/// [`Clause::terms`].
///
/// ```
/// assert_eq!(forewarm::Clause::terms("type", ["PushEvent", "ForkEvent"]).values.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TermsClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The values, at most 65,536.
    pub values: Vec<FieldValue>,
    /// The score, 1.0 by default.
    pub boost: f32,
}

impl MinimumShouldMatch {
    /// How many of `total` must match, as Elasticsearch's
    /// `Queries.calculateMinShouldMatch` counts.
    pub(crate) fn resolve(self, total: usize) -> usize {
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let count = match self {
            Self::Count(count) if count < 0 => total.saturating_add(count.into()),
            Self::Count(count) => count.into(),
            // Division rounds towards zero, for negative numbers too: there it means that
            // fewer may be missing.
            Self::Percent(percent) => {
                let part = total.saturating_mul(percent.into()) / 100;
                if percent < 0 {
                    total.saturating_add(part)
                } else {
                    part
                }
            }
        };
        usize::try_from(count).unwrap_or(0)
    }
}
