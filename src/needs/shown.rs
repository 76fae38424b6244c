//! Values of an index as a person would write them down.

use std::fmt::{Debug, Display};
use std::ops::{Bound, RangeInclusive};

use tantivy::DateTime;
use tantivy::schema::{Field, Schema, Type, ValueBytes};

use crate::filter::{ColumnValues, Number, after_prefix};

/// How many characters of one value are shown.
const MAX_CHARS: usize = 60;

/// What the bytes of a dictionary mean: terms, or bounds between them.
pub(super) struct Shown<'b> {
    /// The field, or the path in it.
    pub(super) place: String,
    /// Of a path in a JSON field, nothing where the bytes do not say.
    typ: Option<Type>,
    value: &'b [u8],
}

impl<'b> Shown<'b> {
    /// Reads bytes as [`tantivy::Term::serialized_value_bytes`] writes them.
    pub(super) fn new(field: Field, bytes: &'b [u8], schema: &Schema) -> Self {
        let entry = schema.get_field_entry(field);
        let name = entry.name();
        if !entry.field_type().is_json() {
            return Self {
                place: name.to_owned(),
                typ: Some(entry.field_type().value_type()),
                value: bytes,
            };
        }
        // The path, a NUL, the code of a type, the value.
        let end = bytes.iter().position(|byte| *byte == 0);
        let (path, typed) = bytes.split_at(end.unwrap_or(bytes.len()));
        let keys: Vec<String> = path
            .split(|byte| *byte == 1)
            .map(|key| String::from_utf8_lossy(key).replace('.', "\\."))
            .collect();
        let typed = typed.get(1..).unwrap_or_default();
        let typ = typed.first().and_then(|code| Type::from_code(*code));
        Self {
            place: cut(&format!("{name}.{}", keys.join("."))),
            typ,
            value: typed.get(1..).unwrap_or_default(),
        }
    }

    /// The value; bytes that are none of the type are escaped.
    pub(super) fn value(&self) -> String {
        let escaped = || self.value.escape_ascii().to_string();
        let Some(typ) = self.typ else {
            return cut(&escaped());
        };
        let mut bytes = vec![typ.to_code()];
        bytes.extend(self.value);
        let value = ValueBytes::wrap(bytes);
        let shown = match typ {
            Type::Str => value.as_str().map(|value| format!("{value:?}")),
            Type::U64 => value.as_u64().map(|value| value.to_string()),
            Type::I64 => value.as_i64().map(|value| value.to_string()),
            Type::F64 => value.as_f64().map(|value| format!("{value:?}")),
            Type::Bool => value.as_bool().map(|value| value.to_string()),
            Type::Date => value.as_date().map(|value| format!("{value:?}")),
            Type::Facet => value.as_facet().map(|value| value.to_string()),
            Type::IpAddr => value.as_ip_addr().map(|it| it.to_canonical().to_string()),
            Type::Bytes | Type::Json | Type::Custom => None,
        };
        cut(&shown.unwrap_or_else(escaped))
    }
}

/// The terms of a field between two bounds.
pub(super) fn term_range(
    field: Field,
    lower: &Bound<Vec<u8>>,
    upper: &Bound<Vec<u8>>,
    schema: &Schema,
) -> String {
    let shown = |bytes| Shown::new(field, bytes, schema);
    let (Bound::Included(least) | Bound::Excluded(least)) = lower else {
        let name = schema.get_field_name(field);
        return format!("{name}: {}", terms_between(Bound::Unbounded, upper, shown));
    };
    let first = shown(least);
    let place = &first.place;
    if matches!(lower, Bound::Included(_)) && *upper == after_prefix(least) {
        // Everything that begins so.
        return match (first.typ, first.value.is_empty()) {
            (None, _) => format!("{place}: any value"),
            (Some(typ), true) => format!("{place}: any {}", name_of(typ)),
            (Some(_), false) => format!("{place}: prefix {}", first.value()),
        };
    }
    // The bounds of one type of a JSON path.
    let typed = least.len() - first.value.len();
    let open = typed > 0 && *upper == after_prefix(&least[..typed]);
    let upper = if open { &Bound::Unbounded } else { upper };
    let is_open = typed > 0 && first.value.is_empty() && first.typ.is_some();
    let lower = if is_open {
        Bound::Unbounded
    } else {
        lower.as_ref().map(Vec::as_slice)
    };
    format!("{place}: {}", terms_between(lower, upper, shown))
}

