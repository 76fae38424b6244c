//! What of a search runs on the pool, in one go: hits, their names, aggregations, and as much of
//! what the hits bring as is in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tantivy::DocAddress;
use tantivy::aggregation::AggregationLimitsGuard;

use super::aggregate::{self, AggregationsOf};
use super::collect::{Prepared, SegmentNumbers};
use super::documents::{Documents, Wanted, Way};
use super::hits::{self, FoundHit};
use super::known::Known;
use super::matched;
use super::reading::Reading;
use super::report::SearchReport;
use super::response::{Hit, Hits, SearchResponse, Shards, Total};
use crate::error::Result;
use crate::filter::{SearchRequest, TrackTotalHits};

/// A request and the splits that are asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) request: Arc<SearchRequest>,
    pub(super) splits: Arc<[Prepared]>,
    pub(super) limits: AggregationLimitsGuard,
    /// How many buckets may be returned.
    pub(super) buckets: u32,
    /// What is known beforehand.
    pub(super) known: Known,
}

/// What they answer.
pub(super) struct Answer {
    hits: Vec<FoundHit>,
    /// By hit: its split, and its address there.
    addresses: Vec<(usize, DocAddress)>,
    total: Option<u64>,
    max_score: Option<f32>,
    /// By hit: the names of the clauses it matched.
    matched: Vec<Vec<String>>,
    aggregations: Option<Value>,
    /// How many matches there are in segments, in their order, where that was counted one by one.
    pub(super) by_segment: Vec<(u32, u64)>,
    /// By hit, as far as it was read.
    pub(super) documents: Documents,
    /// How long reading them took.
    pub(super) reading_documents: Duration,
}

impl Asked {
    /// Searches. `check` is asked whether all that was read is true before anything is made of it.
    pub(super) fn answer(
        &self,
        reading: &Reading,
        way: Way,
        check: impl FnOnce() -> Result<()>,
    ) -> Result<Answer> {
        let (request, splits) = (&*self.request, &*self.splits);
        for split in splits {
            request.check_fetch(split.split.index())?;
        }
        let aggregates = !request.aggregated().is_empty();
        let aggregations = aggregates.then(|| {
            let limits = self.limits.clone();
            AggregationsOf::new(request.aggregated(), splits, limits, self.known.last)
        });
        let way_of = hits::Way::of(request, &self.known);
        let mut found = hits::found(splits, way_of, aggregations.transpose()?, reading)?;
        found.hits.drain(..request.offset().min(found.hits.len()));
        let page: Vec<DocAddress> = found.hits.iter().map(|hit| hit.address).collect();
        let matched = matched::names(splits, &page, reading)?;
        check()?;
        let aggregations = found
            .aggregated
            .map(|found| aggregate::results(request.aggregated(), found, self.buckets));

        let started = Instant::now();
        let numbers = SegmentNumbers::of(splits);
        let addresses: Vec<_> = page.iter().map(|&hit| numbers.locate(hit)).collect();
        let documents = if Wanted::is_anything(request) {
            Documents::read(request, splits, &addresses, reading, way)?
        } else {
            Documents::none(addresses.len())
        };
        Ok(Answer {
            hits: found.hits,
            addresses,
            total: found
                .total
                .map(|total| total.saturating_add(self.known.matches)),
            max_score: found.max_score,
            matched,
            by_segment: found.by_segment,
            aggregations: aggregations.transpose()?,
            documents,
            reading_documents: started.elapsed(),
        })
    }

    /// The response, without its times.
    pub(super) fn respond(&self, answer: Answer, mut report: SearchReport) -> SearchResponse {
        let hits = answer
            .hits
            .into_iter()
            .zip(answer.addresses)
            .zip(answer.documents.into_fetched())
            .zip(answer.matched)
            .map(|(((hit, (split, address)), fetched), matched)| Hit {
                index: self.splits[split].split.path().to_string(),
                id: format!("{}:{}", address.segment_ord, address.doc_id),
                score: hit.score,
                source: fetched.source,
                fields: fetched.fields,
                highlight: fetched.highlight,
                matched_queries: matched,
                sort: hit.sort,
            });
        report.remembered_splits = self.known.splits;
        let splits = self.splits.len() + self.known.splits;
        SearchResponse {
            took: 0,
            timed_out: false,
            shards: Shards {
                total: splits,
                successful: splits,
                skipped: self.known.splits,
                failed: 0,
            },
            hits: Hits {
                total: total(&self.request, answer.total),
                max_score: answer.max_score,
                hits: hits.collect(),
            },
            aggregations: answer.aggregations,
            report,
        }
    }
}

fn total(request: &SearchRequest, counted: Option<u64>) -> Option<Total> {
    let value = counted?;
    match request.total_hits() {
        TrackTotalHits::Not => None,
        TrackTotalHits::UpTo(limit) if value > limit => Some(Total {
            value: limit,
            relation: "gte",
        }),
        TrackTotalHits::Exactly | TrackTotalHits::UpTo(_) => Some(Total {
            value,
            relation: "eq",
        }),
    }
}
