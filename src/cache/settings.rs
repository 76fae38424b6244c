use serde::{Deserialize, Serialize};

/// How much memory extents and opened splits may take: plain data, every default chosen for a
/// service that has about 4 GiB of memory to spare.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CacheSettings {
    /// Bytes of cached extents, their bookkeeping included. Default 1 GiB.
    pub capacity_bytes: u64,
    /// Bytes that warmups may hold beyond the capacity: what is in flight, and what is leased
    /// though the cache has evicted it. Reserved before it is fetched. Default 512 MiB.
    pub lease_bytes: u64,
    /// Bytes of opened splits: hot bytes, and what readers keep open. Default 256 MiB.
    pub opened_bytes: u64,
    /// Bytes of memory for what splits are known not to hold: terms and patterns that were looked
    /// for in vain. Default 4 MiB, some ten thousand of them.
    pub absence_bytes: u64,
    /// Bytes of memory for plans: what requests were found to read in splits, so that the next
    /// warmup is one round, and how many documents match, where that is
    /// [remembered](crate::ResultSettings). Default 32 MiB, some twenty thousand of them; 0
    /// remembers none. An eighth more may go to which version each split was last seen in.
    pub plan_bytes: u64,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            capacity_bytes: 1 << 30,
            lease_bytes: 512 << 20,
            opened_bytes: 256 << 20,
            absence_bytes: 4 << 20,
            plan_bytes: 32 << 20,
        }
    }
}

impl CacheSettings {
    /// Sets [`capacity_bytes`](Self::capacity_bytes).
    pub fn with_capacity_bytes(mut self, bytes: u64) -> Self {
        self.capacity_bytes = bytes;
        self
    }

    /// Sets [`lease_bytes`](Self::lease_bytes).
    pub fn with_lease_bytes(mut self, bytes: u64) -> Self {
        self.lease_bytes = bytes;
        self
    }

    /// Sets [`absence_bytes`](Self::absence_bytes).
    pub fn with_absence_bytes(mut self, bytes: u64) -> Self {
        self.absence_bytes = bytes;
        self
    }

    /// Sets [`plan_bytes`](Self::plan_bytes).
    pub fn with_plan_bytes(mut self, bytes: u64) -> Self {
        self.plan_bytes = bytes;
        self
    }

    /// Sets [`opened_bytes`](Self::opened_bytes).
    pub fn with_opened_bytes(mut self, bytes: u64) -> Self {
        self.opened_bytes = bytes;
        self
    }
}
