//! Which stored fields a hit brings: `_source` of a `_search` body.

use serde_json::{Value, json};

use crate::error::Result;
use crate::filter::json::{check_keys, kind_of};
use crate::filter::parse::strings;
use crate::filter::path::Path;

/// Which stored fields a hit brings. Patterns are names in which `*` stands for any characters.
///
/// ```
/// use forewarm::SourceFilter;
///
/// let filter = SourceFilter::Fields {
///     includes: vec!["repo.*".into()],
///     excludes: vec!["repo.url".into()],
/// };
/// assert_ne!(filter, SourceFilter::All);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum SourceFilter {
    /// All of them: the default.
    #[default]
    All,
    /// Those that match an include, or any if there are none, and no exclude.
    Fields {
        /// Patterns of what is brought.
        includes: Vec<String>,
        /// Patterns of what is left out.
        excludes: Vec<String>,
    },
    /// None of them: the document store is not read.
    None,
}

impl SourceFilter {
    /// What of a stored field is brought: all of it, some paths of an object, or nothing.
    pub(crate) fn apply(&self, name: &str, value: Value) -> Option<Value> {
        match self {
            Self::All => Some(value),
            Self::Fields { includes, excludes } => pruned(name, value, includes, excludes, false),
            Self::None => None,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::All => json!(true),
            Self::Fields { includes, excludes } => {
                json!({"includes": includes, "excludes": excludes})
            }
            Self::None => json!(false),
        }
    }

    pub(crate) fn from_value(value: &Value, path: &Path<'_>) -> Result<Self> {
        match value {
            Value::Bool(true) => Ok(Self::All),
            Value::Bool(false) => Ok(Self::None),
            Value::String(_) | Value::Array(_) => Ok(Self::Fields {
                includes: patterns(value, path)?,
                excludes: Vec::new(),
            }),
            Value::Object(map) => {
                check_keys(map, &["excludes", "includes"], "parameter", path)?;
                let list = |key| match map.get(key) {
                    None => Ok(Vec::new()),
                    Some(value) => patterns(value, &path.key(key)),
                };
                Ok(Self::Fields {
                    includes: list("includes")?,
                    excludes: list("excludes")?,
                })
            }
            other => Err(path.error(format_args!(
                "expected a boolean, a pattern, an array or an object, got {}",
                kind_of(other)
            ))),
        }
    }
}

/// Prunes the value at a dotted path. `included` tells that a path above it was included.
fn pruned(
    path: &str,
    value: Value,
    includes: &[String],
    excludes: &[String],
    included: bool,
) -> Option<Value> {
    if excludes.iter().any(|pattern| wildcard_match(pattern, path)) {
        return None;
    }
    let included = included
        || includes.is_empty()
        || includes.iter().any(|pattern| wildcard_match(pattern, path));
    match value {
        Value::Object(map) if !map.is_empty() => {
            let kept: serde_json::Map<String, Value> = map
                .into_iter()
                .filter_map(|(key, value)| {
                    let path = format!("{path}.{key}");
                    pruned(&path, value, includes, excludes, included).map(|value| (key, value))
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(values) if values.iter().any(Value::is_object) => {
            let kept: Vec<Value> = values
                .into_iter()
                .filter_map(|value| pruned(path, value, includes, excludes, included))
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        value => included.then_some(value),
    }
}

/// Whether `pattern`, in which `*` stands for any characters, matches all of `text`.
///
/// Greedy with one point to go back to, so its time is at most the product of the two lengths.
pub(crate) fn wildcard_match(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut star, mut resume) = (0, None, 0);
    let mut index = 0;
    while index < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some(at);
                resume = index;
                at += 1;
            }
            Some(byte) if *byte == text[index] => {
                at += 1;
                index += 1;
            }
            _ => match star {
                Some(star) => {
                    at = star + 1;
                    resume += 1;
                    index = resume;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// One pattern or a list of them.
fn patterns(value: &Value, path: &Path<'_>) -> Result<Vec<String>> {
    match value {
        Value::String(pattern) => Ok(vec![pattern.clone()]),
        value => strings(value, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(includes: &[&str], excludes: &[&str]) -> SourceFilter {
        let owned = |list: &[&str]| list.iter().map(|&pattern| pattern.to_owned()).collect();
        SourceFilter::Fields {
            includes: owned(includes),
            excludes: owned(excludes),
        }
    }

    #[test]
    fn includes_and_excludes_choose_paths_inside_objects() {
        let repo = json!({"name": "a/b", "url": "u", "owner": {"login": "x", "id": 1}});
        let keep = |filter: &SourceFilter| filter.apply("repo", repo.clone());
        assert_eq!(keep(&SourceFilter::All), Some(repo.clone()));
        assert_eq!(keep(&SourceFilter::None), None);
        assert_eq!(
            keep(&fields(&["repo.name"], &[])),
            Some(json!({"name": "a/b"}))
        );
        assert_eq!(
            keep(&fields(&["repo"], &["*.owner"])),
            Some(json!({"name": "a/b", "url": "u"}))
        );
        assert_eq!(keep(&fields(&["actor*"], &[])), None);
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*c", "acb", false),
            ("", "a", false),
            ("***a", "bba", true),
        ] {
            assert_eq!(wildcard_match(pattern, text), matches, "{pattern} {text}");
        }
    }
}
