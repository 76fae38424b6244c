//! Ranges, by the type of the field and by what it can be read from.

use std::cmp::Ordering;
use std::ops::{Bound, RangeInclusive};

use tantivy::schema::FieldType;
use tantivy::{DateTime, Term};

use crate::error::Result;
use crate::filter::addresses;
use crate::filter::bound::BoundClause;
use crate::filter::clause::RangeClause;
use crate::filter::coerce::{base64, boolean, column, date_span, wrong_value};
use crate::filter::column_range::ColumnValues;
use crate::filter::date_math::{DateReader, Moment};
use crate::filter::dates::DateFormats;
use crate::filter::field::Target;
use crate::filter::json_ranges;
use crate::filter::numbers::{Number, NumberRange, compare};
use crate::filter::path::Path;
use crate::filter::value::FieldValue;
use crate::filter::zone::Zone;

/// Two bounds on bytes.
pub(super) type ByteBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The clause of a range, score 1.
pub(crate) fn range(
    target: &Target<'_>,
    clause: &RangeClause,
    now: Moment,
    path: &Path<'_>,
) -> Result<BoundClause> {
    let dates = dates_of(target, clause, now, path)?;
    let field_type = target.entry.field_type();
    if !target.is_fast() && !target.is_indexed() {
        return Err(target.not_searchable(path));
    }
    if bounds(clause).all(|(_, value)| value.is_none()) {
        return Ok(any_value(target));
    }
    match field_type {
        FieldType::Bool(_) => bools(target, clause, path),
        FieldType::Date(_) => {
            let span = |value: &FieldValue, path: &Path<'_>| date_span(target, value, &dates, path);
            match date_bounds(clause, path, span)? {
                Some(nanos) => self::dates(target, nanos, path),
                None => Ok(BoundClause::Empty),
            }
        }
        FieldType::F64(_) | FieldType::I64(_) | FieldType::U64(_) => {
            let numbers = number_range(clause, path, |value, path| {
                Number::read(value).ok_or_else(|| wrong_value(target, value, "a number", path))
            })?;
            Ok(native_numbers(target, numbers))
        }
        FieldType::IpAddr(_) => addresses::range(target, clause, path),
        FieldType::Bytes(_) => bytes(target, clause, path, |value| base64(target, value)),
        FieldType::Str(_) => bytes(target, clause, path, |value| {
            Some(value.to_string().into_bytes())
        }),
        FieldType::JsonObject(_) => json_ranges::range(target, clause, &dates, path),
        FieldType::Facet(_) | FieldType::TieBreaker | FieldType::Custom(_) => {
            let name = target.type_name();
            Err(path.error(format_args!("{name} has no ranges")))
        }
    }
}

/// How the dates of a range are read. Fields that hold none have neither formats nor zones.
fn dates_of(
    target: &Target<'_>,
    clause: &RangeClause,
    now: Moment,
    path: &Path<'_>,
) -> Result<DateReader> {
    let field_type = target.entry.field_type();
    let dated = matches!(field_type, FieldType::Date(_) | FieldType::JsonObject(_));
    let undated = |key: &str, what: &str| {
        let name = target.type_name();
        Err(path.key(key).error(format_args!("{name} has no {what}")))
    };
    let mut dates = DateReader::at(now);
    if let Some(formats) = &clause.format {
        let formats = DateFormats::parse(formats);
        dates = dates.with_formats(formats.map_err(|message| path.key("format").error(message))?);
        if !dated {
            return undated("format", "date format");
        }
    }
    if let Some(zone) = &clause.time_zone {
        let zone = Zone::parse(zone);
        dates = dates.with_zone(zone.map_err(|message| path.key("time_zone").error(message))?);
        if !dated {
            return undated("time_zone", "time zone");
        }
    }
    Ok(dates)
}

/// Documents with a term that begins with the bytes of `prefix`.
pub(crate) fn prefix(target: &Target<'_>, prefix: &str, path: &Path<'_>) -> Result<BoundClause> {
    let bytes = match target.entry.field_type() {
        FieldType::Str(_) => prefix.as_bytes().to_vec(),
        FieldType::Facet(_) => match tantivy::schema::Facet::from_text(prefix) {
            Ok(facet) => facet.encoded_str().as_bytes().to_vec(),
            Err(_) => {
                let value = FieldValue::from(prefix);
                return Err(wrong_value(target, &value, "a facet like \"/a/b\"", path));
            }
        },
        FieldType::JsonObject(_) if target.is_indexed() => {
            let mut term = target.json_term();
            term.append_type_and_str(prefix);
            term.serialized_value_bytes().to_vec()
        }
        FieldType::JsonObject(_) => prefix.as_bytes().to_vec(),
        _ => {
            let name = target.type_name();
            return Err(path.error(format_args!("{name} has no prefixes")));
        }
    };
    let upper = after_prefix(&bytes);
    let lower = Bound::Included(bytes);
    if target.is_indexed() {
        Ok(BoundClause::TermRange {
            field: target.field,
            lower,
            upper,
        })
    } else if target.is_fast() {
        Ok(column(target, ColumnValues::Bytes(lower, upper)))
    } else {
        Err(target.not_searchable(path))
    }
}

