//! How ranges become GETs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::Traffic;

/// One fetch and the ranges it is for, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Batch {
    pub(crate) range: Range<u64>,
    pub(crate) parts: Vec<Range<u64>>,
    /// By how many GETs it is fetched, one beside the other.
    pub(crate) gets: u64,
}

impl Batch {
    fn new(parts: Vec<Range<u64>>, rule: &Coalescing) -> Self {
        let start = parts.first().map_or(0, |part| part.start);
        let end = parts.last().map_or(start, |part| part.end);
        Self {
            range: start..end,
            gets: rule.gets(end - start),
            parts,
        }
    }

    /// What one round of these fetches is.
    pub(crate) fn traffic(batches: &[Self]) -> Traffic {
        let bytes = batches.iter().map(|it| it.range.end - it.range.start);
        Traffic {
            gets: batches.iter().map(|it| it.gets).sum(),
            bytes: bytes.sum(),
            rounds: u64::from(!batches.is_empty()),
        }
    }

    /// Bytes fetched that no part asked for.
    pub(crate) fn waste(&self) -> u64 {
        let useful: u64 = self.parts.iter().map(|part| part.end - part.start).sum();
        (self.range.end - self.range.start) - useful
    }

    /// The ranges of its GETs: as equal as can be.
    pub(crate) fn pieces(&self) -> Vec<Range<u64>> {
        let (len, gets) = (self.range.end - self.range.start, self.gets.max(1));
        let cut =
            |n: u64| self.range.start + (u128::from(len) * u128::from(n) / u128::from(gets)) as u64;
        (0..gets).map(|n| cut(n)..cut(n + 1)).collect()
    }
}

/// Bytes that a GET may waste however few are asked of it: what its own headers weigh.
const HEADER_BYTES: u64 = 1024;

/// Gaps may add at most one byte to so many that are asked for.
const WASTE_ONE_IN: u64 = 10;

/// More connections than so many bring no more bytes together: 16 of 90 MB/s fill a network card of
/// ten gigabits. They still wait side by side.
pub(super) const FILLING: u64 = 16;

/// How ranges become GETs.
#[derive(Clone, Debug)]
pub(crate) struct Coalescing {
    /// No gap longer than this is fetched: reading it would cost more than another GET.
    pub(crate) gap: u64,
    /// Bytes that gaps may add together, however little is asked for.
    pub(crate) allowance: u64,
    /// How many GETs go at once. One more than these waits for another.
    pub(crate) slots: usize,
    /// Bytes that one connection brings in the time that another GET waits for its first.
    pub(crate) first_byte: u64,
    /// A fetch of at least twice as many bytes goes over several connections, each with at least
    /// these.
    pub(crate) piece: u64,
    /// At most so many connections.
    pub(crate) pieces: u64,
}

impl Coalescing {
    /// By how many GETs so many bytes are fetched.
    fn gets(&self, bytes: u64) -> u64 {
        (bytes / self.piece.max(1)).clamp(1, self.pieces.max(1))
    }

    /// Coalesces normalised `missing` ranges into fetches, where the whole request wants
    /// `wanted_by_all` GETs, [these](Self::wanted) included (fewer are taken for these alone). Gaps
    /// between neighbours are fetched
    ///
    /// - as long as all of them together are at most a tenth of what is asked for, or within the
    ///   [allowance](Self::allowance), the shortest first,
    /// - beyond that, where a GET wastes no more than its own headers weigh,
    /// - and where more GETs are wanted than can go at once, as far as everything is here sooner:
    ///   see [`Crowd`].
    ///
    /// A gap is never fetched when it is longer than [`gap`](Self::gap), or when anything in it is
    /// `held` (fetched or on the way), for what is held is never fetched again.
    pub(crate) fn batches(
        &self,
        missing: &[Range<u64>],
        held: impl Fn(&Range<u64>) -> bool,
        wanted_by_all: u64,
    ) -> Vec<Batch> {
        let (mut merger, left) = self.frugal(missing, held);
        Crowd::new(self, &merger, wanted_by_all).merge(&mut merger, &left);
        merger.batches()
    }

    /// How many GETs are wanted for normalised `missing` ranges, if none has to wait for another.
    pub(crate) fn wanted(&self, missing: &[Range<u64>], held: impl Fn(&Range<u64>) -> bool) -> u64 {
        self.frugal(missing, held).0.size().gets
    }

