use serde::Serialize;
use serde_json::{Map, Value};

use super::report::SearchReport;
use crate::filter::SortValue;

/// The answer to a [`SearchRequest`](crate::SearchRequest), in the shape of an Elasticsearch
/// `_search` response; what it cost is beside it under `forewarm`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SearchResponse {
    /// Milliseconds from request to response.
    pub took: u64,
    /// Always false: a search that need not wait for a warmup any longer reads on demand, and one
    /// whose GETs run out of time is an error, not a part of an answer.
    pub timed_out: bool,
    /// The splits asked.
    #[serde(rename = "_shards")]
    pub shards: Shards,
    /// The hits.
    pub hits: Hits,
    /// What was computed over all matches, in Elasticsearch's JSON, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregations: Option<Value>,
    /// What it cost.
    #[serde(rename = "forewarm")]
    pub report: SearchReport,
}

/// How many splits were asked. None ever fails alone: an answer that lacks a split is not
/// given.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Shards {
    /// Splits of the request.
    pub total: usize,
    /// Splits that the answer is right about: those searched, and those left out.
    pub successful: usize,
    /// Of these, splits left out: because nothing of theirs can be in the answer, or because what
    /// they would answer is [remembered](crate::ResultSettings).
    pub skipped: usize,
    /// Splits failed.
    pub failed: usize,
}

/// The best hits and their number.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Hits {
    /// How many documents match; absent when not tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<Total>,
    /// The best score, when hits are sorted by it.
    pub max_score: Option<f32>,
    /// The hits asked for, best first.
    pub hits: Vec<Hit>,
}

/// A number of matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Total {
    /// The number.
    pub value: u64,
    /// `eq` when exact, `gte` when there may be more.
    pub relation: &'static str,
}

/// One hit.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Hit {
    /// The path of the split it is in.
    #[serde(rename = "_index")]
    pub index: String,
    /// Number of its segment in the split, and of the document in the segment, as
    /// `segment:document`.
    #[serde(rename = "_id")]
    pub id: String,
    /// Its score, when hits are sorted by it.
    #[serde(rename = "_score")]
    pub score: Option<f32>,
    /// Its stored fields, when asked for.
    #[serde(rename = "_source", skip_serializing_if = "Option::is_none")]
    pub source: Option<Value>,
    /// Values of columns by field, as lists, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Map<String, Value>>,
    /// Fragments of texts by field, with the words of the query marked, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlight: Option<Map<String, Value>>,
    /// The names of the clauses it matched, those that have one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub matched_queries: Vec<String>,
    /// The values it was sorted by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sort: Vec<SortValue>,
}
