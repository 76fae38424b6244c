use serde::Serialize;

use crate::store::Traffic;
use crate::warmup::Outcome;

/// What one search cost: the promise and its proof.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SearchReport {
    /// How joining went, the worst of all splits searched: `ready`, `waited`, `missing`,
    /// `timed_out`, `failed`.
    pub outcome: &'static str,
    /// Requests sent to the store: opening, warming (what this search started), late reads and
    /// documents of the hits.
    pub gets: u64,
    /// Bytes of bodies received for them.
    pub bytes: u64,
    /// Rounds on the longest chain.
    pub rounds: u64,
    /// Rounds that warming spent on queries and collectors which only tell what they read while
    /// they read it, the most of any split.
    pub probe_rounds: u64,
    /// Reads of the store during the search, after its warmup. A warm search has none.
    pub late_reads: u64,
    /// How many splits were left out, because how many of their documents match is
    /// [remembered](crate::ResultSettings).
    pub remembered_splits: usize,
    /// How many of the splits were warmed by a plan that was known, in one round.
    pub planned_splits: usize,
    /// Late reads that plans lacked; they are added to them.
    pub plan_misses: u64,
    /// Different bytes beyond the hot ones that the search read, from memory or not, documents of
    /// the hits left out; when [asked for](crate::SearchOptions::record_reads).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<u64>,
    /// Time to open the splits, the slowest one, in microseconds.
    pub open_us: u64,
    /// Time to warm them, opening included, the slowest one, in microseconds.
    pub warmup_us: u64,
    /// Time this search looked for warmups and waited for them, in microseconds.
    pub join_us: u64,
    /// Time to search and merge, in microseconds, and to compile the request where the warmups that it
    /// found ready were of another one that reads the same.
    pub search_us: u64,
    /// Time to fetch and decode the documents of the hits, in microseconds.
    pub fetch_docs_us: u64,
    /// Number of splits searched.
    pub splits: usize,
    /// Number of splits left out, because nothing of theirs can be in the answer: see
    /// [`search_progressively`](crate::Warmer::search_progressively).
    pub given_up_splits: usize,
    /// Why the warmup of a split failed, when one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl SearchReport {
    pub(super) fn new(splits: usize, outcome: &Outcome) -> Self {
        Self {
            outcome: outcome.name(),
            gets: 0,
            bytes: 0,
            rounds: 0,
            probe_rounds: 0,
            late_reads: 0,
            remembered_splits: 0,
            planned_splits: 0,
            plan_misses: 0,
            read_bytes: None,
            open_us: 0,
            warmup_us: 0,
            join_us: 0,
            search_us: 0,
            fetch_docs_us: 0,
            splits,
            given_up_splits: 0,
            failure: match outcome {
                Outcome::Failed(error) => Some(error.chain()),
                _ => None,
            },
        }
    }

    /// Adds traffic that waited for what is there.
    pub(super) fn then(&mut self, traffic: Traffic) {
        self.gets += traffic.gets;
        self.bytes += traffic.bytes;
        self.rounds += traffic.rounds;
    }
}
