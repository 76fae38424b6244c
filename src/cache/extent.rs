use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tantivy::directory::OwnedBytes;

use super::budget::Reservation;
use super::fate::{Fate, Reader};
use super::shelf::Shelf;
use crate::sync::atomic::{AtomicBool, AtomicU64};

/// Memory one extent takes beside its bytes: moka's node, the ordered map's entry, the extent,
/// its fate.
pub(crate) const EXTENT_OVERHEAD_BYTES: u64 = 416;

/// Memory that each fate of a joined extent takes beyond its first.
const FATE_BYTES: u64 = 64;

/// One contiguous run of bytes of one split held in memory, in an allocation of its own.
pub(crate) struct Extent {
    range: Range<u64>,
    bytes: OwnedBytes,
    shelf: Arc<Shelf>,
    leases: AtomicU64,
    /// What becomes of the fetches that brought the bytes: one, or those of the parts it was joined
    /// from.
    fates: Box<[Arc<Fate>]>,
    /// Whether a search has read from it, beside its bytes: searches look at it for every read.
    is_used: AtomicBool,
    _reservation: Reservation,
}

impl Extent {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        start: u64,
        bytes: Vec<u8>,
        reservation: Reservation,
        fates: impl IntoIterator<Item = Arc<Fate>>,
    ) -> Arc<Self> {
        let range = start..start + bytes.len() as u64;
        Arc::new(Self {
            range,
            bytes: OwnedBytes::new(bytes),
            shelf,
            leases: AtomicU64::new(0),
            fates: fates.into_iter().collect(),
            is_used: AtomicBool::new(false),
            _reservation: reservation,
        })
    }

    /// Where the bytes stand in the split object.
    pub(crate) fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// Bytes this extent takes, bookkeeping included.
    pub(crate) fn weight(&self) -> u64 {
        weight_of(&self.range, self.fates.len())
    }

    #[inline]
    pub(crate) fn covers(&self, range: &Range<u64>) -> bool {
        self.range.start <= range.start && range.end <= self.range.end
    }

    /// The bytes of `range`, which this extent must [cover](Self::covers), for `reader`, without a
    /// copy.
    #[inline]
    pub(crate) fn read(&self, range: &Range<u64>, reader: Reader) -> OwnedBytes {
        match reader {
            // All that most reads of searches do: threads that read from it share its cache line.
            Reader::Search if self.is_used.load(Ordering::Relaxed) => {}
            Reader::Opening => self.opened(range.end - range.start),
            reader => self.read_by(reader),
        }
        self.slice(range)
    }

    /// Takes note that opening its split read so many bytes of it; where that is less than half,
    /// they came along with what is wanted for something else.
    pub(super) fn opened(&self, bytes: u64) {
        if bytes >= (self.range.end - self.range.start) / 2 {
            self.read_by(Reader::Opening);
        }
    }

    /// Takes note that `reader` reads of it.
    pub(crate) fn read_by(&self, reader: Reader) {
        if reader == Reader::Search {
            self.is_used.store(true, Ordering::Relaxed);
        }
        for fate in &self.fates {
            fate.read_by(reader);
        }
    }

    /// Whether a search has read from it.
    pub(super) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// What becomes of its bytes, as far as that is open.
    pub(super) fn undecided(&self) -> impl Iterator<Item = &Arc<Fate>> {
        self.fates.iter().filter(|fate| !fate.is_used())
    }

    /// The bytes of `range`, as for [`read`](Self::read), for whom nobody takes note of.
    #[inline]
    pub(super) fn slice(&self, range: &Range<u64>) -> OwnedBytes {
        let start = (range.start - self.range.start) as usize;
        self.bytes
            .slice(start..start + (range.end - range.start) as usize)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        self.shelf.forget_extent(self.range.start);
    }
}

/// What an extent takes that holds `range` and the fates of so many fetches.
pub(super) fn weight_of(range: &Range<u64>, fates: usize) -> u64 {
    let more_fates = FATE_BYTES * fates.saturating_sub(1) as u64;
    (range.end - range.start) + EXTENT_OVERHEAD_BYTES + more_fates
}

/// A strong reference to an extent held by a lease; counted in the gauge of leased bytes once for
/// each extent, however many leases hold it.
pub(crate) struct Leased(Arc<Extent>);

impl Leased {
    pub(super) fn new(extent: Arc<Extent>) -> Self {
        if extent.leases.fetch_add(1, Ordering::AcqRel) == 0 {
            extent
                .shelf
                .leased()
                .fetch_add(extent.weight(), Ordering::AcqRel);
        }
        Self(extent)
    }

    pub(crate) fn extent(&self) -> &Arc<Extent> {
        &self.0
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if self.0.leases.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0
                .shelf
                .leased()
                .fetch_sub(self.0.weight(), Ordering::AcqRel);
        }
    }
}
