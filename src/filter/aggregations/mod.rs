//! What is computed over all matches: `aggs` of a `_search` body.
//!
//! Most kinds are tantivy's own and only checked here. Two are not: `filter`, whose clause is
//! compiled like any other, and `missing`, which is one.

mod bound;
mod check;
mod parse;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tantivy::aggregation::agg_req::{
    Aggregation, AggregationVariants, Aggregations as TantivyAggregations,
};
use tantivy::aggregation::bucket::FilterAggregation;

use crate::error::Result;
use crate::filter::Moment;
use crate::filter::clause::Clause;
use crate::filter::filter::Filter;
use crate::filter::json;
use crate::filter::path::Path;

pub(crate) use bound::{AggregationRead, BoundAggregations, column_names, present_values};

/// How deep aggregations may nest. tantivy collects each once for every type of column above it,
/// so its work is a power of this.
const MAX_DEPTH: usize = 8;
/// How many aggregations a request may have.
const MAX_AGGREGATIONS: usize = 1_000;

/// What is computed over all matches, each under a name.
///
/// The JSON is that of Elasticsearch (page *Aggregations*, `search-aggregations`): `avg`,
/// `cardinality`, `composite`, `date_histogram`, `extended_stats`, `filter`, `histogram`, `max`,
/// `min`, `missing`, `multi_terms`, `percentiles`, `range`, `stats`, `sum`, `terms`, `top_hits`
/// and `value_count`, with sub-aggregations in those that make buckets. Parameters are those that
/// tantivy has; any other is an error. The fields must be fast.
///
/// ```
/// use forewarm::{Aggregations, Clause, SearchRequest};
/// use serde_json::json;
///
/// let aggregations = Aggregations::from_value(&json!({
///     "by_type": {
///         "terms": {"field": "type", "size": 5},
///         "aggs": {"mean": {"avg": {"field": "size"}}},
///     },
/// }))?;
/// let request = SearchRequest::new(Clause::match_all()).size(0).aggregations(aggregations);
/// assert_eq!(request.to_value()?["aggs"]["by_type"]["terms"]["size"], 5);
/// # Ok::<(), forewarm::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Aggregations {
    nodes: Nodes,
}

type Nodes = BTreeMap<String, Node>;

/// One aggregation, and those over the documents of its buckets.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    kind: Kind,
    children: Nodes,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// The documents that match a clause.
    Filter(Clause),
    /// The documents without a value of a field.
    Missing(String),
    /// Whatever tantivy does without our help.
    Native(Box<AggregationVariants>),
}

impl Aggregations {
    /// Reads aggregations from JSON text, in which no key may stand twice.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest), naming the place: a kind or parameter
    /// is unknown or of the wrong type, a value is out of bounds, more than 1,000 aggregations, or
    /// nesting deeper than 8.
    ///
    /// ```
    /// let text = r#"{"mean": {"avg": {"field": "size", "weight": 2}}}"#;
    /// let error = forewarm::Aggregations::from_json(text).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"aggs.mean.avg: unknown parameter "weight""#));
    /// ```
    pub fn from_json(text: &str) -> Result<Self> {
        Self::from_value(&json::from_str(text)?)
    }

    /// Reads aggregations from parsed JSON.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    ///
    /// ```
    /// let aggregations = forewarm::Aggregations::from_value(&serde_json::json!({
    ///     "most": {"max": {"field": "size"}},
    /// }))?;
    /// assert!(!aggregations.is_empty());
    /// # Ok::<(), forewarm::Error>(())
    /// ```
    pub fn from_value(value: &Value) -> Result<Self> {
        Self::parse(value, &Path::root("aggs"))
    }

    pub(crate) fn parse(value: &Value, path: &Path<'_>) -> Result<Self> {
        let nodes = parse::Parser::default().nodes(value, path, 0)?;
        Ok(Self { nodes })
    }

    /// Aggregations that were built with tantivy's types. A filter among them is what tantivy's
    /// query parser makes of its text.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    ///
    /// ```
    /// use tantivy::aggregation::agg_req;
    ///
    /// let text = r#"{"most": {"max": {"field": "size"}}}"#;
    /// let built: agg_req::Aggregations = serde_json::from_str(text).unwrap();
    /// let aggregations = forewarm::Aggregations::from_tantivy(built)?;
    /// assert_eq!(aggregations, forewarm::Aggregations::from_json(text)?);
    /// # Ok::<(), forewarm::Error>(())
    /// ```
    pub fn from_tantivy(aggregations: TantivyAggregations) -> Result<Self> {
        let mut count = 0;
        let nodes = from_tantivy(aggregations, &Path::root("aggs"), 0, &mut count)?;
        Ok(Self { nodes })
    }

