//! Random clauses over texts.

use proptest::prelude::*;
use proptest::sample::select;

use crate::filter::tests::model::WORDS;
use crate::filter::tests::strategy::minimum;
use crate::filter::{
    Clause, FieldValue, Fuzziness, FuzzyWords, MatchBoolPrefixClause, MatchClause,
    MatchPhraseClause, MatchPhrasePrefixClause, MultiMatchClause, MultiMatchType, Operator,
    ZeroTermsQuery,
};

/// Words that are none of the corpus, but near one.
const NEAR: &[&str] = &["oka", "ashne", "lm", "beach", "Alder", "!?", "as"];

fn texts() -> impl Strategy<Value = FieldValue> {
    let word = prop_oneof![5 => select(WORDS), 2 => select(NEAR)];
    let words = proptest::collection::vec(word, 0..4);
    prop_oneof![
        9 => words.prop_map(|words| FieldValue::from(words.join(" "))),
        1 => Just(FieldValue::from(10)),
    ]
}

fn operators() -> impl Strategy<Value = Operator> {
    select(vec![Operator::And, Operator::Or, Operator::Or])
}

fn zero_terms() -> impl Strategy<Value = ZeroTermsQuery> {
    select(vec![ZeroTermsQuery::All, ZeroTermsQuery::None])
}

fn fuzzy() -> impl Strategy<Value = Option<FuzzyWords>> {
    let fuzziness = prop_oneof![
        (0_u8..=2).prop_map(Fuzziness::Edits),
        Just(Fuzziness::AUTO),
        (0_u32..5, 0_u32..5).prop_map(|(low, more)| Fuzziness::Auto {
            low,
            high: low + more
        }),
    ];
    let fuzzy = (fuzziness, 0_u32..4, any::<bool>()).prop_map(|(fuzziness, length, swaps)| {
        FuzzyWords::new(fuzziness)
            .prefix_length(length)
            .transpositions(swaps)
    });
    proptest::option::weighted(0.4, fuzzy)
}

fn word_fields() -> impl Strategy<Value = &'static str> {
    select(vec!["text", "text", "tags", "word", "word_fast"])
}

fn matching() -> impl Strategy<Value = Clause> {
    let parameters = (operators(), minimum(), fuzzy(), zero_terms(), any::<bool>());
    (word_fields(), texts(), parameters).prop_map(|(field, text, parameters)| {
        let (operator, minimum_should_match, fuzzy, zero_terms_query, lenient) = parameters;
        Clause::from(MatchClause {
            operator,
            minimum_should_match,
            fuzzy,
            zero_terms_query,
            lenient,
            ..Clause::match_text(field, text)
        })
    })
}

fn bool_prefixes() -> impl Strategy<Value = Clause> {
    let parameters = (operators(), minimum(), fuzzy());
    (word_fields(), texts(), parameters).prop_map(|(field, text, parameters)| {
        let (operator, minimum_should_match, fuzzy) = parameters;
        Clause::from(MatchBoolPrefixClause {
            operator,
            minimum_should_match,
            fuzzy,
            ..Clause::match_bool_prefix(field, text)
        })
    })
}

fn phrases() -> impl Strategy<Value = Clause> {
    (texts(), zero_terms()).prop_map(|(text, zero_terms_query)| {
        Clause::from(MatchPhraseClause {
            zero_terms_query,
            ..Clause::match_phrase("text", text)
        })
    })
}

fn phrase_prefixes() -> impl Strategy<Value = Clause> {
    (texts(), zero_terms(), 40_u32..60).prop_map(|(text, zero_terms_query, max_expansions)| {
        Clause::from(MatchPhrasePrefixClause {
            zero_terms_query,
            max_expansions,
            ..Clause::match_phrase_prefix("text", text)
        })
    })
}

fn multi() -> impl Strategy<Value = Clause> {
    let field = select(vec![
        "text", "text^2", "tags", "word", "t*^0.5", "*ext", "word*", "i64*", "text^0",
    ]);
    let fields = prop_oneof![
        1 => Just(Vec::new()),
        9 => proptest::collection::vec(field, 0..4).prop_map(|mut fields| {
            // One that can hold any text.
            fields.insert(0, "text");
            fields
        }),
    ];
    let kind = select(vec![
        MultiMatchType::BestFields,
        MultiMatchType::BoolPrefix,
        MultiMatchType::MostFields,
        MultiMatchType::Phrase,
        MultiMatchType::PhrasePrefix,
    ]);
    let tie_breaker = proptest::option::of(select(vec![0.0_f32, 0.3, 1.0]));
    let parameters = (operators(), minimum(), fuzzy(), zero_terms(), any::<bool>());
    (texts(), fields, kind, tie_breaker, parameters).prop_map(
        |(text, fields, kind, tie_breaker, parameters)| {
            let (operator, minimum_should_match, fuzzy, zero_terms_query, lenient) = parameters;
            let mut clause = MultiMatchClause {
                kind,
                tie_breaker,
                zero_terms_query,
                lenient,
                ..Clause::multi_match(text, fields)
            };
            if !kind.is_phrase() {
                clause.operator = operator;
                clause.minimum_should_match = minimum_should_match;
                clause.fuzzy = fuzzy;
            }
            Clause::from(clause)
        },
    )
}

/// Clauses over texts that the model knows.
pub(super) fn text_clauses() -> impl Strategy<Value = Clause> {
    prop_oneof![
        4 => matching(),
        2 => bool_prefixes(),
        2 => phrases(),
        2 => phrase_prefixes(),
        4 => multi(),
    ]
}
