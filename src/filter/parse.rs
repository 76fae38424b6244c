//! JSON to clauses, by hand, so that every error names the exact place.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::filter::clause::{
    BoolClause, Clause, ExistsClause, MatchAllClause, MatchClause, MatchNoneClause,
    MatchPhraseClause, MinimumShouldMatch, Operator, PrefixClause, QueryStringClause, RangeClause,
    TermClause, TermsClause,
};
use crate::filter::json::{self, check_keys, kind_of, object, string};
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

/// How deep clauses may nest. Walking a clause recurses, so this bounds the stack.
pub(crate) const MAX_DEPTH: usize = 64;
/// How many clauses a filter may have: tantivy makes a scorer of each.
pub(crate) const MAX_CLAUSES: usize = 65_536;
/// How many values `terms` may have; Elasticsearch's `index.max_terms_count`.
pub(crate) const MAX_TERMS: usize = 65_536;

/// The clauses, sorted as error messages list them.
const CLAUSES: &str = "bool, exists, match, match_all, match_none, match_phrase, prefix, \
                       query_string, range, term, terms";

/// Reads clauses and counts them.
pub(crate) struct Parser {
    clauses: usize,
}

impl Parser {
    pub(crate) fn new() -> Self {
        Self { clauses: 0 }
    }

    /// Reads one clause.
    pub(crate) fn clause(
        &mut self,
        value: &Value,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Clause> {
        check_size(depth, &mut self.clauses, path)?;
        let map = object(value, path)?;
        let mut entries = map.iter();
        let Some((name, body)) = entries.next() else {
            return Err(path.error("expected a clause, got an empty object"));
        };
        if entries.next().is_some() {
            return Err(path.error(format_args!("expected one clause, got {}", names(map))));
        }
        let path = &path.key(name);
        Ok(match name.as_str() {
            "bool" => self.bool(body, path, depth)?.into(),
            "exists" => exists(body, path)?.into(),
            "match" => match_text(body, path)?.into(),
            "match_all" => MatchAllClause {
                boost: only_boost(body, path)?,
            }
            .into(),
            "match_none" => MatchNoneClause {
                boost: only_boost(body, path)?,
            }
            .into(),
            "match_phrase" => match_phrase(body, path)?.into(),
            "prefix" => prefix(body, path)?.into(),
            "query_string" => query_string(body, path)?.into(),
            "range" => range(body, path)?.into(),
            "term" => term(body, path)?.into(),
            "terms" => terms(body, path)?.into(),
            _ => return Err(path.error(format_args!("unknown clause (known: {CLAUSES})"))),
        })
    }

    fn bool(&mut self, body: &Value, path: &Path<'_>, depth: usize) -> Result<BoolClause> {
        let map = object(body, path)?;
        let known = [
            "boost",
            "filter",
            "minimum_should_match",
            "must",
            "must_not",
            "should",
        ];
        check_keys(map, &known, "parameter", path)?;
        Ok(BoolClause {
            must: self.clauses(map, "must", path, depth)?,
            filter: self.clauses(map, "filter", path, depth)?,
            should: self.clauses(map, "should", path, depth)?,
            must_not: self.clauses(map, "must_not", path, depth)?,
            minimum_should_match: minimum_should_match(map, path)?,
            boost: boost(map, path)?,
        })
    }

    /// One clause or a list of them.
    fn clauses(
        &mut self,
        map: &Map<String, Value>,
        key: &str,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Vec<Clause>> {
        let path = &path.key(key);
        match map.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values
                .iter()
                .enumerate()
                .map(|(index, value)| self.clause(value, &path.index(index), depth + 1))
                .collect(),
            Some(value) => Ok(vec![self.clause(value, path, depth + 1)?]),
        }
    }
}

impl Clause {
    /// Reads a clause from JSON text, in which no key may stand twice.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), naming the place: the text is not
    /// JSON, a clause or parameter is unknown or of the wrong type, or clauses nest deeper than
    /// 64.
    ///
    /// ```
    /// let error = forewarm::Clause::from_json(r#"{"range": {"price": {"gtt": 1}}}"#).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"query.range.price: unknown parameter "gtt""#));
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_value(&json::from_str(text)?)
    }

    /// Reads a clause from parsed JSON.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    ///
    /// ```
    /// let clause = forewarm::Clause::from_value(&serde_json::json!({"match_all": {}}))?;
    /// assert_eq!(clause, forewarm::Clause::match_all().into());
    /// # Ok::<(), forewarm::Error>(())
    /// ```
    pub fn from_value(value: &Value) -> Result<Self> {
        Parser::new().clause(value, &Path::root("query"), 0)
    }
}

/// Bounds depth and number of clauses, wherever a tree of them is walked.
pub(crate) fn check_size(depth: usize, clauses: &mut usize, path: &Path<'_>) -> Result<()> {
    if depth >= MAX_DEPTH {
        return Err(path.error(format_args!("clauses nest deeper than {MAX_DEPTH}")));
    }
    *clauses += 1;
    if *clauses > MAX_CLAUSES {
        return Err(path.error(format_args!("more than {MAX_CLAUSES} clauses")));
    }
    Ok(())
}

