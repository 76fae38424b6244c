use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::store::{Origin, Tally};
use crate::sync::atomic::AtomicU8;
use crate::telemetry::{Counter, SEARCH, list};

/// Who reads from an extent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reader {
    /// The opener of its split: every search of the split needs what it reads, and need not read it
    /// again.
    Opening,
    /// Anybody else: above all warmups, which find out what a search will read.
    Other,
    /// A search.
    Search,
}

const UNREAD: u8 = 0;
const OPENED: u8 = 1;
const SEARCHED: u8 = 2;

/// What becomes of bytes that were fetched together: used when a search reads any of them, wasted
/// when they leave memory before that.
///
/// It is shared by all extents that hold the bytes: one that is joined from others holds what is
/// undecided of theirs, so that bytes are judged once, however often they were copied.
#[derive(Debug)]
pub(super) struct Fate {
    bytes: u64,
    read: AtomicU8,
    /// For whom they were fetched; none when a search of its own wanted them.
    origin: Option<Arc<Origin>>,
    /// Everybody together.
    all: Arc<Tally>,
}

impl Fate {
    /// Of bytes that have just come.
    pub(super) fn new(bytes: u64, origin: Option<&Arc<Origin>>, all: &Arc<Tally>) -> Arc<Self> {
        let fate = Self {
            bytes,
            read: AtomicU8::new(UNREAD),
            origin: origin.cloned(),
            all: Arc::clone(all),
        };
        fate.count(Tally::count_fetched, &list::FETCHED_BYTES);
        Arc::new(fate)
    }

    /// Takes note that `reader` reads of them.
    pub(super) fn read_by(&self, reader: Reader) {
        let read = match reader {
            Reader::Opening => OPENED,
            Reader::Other => return,
            Reader::Search => SEARCHED,
        };
        let before = self.read.fetch_max(read, Ordering::Relaxed);
        if before < SEARCHED && read == SEARCHED {
            self.count(Tally::count_used, &list::USED_BYTES);
        }
    }

    /// Whether a search has read of them.
    pub(super) fn is_used(&self) -> bool {
        self.read.load(Ordering::Relaxed) == SEARCHED
    }

    fn count(&self, count: impl Fn(&Tally, u64), metric: &Counter) {
        count(&self.all, self.bytes);
        match &self.origin {
            Some(origin) => {
                count(origin.tally(), self.bytes);
                metric.add_of(Arc::clone(origin.source()), self.bytes);
            }
            None => metric.add_of(SEARCH, self.bytes),
        }
    }
}

impl Drop for Fate {
    fn drop(&mut self) {
        if *self.read.get_mut() == UNREAD {
            self.count(Tally::count_wasted, &list::WASTED_BYTES);
        }
    }
}
