//! JSON to aggregations: keys by hand, so that none is ignored, values by tantivy.

use serde_json::{Map, Value, json};
use tantivy::aggregation::agg_req::AggregationVariants;

use super::{Kind, Node, Nodes, check, check_size};
use crate::error::Result;
use crate::filter::json::{check_keys, kind_of, object, string};
use crate::filter::parse::Parser as ClauseParser;
use crate::filter::path::Path;

/// The kinds, sorted as error messages list them.
const KINDS: &str = "avg, cardinality, composite, date_histogram, extended_stats, filter, \
                     histogram, max, min, missing, multi_terms, percentiles, range, stats, sum, \
                     terms, top_hits, value_count";

/// How many hits `top_hits` brings when it does not say.
const TOP_HITS: u64 = 3;
/// How many buckets a page of `composite` has when it does not say.
const COMPOSITE_BUCKETS: u64 = 10;

/// The parameters of a kind: those it must have, then those it may have.
fn parameters(kind: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match kind {
        "avg" | "cardinality" | "max" | "min" | "stats" | "sum" | "value_count" => {
            (&["field"], &["field", "missing"])
        }
        "composite" => (&["sources"], &["after", "size", "sources"]),
        "date_histogram" => (
            &["field", "fixed_interval"],
            &[
                "extended_bounds",
                "field",
                "fixed_interval",
                "hard_bounds",
                "keyed",
                "min_doc_count",
                "offset",
            ],
        ),
        "extended_stats" => (&["field"], &["field", "missing", "sigma"]),
        "histogram" => (
            &["field", "interval"],
            &[
                "extended_bounds",
                "field",
                "hard_bounds",
                "interval",
                "keyed",
                "min_doc_count",
                "offset",
            ],
        ),
        "missing" => (&["field"], &["field"]),
        "multi_terms" => (
            &["terms"],
            &[
                "min_doc_count",
                "order",
                "segment_size",
                "shard_size",
                "show_term_doc_count_error",
                "size",
                "split_size",
                "terms",
            ],
        ),
        "percentiles" => (&["field"], &["field", "keyed", "missing", "percents"]),
        "range" => (&["field", "ranges"], &["field", "keyed", "ranges"]),
        "terms" => (
            &["field"],
            &[
                "exclude",
                "field",
                "include",
                "min_doc_count",
                "missing",
                "order",
                "segment_size",
                "shard_size",
                "show_term_doc_count_error",
                "size",
                "split_size",
            ],
        ),
        "top_hits" => (&["sort"], &["docvalue_fields", "from", "size", "sort"]),
        _ => return None,
    })
}

/// The parameters of a source of `composite`.
fn source_parameters(kind: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match kind {
        "date_histogram" => (
            &["field"],
            &[
                "calendar_interval",
                "field",
                "fixed_interval",
                "missing_bucket",
                "missing_order",
                "order",
            ],
        ),
        "histogram" => (
            &["field", "interval"],
            &[
                "field",
                "interval",
                "missing_bucket",
                "missing_order",
                "order",
            ],
        ),
        "terms" => (
            &["field"],
            &["field", "missing_bucket", "missing_order", "order"],
        ),
        _ => return None,
    })
}

/// Reads aggregations and counts them.
#[derive(Default)]
pub(super) struct Parser {
    count: usize,
}

