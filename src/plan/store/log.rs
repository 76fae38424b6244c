//! The log of packs: union when reading, one pack a save, compaction.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

use super::batch::{PlanBatch, Union};
use super::codec::{self, Encoded};
use super::packs::{Listed, PackName, Packs};
use super::settings::PlanStoreSettings;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::telemetry::list;

/// Packs read, or removed, at once.
const AT_ONCE: usize = 8;
/// How often the list is read again because packs were merged meanwhile.
const MAX_LISTS: usize = 4;
/// How much older than its rows may be a pack must be before it is removed unread, in seconds:
/// clocks differ.
const GRACE: u64 = 24 * 3600;

/// A log of packs at some place.
#[derive(Debug)]
pub(super) struct PackLog<P> {
    packs: P,
    settings: PlanStoreSettings,
    clock: Clock,
    /// What there probably is, so that not each save has to list.
    held: Mutex<Option<Held>>,
    compacting: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    packs: usize,
    bytes: u64,
}

/// What is to be done with the packs that are listed.
#[derive(Default)]
struct Selection {
    /// Ours, within what may be kept; the latest first.
    readable: Vec<Listed>,
    /// Ours, beyond what may be kept.
    beyond: Vec<Listed>,
    /// So old that every row in it is.
    aged: Vec<Listed>,
    /// Another version's, and larger than any may be.
    foreign: usize,
    large: usize,
}

/// What reading packs came to.
#[derive(Default)]
struct Reading {
    /// With the packs they are of.
    batches: Vec<(Listed, PlanBatch)>,
    /// Whole, and not what they should be.
    corrupt: Vec<Listed>,
    vanished: usize,
    rejected: u64,
}

