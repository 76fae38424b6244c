//! What date arithmetic comes to at the moment of a request.
//!
//! The schema, which could tell a date from a word, is not known here: the text stays beside what
//! it comes to, so that words that happen to look like arithmetic stay apart.

use crate::filter::clause::{Clause, RangeClause};
use crate::filter::date_math::{DateReader, Moment, is_math};
use crate::filter::dates::DateFormats;
use crate::filter::filter::Filter;
use crate::filter::value::FieldValue;
use crate::filter::zone::Zone;

impl Filter {
    /// The filter for its canonical form alone: arithmetic says what it comes to.
    pub(super) fn at(&self, now: Moment) -> Self {
        match self.clause() {
            Some(clause) if !clause.is_too_deep() && depends(clause) => {
                let mut clause = clause.clone();
                settle(&mut clause, now);
                Self::from(clause)
            }
            _ => self.clone(),
        }
    }
}

/// Whether what a clause means depends on the moment, or it is written so that it may.
fn depends(clause: &Clause) -> bool {
    let math = |value: &FieldValue| matches!(value, FieldValue::Text(text) if is_math(text));
    match clause {
        Clause::QueryString(clause) => has_now(&clause.query),
        Clause::Range(clause) => {
            let bounds = [&clause.gt, &clause.gte, &clause.lt, &clause.lte];
            bounds.into_iter().flatten().any(math)
        }
        Clause::Term(clause) => math(&clause.value),
        Clause::Terms(clause) => clause.values.iter().any(math),
        clause => {
            let mut any = false;
            clause.visit_inner(&mut |inner| any = any || depends(inner));
            any
        }
    }
}

fn settle(clause: &mut Clause, now: Moment) {
    let dates = DateReader::at(now);
    match clause {
        // Which of its words are bounds of dates, only a schema tells.
        Clause::QueryString(clause) if has_now(&clause.query) => {
            clause.query.push_str(&format!(" at {}", now.millis()));
        }
        Clause::Range(clause) => {
            let Some(dates) = dates_of(clause, dates) else {
                return;
            };
            let bounds = [
                &mut clause.gt,
                &mut clause.gte,
                &mut clause.lt,
                &mut clause.lte,
            ];
            for bound in bounds.into_iter().flatten() {
                settle_value(bound, &dates);
            }
        }
        Clause::Term(clause) => settle_value(&mut clause.value, &dates),
        Clause::Terms(clause) => {
            for value in &mut clause.values {
                settle_value(value, &dates);
            }
        }
        clause => clause.visit_inner_mut(&mut |inner| settle(inner, now)),
    }
}

/// How the dates of a range are read; `None` if it will be refused.
fn dates_of(clause: &RangeClause, mut dates: DateReader) -> Option<DateReader> {
    if let Some(formats) = &clause.format {
        dates = dates.with_formats(DateFormats::parse(formats).ok()?);
    }
    if let Some(zone) = &clause.time_zone {
        dates = dates.with_zone(Zone::parse(zone).ok()?);
    }
    Some(dates)
}

fn settle_value(value: &mut FieldValue, dates: &DateReader) {
    let settled = match value {
        FieldValue::Text(text) if is_math(text) => dates.span(value),
        _ => None,
    };
    if let Some(span) = settled {
        *value = FieldValue::Text(format!("{value} from {} to {}", span.start(), span.end()));
    }
}

/// Whether a text has the word `now`, with arithmetic behind it or without.
fn has_now(text: &str) -> bool {
    let bounds = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    text.match_indices("now").any(|(at, now)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text
            .get(at + now.len()..)
            .and_then(|after| after.chars().next());
        bounds(before) && bounds(after)
    })
}
