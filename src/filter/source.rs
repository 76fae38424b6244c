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

/// One pattern or a list of them.
fn patterns(value: &Value, path: &Path<'_>) -> Result<Vec<String>> {
    match value {
        Value::String(pattern) => Ok(vec![pattern.clone()]),
        value => strings(value, path),
    }
}