impl<P: Packs> PackLog<P> {
    pub(super) fn new(packs: P) -> Self {
        Self {
            packs,
            settings: PlanStoreSettings::default(),
            clock: Clock::system(),
            held: Mutex::default(),
            compacting: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn set_settings(&mut self, settings: PlanStoreSettings) -> Result<()> {
        settings.validate()?;
        self.settings = settings;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    pub(super) fn settings(&self) -> &PlanStoreSettings {
        &self.settings
    }

    pub(super) fn packs(&self) -> &P {
        &self.packs
    }

    /// Everything that can be read and is not too old.
    ///
    /// # Errors
    ///
    /// When the packs cannot be listed.
    pub(super) async fn load(&self) -> Result<PlanBatch> {
        let mut read = HashSet::new();
        let mut batches = Vec::new();
        let mut rejected = 0;
        for pass in 1..=MAX_LISTS {
            let mut selection = self.select(self.packs.list().await?);
            self.note(&selection);
            if pass == 1 {
                rejected += selection.warn(&self.packs);
            }
            selection.readable.retain(|pack| read.insert(pack.name));
            let reading = self.read(selection.readable).await;
            batches.extend(reading.batches);
            rejected += reading.rejected;
            if reading.vanished == 0 {
                break;
            }
        }
        batches.sort_by_key(|(pack, _)| pack.name);
        let mut union = Union::default();
        for (_, batch) in batches {
            union.add(batch);
        }
        let mut batch = union.between(self.oldest(), self.latest());
        batch.rejected = rejected;
        Ok(batch)
    }

    /// Writes one more pack; compacts when there are too many.
    ///
    /// # Errors
    ///
    /// When it cannot be written. Failing to compact is a warning.
    pub(super) async fn save(&self, batch: PlanBatch) -> Result<()> {
        let mut union = Union::default();
        union.add(batch);
        let batch = union.between(self.oldest(), self.latest());
        // Half, because compaction leaves as much.
        let Some(bytes) = self.encode(batch, self.settings.max_bytes / 2).await? else {
            return Ok(());
        };
        let size = bytes.len() as u64;
        let name = PackName::new(self.clock.millis());
        self.packs.write(name, bytes).await?;
        if self.is_too_much(size)
            && let Err(error) = self.compact().await
        {
            tracing::warn!(store = %self.packs, error = error.chain(), "plans were not compacted");
        }
        Ok(())
    }

    /// Counts a pack that was written, and tells whether compaction is due: surely, or because
    /// nobody knows what there is.
    fn is_too_much(&self, size: u64) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = held.as_mut() else {
            return true;
        };
        held.packs += 1;
        held.bytes += size;
        self.exceeds(held)
    }

    fn exceeds(&self, held: &Held) -> bool {
        held.packs > self.settings.max_packs || held.bytes > self.settings.max_bytes
    }

    fn note(&self, selection: &Selection) -> Held {
        let ours = selection.readable.iter().chain(&selection.beyond);
        let held = Held {
            packs: selection.readable.len() + selection.beyond.len(),
            bytes: ours.map(|pack| pack.size).sum(),
        };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        held
    }

    /// The least time of use that is kept.
    fn oldest(&self) -> u64 {
        self.clock
            .seconds()
            .saturating_sub(self.settings.max_age.as_secs())
    }

    /// The greatest: a row of a clock that runs far ahead would outlast all others.
    fn latest(&self) -> u64 {
        self.clock.seconds().saturating_add(GRACE)
    }

    fn select(&self, mut listed: Vec<Listed>) -> Selection {
        let aged = self.oldest().saturating_sub(GRACE);
        let mut selection = Selection::default();
        let mut bytes = 0u64;
        listed.sort_unstable_by_key(|pack| Reverse(pack.name));
        for pack in listed {
            if pack.modified < aged {
                selection.aged.push(pack);
            } else if !pack.name.is_ours() {
                selection.foreign += 1;
            } else if pack.size > self.settings.max_bytes {
                selection.large += 1;
            } else {
                bytes = bytes.saturating_add(pack.size);
                if bytes <= self.settings.max_bytes {
                    selection.readable.push(pack);
                } else {
                    selection.beyond.push(pack);
                }
            }
        }
        selection
    }

    /// Merges all packs into one if there are too many, then removes them.
    ///
    /// # Errors
    ///
    /// When they cannot be listed, or the merged one not be written. Nothing is lost then.
    pub(super) async fn compact(&self) -> Result<()> {
        // One at a time here; those of other nodes do no harm.
        let Ok(_alone) = self.compacting.try_lock() else {
            return Ok(());
        };
        let mut selection = self.select(self.packs.list().await?);
        let mut gone = std::mem::take(&mut selection.aged);
        if self.exceeds(&self.note(&selection)) {
            gone.append(&mut selection.beyond);
            let packs = selection.readable.len();
            let mut held = Held::default();
            let mut reading = self.read(selection.readable).await;
            reading.batches.sort_by_key(|(pack, _)| pack.name);
            // They never become better.
            gone.append(&mut reading.corrupt);
            let mut union = Union::default();
            let mut latest = 0;
            for (pack, batch) in reading.batches {
                latest = latest.max(pack.name.millis);
                gone.push(pack);
                union.add(batch);
            }
            let batch = union.between(self.oldest(), self.latest());
            let rows = batch.len();
            if let Some(bytes) = self.encode(batch, self.settings.max_bytes / 2).await? {
                held.packs = 1;
                held.bytes = bytes.len() as u64;
                // As late as the latest of what it holds: what was written since comes after it.
                self.packs.write(PackName::new(latest), bytes).await?;
            }
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            tracing::debug!(store = %self.packs, packs, rows, "plans were compacted");
        }
        self.remove(gone).await;
        Ok(())
    }

    async fn remove(&self, packs: Vec<Listed>) {
        let removals = stream::iter(packs).map(|pack| async move {
            if let Err(error) = self.packs.remove(pack.name).await {
                // It is merged again the next time.
                let error = error.chain();
                tracing::warn!(store = %self.packs, pack = %pack.name, error, "a pack of plans stays");
            }
        });
        removals.buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn read(&self, packs: Vec<Listed>) -> Reading {
        let readings = stream::iter(packs).map(|pack| async move {
            let read = match self.packs.read(&pack).await {
                Ok(Some(bytes)) if bytes.len() as u64 == pack.size => decode(bytes).await,
                Ok(Some(_)) => {
                    let message = "it is not as long as it was listed";
                    Err(Error::new(ErrorKind::Store, message))
                }
                Ok(None) => return (pack, None),
                Err(error) => Err(error),
            };
            (pack, Some(read))
        });
        let mut readings = readings.buffer_unordered(AT_ONCE);
        let mut all = Reading::default();
        while let Some((pack, read)) = readings.next().await {
            match read {
                Some(Ok(batch)) => all.batches.push((pack, batch)),
                Some(Err(error)) => {
                    all.rejected += 1;
                    count_rejected(1);
                    if error.kind() == ErrorKind::Corrupt {
                        all.corrupt.push(pack);
                    }
                    let error = error.chain();
                    tracing::warn!(
                        store = %self.packs, pack = %pack.name, error,
                        "a pack of plans is passed over"
                    );
                }
                None => all.vanished += 1,
            }
        }
        all
    }

    /// A pack of what fits; nothing when that is nothing.
    async fn encode(&self, batch: PlanBatch, max_bytes: u64) -> Result<Option<Bytes>> {
        let encoded = off_thread(move || codec::encode(&batch, max_bytes)).await?;
        let Encoded {
            bytes,
            rows,
            left_out,
        } = encoded;
        if left_out > 0 {
            tracing::debug!(store = %self.packs, left_out, "no room for plans and absences");
            list::PLAN_STORE_DROPPED.add(left_out as u64);
        }
        Ok((rows > 0).then(|| bytes.into()))
    }
}

impl Selection {
    /// Says which packs are passed over unread, and how many they are.
    fn warn(&self, place: &impl Packs) -> u64 {
        let Self { foreign, large, .. } = self;
        if *foreign > 0 {
            tracing::warn!(store = %place, packs = foreign, "plans of another version of forewarm or tantivy are passed over");
        }
        if *large > 0 {
            tracing::warn!(store = %place, packs = large, "packs of plans larger than max_bytes are passed over");
        }
        if !self.beyond.is_empty() {
            tracing::warn!(store = %place, packs = self.beyond.len(), "packs of plans beyond max_bytes are passed over");
        }
        let passed_over = (foreign + large) as u64;
        count_rejected(passed_over);
        passed_over
    }
}

async fn decode(bytes: Bytes) -> Result<PlanBatch> {
    off_thread(move || codec::decode(&bytes)).await
}

/// Runs on a thread that may block: a checksum of megabytes takes milliseconds.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::with_source(ErrorKind::Internal, "work on plans did not end", error)
    })?
}

pub(super) fn count_rejected(packs: u64) {
    if packs > 0 {
        list::PLAN_STORE_REJECTED.add(packs);
    }
}