/// The keys of an object, for a message.
fn names(map: &Map<String, Value>) -> String {
    let mut names: Vec<String> = map.keys().take(4).map(|key| format!("{key:?}")).collect();
    if map.len() > names.len() {
        names.push("…".to_owned());
    }
    format!("{}: {}", map.len(), names.join(", "))
}

/// The one entry of `{"field": …}`.
fn only_field<'v>(body: &'v Value, path: &Path<'_>) -> Result<(&'v str, &'v Value)> {
    let map = object(body, path)?;
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (Some((field, value)), None) => Ok((field, value)),
        (None, _) => Err(path.error("expected a field, got an empty object")),
        (Some(_), Some(_)) => {
            Err(path.error(format_args!("expected one field, got {}", names(map))))
        }
    }
}

/// The parameters of `{"field": {…}}`, or none of `{"field": value}`.
fn parameters<'v>(
    value: &'v Value,
    known: &[&str],
    path: &Path<'_>,
) -> Result<Option<&'v Map<String, Value>>> {
    match value {
        Value::Object(map) => {
            check_keys(map, known, "parameter", path)?;
            Ok(Some(map))
        }
        _ => Ok(None),
    }
}

fn required<'v>(map: &'v Map<String, Value>, key: &str, path: &Path<'_>) -> Result<&'v Value> {
    map.get(key)
        .ok_or_else(|| path.error(format_args!("the parameter {key:?} is missing")))
}

fn boost(map: &Map<String, Value>, path: &Path<'_>) -> Result<f32> {
    let Some(value) = map.get("boost") else {
        return Ok(1.0);
    };
    let path = &path.key("boost");
    let Some(number) = value.as_f64() else {
        return Err(path.error(format_args!("expected a number, got {}", kind_of(value))));
    };
    check_boost(number as f32, path)
}

/// Refuses a boost that would spoil scores.
pub(crate) fn check_boost(boost: f32, path: &Path<'_>) -> Result<f32> {
    if boost.is_finite() && boost >= 0.0 {
        Ok(boost)
    } else {
        Err(path.error(format_args!(
            "expected a number from 0 to {:e}, got {boost:e}",
            f32::MAX
        )))
    }
}

fn only_boost(body: &Value, path: &Path<'_>) -> Result<f32> {
    let map = object(body, path)?;
    check_keys(map, &["boost"], "parameter", path)?;
    boost(map, path)
}

fn minimum_should_match(
    map: &Map<String, Value>,
    path: &Path<'_>,
) -> Result<Option<MinimumShouldMatch>> {
    let Some(value) = map.get("minimum_should_match") else {
        return Ok(None);
    };
    let path = &path.key("minimum_should_match");
    let parsed = match value {
        Value::Number(number) => number
            .as_i64()
            .and_then(|count| i32::try_from(count).ok())
            .map(MinimumShouldMatch::Count),
        Value::String(text) => match text.trim().strip_suffix('%') {
            Some(percent) => percent.trim().parse().ok().map(MinimumShouldMatch::Percent),
            None => text.trim().parse().ok().map(MinimumShouldMatch::Count),
        },
        _ => None,
    };
    parsed.map(Some).ok_or_else(|| {
        path.error(format_args!(
            "expected a whole number or a percentage, got {value}"
        ))
    })
}

fn operator(map: &Map<String, Value>, key: &str, path: &Path<'_>) -> Result<Operator> {
    let Some(value) = map.get(key) else {
        return Ok(Operator::Or);
    };
    let path = &path.key(key);
    let text = string(value, path)?;
    if text.eq_ignore_ascii_case("and") {
        Ok(Operator::And)
    } else if text.eq_ignore_ascii_case("or") {
        Ok(Operator::Or)
    } else {
        Err(path.error(format_args!("expected \"and\" or \"or\", got {text:?}")))
    }
}

fn exists(body: &Value, path: &Path<'_>) -> Result<ExistsClause> {
    let map = object(body, path)?;
    check_keys(map, &["boost", "field"], "parameter", path)?;
    let field = string(required(map, "field", path)?, &path.key("field"))?;
    Ok(ExistsClause {
        field: field.to_owned(),
        boost: boost(map, path)?,
    })
}

fn match_text(body: &Value, path: &Path<'_>) -> Result<MatchClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let known = ["boost", "minimum_should_match", "operator", "query"];
    let Some(map) = parameters(value, &known, path)? else {
        return Ok(Clause::match_text(
            field,
            FieldValue::from_value(value, path)?,
        ));
    };
    Ok(MatchClause {
        field: field.to_owned(),
        query: FieldValue::from_value(required(map, "query", path)?, &path.key("query"))?,
        operator: operator(map, "operator", path)?,
        minimum_should_match: minimum_should_match(map, path)?,
        boost: boost(map, path)?,
    })
}

