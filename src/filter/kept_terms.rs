//! What expansions came to in the segments of a split, kept with its warmup.
//!
//! To expand a clause is to decode blocks of a dictionary: most of what a warm search of a pattern
//! does. What it comes to in a segment never changes, so that searches after the first one only
//! read the postings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use scoped_tls::scoped_thread_local;
use serde::{Deserialize, Serialize};
use tantivy::TantivyError;
use tantivy::index::SegmentId;
use tantivy::postings::TermInfo;

use super::expansion::Expanding;

/// Of one split no more than so many expansions of one segment each are kept: they are looked through.
const MOST_EXPANSIONS: usize = 64;

/// Bytes that a term takes at least, where its postings stand beside those of the term before.
const TERM_BYTES: u64 = 2;

scoped_thread_local! {
    /// Of the split that this thread searches.
    static KEPT: KeptTerms
}

/// The terms of a few expansions in one split. To find them takes no lock.
#[derive(Default)]
pub(crate) struct KeptTerms {
    /// Filled from the front.
    expansions: Box<[OnceLock<Kept>]>,
    /// Bytes that terms may take.
    room: u64,
    /// Those of them that none takes yet.
    left: AtomicU64,
}

/// The terms of one expansion in one segment.
struct Kept {
    of: Arc<Expanding>,
    segment: SegmentId,
    terms: Terms,
}

/// Terms in their order, of each a [`Step`], and after that the bytes between its postings and those
/// before, if there are any. Most take two bytes.
struct Terms(Box<[u8]>);

/// A term, after the one before it.
#[derive(Deserialize, Serialize)]
struct Step {
    /// Twice the bytes of its postings, and one more where a gap comes before them.
    postings: u64,
    doc_freq: u32,
}

impl KeptTerms {
    /// Room for so many expansions of one segment each, of `room` bytes together.
    pub(crate) fn with_room(expansions: usize, room: u64) -> Self {
        let expansions = expansions.min(MOST_EXPANSIONS);
        let room = if expansions == 0 { 0 } else { room };
        Self {
            expansions: (0..expansions).map(|_| OnceLock::new()).collect(),
            room,
            left: AtomicU64::new(room),
        }
    }

    /// Whether it is made to keep anything.
    pub(crate) fn has_room(&self) -> bool {
        !self.expansions.is_empty()
    }

    /// Bytes that it takes at most.
    pub(crate) fn weight(&self) -> u64 {
        self.room + size_of_val(&*self.expansions) as u64
    }

    /// Bytes of the terms that are kept.
    pub(crate) fn len(&self) -> u64 {
        self.room - self.left.load(Ordering::Relaxed)
    }

    /// Runs `work` on this thread, which then finds in `kept` what is kept and keeps there what it
    /// expands; without it, nothing is found or kept.
    pub(crate) fn enter<T>(kept: Option<&Self>, work: impl FnOnce() -> T) -> T {
        match kept {
            Some(kept) => KEPT.set(kept, work),
            None if KEPT.is_set() => KEPT.set(&Self::default(), work),
            None => work(),
        }
    }

    /// Visits the terms of an expansion in a segment: those that are kept, or those that `expand`
    /// answers with, which are kept where this thread may do so.
    pub(super) fn visit(
        of: &Arc<Expanding>,
        segment: SegmentId,
        expand: impl FnOnce() -> tantivy::Result<Vec<TermInfo>>,
        visit: impl FnMut(&TermInfo) -> tantivy::Result<()>,
    ) -> tantivy::Result<()> {
        if !KEPT.is_set() {
            return expand()?.iter().try_for_each(visit);
        }
        KEPT.with(|kept| {
            if let Some(terms) = kept.find(of, segment) {
                return terms.visit(visit);
            }
            let terms = expand()?;
            kept.keep(of, segment, &terms);
            terms.iter().try_for_each(visit)
        })
    }

    fn find(&self, of: &Arc<Expanding>, segment: SegmentId) -> Option<&Terms> {
        let mut kept = self.expansions.iter().map_while(OnceLock::get);
        kept.find(|kept| kept.is(of, segment))
            .map(|kept| &kept.terms)
    }

