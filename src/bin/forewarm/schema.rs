//! Reading a schema in tantivy's own JSON form.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use tantivy::schema::{FieldEntry, Schema, is_valid_field_name};

/// Parses a schema: a list of fields, or an object that has one as its `schema` (a `meta.json`).
///
/// # Errors
///
/// One line that says what is wrong. tantivy itself panics on a field that comes twice, so names
/// are looked at before tantivy sees them.
pub(crate) fn parse(json: &str) -> Result<Schema, String> {
    let mut value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if let Some(inner) = value.get_mut("schema") {
        value = inner.take();
    }
    let fields = value.as_array().ok_or("a schema is a list of fields")?;
    if fields.is_empty() {
        return Err("a schema needs a field".to_owned());
    }
    let mut seen = HashSet::new();
    for (position, field) in fields.iter().enumerate() {
        let name = field.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| format!("field {} has no name", position + 1))?;
        if !is_valid_field_name(name) {
            return Err(format!("`{name}` cannot be the name of a field"));
        }
        if !seen.insert(name) {
            return Err(format!("field `{name}` comes twice"));
        }
        // One by one, to say which field is wrong.
        FieldEntry::deserialize(field).map_err(|error| format!("field `{name}`: {error}"))?;
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE: &str = r#"{"name": "title", "type": "text", "options": {"stored": true}}"#;

    #[test]
    fn a_list_of_fields_and_a_meta_json_are_schemas() {
        assert_eq!(parse(&format!("[{TITLE}]")).unwrap().num_fields(), 1);
        assert_eq!(
            parse(&format!("{{\"schema\": [{TITLE}]}}"))
                .unwrap()
                .num_fields(),
            1
        );
    }

    #[test]
    fn a_schema_that_tantivy_would_panic_on_is_an_error() {
        assert_eq!(
            parse(&format!("[{TITLE},{TITLE}]")),
            Err("field `title` comes twice".into())
        );
        assert!(parse(r#"[{"name": "-x", "type": "text", "options": {}}]"#).is_err());
        let unknown = parse(r#"[{"name": "x", "type": "prose", "options": {}}]"#).unwrap_err();
        assert!(unknown.starts_with("field `x`: "), "{unknown}");
        assert!(parse(r#"[{"type": "text"}]"#).is_err());
        assert!(parse("{}").is_err());
        assert!(parse("[]").is_err());
        assert!(parse("[").is_err());
    }
}
