//! The least that any warmup could do, had it known all reads beforehand.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::tap::Get;

/// Gaps may add one byte to so many that are read.
const WASTE_ONE_IN: u64 = 10;

/// What a search reads at the very least.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Least {
    /// The fewest GETs that bring all of it: none skips over more than the gap, and all together
    /// bring at most a tenth more of an object than is read of it.
    pub(crate) gets: u64,
    /// Different bytes.
    pub(crate) bytes: u64,
}

/// The least for reads of any number of objects. `gap` is the most bytes that lie between two
/// reads which one GET brings.
pub(crate) fn least(reads: &[Get], gap: u64) -> Least {
    let mut objects: BTreeMap<&str, Vec<Range<u64>>> = BTreeMap::new();
    for read in reads {
        objects
            .entry(&read.path)
            .or_default()
            .push(read.range.clone());
    }
    let mut least = Least::default();
    for ranges in objects.into_values() {
        let joined = joined(ranges);
        let bytes = joined.iter().map(|it| it.end - it.start).sum::<u64>();
        least.bytes += bytes;
        least.gets += gets(&joined, gap, bytes / WASTE_ONE_IN);
    }
    least
}

/// Each gap that is brought saves one GET, whatever its length: the shortest are brought first.
fn gets(ranges: &[Range<u64>], gap: u64, mut allowance: u64) -> u64 {
    let gaps = ranges.windows(2).map(|pair| pair[1].start - pair[0].end);
    let mut gaps: Vec<u64> = gaps.filter(|found| *found <= gap).collect();
    gaps.sort_unstable();
    let brought = gaps.into_iter().take_while(|gap| {
        let affordable = *gap <= allowance;
        allowance = allowance.saturating_sub(*gap);
        affordable
    });
    (ranges.len() - brought.count()) as u64
}

/// Sorts ranges, drops empty ones, and joins those that overlap or touch.
fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn read(path: &str, range: Range<u64>) -> Get {
        Get {
            path: path.to_owned(),
            range,
            ..Get::default()
        }
    }

    #[test]
    fn objects_are_not_mixed_and_bytes_count_once() {
        let reads = [
            read("a", 0..1000),
            read("a", 500..1500),
            read("a", 1600..3000),
            read("a", 3400..3500),
            read("b", 1600..1800),
            read("b", 3..3),
        ];
        let bytes = 3200;
        assert_eq!(least(&reads, 50), Least { gets: 4, bytes });
        assert_eq!(least(&reads, 100), Least { gets: 3, bytes });
        // The second gap would bring more than a tenth.
        assert_eq!(least(&reads, 500), Least { gets: 3, bytes });
        assert_eq!(least(&[], 5), Least::default());
    }

    /// Tries every set of gaps that may be brought.
    fn brute_force(ranges: &[Range<u64>], gap: u64, allowance: u64) -> u64 {
        let gaps: Vec<u64> = ranges
            .windows(2)
            .map(|pair| pair[1].start - pair[0].end)
            .collect();
        let sets = 0..1_u32 << gaps.len();
        let gets = sets.filter_map(|set| {
            let chosen: Vec<u64> = (0..gaps.len())
                .filter(|at| set >> at & 1 == 1)
                .map(|at| gaps[at])
                .collect();
            let allowed =
                chosen.iter().all(|found| *found <= gap) && chosen.iter().sum::<u64>() <= allowance;
            allowed.then(|| (ranges.len() - chosen.len()) as u64)
        });
        gets.min().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_other_choice_of_gaps_needs_fewer_gets(
            pairs in proptest::collection::vec((0u64..300, 1u64..40), 0..9), gap in 0u64..30,
        ) {
            let reads: Vec<Get> =
                pairs.iter().map(|(start, len)| read("a", *start..start + len)).collect();
            let bytes: BTreeSet<u64> = reads.iter().flat_map(|get| get.range.clone()).collect();
            let ranges = joined(reads.iter().map(|get| get.range.clone()).collect());
            let found = least(&reads, gap);
            prop_assert_eq!(found.bytes, bytes.len() as u64);
            prop_assert_eq!(found.gets, brute_force(&ranges, gap, found.bytes / WASTE_ONE_IN));
        }
    }
}