impl Parser {
    pub(super) fn nodes(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Result<Nodes> {
        let map = object(value, path)?;
        let mut nodes = Nodes::new();
        for (name, body) in map {
            let path = &path.key(name);
            check::name(name, path)?;
            nodes.insert(name.clone(), self.node(body, path, depth)?);
        }
        Ok(nodes)
    }

    fn node(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Result<Node> {
        check_size(depth, &mut self.count, path)?;
        let map = object(value, path)?;
        let (mut kind, mut children) = (None, Nodes::new());
        let mut nested = None;
        for (key, body) in map {
            let here = path.key(key);
            if key == "aggs" || key == "aggregations" {
                if nested.replace(key).is_some() {
                    return Err(path.error("\"aggregations\" and \"aggs\" are the same: give one"));
                }
                children = self.nodes(body, &here, depth + 1)?;
            } else if let Some(first) = kind.replace((key, body)) {
                let (first, second) = (first.0, key);
                return Err(path.error(format_args!(
                    "expected one kind of aggregation, got {first:?} and {second:?}"
                )));
            }
        }
        let Some((name, body)) = kind else {
            return Err(path.error(format_args!("the kind is missing (known: {KINDS})")));
        };
        let here = path.key(name);
        let kind = kind_from(name, body, &here)?;
        let node = Node { kind, children };
        check::node(&node, depth, path)?;
        Ok(node)
    }
}

fn kind_from(name: &str, body: &Value, path: &Path<'_>) -> Result<Kind> {
    if name == "filter" {
        return Ok(Kind::Filter(ClauseParser::new().clause(body, path, 0)?));
    }
    let Some((required, known)) = parameters(name) else {
        return Err(path.error(format_args!("unknown aggregation (known: {KINDS})")));
    };
    let map = keys(body, required, known, path)?;
    if let Some(field) = map.get("field") {
        let field = string(field, &path.key("field"))?;
        if name == "missing" {
            return Ok(Kind::Missing(field.to_owned()));
        }
    }
    let mut map = map.clone();
    match name {
        "composite" => composite(&mut map, path)?,
        "date_histogram" | "histogram" => {
            for key in ["extended_bounds", "hard_bounds"] {
                if let Some(bounds) = map.get(key) {
                    keys(bounds, &["max", "min"], &["max", "min"], &path.key(key))?;
                }
            }
        }
        "multi_terms" => {
            let path = &path.key("terms");
            for (index, field) in array(&map, "terms", path)?.iter().enumerate() {
                keys(field, &["field"], &["field", "missing"], &path.index(index))?;
            }
        }
        "range" => {
            let path = &path.key("ranges");
            for (index, range) in array(&map, "ranges", path)?.iter().enumerate() {
                keys(range, &[], &["from", "key", "to"], &path.index(index))?;
            }
        }
        "top_hits" => top_hits(&mut map, path)?,
        _ => {}
    }
    let variant: AggregationVariants =
        serde_json::from_value(json!({ name: map })).map_err(|error| path.error(error))?;
    Ok(Kind::Native(Box::new(variant)))
}

/// The object that `value` must be, with all of `required` and nothing that is not `known`.
fn keys<'v>(
    value: &'v Value,
    required: &[&str],
    known: &[&str],
    path: &Path<'_>,
) -> Result<&'v Map<String, Value>> {
    let map = object(value, path)?;
    check_keys(map, known, "parameter", path)?;
    match required.iter().find(|key| !map.contains_key(**key)) {
        None => Ok(map),
        Some(key) => Err(path.error(format_args!("the parameter {key:?} is missing"))),
    }
}

/// The list under a key, which must be there.
fn array<'v>(map: &'v Map<String, Value>, key: &str, path: &Path<'_>) -> Result<&'v [Value]> {
    match map.get(key) {
        Some(Value::Array(values)) => Ok(values),
        other => {
            let kind = other.map_or("nothing", kind_of);
            Err(path.error(format_args!("expected an array, got {kind}")))
        }
    }
}

fn composite(map: &mut Map<String, Value>, path: &Path<'_>) -> Result<()> {
    let path = &path.key("sources");
    for (index, source) in array(map, "sources", path)?.iter().enumerate() {
        let path = &path.index(index);
        let (name, source) = only(source, "name", path)?;
        let path = &path.key(name);
        let (kind, body) = only(source, "kind", path)?;
        let path = &path.key(kind);
        let Some((required, known)) = source_parameters(kind) else {
            return Err(path.error("unknown source (known: date_histogram, histogram, terms)"));
        };
        let body = keys(body, required, known, path)?;
        if kind == "date_histogram"
            && body.contains_key("calendar_interval") == body.contains_key("fixed_interval")
        {
            return Err(path.error("expected one of \"calendar_interval\" and \"fixed_interval\""));
        }
    }
    map.entry("size").or_insert(json!(COMPOSITE_BUCKETS));
    Ok(())
}

/// The one entry of an object.
fn only<'v>(value: &'v Value, what: &str, path: &Path<'_>) -> Result<(&'v str, &'v Value)> {
    let map = object(value, path)?;
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        _ => Err(path.error(format_args!("expected one {what}, got {}", map.len()))),
    }
}

/// Brings the spellings of Elasticsearch to the one that tantivy reads.
fn top_hits(map: &mut Map<String, Value>, path: &Path<'_>) -> Result<()> {
    let sorts = match map.remove("sort") {
        Some(Value::Array(sorts)) => sorts,
        Some(sort) => vec![sort],
        None => Vec::new(),
    };
    let here = path.key("sort");
    let mut keys_read = Vec::new();
    for (index, sort) in sorts.iter().enumerate() {
        let path = &here.index(index);
        let key = match sort {
            Value::String(field) => json!({ field.as_str(): "asc" }),
            sort => {
                let (field, order) = only(sort, "field", path)?;
                match order {
                    Value::Object(_) => {
                        let path = &path.key(field);
                        let order = keys(order, &["order"], &["order"], path)?;
                        json!({ field: order.get("order") })
                    }
                    order => json!({ field: order }),
                }
            }
        };
        keys_read.push(key);
    }
    map.insert("sort".into(), Value::Array(keys_read));
    if let Some(fields) = map.get_mut("docvalue_fields") {
        let path = &path.key("docvalue_fields");
        let Value::Array(fields) = fields else {
            return Err(path.error(format_args!("expected an array, got {}", kind_of(fields))));
        };
        for (index, field) in fields.iter_mut().enumerate() {
            if field.is_object() {
                let path = &path.index(index);
                let named = keys(field, &["field"], &["field"], path)?;
                *field = named.get("field").cloned().unwrap_or(Value::Null);
            }
        }
    }
    map.entry("size").or_insert(json!(TOP_HITS));
    Ok(())
}
