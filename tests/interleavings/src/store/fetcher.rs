//! In the place of the fetcher: it waits for its turn, asks whether to begin, and answers.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shuttle::future::yield_now;
use tokio::time::Instant;

use super::queue::Queue;
use super::{Coalescing, ObjectHandle, Priority, Request, TrafficCounter, Urgency};
use crate::error::{Error, ErrorKind, Result};

pub(crate) struct Fetcher {
    queue: Queue,
    settings: Settings,
    sent: Mutex<Vec<Range<u64>>>,
}

pub(crate) struct Settings {
    pub(crate) get_deadline: Duration,
}

impl Fetcher {
    pub(crate) fn new(slots: usize) -> Self {
        let get_deadline = Duration::from_secs(30);
        Self {
            queue: Queue::new(slots, u64::MAX),
            settings: Settings { get_deadline },
            sent: Mutex::default(),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The ranges of the GETs that were sent so far.
    pub(crate) fn sent(&self) -> Vec<Range<u64>> {
        self.lock().clone()
    }

    pub(crate) fn coalescing(&self) -> Coalescing {
        Coalescing {
            gap: 0,
            allowance: 0,
            slots: usize::MAX,
            first_byte: u64::MAX,
            piece: u64::MAX,
            pieces: 1,
        }
    }

    pub(crate) fn coalescing_unplanned(&self) -> Coalescing {
        self.coalescing()
    }

    pub(crate) fn is_little(&self, _: u64, _: u64) -> bool {
        false
    }

    /// Takes a slot until what this brings is dropped.
    pub(crate) async fn hold(&self) -> impl Sized + '_ {
        let request = Request::default();
        let urgency = Urgency::new(Priority::Demand);
        self.queue.turn(&request, &urgency, 1).await
    }

    pub(crate) async fn get_range(
        &self,
        object: &ObjectHandle,
        range: Range<u64>,
        traffic: &TrafficCounter,
    ) -> Result<Vec<u8>> {
        self.get_pieces(object, &[range], traffic, || Ok(())).await
    }

    /// Fails for an object of no bytes; any other holds its offsets.
    pub(crate) async fn get_pieces(
        &self,
        object: &ObjectHandle,
        pieces: &[Range<u64>],
        traffic: &TrafficCounter,
        begin: impl FnOnce() -> Result<()> + Send,
    ) -> Result<Vec<u8>> {
        let [range] = pieces else {
            return Err(Error::new(ErrorKind::Internal, "not one piece"));
        };
        let bytes = range.end - range.start;
        let turn = self
            .queue
            .turn(traffic.request(), traffic.urgency(), bytes)
            .await;
        begin()?;
        self.lock().push(range.clone());
        yield_now().await;
        drop(turn);
        match object.size() {
            0 => Err(Error::new(ErrorKind::Store, "nothing is there")),
            _ => Ok(range.clone().map(|at| at as u8).collect()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Range<u64>>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn in_time(patience: Duration) -> Instant {
    Instant::now() + patience
}