    /// Closes the gaps that cost next to nothing; answers which others may be closed.
    fn frugal<'a>(
        &'a self,
        missing: &'a [Range<u64>],
        held: impl Fn(&Range<u64>) -> bool,
    ) -> (Merger<'a>, Vec<usize>) {
        let mut merger = Merger::new(missing, self);
        let mut gaps: Vec<(u64, usize)> = missing
            .windows(2)
            .enumerate()
            .map(|(at, pair)| (pair[1].start - pair[0].end, at))
            .filter(|&(gap, at)| {
                gap <= self.gap && !held(&(missing[at].end..missing[at + 1].start))
            })
            .collect();
        gaps.sort_unstable();
        let asked: u64 = missing.iter().map(|part| part.end - part.start).sum();
        let mut allowance = (asked / WASTE_ONE_IN).max(self.allowance);
        gaps.retain(|&(gap, at)| {
            if gap <= allowance {
                allowance -= gap;
            } else if merger.waste_with(at) > HEADER_BYTES {
                return true;
            }
            merger.merge(at);
            false
        });
        (merger, gaps.into_iter().map(|(_, at)| at).collect())
    }
}

/// More GETs than go at once: those of a split among those of a request.
///
/// GETs go in waves, each as long as a time to first byte; then bytes take their time: those of the
/// longest GET, or all of them over as many connections as bring more bytes together. So a gap that
/// is fetched costs its bytes and may save a wave. The two neighbours whose GET would be the
/// shortest are merged first, so that none is the one that all wait for; of all the places to stop
/// at, the one is taken where the request has everything soonest.
struct Crowd<'a> {
    rule: &'a Coalescing,
    /// How many GETs of this split go at once.
    at_once: u64,
    /// Over how many connections its bytes come.
    lanes: u64,
}

impl<'a> Crowd<'a> {
    fn new(rule: &'a Coalescing, merger: &Merger<'_>, wanted_by_all: u64) -> Self {
        let own = merger.size().gets;
        let share = own as f64 / wanted_by_all.max(own).max(1) as f64;
        let of_slots = (rule.slots as f64 * share) as u64;
        let at_once = of_slots.max(1);
        Self {
            rule,
            at_once,
            lanes: at_once.min((FILLING as f64 * share).ceil() as u64).max(1),
        }
    }

    /// How long fetches of such a size take, in the bytes that one connection brings meanwhile.
    fn cost(&self, size: &Size) -> u64 {
        let waves = size.gets.div_ceil(self.at_once);
        let transfer = size.longest.max(size.bytes / self.lanes);
        waves
            .saturating_mul(self.rule.first_byte)
            .saturating_add(transfer)
    }

    /// Closes some of `gaps`.
    fn merge(&self, merger: &mut Merger<'_>, gaps: &[usize]) {
        let mut size = merger.size();
        if size.gets <= self.at_once {
            return;
        }
        let mut ahead = merger.clone();
        let mut shortest: BinaryHeap<_> = gaps
            .iter()
            .map(|&at| Reverse((ahead.length_with(at), at)))
            .collect();
        let (mut merged, mut kept, mut least) = (Vec::new(), 0, self.cost(&size));
        while size.gets > self.at_once
            && let Some(Reverse((length, at))) = shortest.pop()
        {
            let now = ahead.length_with(at);
            if now > length {
                shortest.push(Reverse((now, at)));
                continue;
            }
            size = ahead.size_with(at, size);
            ahead.merge(at);
            merged.push(at);
            let cost = self.cost(&size);
            if cost < least {
                (kept, least) = (merged.len(), cost);
            }
        }
        merged.iter().take(kept).for_each(|&at| merger.merge(at));
    }
}

/// How much some fetches are.
#[derive(Clone, Copy, Default)]
struct Size {
    gets: u64,
    bytes: u64,
    /// The longest GET.
    longest: u64,
}

/// Which neighbours are fetched together.
#[derive(Clone)]
struct Merger<'a> {
    ranges: &'a [Range<u64>],
    rule: &'a Coalescing,
    /// Bytes in the ranges before each.
    before: Vec<u64>,
    /// By gap.
    merged: Vec<bool>,
    /// By first and by last range of a group: the other end of it.
    other_end: Vec<usize>,
}

impl<'a> Merger<'a> {
    fn new(ranges: &'a [Range<u64>], rule: &'a Coalescing) -> Self {
        let mut before = vec![0];
        before.extend(ranges.iter().scan(0, |sum, range| {
            *sum += range.end - range.start;
            Some(*sum)
        }));
        Self {
            ranges,
            rule,
            before,
            merged: vec![false; ranges.len().saturating_sub(1)],
            other_end: (0..ranges.len()).collect(),
        }
    }

