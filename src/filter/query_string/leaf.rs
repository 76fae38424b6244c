//! The smallest parts of a text with a grammar, in one field or in several.

use crate::error::Result;
use crate::filter::bind::{Binder, Found, SearchedField, TextSearch, fuzzy_word};
use crate::filter::bound::BoundClause;
use crate::filter::clause::{Clause, FuzzyWords, MultiMatchType, Operator};
use crate::filter::field::Target;
use crate::filter::path::Path;
use crate::filter::query_string::pattern::Part;
use crate::filter::ranges;
use crate::filter::value::FieldValue;

/// What is searched.
pub(super) enum Leaf<'t> {
    /// A word that may differ, however the tokenizer would cut it.
    Fuzzy { word: &'t str, fuzzy: FuzzyWords },
    /// Words in their order.
    Phrase { text: FieldValue, slop: u32 },
    /// Words in their order, the last as a prefix.
    PhrasePrefix { text: FieldValue },
    /// Terms that begin so.
    Prefix { word: &'t str },
    /// Terms that a regular expression accepts.
    Regex { pattern: &'t str },
    /// Terms of a shape.
    Wildcard { parts: &'t [Part] },
    /// Words, all or any.
    Words {
        text: FieldValue,
        operator: Operator,
    },
}

impl Binder<'_> {
    /// A leaf in several fields: any of them. `None` is a leaf without words, which neither
    /// requires nor excludes anything.
    pub(super) fn leaf_in_fields(
        &mut self,
        fields: &[SearchedField],
        leaf: &Leaf<'_>,
        lenient: bool,
        path: &Path<'_>,
    ) -> Result<Option<BoundClause>> {
        let mut found = Vec::new();
        let mut misfit = None;
        for field in fields {
            match self.leaf_in_field(&field.name, leaf, path)? {
                Found::Clause(bound) => found.push(bound.boosted(field.boost)),
                Found::Nothing => {}
                Found::Misfit(_) if lenient => found.push(BoundClause::Empty),
                // That a word is no number is no reason not to search it in the text fields.
                Found::Misfit(error) => misfit = misfit.or(Some(error)),
            }
        }
        match misfit {
            Some(error) if found.is_empty() => Err(error),
            _ if found.is_empty() => Ok(None),
            _ => Ok(Some(BoundClause::any(found))),
        }
    }

    fn leaf_in_field(&mut self, field: &str, leaf: &Leaf<'_>, path: &Path<'_>) -> Result<Found> {
        // The binder is borrowed while the target lives.
        let schema = self.schema.clone();
        let target = &Target::resolve_value(&schema, field, path)?;
        let search = match leaf {
            Leaf::Phrase { text, slop } => TextSearch {
                slop: *slop,
                ..TextSearch::new(MultiMatchType::Phrase, text)
            },
            Leaf::PhrasePrefix { text } => TextSearch::new(MultiMatchType::PhrasePrefix, text),
            Leaf::Words { text, operator } => TextSearch {
                operator: *operator,
                ..TextSearch::new(MultiMatchType::BestFields, text)
            },
            Leaf::Fuzzy { word, fuzzy } => {
                let word = self.normal(target, word, path)?;
                return Ok(fuzzy_word(target, &word, fuzzy, &self.automata, path).into());
            }
            Leaf::Prefix { word } => {
                let word = self.normal(target, word, path)?;
                return Ok(ranges::prefix(target, &word, path).into());
            }
            Leaf::Regex { pattern } => {
                let clause = Clause::regexp(field, *pattern).into();
                return Ok(self.clause(&clause, path, 0, true).into());
            }
            Leaf::Wildcard { parts } => {
                let mut pattern = String::new();
                for part in *parts {
                    match part {
                        Part::Any => pattern.push('*'),
                        Part::One => pattern.push('?'),
                        Part::Text(text) => {
                            for character in self.normal(target, text, path)?.chars() {
                                if matches!(character, '*' | '?' | '\\') {
                                    pattern.push('\\');
                                }
                                pattern.push(character);
                            }
                        }
                    }
                }
                let clause = Clause::wildcard(field, pattern).into();
                return Ok(self.clause(&clause, path, 0, true).into());
            }
        };
        self.text_in(target, &search, path)
    }

    /// A part of a word as the tokenizer writes it, where it makes one word of it; else as it is.
    fn normal(&mut self, target: &Target<'_>, part: &str, path: &Path<'_>) -> Result<String> {
        let words = self.words(target, part, path)?.unwrap_or_default();
        Ok(match words.as_slice() {
            [word] if word.is_whole(part) => match word.forms.as_slice() {
                [form] => form.clone(),
                _ => part.to_owned(),
            },
            _ => part.to_owned(),
        })
    }
}
