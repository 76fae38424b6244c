//! The one place that sends GETs.
//!
//! Fairness: in-flight bytes and slots are both first come, first served (tokio semaphores).
//! Bytes are reserved before the slot, and both are given back together, so no GET holds a slot
//! while it waits for bytes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt,
};
use rand::Rng;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::{Failure, changed, classify, stalled};
use super::{ObjectHandle, ObjectVersion, StoreSettings, Tail, TrafficCounter};
use crate::error::{Error, ErrorKind, Result};

/// In-flight bytes are reserved in units of this many bytes, so that a budget fits a semaphore.
const PERMIT_BYTES: u64 = 1024;

pub(crate) struct Fetcher {
    store: Arc<dyn ObjectStore>,
    settings: StoreSettings,
    slots: Semaphore,
    in_flight: Semaphore,
    in_flight_permits: u32,
    totals: TrafficCounter,
}

impl Fetcher {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, settings: StoreSettings) -> Self {
        let permits = (settings.in_flight_bytes / PERMIT_BYTES).clamp(1, u64::from(u32::MAX >> 4));
        Self {
            store,
            slots: Semaphore::new(settings.max_concurrent_gets.min(Semaphore::MAX_PERMITS)),
            in_flight: Semaphore::new(permits as usize),
            in_flight_permits: permits as u32,
            settings,
            totals: TrafficCounter::default(),
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
        self.get_range_when(object, range, traffic, || Ok(())).await
    }

