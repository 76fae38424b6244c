//! Which columns a hit brings: `fields` and `docvalue_fields` of a `_search` body.

use serde_json::{Value, json};
use tantivy::schema::{FieldType, Schema};

use crate::error::Result;
use crate::filter::field::Target;
use crate::filter::json::{check_keys, kind_of, object, string};
use crate::filter::path::Path;

/// How many may be asked for; Elasticsearch's `index.max_docvalue_fields_search`.
const MAX_FIELDS: usize = 100;

/// Fields whose values a hit brings as lists: from their columns, or where they are not fast, from
/// what is stored.
///
/// The shape is that of an entry of `fields` or, for columns alone, `docvalue_fields` (page
/// *Retrieve selected fields from a search*, `search-fields`): a name, in which `*` stands for any
/// characters, or an object with `field` and `format`.
///
/// ```
/// use forewarm::{Clause, DateStyle, FetchField, SearchRequest};
///
/// let request = SearchRequest::new(Clause::match_all()).fields([
///     FetchField::new("repo.*"),
///     FetchField::new("created_at").style(DateStyle::EpochMillis),
/// ]);
/// assert_eq!(request.fetched_fields().len(), 2);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FetchField {
    /// A name, or a pattern in which `*` stands for any characters: then fields without values to
    /// bring are passed over.
    pub pattern: String,
    /// Whether what is stored is brought of fields that are not fast. Default true.
    pub or_stored: bool,
    /// How dates are written; nothing says the usual way, and may stand beside other types.
    pub style: Option<DateStyle>,
}

/// How dates are written.
///
/// ```
/// assert_eq!(forewarm::DateStyle::default(), forewarm::DateStyle::OptionalTime);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum DateStyle {
    /// Milliseconds since 1970, as a string (`epoch_millis`).
    EpochMillis,
    /// Like `2024-01-30T12:00:00.000Z` (`strict_date_optional_time`): the default.
    #[default]
    OptionalTime,
}

impl FetchField {
    /// The field of a name, or the fields that match a pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            or_stored: true,
            style: None,
        }
    }

    /// Sets how dates are written.
    #[must_use]
    pub fn style(mut self, style: DateStyle) -> Self {
        self.style = Some(style);
        self
    }

    /// Only from a column (`docvalue_fields`): the document is not read.
    #[must_use]
    pub fn from_column(mut self) -> Self {
        self.or_stored = false;
        self
    }

    /// Whether it may be several fields.
    pub(crate) fn is_pattern(&self) -> bool {
        self.pattern.contains('*')
    }

    fn from_value(value: &Value, path: &Path<'_>) -> Result<Self> {
        match value {
            Value::String(pattern) => Ok(Self::new(pattern.as_str())),
            Value::Object(_) => {
                let map = object(value, path)?;
                check_keys(map, &["field", "format"], "parameter", path)?;
                let Some(field) = map.get("field") else {
                    return Err(path.error("the parameter \"field\" is missing"));
                };
                let field = Self::new(string(field, &path.key("field"))?);
                match map.get("format") {
                    None => Ok(field),
                    Some(format) => Ok(field.style(style(format, &path.key("format"))?)),
                }
            }
            other => {
                let kind = kind_of(other);
                Err(path.error(format_args!("expected a field or an object, got {kind}")))
            }
        }
    }

    fn to_value(&self) -> Value {
        match self.style {
            None => json!(self.pattern),
            Some(style) => {
                let format = match style {
                    DateStyle::EpochMillis => "epoch_millis",
                    DateStyle::OptionalTime => "strict_date_optional_time",
                };
                json!({"field": self.pattern, "format": format})
            }
        }
    }

    fn check(&self, schema: &Schema, path: &Path<'_>) -> Result<()> {
        if self.is_pattern() {
            return Ok(());
        }
        let target = Target::resolve_value(schema, &self.pattern, path)?;
        if !target.is_fast() && !self.or_stored {
            return Err(path.error(format_args!(
                "{:?} is not fast, so it has no column: make it fast, or name it in \"fields\"",
                target.entry.name()
            )));
        }
        if !target.is_fast() && !target.entry.is_stored() {
            return Err(path.error(format_args!(
                "{:?} is neither fast nor stored",
                target.entry.name()
            )));
        }
        let may_hold_dates = matches!(
            target.entry.field_type(),
            FieldType::Date(_) | FieldType::JsonObject(_)
        );
        if self.style.is_some() && !may_hold_dates {
            let path = path.key("format");
            return Err(path.error(format_args!("{} has no date format", target.type_name())));
        }
        Ok(())
    }
}

impl From<&str> for FetchField {
    fn from(pattern: &str) -> Self {
        Self::new(pattern)
    }
}

impl From<String> for FetchField {
    fn from(pattern: String) -> Self {
        Self::new(pattern)
    }
}

fn style(value: &Value, path: &Path<'_>) -> Result<DateStyle> {
    match string(value, path)? {
        "epoch_millis" => Ok(DateStyle::EpochMillis),
        "date_optional_time" | "strict_date_optional_time" => Ok(DateStyle::OptionalTime),
        other => Err(path.error(format_args!(
            "unknown format {other:?} (known: date_optional_time, epoch_millis, \
             strict_date_optional_time)"
        ))),
    }
}

/// Reads a list of fields.
pub(crate) fn from_value(value: &Value, path: &Path<'_>) -> Result<Vec<FetchField>> {
    let Value::Array(values) = value else {
        let kind = kind_of(value);
        return Err(path.error(format_args!("expected an array, got {kind}")));
    };
    if values.len() > MAX_FIELDS {
        let count = values.len();
        return Err(path.error(format_args!("{count} fields, more than {MAX_FIELDS}")));
    }
    let values = values.iter().enumerate();
    values
        .map(|(index, value)| FetchField::from_value(value, &path.index(index)))
        .collect()
}

/// Writes the entries of `fields`, or of `docvalue_fields`.
pub(crate) fn to_value(fields: &[FetchField], or_stored: bool) -> Value {
    let fields = fields.iter().filter(|field| field.or_stored == or_stored);
    fields.map(FetchField::to_value).collect()
}

/// Checks fields against a schema.
///
/// # Errors
///
/// A field is unknown or not fast, or a date format is given for what is no date.
pub(crate) fn check(fields: &[FetchField], schema: &Schema) -> Result<()> {
    let root = Path::root("fields");
    if fields.len() > MAX_FIELDS {
        let count = fields.len();
        return Err(root.error(format_args!("{count} fields, more than {MAX_FIELDS}")));
    }
    let fields = fields.iter().enumerate();
    { fields }.try_for_each(|(index, field)| field.check(schema, &root.index(index)))
}
