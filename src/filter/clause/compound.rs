//! Clauses that combine others.

use super::{Clause, MinimumShouldMatch};

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
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `constant_score`: the documents of a clause, which is not scored; each scores `boost`. See
/// [`Clause::constant_score`].
///
/// ```
/// use forewarm::Clause;
///
/// let clause = Clause::constant_score(Clause::match_text("title", "fox")).boost(2.0);
/// assert_eq!(clause.boost, 2.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConstantScoreClause {
    /// What must match.
    pub filter: Box<Clause>,
    /// The score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `dis_max`: documents that match any of several clauses. Of their scores the greatest counts,
/// and of the others so much as `tie_breaker` says. Without clauses it matches nothing. See
/// [`Clause::dis_max`].
///
/// ```
/// use forewarm::Clause;
///
/// let clause = Clause::dis_max()
///     .query(Clause::match_text("title", "fox"))
///     .query(Clause::match_text("body", "fox"))
///     .tie_breaker(0.3);
/// assert_eq!(clause.queries.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DisMaxClause {
    /// What may match; one must.
    pub queries: Vec<Clause>,
    /// Factor of the scores that are not the greatest, from 0.0 (the default) to 1.0.
    pub tie_breaker: f32,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}
