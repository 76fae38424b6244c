//! Exact values, read as the schema says.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::{Bound, RangeInclusive};

use tantivy::columnar::ColumnType;
use tantivy::json_utils::convert_to_fast_value_and_append_to_json_term;
use tantivy::schema::{
    DATE_TIME_PRECISION_INDEXED, Facet, FieldType, IndexRecordOption, IntoIpv6Addr, OwnedValue,
    Type,
};
use tantivy::{DateTime, Term};

use crate::error::Result;
use crate::filter::addresses;
use crate::filter::bound::BoundClause;
use crate::filter::column_range::ColumnValues;
use crate::filter::date_math::DateReader;
use crate::filter::dates::optional_time;
use crate::filter::field::Target;
use crate::filter::numbers::{Number, NumberRange};
use crate::filter::path::Path;
use crate::filter::ranges;
use crate::filter::value::FieldValue;

/// The clauses any of which is a document with exactly this value; for text and JSON paths the
/// last one is the value as a string.
pub(crate) fn exact(
    target: &Target<'_>,
    value: &FieldValue,
    path: &Path<'_>,
) -> Result<Vec<BoundClause>> {
    exact_in(target, value, &DateReader::plain(), path)
}

/// As [`exact`], with dates read in another way.
pub(crate) fn exact_in(
    target: &Target<'_>,
    value: &FieldValue,
    dates: &DateReader,
    path: &Path<'_>,
) -> Result<Vec<BoundClause>> {
    if let (FieldType::IpAddr(_), Some(network)) =
        (target.entry.field_type(), addresses::network(value))
    {
        return addresses::between(target, network, path).map(|clause| vec![clause]);
    }
    match target.entry.field_type() {
        FieldType::Date(_) => exact_date(target, value, dates, path).map(|clause| vec![clause]),
        FieldType::JsonObject(_) => exact_json(target, value, path),
        _ if target.is_indexed() => Ok(vec![term(native_term(target, value, path)?)]),
        _ if target.is_fast() => {
            let term = native_term(target, value, path)?;
            Ok(vec![native_column(target, &term, path)?])
        }
        _ => Err(target.not_searchable(path)),
    }
}

/// A clause of one term. Frequencies are read only where they are scored and indexed.
pub(crate) fn term(term: Term) -> BoundClause {
    // Of what is no string a JSON path has no frequencies, though the field may have. tantivy
    // 0.27 asked for them takes those of fewer than 128 documents to be there, and panics on an
    // intersection.
    let record = match term.value().json_path_type() {
        Some(typ) if typ != Type::Str => IndexRecordOption::Basic,
        _ => IndexRecordOption::WithFreqs,
    };
    BoundClause::Term { term, record }
}

/// A clause over a column of the field.
pub(crate) fn column(target: &Target<'_>, values: ColumnValues) -> BoundClause {
    let types = match (&values, target.entry.field_type()) {
        (ColumnValues::Addresses(_), _) => vec![ColumnType::IpAddr],
        (ColumnValues::Bools(_), _) => vec![ColumnType::Bool],
        (ColumnValues::Bytes(..), FieldType::Bytes(_)) => vec![ColumnType::Bytes],
        (ColumnValues::Bytes(..), _) => vec![ColumnType::Str],
        (ColumnValues::Dates(_), _) => vec![ColumnType::DateTime],
        (ColumnValues::Numbers(_), FieldType::F64(_)) => vec![ColumnType::F64],
        (ColumnValues::Numbers(_), FieldType::I64(_)) => vec![ColumnType::I64],
        (ColumnValues::Numbers(_), FieldType::U64(_)) => vec![ColumnType::U64],
        (ColumnValues::Numbers(_), _) => {
            vec![ColumnType::I64, ColumnType::U64, ColumnType::F64]
        }
        (ColumnValues::Pattern(_), _) => vec![ColumnType::Str],
    };
    BoundClause::ColumnRange {
        column: target.name.to_owned(),
        types,
        values,
    }
}

