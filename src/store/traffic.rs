use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What some work asked of the object store.
///
/// A *round* is a batch of GETs none of which waits for another: the latency of cold work is its
/// rounds times the store's time to first byte, plus bytes over bandwidth.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Traffic {
    /// Requests sent, retries and HEADs included.
    pub gets: u64,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Rounds on the longest chain.
    pub rounds: u64,
}

impl Traffic {
    /// The traffic of two pieces of work, one of which waited for the other: rounds add up.
    pub fn then(self, next: Self) -> Self {
        Self {
            gets: self.gets + next.gets,
            bytes: self.bytes + next.bytes,
            rounds: self.rounds + next.rounds,
        }
    }

    /// The traffic of two pieces of work side by side: the longer chain of rounds counts.
    pub fn beside(self, other: Self) -> Self {
        Self {
            gets: self.gets + other.gets,
            bytes: self.bytes + other.bytes,
            rounds: self.rounds.max(other.rounds),
        }
    }
}

/// Counts requests and bytes as they happen; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrafficCounter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    gets: AtomicU64,
    bytes: AtomicU64,
    rounds: AtomicU64,
}

impl TrafficCounter {
    pub(crate) fn count_get(&self) {
        self.0.gets.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_bytes(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_round(&self) {
        self.0.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what was counted elsewhere.
    pub(crate) fn add(&self, traffic: Traffic) {
        self.0.gets.fetch_add(traffic.gets, Ordering::Relaxed);
        self.0.bytes.fetch_add(traffic.bytes, Ordering::Relaxed);
        self.0.rounds.fetch_add(traffic.rounds, Ordering::Relaxed);
    }

    pub(crate) fn gets(&self) -> u64 {
        self.0.gets.load(Ordering::Relaxed)
    }

    pub(crate) fn snapshot(&self) -> Traffic {
        Traffic {
            gets: self.gets(),
            bytes: self.0.bytes.load(Ordering::Relaxed),
            rounds: self.0.rounds.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_add_up_in_a_chain_and_overlap_side_by_side() {
        let one = Traffic {
            gets: 2,
            bytes: 10,
            rounds: 1,
        };
        let two = Traffic {
            gets: 1,
            bytes: 5,
            rounds: 3,
        };
        assert_eq!(
            one.then(two),
            Traffic {
                gets: 3,
                bytes: 15,
                rounds: 4
            }
        );
        assert_eq!(
            one.beside(two),
            Traffic {
                gets: 3,
                bytes: 15,
                rounds: 3
            }
        );
    }
}
