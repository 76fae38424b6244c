use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// For whom bytes are fetched, and what became of them: a source of warmups, which travels with
/// each [`TrafficCounter`](super::TrafficCounter) of theirs to what their GETs bring.
#[derive(Debug)]
pub(crate) struct Origin {
    source: Arc<str>,
    tally: Tally,
}

/// Counts what became of bytes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    fetched: AtomicU64,
    used: AtomicU64,
    wasted: AtomicU64,
}

/// What became of the bytes that were brought into memory for somebody: searches have read them,
/// they were let go of before any did, or neither yet.
///
/// They are judged by extent, the piece of memory that one GET or a part of it fills: the first read
/// of a search makes all of it used. A gap between two ranges that a GET brought along and that is
/// not kept is not counted; what opening a split reads is used once a search reads it too, and never
/// wasted.
///
/// ```
/// use forewarm::Use;
///
/// let nothing: Use = serde_json::from_str(
///     r#"{"fetched_bytes": 4096, "used_bytes": 0, "wasted_bytes": 0}"#,
/// )?;
/// assert_eq!(nothing.share(), None);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Use {
    /// Bytes brought into memory.
    pub fetched_bytes: u64,
    /// Bytes of these that searches have read.
    pub used_bytes: u64,
    /// Bytes of these that left memory unread.
    pub wasted_bytes: u64,
}

impl Use {
    /// The share of used bytes in those that were judged, from 0 to 1; `None` while there are none.
    pub fn share(&self) -> Option<f64> {
        let judged = self.used_bytes.saturating_add(self.wasted_bytes);
        (judged > 0).then(|| self.used_bytes as f64 / judged as f64)
    }
}

impl Origin {
    /// What is warmed for `source`: a name in statistics and metrics, of which there are few.
    pub(crate) fn new(source: &str) -> Arc<Self> {
        Arc::new(Self {
            source: source.into(),
            tally: Tally::default(),
        })
    }

    pub(crate) fn source(&self) -> &Arc<str> {
        &self.source
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What became of its bytes so far.
    pub(crate) fn usage(&self) -> Use {
        self.tally.usage()
    }
}

impl Tally {
    /// So many bytes came into memory.
    pub(crate) fn count_fetched(&self, bytes: u64) {
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A search has read them.
    pub(crate) fn count_used(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// They left memory before any search has read them.
    pub(crate) fn count_wasted(&self, bytes: u64) {
        self.wasted.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What became of them so far.
    pub(crate) fn usage(&self) -> Use {
        Use {
            fetched_bytes: self.fetched.load(Ordering::Relaxed),
            used_bytes: self.used.load(Ordering::Relaxed),
            wasted_bytes: self.wasted.load(Ordering::Relaxed),
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_what_was_judged() {
        let tally = Tally::default();
        tally.count_fetched(100);
        assert_eq!(tally.usage().share(), None);
        tally.count_used(30);
        assert_eq!(tally.usage().share(), Some(1.0));
        tally.count_wasted(10);
        assert_eq!(tally.usage().share(), Some(0.75));
        assert_eq!(tally.usage().fetched_bytes, 100);
    }
}
