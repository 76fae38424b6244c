//! The values within a stored value, by path.

use serde_json::Value;

/// Adds the scalars within `value` and their paths, spelled as in a request: keys parted by dots;
/// dots within a key are escaped unless the field `expands` them. Nulls are no values.
pub(super) fn collect_leaves(
    value: Value,
    path: &str,
    expands: bool,
    leaves: &mut Vec<(String, Value)>,
) {
    match value {
        Value::Null => {}
        Value::Array(values) => {
            for value in values {
                collect_leaves(value, path, expands, leaves);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let key = match expands {
                    true => key,
                    false => key.replace('.', "\\."),
                };
                let path = match path {
                    "" => key,
                    path => format!("{path}.{key}"),
                };
                collect_leaves(value, &path, expands, leaves);
            }
        }
        scalar => leaves.push((path.to_owned(), scalar)),
    }
}
