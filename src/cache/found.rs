//! What is in memory, or on its way, of what is wanted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Weak};

use super::extent::Extent;
use super::flight::Flight;
use super::lookups::Looked;
use super::shelf::State;
use crate::store::{gaps, normalise};

/// What a look at a split's map found for some ranges. Dropped only after the map is unlocked.
#[derive(Default)]
pub(super) struct Found {
    pub(super) extents: Vec<Arc<Extent>>,
    pub(super) flights: Vec<Arc<Flight>>,
    /// Looked at and not wanted; kept only so as not to be dropped under the map's lock.
    bystanders: Vec<Arc<Flight>>,
    pub(super) looked: Looked,
}

impl Found {
    /// Looks up what covers the normalised ranges `wanted`, and answers with the rest of them.
    pub(super) fn look(&mut self, state: &State, wanted: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        for range in wanted {
            let mut present = Vec::new();
            for extent in around(&state.extents, range) {
                present.push(extent.range().clone());
                self.extents.push(extent);
            }
            let mut present = normalise(present);
            self.looked.add(range, &present);
            for flight in around(&state.flights, range) {
                present.push(flight.range().clone());
                let overlaps = range.start < flight.range().end;
                let list = if overlaps {
                    &mut self.flights
                } else {
                    &mut self.bystanders
                };
                list.push(flight);
            }
            missing.extend(gaps(range, &normalise(present)));
        }
        self.flights.dedup_by_key(|flight| flight.range().start);
        missing
    }
}

/// Whether anything that begins in `gap` is in memory or on its way.
pub(super) fn is_held(state: &State, gap: &Range<u64>) -> bool {
    state.extents.range(gap.clone()).next().is_some()
        || state.flights.range(gap.clone()).next().is_some()
}

/// The live entries of `map` that may overlap `range`: those that start inside it, and the last
/// one before it, which reaches further than all before it because none lies inside another.
fn around<T>(map: &BTreeMap<u64, Weak<T>>, range: &Range<u64>) -> Vec<Arc<T>> {
    let mut before = map.range(..range.start).rev();
    let before = before.find_map(|(_, entry)| entry.upgrade());
    let inside = map.range(range.start..range.end);
    before
        .into_iter()
        .chain(inside.filter_map(|(_, entry)| entry.upgrade()))
        .collect()
}