/// A clause over a column of strings: exactly this one.
pub(crate) fn string_column(target: &Target<'_>, text: &str) -> BoundClause {
    let bytes = Bound::Included(text.as_bytes().to_vec());
    column(target, ColumnValues::Bytes(bytes.clone(), bytes))
}

/// The term of a value of a field that is neither date nor JSON.
fn native_term(target: &Target<'_>, value: &FieldValue, path: &Path<'_>) -> Result<Term> {
    let field = target.field;
    let wrong = |expected: &str| wrong_value(target, value, expected, path);
    Ok(match target.entry.field_type() {
        FieldType::Bool(_) => {
            Term::from_field_bool(field, boolean(value).ok_or_else(|| wrong("true or false"))?)
        }
        FieldType::Bytes(_) => Term::from_field_bytes(
            field,
            &base64(target, value).ok_or_else(|| wrong("bytes in base64"))?,
        ),
        FieldType::F64(_) => {
            let number = Number::read(value)
                .ok_or_else(|| wrong("a number"))?
                .nearest_float();
            Term::from_field_f64(field, number)
        }
        FieldType::Facet(_) => Term::from_facet(
            field,
            &facet(value).ok_or_else(|| wrong("a facet like \"/a/b\""))?,
        ),
        FieldType::I64(_) => {
            let number = whole(value).and_then(|number| i64::try_from(number).ok());
            let number = number.ok_or_else(|| wrong("a whole number from -2^63 to 2^63 - 1"))?;
            Term::from_field_i64(field, number)
        }
        FieldType::IpAddr(_) => {
            Term::from_field_ip_addr(field, address(value).ok_or_else(|| wrong("an IP address"))?)
        }
        FieldType::U64(_) => {
            let number = whole(value).and_then(|number| u64::try_from(number).ok());
            Term::from_field_u64(
                field,
                number.ok_or_else(|| wrong("a whole number from 0 to 2^64 - 1"))?,
            )
        }
        FieldType::Str(_) => Term::from_field_text(field, &value.to_string()),
        FieldType::Date(_)
        | FieldType::JsonObject(_)
        | FieldType::TieBreaker
        | FieldType::Custom(_) => return Err(wrong("another type of field")),
    })
}

/// The clause over a column that says the same as a term does over the index.
fn native_column(target: &Target<'_>, term: &Term, path: &Path<'_>) -> Result<BoundClause> {
    let value = term.value();
    let values = if let Some(number) = value.as_u64() {
        ColumnValues::Numbers(NumberRange::only(Number::Integer(number.into())))
    } else if let Some(number) = value.as_i64() {
        ColumnValues::Numbers(NumberRange::only(Number::Integer(number.into())))
    } else if let Some(number) = value.as_f64() {
        ColumnValues::Numbers(NumberRange::only(Number::Float(number)))
    } else if let Some(value) = value.as_bool() {
        ColumnValues::Bools(value..=value)
    } else if let Some(address) = value.as_ip_addr() {
        ColumnValues::Addresses(address..=address)
    } else if value.as_str().is_some() || value.as_bytes().is_some() {
        let bytes = Bound::Included(term.serialized_value_bytes().to_vec());
        ColumnValues::Bytes(bytes.clone(), bytes)
    } else {
        return Err(target.not_searchable(path));
    };
    Ok(column(target, values))
}

/// A date matches the whole span that it leaves open, as in Elasticsearch, at the precision of
/// the index.
fn exact_date(
    target: &Target<'_>,
    value: &FieldValue,
    dates: &DateReader,
    path: &Path<'_>,
) -> Result<BoundClause> {
    let span = date_span(target, value, dates, path)?;
    let Some(nanos) = ranges::nanos(*span.start(), *span.end()) else {
        return Ok(BoundClause::Empty);
    };
    let precision = match target.entry.field_type() {
        FieldType::Date(options) if !target.is_indexed() => options.get_precision(),
        _ => DATE_TIME_PRECISION_INDEXED,
    };
    let first = DateTime::from_timestamp_nanos(*nanos.start()).truncate(precision);
    let last = DateTime::from_timestamp_nanos(*nanos.end()).truncate(precision);
    if target.is_indexed() && first == last {
        return Ok(term(Term::from_field_date_for_search(target.field, first)));
    }
    ranges::dates(target, first.into_timestamp_nanos()..=*nanos.end(), path)
}

