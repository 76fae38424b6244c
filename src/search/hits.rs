use std::sync::Arc;

use tantivy::DocAddress;
use tantivy::collector::{Collector, Count, TopDocs};

use super::sort::{SortBy, SortValue};
use crate::filter::{SearchRequest, Sort, SortKey, TrackTotalHits};

/// The best matches of all splits, documents not fetched yet, with addresses over all segments.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hits: Vec<FoundHit>,
    pub(super) total: Option<usize>,
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
pub(super) fn by_score(limit: usize) -> impl Collector<Fruit = Vec<(f32, DocAddress)>> {
    TopDocs::with_limit(limit).order_by_score()
}

/// The collector of hits by a sort.
pub(super) fn by_sort<const KEYS: usize>(
    limit: usize,
    by: SortBy<KEYS>,
) -> impl Collector<Fruit = Vec<(Vec<SortValue>, DocAddress)>> {
    TopDocs::with_limit(limit).order_by(by)
}

/// The collector of a number of matches.
pub(super) fn count() -> Count {
    Count
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
        Self { hits, total }
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
        Self { hits, total }
    }
}
