//! Clauses whose text goes through a tokenizer.

use super::compound::MinimumShouldMatch;
use crate::filter::value::FieldValue;

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
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
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
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
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
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}
