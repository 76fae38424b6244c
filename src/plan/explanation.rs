use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::clauses::{self, ClauseExplanation, Components};
use super::{Component, Resolution};
use crate::Traffic;
use crate::error::Result;
use crate::split::Split;
use crate::store::{Batch, normalise};

/// What a warmup of one split would read, found out without fetching any of its data.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The split.
    pub split: String,
    /// The clauses of the request with what each reads.
    pub clauses: ClauseExplanation,
    /// Number of segments.
    pub segments: usize,
    /// Of these, how many are proven to hold no match: of them nothing more is fetched, and they
    /// are not searched.
    pub hopeless_segments: usize,
    /// What each component costs, those that cost nothing left out.
    pub components: BTreeMap<Component, ComponentCost>,
    /// GETs, bytes and rounds that a warmup would send from a cold start that knows this split
    /// not at all: opening it, the dictionaries, and the data.
    pub total: Traffic,
    /// What a warmup would send instead that goes by the plan that is known of this request, from
    /// what was in memory before explaining; none when no plan is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<Traffic>,
    /// Of these, what opening the split cost or would cost.
    pub open: Traffic,
    /// Of these, what explaining has already read: dictionaries.
    pub dictionaries: Traffic,
    /// Of these, what a warmup would still fetch now.
    pub data: Traffic,
    /// Whether the request holds a query that only tells what it reads while it reads it: then
    /// the figures are a lower bound.
    pub lower_bound: bool,
}

/// What one component of a split costs.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ComponentCost {
    /// Ranges that the request needs beyond the hot bytes, in the split object, sorted, touching
    /// ones joined.
    pub ranges: Vec<Range<u64>>,
    /// Bytes in these ranges.
    pub bytes: u64,
    /// Of these, bytes not in memory yet.
    pub missing_bytes: u64,
    /// GETs that begin with bytes of this component. A GET may go on into the next.
    pub gets: u64,
}

impl Explanation {
    pub(crate) fn new(split: &Split, resolution: &Resolution) -> Result<Self> {
        let extents = split.files().extents();
        let files = Components::of(split);
        let mut components: BTreeMap<Component, ComponentCost> = BTreeMap::new();
        for range in normalise(resolution.ranges.clone()) {
            for part in files.split(&range) {
                let cost = components.entry(files.at(part.start)).or_default();
                cost.bytes += part.end - part.start;
                cost.ranges.push(part);
            }
        }
        let rule = extents.rule_unplanned();
        let batches = extents.missing_by(&rule, resolution.wanted.clone(), 0);
        for batch in &batches {
            components
                .entry(files.at(batch.range.start))
                .or_default()
                .gets += 1;
            for part in batch.parts.iter().flat_map(|part| files.split(part)) {
                let cost = components.entry(files.at(part.start)).or_default();
                cost.missing_bytes += part.end - part.start;
            }
        }
        let data = Batch::traffic(&batches);
        let hopeless = resolution.findings.hopeless.iter();
        let total = split.traffic().then(resolution.predicted);
        Ok(Self {
            split: split.path().to_string(),
            clauses: clauses::explain(&resolution.findings, &files),
            segments: split.num_segments(),
            hopeless_segments: hopeless.filter(|it| **it).count(),
            components,
            total,
            replay: None,
            open: split.traffic(),
            dictionaries: resolution.traffic,
            data,
            lower_bound: resolution.lower_bound,
        })
    }
}
