//! From the hits of all splits to a response: what they bring is fetched.

use std::sync::Arc;
use std::time::Instant;

use tantivy::DocAddress;

use super::aggregate;
use super::collect::SegmentNumbers;
use super::documents::{self, Fetched, Wanted};
use super::execute::{Joined, micros};
use super::highlight::Highlighter;
use super::hits::Found;
use super::options::{SearchOptions, Warming};
use super::report::SearchReport;
use super::response::{Hit, Hits, SearchResponse, Shards, Total};
use super::stored::StoredFields;
use crate::directory::{LateReads, ReadScope};
use crate::error::{ErrorKind, Result};
use crate::filter::{SearchRequest, SourceFilter, TrackTotalHits, bind_highlights};
use crate::pool;
use crate::warmup::{Warmer, Work};

impl Warmer {
    pub(super) async fn respond(
        &self,
        request: &SearchRequest,
        work: &Work,
        joined: Joined,
        found: Found,
        late: &Arc<LateReads>,
        options: &SearchOptions,
    ) -> Result<SearchResponse> {
        let numbers = SegmentNumbers::of(&joined.splits);
        let page = found.hits;
        let addresses: Vec<(usize, DocAddress)> =
            page.iter().map(|hit| numbers.locate(hit.address)).collect();

        let started = Instant::now();
        let mut report = joined.report.clone();
        report.then(late.traffic());
        let mut fetched = self
            .fetched(
                request,
                work,
                &joined,
                &addresses,
                late,
                options,
                &mut report,
            )
            .await?;
        report.late_reads = late.count();
        report.fetch_docs_us = micros(started.elapsed());
        fetched.resize_with(page.len(), Fetched::default);

        let hits = page
            .into_iter()
            .zip(addresses)
            .zip(fetched)
            .zip(found.matched)
            .map(|(((hit, (split, address)), fetched), matched)| Hit {
                index: joined.splits[split].split.path().to_string(),
                id: format!("{}:{}", address.segment_ord, address.doc_id),
                score: hit.score,
                source: fetched.source,
                fields: fetched.fields,
                highlight: fetched.highlight,
                matched_queries: matched,
                sort: hit.sort,
            })
            .collect();
        let aggregations = match found.aggregated {
            None => None,
            Some(collected) => {
                let (asked, buckets) = (request.clone(), self.settings().aggregation_buckets);
                let results = move || aggregate::results(asked.aggregated(), collected, buckets);
                Some(pool::run(self.pool(), results).await?)
            }
        };
        let splits = joined.splits.len();
        Ok(SearchResponse {
            took: 0,
            timed_out: false,
            shards: Shards {
                total: splits,
                successful: splits,
                skipped: 0,
                failed: 0,
            },
            hits: Hits {
                total: total(request, found.total),
                max_score: found.max_score,
                hits,
            },
            aggregations,
            report,
        })
    }

    /// Fetches what the hits of the page bring; nothing when they bring nothing.
    async fn fetched(
        &self,
        request: &SearchRequest,
        work: &Work,
        joined: &Joined,
        addresses: &[(usize, DocAddress)],
        late: &Arc<LateReads>,
        options: &SearchOptions,
        report: &mut SearchReport,
    ) -> Result<Vec<Fetched>> {
        let brings = *request.source_filter() != SourceFilter::None
            || !request.fetched_fields().is_empty()
            || !request.highlighted().is_empty();
        if !brings || addresses.is_empty() {
            return Ok(Vec::new());
        }
        let before = late.traffic();
        let wanted = self.wanted(request, joined, late, options).await?;
        if options.warming != Warming::Off {
            match documents::fetch(self, &wanted, addresses).await {
                // Too large to be held at once: one by one then.
                Err(error) if error.kind() == ErrorKind::Budget => {}
                Err(error) => return Err(error),
                Ok((fetched, traffic, read)) => {
                    let plans = joined.splits.iter().map(|split| split.plan.clone());
                    let brought = plans.zip(read);
                    let brought = brought.filter_map(|(plan, ranges)| Some((plan?, ranges?)));
                    self.note_documents(work, brought.collect());
                    report.then(late.traffic().since(before));
                    report.then(traffic);
                    return Ok(fetched);
                }
            }
        }
        let scope = ReadScope::search([].into(), self.on_miss(options), Arc::clone(late));
        let fetched = documents::read_on_demand(self, &wanted, addresses, scope).await?;
        report.then(late.traffic().since(before));
        Ok(fetched)
    }

    /// What hits bring, in the terms of each split.
    async fn wanted(
        &self,
        request: &SearchRequest,
        joined: &Joined,
        late: &Arc<LateReads>,
        options: &SearchOptions,
    ) -> Result<Vec<Arc<Wanted>>> {
        let leases: Vec<_> = joined
            .splits
            .iter()
            .zip(&joined.leases)
            .filter_map(|(split, lease)| Some((split.split.id(), Arc::clone(lease.as_ref()?))))
            .collect();
        // What a warmup left out cannot matter much: words weigh as if they were rare.
        let scope = if leases.len() == joined.splits.len() {
            ReadScope::probe(Arc::default(), leases)
        } else {
            ReadScope::search(leases, self.on_miss(options), Arc::clone(late))
        };
        let splits = joined.splits.clone();
        let request = request.clone();
        pool::run(self.pool(), move || {
            let wanted = splits.iter().map(|split| {
                let bound = bind_highlights(request.highlighted(), split.split.index())?;
                let highlighter = scope.enter(|| Highlighter::new(split, &splits, bound));
                Ok(Arc::new(Wanted {
                    split: Arc::clone(&split.split),
                    source: request.source_filter().clone(),
                    fields: request.fetched_fields().to_vec(),
                    stored: StoredFields::new(request.fetched_fields(), split.split.schema()),
                    highlighter,
                }))
            });
            wanted.collect()
        })
        .await
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
