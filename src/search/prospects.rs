//! Which splits can still have a part in an answer: told from the hits found so far, from the order
//! in which the splits were given, and from what a catalogue knows of their columns.

use std::cmp::Ordering;

use super::page::{Page, PageHit};
use crate::filter::{
    Clause, Missing, SearchRequest, Sort, SortKey, SortOrder, SortValue, TrackTotalHits,
};
use crate::split::SplitAddress;

/// How a request can be searched split by split.
pub(super) struct Prospects<'a> {
    request: &'a SearchRequest,
    splits: &'a [SplitAddress],
    /// Whether no split can be searched before those in front of it: numbers of segments are part
    /// of the answer, or decide about it.
    pub(super) is_in_order: bool,
    /// Whether an answer may be complete without all splits.
    gives_up: bool,
}

impl<'a> Prospects<'a> {
    /// Nothing where the score of a hit depends on all splits: they are to be searched at once.
    pub(super) fn of(request: &'a SearchRequest, splits: &'a [SplitAddress]) -> Option<Self> {
        let clause = request.filter().clause();
        let alike = request.sorts().is_empty() && clause.is_some_and(Clause::scores_alike);
        if request.is_scored() && !alike {
            return None;
        }
        let aggregates = !request.aggregated().is_empty();
        let by_doc = request.sorts().iter().any(|sort| sort.key == SortKey::Doc);
        Some(Self {
            request,
            splits,
            // Buckets are merged in the order of segments, and `top_hits` breaks ties by it.
            is_in_order: aggregates || by_doc,
            // Words of highlights weigh by how rare they are in all splits.
            gives_up: !aggregates
                && request.highlighted().is_empty()
                && request.total_hits() != TrackTotalHits::Exactly,
        })
    }

    /// The order in which splits are warmed: first those that are needed whatever the others have,
    /// then those whose best hit may be the best.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.splits.len()).collect();
        if self.is_in_order || !self.gives_up {
            return order;
        }
        let Some(sort) = self.request.sorts().first() else {
            return order;
        };
        let best = order.iter().map(|&place| self.best(place, sort));
        let best: Vec<Option<SortValue>> = best.collect();
        order.sort_by(|&left, &right| match (&best[left], &best[right]) {
            (Some(left), Some(right)) => sort.compare(right, left),
            (left, right) => left.is_some().cmp(&right.is_some()),
        });
        order
    }

    /// Whether a split is needed whatever the others have.
    pub(super) fn is_needed(&self, place: usize) -> bool {
        if !self.gives_up {
            return true;
        }
        match self.request.sorts().first() {
            _ if self.request.hits_wanted() == 0 => false,
            None => false,
            Some(Sort {
                key: SortKey::Doc,
                order,
                ..
            }) => *order == SortOrder::Descending,
            // That a page is full of documents without a value is rare.
            Some(sort) => sort.missing == Missing::First || self.best(place, sort).is_none(),
        }
    }

    /// Of the splits that were not searched for a page, whether this one is of no use: neither its
    /// hits nor their number can be part of the answer.
    pub(super) fn is_useless(&self, place: usize, page: &Page) -> bool {
        self.gives_up && self.is_counted(page) && !self.may_have_hits(place, page)
    }

    fn is_counted(&self, page: &Page) -> bool {
        match self.request.total_hits() {
            TrackTotalHits::Exactly => false,
            TrackTotalHits::Not => true,
            TrackTotalHits::UpTo(limit) => page.total.is_some_and(|total| total > limit),
        }
    }

    fn may_have_hits(&self, place: usize, page: &Page) -> bool {
        if self.request.hits_wanted() == 0 {
            return false;
        }
        let limit = self.request.offset() + self.request.hits_wanted();
        match page.hits.get(limit - 1) {
            None => true,
            Some(last) => self.may_beat(place, last),
        }
    }

    /// Whether the best hit that a split can have may stand before one of another split.
    fn may_beat(&self, place: usize, last: &PageHit) -> bool {
        for (sort, value) in self.request.sorts().iter().zip(&last.key.sort) {
            match self.compare(place, sort, last.place, value) {
                Some(Ordering::Equal) => {}
                Some(order) => return order == Ordering::Greater,
                None => return true,
            }
        }
        // All else equal, as scores are here, hits stand in the order of splits.
        place < last.place
    }

    /// How the best that a split can have by one key compares with a hit; the greater one is
    /// better. Nothing where that is not known.
    fn compare(&self, place: usize, sort: &Sort, of: usize, value: &SortValue) -> Option<Ordering> {
        if sort.key == SortKey::Doc {
            let order = place.cmp(&of);
            return Some(match sort.order {
                SortOrder::Ascending => order.reverse(),
                SortOrder::Descending => order,
            });
        }
        let best = self.best(place, sort)?;
        let null = SortValue::Null;
        // The same name may be of another type in another split.
        if best != null && *value != null && !best.is_like(value) {
            return None;
        }
        Some(sort.compare(&best, value))
    }

    /// No value of a split is better by this key, nor is there a better one for lack of a value.
    fn best(&self, place: usize, sort: &Sort) -> Option<SortValue> {
        let SortKey::Field(field) = &sort.key else {
            return None;
        };
        if sort.missing == Missing::First {
            // Bounds do not tell whether all documents have a value.
            return Some(SortValue::Null);
        }
        let bounds = self.splits[place].bounds(field)?;
        Some(match sort.order {
            SortOrder::Ascending => bounds.min.clone(),
            SortOrder::Descending => bounds.max.clone(),
        })
    }
}
