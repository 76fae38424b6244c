//! Sets of byte ranges: normalising, and subtracting what is there.

use std::ops::Range;

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

/// Whether one of the normalised `present` ranges contains `range`.
pub(crate) fn contains(present: &[Range<u64>], range: &Range<u64>) -> bool {
    let after = present.partition_point(|held| held.start <= range.start);
    after
        .checked_sub(1)
        .and_then(|at| present.get(at))
        .is_some_and(|held| range.end <= held.end)
}

#[cfg(all(test, not(shuttle)))]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bytes_of(ranges: &[Range<u64>]) -> BTreeSet<u64> {
        ranges.iter().cloned().flatten().collect()
    }

    pub(in crate::store) fn some_ranges() -> impl Strategy<Value = Vec<Range<u64>>> {
        proptest::collection::vec((0u64..200, 0u64..20), 0..20).prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(start, len)| start..start + len)
                .collect()
        })
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
    }
}
