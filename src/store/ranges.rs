//! Sets of byte ranges: normalising, subtracting what is there, and coalescing into GETs.

use std::ops::Range;

use super::Traffic;

/// Sorts `ranges`, drops empty ones and joins those that overlap or touch.
pub(crate) fn normalise(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// The parts of `wanted` that no range of `present` covers. `present` is sorted by start and its
/// ranges do not overlap.
pub(crate) fn gaps(wanted: &Range<u64>, present: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut missing = Vec::new();
    let mut at = wanted.start;
    for range in present {
        if range.end <= at {
            continue;
        }
        if range.start >= wanted.end {
            break;
        }
        if range.start > at {
            missing.push(at..range.start);
        }
        at = range.end;
    }
    if at < wanted.end {
        missing.push(at..wanted.end);
    }
    missing
}

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

/// A GET that gaps are fetched for beyond that is at most so long, lest it be the one waited for.
const MERGED_BYTES: u64 = 8 << 20;

/// How ranges become GETs.
#[derive(Clone, Debug)]
pub(crate) struct Coalescing {
    /// No gap longer than this is fetched: reading it would cost more than another GET.
    pub(crate) gap: u64,
    /// How many GETs go at once. One more than these waits for another.
    pub(crate) at_once: usize,
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

    /// Coalesces normalised `missing` ranges into fetches. Gaps between neighbours are fetched, the
    /// shortest first,
    ///
    /// - as long as all of them together are at most a tenth of what is asked for,
    /// - beyond that, where a GET wastes no more than its own headers weigh,
    /// - and as long as there are more GETs than can go at once: each of these waits for another
    ///   one's time to first byte, in which more bytes come than the gap has.
    ///
    /// A gap is never fetched when it is longer than [`gap`](Self::gap), or when anything in it is
    /// `held` (fetched or on the way), for what is held is never fetched again.
    pub(crate) fn batches(
        &self,
        missing: Vec<Range<u64>>,
        held: impl Fn(&Range<u64>) -> bool,
    ) -> Vec<Batch> {
        let mut merger = Merger::new(&missing);
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
        let mut allowance = asked / WASTE_ONE_IN;
        for (gap, at) in gaps {
            if gap <= allowance {
                allowance -= gap;
            } else if merger.waste_with(at) > HEADER_BYTES
                && (merger.groups <= self.at_once || merger.length_with(at) > MERGED_BYTES)
            {
                continue;
            }
            merger.merge(at);
        }
        let mut batches = Vec::with_capacity(merger.groups);
        let mut parts = Vec::new();
        for (at, part) in missing.iter().enumerate() {
            parts.push(part.clone());
            if !merger.merged.get(at).is_some_and(|&merged| merged) {
                batches.push(Batch::new(std::mem::take(&mut parts), self));
            }
        }
        batches
    }
}

/// Which neighbours are fetched together.
struct Merger<'a> {
    ranges: &'a [Range<u64>],
    /// Bytes in the ranges before each.
    before: Vec<u64>,
    /// By gap.
    merged: Vec<bool>,
    /// By first and by last range of a group: the other end of it.
    other_end: Vec<usize>,
    groups: usize,
}

impl<'a> Merger<'a> {
    fn new(ranges: &'a [Range<u64>]) -> Self {
        let mut before = vec![0];
        before.extend(ranges.iter().scan(0, |sum, range| {
            *sum += range.end - range.start;
            Some(*sum)
        }));
        Self {
            ranges,
            before,
            merged: vec![false; ranges.len().saturating_sub(1)],
            other_end: (0..ranges.len()).collect(),
            groups: ranges.len(),
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
        self.ranges[last].end - self.ranges[first].start - useful
    }

    fn length_with(&self, at: usize) -> u64 {
        let (first, last) = self.around(at);
        self.ranges[last].end - self.ranges[first].start
    }

    /// Closes the gap after range `at`.
    fn merge(&mut self, at: usize) {
        let (first, last) = self.around(at);
        self.merged[at] = true;
        self.other_end[first] = last;
        self.other_end[last] = first;
        self.groups -= 1;
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bytes_of(ranges: &[Range<u64>]) -> BTreeSet<u64> {
        ranges.iter().cloned().flatten().collect()
    }

    fn some_ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
        proptest::collection::vec((0u64..200, 0u64..20), 0..20).prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(start, len)| start..start + len)
                .collect()
        })
    }

    fn rule(gap: u64, at_once: usize) -> Coalescing {
        Coalescing {
            gap,
            at_once,
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
            let found = rule(32 << 10, 64).batches(missing.clone(), |_| false);
            assert_eq!(found.len(), gets, "{missing:?}");
        }
    }

    #[test]
    fn more_gets_than_go_at_once_share_until_they_do() {
        let postings = |step: u64| {
            (0..1000)
                .map(|n| n * step..n * step + 100)
                .collect::<Vec<_>>()
        };
        let gets = |step, gap| rule(gap, 64).batches(postings(step), |_| false).len();
        assert_eq!(gets(5_000, 32 << 10), 64);
        // A gap that costs more than a GET is not worth it.
        assert_eq!(gets(50_000, 32 << 10), 1000);
        // Nor is one GET to be the one that all wait for.
        assert_eq!(gets(1_000_000, 1 << 20), 1000_usize.div_ceil(9));
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
            let [batch] = &rule(0, 64).batches(ranges(&[(7, 7 + len)]), |_| false)[..] else {
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
        fn normalising_keeps_the_bytes_and_leaves_ranges_apart(ranges in some_ranges()) {
            let joined = normalise(ranges.clone());
            prop_assert_eq!(bytes_of(&joined), bytes_of(&ranges));
            prop_assert!(joined.windows(2).all(|pair| pair[0].end < pair[1].start));
        }

        #[test]
        fn gaps_are_the_wanted_bytes_that_are_not_present(
            present in some_ranges(), start in 0u64..200, len in 1u64..60,
        ) {
            let present = normalise(present);
            let wanted = start..start + len;
            let expected: BTreeSet<u64> =
                bytes_of(std::slice::from_ref(&wanted)).difference(&bytes_of(&present)).copied().collect();
            prop_assert_eq!(bytes_of(&gaps(&wanted, &present)), expected);
        }

        #[test]
        fn batches_cover_what_is_missing_and_nothing_held(
            missing in some_ranges(), held in some_ranges(), merge_gap in 0u64..30,
            at_once in 1usize..8,
        ) {
            let held = normalise(held);
            let missing: Vec<_> =
                normalise(missing).iter().flat_map(|range| gaps(range, &held)).collect();
            let overlaps_held = |range: &Range<u64>| {
                held.iter().any(|h| h.start < range.end && range.start < h.end)
            };
            let batches = rule(merge_gap, at_once).batches(missing.clone(), overlaps_held);
            let parts: Vec<_> = batches.iter().flat_map(|batch| batch.parts.clone()).collect();
            prop_assert_eq!(parts, missing);
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
            let batches = rule(1 << 20, 64).batches(missing, |_| false);
            let waste: u64 = batches.iter().map(Batch::waste).sum();
            prop_assert!(waste <= asked / 10 + 1024 * batches.len() as u64);
        }
    }
}
