//! What clauses over texts mean on the corpus, said naively.

use serde_json::Value;

use crate::filter::tests::model::{Kind, equals, kind, text_words, values, words};
use crate::filter::{
    Clause, FieldValue, FuzzyWords, MinimumShouldMatch, MultiMatchType, Operator, ZeroTermsQuery,
};

/// Fields that patterns may find in the tests.
const SEARCHED: &[&str] = &[
    "i64",
    "i64_both",
    "i64_fast",
    "tags",
    "text",
    "word",
    "word_fast",
];

/// A text and how a field is searched for it.
struct Search<'c> {
    kind: MultiMatchType,
    query: &'c FieldValue,
    operator: Operator,
    minimum: Option<&'c MinimumShouldMatch>,
    fuzzy: Option<&'c FuzzyWords>,
    zero_terms: ZeroTermsQuery,
}

/// Whether a document matches a clause over a text.
pub(super) fn matches(clause: &Clause, doc: &Value) -> bool {
    let search = |kind, query| Search {
        kind,
        query,
        operator: Operator::Or,
        minimum: None,
        fuzzy: None,
        zero_terms: ZeroTermsQuery::None,
    };
    match clause {
        Clause::Match(clause) => Search {
            operator: clause.operator,
            minimum: clause.minimum_should_match.as_ref(),
            fuzzy: clause.fuzzy.as_ref(),
            zero_terms: clause.zero_terms_query,
            ..search(MultiMatchType::BestFields, &clause.query)
        }
        .matches(&clause.field, doc),
        Clause::MatchBoolPrefix(clause) => Search {
            operator: clause.operator,
            minimum: clause.minimum_should_match.as_ref(),
            fuzzy: clause.fuzzy.as_ref(),
            ..search(MultiMatchType::BoolPrefix, &clause.query)
        }
        .matches(&clause.field, doc),
        Clause::MatchPhrase(clause) => Search {
            zero_terms: clause.zero_terms_query,
            ..search(MultiMatchType::Phrase, &clause.query)
        }
        .matches(&clause.field, doc),
        Clause::MatchPhrasePrefix(clause) => Search {
            zero_terms: clause.zero_terms_query,
            ..search(MultiMatchType::PhrasePrefix, &clause.query)
        }
        .matches(&clause.field, doc),
        Clause::MultiMatch(clause) => {
            let search = Search {
                operator: clause.operator,
                minimum: clause.minimum_should_match.as_ref(),
                fuzzy: clause.fuzzy.as_ref(),
                zero_terms: clause.zero_terms_query,
                ..search(clause.kind, &clause.query)
            };
            fields(&clause.fields)
                .iter()
                .any(|field| search.matches(field, doc))
        }
        other => panic!("no model of {other:?}"),
    }
}

/// The fields that are searched: what is listed, without its factors.
fn fields(listed: &[String]) -> Vec<&'static str> {
    let names: Vec<&str> = listed
        .iter()
        .map(|field| field.split('^').next().unwrap())
        .collect();
    let is_listed = |field: &str| {
        names.iter().any(|name| match name.split_once('*') {
            None => *name == field,
            Some((start, end)) => field.starts_with(start) && field.ends_with(end),
        })
    };
    let all = ["tags", "text", "word"];
    SEARCHED
        .iter()
        .copied()
        .filter(|field| is_listed(field) || names.is_empty() && all.contains(field))
        .collect()
}

impl Search<'_> {
    fn matches(&self, field: &str, doc: &Value) -> bool {
        let text = self.query.to_string();
        let prefix = matches!(
            self.kind,
            MultiMatchType::BoolPrefix | MultiMatchType::PhrasePrefix
        );
        let texts: Vec<Vec<String>> = match kind(field) {
            Kind::Text => values(doc, field).iter().map(text_words).collect(),
            Kind::Word => values(doc, field)
                .iter()
                .map(|value| vec![value.as_str().unwrap().to_owned()])
                .collect(),
            // A field without words: the text is its value, or nothing.
            _ if prefix || self.fuzzy.is_some() => return false,
            _ => return equals(field, self.query, doc),
        };
        let words = if kind(field) == Kind::Text {
            words(&text)
        } else {
            vec![text]
        };
        let Some((last, before)) = words.split_last() else {
            return self.zero_terms == ZeroTermsQuery::All;
        };
        match self.kind {
            MultiMatchType::Phrase | MultiMatchType::PhrasePrefix => texts.iter().any(|text| {
                let mut runs = text.windows(words.len());
                runs.any(|run| {
                    let (last_found, before_found) = run.split_last().unwrap();
                    before_found == before
                        && (last_found == last || prefix && last_found.starts_with(last))
                })
            }),
            _ => {
                let found = words.iter().enumerate().map(|(index, word)| {
                    let is_prefix = prefix && index + 1 == words.len();
                    texts.iter().flatten().any(|term| {
                        if is_prefix {
                            term.starts_with(word)
                        } else {
                            near(term, word, self.fuzzy)
                        }
                    })
                });
                self.is_enough(found.filter(|found| *found).count(), words.len())
            }
        }
    }

    fn is_enough(&self, found: usize, words: usize) -> bool {
        let minimum = |optional| self.minimum.map_or(0, |minimum| minimum.resolve(optional));
        match self.operator {
            _ if words == 1 => found == 1,
            Operator::And => found == words && minimum(0) == 0,
            Operator::Or => found >= minimum(words).max(1),
        }
    }
}

/// Whether a term is a word, or near enough.
fn near(term: &str, word: &str, fuzzy: Option<&FuzzyWords>) -> bool {
    let Some(fuzzy) = fuzzy else {
        return term == word;
    };
    let (term, word): (Vec<char>, Vec<char>) = (term.chars().collect(), word.chars().collect());
    let edits = usize::from(fuzzy.fuzziness.edits(word.len()));
    if edits == 0 {
        return term == word;
    }
    let same = word.len().min(fuzzy.prefix_length as usize);
    term.starts_with(&word[..same])
        && distance(&term[same..], &word[same..], fuzzy.transpositions) <= edits
}

/// Edits from one word to another, none of which touches what another did.
fn distance(left: &[char], right: &[char], swaps: bool) -> usize {
    let (Some((a, left_rest)), Some((b, right_rest))) = (left.split_first(), right.split_first())
    else {
        return left.len().max(right.len());
    };
    let mut least = (distance(left_rest, right, swaps) + 1)
        .min(distance(left, right_rest, swaps) + 1)
        .min(distance(left_rest, right_rest, swaps) + usize::from(a != b));
    if let ([a, b, left @ ..], [c, d, right @ ..]) = (left, right)
        && swaps
        && (a, b) == (d, c)
    {
        least = least.min(distance(left, right, swaps) + 1);
    }
    least
}
