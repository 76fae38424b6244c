use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

/// How many GETs one trace takes: about 4 MiB of them.
const MAX_GETS: usize = 16_384;

/// One request that some work sent to the store: an attempt at a GET, or a HEAD.
///
/// Times are microseconds since the trace began. [`Warmup::trace`](crate::Warmup::trace) has an
/// example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GetTrace {
    /// The object's path.
    pub path: String,
    /// The bytes asked for; empty for a HEAD, and for a suffix GET that was not answered.
    pub range: Range<u64>,
    /// When the bytes were asked for: from here to `sent_us` the GET waited for its turn, or, from
    /// the second attempt on, for the attempts before it.
    pub asked_us: u64,
    /// When the request was sent.
    pub sent_us: u64,
    /// When the store began to answer; `ended_us` when it never did.
    pub first_byte_us: u64,
    /// When the last byte was there, or the attempt was given up.
    pub ended_us: u64,
    /// Bytes of the body that were received.
    pub bytes: u64,
    /// The round of the work that it was asked for in, from 1.
    pub round: u64,
    /// Which attempt at these bytes, from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: GetOutcome,
}

/// How a request to the store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum GetOutcome {
    /// It failed, or was given up, and was not tried again.
    Failed,
    /// It was slow, and another one sent beside it was faster.
    Lost,
    /// It brought its bytes.
    Ok,
    /// It failed and was tried again.
    Retried,
}

/// Where the requests of some work are noted.
#[derive(Debug)]
pub(super) struct Trace {
    began: Instant,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    gets: Vec<GetTrace>,
    /// How many did not fit.
    left_out: u64,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            noted: Mutex::default(),
        }
    }

    /// Microseconds from the beginning of the trace to `moment`.
    pub(super) fn micros(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// Notes a request, unless the trace is full.
    pub(super) fn note(&self, get: impl FnOnce() -> GetTrace) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.gets.len() < MAX_GETS {
            noted.gets.push(get());
        } else {
            noted.left_out += 1;
        }
    }

    /// What was noted, in the order of sending.
    pub(super) fn gets(&self) -> Vec<GetTrace> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gets = noted.gets.clone();
        drop(noted);
        gets.sort_by_key(|get| (get.sent_us, get.range.start));
        gets
    }

    pub(super) fn left_out(&self) -> u64 {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.left_out
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_full_trace_counts_what_it_leaves_out() {
        let trace = Trace::new();
        let get = |sent_us| GetTrace {
            path: "a.split".to_owned(),
            range: 0..10,
            asked_us: 0,
            sent_us,
            first_byte_us: sent_us,
            ended_us: sent_us,
            bytes: 10,
            round: 1,
            attempt: 1,
            outcome: GetOutcome::Ok,
        };
        for at in 0..MAX_GETS as u64 + 3 {
            trace.note(|| get(MAX_GETS as u64 - at.min(MAX_GETS as u64)));
        }
        let gets = trace.gets();
        assert_eq!((gets.len(), trace.left_out()), (MAX_GETS, 3));
        assert!(gets.is_sorted_by_key(|get| get.sent_us));
    }
}
