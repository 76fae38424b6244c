//! Ranges that span several extents.

use std::ops::Range;
use std::sync::Arc;

use super::extent::{Extent, weight_of};
use super::extents::SplitExtents;
use super::fate::Fate;
use super::lease::LeaseBuilder;
use crate::error::{Error, ErrorKind, Result};

impl SplitExtents {
    /// Each wanted range inside one extent: those that span several are copied into one, which
    /// takes the place of its parts in the cache, and whose fate is what is undecided of theirs.
    pub(super) fn joined(
        self: &Arc<Self>,
        wanted: &[Range<u64>],
        held: &LeaseBuilder,
    ) -> Result<Vec<Arc<Extent>>> {
        let mut extents = Vec::new();
        for range in wanted {
            let parts = held.around(range);
            if let Some(one) = parts.iter().find(|extent| extent.covers(range)) {
                self.cache.touch(self.id(), one);
                extents.push(Arc::clone(one));
                continue;
            }
            extents.push(self.join(&parts)?);
        }
        Ok(extents)
    }

    fn join(self: &Arc<Self>, parts: &[&Arc<Extent>]) -> Result<Arc<Extent>> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(Error::new(
                ErrorKind::Internal,
                "no extent holds a range just acquired",
            ));
        };
        let union = first.range().start..last.range().end;
        let undecided = parts.iter().flat_map(|part| part.undecided());
        let mut fates: Vec<Arc<Fate>> = undecided.cloned().collect();
        fates.sort_unstable_by_key(Arc::as_ptr);
        fates.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let reservation = self.cache.reserve(weight_of(&union, fates.len()))?;
        let mut bytes = Vec::with_capacity((union.end - union.start) as usize);
        for part in parts {
            let at = union.start + bytes.len() as u64;
            let from = at.max(part.range().start);
            if from > at {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "extents of a range do not touch",
                ));
            }
            if from < part.range().end {
                bytes.extend_from_slice(&part.slice(&(from..part.range().end)));
            }
        }
        let shelf = Arc::clone(&self.shelf);
        let extent = Extent::new(shelf, union.start, bytes, reservation, fates);
        self.publish(&extent, 0);
        Ok(extent)
    }
}
