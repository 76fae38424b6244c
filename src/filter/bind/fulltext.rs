//! Clauses whose text goes through a tokenizer.

use tantivy::Term;
use tantivy::schema::{FieldType, IndexRecordOption, TextFieldIndexing};

use super::{Binder, minimum};
use crate::error::Result;
use crate::filter::bound::{BoundBool, BoundClause};
use crate::filter::clause::{MatchClause, MatchPhraseClause, Operator};
use crate::filter::coerce;
use crate::filter::field::Target;
use crate::filter::parse::MAX_CLAUSES;
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

impl Binder<'_> {
    pub(super) fn match_text(&self, clause: &MatchClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        let Some(tokens) = self.tokens(&target, &clause.query, path)? else {
            return coerce::exact(&target, &clause.query, path).map(BoundClause::any);
        };
        let words: Vec<BoundClause> = tokens
            .into_iter()
            .map(|(_, term)| coerce::term(term))
            .collect();
        let bound = match clause.operator {
            _ if words.is_empty() => BoundClause::Empty,
            Operator::And => BoundBool {
                must: words,
                ..BoundBool::default()
            }
            .simplified(true),
            Operator::Or => {
                let minimum_should_match = minimum(clause.minimum_should_match, words.len(), false);
                BoundBool {
                    should: words,
                    minimum_should_match,
                    ..BoundBool::default()
                }
                .simplified(true)
            }
        };
        Ok(self.or_typed(&target, &clause.query, bound))
    }

    pub(super) fn match_phrase(
        &self,
        clause: &MatchPhraseClause,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        self.phrase(&target, &clause.query, clause.slop, path)
    }

    /// The words of a text in their order; on a field that is no text, its exact value.
    pub(crate) fn phrase(
        &self,
        target: &Target<'_>,
        query: &FieldValue,
        slop: u32,
        path: &Path<'_>,
    ) -> Result<BoundClause> {
        let Some(mut terms) = self.tokens(target, query, path)? else {
            return coerce::exact(target, query, path).map(BoundClause::any);
        };
        let bound = match terms.len() {
            0 => BoundClause::Empty,
            1 => coerce::term(terms.swap_remove(0).1),
            _ => {
                let record = target.entry.field_type().get_index_record_option();
                if !record.is_some_and(IndexRecordOption::has_positions) {
                    return Err(path.error(format_args!(
                        "{:?} has no positions, so its words have no order: index it with \
                         positions, or use match",
                        target.entry.name()
                    )));
                }
                BoundClause::Phrase { terms, slop }
            }
        };
        Ok(self.or_typed(target, query, bound))
    }

    /// On a JSON path, also the number, boolean or date that the whole text can be read as.
    fn or_typed(&self, target: &Target<'_>, query: &FieldValue, bound: BoundClause) -> BoundClause {
        if !target.entry.field_type().is_json() {
            return bound;
        }
        match coerce::json_typed_term(target, &query.to_string()) {
            Some(term) => BoundClause::any(vec![coerce::term(term), bound]),
            None => bound,
        }
    }

    /// The tokens of a text with their positions; `None` if the field is no indexed text.
    pub(crate) fn tokens(
        &self,
        target: &Target<'_>,
        text: &FieldValue,
        path: &Path<'_>,
    ) -> Result<Option<Vec<(usize, Term)>>> {
        let Some(indexing) = text_indexing(target) else {
            return Ok(None);
        };
        let Some(mut tokenizer) = self.tokenizers.get(indexing.tokenizer()) else {
            return Err(path.error(format_args!(
                "the tokenizer {:?} of {:?} is not registered",
                indexing.tokenizer(),
                target.entry.name()
            )));
        };
        let text = text.to_string();
        let beginning = target
            .entry
            .field_type()
            .is_json()
            .then(|| target.json_term());
        let mut terms = Vec::new();
        tokenizer.token_stream(&text).process(&mut |token| {
            let term = match &beginning {
                None => Term::from_field_text(target.field, &token.text),
                Some(beginning) => {
                    let mut term = beginning.clone();
                    term.append_type_and_str(&token.text);
                    term
                }
            };
            // One more than allowed is enough to tell.
            if terms.len() <= MAX_CLAUSES {
                terms.push((token.position, term));
            }
        });
        if terms.len() > MAX_CLAUSES {
            return Err(path.error(format_args!("more than {MAX_CLAUSES} words")));
        }
        Ok(Some(terms))
    }
}

/// How the text of a field is indexed, if it is.
fn text_indexing<'a>(target: &Target<'a>) -> Option<&'a TextFieldIndexing> {
    match target.entry.field_type() {
        FieldType::JsonObject(options) => options.get_text_indexing_options(),
        FieldType::Str(options) => options.get_indexing_options(),
        _ => None,
    }
}
