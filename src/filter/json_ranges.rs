//! Ranges on JSON paths, whose values may be of any type.

use std::ops::{Bound, RangeInclusive};

use tantivy::{DateTime, Term};

use crate::error::Result;
use crate::filter::bound::BoundClause;
use crate::filter::clause::RangeClause;
use crate::filter::coerce::{column, date_span, json_date};
use crate::filter::column_range::ColumnValues;
use crate::filter::date_math::{DateReader, is_math};
use crate::filter::field::Target;
use crate::filter::numbers::{Number, NumberRange};
use crate::filter::path::Path;
use crate::filter::ranges::{
    ByteBounds, after_prefix, bool_bounds, byte_bounds, date_bounds, number_range, term_range,
};
use crate::filter::value::FieldValue;

/// A range on a JSON path, over each type that all its bounds can be read as.
pub(crate) fn range(
    target: &Target<'_>,
    clause: &RangeClause,
    dates: &DateReader,
    path: &Path<'_>,
) -> Result<BoundClause> {
    let no = |_: &FieldValue, path: &Path<'_>| path.error("another type");
    if clause.format.is_some() || clause.time_zone.is_some() {
        // Then dates are meant.
        let span = |value: &FieldValue, path: &Path<'_>| date_span(target, value, dates, path);
        let nanos = date_bounds(clause, path, span)?;
        return Ok(nanos.map_or(BoundClause::Empty, |nanos| json_dates(target, nanos)));
    }
    let mut clauses = Vec::new();
    let numbers = number_range(clause, path, |value, path| {
        Number::read(value).ok_or_else(|| no(value, path))
    });
    if let Ok(numbers) = numbers {
        json_numbers(target, numbers, &mut clauses);
    }
    let nanos = date_bounds(clause, path, |value, path| {
        let span = match value {
            FieldValue::Text(text) if is_math(text) => dates.span(value),
            value => json_date(value),
        };
        span.ok_or_else(|| no(value, path))
    });
    if let Ok(Some(nanos)) = nanos {
        clauses.push(json_dates(target, nanos));
    }
    let bools = bool_bounds(clause, path, |value, path| match value {
        FieldValue::Bool(value) => Ok(*value),
        _ => Err(no(value, path)),
    });
    if let Ok(Some(bools)) = bools {
        clauses.push(json_bools(target, bools));
    }
    let strings = byte_bounds(clause, path, |value, path| match value {
        FieldValue::Text(text) => Ok(text.clone().into_bytes()),
        _ => Err(no(value, path)),
    });
    if let Ok(Some(strings)) = strings {
        clauses.push(json_strings(target, strings));
    }
    Ok(BoundClause::any_constant(clauses))
}

/// The terms of a JSON path from one to another.
fn json_range(
    target: &Target<'_>,
    first: impl FnOnce(&mut Term),
    last: impl FnOnce(&mut Term),
) -> BoundClause {
    let (mut lower, mut upper) = (target.json_term(), target.json_term());
    first(&mut lower);
    last(&mut upper);
    term_range(target, &lower, &upper)
}

fn json_dates(target: &Target<'_>, nanos: RangeInclusive<i64>) -> BoundClause {
    if target.is_fast() {
        return column(target, ColumnValues::Dates(nanos));
    }
    let date = DateTime::from_timestamp_nanos;
    json_range(
        target,
        |term| term.append_type_and_fast_value(date(*nanos.start())),
        |term| term.append_type_and_fast_value(date(*nanos.end())),
    )
}

fn json_bools(target: &Target<'_>, range: RangeInclusive<bool>) -> BoundClause {
    if target.is_fast() {
        return column(target, ColumnValues::Bools(range));
    }
    json_range(
        target,
        |term| term.append_type_and_fast_value(*range.start()),
        |term| term.append_type_and_fast_value(*range.end()),
    )
}

/// Numbers are indexed as `i64` if they fit, else as `u64`, else as `f64`.
fn json_numbers(target: &Target<'_>, numbers: NumberRange, clauses: &mut Vec<BoundClause>) {
    if target.is_fast() {
        clauses.push(column(target, ColumnValues::Numbers(numbers)));
        return;
    }
    if let Some(range) = numbers.within_i64() {
        clauses.push(json_range(
            target,
            |term| term.append_type_and_fast_value(*range.start()),
            |term| term.append_type_and_fast_value(*range.end()),
        ));
    }
    if let Some(range) = numbers.within_u64()
        && *range.end() > i64::MAX.unsigned_abs()
    {
        clauses.push(json_range(
            target,
            |term| term.append_type_and_fast_value(*range.start()),
            |term| term.append_type_and_fast_value(*range.end()),
        ));
    }
    if let Some(range) = numbers.within_f64() {
        clauses.push(json_range(
            target,
            |term| term.append_type_and_fast_value(*range.start()),
            |term| term.append_type_and_fast_value(*range.end()),
        ));
    }
}

fn json_strings(target: &Target<'_>, (lower, upper): ByteBounds) -> BoundClause {
    if target.is_fast() {
        return column(target, ColumnValues::Bytes(lower, upper));
    }
    let mut beginning = target.json_term();
    beginning.append_type_and_str("");
    let beginning = beginning.serialized_value_bytes();
    let full = |bytes: Vec<u8>| [beginning, &bytes].concat();
    let lower = match lower {
        Bound::Unbounded => Bound::Included(beginning.to_vec()),
        bound => bound.map(full),
    };
    let upper = match upper {
        Bound::Unbounded => after_prefix(beginning),
        bound => bound.map(full),
    };
    BoundClause::TermRange {
        field: target.field,
        lower,
        upper,
    }
}
