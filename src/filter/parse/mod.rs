//! JSON to clauses, by hand, so that every error names the exact place.

mod compound;
mod fulltext;
mod parameters;
mod patterns;
mod query_strings;
mod termlevel;
mod texts;

use serde_json::Value;

use self::compound::boosting;
use self::fulltext::{
    match_bool_prefix, match_phrase, match_phrase_prefix, match_text, multi_match,
};
use self::parameters::{boost, name, names, only_common};
use self::patterns::{fuzzy, prefix, regexp, term, wildcard};
use self::query_strings::{query_string, simple_query_string};
use self::termlevel::{exists, ids, range, terms};
use crate::error::Result;
use crate::filter::clause::{Clause, MatchAllClause, MatchNoneClause};
use crate::filter::json::{self, object};
use crate::filter::path::Path;

pub(crate) use compound::check_tie_breaker;
pub(crate) use parameters::{check_boost, strings};

/// How deep clauses may nest. Walking a clause recurses, so this bounds the stack.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many clauses a filter may have: tantivy makes a scorer of each.
pub(crate) const MAX_CLAUSES: usize = 65_536;

/// How many values `terms` may have; Elasticsearch's `index.max_terms_count`.
pub(crate) const MAX_TERMS: usize = 65_536;

/// The clauses, sorted as error messages list them.
const CLAUSES: &str = "bool, constant_score, dis_max, exists, fuzzy, ids, match, match_all, \
                       match_bool_prefix, match_none, match_phrase, match_phrase_prefix, \
                       multi_match, prefix, query_string, range, regexp, \
                       simple_query_string, term, terms, wildcard";

/// Reads clauses and counts them.
pub(crate) struct Parser {
    clauses: usize,
}

impl Parser {
    pub(crate) fn new() -> Self {
        Self { clauses: 0 }
    }

    /// Reads one clause.
    pub(crate) fn clause(
        &mut self,
        value: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Clause> {
        check_size(depth, &mut self.clauses, path)?;
        let map = object(value, path)?;
        let mut entries = map.iter();
        let Some((name, body)) = entries.next() else {
            return Err(path.error("expected a clause, got an empty object"));
        };
        if entries.next().is_some() {
            return Err(path.error(format_args!("expected one clause, got {}", names(map))));
        }
        let path = &path.key(name);
        Ok(match name.as_str() {
            "bool" => self.bool(body, path, depth)?.into(),
            "boosting" => return Err(boosting(path)),
            "constant_score" => self.constant_score(body, path, depth)?.into(),
            "dis_max" => self.dis_max(body, path, depth)?.into(),
            "exists" => exists(body, path)?.into(),
            "fuzzy" => fuzzy(body, path)?.into(),
            "ids" => ids(body, path)?.into(),
            "match" => match_text(body, path)?.into(),
            "match_all" => match_all(body, path)?.into(),
            "match_bool_prefix" => match_bool_prefix(body, path)?.into(),
            "match_none" => match_none(body, path)?.into(),
            "match_phrase" => match_phrase(body, path)?.into(),
            "match_phrase_prefix" => match_phrase_prefix(body, path)?.into(),
            "multi_match" => multi_match(body, path)?.into(),
            "prefix" => prefix(body, path)?.into(),
            "query_string" => query_string(body, path)?.into(),
            "range" => range(body, path)?.into(),
            "regexp" => regexp(body, path)?.into(),
            "simple_query_string" => simple_query_string(body, path)?.into(),
            "term" => term(body, path)?.into(),
            "terms" => terms(body, path)?.into(),
            "wildcard" => wildcard(body, path)?.into(),
            _ => return Err(path.error(format_args!("unknown clause (known: {CLAUSES})"))),
        })
    }
}

fn match_all(body: &Value, path: &Path<'_>) -> Result<MatchAllClause> {
    let map = only_common(body, path)?;
    Ok(MatchAllClause {
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

fn match_none(body: &Value, path: &Path<'_>) -> Result<MatchNoneClause> {
    let map = only_common(body, path)?;
    Ok(MatchNoneClause {
        boost: boost(map, path)?,
        name: name(map, path)?,
    })
}

impl Clause {
    /// Reads a clause from JSON text, in which no key may stand twice.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), naming the place: the text is not
    /// JSON, a clause or parameter is unknown or of the wrong type, or clauses nest deeper than
    /// 64.
    ///
    /// ```
    /// let error = forewarm::Clause::from_json(r#"{"range": {"price": {"gtt": 1}}}"#).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"query.range.price: unknown parameter "gtt""#));
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_value(&json::from_str(text)?)
    }

    /// Reads a clause from parsed JSON.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    ///
    /// ```
    /// let clause = forewarm::Clause::from_value(&serde_json::json!({"match_all": {}}))?;
    /// assert_eq!(clause, forewarm::Clause::match_all().into());
    /// # Ok::<(), forewarm::Error>(())
    /// ```
    pub fn from_value(value: &Value) -> Result<Self> {
        Parser::new().clause(value, &Path::root("query"), 0)
    }
}

/// Bounds depth and number of clauses, wherever a tree of them is walked.
pub(crate) fn check_size(depth: usize, clauses: &mut usize, path: &Path<'_>) -> Result<()> {
    if depth >= MAX_DEPTH {
        return Err(path.error(format_args!("clauses nest deeper than {MAX_DEPTH}")));
    }
    *clauses += 1;
    if *clauses > MAX_CLAUSES {
        return Err(path.error(format_args!("more than {MAX_CLAUSES} clauses")));
    }
    Ok(())
}

/// Bounds the values of one `terms`.
pub(crate) fn check_terms(count: usize, path: &Path<'_>) -> Result<()> {
    if count > MAX_TERMS {
        return Err(path.error(format_args!(
            "{count} values, more than the {MAX_TERMS} allowed"
        )));
    }
    Ok(())
}
