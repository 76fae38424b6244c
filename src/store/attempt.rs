use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::TrafficCounter;
use super::trace::{GetOutcome, GetTrace};
use crate::telemetry::list;

/// A GET as it was asked for, of which there may be several attempts.
pub(super) struct Asked {
    path: Path,
    /// Empty while it is not known.
    range: Range<u64>,
    /// At most so many bytes come.
    bytes: u64,
    asked: Instant,
    /// The round of its work, from 1.
    round: u64,
    traffic: TrafficCounter,
    totals: TrafficCounter,
}

/// One attempt at a GET, counted and measured as it goes. When it is dropped it is noted in the
/// trace of whoever asked for it.
pub(super) struct Attempt {
    asked: Arc<Asked>,
    number: u32,
    sent: Instant,
    progress: Mutex<Progress>,
    has_answered: Notify,
}

#[derive(Default)]
struct Progress {
    range: Range<u64>,
    answered: Option<Instant>,
    bytes: u64,
    is_counted: bool,
    /// Whether it turned out that nothing was sent.
    is_withdrawn: bool,
    outcome: Option<GetOutcome>,
}

impl Asked {
    pub(super) fn new(
        path: &Path,
        range: Range<u64>,
        bytes: u64,
        traffic: &TrafficCounter,
        totals: &TrafficCounter,
    ) -> Arc<Self> {
        Arc::new(Self {
            path: path.clone(),
            range,
            bytes,
            asked: Instant::now(),
            round: traffic.rounds() + 1,
            traffic: traffic.clone(),
            totals: totals.clone(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn traffic(&self) -> &TrafficCounter {
        &self.traffic
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Begins an attempt, which is sent now.
    pub(super) fn attempt(self: &Arc<Self>, number: u32) -> Arc<Attempt> {
        Arc::new(Attempt {
            asked: Arc::clone(self),
            number,
            sent: Instant::now(),
            has_answered: Notify::new(),
            progress: Mutex::new(Progress {
                range: self.range.clone(),
                ..Progress::default()
            }),
        })
    }
}

impl Attempt {
    /// It was refused before anything was sent: not a request.
    pub(super) fn withdraw(&self) {
        self.progress().is_withdrawn = true;
    }

    /// The store has begun to answer with bytes `range`.
    pub(super) fn answered(&self, range: Option<&Range<u64>>) {
        let mut progress = self.progress();
        progress.answered = Some(Instant::now());
        if let Some(range) = range {
            progress.range = range.clone();
        }
        self.count(&mut progress);
        drop(progress);
        self.has_answered.notify_one();
    }

    /// Waits until the store begins to answer. For one waiter, once.
    pub(super) async fn has_answered(&self) {
        self.has_answered.notified().await;
    }

    pub(super) fn sent(&self) -> Instant {
        self.sent
    }

    /// So many bytes of the body have come.
    pub(super) fn received(&self, bytes: u64) {
        self.asked.traffic.count_bytes(bytes);
        self.asked.totals.count_bytes(bytes);
        self.progress().bytes += bytes;
    }

    /// How long it took to the first byte, how many bytes came, and how long they took.
    pub(super) fn measured(&self) -> Option<(Duration, u64, Duration)> {
        let progress = self.progress();
        let answered = progress.answered?;
        let first_byte = answered.saturating_duration_since(self.sent);
        Some((first_byte, progress.bytes, answered.elapsed()))
    }

    pub(super) fn end(&self, outcome: GetOutcome) {
        let mut progress = self.progress();
        progress.outcome = Some(outcome);
        self.count(&mut progress);
    }

    /// Counts the request, once.
    fn count(&self, progress: &mut Progress) {
        if progress.is_counted || progress.is_withdrawn {
            return;
        }
        progress.is_counted = true;
        self.asked.traffic.count_get();
        self.asked.totals.count_get();
        list::STORE_GETS.add(1);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut progress = self.progress();
        self.count(&mut progress);
        if progress.is_withdrawn {
            return;
        }
        self.asked.traffic.note(|trace| {
            let ended = Instant::now();
            let asked = &self.asked;
            GetTrace {
                path: asked.path.to_string(),
                range: progress.range.clone(),
                asked_us: trace.micros(asked.asked),
                sent_us: trace.micros(self.sent),
                first_byte_us: trace.micros(progress.answered.unwrap_or(ended)),
                ended_us: trace.micros(ended),
                bytes: progress.bytes,
                round: asked.round,
                attempt: self.number,
                // Given up while it was under way.
                outcome: progress.outcome.unwrap_or(GetOutcome::Failed),
            }
        });
    }
}
