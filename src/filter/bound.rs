//! A clause that has met a schema: fields found, values read, texts tokenized.
//!
//! This is what both the query of tantivy and the needs of a warmup are made of, so that the two
//! cannot disagree.

use std::ops::Bound;

use tantivy::Term;
use tantivy::columnar::ColumnType;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery,
    ExistsQuery, Occur, PhraseQuery, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use crate::filter::automaton::TermAutomaton;
use crate::filter::column_range::{ColumnRangeQuery, ColumnValues};
use crate::filter::expansion::{Expansion, ExpansionQuery, ExpansionSettings};
use crate::filter::ids_query::IdsQuery;
use crate::filter::phrase_prefix_query::PhraseEndingQuery;
use crate::filter::queries::TermsQuery;

/// A clause bound to a schema.
#[derive(Debug)]
pub(crate) enum BoundClause {
    /// Every document, score 1.
    All,
    /// Documents with any term of a field that a pattern accepts, score 1.
    Automaton {
        field: Field,
        automaton: TermAutomaton,
    },
    /// The score of a clause times a factor.
    Boost(Box<BoundClause>, f32),
    /// A combination.
    Bool(BoundBool),
    /// Documents with a value of a column in a range, score 1.
    ColumnRange {
        /// The column, as a user spells it.
        column: String,
        /// The types of column of that name that are read.
        types: Vec<ColumnType>,
        values: ColumnValues,
    },
    /// The documents of a clause, with a score of its own; the clause is not scored.
    Constant(Box<BoundClause>, f32),
    /// Documents that match any of several clauses: the greatest score, and a share of the others.
    DisMax {
        queries: Vec<BoundClause>,
        tie_breaker: f32,
    },
    /// No document.
    Empty,
    /// Documents with a value in a column, score 1.
    Exists {
        /// The column, as a user spells it.
        column: String,
        /// Whether columns of the JSON paths below count too.
        subpaths: bool,
    },
    /// Documents by the numbers of segment and document, sorted and without duplicates; score 1.
    Ids(Vec<(u32, u32)>),
    /// A query of the caller.
    Opaque(Box<dyn Query>),
    /// Terms at positions; at least two.
    Phrase {
        terms: Vec<(usize, Term)>,
        slop: u32,
    },
    /// Terms at positions, at least one, and behind them a term that begins as `prefix` does: one
    /// of the first `max_expansions` such terms of a segment.
    PhrasePrefix {
        terms: Vec<(usize, Term)>,
        prefix: (usize, Term),
        max_expansions: u32,
    },
    /// One term.
    Term {
        term: Term,
        record: IndexRecordOption,
    },
    /// The terms of a field between two bounds, which are compared with
    /// [`Term::serialized_value_bytes`]; score 1.
    TermRange {
        field: Field,
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
    },
    /// Any of several terms of a field, sorted and without duplicates; score 1.
    Terms { field: Field, terms: Vec<Term> },
}

/// A combination whose `minimum_should_match` is a number.
#[derive(Debug, Default)]
pub(crate) struct BoundBool {
    pub(crate) must: Vec<BoundClause>,
    pub(crate) filter: Vec<BoundClause>,
    pub(crate) should: Vec<BoundClause>,
    pub(crate) must_not: Vec<BoundClause>,
    pub(crate) minimum_should_match: usize,
}

impl BoundClause {
    /// The clause with its score multiplied.
    pub(crate) fn boosted(self, boost: f32) -> Self {
        if boost == 1.0 || matches!(self, Self::Empty) {
            self
        } else {
            Self::Boost(Box::new(self), boost)
        }
    }

    /// Documents that match any of the clauses, scores added.
    pub(crate) fn any(mut clauses: Vec<Self>) -> Self {
        clauses.retain(|clause| !matches!(clause, Self::Empty));
        match clauses.len() {
            0 => Self::Empty,
            1 => clauses.swap_remove(0),
            _ => Self::Bool(BoundBool {
                should: clauses,
                minimum_should_match: 1,
                ..BoundBool::default()
            }),
        }
    }

    /// The documents that match any of the clauses, each with score 1.
    pub(crate) fn any_constant(clauses: Vec<Self>) -> Self {
        match Self::any(clauses) {
            any @ Self::Bool(_) => Self::Constant(Box::new(any), 1.0),
            one => one,
        }
    }

    /// Documents that match any of the clauses, with the greatest score and a share of the others.
    pub(crate) fn best(mut queries: Vec<Self>, tie_breaker: f32) -> Self {
        queries.retain(|clause| !matches!(clause, Self::Empty));
        match queries.len() {
            0 => Self::Empty,
            1 => queries.swap_remove(0),
            _ => Self::DisMax {
                queries,
                tie_breaker,
            },
        }
    }

