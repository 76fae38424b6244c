//! The one place that sends GETs. Whose goes next is decided in [`queue`](super::queue).

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt;
use futures_util::future::try_join_all;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use tokio::time::Instant;

use super::attempt::{Asked, Attempt};
use super::coalescing::FILLING;
use super::estimate::Estimate;
use super::failure::{Failure, classify};
use super::hedge::Hedges;
use super::queue::Queue;
use super::throttle::Throttle;
use super::{Coalescing, ObjectHandle, ObjectVersion, StoreSettings, Tail, TrafficCounter};
use crate::error::{Error, ErrorKind, Result};

/// The least that one GET of a whole object brings, but for the last.
const MIN_BULK_PIECE_BYTES: u64 = 1 << 20;
/// The most: enough for its first byte to cost little, little enough for the connections of one object
/// to end together.
const MAX_BULK_PIECE_BYTES: u64 = 8 << 20;

/// A fetch is cut into GETs of at least this many bytes, however short the store's latency.
const MIN_PIECE_BYTES: u64 = 4 << 20;

pub(crate) struct Fetcher {
    store: Arc<dyn ObjectStore>,
    settings: StoreSettings,
    queue: Queue,
    totals: TrafficCounter,
    estimate: Estimate,
    throttle: Throttle,
    hedges: Option<Hedges>,
}

