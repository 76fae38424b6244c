//! How far the needs of one split are resolved: what is pending, what was found, what waits.

use std::borrow::Borrow;
use std::ops::Range;
use std::sync::Arc;

use super::absences::Absences;
use super::resolve::{Depth, Probed};
use crate::needs::{Demand, Need, Node};
use crate::split::Split;

/// One need in one segment.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) segment: usize,
    /// Its number in the demand.
    pub(super) number: usize,
    pub(super) need: Arc<Need>,
}

/// What one pass came to.
pub(super) struct Step {
    /// Ranges without which there is no going on.
    pub(super) index: Vec<Range<u64>>,
    /// Ranges of data that are certain now.
    pub(super) data: Vec<Range<u64>>,
    /// Whether a need was given up because what it misses may be anything.
    pub(super) lower_bound: bool,
    /// Whether only opaque needs are left.
    pub(super) only_opaque: bool,
}

pub(super) struct Progress {
    object: Arc<Split>,
    depth: Depth,
    scored: bool,
    always_from: usize,
    clauses: Node,
    needs: Vec<Arc<Need>>,
    /// By need: whether a clause depends on its presence.
    decisive: Vec<bool>,
    /// By need: those of which one must be found for it to be read; none: it is read anyway.
    conditions: Vec<Vec<usize>>,
    segments: Vec<Segment>,
    pending: Vec<Item>,
    /// What was read to go on: by whom, and what. Sorted out at the end, for the search leaves out
    /// segments that turned out to hold no match.
    read: Vec<(Item, Vec<Range<u64>>)>,
    /// In a dry run, by need.
    reads: Vec<Vec<Read>>,
}

/// One thing that a need reads.
struct Read {
    segment: usize,
    is_data: bool,
    range: Range<u64>,
}

/// What resolving found out beside ranges.
pub(crate) struct Findings {
    /// By segment: whether it is proven to hold no match.
    pub(crate) hopeless: Box<[bool]>,
    pub(crate) clauses: Node,
    /// The needs that `clauses` counts, and those of collectors.
    pub(crate) needs: Vec<Arc<Need>>,
    /// By segment, then by need: whether the segment has it, where that is known.
    pub(crate) found: Vec<Vec<Option<bool>>>,
    /// In a dry run: by need, what it reads over all segments.
    pub(crate) reads: Vec<Vec<Range<u64>>>,
}

/// One segment of the split.
#[derive(Default)]
struct Segment {
    /// By need: whether the segment has it.
    found: Vec<Option<bool>>,
    /// Data that is not fetched while it may turn out that nothing matches.
    held: Vec<Range<u64>>,
    /// Data of a need that may turn out not to be read.
    conditional: Vec<(usize, Vec<Range<u64>>)>,
    /// Whether it is proven that nothing matches.
    hopeless: bool,
}

impl Segment {
    /// Whether one of what a need depends on is found; nothing while that is not known.
    fn meets(&self, conditions: &[usize]) -> Option<bool> {
        let found = |is| conditions.iter().any(|&need| self.found[need] == is);
        if conditions.is_empty() || found(Some(true)) {
            Some(true)
        } else if found(None) {
            None
        } else {
            Some(false)
        }
    }

    /// Decides on data that depends on what was found by now.
    fn settle(&mut self, conditions: &[Vec<usize>]) {
        for (need, data) in std::mem::take(&mut self.conditional) {
            match self.meets(&conditions[need]) {
                Some(true) => self.held.extend(data),
                Some(false) => {}
                None => self.conditional.push((need, data)),
            }
        }
    }
}

/// Whether what is known to be absent proves that no segment of a split holds a match.
pub(crate) fn is_proven_empty(split: &Split, demand: &Demand, absences: &Absences) -> bool {
    let Demand { needs, clauses, .. } = demand;
    let mut decisive = vec![false; needs.len()];
    clauses.mark_decisive(&mut decisive);
    let mut found = vec![None; needs.len()];
    (0..split.num_segments()).all(|segment| {
        found.fill(None);
        recall((split, segment), needs, &decisive, absences, &mut found)
            && clauses.can_match(&found) == Some(false)
    })
}

