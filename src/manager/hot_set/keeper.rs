//! Reads the hot set of the last run, and writes that of this one.
//!
//! One call reads or writes at a time. Nothing is written before something was read; see the room's
//! first page.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use object_store::path::Path;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::HotSetStore;
use super::codec::{self, Encoded, HotSet};
use super::gather::{Gathered, gather};
use super::settings::MAX_BYTES;
use super::status::{HotSetState, HotSetStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Fingerprint, SearchRequest};
use crate::manager::core::Core;
use crate::manager::heat::Remembered;
use crate::store::in_time;
use crate::telemetry::list;

/// How long after the last run's could not be read that is tried again, at the latest.
const RETRY: Duration = Duration::from_secs(5);

/// Bytes of the checksum at the end of what is written.
const CHECKSUM: usize = 32;

/// Keeps the hot set of a manager.
pub(in crate::manager) struct HotSetKeeper {
    store: Arc<dyn HotSetStore>,
    /// How long what was read may wait to be preloaded; not at all when nobody does.
    merge_for: Option<Duration>,
    state: Mutex<State>,
    /// Held while the store is read or written.
    turn: tokio::sync::Mutex<()>,
    reading: watch::Sender<Reading>,
}

/// How far reading has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::manager) enum Reading {
    /// It is tried again.
    Failed,
    Read,
    #[default]
    Untried,
}

#[derive(Default)]
struct State {
    status: HotSetStatus,
    /// What was read, until it is preloaded or it is too late.
    merged: Option<(Arc<HotSet>, Instant)>,
    /// Ends what was written last.
    checksum: Option<Bytes>,
}

impl HotSetKeeper {
    pub(in crate::manager) fn new(
        store: Arc<dyn HotSetStore>,
        merge_for: Option<Duration>,
    ) -> Self {
        Self {
            store,
            merge_for,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            reading: watch::channel(Reading::default()).0,
        }
    }

    /// Reads, and then writes at intervals, until `stop` says so, or its sender is gone.
    pub(in crate::manager) async fn keep(core: Arc<Core>, mut stop: watch::Receiver<bool>) {
        let stopped = async move {
            // Gone is stopped.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::select! {
            biased;
            () = stopped => (),
            () = Self::rounds(&core) => (),
        }
    }

    async fn rounds(core: &Arc<Core>) {
        let Some(keeper) = &core.hot_set else {
            return;
        };
        loop {
            let Some(working) = core.busy.begin() else {
                return;
            };
            // What goes wrong is told in the status, and tried again.
            let done = match keeper.reading() {
                Reading::Read => keeper.write(core).await,
                Reading::Failed | Reading::Untried => keeper.read(core).await,
            };
            drop(working);
            let interval = core.settings().hot_set.interval;
            let is_unread = done.is_err() && keeper.reading() != Reading::Read;
            sleep(interval.min(if is_unread { RETRY } else { interval })).await;
        }
    }

    pub(in crate::manager) fn reading(&self) -> Reading {
        *self.reading.borrow()
    }

    /// Tells how far reading comes from now on.
    pub(in crate::manager) fn watch_reading(&self) -> watch::Receiver<Reading> {
        self.reading.subscribe()
    }

    pub(in crate::manager) fn status(&self) -> HotSetStatus {
        self.lock().status.clone()
    }

