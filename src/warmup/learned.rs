//! What searches read late, remembered so that the next warmup of the same work brings it.
//!
//! A collector or a query of the caller may open things only while it collects or advances, where
//! no probe sees it. What is remembered belongs to one version of one split and to one kind of
//! work; it is a hint, so forgetting it costs late reads and nothing else.

use std::ops::Range;
use std::sync::Arc;

use crate::filter::Fingerprint;
use crate::split::Split;
use crate::store::{ObjectHandle, normalise};

/// How much memory it may take, bookkeeping included.
const MAX_BYTES: u64 = 8 << 20;
/// How many ranges of one split are remembered for one work: past it, it reads everything anyway.
const MAX_RANGES: usize = 16_384;

/// Which reads: of what work, in which version of which split.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    object: ObjectHandle,
    work: Fingerprint,
}

impl Key {
    fn new(split: &Split, work: Fingerprint) -> Self {
        Self {
            object: split.files().extents().object().clone(),
            work,
        }
    }
}

/// Late reads of works.
pub(super) struct Learned(moka::sync::Cache<Key, Arc<[Range<u64>]>>);

impl Learned {
    pub(super) fn new() -> Self {
        let weigh = |key: &Key, ranges: &Arc<[Range<u64>]>| {
            let bytes = 192 + key.object.weight() + ranges.len() * size_of::<Range<u64>>();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self(
            moka::sync::Cache::builder()
                .name("forewarm-learned")
                .max_capacity(MAX_BYTES)
                .weigher(weigh)
                .build(),
        )
    }

    /// What is known to be read late, sorted.
    pub(super) fn of(&self, split: &Split, work: Fingerprint) -> Arc<[Range<u64>]> {
        self.0.get(&Key::new(split, work)).unwrap_or_default()
    }

    /// Adds ranges that were read late.
    pub(super) fn add(&self, split: &Split, work: Fingerprint, ranges: Vec<Range<u64>>) {
        let key = Key::new(split, work);
        let known = self.0.get(&key).unwrap_or_default();
        let mut all = normalise(known.iter().cloned().chain(ranges).collect());
        all.truncate(MAX_RANGES);
        self.0.insert(key, all.into());
    }
}