/// Takes note of which decisive needs a segment is known to lack; answers whether there are any.
fn recall(
    (split, segment): (&Split, usize),
    needs: &[impl Borrow<Need>],
    decisive: &[bool],
    absences: &Absences,
    found: &mut [Option<bool>],
) -> bool {
    let mut any = false;
    for (number, need) in needs.iter().enumerate() {
        if decisive[number] && absences.knows(split, segment, need.borrow()) {
            found[number] = Some(false);
            any = true;
        }
    }
    any
}

impl Progress {
    pub(super) fn new(
        split: &Arc<Split>,
        demand: Demand,
        depth: Depth,
        absences: &Absences,
    ) -> Self {
        let Demand {
            needs,
            clauses,
            scored,
            always_from,
            // Certain from the start: it went on before.
            learnt: _,
        } = demand;
        let mut decisive = vec![false; needs.len()];
        clauses.mark_decisive(&mut decisive);
        let conditions = clauses.conditions(needs.len());
        let segment = || Segment {
            found: vec![None; needs.len()],
            ..Segment::default()
        };
        let mut progress = Self {
            object: Arc::clone(split),
            depth,
            scored,
            always_from,
            clauses,
            needs: Vec::new(),
            decisive,
            conditions,
            segments: (0..split.num_segments()).map(|_| segment()).collect(),
            pending: Vec::new(),
            read: Vec::new(),
            reads: needs.iter().map(|_| Vec::new()).collect(),
        };
        let needs: Vec<Arc<Need>> = needs.into_iter().map(Arc::new).collect();
        progress.recall(&needs, absences);
        for (number, need) in needs.iter().enumerate() {
            for segment in 0..progress.segments.len() {
                progress.pending.push(Item {
                    segment,
                    number,
                    need: Arc::clone(need),
                });
            }
        }
        progress.needs = needs;
        progress.drop_hopeless();
        progress
    }

    /// Finds segments that are known to lack what must be there.
    fn recall(&mut self, needs: &[Arc<Need>], absences: &Absences) {
        for (segment, state) in self.segments.iter_mut().enumerate() {
            let segment = (self.object.as_ref(), segment);
            state.hopeless = recall(segment, needs, &self.decisive, absences, &mut state.found)
                && self.clauses.can_match(&state.found) == Some(false);
            if !state.hopeless {
                // It may still be read: what is known to be absent is looked up as ever.
                state.found.fill(None);
            }
        }
    }

