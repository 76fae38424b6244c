//! Splits of which it is remembered how many documents match, and what of that is of use.
//!
//! A search whose answer is a count adds up what is known. Any other leaves out the splits without
//! a match, where these change nothing: not where their words count in the scores of other splits,
//! or in how texts are shown; not where documents are numbered over all segments; and not where
//! aggregations see segments without matches. What is left out is neither opened nor warmed.

use std::borrow::Cow;

use super::answer::{Answer, Asked};
use super::collect::SegmentNumbers;
use super::gathered::{Gathered, Place};
use super::options::{SearchOptions, Warming};
use super::prepared::Prepared;
use crate::filter::{SearchRequest, SortKey, TrackTotalHits};
use crate::split::SplitAddress;
use crate::warmup::{Warmer, Work};

/// What is known of a search before it begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// What is worth being counted; nothing where nothing is to be remembered.
    pub(super) remembers: Option<Worth>,
    /// How many splits are left out.
    pub(super) splits: usize,
    /// How many documents match in these.
    pub(super) matches: u64,
    /// How many of the other splits stand before the last that is left out.
    pub(super) after: Option<usize>,
}

/// Which counts of a request are of use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Worth {
    /// Every one: they are the answer.
    Counts,
    /// That nothing matches, since such a split can be left out.
    Empty,
    /// That nothing matches, for those who order and route splits; they are searched all the same.
    Told,
}

impl Worth {
    fn of(request: &SearchRequest) -> Self {
        let aggregations = request.aggregated();
        let tracks = request.total_hits() != TrackTotalHits::Not;
        let by_number = request.sorts().iter().any(|sort| sort.key == SortKey::Doc);
        match request.hits_wanted() {
            _ if aggregations.sees_all() => Self::Told,
            0 if aggregations.is_empty() && tracks => Self::Counts,
            0 => Self::Empty,
            _ if request.is_scored() || by_number || !request.highlighted().is_empty() => {
                Self::Told
            }
            _ => Self::Empty,
        }
    }

    /// Whether a split with so many matches need not be searched.
    fn leaves_out(self, count: u64) -> bool {
        match self {
            Self::Counts => true,
            Self::Empty => count == 0,
            Self::Told => false,
        }
    }
}

impl Warmer {
    /// The splits that are to be searched, and what is known of the others.
    pub(super) fn known<'s>(
        &self,
        splits: &'s [SplitAddress],
        request: &SearchRequest,
        work: &Work,
        options: &SearchOptions,
    ) -> (Cow<'s, [SplitAddress]>, Known) {
        let wanted = self.settings().results.enabled && options.warming != Warming::Off;
        let mut known = Known::default();
        if !options.results.unwrap_or(wanted) || work.wording().is_none() {
            return (splits.into(), known);
        }
        let worth = Worth::of(request);
        known.remembers = Some(worth);
        if worth == Worth::Told {
            return (splits.into(), known);
        }
        // Copied only where any is left out.
        let mut rest: Option<Vec<SplitAddress>> = None;
        for (place, split) in splits.iter().enumerate() {
            let count = self.remembered(split, work);
            let left_out = count.filter(|count| worth.leaves_out(*count));
            match left_out {
                Some(count) => {
                    let rest = rest.get_or_insert_with(|| splits[..place].to_vec());
                    known.after = Some(rest.len());
                    known.splits += 1;
                    known.matches = known.matches.saturating_add(count);
                }
                None => rest.iter_mut().for_each(|rest| rest.push(split.clone())),
            }
        }
        self.count_remembered(known.splits);
        (rest.map_or(splits.into(), Cow::from), known)
    }

    /// Remembers what a search counted of each of its splits, as far as that is of use.
    pub(super) fn remember_counts(
        &self,
        work: &Work,
        asked: &Asked,
        splits: &Gathered,
        answer: &Answer,
    ) {
        let Some(worth) = asked.known.remembers else {
            return;
        };
        let is_worthy = |count: u64| count == 0 || worth == Worth::Counts;
        if !answer.counted.iter().any(|&(_, count)| is_worthy(count)) {
            return;
        }
        let places = splits.places();
        for &(place, count) in &answer.counted {
            let at = places.binary_search_by_key(&place, |split| split.place);
            if let (Ok(at), true) = (at, is_worthy(count)) {
                let Place { split, warmed, .. } = &places[at];
                self.remember(split, work, count, warmed.as_deref());
            }
        }
    }
}

/// How many documents match in each split, by its place, where all its segments, which have these
/// numbers, were counted or are proven to hold no match.
pub(super) fn by_split(
    splits: &[Prepared],
    numbers: &SegmentNumbers,
    by_segment: &[(u32, u64)],
) -> Vec<(usize, u64)> {
    let mut counted = by_segment.iter().peekable();
    let mut numbers = numbers.first()..;
    let splits = splits.iter().filter_map(|prepared| {
        let mut count = Some(0);
        for (segment, number) in (0..prepared.split().num_segments()).zip(&mut numbers) {
            let found = counted.next_if(|(counted, _)| *counted == number);
            let hopeless = prepared.hopeless().get(segment) == Some(&true);
            let here = found.map(|(_, count)| *count).or(hopeless.then_some(0));
            count = count.zip(here).map(|(count, here)| count + here);
        }
        Some((prepared.place, count?))
    });
    splits.collect()
}