    /// Like [`get_range`](Self::get_range), but asks `begin` once its turn has come and before
    /// anything is sent: the place to reserve memory, or to give up what nobody wants any more.
    pub(crate) async fn get_range_when(
        &self,
        object: &ObjectHandle,
        range: Range<u64>,
        traffic: &TrafficCounter,
        begin: impl FnOnce() -> Result<()> + Send,
    ) -> Result<Vec<u8>> {
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
        let attempt = || {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range.clone())),
                if_match: version.e_tag.clone(),
                version: version.version.clone(),
                ..GetOptions::default()
            };
            self.exact(
                object.path(),
                options,
                range.clone(),
                Some(version),
                traffic,
            )
            .map(|answer| answer.map(|(body, _)| body))
            .boxed()
        };
        self.with_retries(object.path(), range.end - range.start, begin, attempt)
            .await
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
        let attempt = || {
            let options = GetOptions {
                range: Some(GetRange::Bounded(range.clone())),
                ..GetOptions::default()
            };
            self.exact(path, options, range.clone(), None, traffic)
                .boxed()
        };
        traffic.count_round();
        let length = range.end.saturating_sub(range.start);
        let (bytes, version) = self.with_retries(path, length, || Ok(()), attempt).await?;
        Ok(Tail {
            bytes,
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
        traffic: &TrafficCounter,
    ) -> Result<(Vec<u8>, ObjectVersion), Failure> {
        let result = self.send(path, options, version, traffic).await?;
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
        Ok((self.body(result, path, traffic).await?, version))
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
        let attempt = || self.suffix(path, length, traffic).boxed();
        traffic.count_round();
        let deadline = in_time(self.settings.get_deadline);
        match self
            .retry_until(path, length, deadline, || Ok(()), attempt)
            .await
        {
            Err(Failure::NoSuffix) => self.tail_by_head(path, length, traffic).await,
            other => other.map_err(Failure::into_error),
        }
    }

    async fn suffix(
        &self,
        path: &Path,
        length: u64,
        traffic: &TrafficCounter,
    ) -> Result<Tail, Failure> {
        let options = GetOptions {
            range: Some(GetRange::Suffix(length)),
            ..GetOptions::default()
        };
        let result = self.send(path, options, None, traffic).await?;
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
        let bytes = self.body(result, path, traffic).await?;
        Ok(Tail {
            bytes,
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
        let object = self.head(path, traffic).await?;
        let start = object.size().saturating_sub(length);
        if object.size() == 0 {
            return Ok(Tail {
                bytes: Vec::new(),
                start,
                version: object.version().clone(),
            });
        }
        traffic.count_round();
        let bytes = self
            .get_range(&object, start..object.size(), traffic)
            .await?;
        Ok(Tail {
            bytes,
            start,
            version: object.version().clone(),
        })
    }

    /// Learns size and version of the object at `path`. Counted as a GET.
    pub(crate) async fn head(&self, path: &Path, traffic: &TrafficCounter) -> Result<ObjectHandle> {
        let attempt = || {
            async {
                self.count_get(traffic);
                let meta = self
                    .store
                    .head(path)
                    .await
                    .map_err(|error| classify(path, error))?;
                Ok(ObjectHandle::new(path.clone(), ObjectVersion::of(&meta)))
            }
            .boxed()
        };
        self.with_retries(path, 1, || Ok(()), attempt).await
    }

    fn count_get(&self, traffic: &TrafficCounter) {
        traffic.count_get();
        self.totals.count_get();
        metrics::counter!("forewarm_store_gets_total").increment(1);
    }

    async fn send(
        &self,
        path: &Path,
        options: GetOptions,
        expected: Option<&ObjectVersion>,
        traffic: &TrafficCounter,
    ) -> Result<GetResult, Failure> {
        let answer = timeout(
            self.settings.read_timeout,
            self.store.get_opts(path, options),
        );
        let Ok(answer) = answer.await else {
            self.count_get(traffic);
            return Err(Failure::Retry(stalled(path, self.settings.read_timeout)));
        };
        let result = match answer {
            // Refused by the client before anything was sent: not a request.
            Err(error @ object_store::Error::NotSupported { .. }) => {
                return Err(classify(path, error));
            }
            result => {
                self.count_get(traffic);
                result.map_err(|error| classify(path, error))?
            }
        };
        if let Some(version) = expected
            && !version.agrees_with(&result.meta)
        {
            return Err(Failure::Final(changed(path)));
        }
        Ok(result)
    }

    /// Collects the body and checks that it is as long as its range.
    async fn body(
        &self,
        result: GetResult,
        path: &Path,
        traffic: &TrafficCounter,
    ) -> Result<Vec<u8>, Failure> {
        let expected = result.range.end.saturating_sub(result.range.start);
        let wrong_length = |got: u64| {
            Failure::Retry(Error::new(
                ErrorKind::Store,
                format!("GET of {path} returned a body of {got} bytes where {expected} were due"),
            ))
        };
        let body = match result.payload {
            GetResultPayload::Stream(mut stream) => {
                let mut body = Vec::new();
                while let Some(chunk) = timeout(self.settings.read_timeout, stream.next())
                    .await
                    .map_err(|_| Failure::Retry(stalled(path, self.settings.read_timeout)))?
                {
                    let chunk = chunk.map_err(|error| classify(path, error))?;
                    let so_far = body.len() as u64 + chunk.len() as u64;
                    if so_far > expected {
                        return Err(wrong_length(so_far));
                    }
                    traffic.count_bytes(chunk.len() as u64);
                    self.totals.count_bytes(chunk.len() as u64);
                    append(&mut body, chunk, expected);
                }
                body
            }
            payload => {
                let bytes = GetResult { payload, ..result }.bytes();
                let bytes = timeout(self.settings.read_timeout, bytes)
                    .await
                    .map_err(|_| Failure::Retry(stalled(path, self.settings.read_timeout)))?
                    .map_err(|error| classify(path, error))?;
                traffic.count_bytes(bytes.len() as u64);
                self.totals.count_bytes(bytes.len() as u64);
                Vec::from(bytes)
            }
        };
        metrics::counter!("forewarm_store_bytes_total").increment(body.len() as u64);
        if body.len() as u64 == expected {
            Ok(body)
        } else {
            Err(wrong_length(body.len() as u64))
        }
    }

    async fn with_retries<'a, T>(
        &'a self,
        path: &'a Path,
        bytes: u64,
        begin: impl FnOnce() -> Result<()> + Send,
        attempt: impl Fn() -> BoxFuture<'a, Result<T, Failure>> + Send,
    ) -> Result<T> {
        let deadline = in_time(self.settings.get_deadline);
        self.retry_until(path, bytes, deadline, begin, attempt)
            .await
            .map_err(Failure::into_error)
    }

    async fn retry_until<'a, T>(
        &'a self,
        path: &'a Path,
        bytes: u64,
        deadline: Instant,
        begin: impl FnOnce() -> Result<()> + Send,
        attempt: impl Fn() -> BoxFuture<'a, Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let attempts = async {
            let permits = (bytes.div_ceil(PERMIT_BYTES)).min(u64::from(self.in_flight_permits));
            let closed = |_| Failure::Final(Error::new(ErrorKind::Cancelled, "fetcher closed"));
            let _bytes = self
                .in_flight
                .acquire_many(permits as u32)
                .await
                .map_err(closed)?;
            let _slot = self.slots.acquire().await.map_err(closed)?;
            begin().map_err(Failure::Final)?;
            let mut pause = self.settings.retry_pause;
            for attempts_left in (0..self.settings.max_attempts).rev() {
                match attempt().await {
                    Err(Failure::Retry(error)) if attempts_left > 0 => {
                        metrics::counter!("forewarm_store_retries_total").increment(1);
                        tracing::debug!(%path, error = error.chain(), "trying a GET again");
                        tokio::time::sleep(jittered(pause)).await;
                        pause *= 2;
                    }
                    outcome => return outcome,
                }
            }
            Err(Failure::Final(Error::new(
                ErrorKind::Internal,
                "no attempt was allowed",
            )))
        };
        timeout_at(deadline, attempts).await.unwrap_or_else(|_| {
            Err(Failure::Final(Error::new(
                ErrorKind::Timeout,
                format!(
                    "GET of {path} took longer than {:?}",
                    self.settings.get_deadline
                ),
            )))
        })
    }
}

/// Appends `chunk` to `body`; a body that arrives in one piece is moved where nobody shares it.
fn append(body: &mut Vec<u8>, chunk: Bytes, expected: u64) {
    if body.is_empty() && chunk.len() as u64 == expected {
        *body = Vec::from(chunk);
    } else {
        if body.is_empty() {
            // Never more than the length that was asked for, which the object bounds.
            body.reserve_exact(usize::try_from(expected).unwrap_or(0));
        }
        body.extend_from_slice(&chunk);
    }
}

/// The moment `patience` from now; one too far to tell is far enough.
pub(crate) fn in_time(patience: Duration) -> Instant {
    /// Thirty years, as tokio itself takes for ever.
    const FOR_EVER: Duration = Duration::from_secs(86_400 * 365 * 30);
    Instant::now() + patience.min(FOR_EVER)
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..1.5))
}
