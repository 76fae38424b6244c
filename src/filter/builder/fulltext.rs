//! Clauses whose text goes through a tokenizer.

use crate::filter::clause::{
    Clause, FuzzyWords, MatchBoolPrefixClause, MatchClause, MatchPhraseClause,
    MatchPhrasePrefixClause, MinimumShouldMatch, MultiMatchClause, MultiMatchType, Operator,
    ZeroTermsQuery,
};
use crate::filter::value::FieldValue;

/// How many terms a prefix at the end of a phrase becomes; Elasticsearch's default.
pub(crate) const MAX_EXPANSIONS: u32 = 50;

impl Clause {
    /// Any word of `query` in `field`, the last word as a prefix.
    pub fn match_bool_prefix(
        field: impl Into<String>,
        query: impl Into<FieldValue>,
    ) -> MatchBoolPrefixClause {
        MatchBoolPrefixClause {
            field: field.into(),
            query: query.into(),
            operator: Operator::Or,
            minimum_should_match: None,
            fuzzy: None,
            boost: 1.0,
            name: None,
        }
    }

    /// The words of `query` in `field`, in this order.
    pub fn match_phrase(
        field: impl Into<String>,
        query: impl Into<FieldValue>,
    ) -> MatchPhraseClause {
        MatchPhraseClause {
            field: field.into(),
            query: query.into(),
            slop: 0,
            zero_terms_query: ZeroTermsQuery::None,
            boost: 1.0,
            name: None,
        }
    }

    /// The words of `query` in `field`, in this order, the last word as a prefix.
    pub fn match_phrase_prefix(
        field: impl Into<String>,
        query: impl Into<FieldValue>,
    ) -> MatchPhrasePrefixClause {
        MatchPhrasePrefixClause {
            field: field.into(),
            query: query.into(),
            max_expansions: MAX_EXPANSIONS,
            slop: 0,
            zero_terms_query: ZeroTermsQuery::None,
            boost: 1.0,
            name: None,
        }
    }

    /// Any word of `query` in `field`: the clause `match`, which is a keyword of Rust.
    pub fn match_text(field: impl Into<String>, query: impl Into<FieldValue>) -> MatchClause {
        MatchClause {
            field: field.into(),
            query: query.into(),
            operator: Operator::Or,
            minimum_should_match: None,
            fuzzy: None,
            zero_terms_query: ZeroTermsQuery::None,
            lenient: false,
            boost: 1.0,
            name: None,
        }
    }

    /// Any word of `query` in any of `fields`; in all indexed text fields if there are none.
    pub fn multi_match<F: Into<String>>(
        query: impl Into<FieldValue>,
        fields: impl IntoIterator<Item = F>,
    ) -> MultiMatchClause {
        MultiMatchClause {
            query: query.into(),
            fields: fields.into_iter().map(Into::into).collect(),
            kind: MultiMatchType::BestFields,
            tie_breaker: None,
            operator: Operator::Or,
            minimum_should_match: None,
            fuzzy: None,
            slop: 0,
            max_expansions: MAX_EXPANSIONS,
            zero_terms_query: ZeroTermsQuery::None,
            lenient: false,
            boost: 1.0,
            name: None,
        }
    }
}

impl MatchPhrasePrefixClause {
    /// Sets how many terms with the prefix are looked for in a segment.
    #[must_use]
    pub fn max_expansions(mut self, terms: u32) -> Self {
        self.max_expansions = terms;
        self
    }
}

impl MultiMatchClause {
    /// Sets how each field is searched, and how scores combine.
    #[must_use]
    pub fn kind(mut self, kind: MultiMatchType) -> Self {
        self.kind = kind;
        self
    }

    /// Sets how many terms with the prefix of `phrase_prefix` are looked for in a segment.
    #[must_use]
    pub fn max_expansions(mut self, terms: u32) -> Self {
        self.max_expansions = terms;
        self
    }

    /// Sets what part of all scores but the greatest is added to it: from 0 to 1.
    #[must_use]
    pub fn tie_breaker(mut self, part: f32) -> Self {
        self.tie_breaker = Some(part);
        self
    }
}

/// Parameters that several clauses have, each with its documentation.
macro_rules! parameters {
    ($($clause:ident),+: combining) => {$(
        impl $clause {
            /// Sets whether one word suffices or all are needed.
            #[must_use]
            pub fn operator(mut self, operator: Operator) -> Self {
                self.operator = operator;
                self
            }

            /// Sets how many words must match.
            #[must_use]
            pub fn minimum_should_match(mut self, minimum: impl Into<MinimumShouldMatch>) -> Self {
                self.minimum_should_match = Some(minimum.into());
                self
            }

            /// Sets how the words may differ.
            #[must_use]
            pub fn fuzzy(mut self, fuzzy: FuzzyWords) -> Self {
                self.fuzzy = Some(fuzzy);
                self
            }
        }
    )+};
    ($($clause:ident),+: lenient) => {$(
        impl $clause {
            /// Sets whether a value that a field cannot hold matches nothing, instead of being an
            /// error.
            #[must_use]
            pub fn lenient(mut self, lenient: bool) -> Self {
                self.lenient = lenient;
                self
            }
        }
    )+};
    ($($clause:ident),+: slop) => {$(
        impl $clause {
            /// Sets how many positions the words may be moved altogether.
            #[must_use]
            pub fn slop(mut self, slop: u32) -> Self {
                self.slop = slop;
                self
            }
        }
    )+};
    ($($clause:ident),+: zero_terms_query) => {$(
        impl $clause {
            /// Sets what a text without words matches.
            #[must_use]
            pub fn zero_terms_query(mut self, matches: ZeroTermsQuery) -> Self {
                self.zero_terms_query = matches;
                self
            }
        }
    )+};
}

parameters!(MatchBoolPrefixClause, MatchClause, MultiMatchClause: combining);
parameters!(MatchClause, MultiMatchClause: lenient);
parameters!(MatchPhraseClause, MatchPhrasePrefixClause, MultiMatchClause: slop);
parameters!(
    MatchClause, MatchPhraseClause, MatchPhrasePrefixClause, MultiMatchClause: zero_terms_query
);
