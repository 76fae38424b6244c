//! Clauses whose text has a grammar.

use std::collections::BTreeSet;

use super::{MinimumShouldMatch, Operator};

/// `query_string`: a text in the grammar of tantivy's
/// [`QueryParser`](tantivy::query::QueryParser), whose words may also hold the wildcards `*` and
/// `?`, end in `~1` or `~2` for words that differ, and whose phrases may end in a prefix. See
/// [`Clause::query_string`](super::Clause::query_string).
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
    /// Where words without a field are searched, as in
    /// [`MultiMatchClause`](super::MultiMatchClause::fields).
    pub fields: Vec<String>,
    /// How words without an operator combine, `or` by default.
    pub default_operator: Operator,
    /// How many optional parts of the whole text must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Whether what a field cannot hold matches nothing there. Otherwise it is an error where no
    /// other field is searched.
    pub lenient: bool,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// `simple_query_string`: a text with few operators, of which no spelling is an error. See
/// [`Clause::simple_query_string`](super::Clause::simple_query_string).
///
/// `a + b` is both, `a | b` is either, `-a` is not, `"a b"` is a phrase, `a*` a prefix, `( )`
/// groups, `a~1` is a word that may differ, `"a b"~2` is a phrase whose words may be moved. As in
/// Elasticsearch, operators bind from the left, and `\` takes an operator's meaning away.
///
/// ```
/// let clause = forewarm::Clause::simple_query_string("\"quick fox\" + -lazy").fields(["body"]);
/// assert_eq!(clause.fields, ["body"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SimpleQueryStringClause {
    /// The text.
    pub query: String,
    /// The fields, as in [`MultiMatchClause`](super::MultiMatchClause::fields).
    pub fields: Vec<String>,
    /// How words without an operator combine, `or` by default.
    pub default_operator: Operator,
    /// Which operators mean something, by default all.
    pub flags: BTreeSet<SimpleQueryFlag>,
    /// How many optional parts of the whole text must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Of words that may differ, so many characters at the beginning must be the same, 0 by
    /// default.
    pub fuzzy_prefix_length: u32,
    /// Whether two neighbours that changed places are one edit, as is the default, or two.
    pub fuzzy_transpositions: bool,
    /// Whether what a field cannot hold matches nothing there. Otherwise it is an error where no
    /// other field is searched.
    pub lenient: bool,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// An operator of [`SimpleQueryStringClause`].
///
/// ```
/// use forewarm::{Clause, SimpleQueryFlag};
///
/// let clause = Clause::simple_query_string("a + b*").flags([SimpleQueryFlag::And]);
/// assert_eq!(clause.flags.len(), 1);
/// ```
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum SimpleQueryFlag {
    /// `+`
    And,
    /// `\`
    Escape,
    /// `~` after a word
    Fuzzy,
    /// `~` after a phrase
    Near,
    /// `-`
    Not,
    /// `|`
    Or,
    /// `"`
    Phrase,
    /// `(` and `)`
    Precedence,
    /// `*` at the end of a word
    Prefix,
    /// White space between words
    Whitespace,
}

impl SimpleQueryFlag {
    /// All of them, with their names in JSON.
    pub(crate) const NAMES: &[(&str, Self)] = &[
        ("AND", Self::And),
        ("ESCAPE", Self::Escape),
        ("FUZZY", Self::Fuzzy),
        ("NEAR", Self::Near),
        ("NOT", Self::Not),
        ("OR", Self::Or),
        ("PHRASE", Self::Phrase),
        ("PRECEDENCE", Self::Precedence),
        ("PREFIX", Self::Prefix),
        ("WHITESPACE", Self::Whitespace),
    ];

    /// All operators.
    pub(crate) fn all() -> BTreeSet<Self> {
        Self::NAMES.iter().map(|(_, flag)| *flag).collect()
    }
}