    /// Gives up what is pending in segments without matches. The frequencies of terms there count
    /// in the scores of other segments, so where scores are computed terms are looked up.
    fn drop_hopeless(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|item| !self.segments[item.segment].hopeless || self.is_read_anyway(item));
        self.pending = pending;
    }

    /// Whether an item is read in segments without matches too.
    fn is_read_anyway(&self, item: &Item) -> bool {
        item.number >= self.always_from || self.scored && matches!(*item.need, Need::Term { .. })
    }

    pub(super) fn take_pending(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.pending)
    }

    pub(super) fn is_done(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes note of what a pass found, and tells what to fetch.
    pub(super) fn advance(&mut self, probed: Vec<Probed>, absences: &Absences) -> Step {
        let mut step = Step {
            index: Vec::new(),
            data: Vec::new(),
            lower_bound: false,
            only_opaque: false,
        };
        let mut missing: Vec<Vec<Range<u64>>> = Vec::new();
        for outcome in probed {
            let Probed {
                item,
                misses,
                found,
                pending,
            } = outcome;
            let opaque = item.need.is_opaque();
            if self.depth == Depth::Dictionaries {
                let read = |range: &Range<u64>, is_data| Read {
                    segment: item.segment,
                    is_data,
                    range: range.clone(),
                };
                let index = misses.index.iter().map(|range| read(range, false));
                let data = misses.data.iter().map(|range| read(range, true));
                self.reads[item.number].extend(index.chain(data));
            }
            if !misses.index.is_empty() {
                self.read.push((item.clone(), misses.index.clone()));
            }
            let segment = &mut self.segments[item.segment];
            if found == Some(false) {
                absences.remember(&self.object, item.segment, &item.need);
            }
            segment.found[item.number] = segment.found[item.number].or(found);
            if item.number >= self.always_from {
                step.data.extend(misses.data);
            } else if !self.conditions[item.number].is_empty() {
                segment.conditional.push((item.number, misses.data));
            } else {
                segment.held.extend(misses.data);
            }
            if pending {
                self.pending.push(item);
                missing.push(misses.index);
            } else if opaque && !misses.index.is_empty() {
                // A dry run: what it misses may be data, and it cannot go on without.
                step.lower_bound = true;
                segment.held.extend(misses.index);
            }
        }
        self.decide(missing, &mut step);
        step
    }

    /// Sorts out what segments without matches miss, and what must wait for a decision.
    fn decide(&mut self, missing: Vec<Vec<Range<u64>>>, step: &mut Step) {
        let mut undecided = Vec::with_capacity(self.segments.len());
        for segment in &mut self.segments {
            let can_match = self.clauses.can_match(&segment.found);
            if can_match == Some(false) {
                segment.hopeless = true;
                segment.held.clear();
                segment.conditional.clear();
            }
            segment.settle(&self.conditions);
            undecided.push(can_match.is_none());
        }
        let mut waits = vec![false; self.segments.len()];
        let pending = std::mem::take(&mut self.pending);
        for (item, index) in pending.into_iter().zip(missing) {
            if self.segments[item.segment].hopeless && !self.is_read_anyway(&item) {
                continue;
            }
            if !item.need.is_opaque() && !index.is_empty() {
                waits[item.segment] |= self.decisive[item.number] && undecided[item.segment];
            }
            step.index.extend(index);
            self.pending.push(item);
        }
        step.only_opaque =
            !self.pending.is_empty() && self.pending.iter().all(|item| item.need.is_opaque());
        for (segment, waits) in self.segments.iter_mut().zip(waits) {
            if !waits {
                step.data.append(&mut segment.held);
            }
        }
    }

    /// What the search will read beside data: what was read to go on, and what the readers of
    /// fields read when they open, whether they are open here or not, for another process has to
    /// open them. Nothing of segments that the search leaves out.
    pub(super) fn index_reads(&self) -> Vec<Range<u64>> {
        let is_searched =
            |item: &Item| !self.segments[item.segment].hopeless || self.is_read_anyway(item);
        let read = self.read.iter().filter(|(item, _)| is_searched(item));
        let mut reads: Vec<_> = read.flat_map(|(_, ranges)| ranges.clone()).collect();
        for (number, need) in self.needs.iter().enumerate() {
            let Some(field) = need.field() else { continue };
            for (segment, files) in self.object.segments().iter().enumerate() {
                let item = Item {
                    segment,
                    number,
                    need: Arc::clone(need),
                };
                if is_searched(&item)
                    && let Some(opening) = files.opening(field)
                {
                    reads.extend(opening.ranges);
                }
            }
        }
        reads
    }

    /// What was found out.
    pub(super) fn finish(self) -> Findings {
        // Data of a segment without matches was never going to be fetched.
        let always_from = self.always_from;
        let segments = &self.segments;
        let reads = self.reads.into_iter().enumerate().map(|(need, reads)| {
            let kept = reads.into_iter().filter(|read| {
                let segment = &segments[read.segment];
                let is_read = segment.meets(&self.conditions[need]) != Some(false);
                need >= always_from || !read.is_data || is_read && !segment.hopeless
            });
            kept.map(|read| read.range).collect()
        });
        let reads: Vec<Vec<Range<u64>>> = reads.collect();
        Findings {
            hopeless: self.segments.iter().map(|it| it.hopeless).collect(),
            clauses: self.clauses,
            needs: self.needs,
            found: self.segments.into_iter().map(|it| it.found).collect(),
            reads,
        }
    }
}
