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

/// One GET and the ranges it is for, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Batch {
    pub(crate) range: Range<u64>,
    pub(crate) parts: Vec<Range<u64>>,
}

impl Batch {
    /// What one round of these GETs is.
    pub(crate) fn traffic(batches: &[Self]) -> Traffic {
        let bytes = batches.iter().map(|it| it.range.end - it.range.start);
        Traffic {
            gets: batches.len() as u64,
            bytes: bytes.sum(),
            rounds: u64::from(!batches.is_empty()),
        }
    }

    /// Bytes fetched that no part asked for.
    pub(crate) fn waste(&self) -> u64 {
        let useful: u64 = self.parts.iter().map(|part| part.end - part.start).sum();
        (self.range.end - self.range.start) - useful
    }
}

/// Bytes that a GET may waste however few are asked of it: what its own headers weigh.
const HEADER_BYTES: u64 = 1024;

/// Coalesces normalised `missing` ranges into GETs: two neighbours share one when at most
/// `merge_gap` bytes lie between them, at least half of what the GET brings is asked for, and
/// none of those bytes is already `held` (fetched or on the way), for what is held is
/// never fetched again.
pub(crate) fn batches(
    missing: Vec<Range<u64>>,
    merge_gap: u64,
    held: impl Fn(&Range<u64>) -> bool,
) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    // Bytes that are asked of the last one.
    let mut useful = 0;
    for part in missing {
        let len = part.end - part.start;
        let is_worth_it = |batch: &Batch| {
            let waste = (part.end - batch.range.start) - (useful + len);
            waste <= HEADER_BYTES.max(useful + len)
        };
        match batches.last_mut() {
            Some(batch)
                if part.start - batch.range.end <= merge_gap
                    && is_worth_it(batch)
                    && !held(&(batch.range.end..part.start)) =>
            {
                batch.range.end = part.end;
                batch.parts.push(part);
                useful += len;
            }
            _ => {
                batches.push(Batch {
                    range: part.clone(),
                    parts: vec![part],
                });
                useful = len;
            }
        }
    }
    batches
}

#[cfg(test)]
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

    #[test]
    fn a_gap_is_fetched_only_beside_enough_that_is_asked_for() {
        let ranges = |of: &[(u64, u64)]| -> Vec<Range<u64>> {
            of.iter().map(|(start, end)| *start..*end).collect()
        };
        for (missing, gets) in [
            // Little waste: two GETs would weigh more.
            (ranges(&[(0, 1), (1_000, 1_001), (2_000, 2_001)]), 2),
            (ranges(&[(0, 1), (20_000, 20_001)]), 2),
            (ranges(&[(0, 9_998), (19_999, 20_000)]), 2),
            (ranges(&[(0, 9_999), (19_999, 20_000)]), 1),
            (
                ranges(&[(0, 10_000), (20_000, 30_000), (40_000, 50_000)]),
                1,
            ),
            (ranges(&[(0, 100_000), (140_000, 150_000)]), 2),
        ] {
            let found = batches(missing.clone(), 32 << 10, |_| false);
            assert_eq!(found.len(), gets, "{missing:?}");
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
        ) {
            let held = normalise(held);
            let missing: Vec<_> =
                normalise(missing).iter().flat_map(|range| gaps(range, &held)).collect();
            let overlaps_held = |range: &Range<u64>| {
                held.iter().any(|h| h.start < range.end && range.start < h.end)
            };
            let batches = batches(missing.clone(), merge_gap, overlaps_held);
            let parts: Vec<_> = batches.iter().flat_map(|batch| batch.parts.clone()).collect();
            prop_assert_eq!(parts, missing);
            for batch in &batches {
                prop_assert!(!overlaps_held(&batch.range));
                prop_assert!(batch.waste() <= merge_gap * (batch.parts.len() as u64 - 1));
            }
        }
    }
}