    /// First and last range of the group that closing the gap after range `at` would make.
    fn around(&self, at: usize) -> (usize, usize) {
        (self.other_end[at], self.other_end[at + 1])
    }

    /// What it would fetch that nobody asked for.
    fn waste_with(&self, at: usize) -> u64 {
        let (first, last) = self.around(at);
        let useful = self.before[last + 1] - self.before[first];
        self.length_with(at) - useful
    }

    fn length_with(&self, at: usize) -> u64 {
        let (first, last) = self.around(at);
        self.ranges[last].end - self.ranges[first].start
    }

    /// How much all would be, with the gap after range `at` closed; it is `size` without.
    fn size_with(&self, at: usize, size: Size) -> Size {
        let (first, last) = self.around(at);
        let gets = |first: usize, last: usize| {
            self.rule
                .gets(self.ranges[last].end - self.ranges[first].start)
        };
        let length = self.length_with(at);
        let joined = self.rule.gets(length);
        Size {
            gets: size.gets - gets(first, at) - gets(at + 1, last) + joined,
            bytes: size.bytes + self.ranges[at + 1].start - self.ranges[at].end,
            longest: size.longest.max(length / joined),
        }
    }

    /// Closes the gap after range `at`.
    fn merge(&mut self, at: usize) {
        let (first, last) = self.around(at);
        self.merged[at] = true;
        self.other_end[first] = last;
        self.other_end[last] = first;
    }

    fn size(&self) -> Size {
        let mut size = Size::default();
        let mut first = 0;
        while let Some(&last) = self.other_end.get(first) {
            let bytes = self.ranges[last].end - self.ranges[first].start;
            let gets = self.rule.gets(bytes);
            size.gets += gets;
            size.bytes += bytes;
            size.longest = size.longest.max(bytes / gets);
            first = last + 1;
        }
        size
    }

