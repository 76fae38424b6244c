//! How many bytes a warmup puts at risk: those that nobody else is expected to read, should the
//! request not be asked.

use std::collections::HashMap;
use std::ops::Range;

use object_store::path::Path;

use crate::cache::EXTENT_OVERHEAD_BYTES;
use crate::filter::Fingerprint;

/// How often ranges of splits are expected to be read, by split and where they start.
#[derive(Default)]
pub(super) struct Readers(HashMap<Path, HashMap<u64, f64>>);

/// Bytes at risk of requests, in parts of what a pair reads on average, in the splits that they were
/// last looked at in: what they will read in one that no plan tells of is much the same.
#[derive(Debug, Default)]
pub(super) struct Risks(HashMap<Fingerprint, f64>);

impl Readers {
    /// Adds a request that reads these ranges and is expected so often.
    pub(super) fn add(&mut self, split: &Path, ranges: &[Range<u64>], expected: f64) {
        let reads = match self.0.get_mut(split) {
            Some(reads) => reads,
            None => self.0.entry(split.clone()).or_default(),
        };
        for range in ranges {
            *reads.entry(range.start).or_default() += expected;
        }
    }

    /// Bytes of these ranges that are likely to be read by nobody but that request.
    pub(super) fn risk(&self, split: &Path, ranges: &[Range<u64>], expected: f64) -> f64 {
        let reads = self.0.get(split);
        let risk = |range: &Range<u64>| {
            let reads = reads.and_then(|reads| reads.get(&range.start));
            let others = (reads.copied().unwrap_or(expected) - expected).max(0.0);
            let bytes = range.end - range.start + EXTENT_OVERHEAD_BYTES;
            bytes as f64 * (-others).exp()
        };
        ranges.iter().map(risk).sum()
    }
}

impl Risks {
    /// Takes note of what a request puts at risk.
    pub(super) fn note(&mut self, request: Fingerprint, risk: f64) {
        self.0.insert(request, risk);
    }

    /// Those of a request, if it was looked at lately.
    pub(super) fn of(&self, request: Fingerprint) -> Option<f64> {
        self.0.get(&request).copied()
    }

    /// Forgets all others.
    pub(super) fn keep(&mut self, is_expected: impl Fn(Fingerprint) -> bool) {
        self.0.retain(|request, _| is_expected(*request));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_are_likely_to_read_is_at_no_risk() {
        let split = Path::from("a");
        let (column, own) = (0..1000, 5000..5100);
        let mut readers = Readers::default();
        for _ in 0..10 {
            readers.add(&split, std::slice::from_ref(&column), 1.0);
        }
        readers.add(&split, &[column.clone(), own.clone()], 0.5);
        let risk = readers.risk(&split, &[column, own], 0.5);
        let alone = (100 + EXTENT_OVERHEAD_BYTES) as f64;
        assert!((alone..alone + 1.0).contains(&risk), "{risk}");
    }
}
