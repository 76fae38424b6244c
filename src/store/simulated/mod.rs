//! A store that answers as slowly, and as unreliably, as S3 does.
//!
//! Each request is given its behaviour (delay, fault) by a generator seeded with the settings' seed
//! and the request's number, so what the n-th request meets does not depend on how requests
//! interleave. Delays are tokio timers: a test under paused time runs at once and still reads the
//! simulated durations off [`tokio::time::Instant`].

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::in_time;

/// The name under which errors of this store appear.
const STORE: &str = "Simulated";

/// A paced body arrives in pieces of this many bytes: about 3 ms each at the default bandwidth,
/// well above the timer's resolution of 1 ms.
const PIECE_BYTES: usize = 256 * 1024;

/// How much of the median first byte is the same for every request (8 of 20 ms); the rest varies.
const FIXED_SHARE: f64 = 0.4;

/// The slowest first byte in multiples of the median, so that a wide tail cannot hang a test.
const MAX_TAIL: f64 = 100.0;

/// How much slower a request is that meets the fault [`SimulatedSettings::slow`].
const SLOW_FACTOR: u32 = 10;

/// How a [`SimulatedStore`] behaves.
///
/// The default is what S3 shows within its region: a first byte after 8 ms + 12 ms ·
/// exp(0.96 · N(0,1)), which has a median of 20 ms and a 99th percentile near 120 ms, and a body at
/// 90 MB/s on each connection, without faults.
///
/// ```
/// use std::time::Duration;
///
/// let mut settings = forewarm::SimulatedSettings::default();
/// settings.first_byte = Duration::from_millis(30);
/// settings.seed = 7;
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedSettings {
    /// Bandwidth of one connection in bytes a second; 0 sends bodies at once.
    pub bytes_per_second: u64,
    /// Probability (0 to 1) that a GET fails like `503 SlowDown`, after its first-byte delay.
    pub error: f64,
    /// Median time to the first byte; zero answers without sleeping.
    pub first_byte: Duration,
    /// Seed of delays and faults: equal seeds give the n-th request the same ones.
    pub seed: u64,
    /// Probability (0 to 1) that a GET takes ten times as long, first byte and body alike.
    pub slow: f64,
    /// Probability (0 to 1) that a body stops half-way and never goes on.
    pub stall: f64,
    /// Sigma of the log-normal part of the time to first byte; 0 makes each request take the
    /// median. No request takes more than 100 medians.
    pub tail: f64,
    /// Probability (0 to 1) that a body ends half-way as if it were complete.
    pub truncate: f64,
}

impl SimulatedSettings {
    /// Neither latency nor pacing nor faults: no request sleeps, requests are only counted.
    pub fn instant() -> Self {
        Self {
            bytes_per_second: 0,
            first_byte: Duration::ZERO,
            tail: 0.0,
            ..Self::default()
        }
    }

    /// The time to first byte of one request.
    fn draw_first_byte(&self, rng: &mut StdRng) -> Duration {
        if self.first_byte.is_zero() {
            return Duration::ZERO;
        }
        let varying = (self.tail * standard_normal(rng)).exp();
        let factor = (FIXED_SHARE + (1.0 - FIXED_SHARE) * varying).min(MAX_TAIL);
        // An absurd median or sigma saturates: there is no delay that cannot be slept.
        Duration::try_from_secs_f64(self.first_byte.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }

    /// The fault of one request: one draw, so that the probabilities add up.
    fn draw_fault(&self, rng: &mut StdRng) -> Option<Fault> {
        let mut rest: f64 = rng.random();
        for (probability, fault) in [
            (self.error, Fault::Error),
            (self.slow, Fault::Slow),
            (self.stall, Fault::Stall),
            (self.truncate, Fault::Truncate),
        ] {
            if rest < probability {
                return Some(fault);
            }
            rest -= probability.max(0.0);
        }
        None
    }
}

impl Default for SimulatedSettings {
    fn default() -> Self {
        Self {
            bytes_per_second: 90_000_000,
            error: 0.0,
            first_byte: Duration::from_millis(20),
            seed: 0,
            slow: 0.0,
            stall: 0.0,
            tail: 0.96,
            truncate: 0.0,
        }
    }
}

/// An [`ObjectStore`] that adds the latency, bandwidth and faults of [`SimulatedSettings`] to
/// another one.
///
/// GETs wait for their first byte and have their bodies paced; HEAD, PUT, list, copy and delete wait
/// for their first byte. The delay includes what the inner store takes. A body is read from the
/// inner store whole before its first byte is handed out, so a GET of a large object holds it in
/// memory.
///
/// Needs a tokio runtime with time enabled, unless it never sleeps
/// ([`SimulatedSettings::instant`]).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use forewarm::{SimulatedSettings, SimulatedStore};
/// use object_store::{ObjectStoreExt, memory::InMemory, path::Path};
///
/// let store = SimulatedStore::new(Arc::new(InMemory::new()), SimulatedSettings::default());
/// let path = Path::from("a.split");
/// store.put(&path, "hello".into()).await?;
/// assert_eq!(store.get_range(&path, 1..3).await?, "el");
/// assert_eq!((store.requests(), store.bytes()), (1, 2));
/// # Ok::<_, object_store::Error>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SimulatedStore {
    inner: Arc<dyn ObjectStore>,
    settings: SimulatedSettings,
    calls: AtomicU64,
    requests: AtomicU64,
    bytes: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Error,
    Slow,
    Stall,
    Truncate,
}

