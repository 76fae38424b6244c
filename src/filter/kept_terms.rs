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

/// What is kept for one split does without more than so many expansions of one segment each: they
/// are looked through.
const MOST_EXPANSIONS: usize = 64;

scoped_thread_local! {
    /// Of the split that this thread searches.
    static KEPT: KeptTerms
}

/// The terms of a few expansions in one split. Nobody waits for anybody to find or keep them.
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

/// Terms in their order: of each a [`Step`], so that most take three bytes, where postings stand side
/// by side.
struct Terms(Box<[u8]>);

/// From the postings of one term to those of the next.
#[derive(Deserialize, Serialize)]
struct Step {
    /// Bytes in between.
    gap: usize,
    postings_bytes: usize,
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

    /// Runs `work` on this thread, which then finds here what is kept and keeps here what it
    /// expands.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        KEPT.set(self, work)
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
        let kept = self.expansions.iter().map_while(OnceLock::get);
        kept.into_iter()
            .find(|kept| kept.is(of, segment))
            .map(|kept| &kept.terms)
    }

    /// Keeps terms, where there is room and they are not kept yet.
    fn keep(&self, of: &Arc<Expanding>, segment: SegmentId, terms: &[TermInfo]) {
        let mut free = self.expansions.iter().skip_while(|one| one.get().is_some());
        if free.next().is_none() {
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
            let step = Step {
                gap: range.start.checked_sub(at)?,
                postings_bytes: range.end.checked_sub(range.start)?,
                doc_freq: info.doc_freq,
            };
            at = range.end;
            terms = postcard::to_extend(&step, terms).ok()?;
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
            let (step, rest) = postcard::take_from_bytes::<Step>(left)
                .map_err(|error| TantivyError::InternalError(error.to_string()))?;
            let start = at + step.gap;
            at = start + step.postings_bytes;
            left = rest;
            visit(&TermInfo {
                doc_freq: step.doc_freq,
                postings_range: start..at,
                positions_range: 0..0,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::Bound;

    use tantivy::schema::Field;

    use super::*;
    use crate::filter::ExpansionSettings;
    use crate::filter::expansion::Expansion;

    /// A gap, bytes and documents, each of one byte.
    const TERM_BYTES: u64 = 3;

    fn expansion() -> Arc<Expanding> {
        let all = Expansion::Range(Bound::Unbounded, Bound::Unbounded);
        let field = Field::from_field_id(0);
        Arc::new(Expanding::new(field, all, ExpansionSettings::default()))
    }

    fn infos(terms: usize) -> Vec<TermInfo> {
        let info = |at: usize| TermInfo {
            doc_freq: at as u32 + 1,
            postings_range: at * 10..at * 10 + 7,
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
        let all = vec![(1, 0), (2, 10), (3, 20)];
        kept.enter(|| {
            for (of, segment) in [(&one, here), (&one, there), (&other, here)] {
                assert_eq!(visited(of, segment, 3), (all.clone(), true));
                assert_eq!(visited(of, segment, 3), (all.clone(), false));
            }
            assert_eq!(visited(&other, there, 0), (Vec::new(), true));
            assert_eq!(visited(&other, there, 0), (Vec::new(), false));
        });
        // Outside of a search nobody keeps or finds anything.
        assert_eq!(visited(&one, here, 3), (all, true));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let (first, second, third) = (expansion(), expansion(), expansion());
        let segment = SegmentId::generate_random();
        let kept = KeptTerms::with_room(2, 5 * TERM_BYTES);
        assert!(kept.weight() > 5 * TERM_BYTES);
        kept.enter(|| {
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
        none.enter(|| {
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
            kept.enter(|| {
                for at in 0..3 {
                    let of = &expansions[(at + thread.index()) % 3];
                    assert_eq!(visited(of, segment, 10).0.len(), 10);
                }
            });
        });
        assert_eq!(kept.len(), 30 * TERM_BYTES);
        kept.enter(|| assert!(expansions.iter().all(|of| !visited(of, segment, 10).1)));
    }
}
