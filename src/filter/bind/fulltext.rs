//! Clauses whose text goes through a tokenizer.

use tantivy::Term;
use tantivy::schema::IndexRecordOption;

use super::words::{Word, no_words, phrases};
use super::{Binder, minimum};
use crate::error::Result;
use crate::filter::bound::{BoundBool, BoundClause};
use crate::filter::builder::MAX_EXPANSIONS;
use crate::filter::clause::{
    FuzzyWords, MatchBoolPrefixClause, MatchClause, MatchPhraseClause, MatchPhrasePrefixClause,
    MinimumShouldMatch, MultiMatchType, Operator, ZeroTermsQuery,
};
use crate::filter::coerce;
use crate::filter::field::Target;
use crate::filter::path::Path;
use crate::filter::ranges;
use crate::filter::value::FieldValue;

/// How many expansions of a prefix tantivy makes room for beforehand.
const MOST_EXPANSIONS: u32 = 1_024;

/// A text, and how it is searched in a field.
pub(crate) struct TextSearch<'c> {
    /// Which clause the field is searched by.
    pub(crate) kind: MultiMatchType,
    pub(crate) query: &'c FieldValue,
    pub(crate) operator: Operator,
    pub(crate) minimum_should_match: Option<&'c MinimumShouldMatch>,
    pub(crate) fuzzy: Option<&'c FuzzyWords>,
    pub(crate) slop: u32,
    pub(crate) max_expansions: u32,
    pub(crate) zero_terms_query: ZeroTermsQuery,
    pub(crate) lenient: bool,
}

impl<'c> TextSearch<'c> {
    /// With the defaults of all clauses.
    pub(crate) fn new(kind: MultiMatchType, query: &'c FieldValue) -> Self {
        Self {
            kind,
            query,
            operator: Operator::Or,
            minimum_should_match: None,
            fuzzy: None,
            slop: 0,
            max_expansions: MAX_EXPANSIONS,
            zero_terms_query: ZeroTermsQuery::None,
            lenient: false,
        }
    }
}

impl Binder<'_> {
    pub(super) fn match_text(
        &mut self,
        clause: &MatchClause,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        let search = TextSearch {
            operator: clause.operator,
            minimum_should_match: clause.minimum_should_match.as_ref(),
            fuzzy: clause.fuzzy.as_ref(),
            zero_terms_query: clause.zero_terms_query,
            lenient: clause.lenient,
            ..TextSearch::new(MultiMatchType::BestFields, &clause.query)
        };
        self.text(&clause.field, &search, &path.key(&clause.field))
    }

    pub(super) fn match_bool_prefix(
        &mut self,
        clause: &MatchBoolPrefixClause,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        let search = TextSearch {
            operator: clause.operator,
            minimum_should_match: clause.minimum_should_match.as_ref(),
            fuzzy: clause.fuzzy.as_ref(),
            ..TextSearch::new(MultiMatchType::BoolPrefix, &clause.query)
        };
        self.text(&clause.field, &search, &path.key(&clause.field))
    }

    pub(super) fn match_phrase(
        &mut self,
        clause: &MatchPhraseClause,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        let search = TextSearch {
            slop: clause.slop,
            zero_terms_query: clause.zero_terms_query,
            ..TextSearch::new(MultiMatchType::Phrase, &clause.query)
        };
        self.text(&clause.field, &search, &path.key(&clause.field))
    }

    pub(super) fn match_phrase_prefix(
        &mut self,
        clause: &MatchPhrasePrefixClause,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        let search = TextSearch {
            slop: clause.slop,
            max_expansions: clause.max_expansions,
            zero_terms_query: clause.zero_terms_query,
            ..TextSearch::new(MultiMatchType::PhrasePrefix, &clause.query)
        };
        self.text(&clause.field, &search, &path.key(&clause.field))
    }

    /// A text in the field that a clause names.
    fn text(
        &mut self,
        field: &str,
        search: &TextSearch<'_>,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        // The binder is borrowed while the target lives.
        let schema = self.schema.clone();
        let target = Target::resolve_value(&schema, field, path)?;
        match self.text_in(&target, search, path)? {
            Found::Clause(bound) => Ok(bound),
            Found::Misfit(_) if search.lenient => Ok(BoundClause::Empty),
            Found::Misfit(error) => Err(error),
            Found::Nothing => Ok(match search.zero_terms_query {
                ZeroTermsQuery::All => BoundClause::All,
                ZeroTermsQuery::None => BoundClause::Empty,
            }),
        }
    }

    /// A text in one field. An error is not about this field alone.
    pub(crate) fn text_in(
        &mut self,
        target: &Target<'_>,
        search: &TextSearch<'_>,
        path: &Path<'_>,
    ) -> Result<Found> {
        let words = self.words(target, &search.query.to_string(), path)?;
        Ok(match words {
            Some(words) if words.is_empty() => match or_typed(target, search, BoundClause::Empty) {
                BoundClause::Empty => Found::Nothing,
                typed => Found::Clause(typed),
            },
            Some(words) => words_clause(target, &words, search, path).into(),
            None => value_clause(target, search, path).into(),
        })
    }
}

/// What a text is in a field.
pub(crate) enum Found {
    Clause(BoundClause),
    /// The field cannot hold or answer it.
    Misfit(crate::Error),
    /// It has no words there.
    Nothing,
}

impl From<Result<BoundClause>> for Found {
    fn from(bound: Result<BoundClause>) -> Self {
        match bound {
            Ok(bound) => Self::Clause(bound),
            Err(error) => Self::Misfit(error),
        }
    }
}

