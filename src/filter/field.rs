//! The field that a clause names, in a schema.

use tantivy::Term;
use tantivy::schema::{Field, FieldEntry, FieldType, Schema};

use crate::error::Result;
use crate::filter::path::Path;

/// The longest name, in bytes: tantivy tries every dot as the end of a field.
const MAX_NAME: usize = 4_096;

/// A field, or a path within a JSON field.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// As the user spells it; columns are found by it.
    pub(crate) name: &'a str,
    pub(crate) field: Field,
    pub(crate) entry: &'a FieldEntry,
    /// Empty for the field itself.
    pub(crate) json_path: &'a str,
}

impl<'a> Target<'a> {
    /// Finds a field by its name, or by the longest name that a JSON path begins with. A dot
    /// within a JSON key is written `\.`.
    pub(crate) fn resolve(schema: &'a Schema, name: &'a str, path: &Path<'_>) -> Result<Self> {
        if name.len() > MAX_NAME {
            return Err(path.error(format_args!(
                "the name of a field has {} bytes, more than the {MAX_NAME} allowed",
                name.len()
            )));
        }
        let Some((field, json_path)) = schema.find_field(name) else {
            return Err(path.error(format_args!("unknown field {name:?}")));
        };
        let entry = schema.get_field_entry(field);
        let target = Self {
            name,
            field,
            entry,
            json_path,
        };
        if !json_path.is_empty() && !entry.field_type().is_json() {
            return Err(path.error(format_args!(
                "unknown field {name:?}: {:?} is {}, which has no paths",
                entry.name(),
                target.type_name()
            )));
        }
        if json_path.contains('\0') {
            // It ends a path in the index, where no key contains it.
            return Err(path.error(format_args!("the path {name:?} contains a NUL")));
        }
        Ok(target)
    }

    /// As [`resolve`](Self::resolve), for a clause that compares values: a JSON field is not
    /// one, its paths are.
    pub(crate) fn resolve_value(
        schema: &'a Schema,
        name: &'a str,
        path: &Path<'_>,
    ) -> Result<Self> {
        let target = Self::resolve(schema, name, path)?;
        match target.entry.field_type() {
            FieldType::JsonObject(_) if target.json_path.is_empty() => Err(path.error(
                format_args!("{name:?} is a JSON field: name a path in it, like \"{name}.key\""),
            )),
            FieldType::Custom(_) | FieldType::TieBreaker => Err(path.error(format_args!(
                "{name:?} is {}, which cannot be searched",
                target.type_name()
            ))),
            _ => Ok(target),
        }
    }

    /// What the field holds, with its article.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.entry.field_type() {
            FieldType::Bool(_) => "a bool field",
            FieldType::Bytes(_) => "a bytes field",
            FieldType::Custom(_) => "a custom field",
            FieldType::Date(_) => "a date field",
            FieldType::F64(_) => "an f64 field",
            FieldType::Facet(_) => "a facet field",
            FieldType::I64(_) => "an i64 field",
            FieldType::IpAddr(_) => "an IP address field",
            FieldType::JsonObject(_) => "a JSON field",
            FieldType::Str(_) => "a text field",
            FieldType::TieBreaker => "a tie-breaker field",
            FieldType::U64(_) => "a u64 field",
        }
    }

    pub(crate) fn is_fast(&self) -> bool {
        self.entry.is_fast()
    }

    pub(crate) fn is_indexed(&self) -> bool {
        self.entry.is_indexed()
    }

    /// The error that the field can answer nothing.
    pub(crate) fn not_searchable(&self, path: &Path<'_>) -> crate::Error {
        path.error(format_args!(
            "{:?} is neither indexed nor fast",
            self.entry.name()
        ))
    }

    /// The beginning of the terms of a JSON path: what follows is the type and the value.
    pub(crate) fn json_term(&self) -> Term {
        let expand_dots = self.entry.is_expand_dots_enabled();
        Term::from_field_json_path(self.field, self.json_path, expand_dots)
    }

    /// The term of a word of text.
    pub(crate) fn text_term(&self, word: &str) -> Term {
        if !self.entry.field_type().is_json() {
            return Term::from_field_text(self.field, word);
        }
        let mut term = self.json_term();
        term.append_type_and_str(word);
        term
    }
}
