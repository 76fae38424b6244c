//! Running one collector over the segments of all splits, on the pool.

use rayon::prelude::*;
use tantivy::DocAddress;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::query::{EmptyWeight, EnableScoring, Weight};

use super::prepared::Prepared;
use super::reading::Reading;
use super::statistics::GlobalStatistics;
use crate::directory::ReadScope;
use crate::error::{Error, Result};
use crate::filter::KeptTerms;
use crate::pool::guarded;
use crate::split::Split;

/// Numbers the segments of all splits in a row: the address of a document among all splits has
/// the number of its segment there, so that ties are broken by split, then segment, then document.
#[derive(Clone)]
pub(super) struct SegmentNumbers {
    /// The number of the first segment of each split, and one past the last.
    firsts: Vec<u32>,
}

impl SegmentNumbers {
    pub(super) fn of(splits: &[Prepared]) -> Self {
        Self::starting_at(0, splits)
    }

    /// Of splits that stand behind others, which have the numbers before `first`.
    pub(super) fn starting_at(first: u32, splits: &[Prepared]) -> Self {
        let mut next = first;
        let mut firsts = vec![first];
        for prepared in splits {
            next += prepared.split().num_segments() as u32;
            firsts.push(next);
        }
        Self { firsts }
    }

    /// The number of the first segment.
    pub(super) fn first(&self) -> u32 {
        self.firsts[0]
    }

    /// One past the number of the last segment.
    pub(super) fn end(&self) -> u32 {
        self.firsts[self.firsts.len() - 1]
    }

    /// Which split a segment is in.
    pub(super) fn split_of(&self, segment: u32) -> usize {
        // The first split begins with the first number, so one at least does so at or before any.
        self.firsts.partition_point(|&first| first <= segment) - 1
    }

    /// Which split an address is in, and the address in that split.
    pub(super) fn locate(&self, address: DocAddress) -> (usize, DocAddress) {
        let split = self.split_of(address.segment_ord);
        let segment = address.segment_ord - self.firsts[split];
        (split, DocAddress::new(segment, address.doc_id))
    }
}

/// What becomes of segments that are proven to hold no match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hopeless {
    /// The collector sees them, and no document of them: what it answers may depend on that, as
    /// the empty buckets of an aggregation do.
    Seen,
    /// They are left out.
    Skipped,
}

/// What the query of a split weighs.
enum Weighed<'a> {
    Kept(&'a dyn Weight),
    Now(Box<dyn Weight>),
}

impl Weighed<'_> {
    fn weight(&self) -> &dyn Weight {
        match self {
            Self::Kept(weight) => *weight,
            Self::Now(weight) => weight.as_ref(),
        }
    }
}

