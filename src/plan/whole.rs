//! Small splits are fetched whole rather than in rounds, where that is allowed.
//!
//! What came unasked stays out of sight of the probes that follow: they go on missing what they read,
//! which is then found in memory. So the plan of the request is the same as ever, and exact.

use std::ops::Range;
use std::sync::Arc;

use crate::cache::LeaseBuilder;
use crate::error::{ErrorKind, Result};
use crate::split::Split;
use crate::store::{TrafficCounter, normalise};

/// A split that may have been fetched whole.
#[derive(Default)]
pub(super) struct Whole {
    /// What came unasked, held for the rounds to come.
    held: Option<LeaseBuilder>,
    asked: Vec<Range<u64>>,
}

/// What a small split lacks: nothing when opening brought all of it, and else what is to be fetched
/// with the ranges that are `next`, when these are not in memory.
pub(super) fn rest_of(
    split: &Split,
    next: &[Range<u64>],
    traffic: &TrafficCounter,
) -> Option<Vec<Range<u64>>> {
    let extents = split.files().extents();
    let rest = extents.little_missing(0..split.footer().start, traffic)?;
    (rest.is_empty() || extents.wanted(next) > 0).then_some(rest)
}

impl Whole {
    /// Fetches what the split lacks, the first time.
    ///
    /// # Errors
    ///
    /// Those of the fetch. What does not fit in memory is no error: it is fetched in rounds then.
    pub(super) async fn fetch(
        &mut self,
        split: &Split,
        rest: &[Range<u64>],
        traffic: &TrafficCounter,
    ) -> Result<()> {
        if self.held.is_some() {
            return Ok(());
        }
        let held = self.held.insert(LeaseBuilder::default());
        let extents = split.files().extents();
        match extents.acquire(rest.to_vec(), traffic).await {
            Ok(acquired) => {
                if acquired.waited {
                    traffic.count_round();
                }
                for extent in acquired.extents {
                    held.add(extent);
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Budget => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes note of what was asked for.
    pub(super) fn ask(&mut self, ranges: &[Range<u64>]) {
        self.asked.extend_from_slice(ranges);
    }

    /// What probes may see: what they have asked for. An extent that holds it may hold more, which
    /// came with a footer, in a gap, or for another request, and a plan would lack what is read of that.
    pub(super) fn shown(&self) -> Arc<[Range<u64>]> {
        normalise(self.asked.clone()).into()
    }
}
