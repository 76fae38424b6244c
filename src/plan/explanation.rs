use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::{Component, Resolution};
use crate::Traffic;
use crate::error::Result;
use crate::split::Split;
use crate::store::normalise;

/// What a warmup of one split would read, found out without fetching any of its data.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The split.
    pub split: String,
    /// What each component costs, those that cost nothing left out.
    pub components: BTreeMap<Component, ComponentCost>,
    /// GETs, bytes and rounds that a warmup would send from a cold start that knows this split
    /// not at all: opening it, the dictionaries, and the data.
    pub total: Traffic,
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
        let mut files: Vec<(Range<u64>, Component)> = split
            .files()
            .ranges()
            .iter()
            .map(|(name, range)| (range.clone(), Component::of_file(name)))
            .filter(|(range, _)| !range.is_empty())
            .collect();
        files.sort_by_key(|(range, _)| range.start);
        let component_at = |offset: u64| {
            let after = files.partition_point(|(range, _)| range.start <= offset);
            after
                .checked_sub(1)
                .map_or(Component::Other, |at| files[at].1)
        };

        let mut components: BTreeMap<Component, ComponentCost> = BTreeMap::new();
        for range in normalise(resolution.ranges.clone()) {
            for part in split_at_files(&range, &files) {
                let cost = components.entry(component_at(part.start)).or_default();
                cost.bytes += part.end - part.start;
                cost.ranges.push(part);
            }
        }
        let batches = extents.missing(resolution.wanted.clone());
        for batch in &batches {
            components
                .entry(component_at(batch.range.start))
                .or_default()
                .gets += 1;
            for part in batch
                .parts
                .iter()
                .flat_map(|part| split_at_files(part, &files))
            {
                let cost = components.entry(component_at(part.start)).or_default();
                cost.missing_bytes += part.end - part.start;
            }
        }
        let data = Traffic {
            gets: batches.len() as u64,
            bytes: batches
                .iter()
                .map(|batch| batch.range.end - batch.range.start)
                .sum(),
            rounds: u64::from(!batches.is_empty()),
        };
        let total = split.traffic().then(resolution.predicted);
        Ok(Self {
            split: split.path().to_string(),
            components,
            total,
            open: split.traffic(),
            dictionaries: resolution.traffic,
            data,
            lower_bound: resolution.lower_bound,
        })
    }
}

/// Cuts a range where files end.
fn split_at_files(range: &Range<u64>, files: &[(Range<u64>, Component)]) -> Vec<Range<u64>> {
    let first = files.partition_point(|(file, _)| file.end <= range.start);
    files[first..]
        .iter()
        .take_while(|(file, _)| file.start < range.end)
        .map(|(file, _)| range.start.max(file.start)..range.end.min(file.end))
        .collect()
}
