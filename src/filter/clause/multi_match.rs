//! One text in several fields.

use super::{FuzzyWords, MinimumShouldMatch, Operator, ZeroTermsQuery};
use crate::filter::value::FieldValue;

/// `multi_match`: a text in several fields, each of which is searched by a clause of its own. See
/// [`Clause::multi_match`](super::Clause::multi_match).
///
/// A parameter that the type has no use for is an error when it is not the default.
///
/// ```
/// use forewarm::{Clause, MultiMatchType};
///
/// let clause = Clause::multi_match("quick fox", ["title^3", "*_text"])
///     .kind(MultiMatchType::MostFields);
/// assert_eq!(clause.fields.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MultiMatchClause {
    /// The text.
    pub query: FieldValue,
    /// The fields and JSON paths, each maybe with a factor (`title^3`). A `*` in a name stands for
    /// any characters: every field of that shape that can be searched and is not JSON. Those that
    /// cannot hold the text match nothing, unless none can, which is an error. Empty: all indexed
    /// text fields.
    pub fields: Vec<String>,
    /// How each field is searched, and how scores combine.
    pub kind: MultiMatchType,
    /// Of all scores but the greatest, what part is added to it; by default 0.0, but 1.0 for
    /// `most_fields` and `bool_prefix`.
    pub tie_breaker: Option<f32>,
    /// Within a field, whether one word suffices (`or`, the default) or all are needed (`and`).
    /// Not for phrases.
    pub operator: Operator,
    /// Within a field, how many words must match. Not for phrases.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// How the words may differ, not at all by default. Not for phrases.
    pub fuzzy: Option<FuzzyWords>,
    /// How many positions the words of a phrase may be moved altogether, 0 by default.
    pub slop: u32,
    /// Of `phrase_prefix`, how many terms with the prefix are looked for, 50 by default.
    pub max_expansions: u32,
    /// What a text without words matches, nothing by default.
    pub zero_terms_query: ZeroTermsQuery,
    /// Whether a value that a field cannot hold matches nothing there, instead of being an error.
    pub lenient: bool,
    /// Factor of the score, 1.0 by default.
    pub boost: f32,
    /// What a hit is told to have matched by, if it matches this clause (`_name`).
    pub name: Option<String>,
}

/// How [`MultiMatchClause`] searches each field, and how scores combine. `cross_fields` of
/// Elasticsearch is not supported.
///
/// ```
/// assert_eq!(forewarm::MultiMatchType::default(), forewarm::MultiMatchType::BestFields);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum MultiMatchType {
    /// As `match`; the best field's score counts.
    #[default]
    BestFields,
    /// As `match_bool_prefix`; scores add up.
    BoolPrefix,
    /// As `match`; scores add up.
    MostFields,
    /// As `match_phrase`; the best field's score counts.
    Phrase,
    /// As `match_phrase_prefix`; the best field's score counts.
    PhrasePrefix,
}

impl MultiMatchType {
    /// All of them, with their names in JSON.
    pub(crate) const NAMES: &[(&str, Self)] = &[
        ("best_fields", Self::BestFields),
        ("bool_prefix", Self::BoolPrefix),
        ("most_fields", Self::MostFields),
        ("phrase", Self::Phrase),
        ("phrase_prefix", Self::PhrasePrefix),
    ];

    /// The name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BestFields => "best_fields",
            Self::BoolPrefix => "bool_prefix",
            Self::MostFields => "most_fields",
            Self::Phrase => "phrase",
            Self::PhrasePrefix => "phrase_prefix",
        }
    }

    pub(crate) fn tie_breaker(self) -> f32 {
        match self {
            Self::BestFields | Self::Phrase | Self::PhrasePrefix => 0.0,
            Self::BoolPrefix | Self::MostFields => 1.0,
        }
    }

    pub(crate) fn is_phrase(self) -> bool {
        matches!(self, Self::Phrase | Self::PhrasePrefix)
    }
}
