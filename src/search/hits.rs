use std::cmp::Ordering;
use std::sync::Arc;

use tantivy::DocAddress;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::collector::sort_key::{Comparator, SortKeyComputer};
use tantivy::collector::{Collector, Count, TopDocs};

use super::after::After;
use super::aggregate::AggregationsOf;
use super::collect::{Hopeless, SegmentNumbers, collect};
use super::count::{BySegment, CountOnly, Nothing, UpTo};
use super::in_order::InOrder;
use super::prepared::Prepared;
use super::reading::Reading;
use super::sort::{MAX_SORT_KEYS, SortBy};
use crate::error::Result;
use crate::filter::{SearchRequest, Sort, SortKey, SortValue, TrackTotalHits};

/// The best matches of some splits, documents not fetched yet, with addresses over all segments.
#[derive(Default)]
pub(super) struct Found {
    pub(super) hits: Vec<FoundHit>,
    pub(super) total: Option<u64>,
    /// How many matches there are in segments, in their order, where that was counted one by one.
    pub(super) by_segment: Vec<(u32, u64)>,
    /// By segment.
    pub(super) aggregated: Vec<IntermediateAggregationResults>,
}

#[derive(Debug)]
pub(super) struct FoundHit {
    pub(super) address: DocAddress,
    pub(super) key: HitKey,
}

/// By what a hit has its place among others.
#[derive(Debug)]
pub(super) struct HitKey {
    pub(super) score: Option<f32>,
    pub(super) sort: Vec<SortValue>,
}

/// How the hits of a request are collected: each way is a collector of its own type, so that what
/// a request does not ask for costs nothing.
pub(super) struct Way {
    count: Counting,
    hits: Hits,
}

/// How matches are counted.
#[derive(Clone, Copy)]
enum Counting {
    All,
    /// Segment by segment, as long as there are no more than so many.
    BySegment(u64),
    Not,
    UpTo(u64),
}

enum Hits {
    None,
    Score {
        limit: usize,
    },
    Sort {
        limit: usize,
        by: Arc<[Sort]>,
        score_at: Option<usize>,
        after: Option<Arc<[SortValue]>>,
    },
}

impl Way {
    pub(super) fn of(request: &SearchRequest) -> Self {
        let limit = request.offset() + request.hits_wanted();
        let hits = match request.sorts() {
            _ if request.hits_wanted() == 0 => Hits::None,
            [] => Hits::Score { limit },
            sorts => Hits::Sort {
                limit,
                by: sorts.into(),
                score_at: sorts.iter().position(|sort| sort.key == SortKey::Score),
                after: request.place().map(Into::into),
            },
        };
        let count = match request.total_hits() {
            TrackTotalHits::Exactly => Counting::All,
            TrackTotalHits::Not => Counting::Not,
            // A sort by columns goes through all matches anyway, and so do aggregations.
            TrackTotalHits::UpTo(_) if matches!(hits, Hits::Sort { .. }) => Counting::All,
            TrackTotalHits::UpTo(_) if !request.aggregated().is_empty() => Counting::All,
            TrackTotalHits::UpTo(limit) => Counting::UpTo(limit),
        };
        Self { count, hits }
    }

    /// The same way, where so many matches were counted before, in other splits.
    pub(super) fn after(mut self, counted: Option<u64>) -> Self {
        if let (Counting::UpTo(limit), Some(counted)) = (self.count, counted) {
            self.count = match limit.checked_sub(counted) {
                Some(left) => Counting::UpTo(left),
                // It is known that there are more.
                None => Counting::Not,
            };
        }
        self
    }

    /// The same way, counting segment by segment where that costs nothing: what goes through all
    /// matches anyway counts them too, though nobody asked.
    pub(super) fn by_segment(mut self, aggregates: bool) -> Self {
        let goes_through_all = aggregates || matches!(self.hits, Hits::Sort { .. });
        self.count = match self.count {
            Counting::All => Counting::BySegment(u64::MAX),
            Counting::Not if goes_through_all => Counting::BySegment(u64::MAX),
            Counting::UpTo(limit) if matches!(self.hits, Hits::None) => Counting::BySegment(limit),
            other => other,
        };
        self
    }

    /// How many hits are wanted, those that are passed over among them.
    pub(super) fn limit(&self) -> usize {
        match self.hits {
            Hits::None => 0,
            Hits::Score { limit } | Hits::Sort { limit, .. } => limit,
        }
    }

    /// Puts the better of two keys first. Equal ones stand in the order of the index.
    pub(super) fn compare(&self, left: &HitKey, right: &HitKey) -> Ordering {
        match &self.hits {
            Hits::None => Ordering::Equal,
            Hits::Score { .. } => {
                let score = |key: &HitKey| key.score.unwrap_or_default();
                score(right).total_cmp(&score(left))
            }
            Hits::Sort { by, .. } => Sort::compare_all(by, &left.sort, &right.sort).reverse(),
        }
    }
}

/// The collector of hits by score.
fn by_score(limit: usize) -> impl Collector<Fruit = Vec<(f32, DocAddress)>> {
    let collector = TopDocs::with_limit(limit).order_by_score();
    InOrder::new(collector, limit, |left: &f32, right: &f32| {
        right.total_cmp(left)
    })
}

/// The collector of hits by a sort.
fn by_sort<const KEYS: usize>(
    limit: usize,
    by: SortBy<KEYS>,
) -> impl Collector<Fruit = Vec<(Vec<SortValue>, DocAddress)>> {
    let comparator = by.comparator();
    let compare = move |left: &Vec<SortValue>, right: &Vec<SortValue>| {
        comparator.compare(left, right).reverse()
    };
    InOrder::new(TopDocs::with_limit(limit).order_by(by), limit, compare)
}

