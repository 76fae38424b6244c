use std::sync::Arc;

use tantivy::DocAddress;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::collector::{Collector, Count, TopDocs};

use super::aggregate::AggregationsOf;
use super::collect::{Hopeless, Prepared, collect};
use super::sort::{MAX_SORT_KEYS, SortBy, SortValue};
use crate::directory::ReadScope;
use crate::error::Result;
use crate::filter::{SearchRequest, Sort, SortKey, TrackTotalHits};

/// The best matches of all splits, documents not fetched yet, with addresses over all segments.
#[derive(Default)]
pub(super) struct Found {
    pub(super) hits: Vec<FoundHit>,
    pub(super) total: Option<usize>,
    pub(super) aggregated: Option<IntermediateAggregationResults>,
}

#[derive(Debug)]
pub(super) struct FoundHit {
    pub(super) address: DocAddress,
    pub(super) score: Option<f32>,
    pub(super) sort: Vec<SortValue>,
}

/// How the hits of a request are collected: each way is a collector of its own type, so that what
/// a request does not ask for costs nothing.
pub(super) enum Way {
    Count,
    Score {
        limit: usize,
        count: bool,
    },
    Sort {
        limit: usize,
        count: bool,
        by: Arc<[Sort]>,
        score_at: Option<usize>,
    },
}

impl Way {
    pub(super) fn of(request: &SearchRequest) -> Self {
        let limit = request.offset() + request.hits_wanted();
        let count = request.total_hits() != TrackTotalHits::Not;
        if request.hits_wanted() == 0 {
            return Self::Count;
        }
        if request.sorts().is_empty() {
            return Self::Score { limit, count };
        }
        let score_at = request
            .sorts()
            .iter()
            .position(|sort| sort.key == SortKey::Score);
        Self::Sort {
            limit,
            count,
            by: request.sorts().into(),
            score_at,
        }
    }
}

/// The collector of hits by score.
fn by_score(limit: usize) -> impl Collector<Fruit = Vec<(f32, DocAddress)>> {
    TopDocs::with_limit(limit).order_by_score()
}

/// The collector of hits by a sort.
fn by_sort<const KEYS: usize>(
    limit: usize,
    by: SortBy<KEYS>,
) -> impl Collector<Fruit = Vec<(Vec<SortValue>, DocAddress)>> {
    TopDocs::with_limit(limit).order_by(by)
}

impl Found {
    pub(super) fn from_scores(scores: Vec<(f32, DocAddress)>, total: Option<usize>) -> Self {
        let hits = scores
            .into_iter()
            .map(|(score, address)| FoundHit {
                address,
                score: Some(score),
                sort: Vec::new(),
            })
            .collect();
        Self {
            hits,
            total,
            aggregated: None,
        }
    }

    pub(super) fn from_sorted(
        sorted: Vec<(Vec<SortValue>, DocAddress)>,
        score_at: Option<usize>,
        total: Option<usize>,
    ) -> Self {
        let hits = sorted
            .into_iter()
            .map(|(sort, address)| {
                let score = match score_at.and_then(|at| sort.get(at)) {
                    Some(SortValue::F64(score)) => Some(*score as f32),
                    _ => None,
                };
                FoundHit {
                    address,
                    score,
                    sort,
                }
            })
            .collect();
        Self {
            hits,
            total,
            aggregated: None,
        }
    }
}

/// Runs the collectors that the request's way of collecting takes, and what it aggregates.
pub(super) fn found(
    splits: &[Prepared],
    way: Way,
    aggregations: Option<AggregationsOf>,
    scope: &Arc<ReadScope>,
) -> Result<Found> {
    let search = Search {
        splits,
        aggregations,
        scope,
    };
    match way {
        Way::Count => search.run(Count, |total| Found {
            total: Some(total),
            ..Found::default()
        }),
        Way::Score { limit, count: true } => search
            .run((by_score(limit), Count), |(scores, total)| {
                Found::from_scores(scores, Some(total))
            }),
        Way::Score {
            limit,
            count: false,
        } => search.run(by_score(limit), |scores| Found::from_scores(scores, None)),
        Way::Sort {
            limit,
            count,
            by,
            score_at,
        } => match by.len() {
            1 => search.sorted::<1>(limit, count, &by, score_at),
            _ => search.sorted::<MAX_SORT_KEYS>(limit, count, &by, score_at),
        },
    }
}

/// A search whose way of collecting hits is chosen.
struct Search<'a> {
    splits: &'a [Prepared],
    aggregations: Option<AggregationsOf>,
    scope: &'a Arc<ReadScope>,
}

impl Search<'_> {
    /// Runs a collector of hits, beside that of the aggregations.
    fn run<C: Collector>(
        self,
        collector: C,
        found: impl FnOnce(C::Fruit) -> Found,
    ) -> Result<Found> {
        let Some(aggregations) = self.aggregations else {
            return Ok(found(collect(
                self.splits,
                &collector,
                Hopeless::Skipped,
                self.scope,
            )?));
        };
        let both = (collector, aggregations);
        let (hits, aggregated) = collect(self.splits, &both, Hopeless::Seen, self.scope)?;
        Ok(Found {
            aggregated: Some(aggregated),
            ..found(hits)
        })
    }

    /// Sorts by up to `KEYS` keys.
    fn sorted<const KEYS: usize>(
        self,
        limit: usize,
        count: bool,
        by: &[Sort],
        score_at: Option<usize>,
    ) -> Result<Found> {
        let segments = self.splits.iter().flat_map(|prepared| {
            let readers = prepared.split.searcher().segment_readers();
            readers.iter().map(|reader| reader.segment_id())
        });
        let top = by_sort(limit, SortBy::<KEYS>::new(by, segments));
        if count {
            return self.run((top, Count), |(sorted, total)| {
                Found::from_sorted(sorted, score_at, Some(total))
            });
        }
        self.run(top, |sorted| Found::from_sorted(sorted, score_at, None))
    }
}