    /// Reads what the last run wrote, unless it was read, and takes it over.
    ///
    /// # Errors
    ///
    /// When nobody knows what there is. What is no hot set is none.
    async fn read(&self, core: &Arc<Core>) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.read_in_turn(core).await
    }

    async fn read_in_turn(&self, core: &Arc<Core>) -> Result<()> {
        if self.reading() == Reading::Read {
            return Ok(());
        }
        let deadline = core.settings().hot_set.deadline;
        let read = within(deadline, "reading", self.store.read(MAX_BYTES)).await;
        let bytes = read.inspect_err(|error| {
            tracing::warn!(store = ?self.store, error = error.chain(), "the hot set cannot be read, and is tried again");
            self.lock().status.not_loaded = Some(error.chain());
            self.reading.send_replace(Reading::Failed);
        })?;
        let decoded = match bytes {
            None => Ok(HotSet::default()),
            Some(bytes) => off_thread(move || decode(&bytes)).await,
        };
        let (set, cold) = match decoded {
            Ok(set) => (set, None),
            Err(error) => {
                tracing::warn!(store = ?self.store, error = error.chain(), "the hot set is left out: a cold start");
                (HotSet::default(), Some(error.chain()))
            }
        };
        let taken = {
            let core = Arc::clone(core);
            off_thread(move || Ok(take_over(set, &core))).await
        };
        let taken = taken.inspect_err(|error| {
            tracing::warn!(store = ?self.store, error = error.chain(), "the hot set is left out");
        });
        let (set, too_old) = taken.unwrap_or_default();
        let mut state = self.lock();
        let status = &mut state.status;
        status.not_loaded = cold;
        status.loaded_pairs = set.pairs.len() as u64;
        status.loaded_plans = set.plans.len() as u64;
        status.passed_over = set.rejected + too_old;
        tracing::info!(store = ?self.store, ?status, "the hot set was read");
        match self.merge_for.filter(|_| !set.pairs.is_empty()) {
            Some(patience) => {
                status.state = HotSetState::Merging;
                state.merged = Some((Arc::new(set), in_time(patience)));
            }
            None => status.state = HotSetState::Own,
        }
        drop(state);
        self.reading.send_replace(Reading::Read);
        Ok(())
    }

    /// What is hot, and what was in the last run and may not be warm yet; the hottest first, with
    /// copies of requests that take the moment they are first warmed at for `now`.
    pub(in crate::manager) fn pairs(&self, core: &Core) -> Vec<Remembered> {
        let merged = self.merged();
        let mut pairs = gather(core, merged.as_deref()).pairs;
        let mut copies: HashMap<Fingerprint, Arc<SearchRequest>> = HashMap::new();
        for pair in &mut pairs {
            let copy = copies.entry(pair.identity);
            let copy = copy.or_insert_with(|| Arc::new((*pair.request).clone()));
            pair.request = Arc::clone(copy);
        }
        pairs
    }

    /// From now on only what is hot now is written.
    pub(in crate::manager) fn settle(&self) {
        self.lock().settle();
    }

    /// Forgets a split that is searched no more.
    pub(in crate::manager) fn forget_split(&self, path: &Path) {
        if let Some((set, _)) = &mut self.lock().merged {
            let set = Arc::make_mut(set);
            set.pairs.retain(|pair| pair.split.path() != path);
            set.plans.retain(|key, _| key.split != *path);
        }
    }

    /// Writes what is hot, and what is not warm yet of the last run, unless it is what was written
    /// last.
    ///
    /// # Errors
    ///
    /// Those of the store, and of reading where nothing was read yet. It can be tried again.
    ///
    /// # Cancel safety
    ///
    /// What the store has begun to write may still be written, whole.
    pub(in crate::manager) async fn write(&self, core: &Arc<Core>) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.read_in_turn(core).await?;
        let merged = self.merged();
        let settings = core.settings().hot_set.clone();
        let encoded = {
            let (core, max_bytes) = (Arc::clone(core), settings.max_bytes);
            off_thread(move || {
                let Gathered { pairs, mut plans } = gather(&core, merged.as_deref());
                codec::encode(&pairs, |pair| plans.of(pair), max_bytes)
            })
            .await
        };
        let written = match encoded {
            Ok(encoded) => self.replace(encoded, settings.deadline).await,
            Err(error) => Err(error),
        };
        let mut state = self.lock();
        let outcome = match &written {
            Ok(None) => {
                state.status.unchanged += 1;
                "unchanged"
            }
            Ok(Some(encoded)) => {
                state.note(encoded, core.clock.millis());
                "written"
            }
            Err(error) => {
                tracing::warn!(store = ?self.store, error = error.chain(), "the hot set was not written");
                state.status.failed_writes += 1;
                "failed"
            }
        };
        list::HOT_SET_WRITES.add_of(outcome, 1);
        written.map(drop)
    }

    /// Answers nothing when it is what is there.
    async fn replace(&self, encoded: Encoded, deadline: Duration) -> Result<Option<Encoded>> {
        if self.lock().checksum.as_ref() == Some(&checksum(&encoded.bytes)) {
            return Ok(None);
        }
        // Until it has ended, nobody knows what is there.
        self.lock().checksum = None;
        let write = self.store.write(encoded.bytes.clone());
        within(deadline, "writing", write).await?;
        Ok(Some(encoded))
    }

    /// What was read, while it is part of what is written.
    fn merged(&self) -> Option<Arc<HotSet>> {
        let mut state = self.lock();
        if let Some((_, until)) = &state.merged
            && *until <= Instant::now()
        {
            state.settle();
        }
        state.merged.as_ref().map(|(set, _)| Arc::clone(set))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn settle(&mut self) {
        if self.merged.take().is_some() {
            self.status.state = HotSetState::Own;
        }
    }

    fn note(&mut self, encoded: &Encoded, now: u64) {
        self.checksum = Some(checksum(&encoded.bytes));
        let status = &mut self.status;
        status.writes += 1;
        status.last_write = Some(now);
        status.written_pairs = encoded.pairs;
        status.written_bytes = encoded.bytes.len() as u64;
        status.left_out = encoded.left_out;
    }
}

fn checksum(sealed: &Bytes) -> Bytes {
    Bytes::copy_from_slice(&sealed[sealed.len().saturating_sub(CHECKSUM)..])
}

fn decode(bytes: &Bytes) -> Result<HotSet> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::corrupt("it is longer than any hot set"));
    }
    codec::decode(bytes)
}

/// Remembers what was read, but for what is too old; answers with that, and how much was.
fn take_over(mut set: HotSet, core: &Core) -> (HotSet, u64) {
    let read = set.pairs.len();
    let (now, oldest) = (core.clock.millis(), core.oldest_hot());
    set.pairs.retain(|pair| pair.heat.parts().1 >= oldest);
    for pair in &mut set.pairs {
        // Clocks go back, too.
        pair.heat = pair.heat.no_later_than(now);
    }
    core.heat.restore(&set.pairs);
    core.warmer.add_plans(std::mem::take(&mut set.entries));
    let too_old = (read - set.pairs.len()) as u64;
    (set, too_old)
}

/// Waits for the store, but not for ever. A panic is the store's own.
async fn within<T>(
    deadline: Duration,
    what: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let work = AssertUnwindSafe(work).catch_unwind();
    match timeout(deadline, work).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => {
            let message = format!("the store of the hot set panicked while {what}");
            Err(Error::new(ErrorKind::Internal, message))
        }
        Err(_) => {
            let message = format!("{what} the hot set took longer than {deadline:?}");
            Err(Error::new(ErrorKind::Timeout, message))
        }
    }
}

/// Runs on a thread that may block: megabytes of pairs take milliseconds.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::with_source(ErrorKind::Internal, "work on a hot set did not end", error)
    })?
}