    /// Keeps terms, where there is room and they are not kept yet.
    fn keep(&self, of: &Arc<Expanding>, segment: SegmentId, terms: &[TermInfo]) {
        let is_full = self.expansions.iter().all(|one| one.get().is_some());
        if is_full || TERM_BYTES * terms.len() as u64 > self.left.load(Ordering::Relaxed) {
            return;
        }
        let Some(terms) = Terms::of(terms) else {
            return;
        };
        let bytes = terms.0.len() as u64;
        let take = |left: u64| left.checked_sub(bytes);
        let (set, fetched) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.left.fetch_update(set, fetched, take).is_err() {
            return;
        }
        let mut kept = Kept {
            of: Arc::clone(of),
            segment,
            terms,
        };
        for place in &self.expansions {
            match place.set(kept) {
                Ok(()) => return,
                Err(refused) => kept = refused,
            }
            // Searches at the same moment expand the same.
            if place.get().is_some_and(|there| there.is(of, segment)) {
                break;
            }
        }
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Kept {
    fn is(&self, of: &Arc<Expanding>, segment: SegmentId) -> bool {
        Arc::ptr_eq(&self.of, of) && self.segment == segment
    }
}

impl Terms {
    /// None for postings in another order than their terms.
    fn of(infos: &[TermInfo]) -> Option<Self> {
        let (mut terms, mut at) = (Vec::new(), 0);
        for info in infos {
            let range = &info.postings_range;
            let gap = range.start.checked_sub(at)?;
            let bytes = range.end.checked_sub(range.start)? as u64;
            let step = Step {
                postings: bytes.checked_mul(2)? + u64::from(gap > 0),
                doc_freq: info.doc_freq,
            };
            terms = postcard::to_extend(&step, terms).ok()?;
            if gap > 0 {
                terms = postcard::to_extend(&gap, terms).ok()?;
            }
            at = range.end;
        }
        Some(Self(terms.into()))
    }

    /// Visits the terms, without their positions, which no expansion reads.
    fn visit(
        &self,
        mut visit: impl FnMut(&TermInfo) -> tantivy::Result<()>,
    ) -> tantivy::Result<()> {
        let (mut left, mut at) = (&*self.0, 0);
        while !left.is_empty() {
            let step: Step = take(&mut left)?;
            if step.postings % 2 == 1 {
                at += take::<usize>(&mut left)?;
            }
            let start = at;
            at += (step.postings / 2) as usize;
            visit(&TermInfo {
                doc_freq: step.doc_freq,
                postings_range: start..at,
                positions_range: 0..0,
            })?;
        }
        Ok(())
    }
}

/// Takes a value from the front of `left`.
fn take<'a, T: Deserialize<'a>>(left: &mut &'a [u8]) -> tantivy::Result<T> {
    let (value, rest) = postcard::take_from_bytes(left)
        .map_err(|error| TantivyError::InternalError(error.to_string()))?;
    *left = rest;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::Bound;

    use proptest::prelude::*;
    use tantivy::schema::Field;

    use super::*;
    use crate::filter::ExpansionSettings;
    use crate::filter::expansion::Expansion;

    fn expansion() -> Arc<Expanding> {
        let all = Expansion::Range(Bound::Unbounded, Bound::Unbounded);
        let field = Field::from_field_id(0);
        Arc::new(Expanding::new(field, all, ExpansionSettings::default()))
    }

    fn infos(terms: usize) -> Vec<TermInfo> {
        let info = |at: usize| TermInfo {
            doc_freq: at as u32 + 1,
            postings_range: at * 7..at * 7 + 7,
            positions_range: at..at + 1,
        };
        (0..terms).map(info).collect()
    }

    /// The postings that are visited, and whether the terms were expanded for that.
    fn visited(of: &Arc<Expanding>, segment: SegmentId, terms: usize) -> (Vec<(u32, u64)>, bool) {
        let (mut seen, expanded) = (Vec::new(), Cell::new(false));
        let expand = || {
            expanded.set(true);
            Ok(infos(terms))
        };
        let visit = |info: &TermInfo| {
            assert_eq!(info.postings_range.len(), 7);
            seen.push((info.doc_freq, info.postings_range.start as u64));
            Ok(())
        };
        KeptTerms::visit(of, segment, expand, visit).unwrap();
        (seen, expanded.get())
    }

    #[test]
    fn an_expansion_is_expanded_once_in_each_segment() {
        let kept = KeptTerms::with_room(4, 1 << 10);
        let (one, other) = (expansion(), expansion());
        let (here, there) = (SegmentId::generate_random(), SegmentId::generate_random());
        let all = vec![(1, 0), (2, 7), (3, 14)];
        KeptTerms::enter(Some(&kept), || {
            for (of, segment) in [(&one, here), (&one, there), (&other, here)] {
                assert_eq!(visited(of, segment, 3), (all.clone(), true));
                assert_eq!(visited(of, segment, 3), (all.clone(), false));
            }
            assert_eq!(visited(&other, there, 0), (Vec::new(), true));
            assert_eq!(visited(&other, there, 0), (Vec::new(), false));
        });
        // Outside of a search nobody keeps or finds anything, nor in one that keeps nothing.
        assert_eq!(visited(&one, here, 3), (all.clone(), true));
        KeptTerms::enter(Some(&kept), || {
            KeptTerms::enter(None, || {
                assert_eq!(visited(&one, here, 3), (all.clone(), true))
            });
            assert_eq!(visited(&one, here, 3), (all, false));
        });
    }

    proptest! {
        #[test]
        fn kept_terms_are_those_that_were_found(
            terms in prop::collection::vec((0_usize..3, 0_usize..1 << 40, any::<u32>()), 0..40),
        ) {
            let mut at = 0;
            let infos: Vec<TermInfo> = terms
                .into_iter()
                .map(|(gap, bytes, doc_freq)| {
                    let start = at + gap;
                    at = start + bytes;
                    TermInfo { doc_freq, postings_range: start..at, positions_range: 0..0 }
                })
                .collect();
            let kept = Terms::of(&infos).unwrap();
            let mut seen = Vec::new();
            kept.visit(|info| {
                seen.push(info.clone());
                Ok(())
            }).unwrap();
            prop_assert_eq!(seen, infos);
        }
    }

    #[test]
    fn postings_in_another_order_are_not_kept() {
        let mut infos = infos(3);
        infos.swap(1, 2);
        assert!(Terms::of(&infos).is_none());
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let (first, second, third) = (expansion(), expansion(), expansion());
        let segment = SegmentId::generate_random();
        let kept = KeptTerms::with_room(2, 5 * TERM_BYTES);
        assert!(kept.weight() > 5 * TERM_BYTES);
        KeptTerms::enter(Some(&kept), || {
            // Of these the second does not fit, and the fourth has no place.
            for (of, terms, is_kept) in [
                (&first, 3, true),
                (&second, 3, false),
                (&second, 2, true),
                (&third, 0, false),
            ] {
                assert!(visited(of, segment, terms).1);
                assert_eq!(!visited(of, segment, terms).1, is_kept, "{terms}");
            }
        });
        let none = KeptTerms::with_room(0, 1 << 20);
        assert_eq!(none.weight(), 0);
        KeptTerms::enter(Some(&none), || {
            assert!(visited(&first, segment, 1).1);
            assert!(visited(&first, segment, 1).1);
        });
    }

    #[test]
    fn what_many_threads_expand_at_once_is_kept_once() {
        let segment = SegmentId::generate_random();
        let expansions: Vec<_> = (0..3).map(|_| expansion()).collect();
        let kept = KeptTerms::with_room(3, 30 * TERM_BYTES);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build();
        pool.unwrap().broadcast(|thread| {
            KeptTerms::enter(Some(&kept), || {
                for at in 0..3 {
                    let of = &expansions[(at + thread.index()) % 3];
                    assert_eq!(visited(of, segment, 10).0.len(), 10);
                }
            });
        });
        assert_eq!(kept.len(), 30 * TERM_BYTES);
        KeptTerms::enter(Some(&kept), || {
            assert!(expansions.iter().all(|of| !visited(of, segment, 10).1))
        });
    }
}
