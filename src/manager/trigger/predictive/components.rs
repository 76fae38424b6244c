//! How often an average byte of each component of a split is expected to be read.
//!
//! A column is read by every request that sorts or aggregates by it, a posting list by those for
//! its term. So what one request alone would not be worth warming for may be, where what it lacks
//! lies in a component that others read too.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::plan::Component;
use crate::store::normalise;
use crate::warmup::PlannedReads;

/// The readers of one split.
#[derive(Default)]
pub(super) struct ComponentHeat(BTreeMap<Component, Readers>);

#[derive(Default)]
struct Readers {
    /// Bytes that requests read, each so often as the request is expected.
    asked: f64,
    ranges: Vec<Range<u64>>,
}

/// How often components are read, over some splits.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Density {
    /// How often an average byte that is read at all is expected to be read, in asks.
    reads: f64,
    /// Bytes that are read at all.
    bytes: u64,
}

impl ComponentHeat {
    /// Adds a request that is expected so often.
    pub(super) fn add(&mut self, reads: &PlannedReads, expected: f64) {
        for (component, range) in &reads.all {
            let readers = self.0.entry(*component).or_default();
            readers.asked += expected * (range.end - range.start) as f64;
            readers.ranges.push(range.clone());
        }
    }

    /// All requests are added: how often each component is read.
    pub(super) fn densities(self) -> BTreeMap<Component, Density> {
        let density = |readers: Readers| {
            let ranges = normalise(readers.ranges);
            let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
            Density {
                reads: readers.asked / bytes.max(1) as f64,
                bytes,
            }
        };
        let components = self.0.into_iter();
        components
            .map(|(component, readers)| (component, density(readers)))
            .collect()
    }
}

impl Density {
    /// How often an average byte of those that a request lacks is expected to be read.
    pub(super) fn of_missing(densities: &BTreeMap<Component, Self>, reads: &PlannedReads) -> f64 {
        let (mut asked, mut bytes) = (0.0, 0);
        for (component, range) in &reads.missing {
            let length = range.end - range.start;
            let density = densities.get(component).copied().unwrap_or_default();
            asked += density.reads * length as f64;
            bytes += length;
        }
        asked / bytes.max(1) as f64
    }

    /// The densities of several splits.
    pub(super) fn add(self, other: Self) -> Self {
        let bytes = self.bytes + other.bytes;
        let asked = self.reads * self.bytes as f64 + other.reads * other.bytes as f64;
        Self {
            reads: asked / bytes.max(1) as f64,
            bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(all: &[(Component, Range<u64>)], missing: &[(Component, Range<u64>)]) -> PlannedReads {
        PlannedReads {
            all: all.to_vec(),
            missing: missing.to_vec(),
        }
    }

    #[test]
    fn a_byte_that_several_requests_read_is_worth_the_sum_of_them() {
        let column = (Component::Columns, 0..1000);
        let own = |n: u64| (Component::Postings, 2000 + 100 * n..2100 + 100 * n);
        let mut heat = ComponentHeat::default();
        for n in 0..5 {
            let all = [column.clone(), own(n)];
            heat.add(&reads(&all, &[]), 0.3);
        }
        let densities = heat.densities();
        let of = |missing: &[_]| Density::of_missing(&densities, &reads(&[], missing));
        assert!((of(std::slice::from_ref(&column)) - 1.5).abs() < 1e-9);
        assert!((of(&[own(1)]) - 0.3).abs() < 1e-9);
        let both = of(&[column, own(1)]);
        assert!((1.3..1.5).contains(&both), "{both}");
        assert!(of(&[(Component::Store, 0..10)]).abs() < 1e-9);
        let sum = densities[&Component::Columns].add(densities[&Component::Postings]);
        assert_eq!(sum.bytes, 1500);
        assert!((sum.reads - 1.1).abs() < 1e-9);
    }
}
