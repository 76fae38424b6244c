//! The syntax tree of a filter: one type per clause of the Elasticsearch query DSL.

mod compound;
mod fulltext;
mod fuzziness;
mod minimum;
mod multi_match;
mod query_strings;
mod regexp_flags;
mod termlevel;

use crate::filter::parse::MAX_DEPTH;
pub use compound::{BoolClause, ConstantScoreClause, DisMaxClause};
pub use fulltext::{
    MatchBoolPrefixClause, MatchClause, MatchPhraseClause, MatchPhrasePrefixClause, Operator,
    ZeroTermsQuery,
};
pub use fuzziness::{Fuzziness, FuzzyWords};
pub use minimum::{MinimumShouldMatch, MinimumStep};
pub use multi_match::{MultiMatchClause, MultiMatchType};
pub use query_strings::{QueryStringClause, SimpleQueryFlag, SimpleQueryStringClause};
pub use regexp_flags::RegexpFlags;
pub use termlevel::{
    ExistsClause, FuzzyClause, IdsClause, PrefixClause, RangeClause, RegexpClause, TermClause,
    TermsClause, WildcardClause,
};

/// A search condition, in the terms of the Elasticsearch query DSL.
///
/// A clause comes from JSON ([`from_json`](Self::from_json), or any serde format that describes
/// itself), or from Rust ([`Clause::term`] and its siblings), and serialises to JSON. It knows no
/// schema yet: that a field exists, is indexed, and can hold the value is checked when the clause
/// meets an index.
///
/// The reference for every clause is the chapter *Query DSL* of the Elasticsearch guide
/// (<https://www.elastic.co/guide/en/elasticsearch/reference/current/query-dsl.html>); each variant
/// names its page. On which types of field each works and what it reads there:
/// [`clauses`](crate::clauses).
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
    /// The documents of a clause, all with one score (page *Constant score query*,
    /// `query-dsl-constant-score-query`).
    ConstantScore(ConstantScoreClause),
    /// Any of several clauses, of which the best scores (page *Disjunction max query*,
    /// `query-dsl-dis-max-query`).
    DisMax(DisMaxClause),
    /// Documents that have a value in a field (page *Exists query*, `query-dsl-exists-query`).
    Exists(ExistsClause),
    /// Terms that are nearly a word (page *Fuzzy query*, `query-dsl-fuzzy-query`).
    Fuzzy(FuzzyClause),
    /// Documents by their `_id` (page *IDs*, `query-dsl-ids-query`).
    Ids(IdsClause),
    /// Words of a text, after the field's tokenizer (page *Match query*,
    /// `query-dsl-match-query`).
    Match(MatchClause),
    /// Every document (page *Match all query*, `query-dsl-match-all-query`).
    MatchAll(MatchAllClause),
    /// Words of a text, the last as a prefix (page *Match boolean prefix query*,
    /// `query-dsl-match-bool-prefix-query`).
    MatchBoolPrefix(MatchBoolPrefixClause),
    /// No document (page *Match all query*, `query-dsl-match-all-query`).
    MatchNone(MatchNoneClause),
    /// Words in their order (page *Match phrase query*, `query-dsl-match-query-phrase`).
    MatchPhrase(MatchPhraseClause),
    /// Words in their order, the last as a prefix (page *Match phrase prefix query*,
    /// `query-dsl-match-query-phrase-prefix`).
    MatchPhrasePrefix(MatchPhrasePrefixClause),
    /// A text in several fields (page *Multi-match query*, `query-dsl-multi-match-query`).
    MultiMatch(MultiMatchClause),
    /// Terms that begin with a prefix (page *Prefix query*, `query-dsl-prefix-query`).
    Prefix(PrefixClause),
    /// A text in tantivy's query grammar (page *Query string query*,
    /// `query-dsl-query-string-query`, for the parameters).
    QueryString(QueryStringClause),
    /// Values between bounds (page *Range query*, `query-dsl-range-query`).
    Range(RangeClause),
    /// Terms that match a regular expression (page *Regexp query*, `query-dsl-regexp-query`).
    Regexp(RegexpClause),
    /// A text with few operators (page *Simple query string query*,
    /// `query-dsl-simple-query-string-query`).
    SimpleQueryString(SimpleQueryStringClause),
    /// One exact value (page *Term query*, `query-dsl-term-query`).
    Term(TermClause),
    /// Any of several exact values (page *Terms query*, `query-dsl-terms-query`).
    Terms(TermsClause),
    /// Terms that match a pattern (page *Wildcard query*, `query-dsl-wildcard-query`).
    Wildcard(WildcardClause),
}