/// The bound that ends exactly the byte strings which begin with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

/// The clause of dates from one nanosecond to another.
pub(crate) fn dates(
    target: &Target<'_>,
    nanos: RangeInclusive<i64>,
    path: &Path<'_>,
) -> Result<BoundClause> {
    if target.is_fast() {
        return Ok(column(target, ColumnValues::Dates(nanos)));
    }
    if !target.is_indexed() {
        return Err(target.not_searchable(path));
    }
    let term = |nanos| Term::from_field_date(target.field, DateTime::from_timestamp_nanos(nanos));
    Ok(term_range(
        target,
        &term(*nanos.start()),
        &term(*nanos.end()),
    ))
}

/// Nanoseconds as tantivy holds them; `None` if no date it can hold is within.
pub(crate) fn nanos(first: i128, last: i128) -> Option<RangeInclusive<i64>> {
    let range = first.max(i64::MIN.into())..=last.min(i64::MAX.into());
    if range.is_empty() {
        return None;
    }
    Some(i64::try_from(*range.start()).ok()?..=i64::try_from(*range.end()).ok()?)
}

/// Every value of the field, for a range without bounds.
fn any_value(target: &Target<'_>) -> BoundClause {
    if target.is_fast() {
        return BoundClause::Exists {
            column: target.name.to_owned(),
            subpaths: false,
        };
    }
    let (lower, upper) = if target.entry.field_type().is_json() {
        let beginning = target.json_term().serialized_value_bytes().to_vec();
        let upper = after_prefix(&beginning);
        (Bound::Included(beginning), upper)
    } else {
        (Bound::Unbounded, Bound::Unbounded)
    };
    BoundClause::TermRange {
        field: target.field,
        lower,
        upper,
    }
}

fn bounds(clause: &RangeClause) -> impl Iterator<Item = (&'static str, &Option<FieldValue>)> {
    [
        ("gt", &clause.gt),
        ("gte", &clause.gte),
        ("lt", &clause.lt),
        ("lte", &clause.lte),
    ]
    .into_iter()
}