fn match_phrase(body: &Value, path: &Path<'_>) -> Result<MatchPhraseClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let Some(map) = parameters(value, &["boost", "query", "slop"], path)? else {
        return Ok(Clause::match_phrase(
            field,
            FieldValue::from_value(value, path)?,
        ));
    };
    let slop = match map.get("slop") {
        None => 0,
        Some(value) => value
            .as_u64()
            .and_then(|slop| u32::try_from(slop).ok())
            .ok_or_else(|| {
                path.key("slop")
                    .error(format_args!("expected a whole number from 0, got {value}"))
            })?,
    };
    Ok(MatchPhraseClause {
        field: field.to_owned(),
        query: FieldValue::from_value(required(map, "query", path)?, &path.key("query"))?,
        slop,
        boost: boost(map, path)?,
    })
}

fn prefix(body: &Value, path: &Path<'_>) -> Result<PrefixClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let Some(map) = parameters(value, &["boost", "value"], path)? else {
        return Ok(Clause::prefix(field, string(value, path)?));
    };
    let value = string(required(map, "value", path)?, &path.key("value"))?;
    Ok(PrefixClause {
        field: field.to_owned(),
        value: value.to_owned(),
        boost: boost(map, path)?,
    })
}

fn query_string(body: &Value, path: &Path<'_>) -> Result<QueryStringClause> {
    let map = object(body, path)?;
    let known = [
        "boost",
        "default_field",
        "default_operator",
        "fields",
        "query",
    ];
    check_keys(map, &known, "parameter", path)?;
    let query = string(required(map, "query", path)?, &path.key("query"))?;
    let fields = match (map.get("default_field"), map.get("fields")) {
        (None, None) => Vec::new(),
        (Some(field), None) => vec![string(field, &path.key("default_field"))?.to_owned()],
        (None, Some(fields)) => strings(fields, &path.key("fields"))?,
        (Some(_), Some(_)) => {
            return Err(path.error("\"default_field\" and \"fields\" exclude each other"));
        }
    };
    Ok(QueryStringClause {
        query: query.to_owned(),
        fields,
        default_operator: operator(map, "default_operator", path)?,
        boost: boost(map, path)?,
    })
}

/// A list of strings.
pub(crate) fn strings(value: &Value, path: &Path<'_>) -> Result<Vec<String>> {
    let Value::Array(values) = value else {
        return Err(path.error(format_args!("expected an array, got {}", kind_of(value))));
    };
    values
        .iter()
        .enumerate()
        .map(|(index, value)| string(value, &path.index(index)).map(str::to_owned))
        .collect()
}

fn range(body: &Value, path: &Path<'_>) -> Result<RangeClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let map = object(value, path)?;
    check_keys(
        map,
        &["boost", "format", "gt", "gte", "lt", "lte"],
        "parameter",
        path,
    )?;
    // `null` is how Elasticsearch's own clients write a bound that is open.
    let bound = |key| match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => FieldValue::from_value(value, &path.key(key)).map(Some),
    };
    let format = match map.get("format") {
        None => None,
        Some(value) => Some(string(value, &path.key("format"))?.to_owned()),
    };
    Ok(RangeClause {
        field: field.to_owned(),
        gt: bound("gt")?,
        gte: bound("gte")?,
        lt: bound("lt")?,
        lte: bound("lte")?,
        format,
        boost: boost(map, path)?,
    })
}

fn term(body: &Value, path: &Path<'_>) -> Result<TermClause> {
    let (field, value) = only_field(body, path)?;
    let path = &path.key(field);
    let Some(map) = parameters(value, &["boost", "value"], path)? else {
        return Ok(Clause::term(field, FieldValue::from_value(value, path)?));
    };
    Ok(TermClause {
        field: field.to_owned(),
        value: FieldValue::from_value(required(map, "value", path)?, &path.key("value"))?,
        boost: boost(map, path)?,
    })
}

fn terms(body: &Value, path: &Path<'_>) -> Result<TermsClause> {
    let map = object(body, path)?;
    // `boost` stands beside the field. A field of that name has an array for its value.
    let is_field = |entry: &(&String, &Value)| entry.0 != "boost" || entry.1.is_array();
    let mut fields = map.iter().filter(is_field);
    let Some((field, value)) = fields.next() else {
        return Err(path.error("expected a field, got none"));
    };
    if fields.next().is_some() {
        return Err(path.error(format_args!("expected one field, got {}", names(map))));
    }
    let boost = if field == "boost" {
        1.0
    } else {
        boost(map, path)?
    };
    let path = &path.key(field);
    let Value::Array(values) = value else {
        return Err(path.error(format_args!("expected an array, got {}", kind_of(value))));
    };
    check_terms(values.len(), path)?;
    let values = values
        .iter()
        .enumerate()
        .map(|(index, value)| FieldValue::from_value(value, &path.index(index)))
        .collect::<Result<_>>()?;
    Ok(TermsClause {
        field: field.to_owned(),
        values,
        boost,
    })
}

/// Bounds the values of one `terms`.
pub(crate) fn check_terms(count: usize, path: &Path<'_>) -> Result<()> {
    if count > MAX_TERMS {
        return Err(path.error(format_args!(
            "{count} values, more than the {MAX_TERMS} allowed"
        )));
    }
    Ok(())
}
