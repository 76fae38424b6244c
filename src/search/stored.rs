//! Values of stored fields that are not fast, as hits bring them beside those of columns.

use serde_json::{Map, Value};
use tantivy::schema::document::Document;
use tantivy::schema::{FieldType, NamedFieldDocument, Schema, TantivyDocument};

use super::columns::write_date;
use super::leaves::collect_leaves;
use crate::filter::{FetchField, SortValue, wildcard_match};

/// Fields that are brought from the stored document.
pub(super) struct StoredFields {
    fields: Vec<FetchField>,
}

impl StoredFields {
    /// Those of `fields` that are, or may be, stored in an index of `schema` and not fast.
    pub(super) fn new(fields: &[FetchField], schema: &Schema) -> Self {
        let stored = |field: &&FetchField| {
            field.or_stored
                && schema.fields().any(|(_, entry)| {
                    let name = entry.name();
                    let may_match = match entry.field_type() {
                        FieldType::JsonObject(_) => field.may_be_below(name),
                        _ => field.matches(name),
                    };
                    entry.is_stored() && !entry.is_fast() && may_match
                })
        };
        Self {
            fields: fields.iter().filter(stored).cloned().collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds the values of a document to those of its columns.
    pub(super) fn add(
        &self,
        document: &TantivyDocument,
        schema: &Schema,
        found: &mut Map<String, Value>,
    ) {
        let NamedFieldDocument(named) = document.to_named_doc(schema);
        for (name, values) in named {
            let Ok(field) = schema.get_field(&name) else {
                continue;
            };
            let entry = schema.get_field_entry(field);
            if entry.is_fast() {
                continue;
            }
            let is_date = matches!(entry.field_type(), FieldType::Date(_));
            let mut leaves = Vec::new();
            let expands = entry.is_expand_dots_enabled();
            let values = serde_json::to_value(values).unwrap_or_default();
            collect_leaves(values, &name, expands, &mut leaves);
            for (path, value) in leaves {
                let Some(field) = self.fields.iter().find(|field| field.matches(&path)) else {
                    continue;
                };
                let value = match value.as_str().filter(|_| is_date) {
                    Some(text) => match SortValue::Str(text.to_owned()).date() {
                        Some(SortValue::Date(date)) => {
                            write_date(date, field.style.unwrap_or_default())
                        }
                        _ => value,
                    },
                    None => value,
                };
                if let Value::Array(values) = found
                    .entry(path)
                    .or_insert_with(|| Value::Array(Vec::new()))
                {
                    values.push(value);
                }
            }
        }
    }
}

impl FetchField {
    fn matches(&self, path: &str) -> bool {
        if self.is_pattern() {
            wildcard_match(&self.pattern, path)
        } else {
            self.pattern == path
        }
    }

    /// Whether a path in a JSON field may match.
    fn may_be_below(&self, field: &str) -> bool {
        match self.pattern.split_once('*') {
            // What stands before the first star must agree as far as both reach.
            Some((start, _)) => {
                let below = format!("{field}.");
                start.starts_with(&below) || below.starts_with(start)
            }
            None => self.pattern.starts_with(&format!("{field}.")),
        }
    }
}
