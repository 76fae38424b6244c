//! Clauses whose text goes through a tokenizer.
//!
//! Where a tokenizer makes several words of the same characters (synonyms), any of them is that
//! word; where it makes them of different characters at one position (ngrams), each counts.

use super::{FuzzyWords, MinimumShouldMatch};
use crate::filter::value::FieldValue;

/// `match`: the text goes through the field's tokenizer; its words are searched. On a field that
/// is no text, the same as `term`, but without date arithmetic: `now` is a word. See
/// [`Clause::match_text`](super::Clause::match_text).
///
/// A word that may differ (`fuzzy`) scores 1, whichever term it is found as. For a single word
/// neither `operator` nor `minimum_should_match` means anything, as in Elasticsearch.
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
    /// How many words must match when `operator` is `or`. With `and` no word is optional, so a
    /// minimum above none matches nothing.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// How the words may differ, not at all by default. The field must hold text.
    pub fuzzy: Option<FuzzyWords>,
    /// What a text without words matches, nothing by default.
    pub zero_terms_query: ZeroTermsQuery,
    /// Whether a value that the field cannot hold matches nothing, instead of being an error.
    pub lenient: bool,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `match_bool_prefix`: the words of the text, the last of them as a prefix, in any order. The
/// field must hold text. See [`Clause::match_bool_prefix`](super::Clause::match_bool_prefix).
///
/// The prefix scores 1.
///
/// ```
/// let clause = forewarm::Clause::match_bool_prefix("title", "quick brown f").minimum_should_match(2);
/// assert_eq!(clause.minimum_should_match, Some(2.into()));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MatchBoolPrefixClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The text.
    pub query: FieldValue,
    /// Whether one word suffices (`or`, the default) or all are needed (`and`).
    pub operator: Operator,
    /// As in [`MatchClause`].
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// How the words before the last may differ, not at all by default.
    pub fuzzy: Option<FuzzyWords>,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `match_phrase`: the words of the text, in this order. The field needs positions. A text of one
/// word is a term. See [`Clause::match_phrase`](super::Clause::match_phrase).
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
    /// What a text without words matches, nothing by default.
    pub zero_terms_query: ZeroTermsQuery,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `match_phrase_prefix`: the words of the text, in this order, the last of them as a prefix. The
/// field must hold text, with positions if there is more than one word. See
/// [`Clause::match_phrase_prefix`](super::Clause::match_phrase_prefix).
///
/// As in Elasticsearch, of the terms with the prefix only the first `max_expansions` of each
/// segment are looked for, unless the text is one word: then it is a prefix like any other, with
/// score 1. The words before the prefix are scored as a phrase; the prefix adds nothing.
///
/// ```
/// let clause = forewarm::Clause::match_phrase_prefix("title", "quick brown f");
/// assert_eq!(clause.max_expansions, 50);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MatchPhrasePrefixClause {
    /// The field, or the JSON path.
    pub field: String,
    /// The text.
    pub query: FieldValue,
    /// How many terms with the prefix are looked for in a segment, 50 by default.
    pub max_expansions: u32,
    /// Must be 0: tantivy moves no words of a phrase that ends in a prefix.
    pub slop: u32,
    /// What a text without words matches, nothing by default.
    pub zero_terms_query: ZeroTermsQuery,
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

/// What a text matches of which the tokenizer leaves no word.
///
/// ```
/// assert_eq!(forewarm::ZeroTermsQuery::default(), forewarm::ZeroTermsQuery::None);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ZeroTermsQuery {
    /// Every document, with score 1.
    All,
    /// No document.
    #[default]
    None,
}