/// On a JSON path a value is looked for as each type that it can be read as, as tantivy's own
/// parser does: what type a document used is not known.
fn exact_json(
    target: &Target<'_>,
    value: &FieldValue,
    path: &Path<'_>,
) -> Result<Vec<BoundClause>> {
    let text = value.to_string();
    if target.is_indexed() {
        let typed = json_typed_term(target, &text);
        let mut string = target.json_term();
        string.append_type_and_str(&text);
        return Ok(typed.into_iter().chain([string]).map(term).collect());
    }
    if !target.is_fast() {
        return Err(target.not_searchable(path));
    }
    let mut clauses = Vec::new();
    if let Some(number) = Number::read(value) {
        clauses.push(column(
            target,
            ColumnValues::Numbers(NumberRange::only(number)),
        ));
    } else if let Some(value) = boolean(value) {
        clauses.push(column(target, ColumnValues::Bools(value..=value)));
    } else if let Some(span) = json_date(value)
        && let Some(nanos) = ranges::nanos(*span.start(), *span.end())
    {
        clauses.push(column(target, ColumnValues::Dates(nanos)));
    }
    clauses.push(string_column(target, &text));
    Ok(clauses)
}

/// The term of the date, number or boolean that a text on a JSON path can be read as.
pub(crate) fn json_typed_term(target: &Target<'_>, text: &str) -> Option<Term> {
    if text.parse().is_ok_and(|number: f64| !number.is_finite()) {
        // `inf` and `nan` parse as numbers, but are never indexed as such.
        return None;
    }
    convert_to_fast_value_and_append_to_json_term(&target.json_term(), text, true)
}

/// The span of a date, for a field of dates.
pub(crate) fn date_span(
    target: &Target<'_>,
    value: &FieldValue,
    dates: &DateReader,
    path: &Path<'_>,
) -> Result<RangeInclusive<i128>> {
    dates
        .span(value)
        .ok_or_else(|| wrong_value(target, value, "a date", path))
}

/// The span of a date on a JSON path. A bare number is a number there.
pub(crate) fn json_date(value: &FieldValue) -> Option<RangeInclusive<i128>> {
    match value {
        FieldValue::Text(text) if text.contains('-') => optional_time(text),
        _ => None,
    }
}

/// The error that a value does not fit its field.
pub(crate) fn wrong_value(
    target: &Target<'_>,
    value: &FieldValue,
    expected: &str,
    path: &Path<'_>,
) -> crate::Error {
    let name = target.type_name();
    path.error(format_args!(
        "expected {expected} for {name}, got {}",
        value.to_value()
    ))
}

pub(crate) fn boolean(value: &FieldValue) -> Option<bool> {
    match value {
        FieldValue::Bool(value) => Some(*value),
        FieldValue::Text(text) => text.parse().ok(),
        _ => None,
    }
}

pub(crate) fn address(value: &FieldValue) -> Option<Ipv6Addr> {
    match value {
        FieldValue::Text(text) => text.parse().ok().map(IpAddr::into_ipv6_addr),
        _ => None,
    }
}

/// Bytes are written in base64, standard alphabet with padding, as tantivy's JSON has them.
pub(crate) fn base64(target: &Target<'_>, value: &FieldValue) -> Option<Vec<u8>> {
    let FieldValue::Text(text) = value else {
        return None;
    };
    let json = serde_json::Value::String(text.clone());
    match target.entry.field_type().value_from_json(json) {
        Ok(OwnedValue::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

fn facet(value: &FieldValue) -> Option<Facet> {
    match value {
        FieldValue::Text(text) => Facet::from_text(text).ok(),
        _ => None,
    }
}

fn whole(value: &FieldValue) -> Option<i128> {
    Number::read(value).and_then(Number::integer)
}