fn terms_between<'b>(
    lower: Bound<&'b [u8]>,
    upper: &'b Bound<Vec<u8>>,
    shown: impl Fn(&'b [u8]) -> Shown<'b>,
) -> String {
    let upper = upper.as_ref().map(Vec::as_slice);
    // Bounds that every value of the type is within say nothing.
    let says = |bytes: &'b [u8], extreme: u8| {
        let shown = shown(bytes);
        let is_extreme = match shown.typ {
            None | Some(Type::Bytes | Type::Facet | Type::Json | Type::Str) => false,
            Some(Type::F64) => shown.value().ends_with("inf"),
            Some(_) => shown.value.iter().all(|byte| *byte == extreme),
        };
        (!is_extreme).then(|| shown.value())
    };
    between(
        told(lower, |bytes| says(bytes, 0)),
        told(upper, |bytes| says(bytes, 0xff)),
    )
}

/// A bound as it is told, if it is.
fn told<T>(bound: Bound<T>, tell: impl Fn(T) -> Option<String>) -> Bound<String> {
    match bound {
        Bound::Included(value) => tell(value).map_or(Bound::Unbounded, Bound::Included),
        Bound::Excluded(value) => tell(value).map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// Which values of a column are looked for.
pub(super) fn column_values(values: &ColumnValues) -> String {
    fn inclusive<T: PartialEq>(
        range: &RangeInclusive<T>,
        whole: RangeInclusive<T>,
        shown: impl Fn(&T) -> String,
    ) -> String {
        let lower = (range.start() != whole.start()).then(|| shown(range.start()));
        let upper = (range.end() != whole.end()).then(|| shown(range.end()));
        between(
            lower.map_or(Bound::Unbounded, Bound::Included),
            upper.map_or(Bound::Unbounded, Bound::Included),
        )
    }
    match values {
        ColumnValues::Addresses(range) => {
            let whole = 0_u128.into()..=u128::MAX.into();
            inclusive(range, whole, |it| it.to_canonical().to_string())
        }
        ColumnValues::Bools(range) => inclusive(range, false..=true, bool::to_string),
        ColumnValues::Bytes(lower, upper) => match lower {
            Bound::Included(least) if !least.is_empty() && *upper == after_prefix(least) => {
                format!("prefix {}", bytes(least))
            }
            _ => between(
                lower.as_ref().map(|it| bytes(it)),
                upper.as_ref().map(|it| bytes(it)),
            ),
        },
        ColumnValues::Dates(range) => inclusive(range, i64::MIN..=i64::MAX, |nanos| {
            format!("{:?}", DateTime::from_timestamp_nanos(*nanos))
        }),
        ColumnValues::Numbers(range) => between(range.lower.map(number), range.upper.map(number)),
        ColumnValues::Pattern(automaton) => cut(automaton.shown()),
    }
}

fn number(number: Number) -> String {
    match number {
        Number::Float(value) => format!("{value:?}"),
        Number::Integer(value) => value.to_string(),
    }
}

/// Bytes of a column, which are a text if they can be one.
fn bytes(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).map(|text| format!("{text:?}"));
    cut(&text.unwrap_or_else(|_| bytes.escape_ascii().to_string()))
}

/// What lies between two bounds.
fn between<T: Display + PartialEq>(lower: Bound<T>, upper: Bound<T>) -> String {
    if let (Bound::Included(lower), Bound::Included(upper)) = (&lower, &upper)
        && lower == upper
    {
        return lower.to_string();
    }
    let lower = match lower {
        Bound::Included(value) => Some(format!(">= {value}")),
        Bound::Excluded(value) => Some(format!("> {value}")),
        Bound::Unbounded => None,
    };
    let upper = match upper {
        Bound::Included(value) => Some(format!("<= {value}")),
        Bound::Excluded(value) => Some(format!("< {value}")),
        Bound::Unbounded => None,
    };
    match (lower, upper) {
        (Some(lower), Some(upper)) => format!("{lower} and {upper}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "any value".to_owned(),
    }
}

fn name_of(typ: Type) -> &'static str {
    match typ {
        Type::Str => "text",
        Type::U64 | Type::I64 | Type::F64 => "number",
        Type::Bool => "bool",
        Type::Date => "date",
        Type::Facet => "facet",
        Type::IpAddr => "address",
        Type::Bytes | Type::Json | Type::Custom => "value",
    }
}

/// A text, not too long to be shown.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a value of the caller says of itself, not too long to be shown.
pub(super) fn debug(value: &impl Debug) -> String {
    cut(&format!("{value:?}"))
}
