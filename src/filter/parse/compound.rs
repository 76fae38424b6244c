//! Clauses that combine others.

use serde_json::{Map, Value};

use super::Parser;
use super::parameters::{boost, minimum_should_match, name, number, required};
use crate::error::{Error, Result};
use crate::filter::clause::{BoolClause, Clause, ConstantScoreClause, DisMaxClause};
use crate::filter::json::{check_keys, object};
use crate::filter::path::Path;

impl Parser {
    pub(super) fn bool(
        &mut self,
        body: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<BoolClause> {
        let map = object(body, path)?;
        let known = [
            "_name",
            "boost",
            "filter",
            "minimum_should_match",
            "must",
            "must_not",
            "should",
        ];
        check_keys(map, &known, "parameter", path)?;
        Ok(BoolClause {
            must: self.clauses(map, "must", path, depth)?,
            filter: self.clauses(map, "filter", path, depth)?,
            should: self.clauses(map, "should", path, depth)?,
            must_not: self.clauses(map, "must_not", path, depth)?,
            minimum_should_match: minimum_should_match(map, path)?,
            boost: boost(map, path)?,
            name: name(map, path)?,
        })
    }

    pub(super) fn constant_score(
        &mut self,
        body: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<ConstantScoreClause> {
        let map = object(body, path)?;
        check_keys(map, &["_name", "boost", "filter"], "parameter", path)?;
        let filter = required(map, "filter", path)?;
        Ok(ConstantScoreClause {
            filter: Box::new(self.clause(filter, &path.key("filter"), depth + 1)?),
            boost: boost(map, path)?,
            name: name(map, path)?,
        })
    }

    pub(super) fn dis_max(
        &mut self,
        body: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<DisMaxClause> {
        let map = object(body, path)?;
        let known = ["_name", "boost", "queries", "tie_breaker"];
        check_keys(map, &known, "parameter", path)?;
        required(map, "queries", path)?;
        let tie_breaker = match map.get("tie_breaker") {
            None => 0.0,
            Some(value) => {
                let path = &path.key("tie_breaker");
                check_tie_breaker(number(value, path)? as f32, path)?
            }
        };
        Ok(DisMaxClause {
            queries: self.clauses(map, "queries", path, depth)?,
            tie_breaker,
            boost: boost(map, path)?,
            name: name(map, path)?,
        })
    }

    /// One clause or a list of them.
    fn clauses(
        &mut self,
        map: &Map<String, Value>,
        key: &str,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Vec<Clause>> {
        let path = &path.key(key);
        match map.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values
                .iter()
                .enumerate()
                .map(|(index, value)| self.clause(value, &path.index(index), depth + 1))
                .collect(),
            Some(value) => Ok(vec![self.clause(value, path, depth + 1)?]),
        }
    }
}

/// `boosting` lowers scores, which tantivy has no query for.
pub(super) fn boosting(path: &Path<'_>) -> Error {
    path.error(
        "boosting is not supported: leave documents out with bool.must_not, or raise the others \
         with a bool.should that has a boost",
    )
}

/// Refuses a tie breaker that is not from 0 to 1, as Lucene does.
pub(crate) fn check_tie_breaker(tie_breaker: f32, path: &Path<'_>) -> Result<f32> {
    if (0.0..=1.0).contains(&tie_breaker) {
        Ok(tie_breaker)
    } else {
        Err(path.error(format_args!(
            "expected a number from 0 to 1, got {tie_breaker}"
        )))
    }
}