/// The place of the segment that takes longest, where that is plain to see before it is searched: of
/// a split where more than twice as much is leased as in the first, which is what is read of it; or,
/// where what expansions came to is kept of all, more than twice as much of that.
fn longest(splits: &[Prepared<'_>], segments: &[(usize, u32)]) -> Option<usize> {
    let kept = |at: usize| splits[at].kept_terms().map_or(0, KeptTerms::len);
    let leased = |at: usize| splits[at].warmed().map_or(0, |warmed| warmed.lease.bytes());
    // One that keeps nothing may have had no room for all that it came to.
    let all_kept = segments.iter().all(|&(at, _)| kept(at) > 0);
    let weight = |at: usize| if all_kept { kept(at) } else { leased(at) };
    let first = weight(segments.first()?.0);
    let (mut place, mut most) = (0, first);
    for (other, &(at, _)) in segments.iter().enumerate().skip(1) {
        let weight = weight(at);
        if weight > most {
            (place, most) = (other, weight);
        }
    }
    (most / 2 > first).then_some(place)
}

/// Searches all segments of all splits and merges what was collected. Runs on the calling thread,
/// which must be one of the pool's, and its siblings.
pub(super) fn collect<'s, C: Collector>(
    splits: &'s [Prepared<'_>],
    numbers: &SegmentNumbers,
    collector: &C,
    hopeless: Hopeless,
    reading: &Reading,
) -> Result<C::Fruit> {
    let scored = collector.requires_scoring();
    let statistics = scored.then(|| {
        let searchers = splits.iter().map(|split| split.split().searcher().clone());
        GlobalStatistics::new(searchers.collect())
    });
    let in_scope = |split: &Split, work: &mut (dyn FnMut() -> tantivy::Result<()> + Send)| {
        guarded(|| reading.enter(work))
            .and_then(|done| done.map_err(|error| Error::from_tantivy(split.path(), error)))
    };

    let kept = |prepared: &'s Prepared<'_>| prepared.weight().filter(|_| !scored);
    let weigh = |prepared: &'s Prepared<'_>| -> Result<Weighed<'s>> {
        let searcher = prepared.split().searcher();
        collector
            .check_schema(searcher.schema())
            .map_err(|error| Error::from_tantivy(prepared.split().path(), error))?;
        if let Some(kept) = kept(prepared) {
            return Ok(Weighed::Kept(kept));
        }
        let mut weighed = None;
        in_scope(prepared.split(), &mut || {
            let seen = statistics
                .as_ref()
                .map(|it| it.seen_from(searcher.schema()));
            let scoring = match &seen {
                Some(seen) => EnableScoring::enabled_from_statistics_provider(seen, searcher),
                None => EnableScoring::disabled_from_searcher(searcher),
            };
            weighed = Some(Weighed::Now(prepared.query().weight(scoring)?));
            Ok(())
        })?;
        weighed.ok_or_else(|| Error::new(crate::ErrorKind::Internal, "a query made no weight"))
    };
    // What takes no time is not worth the threads.
    let weights: Vec<Weighed<'_>> = match splits.iter().all(|split| kept(split).is_some()) {
        true => splits.iter().map(weigh).collect::<Result<_>>()?,
        false => splits.par_iter().map(weigh).collect::<Result<_>>()?,
    };

    let is_hopeless = |at: usize, segment: u32| {
        let known = splits[at].hopeless().get(segment as usize);
        known.is_some_and(|hopeless| *hopeless)
    };
    let mut segments: Vec<(usize, u32)> = splits
        .iter()
        .enumerate()
        .flat_map(|(at, split)| (0..split.split().num_segments() as u32).map(move |seg| (at, seg)))
        .filter(|&(at, segment)| hopeless == Hopeless::Seen || !is_hopeless(at, segment))
        .collect();
    let search = |&(at, segment): &(usize, u32)| {
        let split = splits[at].split();
        let mut fruit: Option<<C::Child as SegmentCollector>::Fruit> = None;
        in_scope(split, &mut || {
            let reader = split.searcher().segment_reader(segment);
            let number = numbers.firsts[at] + segment;
            let weight = if is_hopeless(at, segment) {
                &EmptyWeight
            } else {
                weights[at].weight()
            };
            let searched = || collector.collect_segment(weight, number, reader);
            // What a probe is shown is not all real, and who records reads wants to see all.
            let kept = splits[at].kept_terms().filter(|_| ReadScope::is_warm());
            fruit = Some(KeptTerms::enter(kept, searched)?);
            Ok(())
        })?;
        fruit.ok_or_else(|| Error::new(crate::ErrorKind::Internal, "a segment gave no fruit"))
    };
    // This thread searches the first one, others what they can take. It should not have to wait for
    // one of them: to be woken takes longer than many a search.
    let longest = longest(splits, &segments);
    if let Some(place) = longest {
        segments.swap(0, place);
    }
    let mut fruits = segments
        .par_iter()
        .map(search)
        .collect::<Result<Vec<_>>>()?;
    if let Some(place) = longest {
        fruits.swap(0, place);
    }
    guarded(|| reading.enter(|| collector.merge_fruits(fruits)))?
        .map_err(|error| Error::from_tantivy("the fruits of the segments", error))
}
