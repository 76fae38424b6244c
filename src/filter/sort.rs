//! The order of hits: `sort` of a `_search` body.

use serde_json::{Value, json};

use crate::error::Result;
use crate::filter::json::{check_keys, kind_of, object, string};
use crate::filter::path::Path;

/// How many keys a sort may have: they are compared for every match, so they live on the stack.
const MAX_KEYS: usize = 4;

/// One key of the order of hits; later keys break ties of earlier ones.
///
/// ```
/// use forewarm::{Clause, SearchRequest, Sort};
///
/// let request = SearchRequest::new(Clause::match_all())
///     .sort([Sort::by("created_at").descending(), Sort::score()]);
/// assert_eq!(request.sorts().len(), 2);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sort {
    /// What is compared.
    pub key: SortKey,
    /// In which direction.
    pub order: SortOrder,
    /// Where documents without a value stand.
    pub missing: Missing,
}

/// What hits are compared by.
///
/// ```
/// assert_eq!(forewarm::Sort::score().key, forewarm::SortKey::Score);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SortKey {
    /// Their order in the index (`_doc`): the cheapest.
    Doc,
    /// A fast field.
    Field(String),
    /// Their score (`_score`).
    Score,
}

/// The direction of a sort.
///
/// ```
/// assert_eq!(forewarm::Sort::by("price").order, forewarm::SortOrder::Ascending);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SortOrder {
    /// Least first (`asc`): the default, but for scores.
    Ascending,
    /// Greatest first (`desc`): the default of scores.
    Descending,
}

/// Where documents without a value stand.
///
/// ```
/// assert_eq!(forewarm::Sort::by("price").missing, forewarm::Missing::Last);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Missing {
    /// Before all others (`_first`).
    First,
    /// After all others (`_last`), in either direction.
    #[default]
    Last,
}

impl Sort {
    /// By a field, which must be fast, least first.
    pub fn by(field: impl Into<String>) -> Self {
        Self {
            key: SortKey::Field(field.into()),
            order: SortOrder::Ascending,
            missing: Missing::Last,
        }
    }

    /// By the order in the index.
    pub fn doc() -> Self {
        Self {
            key: SortKey::Doc,
            order: SortOrder::Ascending,
            missing: Missing::Last,
        }
    }

    /// By score, greatest first.
    pub fn score() -> Self {
        Self {
            key: SortKey::Score,
            order: SortOrder::Descending,
            missing: Missing::Last,
        }
    }

    /// Least first.
    #[must_use]
    pub fn ascending(mut self) -> Self {
        self.order = SortOrder::Ascending;
        self
    }

    /// Greatest first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.order = SortOrder::Descending;
        self
    }

    /// Sets where documents without a value stand.
    #[must_use]
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    fn named(name: &str) -> Self {
        match name {
            "_doc" => Self::doc(),
            "_score" => Self::score(),
            field => Self::by(field),
        }
    }

    fn to_value(&self) -> Value {
        let name = match &self.key {
            SortKey::Doc => "_doc",
            SortKey::Field(field) => field,
            SortKey::Score => "_score",
        };
        let order = match self.order {
            SortOrder::Ascending => "asc",
            SortOrder::Descending => "desc",
        };
        match self.missing {
            Missing::First => json!({name: {"order": order, "missing": "_first"}}),
            Missing::Last => json!({name: {"order": order}}),
        }
    }
}

/// Writes all keys.
pub(crate) fn to_value(sorts: &[Sort]) -> Value {
    Value::Array(sorts.iter().map(Sort::to_value).collect())
}

/// Reads one key or a list of them.
pub(crate) fn from_value(value: &Value, path: &Path<'_>) -> Result<Vec<Sort>> {
    let mut sorts = Vec::new();
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                keys(value, &path.index(index), &mut sorts)?;
            }
        }
        value => keys(value, path, &mut sorts)?,
    }
    if sorts.len() > MAX_KEYS {
        return Err(path.error(format_args!("{} keys, more than {MAX_KEYS}", sorts.len())));
    }
    Ok(sorts)
}

/// Reads `"field"`, or an object of fields in their order.
fn keys(value: &Value, path: &Path<'_>, sorts: &mut Vec<Sort>) -> Result<()> {
    match value {
        Value::String(name) => sorts.push(Sort::named(name)),
        Value::Object(map) => {
            for (name, value) in map {
                sorts.push(key(name, value, &path.key(name))?);
            }
        }
        other => {
            let kind = kind_of(other);
            return Err(path.error(format_args!("expected a field or an object, got {kind}")));
        }
    }
    Ok(())
}

fn key(name: &str, value: &Value, path: &Path<'_>) -> Result<Sort> {
    let sort = Sort::named(name);
    if let Value::String(text) = value {
        return Ok(Sort {
            order: order(text, path)?,
            ..sort
        });
    }
    let map = object(value, path)?;
    check_keys(map, &["missing", "order"], "parameter", path)?;
    let order = match map.get("order") {
        None => sort.order,
        Some(value) => {
            let path = &path.key("order");
            order(string(value, path)?, path)?
        }
    };
    let missing = match map.get("missing") {
        None => Missing::Last,
        Some(value) => {
            let path = &path.key("missing");
            match string(value, path)? {
                "_first" => Missing::First,
                "_last" => Missing::Last,
                other => {
                    let message = format!("expected \"_first\" or \"_last\", got {other:?}");
                    return Err(path.error(message));
                }
            }
        }
    };
    Ok(Sort {
        order,
        missing,
        ..sort
    })
}

fn order(text: &str, path: &Path<'_>) -> Result<SortOrder> {
    if text.eq_ignore_ascii_case("asc") {
        Ok(SortOrder::Ascending)
    } else if text.eq_ignore_ascii_case("desc") {
        Ok(SortOrder::Descending)
    } else {
        Err(path.error(format_args!("expected \"asc\" or \"desc\", got {text:?}")))
    }
}