impl SimulatedStore {
    /// Makes `inner` behave as `settings` say.
    pub fn new(inner: Arc<dyn ObjectStore>, settings: SimulatedSettings) -> Self {
        Self {
            inner,
            settings,
            calls: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            bytes: Arc::new(AtomicU64::new(0)),
        }
    }

    /// How many GET and HEAD requests were made so far, failed ones included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many bytes of bodies were handed to readers so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &SimulatedSettings {
        &self.settings
    }

    /// The generator of the next call.
    fn next_call(&self) -> StdRng {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        // The odd constant (2^64 / golden ratio) keeps the calls of neighbouring seeds apart.
        let spread = call.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        StdRng::seed_from_u64(self.settings.seed.wrapping_add(spread))
    }

    async fn wait_first_byte(&self) {
        let delay = self.settings.draw_first_byte(&mut self.next_call());
        sleep(delay).await;
    }

    /// The body of an answer whose first byte was due at `started`.
    fn body(
        &self,
        bytes: Bytes,
        fault: Option<Fault>,
        started: Instant,
    ) -> BoxStream<'static, Result<Bytes>> {
        let bandwidth = match fault {
            Some(Fault::Slow) => (self.settings.bytes_per_second / u64::from(SLOW_FACTOR)).max(1),
            _ => self.settings.bytes_per_second,
        };
        let sent = match fault {
            Some(Fault::Stall | Fault::Truncate) => bytes.slice(..bytes.len() / 2),
            _ => bytes,
        };
        let paced = self.settings.bytes_per_second > 0;
        let pieces = pieces(sent, if paced { PIECE_BYTES } else { usize::MAX });
        let counter = Arc::clone(&self.bytes);
        let body = stream::iter(pieces).then(move |(end, piece)| {
            let counter = Arc::clone(&counter);
            async move {
                if paced {
                    // Measured from when the first byte was due, so that timer errors do not add
                    // up.
                    let due = Duration::from_secs_f64(end as f64 / bandwidth as f64);
                    sleep(due.saturating_sub(started.elapsed())).await;
                }
                counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
                Ok(piece)
            }
        });
        if fault == Some(Fault::Stall) {
            body.chain(stream::pending()).boxed()
        } else {
            body.boxed()
        }
    }
}

/// Zero-copy pieces of at most `size` bytes, each with the offset at which it ends.
fn pieces(bytes: Bytes, size: usize) -> impl Iterator<Item = (usize, Bytes)> {
    (0..bytes.len()).step_by(size).map(move |start| {
        let end = start.saturating_add(size).min(bytes.len());
        (end, bytes.slice(start..end))
    })
}

/// A sample of N(0,1), by the method of Box and Muller.
fn standard_normal(rng: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Sleeps, and without a timer (so without a runtime) where there is nothing to wait for.
async fn sleep(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

impl fmt::Display for SimulatedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimulatedStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for SimulatedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.wait_first_byte().await;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.wait_first_byte().await;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut rng = self.next_call();
        let mut delay = self.settings.draw_first_byte(&mut rng);
        let fault = self.settings.draw_fault(&mut rng);
        if fault == Some(Fault::Slow) {
            delay = delay.saturating_mul(SLOW_FACTOR);
        }
        let head = options.head;
        let started = Instant::now();
        let answer = read(self.inner.as_ref(), location, options).await;
        let early = delay.saturating_sub(started.elapsed());
        let due = in_time(early);
        sleep(early).await;
        if fault == Some(Fault::Error) {
            let source = std::io::Error::other("503 SlowDown: please reduce your request rate");
            return Err(object_store::Error::Generic {
                store: STORE,
                source: Box::new(source),
            });
        }
        let (mut result, bytes) = answer?;
        if !head {
            result.payload = GetResultPayload::Stream(self.body(bytes, fault, due));
        }
        Ok(result)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let delay = self.settings.draw_first_byte(&mut self.next_call());
        delayed(delay, self.inner.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let delay = self.settings.draw_first_byte(&mut self.next_call());
        delayed(delay, self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let delay = self.settings.draw_first_byte(&mut self.next_call());
        delayed(delay, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.wait_first_byte().await;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.wait_first_byte().await;
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.wait_first_byte().await;
        self.inner.rename_opts(from, to, options).await
    }
}

/// The answer of `store` with its body read; the payload left in the answer is empty.
async fn read(
    store: &dyn ObjectStore,
    location: &Path,
    options: GetOptions,
) -> Result<(GetResult, Bytes)> {
    let head = options.head;
    let mut result = store.get_opts(location, options).await?;
    let empty = GetResultPayload::Stream(stream::empty().boxed());
    let payload = std::mem::replace(&mut result.payload, empty);
    if head {
        return Ok((result, Bytes::new()));
    }
    let whole = GetResult {
        payload,
        meta: result.meta.clone(),
        range: result.range.clone(),
        attributes: Default::default(),
        extensions: Default::default(),
    };
    let bytes = whole.bytes().await?;
    Ok((result, bytes))
}

fn delayed<T: Send + 'static>(
    delay: Duration,
    inner: BoxStream<'static, T>,
) -> BoxStream<'static, T> {
    stream::once(async move {
        sleep(delay).await;
        inner
    })
    .flatten()
    .boxed()
}
