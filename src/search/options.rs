use std::time::Duration;

use crate::directory::OnMiss;

/// What a search does about warmups.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warming {
    /// Join a warmup that somebody else started; without one, read on demand.
    JoinOnly,
    /// Read everything on demand: the baseline that warming is measured against.
    Off,
    /// Join the warmup, and start it first when nobody has.
    #[default]
    Start,
}

/// How one search is run; the default is as the [settings](crate::WarmerSettings) say.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SearchOptions {
    /// What to do about warmups.
    pub warming: Warming,
    /// What to do on a miss, instead of what the settings say.
    pub on_miss: Option<OnMiss>,
    /// How long to wait for warmups, instead of what the settings say.
    pub join_deadline: Option<Duration>,
    /// Whether to record which bytes the search reads, so that the report tells how many
    /// ([`read_bytes`](crate::SearchReport::read_bytes)). Takes a lock for every read.
    pub record_reads: bool,
    /// For [`search_progressively`](crate::Warmer::search_progressively): how many splits are begun
    /// and not searched at once, while they may turn out to be useless. The fewer, the fewer GETs
    /// are sent in vain; the more, the sooner an answer that needs many splits is there. `None`, the
    /// default, is at first a quarter of
    /// [`max_concurrent_gets`](crate::StoreSettings::max_concurrent_gets), because a warmup sends
    /// about four in a round, and then as many as were searched without being enough.
    pub splits_at_once: Option<usize>,
    /// For [`search_with`](crate::Warmer::search_with): fast fields that the collector reads, so that they are warmed
    /// in the first round. What is not named is found by probing the collector.
    pub columns: Vec<String>,
}

impl SearchOptions {
    /// Sets [`warming`](Self::warming).
    pub fn with_warming(mut self, warming: Warming) -> Self {
        self.warming = warming;
        self
    }

    /// Sets [`on_miss`](Self::on_miss).
    pub fn with_on_miss(mut self, on_miss: OnMiss) -> Self {
        self.on_miss = Some(on_miss);
        self
    }

    /// Sets [`join_deadline`](Self::join_deadline).
    pub fn with_join_deadline(mut self, deadline: Duration) -> Self {
        self.join_deadline = Some(deadline);
        self
    }

    /// Sets [`record_reads`](Self::record_reads).
    pub fn with_record_reads(mut self, record: bool) -> Self {
        self.record_reads = record;
        self
    }

    /// Sets [`splits_at_once`](Self::splits_at_once).
    pub fn with_splits_at_once(mut self, splits: usize) -> Self {
        self.splits_at_once = Some(splits);
        self
    }

    /// Sets [`columns`](Self::columns).
    pub fn with_columns(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns = columns.into_iter().map(Into::into).collect();
        self
    }
}
