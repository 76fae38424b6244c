//! Clauses meet a schema.

mod compound;
mod fields;
mod fulltext;
mod multi_match;
mod patterns;
mod regexp;
mod termlevel;
mod words;

use tantivy::Index;
use tantivy::schema::Schema;
use tantivy::tokenizer::TokenizerManager;

use crate::error::Result;
use crate::filter::automaton::AutomatonBudget;
use crate::filter::bound::BoundClause;
use crate::filter::clause::{Clause, ExistsClause, MinimumShouldMatch, TermsClause};
use crate::filter::coerce;
use crate::filter::date_math::{DateReader, Moment};
use crate::filter::field::Target;
use crate::filter::filter::{Filter, FilterKind};
use crate::filter::parse::{check_boost, check_size, check_terms};
use crate::filter::path::Path;
use crate::filter::ranges;
use crate::filter::request::SearchRequest;

pub(crate) use fields::SearchedField;
pub(crate) use fulltext::{Found, TextSearch};
pub(crate) use words::fuzzy_word;

impl Filter {
    /// Binds the filter to the schema and tokenizers of an index. `path` is what stands before
    /// the first clause in error messages.
    pub(crate) fn bind(&self, index: &Index, path: &str) -> Result<BoundClause> {
        self.bind_at(index, path, Moment::now())
    }

    /// As [`bind`](Self::bind), at the moment of a request.
    pub(crate) fn bind_at(&self, index: &Index, path: &str, now: Moment) -> Result<BoundClause> {
        self.bind_within(index, path, now, &mut Budget::default())
    }

    /// As [`bind_at`](Self::bind_at), for one of several filters of a request, which share bounds.
    pub(crate) fn bind_within(
        &self,
        index: &Index,
        path: &str,
        now: Moment,
        budget: &mut Budget,
    ) -> Result<BoundClause> {
        match self.kind() {
            FilterKind::Opaque { query, .. } => Ok(BoundClause::Opaque(query.box_clone())),
            FilterKind::Clause(clause) => {
                let mut binder = Binder {
                    schema: index.schema(),
                    tokenizers: index.tokenizers(),
                    fast_tokenizers: index.fast_field_tokenizer(),
                    clauses: budget.clauses,
                    automata: std::mem::take(&mut budget.automata),
                    now,
                };
                let path = &Path::root(path);
                let bound = binder.clause(clause, path, 0, true)?;
                let within = binder.automata.check();
                within.map_err(|message| path.error(message))?;
                budget.clauses = binder.clauses;
                budget.automata = binder.automata;
                Ok(bound)
            }
        }
    }
}

impl SearchRequest {
    /// Checks the request and binds its filter.
    pub(crate) fn bind(&self, index: &Index) -> Result<BoundClause> {
        self.validate()?;
        self.filter().bind_at(index, "query", self.moment())
    }
}

#[cfg(test)]
pub(super) use patterns::tests::is_like;
pub(super) use patterns::{canonical_wildcard, has_case};

/// What filters that share bounds have come to so far.
#[derive(Default)]
pub(crate) struct Budget {
    clauses: usize,
    automata: AutomatonBudget,
}

/// Binds clauses, and counts them: those made in Rust were never counted before.
pub(crate) struct Binder<'i> {
    pub(crate) schema: Schema,
    tokenizers: &'i TokenizerManager,
    fast_tokenizers: &'i TokenizerManager,
    pub(crate) clauses: usize,
    pub(crate) automata: AutomatonBudget,
    /// What `now` is.
    pub(super) now: Moment,
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
            Clause::Fuzzy(clause) => self.fuzzy(clause, &path.key("fuzzy")),
            Clause::Ids(clause) => termlevel::ids(clause, &path.key("ids")),
            Clause::Match(clause) => self.match_text(clause, &path.key("match")),
            Clause::MatchAll(_) => Ok(BoundClause::All),
            Clause::MatchBoolPrefix(clause) => {
                self.match_bool_prefix(clause, &path.key("match_bool_prefix"))
            }
            Clause::MatchNone(_) => Ok(BoundClause::Empty),
            Clause::MatchPhrase(clause) => self.match_phrase(clause, &path.key("match_phrase")),
            Clause::MatchPhrasePrefix(clause) => {
                self.match_phrase_prefix(clause, &path.key("match_phrase_prefix"))
            }
            Clause::MultiMatch(clause) => {
                self.multi_match(clause, &path.key("multi_match"), scored)
            }
            Clause::Prefix(clause) => self.prefix(clause, &path.key("prefix")),
            Clause::QueryString(clause) => {
                self.query_string(clause, &path.key("query_string"), depth)
            }
            Clause::Range(clause) => {
                let path = &path.key("range");
                let path = &path.key(&clause.field);
                let target = Target::resolve_value(&self.schema, &clause.field, path)?;
                ranges::range(&target, clause, self.now, path)
            }
            Clause::Regexp(clause) => self.regexp(clause, &path.key("regexp")),
            Clause::SimpleQueryString(clause) => {
                self.simple_query_string(clause, &path.key("simple_query_string"), depth)
            }
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

    fn terms(&self, clause: &TermsClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        check_terms(clause.values.len(), path)?;
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        let mut terms = Vec::new();
        let mut others = Vec::new();
        let dates = DateReader::at(self.now);
        for (index, value) in clause.values.iter().enumerate() {
            for clause in coerce::exact_in(&target, value, &dates, &path.index(index))? {
                match clause {
                    BoundClause::Term { term, .. } => terms.push(term),
                    other => others.push(other),
                }
            }
        }
        if others.len() > MAX_SCANS {
            return Err(path.error(format_args!(
                "{} values that are no single terms, more than the {MAX_SCANS} allowed: each scans a \
                 column or a range of terms",
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
}

/// How many scans of a column or of terms one `terms` may cost.
const MAX_SCANS: usize = 1_024;

/// How many optional clauses must match. Where nothing else is required, one must, whatever was
/// asked for: so it is in Lucene.
pub(crate) fn minimum(asked: Option<&MinimumShouldMatch>, should: usize, required: bool) -> usize {
    let least = usize::from(!required && should > 0);
    asked
        .map_or(0, |minimum| minimum.resolve(should))
        .max(least)
}