    /// The query of tantivy; its clauses expand within `limits`.
    pub(crate) fn query(&self, limits: &ExpansionSettings) -> Box<dyn Query> {
        match self {
            Self::All => Box::new(AllQuery),
            Self::Automaton { field, automaton } => {
                let expansion = Expansion::Automaton(automaton.clone());
                Box::new(ExpansionQuery::new(*field, expansion, *limits))
            }
            Self::Boost(clause, boost) => Box::new(BoostQuery::new(clause.query(limits), *boost)),
            Self::Bool(clause) => clause.query(limits),
            Self::ColumnRange {
                column,
                types,
                values,
            } => Box::new(ColumnRangeQuery::new(
                column.clone(),
                types.clone(),
                values.clone(),
            )),
            Self::Constant(clause, score) => {
                Box::new(ConstScoreQuery::new(clause.query(limits), *score))
            }
            Self::DisMax {
                queries,
                tie_breaker,
            } => Box::new(DisjunctionMaxQuery::with_tie_breaker(
                queries
                    .iter()
                    .map(|query| query.scored_part(limits))
                    .collect(),
                *tie_breaker,
            )),
            Self::Empty => Box::new(EmptyQuery),
            Self::Exists { column, subpaths } => {
                Box::new(ExistsQuery::new(column.clone(), *subpaths))
            }
            Self::Ids(addresses) => Box::new(IdsQuery::new(addresses.clone())),
            Self::Opaque(query) => query.box_clone(),
            Self::Phrase { terms, slop } => {
                Box::new(PhraseQuery::new_with_offset_and_slop(terms.clone(), *slop))
            }
            Self::PhrasePrefix {
                terms,
                prefix,
                max_expansions,
            } => Box::new(PhraseEndingQuery::new(terms, prefix, *max_expansions)),
            Self::Term { term, record } => Box::new(TermQuery::new(term.clone(), *record)),
            Self::TermRange {
                field,
                lower,
                upper,
            } => {
                let expansion = Expansion::Range(lower.clone(), upper.clone());
                Box::new(ExpansionQuery::new(*field, expansion, *limits))
            }
            Self::Terms { field, terms } => Box::new(TermsQuery::new(*field, terms.clone())),
        }
    }

    /// How many of its parts are an [`ExpansionQuery`] once it is a query.
    pub(crate) fn expansions(&self) -> usize {
        match self {
            Self::Automaton { .. } | Self::TermRange { .. } => 1,
            Self::Boost(clause, _) | Self::Constant(clause, _) => clause.expansions(),
            Self::Bool(clause) => clause.parts().map(Self::expansions).sum(),
            Self::DisMax { queries, .. } => queries.iter().map(Self::expansions).sum(),
            Self::All
            | Self::ColumnRange { .. }
            | Self::Empty
            | Self::Exists { .. }
            | Self::Ids(_)
            | Self::Opaque(_)
            | Self::Phrase { .. }
            | Self::PhrasePrefix { .. }
            | Self::Term { .. }
            | Self::Terms { .. } => 0,
        }
    }

    /// The query as a part of a scored combination.
    fn scored_part(&self, limits: &ExpansionSettings) -> Box<dyn Query> {
        match self {
            // tantivy leaves scorers of all documents out of an intersection, with their score;
            // the wrapper keeps it. `exists` is one when its column is full.
            Self::All | Self::Exists { .. } => {
                Box::new(ConstScoreQuery::new(self.query(limits), 1.0))
            }
            other => other.query(limits),
        }
    }

    /// The query as a part that is not scored. tantivy scores even what must not match, which
    /// would read norms.
    fn unscored_part(&self, limits: &ExpansionSettings) -> Box<dyn Query> {
        Box::new(ConstScoreQuery::new(self.query(limits), 0.0))
    }
}

impl BoundBool {
    /// Simplifies what can be seen without reading: a requirement that nothing meets, a single
    /// part, and optional parts of a combination that is not scored.
    pub(crate) fn simplified(mut self, scored: bool) -> BoundClause {
        let empty = |clause: &BoundClause| matches!(clause, BoundClause::Empty);
        self.should.retain(|clause| !empty(clause));
        self.must_not.retain(|clause| !empty(clause));
        let required = !self.must.is_empty() || !self.filter.is_empty();
        if self.must.iter().any(empty)
            || self.filter.iter().any(empty)
            || self.should.len() < self.minimum_should_match
        {
            return BoundClause::Empty;
        }
        if !scored && required && self.minimum_should_match == 0 {
            self.should.clear();
        }
        let parts = self.must.len() + self.filter.len() + self.should.len() + self.must_not.len();
        if parts == 1 {
            let single = self.must.pop().or_else(|| self.should.pop());
            if let Some(single) = single {
                return single;
            }
            if !scored && let Some(single) = self.filter.pop() {
                return single;
            }
        }
        BoundClause::Bool(self)
    }

    fn parts(&self) -> impl Iterator<Item = &BoundClause> {
        let required = self.must.iter().chain(&self.filter);
        required.chain(&self.should).chain(&self.must_not)
    }

    fn query(&self, limits: &ExpansionSettings) -> Box<dyn Query> {
        let mut parts: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        parts.extend(
            self.must
                .iter()
                .map(|part| (Occur::Must, part.scored_part(limits))),
        );
        parts.extend(
            self.filter
                .iter()
                .map(|part| (Occur::Must, part.unscored_part(limits))),
        );
        parts.extend(
            self.should
                .iter()
                .map(|part| (Occur::Should, part.scored_part(limits))),
        );
        parts.extend(
            self.must_not
                .iter()
                .map(|part| (Occur::MustNot, part.unscored_part(limits))),
        );
        if self.must.is_empty() && self.filter.is_empty() && self.should.is_empty() {
            // What only excludes starts from every document.
            parts.push((Occur::Must, BoundClause::All.unscored_part(limits)));
        }
        Box::new(BooleanQuery::with_minimum_required_clauses(
            parts,
            self.minimum_should_match,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansions_are_counted_wherever_they_are() {
        let expanding = || BoundClause::TermRange {
            field: Field::from_field_id(0),
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
        };
        assert_eq!(expanding().expansions(), 1);
        assert_eq!(BoundClause::All.expansions(), 0);
        let all_kinds = BoundClause::Bool(BoundBool {
            must: vec![expanding(), BoundClause::Empty],
            filter: vec![BoundClause::Boost(Box::new(expanding()), 2.0)],
            should: vec![BoundClause::Constant(Box::new(expanding()), 0.5)],
            must_not: vec![BoundClause::DisMax {
                queries: vec![expanding(), expanding()],
                tie_breaker: 0.1,
            }],
            minimum_should_match: 0,
        });
        assert_eq!(all_kinds.expansions(), 5);
    }
}
