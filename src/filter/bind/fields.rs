//! The fields that a text is searched in.

use tantivy::schema::{FieldEntry, FieldType};

use super::Binder;
use crate::error::Result;
use crate::filter::field::Target;
use crate::filter::parse::{check_boost, check_size};
use crate::filter::path::Path;
use crate::filter::source::wildcard_match;

/// A field that a text is searched in.
#[derive(Clone, Debug)]
pub(crate) struct SearchedField {
    /// As the user spells it: a field, or a JSON path.
    pub(crate) name: String,
    /// Factor of its scores.
    pub(crate) boost: f32,
    /// Whether nobody named it: that it cannot hold the text is no error then.
    pub(crate) found: bool,
}

impl Binder<'_> {
    /// The fields asked for, each once, or else every indexed text field. `path` is where they
    /// are listed.
    pub(crate) fn searched_fields(
        &mut self,
        fields: &[String],
        path: &Path<'_>,
    ) -> Result<Vec<SearchedField>> {
        let mut searched = Vec::new();
        if fields.is_empty() {
            let is_text = |entry: &FieldEntry| {
                entry.is_indexed() && matches!(entry.field_type(), FieldType::Str(_))
            };
            searched.extend(self.matching_fields(is_text, 1.0));
        }
        for (index, field) in fields.iter().enumerate() {
            let path = &path.index(index);
            let (name, boost) = split_boost(field, path)?;
            if !name.contains('*') || self.schema.get_field(name).is_ok() {
                Target::resolve_value(&self.schema, name, path)?;
                searched.push(SearchedField {
                    name: name.to_owned(),
                    boost,
                    found: false,
                });
                continue;
            }
            let before = searched.len();
            searched
                .extend(self.matching_fields(|entry| wildcard_match(name, entry.name()), boost));
            if searched.len() == before {
                return Err(self.no_field_matches(name, path));
            }
        }
        let fields = unique(searched);
        for field in &fields {
            // Each is searched by a clause of its own.
            check_size(0, &mut self.clauses, path)?;
            check_boost(field.boost, path)?;
        }
        Ok(fields)
    }

    /// The fields that can be searched without a path, and that pass a test.
    fn matching_fields(
        &self,
        test: impl Fn(&FieldEntry) -> bool,
        boost: f32,
    ) -> Vec<SearchedField> {
        let fields = self.schema.fields().map(|(_, entry)| entry);
        let searchable = fields.filter(|entry| {
            let has_values = !matches!(
                entry.field_type(),
                FieldType::JsonObject(_) | FieldType::Custom(_) | FieldType::TieBreaker
            );
            has_values && (entry.is_indexed() || entry.is_fast()) && test(entry)
        });
        searchable
            .map(|entry| SearchedField {
                name: entry.name().to_owned(),
                boost,
                found: true,
            })
            .collect()
    }

    fn no_field_matches(&self, pattern: &str, path: &Path<'_>) -> crate::Error {
        match self.schema.find_field(pattern) {
            Some((field, json_path))
                if !json_path.is_empty()
                    && self.schema.get_field_entry(field).field_type().is_json() =>
            {
                path.error(format_args!(
                    "the schema does not know the paths of the JSON field {:?}, so {pattern:?} \
                     finds none: name them",
                    self.schema.get_field_name(field)
                ))
            }
            _ => path.error(format_args!(
                "no field that can be searched matches {pattern:?}"
            )),
        }
    }
}

/// A field that stands several times is searched once, with the product of its factors.
fn unique(fields: Vec<SearchedField>) -> Vec<SearchedField> {
    let mut at = std::collections::HashMap::new();
    let mut unique: Vec<SearchedField> = Vec::new();
    for field in fields {
        match at.get(&field.name) {
            Some(&index) => {
                let known: &mut SearchedField = &mut unique[index];
                known.boost *= field.boost;
                known.found &= field.found;
            }
            None => {
                at.insert(field.name.clone(), unique.len());
                unique.push(field);
            }
        }
    }
    unique
}

/// The name and the factor of `title^3`.
fn split_boost<'f>(field: &'f str, path: &Path<'_>) -> Result<(&'f str, f32)> {
    match field.rsplit_once('^') {
        None => Ok((field, 1.0)),
        Some((name, boost)) => match boost.parse::<f32>() {
            Ok(boost) if boost.is_finite() && boost >= 0.0 => Ok((name, boost)),
            _ => Err(path.error(format_args!("cannot read the boost of {field:?}"))),
        },
    }
}