impl Clause {
    /// Visits every clause that has a name (`_name`), with it; a clause before those within it.
    ///
    /// ```
    /// use forewarm::Clause;
    ///
    /// let clause: Clause = Clause::bool()
    ///     .must(Clause::term("lang", "en").named("english"))
    ///     .named("all")
    ///     .into();
    /// let mut names = Vec::new();
    /// clause.visit_named(&mut |name, _| names.push(name));
    /// assert_eq!(names, ["all", "english"]);
    /// ```
    pub fn visit_named<'c>(&'c self, visit: &mut dyn FnMut(&'c str, &'c Clause)) {
        // Without recursion: nobody may have looked yet how deep it is.
        let mut open = vec![self];
        while let Some(clause) = open.pop() {
            if let Some(name) = clause.name() {
                visit(name, clause);
            }
            let before = open.len();
            clause.visit_inner(&mut |inner| open.push(inner));
            open[before..].reverse();
        }
    }

    /// Whether clauses nest deeper than can be bound: then nothing may walk them by recursion.
    pub(crate) fn is_too_deep(&self) -> bool {
        let mut open = vec![(self, 0)];
        while let Some((clause, depth)) = open.pop() {
            if depth >= MAX_DEPTH {
                return true;
            }
            clause.visit_inner(&mut |inner| open.push((inner, depth + 1)));
        }
        false
    }

    /// Whether all matches surely have the same score, whatever index they are in.
    pub(crate) fn scores_alike(&self) -> bool {
        match self {
            // What is left of it is not scored.
            Self::Bool(clause) => clause.must.is_empty() && clause.should.is_empty(),
            Self::ConstantScore(_)
            | Self::Exists(_)
            | Self::Fuzzy(_)
            | Self::Ids(_)
            | Self::MatchAll(_)
            | Self::MatchNone(_)
            | Self::Prefix(_)
            | Self::Range(_)
            | Self::Regexp(_)
            | Self::Terms(_)
            | Self::Wildcard(_) => true,
            Self::DisMax(_)
            | Self::Match(_)
            | Self::MatchBoolPrefix(_)
            | Self::MatchPhrase(_)
            | Self::MatchPhrasePrefix(_)
            | Self::MultiMatch(_)
            | Self::QueryString(_)
            | Self::SimpleQueryString(_)
            | Self::Term(_) => false,
        }
    }

    /// As [`visit_inner`](Self::visit_inner), to change them.
    pub(super) fn visit_inner_mut(&mut self, visit: &mut dyn FnMut(&mut Clause)) {
        match self {
            Self::Bool(clause) => {
                let lists = [
                    &mut clause.must,
                    &mut clause.filter,
                    &mut clause.should,
                    &mut clause.must_not,
                ];
                lists.into_iter().flatten().for_each(visit);
            }
            Self::ConstantScore(clause) => visit(&mut clause.filter),
            Self::DisMax(clause) => clause.queries.iter_mut().for_each(visit),
            _ => {}
        }
    }

    /// Visits the clauses directly within this one.
    pub(super) fn visit_inner<'c>(&'c self, visit: &mut dyn FnMut(&'c Clause)) {
        match self {
            Self::Bool(clause) => {
                let lists = [
                    &clause.must,
                    &clause.filter,
                    &clause.should,
                    &clause.must_not,
                ];
                lists.into_iter().flatten().for_each(visit);
            }
            Self::ConstantScore(clause) => visit(&clause.filter),
            Self::DisMax(clause) => clause.queries.iter().for_each(visit),
            _ => {}
        }
    }
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
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
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
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}