/// A text in a field that has words, of which there are some.
fn words_clause(
    target: &Target<'_>,
    words: &[Word],
    search: &TextSearch<'_>,
    path: &Path<'_>,
) -> Result<BoundClause> {
    let each = |words: &[Word]| -> Result<Vec<BoundClause>> {
        let words = words.iter();
        words
            .map(|word| word.clause(target, search.fuzzy, path))
            .collect()
    };
    let bound = match search.kind {
        MultiMatchType::BestFields | MultiMatchType::MostFields => combined(each(words)?, search),
        MultiMatchType::BoolPrefix => {
            let (before, last) = words.split_at(words.len() - 1);
            let mut parts = each(before)?;
            for word in last {
                parts.push(prefix(target, word, path)?);
            }
            return Ok(combined(parts, search));
        }
        MultiMatchType::Phrase => phrase(target, words, search.slop, path)?,
        MultiMatchType::PhrasePrefix => return phrase_prefix(target, words, search, path),
    };
    Ok(or_typed(target, search, bound))
}

/// Any form of a word as a prefix.
fn prefix(target: &Target<'_>, word: &Word, path: &Path<'_>) -> Result<BoundClause> {
    let prefixes = word.forms.iter();
    let prefixes = prefixes.map(|form| ranges::prefix(target, form, path));
    prefixes
        .collect::<Result<_>>()
        .map(BoundClause::any_constant)
}

/// Words that are all needed, or enough of them. A single word is simply that word, whatever else
/// was asked for: so it is in Elasticsearch.
fn combined(mut words: Vec<BoundClause>, search: &TextSearch<'_>) -> BoundClause {
    if words.len() == 1 {
        return words.swap_remove(0);
    }
    let asked = search.minimum_should_match;
    match search.operator {
        // None is optional, so that a minimum of optional ones cannot be met.
        Operator::And if asked.is_some_and(|minimum| minimum.resolve(0) > 0) => BoundClause::Empty,
        Operator::And => BoundBool {
            must: words,
            ..BoundBool::default()
        }
        .simplified(true),
        Operator::Or => {
            let minimum_should_match = minimum(asked, words.len(), false);
            BoundBool {
                should: words,
                minimum_should_match,
                ..BoundBool::default()
            }
            .simplified(true)
        }
    }
}

/// Words in their order.
fn phrase(target: &Target<'_>, words: &[Word], slop: u32, path: &Path<'_>) -> Result<BoundClause> {
    if let [word] = words {
        return word.clause(target, None, path);
    }
    check_positions(target, path)?;
    let phrases = phrases(target, words, path)?.into_iter();
    Ok(BoundClause::any(
        phrases
            .map(|terms| BoundClause::Phrase { terms, slop })
            .collect(),
    ))
}

/// Words in their order, the last as a prefix.
fn phrase_prefix(
    target: &Target<'_>,
    words: &[Word],
    search: &TextSearch<'_>,
    path: &Path<'_>,
) -> Result<BoundClause> {
    if search.slop != 0 {
        return Err(path.key("slop").error(format_args!(
            "{} is not supported for a phrase that ends in a prefix, whose words cannot be moved: \
             leave it out",
            search.slop
        )));
    }
    match search.max_expansions {
        0 => return Ok(BoundClause::Empty),
        1..=MOST_EXPANSIONS => {}
        more => {
            return Err(path.key("max_expansions").error(format_args!(
                "{more} is more than the {MOST_EXPANSIONS} allowed"
            )));
        }
    }
    if let [word] = words {
        return prefix(target, word, path);
    }
    check_positions(target, path)?;
    let phrases = phrases(target, words, path)?.into_iter();
    let with_prefix = |mut terms: Vec<(usize, Term)>| {
        let prefix = terms.pop()?;
        // tantivy scores these by the statistics of one split, or not at all; so they only match,
        // and the words before the prefix are scored beside them, from the same bytes.
        let before = match terms.as_slice() {
            [(_, term)] => coerce::term(term.clone()),
            _ => BoundClause::Phrase {
                terms: terms.clone(),
                slop: 0,
            },
        };
        let phrase = BoundClause::PhrasePrefix {
            terms,
            prefix,
            max_expansions: search.max_expansions,
        };
        Some(BoundClause::Bool(BoundBool {
            must: vec![before],
            filter: vec![phrase],
            ..BoundBool::default()
        }))
    };
    Ok(BoundClause::any(phrases.filter_map(with_prefix).collect()))
}

fn check_positions(target: &Target<'_>, path: &Path<'_>) -> Result<()> {
    let record = target.entry.field_type().get_index_record_option();
    if record.is_some_and(IndexRecordOption::has_positions) {
        return Ok(());
    }
    Err(path.error(format_args!(
        "{:?} has no positions, so its words have no order: index it with positions, or use match",
        target.entry.name()
    )))
}

/// A text in a field that has no words: its exact value.
fn value_clause(
    target: &Target<'_>,
    search: &TextSearch<'_>,
    path: &Path<'_>,
) -> Result<BoundClause> {
    let what = match search.kind {
        MultiMatchType::BoolPrefix | MultiMatchType::PhrasePrefix => "a prefix",
        _ if search.fuzzy.is_some() => "fuzziness",
        _ => return coerce::exact(target, search.query, path).map(BoundClause::any),
    };
    Err(no_words(target, what, path))
}

/// On a JSON path, also the number, boolean or date that the whole text can be read as.
fn or_typed(target: &Target<'_>, search: &TextSearch<'_>, bound: BoundClause) -> BoundClause {
    if !target.entry.field_type().is_json() {
        return bound;
    }
    match coerce::json_typed_term(target, &search.query.to_string()) {
        Some(term) => BoundClause::any(vec![coerce::term(term), bound]),
        None => bound,
    }
}