    /// The aggregations as JSON. [`from_value`](Self::from_value) reads it back unchanged.
    ///
    /// ```
    /// let text = r#"{"most":{"max":{"field":"size"}}}"#;
    /// let aggregations = forewarm::Aggregations::from_json(text)?;
    /// assert_eq!(aggregations.to_value().to_string(), text);
    /// # Ok::<(), forewarm::Error>(())
    /// ```
    pub fn to_value(&self) -> Value {
        to_value(&self.nodes, &|clause| clause.to_value())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Equal for aggregations that compute the same at a moment.
    pub(crate) fn canonical(&self, now: Moment) -> Value {
        to_value(&self.nodes, &|clause| {
            Filter::from(clause.clone()).canonical_unscored(now)
        })
    }

    /// Whether what they answer may depend on segments without matches: empty buckets come from
    /// there, and of what type keys are.
    pub(crate) fn sees_all(&self) -> bool {
        any(&self.nodes, &|variant| match variant {
            // That its keys are dates it learns from the column of the last segment.
            AggregationVariants::DateHistogram(_) | AggregationVariants::Range(_) => true,
            AggregationVariants::MultiTerms(terms) => terms.min_doc_count == Some(0),
            AggregationVariants::Terms(terms) => terms.min_doc_count == Some(0),
            _ => false,
        })
    }

    /// Whether there is a filter of the caller's own type among them: what it matches, nothing
    /// that is written of it vouches for.
    pub(crate) fn is_opaque(&self) -> bool {
        any(&self.nodes, &|variant| match variant {
            AggregationVariants::Filter(filter) => !is_text(filter),
            _ => false,
        })
    }

    /// The aggregations as tantivy knows them, to make the result from: filters match nothing.
    pub(crate) fn shape(&self) -> TantivyAggregations {
        shape(&self.nodes)
    }
}

/// Whether one of tantivy's own is such.
fn any(nodes: &Nodes, is: &impl Fn(&AggregationVariants) -> bool) -> bool {
    nodes.values().any(|node| {
        matches!(&node.kind, Kind::Native(variant) if is(variant)) || any(&node.children, is)
    })
}

/// Whether a filter is a text for tantivy's query parser.
fn is_text(filter: &FilterAggregation) -> bool {
    serde_json::to_value(filter).is_ok_and(|written| written.is_string())
}

fn check_size(depth: usize, count: &mut usize, path: &Path<'_>) -> Result<()> {
    if depth >= MAX_DEPTH {
        return Err(path.error(format_args!("aggregations nest deeper than {MAX_DEPTH}")));
    }
    *count += 1;
    if *count > MAX_AGGREGATIONS {
        return Err(path.error(format_args!("more than {MAX_AGGREGATIONS} aggregations")));
    }
    Ok(())
}

fn from_tantivy(
    aggregations: TantivyAggregations,
    path: &Path<'_>,
    depth: usize,
    count: &mut usize,
) -> Result<Nodes> {
    let mut nodes = Nodes::new();
    for (name, aggregation) in aggregations {
        let node = {
            let path = &path.key(&name);
            check_size(depth, count, path)?;
            check::name(&name, path)?;
            let kind = Kind::Native(Box::new(aggregation.agg));
            let children = from_tantivy(
                aggregation.sub_aggregation,
                &path.key("aggs"),
                depth + 1,
                count,
            )?;
            let node = Node { kind, children };
            check::node(&node, depth, path)?;
            node
        };
        nodes.insert(name, node);
    }
    Ok(nodes)
}

fn to_value(nodes: &Nodes, clause: &impl Fn(&Clause) -> Value) -> Value {
    let written = nodes.iter().map(|(name, node)| {
        let mut body = match &node.kind {
            Kind::Filter(filter) => Map::from_iter([("filter".to_owned(), clause(filter))]),
            Kind::Missing(field) => {
                Map::from_iter([("missing".to_owned(), json!({ "field": field }))])
            }
            Kind::Native(variant) => native_to_value(variant),
        };
        if !node.children.is_empty() {
            body.insert("aggs".into(), to_value(&node.children, clause));
        }
        (name.clone(), Value::Object(body))
    });
    Value::Object(written.collect())
}

/// tantivy writes what was not given as null, and a parameter of its own.
fn native_to_value(variant: &AggregationVariants) -> Map<String, Value> {
    let mut body = match serde_json::to_value(variant) {
        Ok(Value::Object(body)) => body,
        // A filter of the caller's own type that does not serialise: its debug form tells.
        _ => Map::from_iter([("filter".to_owned(), json!(format!("{variant:?}")))]),
    };
    for parameters in body.values_mut().filter_map(Value::as_object_mut) {
        parameters.retain(|_, value| !value.is_null());
        parameters.remove("is_normalized_to_ns");
    }
    body
}

fn shape(nodes: &Nodes) -> TantivyAggregations {
    let shaped = nodes.iter().map(|(name, node)| {
        let agg = match &node.kind {
            Kind::Filter(_) | Kind::Missing(_) => {
                AggregationVariants::Filter(FilterAggregation::new(String::new()))
            }
            Kind::Native(variant) => match &**variant {
                AggregationVariants::Filter(_) => {
                    AggregationVariants::Filter(FilterAggregation::new(String::new()))
                }
                other => other.clone(),
            },
        };
        let sub_aggregation = shape(&node.children);
        let aggregation = Aggregation {
            agg,
            sub_aggregation,
        };
        (name.clone(), aggregation)
    });
    shaped.collect()
}
