use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tantivy::directory::OwnedBytes;

use super::extent::{Extent, Leased};
use super::fate::Reader;

/// Keeps the extents of one warmup alive, whatever the cache evicts, until it is dropped.
///
/// Reading from it takes no lock and, inside one extent, copies nothing.
///
/// In this order: each search counts a reference in front of it, while threads of the pool read from
/// it, which must not be in the same cache line of 64 bytes.
#[repr(C)]
pub(crate) struct Lease {
    _apart: [u64; 8],
    /// Sorted by start; none lies inside another.
    extents: Box<[Leased]>,
    /// Where they start, side by side: this is searched for every read.
    starts: Box<[u64]>,
    bytes: u64,
}

impl Lease {
    /// Bytes held, bookkeeping included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The bytes of `range`, when the lease holds all of them, for `reader`.
    pub(crate) fn read(&self, range: &Range<u64>, reader: Reader) -> Option<OwnedBytes> {
        if range.start >= range.end {
            return Some(OwnedBytes::empty());
        }
        match self.holder(range) {
            Some(at) => Some(self.extents[at].extent().read(range, reader)),
            None => self.joined(range, reader),
        }
    }

    /// The bytes of `range`, which must not be empty, when the extent at this place holds all of
    /// them.
    #[inline]
    pub(crate) fn read_at(
        &self,
        at: usize,
        range: &Range<u64>,
        reader: Reader,
    ) -> Option<OwnedBytes> {
        let extent = self.extents.get(at)?.extent();
        extent.covers(range).then(|| extent.read(range, reader))
    }

    /// The place of the one extent that holds all bytes of `range`, which must not be empty.
    pub(crate) fn holder(&self, range: &Range<u64>) -> Option<usize> {
        let at = self.last_at(range.start)?;
        self.extents[at].extent().covers(range).then_some(at)
    }

    /// The bytes of `range` that stand in several extents in a row: one copy.
    #[cold]
    fn joined(&self, range: &Range<u64>, reader: Reader) -> Option<OwnedBytes> {
        let mut parts = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let extent = self.extents[self.last_at(at)?].extent();
            let end = extent.range().end.min(range.end);
            if end <= at {
                return None;
            }
            parts.push((extent, at..end));
            at = end;
        }
        let mut joined = Vec::with_capacity((range.end - range.start) as usize);
        for (extent, part) in parts {
            joined.extend_from_slice(&extent.read(&part, reader));
        }
        Some(OwnedBytes::new(joined))
    }

    /// The extents that searches have read from.
    pub(super) fn used(&self) -> impl Iterator<Item = &Arc<Extent>> {
        let extents = self.extents.iter().map(Leased::extent);
        extents.filter(|extent| extent.is_used())
    }

    /// The place of the last extent that starts at or before `offset`.
    #[inline]
    fn last_at(&self, offset: u64) -> Option<usize> {
        let after = self.starts.partition_point(|start| *start <= offset);
        after.checked_sub(1)
    }
}

/// A lease that still grows, round by round.
#[derive(Default)]
pub(crate) struct LeaseBuilder {
    extents: BTreeMap<u64, Arc<Extent>>,
}

impl LeaseBuilder {
    /// Adds an extent; those inside it are no longer needed.
    pub(crate) fn add(&mut self, extent: Arc<Extent>) {
        let range = extent.range().clone();
        if let Some((_, before)) = self.extents.range(..=range.start).next_back()
            && before.covers(&range)
        {
            return;
        }
        let inside: Vec<u64> = self
            .extents
            .range(range.start..range.end)
            .filter(|(_, held)| extent.covers(held.range()))
            .map(|(&start, _)| start)
            .collect();
        for start in inside {
            self.extents.remove(&start);
        }
        self.extents.insert(range.start, extent);
    }

    /// What was added so far, but for what lies inside another: starts and ends both grow.
    pub(super) fn extents(&self) -> impl Iterator<Item = &Arc<Extent>> {
        self.extents.values()
    }

    /// The extents that overlap `range`, in order.
    pub(super) fn around(&self, range: &Range<u64>) -> Vec<&Arc<Extent>> {
        let before = self.extents.range(..=range.start).next_back();
        let from = before.map_or(range.start, |(&start, _)| start);
        self.extents
            .range(from..range.end)
            .map(|(_, extent)| extent)
            .filter(|extent| range.start < extent.range().end)
            .collect()
    }

    /// The lease over what was added so far.
    pub(crate) fn build(&self) -> Lease {
        Lease {
            _apart: [0; 8],
            bytes: self.extents.values().map(|extent| extent.weight()).sum(),
            extents: self.extents.values().cloned().map(Leased::new).collect(),
            starts: self.extents.keys().copied().collect(),
        }
    }
}
