//! Clauses that combine others.

use super::{Binder, minimum};
use crate::error::Result;
use crate::filter::bound::{BoundBool, BoundClause};
use crate::filter::clause::{BoolClause, Clause, ConstantScoreClause, DisMaxClause};
use crate::filter::parse::check_tie_breaker;
use crate::filter::path::Path;

impl Binder<'_> {
    pub(super) fn bool(
        &mut self,
        clause: &BoolClause,
        path: &Path<'_>,
        depth: usize,
        scored: bool,
    ) -> Result<BoundClause> {
        let must = self.clauses(&clause.must, &path.key("must"), depth, scored)?;
        let filter = self.clauses(&clause.filter, &path.key("filter"), depth, false)?;
        let should = self.clauses(&clause.should, &path.key("should"), depth, scored)?;
        let must_not = self.clauses(&clause.must_not, &path.key("must_not"), depth, false)?;
        let required = !must.is_empty() || !filter.is_empty();
        if !required && should.is_empty() && must_not.is_empty() {
            // An empty `bool` matches all, as in Elasticsearch.
            return Ok(BoundClause::All);
        }
        let minimum_should_match =
            minimum(clause.minimum_should_match.as_ref(), should.len(), required);
        let bound = BoundBool {
            must,
            filter,
            should,
            must_not,
            minimum_should_match,
        };
        Ok(bound.simplified(scored))
    }

    pub(super) fn constant_score(
        &mut self,
        clause: &ConstantScoreClause,
        path: &Path<'_>,
        depth: usize,
        scored: bool,
    ) -> Result<BoundClause> {
        let filter = self.clause(&clause.filter, &path.key("filter"), depth + 1, false)?;
        Ok(match filter {
            BoundClause::Empty => BoundClause::Empty,
            filter if scored => BoundClause::Constant(Box::new(filter), 1.0),
            filter => filter,
        })
    }

    pub(super) fn dis_max(
        &mut self,
        clause: &DisMaxClause,
        path: &Path<'_>,
        depth: usize,
        scored: bool,
    ) -> Result<BoundClause> {
        check_tie_breaker(clause.tie_breaker, &path.key("tie_breaker"))?;
        let queries = self.clauses(&clause.queries, &path.key("queries"), depth, scored)?;
        Ok(if scored {
            BoundClause::best(queries, clause.tie_breaker)
        } else {
            BoundClause::any(queries)
        })
    }

    fn clauses(
        &mut self,
        clauses: &[Clause],
        path: &Path<'_>,
        depth: usize,
        scored: bool,
    ) -> Result<Vec<BoundClause>> {
        clauses
            .iter()
            .enumerate()
            .map(|(index, clause)| self.clause(clause, &path.index(index), depth + 1, scored))
            .collect()
    }
}
