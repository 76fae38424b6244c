//! What of a search runs on the pool, in one go: hits, their names, aggregations, and as much of
//! what the hits bring as is in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tantivy::DocAddress;
use tantivy::aggregation::AggregationLimitsGuard;

use super::aggregate::{self, AggregationsOf};
use super::collect::SegmentNumbers;
use super::documents::{Documents, Wanted, Way};
use super::hits;
use super::known::{self, Known};
use super::matched;
use super::page::{Page, PageHit};
use super::prepared::Prepared;
use super::reading::Reading;
use super::report::SearchReport;
use super::response::{Hit, Hits, SearchResponse, Shards, Total};
use crate::error::Result;
use crate::filter::{SearchRequest, TrackTotalHits};
use crate::split::SplitAddress;

/// What splits are asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) request: Arc<SearchRequest>,
    pub(super) limits: AggregationLimitsGuard,
    /// How many buckets may be returned.
    pub(super) buckets: u32,
    /// What is known beforehand.
    pub(super) known: Known,
}

/// What they answer.
pub(super) struct Answer {
    hits: Vec<PageHit>,
    /// By hit: the path of its split.
    paths: Vec<String>,
    total: Option<u64>,
    max_score: Option<f32>,
    /// By hit: the names of the clauses it matched.
    matched: Vec<Vec<String>>,
    aggregations: Option<Value>,
    /// How many matches there are in splits, by their places, where all were counted.
    pub(super) counted: Vec<(usize, u64)>,
    /// By hit, as far as it was read.
    pub(super) documents: Documents,
    /// How long reading them took.
    pub(super) reading_documents: Duration,
}

impl Asked {
    /// The page before any split is searched.
    pub(super) fn page(&self) -> Page {
        let matches = self.known.matches;
        Page {
            // Where nothing is counted, nothing is known.
            total: (matches > 0).then_some(matches),
            ..Page::default()
        }
    }

    /// Searches `splits`, which stand behind those that were searched for the page, and adds what
    /// they answer to it.
    pub(super) fn search(
        &self,
        splits: &[Prepared],
        page: &mut Page,
        reading: &Reading,
    ) -> Result<()> {
        let request = &*self.request;
        for split in splits {
            request.check_fetch(split.split().index())?;
        }
        let numbers = SegmentNumbers::starting_at(page.segments, splits);
        let aggregates = !request.aggregated().is_empty();
        let aggregations =
            aggregates.then(|| AggregationsOf::new(splits, &numbers, self.limits.clone()));
        let mut way = hits::Way::of(request).after(page.total);
        if self.known.remembers.is_some() {
            way = way.by_segment(aggregates);
        }
        let found = hits::found(splits, &numbers, &way, aggregations.transpose()?, reading)?;
        if self.known.remembers.is_some() {
            let counted = known::by_split(splits, &numbers, &found.by_segment);
            page.counted.extend(counted);
        }
        page.add(found, splits, &numbers, &way);
        Ok(())
    }

    /// Makes the answer of a page, for which `splits` were searched: all of them, in the order
    /// given. `check` is asked whether all that was read is true before anything is made of it.
    pub(super) fn answer(
        &self,
        splits: &[Prepared],
        page: Page,
        reading: &Reading,
        way: Way,
        check: impl FnOnce() -> Result<()>,
    ) -> Result<Box<Answer>> {
        let request = &*self.request;
        let max_score = page.max_score(request);
        let mut hits = page.hits;
        hits.drain(..request.offset().min(hits.len()));
        let addresses: Vec<(usize, DocAddress)> = hits
            .iter()
            .map(|hit| {
                // The splits searched may be fewer than those given.
                let at = splits.partition_point(|split| split.place < hit.place);
                (at, hit.address)
            })
            .collect();
        let matched = matched::names(splits, &addresses, reading)?;
        check()?;
        let aggregations = (!request.aggregated().is_empty()).then(|| {
            let merged = aggregate::merged(
                request.aggregated(),
                splits,
                self.known.after,
                page.aggregated,
            )?;
            aggregate::results(request.aggregated(), merged, self.buckets)
        });

        let started = Instant::now();
        let documents = if Wanted::is_anything(request) {
            Documents::read(request, splits, &addresses, reading, way)?
        } else {
            Documents::none(addresses.len())
        };
        let path = |&(at, _): &(usize, DocAddress)| splits[at].split().path().to_string();
        // Boxed, for it goes from hand to hand.
        Ok(Box::new(Answer {
            hits,
            paths: addresses.iter().map(path).collect(),
            total: page.total,
            max_score,
            matched,
            counted: page.counted,
            aggregations: aggregations.transpose()?,
            documents,
            reading_documents: started.elapsed(),
        }))
    }

    /// The response, without its times.
    pub(super) fn respond(&self, answer: Box<Answer>, mut report: SearchReport) -> SearchResponse {
        let hits = answer
            .hits
            .into_iter()
            .zip(answer.paths)
            .zip(answer.documents.into_fetched())
            .zip(answer.matched)
            .map(|(((hit, index), fetched), matched)| Hit {
                index,
                id: hit.id(),
                score: hit.key.score,
                source: fetched.source,
                fields: fetched.fields,
                highlight: fetched.highlight,
                matched_queries: matched,
                sort: hit.key.sort,
            });
        report.remembered_splits = self.known.splits;
        let skipped = report.given_up_splits + report.remembered_splits;
        let splits = report.splits + skipped;
        SearchResponse {
            took: 0,
            timed_out: false,
            shards: Shards {
                total: splits,
                successful: splits,
                skipped,
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

    /// The hits that a page has so far, of the splits given, without what they bring.
    pub(super) fn hits_so_far(&self, page: &Page, splits: &[SplitAddress]) -> Hits {
        let request = &self.request;
        let page_hits = page.hits.iter().skip(request.offset());
        let hits = page_hits.map(|hit| Hit {
            index: splits[hit.place].path().to_string(),
            id: hit.id(),
            score: hit.key.score,
            source: None,
            fields: None,
            highlight: None,
            matched_queries: Vec::new(),
            sort: hit.key.sort.clone(),
        });
        let total = total(request, page.total);
        Hits {
            total: total.map(|Total { value, .. }| Total {
                value,
                relation: "gte",
            }),
            max_score: page.max_score(request),
            hits: hits.collect(),
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
