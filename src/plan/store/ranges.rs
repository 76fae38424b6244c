//! Normalised ranges as they are written: each as its distance from the one before, and its length.

use std::fmt;
use std::ops::Range;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::normalise;

/// The most ranges of one list. Past it, a plan reads everything anyway.
const MAX_RANGES: usize = 1 << 18;

/// Sorted ranges that neither touch nor are empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    pub(super) fn new(ranges: &[Range<u64>]) -> Self {
        let apart = ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
        if apart && ranges.iter().all(|range| range.start < range.end) {
            Self(ranges.to_vec())
        } else {
            Self(normalise(ranges.to_vec()))
        }
    }

    pub(super) fn into_inner(self) -> Vec<Range<u64>> {
        self.0
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are few enough to be written.
    pub(super) fn are_few(&self) -> bool {
        self.len() <= MAX_RANGES
    }
}

impl Serialize for Ranges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        let mut at = 0;
        for range in &self.0 {
            list.serialize_element(&(range.start - at, range.end - range.start))?;
            at = range.end;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Ranges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Deltas)
    }
}

struct Deltas;

impl<'de> Visitor<'de> for Deltas {
    type Value = Ranges;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ranges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Ranges, A::Error> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut at: u64 = 0;
        while let Some((gap, len)) = list.next_element::<(u64, u64)>()? {
            let start = at.checked_add(gap);
            let end = start.and_then(|start| start.checked_add(len));
            let (Some(start), Some(end)) = (start, end) else {
                return Err(A::Error::custom("a range past all offsets"));
            };
            if len == 0 || (gap == 0 && !ranges.is_empty()) {
                return Err(A::Error::custom("ranges that touch or are empty"));
            }
            if ranges.len() == MAX_RANGES {
                return Err(A::Error::custom("too many ranges"));
            }
            ranges.push(start..end);
            at = end;
        }
        Ok(Ranges(ranges))
    }
}