impl Fetcher {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, settings: StoreSettings) -> Self {
        Self {
            store,
            queue: Queue::new(settings.max_concurrent_gets, settings.in_flight_bytes),
            totals: TrafficCounter::default(),
            estimate: Estimate::new(),
            throttle: Throttle::new(
                settings.max_concurrent_gets,
                settings.throttle_pause,
                settings.max_throttle_pause,
            ),
            hedges: settings.hedge.clone().map(Hedges::new),
            settings,
        }
    }

    pub(crate) fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Requests and bytes since this fetcher was made.
    pub(crate) fn totals(&self) -> &TrafficCounter {
        &self.totals
    }

    /// What the store was seen to take.
    pub(crate) fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(super) fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    pub(super) fn hedges(&self) -> Option<&Hedges> {
        self.hedges.as_ref()
    }

    /// How many requests the store has refused because it was asked too much.
    pub(crate) fn refusals(&self) -> u64 {
        self.throttle.refusals()
    }

    /// How many GETs were sent beside a slow one.
    pub(crate) fn hedged(&self) -> u64 {
        self.hedges.as_ref().map_or(0, Hedges::sent)
    }

    /// How ranges become GETs, as things stand.
    pub(crate) fn coalescing(&self) -> Coalescing {
        let settings = &self.settings;
        let by_cost = self.estimate.bytes_per_first_byte();
        Coalescing {
            gap: settings
                .merge_gap_bytes
                .unwrap_or(by_cost.min(settings.max_merge_gap_bytes)),
            allowance: 0,
            slots: settings.max_concurrent_gets,
            first_byte: by_cost,
            piece: settings
                .piece_bytes
                .unwrap_or(by_cost.saturating_mul(2).max(MIN_PIECE_BYTES)),
            pieces: u64::from(settings.max_pieces),
        }
    }

    /// How ranges become GETs where no plan tells what is read.
    pub(crate) fn coalescing_unplanned(&self) -> Coalescing {
        Coalescing {
            allowance: self.settings.unplanned_gap_bytes,
            ..self.coalescing()
        }
    }

    /// Whether `bytes` of each of so many splits may be fetched unasked, to save rounds: they are
    /// allowed to, and come in less than the time to a first byte.
    pub(crate) fn is_little(&self, bytes: u64, splits: u64) -> bool {
        let first_byte = self.estimate.bytes_per_first_byte();
        let of_all = bytes.saturating_mul(splits);
        let whole = self.settings.whole_split_bytes;
        whole > 0 && bytes <= whole.min(first_byte) && of_all <= first_byte.saturating_mul(FILLING)
    }

    /// How many bytes each GET is to bring where whole objects are wanted: so many that it waits for
    /// the first of them a fifth of its time; or, where connections are slow, so many that all GETs that
    /// may go at once have all bytes that may be in flight.
    pub(crate) fn bulk_piece(&self) -> u64 {
        let settings = &self.settings;
        let share = settings.in_flight_bytes / settings.max_concurrent_gets.max(1) as u64;
        // Powers of two: those of a slower store lie within those of a faster one.
        let share = 1 << share.max(1).ilog2();
        let by_cost = self.estimate.bytes_per_first_byte().saturating_mul(4);
        by_cost
            .max(share)
            .clamp(MIN_BULK_PIECE_BYTES, MAX_BULK_PIECE_BYTES)
    }

    /// Reads `range` of `object`, exactly, in the version seen at open.
    ///
    /// # Errors
    ///
    /// `SplitChanged` when the object is another one now, `NotFound`, `Timeout` past the deadline,
    /// `Store` when attempts are used up, and for a body that is short, long or from elsewhere.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the request.
    pub(crate) async fn get_range(
        &self,
        object: &ObjectHandle,
        range: Range<u64>,
        traffic: &TrafficCounter,
    ) -> Result<Vec<u8>> {
        let pieces = std::slice::from_ref(&range);
        self.get_pieces(object, pieces, traffic, || Ok(())).await
    }

    /// Reads the adjacent ranges `pieces` of `object`, a GET each, into one buffer. Asks `begin`
    /// once, when the turn of the first has come and before anything is sent: the place to reserve
    /// memory, or to give up what nobody wants any more.
    ///
    /// # Errors
    ///
    /// As [`get_range`](Self::get_range), and those of `begin`.
    pub(crate) async fn get_pieces(
        &self,
        object: &ObjectHandle,
        pieces: &[Range<u64>],
        traffic: &TrafficCounter,
        begin: impl FnOnce() -> Result<()> + Send,
    ) -> Result<Vec<u8>> {
        let begin = Mutex::new(Begin::Not(begin));
        let begin = || begin.lock().unwrap_or_else(PoisonError::into_inner).ask();
        let [first, rest @ ..] = pieces else {
            return Ok(Vec::new());
        };
        if rest.is_empty() {
            let body = self.get_piece(object, first, BytesMut::new(), traffic, begin);
            return body.await.map(Vec::from);
        }
        let len: u64 = pieces.iter().map(|piece| piece.end - piece.start).sum();
        let mut room = BytesMut::with_capacity(usize::try_from(len).unwrap_or(0));
        let gets = pieces.iter().map(|piece| {
            // Each GET fills its part of one allocation, so that joining them costs nothing.
            let after = room.capacity().min((piece.end - piece.start) as usize);
            let rest = room.split_off(after);
            let part = std::mem::replace(&mut room, rest);
            self.get_piece(object, piece, part, traffic, &begin)
        });
        let mut bodies = try_join_all(gets).await?.into_iter();
        let mut whole = bodies.next().unwrap_or_default();
        bodies.for_each(|body| whole.unsplit(body));
        Ok(Vec::from(whole))
    }

    async fn get_piece(
        &self,
        object: &ObjectHandle,
        range: &Range<u64>,
        room: BytesMut,
        traffic: &TrafficCounter,
        begin: impl FnOnce() -> Result<()> + Send,
    ) -> Result<BytesMut> {
        let version = object.version();
        if range.start >= range.end || range.end > version.size {
            return Err(Error::new(
                ErrorKind::Internal,
                format!(
                    "range {range:?} lies outside of {object} ({} bytes)",
                    version.size
                ),
            ));
        }
        // For the first attempt only: what it has filled of it is gone with it.
        let room = Mutex::new(room);
        let attempt = |attempt| {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range.clone())),
                if_match: version.e_tag.clone(),
                version: version.version.clone(),
                ..GetOptions::default()
            };
            let room = std::mem::take(&mut *room.lock().unwrap_or_else(PoisonError::into_inner));
            self.exact(
                object.path(),
                options,
                range.clone(),
                Some(version),
                attempt,
                room,
            )
            .map(|answer| answer.map(|(body, _)| body))
            .boxed()
        };
        let asked = self.asked(object.path(), range.clone(), traffic);
        self.with_retries(asked, begin, attempt).await
    }

    /// Reads `range` of the object at `path`, of which nothing else is known yet.
    ///
    /// # Errors
    ///
    /// As [`get_range`](Self::get_range).
    pub(crate) async fn get_first(
        &self,
        path: &Path,
        range: Range<u64>,
        traffic: &TrafficCounter,
    ) -> Result<Tail> {
        let attempt = |attempt| {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range.clone())),
                ..GetOptions::default()
            };
            self.exact(path, options, range.clone(), None, attempt, BytesMut::new())
                .boxed()
        };
        let asked = self.asked(path, range.clone(), traffic);
        let answer = self.with_retries(asked, || Ok(()), attempt).await;
        traffic.count_round();
        let (bytes, version) = answer?;
        Ok(Tail {
            bytes: bytes.into(),
            start: range.start,
            version,
        })
    }

    async fn exact(
        &self,
        path: &Path,
        options: GetOptions,
        expected: Range<u64>,
        version: Option<&ObjectVersion>,
        attempt: Arc<Attempt>,
        room: BytesMut,
    ) -> Result<(BytesMut, ObjectVersion), Failure> {
        let result = self.send(path, options, version, &attempt).await?;
        if version.is_none() && result.meta.size < expected.end {
            return Err(Failure::Final(Error::invalid(format!(
                "{path} ends at {}, before the offset {} that was asked for",
                result.meta.size, expected.end
            ))));
        }
        if result.range != expected {
            return Err(Failure::Retry(Error::new(
                ErrorKind::Store,
                format!(
                    "GET of {path} asked for bytes {expected:?} and was answered with {:?}",
                    result.range
                ),
            )));
        }
        let version = ObjectVersion::of(&result.meta);
        Ok((self.body(result, path, &attempt, room).await?, version))
    }

    /// Reads the last `length` bytes of the object at `path` (all of it when it is shorter), by a
    /// suffix GET, or by HEAD and an exact range where the store refuses suffixes (Azure).
    ///
    /// # Errors
    ///
    /// As [`get_range`](Self::get_range).
    pub(crate) async fn get_tail(
        &self,
        path: &Path,
        length: u64,
        traffic: &TrafficCounter,
    ) -> Result<Tail> {
        let attempt = |attempt| self.suffix(path, length, attempt).boxed();
        let asked = Asked::new(path, 0..0, length, traffic, &self.totals);
        let answer = self.retry_until(asked, || Ok(()), attempt).await;
        if let Err(Failure::NoSuffix) = answer {
            return self.tail_by_head(path, length, traffic).await;
        }
        traffic.count_round();
        answer.map_err(Failure::into_error)
    }

    async fn suffix(
        &self,
        path: &Path,
        length: u64,
        attempt: Arc<Attempt>,
    ) -> Result<Tail, Failure> {
        let options = GetOptions {
            range: Some(GetRange::Suffix(length)),
            ..GetOptions::default()
        };
        let result = self.send(path, options, None, &attempt).await?;
        let version = ObjectVersion::of(&result.meta);
        let start = result.range.start;
        if result.range.end != version.size || version.size.saturating_sub(start) > length {
            return Err(Failure::Retry(Error::new(
                ErrorKind::Store,
                format!(
                    "GET of the last {length} bytes of {path} ({} bytes) was answered with {:?}",
                    version.size, result.range
                ),
            )));
        }
        let bytes = self.body(result, path, &attempt, BytesMut::new()).await?;
        Ok(Tail {
            bytes: bytes.into(),
            start,
            version,
        })
    }

    async fn tail_by_head(
        &self,
        path: &Path,
        length: u64,
        traffic: &TrafficCounter,
    ) -> Result<Tail> {
        let object = self.head(path, traffic).await;
        traffic.count_round();
        let object = object?;
        let start = object.size().saturating_sub(length);
        let mut bytes = Vec::new();
        if object.size() > 0 {
            let range = start..object.size();
            let body = self.get_range(&object, range, traffic).await;
            traffic.count_round();
            bytes = body?;
        }
        Ok(Tail {
            bytes,
            start,
            version: object.version().clone(),
        })
    }

    /// Learns size and version of the object at `path`. Counted as a GET.
    pub(crate) async fn head(&self, path: &Path, traffic: &TrafficCounter) -> Result<ObjectHandle> {
        let attempt = |attempt: Arc<Attempt>| {
            async move {
                let meta = self.store.head(path).await;
                attempt.answered(None);
                let meta = meta.map_err(|error| classify(path, error))?;
                Ok(ObjectHandle::new(path.clone(), ObjectVersion::of(&meta)))
            }
            .boxed()
        };
        let asked = Asked::new(path, 0..0, 1, traffic, &self.totals);
        self.with_retries(asked, || Ok(()), attempt).await
    }

    fn asked(&self, path: &Path, range: Range<u64>, traffic: &TrafficCounter) -> Arc<Asked> {
        let bytes = range.end.saturating_sub(range.start);
        Asked::new(path, range, bytes, traffic, &self.totals)
    }
}

/// What is asked once for several GETs.
enum Begin<F> {
    Not(F),
    Asked(Result<()>),
    /// It panicked.
    Lost,
}

impl<F: FnOnce() -> Result<()>> Begin<F> {
    fn ask(&mut self) -> Result<()> {
        let answer = match std::mem::replace(self, Self::Lost) {
            Self::Not(begin) => begin(),
            Self::Asked(answer) => answer,
            Self::Lost => Err(Error::new(ErrorKind::Internal, "a fetch could not begin")),
        };
        *self = Self::Asked(answer.clone());
        answer
    }
}

/// The moment `patience` from now; one too far to tell is far enough.
pub(crate) fn in_time(patience: Duration) -> Instant {
    /// Thirty years, as tokio itself takes for ever.
    const FOR_EVER: Duration = Duration::from_secs(86_400 * 365 * 30);
    Instant::now() + patience.min(FOR_EVER)
}
