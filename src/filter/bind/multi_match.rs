//! One text in several fields.

use super::Binder;
use super::fulltext::{Found, TextSearch};
use crate::error::Result;
use crate::filter::bound::BoundClause;
use crate::filter::builder::MAX_EXPANSIONS;
use crate::filter::clause::{MultiMatchClause, MultiMatchType, Operator, ZeroTermsQuery};
use crate::filter::field::Target;
use crate::filter::parse::check_tie_breaker;
use crate::filter::path::Path;

impl Binder<'_> {
    pub(super) fn multi_match(
        &mut self,
        clause: &MultiMatchClause,
        path: &Path<'_>,
        scored: bool,
    ) -> Result<BoundClause> {
        check_parameters(clause, path)?;
        let tie_breaker = clause
            .tie_breaker
            .unwrap_or_else(|| clause.kind.tie_breaker());
        check_tie_breaker(tie_breaker, &path.key("tie_breaker"))?;
        let fields = self.searched_fields(&clause.fields, &path.key("fields"))?;
        if fields.is_empty() {
            return Err(path.error("no field to search in: give \"fields\""));
        }
        let search = TextSearch {
            kind: clause.kind,
            query: &clause.query,
            operator: clause.operator,
            minimum_should_match: clause.minimum_should_match.as_ref(),
            fuzzy: clause.fuzzy.as_ref(),
            slop: clause.slop,
            max_expansions: clause.max_expansions,
            zero_terms_query: clause.zero_terms_query,
            lenient: clause.lenient,
        };
        let mut found = Vec::new();
        let mut misfit = None;
        // The binder is borrowed while a target lives.
        let schema = self.schema.clone();
        for field in fields {
            let path = &path.key(&field.name);
            let target = Target::resolve_value(&schema, &field.name, path)?;
            match self.text_in(&target, &search, path)? {
                Found::Clause(bound) => found.push(bound.boosted(field.boost)),
                Found::Nothing if clause.zero_terms_query == ZeroTermsQuery::All => {
                    found.push(BoundClause::All.boosted(field.boost));
                }
                Found::Nothing => found.push(BoundClause::Empty),
                Found::Misfit(_) if clause.lenient => found.push(BoundClause::Empty),
                // Nobody named it, so that it cannot hold the text is no reason not to search the
                // others.
                Found::Misfit(error) if field.found => misfit = misfit.or(Some(error)),
                Found::Misfit(error) => return Err(error),
            }
        }
        if let Some(error) = misfit.filter(|_| found.is_empty()) {
            return Err(error);
        }
        Ok(if scored && tie_breaker < 1.0 {
            BoundClause::best(found, tie_breaker)
        } else {
            BoundClause::any(found)
        })
    }
}

/// Refuses what the type has no use for.
fn check_parameters(clause: &MultiMatchClause, path: &Path<'_>) -> Result<()> {
    let kind = clause.kind;
    let words = !kind.is_phrase();
    let refused = [
        ("operator", !words && clause.operator != Operator::Or),
        (
            "minimum_should_match",
            !words && clause.minimum_should_match.is_some(),
        ),
        ("fuzziness", !words && clause.fuzzy.is_some()),
        ("slop", kind != MultiMatchType::Phrase && clause.slop != 0),
        (
            "max_expansions",
            kind != MultiMatchType::PhrasePrefix && clause.max_expansions != MAX_EXPANSIONS,
        ),
    ];
    match refused.iter().find(|(_, refused)| *refused) {
        None => Ok(()),
        Some((key, _)) => Err(path.key(key).error(format_args!(
            "not supported for the type {:?}: leave it out",
            kind.name()
        ))),
    }
}
