//! The least that any warmup could do, had it known all reads beforehand.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::tap::Get;

/// What a search reads at the very least.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Least {
    /// GETs that bring all of it, none of which skips over more than the gap.
    pub(crate) gets: u64,
    /// Different bytes.
    pub(crate) bytes: u64,
}

/// The least for reads of any number of objects. `gap` is the number of bytes between two reads
/// that one GET may bring for nothing.
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
        let joined = joined(ranges, 0);
        least.bytes += joined.iter().map(|it| it.end - it.start).sum::<u64>();
        least.gets += joined_gets(&joined, gap);
    }
    least
}

/// From left to right, each GET goes on for as long as it may: starting a new one earlier never
/// saves a later one.
fn joined_gets(ranges: &[Range<u64>], gap: u64) -> u64 {
    joined(ranges.to_vec(), gap).len() as u64
}

/// Sorts ranges, drops empty ones, and joins those with at most `gap` bytes between them.
fn joined(mut ranges: Vec<Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap) => {
                last.end = last.end.max(range.end);
            }
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
            read("a", 0..10),
            read("a", 5..15),
            read("a", 20..30),
            read("b", 16..18),
            read("b", 3..3),
        ];
        assert_eq!(least(&reads, 0), Least { gets: 3, bytes: 27 });
        assert_eq!(least(&reads, 5), Least { gets: 2, bytes: 27 });
        assert_eq!(least(&[], 5), Least::default());
    }

    /// All ways to cut the bytes, in order, into runs without a hole wider than the gap.
    fn brute_force(bytes: &[u64], gap: u64) -> u64 {
        if bytes.is_empty() {
            return 0;
        }
        (1..=bytes.len())
            .filter(|&end| {
                bytes[..end]
                    .windows(2)
                    .all(|pair| pair[1] - pair[0] - 1 <= gap)
            })
            .map(|end| 1 + brute_force(&bytes[end..], gap))
            .min()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_other_cut_into_gets_is_shorter(
            pairs in proptest::collection::vec((0u64..30, 0u64..4), 0..5), gap in 0u64..8,
        ) {
            let reads: Vec<Get> =
                pairs.iter().map(|(start, len)| read("a", *start..start + len)).collect();
            let bytes: BTreeSet<u64> = reads.iter().flat_map(|get| get.range.clone()).collect();
            let bytes: Vec<u64> = bytes.into_iter().collect();
            let found = least(&reads, gap);
            prop_assert_eq!(found.bytes, bytes.len() as u64);
            prop_assert_eq!(found.gets, brute_force(&bytes, gap));
        }
    }
}
