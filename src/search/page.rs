use std::cmp::Ordering;

use tantivy::DocAddress;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;

use super::collect::SegmentNumbers;
use super::hits::{Found, HitKey, Way};
use super::prepared::Prepared;
use crate::filter::SearchRequest;

/// What the splits searched so far answer: their best hits, with those of further ones to be added.
#[derive(Default)]
pub(super) struct Page {
    /// The best first, those among them that are to be passed over.
    pub(super) hits: Vec<PageHit>,
    /// How many matches were counted, when they are.
    pub(super) total: Option<u64>,
    /// How many matches there are in splits, by their places, where all were counted.
    pub(super) counted: Vec<(usize, u64)>,
    /// What was aggregated, by segment, in the order of the splits.
    pub(super) aggregated: Vec<IntermediateAggregationResults>,
    /// How many segments were searched.
    pub(super) segments: u32,
}

/// A hit, and where it is.
#[derive(Debug)]
pub(super) struct PageHit {
    /// Which of the splits of the search it is in, in the order given.
    pub(super) place: usize,
    /// Where in the split.
    pub(super) address: DocAddress,
    pub(super) key: HitKey,
}

impl Page {
    /// Adds what was found in `splits`, whose segments have these numbers.
    pub(super) fn add(
        &mut self,
        found: Found,
        splits: &[Prepared],
        numbers: &SegmentNumbers,
        way: &Way,
    ) {
        let hits = found.hits.into_iter().map(|hit| {
            let (at, address) = numbers.locate(hit.address);
            PageHit {
                place: splits[at].place,
                address,
                key: hit.key,
            }
        });
        let is_first = self.hits.is_empty();
        self.hits.extend(hits);
        if !is_first {
            self.hits.sort_by(|left, right| {
                let by_key = way.compare(&left.key, &right.key);
                by_key.then_with(|| left.in_index(right))
            });
            self.hits.truncate(way.limit());
        }
        self.total = match (self.total, found.total) {
            (Some(before), Some(more)) => Some(before.saturating_add(more)),
            (before, more) => before.or(more),
        };
        self.aggregated.extend(found.aggregated);
        self.segments = numbers.end();
    }

    /// The best score, where hits are in the order of scores.
    pub(super) fn max_score(&self, request: &SearchRequest) -> Option<f32> {
        let best = self.hits.first().filter(|_| request.sorts().is_empty());
        best.and_then(|hit| hit.key.score)
    }
}

impl PageHit {
    /// Its `_id`.
    pub(super) fn id(&self) -> String {
        format!("{}:{}", self.address.segment_ord, self.address.doc_id)
    }

    /// Compares by the order of the index.
    fn in_index(&self, other: &Self) -> Ordering {
        (self.place, self.address).cmp(&(other.place, other.address))
    }
}
