//! The words that a tokenizer makes of a text.

use tantivy::Term;
use tantivy::schema::FieldType;

use super::termlevel::fuzzy_shown;
use super::{Binder, MAX_SCANS};
use crate::error::Result;
use crate::filter::TermAutomaton;
use crate::filter::bound::BoundClause;
use crate::filter::clause::FuzzyWords;
use crate::filter::coerce;
use crate::filter::column_range::ColumnValues;
use crate::filter::field::Target;
use crate::filter::parse::MAX_CLAUSES;
use crate::filter::path::Path;

/// How many phrases the forms of their words may make of one.
const MAX_PHRASES: usize = 256;

/// A word of a text.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) position: usize,
    /// Where it stands in the text, in bytes.
    range: (usize, usize),
    /// What the tokenizer writes for the same characters: several are synonyms.
    pub(crate) forms: Vec<String>,
}

impl Binder<'_> {
    /// The words of a text; `None` if the field has no words: it is no text, or a JSON path that is
    /// not indexed.
    pub(crate) fn words(
        &mut self,
        target: &Target<'_>,
        text: &str,
        path: &Path<'_>,
    ) -> Result<Option<Vec<Word>>> {
        let Some(cutting) = cutting(target) else {
            return Ok(None);
        };
        let (name, tokenizer) = match cutting {
            Cutting::Column(name) => (name, self.fast_tokenizers.get(name)),
            Cutting::Index(name) => (name, self.tokenizers.get(name)),
        };
        let Some(mut tokenizer) = tokenizer else {
            return Err(path.error(format_args!(
                "the tokenizer {name:?} of {:?} is not registered: give it to the warmer",
                target.entry.name()
            )));
        };
        let mut words: Vec<Word> = Vec::new();
        let mut forms = 0;
        tokenizer.token_stream(text).process(&mut |token| {
            forms += 1;
            // One more than allowed is enough to tell.
            if forms > MAX_CLAUSES {
                return;
            }
            let range = (token.offset_from, token.offset_to);
            match words.last_mut() {
                Some(word) if (word.position, word.range) == (token.position, range) => {
                    if !word.forms.contains(&token.text) {
                        word.forms.push(token.text.clone());
                    }
                }
                _ => words.push(Word {
                    position: token.position,
                    range,
                    forms: vec![token.text.clone()],
                }),
            }
        });
        self.clauses = self.clauses.saturating_add(forms);
        if forms > MAX_CLAUSES || self.clauses > MAX_CLAUSES {
            return Err(path.error(format_args!("more than {MAX_CLAUSES} words and clauses")));
        }
        if !target.is_indexed() && forms > MAX_SCANS {
            return Err(path.error(format_args!(
                "{forms} words that are not indexed each scan a column, more than the {MAX_SCANS} \
                 allowed: index the field"
            )));
        }
        Ok(Some(words))
    }
}

impl Word {
    /// Whether it is made of the whole text.
    pub(crate) fn is_whole(&self, text: &str) -> bool {
        self.range == (0, text.len())
    }

    /// The clause of the word: any of its forms.
    pub(crate) fn clause(
        &self,
        target: &Target<'_>,
        fuzzy: Option<&FuzzyWords>,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        let forms = self.forms.iter();
        let forms = forms.map(|form| match fuzzy {
            None => Ok(word_clause(target, form)),
            Some(fuzzy) => fuzzy_word(target, form, fuzzy, path),
        });
        forms.collect::<Result<_>>().map(BoundClause::any)
    }
}

/// Terms that differ from `word` no more than is allowed.
pub(crate) fn fuzzy_word(
    target: &Target<'_>,
    word: &str,
    fuzzy: &FuzzyWords,
    path: &Path<'_>,
) -> Result<BoundClause> {
    if !fuzzy.fuzziness.is_valid() {
        return Err(path.error(format_args!(
            "expected a fuzziness of at most 2 edits, or AUTO:low,high with low at most high, got \
             {}",
            fuzzy.fuzziness
        )));
    }
    if cutting(target).is_none() {
        return Err(no_words(target, "fuzziness", path));
    }
    let edits = fuzzy.fuzziness.edits(word.chars().count());
    if edits == 0 {
        return Ok(word_clause(target, word));
    }
    // The distance is that of what follows the characters that must be the same.
    let at = word.char_indices().nth(fuzzy.prefix_length as usize);
    let (same, rest) = word.split_at(at.map_or(word.len(), |(at, _)| at));
    let beginning = if target.is_indexed() {
        target.text_term(same).serialized_value_bytes().to_vec()
    } else {
        same.as_bytes().to_vec()
    };
    let automaton = TermAutomaton::fuzzy(beginning, rest, edits, fuzzy.transpositions)
        .map(|automaton| automaton.shown_as(fuzzy_shown(word, edits)));
    match automaton {
        Ok(automaton) if target.is_indexed() => Ok(BoundClause::Automaton {
            field: target.field,
            automaton,
        }),
        Ok(automaton) => Ok(coerce::column(target, ColumnValues::Pattern(automaton))),
        Err(error) => Err(path.error(format_args!("{word:?} cannot be fuzzy: {error}"))),
    }
}

/// Every choice of one form of each word, as terms at their positions.
pub(crate) fn phrases(
    target: &Target<'_>,
    words: &[Word],
    path: &Path<'_>,
) -> Result<Vec<Vec<(usize, Term)>>> {
    let mut phrases: Vec<Vec<(usize, Term)>> = vec![Vec::with_capacity(words.len())];
    for word in words {
        if phrases.len() * word.forms.len() > MAX_PHRASES {
            return Err(path.error(format_args!(
                "the words have so many forms that they make more than {MAX_PHRASES} phrases: \
                 search fewer words"
            )));
        }
        let forms = word.forms.iter();
        let terms: Vec<Term> = forms.map(|form| target.text_term(form)).collect();
        let with = |phrase: &Vec<(usize, Term)>, term: &Term| {
            let mut phrase = phrase.clone();
            phrase.push((word.position, term.clone()));
            phrase
        };
        phrases = match terms.as_slice() {
            [term] => {
                for phrase in &mut phrases {
                    phrase.push((word.position, term.clone()));
                }
                phrases
            }
            terms => phrases
                .iter()
                .flat_map(|phrase| terms.iter().map(move |term| with(phrase, term)))
                .collect(),
        };
    }
    Ok(phrases)
}

/// The documents with a word.
fn word_clause(target: &Target<'_>, word: &str) -> BoundClause {
    if target.is_indexed() {
        coerce::term(target.text_term(word))
    } else {
        coerce::string_column(target, word)
    }
}

/// The error that something needs words where there are none.
pub(crate) fn no_words(target: &Target<'_>, what: &str, path: &Path<'_>) -> crate::Error {
    path.error(format_args!(
        "{what} needs words, and {:?}, {}, has none: index it as text",
        target.entry.name(),
        target.type_name()
    ))
}

/// The tokenizer that cuts the text of a field.
enum Cutting<'a> {
    /// For its column; it is not indexed.
    Column(&'a str),
    /// For its terms.
    Index(&'a str),
}

fn cutting<'a>(target: &Target<'a>) -> Option<Cutting<'a>> {
    match target.entry.field_type() {
        FieldType::JsonObject(options) => {
            let indexing = options.get_text_indexing_options()?;
            Some(Cutting::Index(indexing.tokenizer()))
        }
        FieldType::Str(options) => match options.get_indexing_options() {
            Some(indexing) => Some(Cutting::Index(indexing.tokenizer())),
            None => options.get_fast_field_tokenizer_name().map(Cutting::Column),
        },
        _ => None,
    }
}
