//! Clauses meet a schema.

mod compound;
mod patterns;
mod regexp;
mod termlevel;

use tantivy::schema::{FieldType, IndexRecordOption, Schema, TextFieldIndexing};
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, Term};

use crate::error::Result;
use crate::filter::bound::{BoundBool, BoundClause};
use crate::filter::clause::{
    Clause, ExistsClause, MatchClause, MatchPhraseClause, MinimumShouldMatch, Operator, TermsClause,
};
use crate::filter::coerce;
use crate::filter::field::Target;
use crate::filter::filter::{Filter, FilterKind};
use crate::filter::parse::{MAX_CLAUSES, check_boost, check_size, check_terms};
use crate::filter::path::Path;
use crate::filter::ranges;
use crate::filter::request::SearchRequest;
use crate::filter::value::FieldValue;

impl Filter {
    /// Binds the filter to the schema and tokenizers of an index. `path` is what stands before
    /// the first clause in error messages.
    pub(crate) fn bind(&self, index: &Index, path: &str) -> Result<BoundClause> {
        match self.kind() {
            FilterKind::Opaque { query, .. } => Ok(BoundClause::Opaque(query.box_clone())),
            FilterKind::Clause(clause) => {
                let mut binder = Binder {
                    schema: index.schema(),
                    tokenizers: index.tokenizers(),
                    clauses: 0,
                };
                binder.clause(clause, &Path::root(path), 0, true)
            }
        }
    }
}

impl SearchRequest {
    /// Checks the request and binds its filter.
    pub(crate) fn bind(&self, index: &Index) -> Result<BoundClause> {
        self.validate()?;
        self.filter().bind(index, "query")
    }
}

#[cfg(test)]
pub(super) use patterns::tests::is_like;
pub(super) use patterns::{canonical_wildcard, has_case};

/// Binds clauses, and counts them: those made in Rust were never counted before.
pub(crate) struct Binder<'i> {
    pub(crate) schema: Schema,
    tokenizers: &'i TokenizerManager,
    pub(crate) clauses: usize,
}

impl Binder<'_> {
    /// Binds one clause; `scored` says whether its score is used.
    pub(crate) fn clause(
        &mut self,
        clause: &Clause,
        path: &Path<'_>,
        depth: usize,
        scored: bool,
    ) -> Result<BoundClause> {
        check_size(depth, &mut self.clauses, path)?;
        check_boost(clause.boost_factor(), path)?;
        let bound = match clause {
            Clause::Bool(clause) => self.bool(clause, &path.key("bool"), depth, scored),
            Clause::ConstantScore(clause) => {
                self.constant_score(clause, &path.key("constant_score"), depth, scored)
            }
            Clause::DisMax(clause) => self.dis_max(clause, &path.key("dis_max"), depth, scored),
            Clause::Exists(clause) => self.exists(clause, &path.key("exists")),
            Clause::Ids(clause) => termlevel::ids(clause, &path.key("ids")),
            Clause::Match(clause) => self.match_text(clause, &path.key("match")),
            Clause::MatchAll(_) => Ok(BoundClause::All),
            Clause::MatchNone(_) => Ok(BoundClause::Empty),
            Clause::MatchPhrase(clause) => self.match_phrase(clause, &path.key("match_phrase")),
            Clause::Prefix(clause) => self.prefix(clause, &path.key("prefix")),
            Clause::QueryString(clause) => {
                self.query_string(clause, &path.key("query_string"), depth)
            }
            Clause::Range(clause) => {
                let path = &path.key("range");
                let path = &path.key(&clause.field);
                let target = Target::resolve_value(&self.schema, &clause.field, path)?;
                ranges::range(&target, clause, path)
            }
            Clause::Regexp(clause) => self.regexp(clause, &path.key("regexp")),
            Clause::Term(clause) => self.term(clause, &path.key("term")),
            Clause::Terms(clause) => self.terms(clause, &path.key("terms")),
            Clause::Wildcard(clause) => self.wildcard(clause, &path.key("wildcard")),
        }?;
        Ok(match bound {
            BoundClause::Empty => BoundClause::Empty,
            bound if scored => bound.boosted(clause.boost_factor()),
            bound => bound,
        })
    }

    fn exists(&self, clause: &ExistsClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key("field");
        let target = Target::resolve(&self.schema, &clause.field, path)?;
        if !target.is_fast() {
            return Err(path.error(format_args!(
                "{:?} is not fast, so which documents have it is not known: make it fast",
                target.entry.name()
            )));
        }
        let subpaths = target.entry.field_type().is_json();
        Ok(BoundClause::Exists {
            column: clause.field.clone(),
            subpaths,
        })
    }

    fn match_text(&self, clause: &MatchClause, path: &Path<'_>) -> Result<BoundClause> {
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

    fn match_phrase(&self, clause: &MatchPhraseClause, path: &Path<'_>) -> Result<BoundClause> {
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

    fn terms(&self, clause: &TermsClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        check_terms(clause.values.len(), path)?;
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        let mut terms = Vec::new();
        let mut others = Vec::new();
        for (index, value) in clause.values.iter().enumerate() {
            for clause in coerce::exact(&target, value, &path.index(index))? {
                match clause {
                    BoundClause::Term { term, .. } => terms.push(term),
                    other => others.push(other),
                }
            }
        }
        if others.len() > MAX_SCANS {
            return Err(path.error(format_args!(
                "{} values that are not indexed each scan a column, more than the {MAX_SCANS} \
                 allowed: index the field",
                others.len()
            )));
        }
        terms.sort_unstable();
        terms.dedup();
        if !terms.is_empty() {
            others.push(BoundClause::Terms {
                field: target.field,
                terms,
            });
        }
        Ok(BoundClause::any_constant(others))
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

/// How many column scans one `terms` may cost.
const MAX_SCANS: usize = 1_024;

/// How the text of a field is indexed, if it is.
fn text_indexing<'a>(target: &Target<'a>) -> Option<&'a TextFieldIndexing> {
    match target.entry.field_type() {
        FieldType::JsonObject(options) => options.get_text_indexing_options(),
        FieldType::Str(options) => options.get_indexing_options(),
        _ => None,
    }
}

/// How many optional clauses must match. Where nothing else is required, one must, whatever was
/// asked for: so it is in Lucene.
pub(crate) fn minimum(asked: Option<MinimumShouldMatch>, should: usize, required: bool) -> usize {
    let least = usize::from(!required && should > 0);
    asked
        .map_or(0, |minimum| minimum.resolve(should))
        .max(least)
}