/// A bound read by `read`, which gets the value's place.
pub(super) fn read<T>(
    value: &Option<FieldValue>,
    key: &str,
    path: &Path<'_>,
    read: &impl Fn(&FieldValue, &Path<'_>) -> Result<T>,
) -> Result<Option<T>> {
    value
        .as_ref()
        .map(|value| read(value, &path.key(key)))
        .transpose()
}

/// The tighter of an excluding and an including bound. `order` puts the tighter first.
fn tighter<T>(
    excluded: Option<T>,
    included: Option<T>,
    order: impl Fn(&T, &T) -> Ordering,
) -> Bound<T> {
    match (excluded, included) {
        (None, None) => Bound::Unbounded,
        (Some(value), None) => Bound::Excluded(value),
        (None, Some(value)) => Bound::Included(value),
        // Of equal ones the excluding is tighter.
        (Some(excluded), Some(included)) => match order(&excluded, &included) {
            Ordering::Less | Ordering::Equal => Bound::Excluded(excluded),
            Ordering::Greater => Bound::Included(included),
        },
    }
}

pub(super) fn number_range(
    clause: &RangeClause,
    path: &Path<'_>,
    number: impl Fn(&FieldValue, &Path<'_>) -> Result<Number>,
) -> Result<NumberRange> {
    let gt = read(&clause.gt, "gt", path, &number)?;
    let gte = read(&clause.gte, "gte", path, &number)?;
    let lt = read(&clause.lt, "lt", path, &number)?;
    let lte = read(&clause.lte, "lte", path, &number)?;
    Ok(NumberRange {
        lower: tighter(gt, gte, |a, b| compare(*b, *a)),
        upper: tighter(lt, lte, |a, b| compare(*a, *b)),
    })
}

fn native_numbers(target: &Target<'_>, numbers: NumberRange) -> BoundClause {
    let field = target.field;
    let terms = match target.entry.field_type() {
        FieldType::I64(_) => numbers.within_i64().map(|range| {
            (
                Term::from_field_i64(field, *range.start()),
                Term::from_field_i64(field, *range.end()),
            )
        }),
        FieldType::U64(_) => numbers.within_u64().map(|range| {
            (
                Term::from_field_u64(field, *range.start()),
                Term::from_field_u64(field, *range.end()),
            )
        }),
        _ => numbers.within_f64().map(|range| {
            (
                Term::from_field_f64(field, *range.start()),
                Term::from_field_f64(field, *range.end()),
            )
        }),
    };
    match terms {
        None => BoundClause::Empty,
        Some(_) if target.is_fast() => column(target, ColumnValues::Numbers(numbers)),
        Some((first, last)) => term_range(target, &first, &last),
    }
}

/// From one term to another, both included.
pub(super) fn term_range(target: &Target<'_>, first: &Term, last: &Term) -> BoundClause {
    BoundClause::TermRange {
        field: target.field,
        lower: Bound::Included(first.serialized_value_bytes().to_vec()),
        upper: Bound::Included(last.serialized_value_bytes().to_vec()),
    }
}

/// Dates in nanoseconds; `None` if there are none between the bounds.
pub(super) fn date_bounds(
    clause: &RangeClause,
    path: &Path<'_>,
    span: impl Fn(&FieldValue, &Path<'_>) -> Result<RangeInclusive<i128>>,
) -> Result<Option<RangeInclusive<i64>>> {
    let gt = read(&clause.gt, "gt", path, &span)?.map(|span| span.end() + 1);
    let gte = read(&clause.gte, "gte", path, &span)?.map(|span| *span.start());
    let lt = read(&clause.lt, "lt", path, &span)?.map(|span| span.start() - 1);
    let lte = read(&clause.lte, "lte", path, &span)?.map(|span| *span.end());
    let first = gt.max(gte).unwrap_or(i64::MIN.into());
    let last = [lt, lte]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(i64::MAX.into());
    Ok(nanos(first, last))
}

pub(super) fn bool_bounds(
    clause: &RangeClause,
    path: &Path<'_>,
    value: impl Fn(&FieldValue, &Path<'_>) -> Result<bool>,
) -> Result<Option<RangeInclusive<bool>>> {
    let gt = read(&clause.gt, "gt", path, &value)?;
    let gte = read(&clause.gte, "gte", path, &value)?;
    let lt = read(&clause.lt, "lt", path, &value)?;
    let lte = read(&clause.lte, "lte", path, &value)?;
    // Above `true` and below `false` there is nothing.
    if gt == Some(true) || lt == Some(false) {
        return Ok(None);
    }
    let first = gt.is_some() || gte == Some(true);
    let last = lt.is_none() && lte != Some(false);
    Ok((first <= last).then_some(first..=last))
}

fn bools(target: &Target<'_>, clause: &RangeClause, path: &Path<'_>) -> Result<BoundClause> {
    let range = bool_bounds(clause, path, |value, path| {
        boolean(value).ok_or_else(|| wrong_value(target, value, "true or false", path))
    })?;
    let Some(range) = range else {
        return Ok(BoundClause::Empty);
    };
    if target.is_fast() {
        return Ok(column(target, ColumnValues::Bools(range)));
    }
    let term = |value| Term::from_field_bool(target.field, value);
    Ok(term_range(
        target,
        &term(*range.start()),
        &term(*range.end()),
    ))
}

/// Bounds on bytes; `None` if they exclude each other.
pub(super) fn byte_bounds(
    clause: &RangeClause,
    path: &Path<'_>,
    value: impl Fn(&FieldValue, &Path<'_>) -> Result<Vec<u8>>,
) -> Result<Option<ByteBounds>> {
    let gt = read(&clause.gt, "gt", path, &value)?;
    let gte = read(&clause.gte, "gte", path, &value)?;
    let lt = read(&clause.lt, "lt", path, &value)?;
    let lte = read(&clause.lte, "lte", path, &value)?;
    let lower = tighter(gt, gte, |a, b| b.cmp(a));
    let upper = tighter(lt, lte, Ord::cmp);
    let possible = match (&lower, &upper) {
        (Bound::Included(first), Bound::Included(last)) => first <= last,
        (
            Bound::Included(first) | Bound::Excluded(first),
            Bound::Included(last) | Bound::Excluded(last),
        ) => first < last,
        _ => true,
    };
    Ok(possible.then_some((lower, upper)))
}

/// A range over text or bytes: over the terms where they are indexed, as in Elasticsearch, else
/// over the column.
fn bytes(
    target: &Target<'_>,
    clause: &RangeClause,
    path: &Path<'_>,
    value: impl Fn(&FieldValue) -> Option<Vec<u8>>,
) -> Result<BoundClause> {
    let bounds = byte_bounds(clause, path, |given, path| {
        value(given).ok_or_else(|| wrong_value(target, given, "bytes in base64", path))
    })?;
    let Some((lower, upper)) = bounds else {
        return Ok(BoundClause::Empty);
    };
    if target.is_indexed() {
        Ok(BoundClause::TermRange {
            field: target.field,
            lower,
            upper,
        })
    } else {
        Ok(column(target, ColumnValues::Bytes(lower, upper)))
    }
}