    fn batches(&self) -> Vec<Batch> {
        let mut batches = Vec::new();
        let mut first = 0;
        while let Some(&last) = self.other_end.get(first) {
            batches.push(Batch::new(self.ranges[first..=last].to_vec(), self.rule));
            first = last + 1;
        }
        batches
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use proptest::prelude::*;

    use super::super::ranges::tests::some_ranges;
    use super::super::ranges::{gaps, normalise};
    use super::*;

    fn rule(gap: u64, slots: usize) -> Coalescing {
        Coalescing {
            gap,
            allowance: 0,
            slots,
            first_byte: 2 << 20,
            piece: 4 << 20,
            pieces: 8,
        }
    }

    fn ranges(of: &[(u64, u64)]) -> Vec<Range<u64>> {
        of.iter().map(|(start, end)| *start..*end).collect()
    }

    #[test]
    fn gaps_are_fetched_beside_ten_times_as_much_that_is_asked_for() {
        for (missing, gets) in [
            // Little waste: two GETs would weigh more.
            (ranges(&[(0, 1), (1_000, 1_001), (2_000, 2_001)]), 2),
            (ranges(&[(0, 1), (20_000, 20_001)]), 2),
            (ranges(&[(0, 49_999), (60_000, 110_000)]), 2),
            (ranges(&[(0, 50_000), (60_000, 110_000)]), 1),
            // The shorter gap first; the longer one is too much then.
            (
                ranges(&[(0, 50_000), (56_001, 100_000), (104_000, 110_000)]),
                2,
            ),
            (ranges(&[(0, 1_000_000), (1_032_769, 2_000_000)]), 2),
            (ranges(&[(0, 1_000_000), (1_032_768, 2_000_000)]), 1),
        ] {
            let found = rule(32 << 10, 64).batches(&missing, |_| false, 0);
            assert_eq!(found.len(), gets, "{missing:?}");
        }
    }

    #[test]
    fn gaps_within_the_allowance_are_closed_the_shortest_first() {
        let missing = ranges(&[(0, 10), (3000, 3010), (5000, 5010), (9000, 9010)]);
        let gets = |allowance| {
            let rule = Coalescing {
                allowance,
                ..rule(32 << 10, 64)
            };
            rule.batches(&missing, |_| false, 0).len()
        };
        assert_eq!([0, 1990, 4980, 8970].map(gets), [4, 3, 2, 1]);
    }

    #[test]
    fn more_gets_than_go_at_once_share_while_that_is_sooner() {
        let postings = |step: u64| {
            (0..1000)
                .map(|n| n * step..n * step + 100)
                .collect::<Vec<_>>()
        };
        let gets = |step, gap| rule(gap, 64).batches(&postings(step), |_| false, 0).len();
        assert_eq!(gets(5_000, 32 << 10), 64);
        // A gap that costs more than a GET is not worth it.
        assert_eq!(gets(50_000, 32 << 10), 1000);
        // Nor are gaps that fill the network for longer than the GETs would have waited: 16 waves
        // of two megabytes are less than what 16 connections take for a gigabyte.
        assert_eq!(gets(1_000_000, 1 << 20), 1000);
    }

    #[test]
    fn gets_of_other_splits_are_waited_for_too() {
        let postings: Vec<_> = (0..24).map(|n| n * 50_000..n * 50_000 + 10_000).collect();
        let rule = rule(1 << 20, 64);
        let gets = |all| rule.batches(&postings, |_| false, all).len();
        assert_eq!(rule.wanted(&postings, |_| false), 24);
        assert_eq!((gets(0), gets(64)), (24, 24));
        // Ten such splits: six slots each.
        assert_eq!(gets(240), 6);
        // Beside so many a split cannot tell much.
        assert_eq!(gets(100_000), 1);
    }

    #[test]
    fn no_get_is_merged_that_takes_longer_than_the_wave_it_saves() {
        let few: Vec<_> = (0..5).map(|n| n * 900_000..n * 900_000 + 100_000).collect();
        let gets = |first_byte| {
            let rule = Coalescing {
                first_byte,
                ..rule(1 << 20, 4)
            };
            rule.batches(&few, |_| false, 0).len()
        };
        assert_eq!((gets(2 << 20), gets(512 << 10)), (4, 5));
    }

    #[test]
    fn a_long_fetch_is_cut_into_equal_gets() {
        for (len, gets) in [
            (1, 1),
            (8 << 20, 2),
            ((8 << 20) - 1, 1),
            (20 << 20, 5),
            (1 << 30, 8),
        ] {
            let [batch] = &rule(0, 64).batches(&ranges(&[(7, 7 + len)]), |_| false, 0)[..] else {
                panic!("one range is one fetch");
            };
            let pieces = batch.pieces();
            assert_eq!((batch.gets, pieces.len() as u64), (gets, gets), "{len}");
            assert_eq!(normalise(pieces.clone()), ranges(&[(7, 7 + len)]));
            let lengths: Vec<u64> = pieces.iter().map(|piece| piece.end - piece.start).collect();
            assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= 1);
        }
    }

    proptest! {
        #[test]
        fn batches_cover_what_is_missing_and_nothing_held(
            missing in some_ranges(), held in some_ranges(), merge_gap in 0u64..30,
            slots in 1usize..8, others in 0u64..20,
        ) {
            let held = normalise(held);
            let missing: Vec<_> =
                normalise(missing).iter().flat_map(|range| gaps(range, &held)).collect();
            let overlaps_held = |range: &Range<u64>| {
                held.iter().any(|h| h.start < range.end && range.start < h.end)
            };
            let rule = rule(merge_gap, slots);
            let wanted = rule.wanted(&missing, overlaps_held);
            let batches = rule.batches(&missing, overlaps_held, wanted + others);
            let parts: Vec<_> = batches.iter().flat_map(|batch| batch.parts.clone()).collect();
            prop_assert_eq!(parts, missing);
            prop_assert!(batches.len() as u64 <= wanted);
            for batch in &batches {
                prop_assert!(!overlaps_held(&batch.range));
                prop_assert!(batch.waste() <= merge_gap * (batch.parts.len() as u64 - 1));
            }
        }

        #[test]
        fn few_gets_waste_a_tenth_and_their_headers(
            lengths in proptest::collection::vec((1u64..5_000, 1u64..5_000), 1..40),
        ) {
            let mut at = 0;
            let missing: Vec<_> = lengths
                .iter()
                .map(|(gap, len)| {
                    let start = at + gap;
                    at = start + len;
                    start..at
                })
                .collect();
            let asked: u64 = missing.iter().map(|part| part.end - part.start).sum();
            let batches = rule(1 << 20, 64).batches(&missing, |_| false, 0);
            let waste: u64 = batches.iter().map(Batch::waste).sum();
            prop_assert!(waste <= asked / 10 + 1024 * batches.len() as u64);
        }
    }
}