impl Found {
    fn counted(total: u64) -> Self {
        Self {
            total: Some(total),
            ..Self::default()
        }
    }

    fn counted_by_segment(by_segment: Vec<(u32, u64)>) -> Self {
        Self {
            total: Some(by_segment.iter().map(|(_, count)| count).sum()),
            by_segment,
            ..Self::default()
        }
    }

    fn from_scores(scores: Vec<(f32, DocAddress)>) -> Self {
        let hits = scores
            .into_iter()
            .map(|(score, address)| FoundHit {
                address,
                key: HitKey {
                    score: Some(score),
                    sort: Vec::new(),
                },
            })
            .collect();
        Self {
            hits,
            ..Self::default()
        }
    }

    fn from_sorted(sorted: Vec<(Vec<SortValue>, DocAddress)>, score_at: Option<usize>) -> Self {
        let hits = sorted
            .into_iter()
            .map(|(sort, address)| {
                let score = match score_at.and_then(|at| sort.get(at)) {
                    Some(SortValue::F64(score)) => Some(*score as f32),
                    _ => None,
                };
                FoundHit {
                    address,
                    key: HitKey { score, sort },
                }
            })
            .collect();
        Self {
            hits,
            ..Self::default()
        }
    }
}

/// Runs the collectors that the request's way of collecting takes, and what it aggregates, in
/// splits whose segments have these numbers.
pub(super) fn found(
    splits: &[Prepared],
    numbers: &SegmentNumbers,
    way: &Way,
    aggregations: Option<AggregationsOf>,
    reading: &Reading,
) -> Result<Found> {
    let search = Search {
        splits,
        numbers,
        aggregations,
        reading,
    };
    match &way.hits {
        Hits::None if search.aggregations.is_none() => match way.count {
            Counting::Not => Ok(Found::default()),
            Counting::All => search.run(CountOnly::up_to(u64::MAX), Found::counted),
            Counting::BySegment(limit) => {
                search.run(BySegment::up_to(limit), Found::counted_by_segment)
            }
            Counting::UpTo(limit) => search.run(CountOnly::up_to(limit), Found::counted),
        },
        Hits::None => search.counted(way.count, Nothing, |()| Found::default()),
        Hits::Score { limit } => search.counted(way.count, by_score(*limit), Found::from_scores),
        Hits::Sort {
            limit,
            by,
            score_at,
            after,
        } => {
            let order = Order {
                limit: *limit,
                by,
                score_at: *score_at,
                after: after.clone(),
            };
            match by.len() {
                1 => search.sorted::<1>(way.count, order),
                _ => search.sorted::<MAX_SORT_KEYS>(way.count, order),
            }
        }
    }
}

/// Which hits are wanted of an order.
struct Order<'a> {
    limit: usize,
    by: &'a [Sort],
    score_at: Option<usize>,
    after: Option<Arc<[SortValue]>>,
}

/// A search whose way of collecting hits is chosen.
struct Search<'a> {
    splits: &'a [Prepared<'a>],
    numbers: &'a SegmentNumbers,
    aggregations: Option<AggregationsOf>,
    reading: &'a Reading,
}

impl Search<'_> {
    /// Runs a collector of hits, beside that of the aggregations.
    fn run<C: Collector>(
        self,
        collector: C,
        found: impl FnOnce(C::Fruit) -> Found,
    ) -> Result<Found> {
        let (splits, numbers, reading) = (self.splits, self.numbers, self.reading);
        let Some(aggregations) = self.aggregations else {
            let hits = collect(splits, numbers, &collector, Hopeless::Skipped, reading)?;
            return Ok(found(hits));
        };
        let hopeless = aggregations.hopeless();
        let both = (collector, aggregations);
        let (hits, aggregated) = collect(splits, numbers, &both, hopeless, reading)?;
        Ok(Found {
            aggregated,
            ..found(hits)
        })
    }

    /// Counts beside the hits.
    fn counted<C: Collector>(
        self,
        count: Counting,
        collector: C,
        found: impl FnOnce(C::Fruit) -> Found,
    ) -> Result<Found> {
        match count {
            Counting::All => self.run((collector, Count), |(hits, total)| Found {
                total: Some(total as u64),
                ..found(hits)
            }),
            Counting::BySegment(limit) => {
                let both = (collector, BySegment::up_to(limit));
                self.run(both, |(hits, counts)| {
                    let counted = Found::counted_by_segment(counts);
                    Found {
                        total: counted.total,
                        by_segment: counted.by_segment,
                        ..found(hits)
                    }
                })
            }
            Counting::Not => self.run(collector, found),
            Counting::UpTo(limit) => self.run(UpTo::new(collector, limit), |(hits, total)| Found {
                total: Some(total),
                ..found(hits)
            }),
        }
    }

    /// Sorts by up to `KEYS` keys.
    fn sorted<const KEYS: usize>(self, count: Counting, order: Order<'_>) -> Result<Found> {
        let segments = self.splits.iter().flat_map(|prepared| {
            let readers = prepared.split().searcher().segment_readers();
            readers.iter().map(|reader| reader.segment_id())
        });
        let by = SortBy::<KEYS>::new(order.by, self.numbers.first(), segments);
        let top = by_sort(order.limit, by.clone());
        let found = |sorted| Found::from_sorted(sorted, order.score_at);
        match order.after {
            Some(place) => self.counted(count, After::new(by, place, top), found),
            None => self.counted(count, top, found),
        }
    }
}
