//! A store that notes every GET that passes: what was asked of a store, seen from outside.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use serde::Serialize;

/// One GET. Times are microseconds since the tap was opened, or last emptied.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Get {
    /// The object's path.
    pub(crate) path: String,
    /// The bytes asked for; empty for a HEAD and for a GET that failed.
    pub(crate) range: Range<u64>,
    /// When the bytes were asked for, before the request had its turn.
    pub(crate) asked_us: u64,
    pub(crate) sent_us: u64,
    pub(crate) first_byte_us: u64,
    pub(crate) ended_us: u64,
    /// Bytes of the body that were received.
    pub(crate) bytes: u64,
    /// The round it belongs to, from 1; 0 where nobody knows.
    pub(crate) round: u64,
    pub(crate) failed: bool,
}

/// What passed.
#[derive(Clone, Debug)]
pub(crate) struct Tap(Arc<Mutex<Noted>>);

#[derive(Debug)]
struct Noted {
    began: Instant,
    gets: Vec<Get>,
    /// Whether nothing passes any more.
    cut: bool,
}

impl Tap {
    fn new() -> Self {
        let noted = Noted {
            began: Instant::now(),
            gets: Vec::new(),
            cut: false,
        };
        Self(Arc::new(Mutex::new(noted)))
    }

    /// What passed since the last time, in the order of sending. Time begins anew.
    pub(crate) fn take(&self) -> Vec<Get> {
        let mut noted = self.noted();
        noted.began = Instant::now();
        std::mem::take(&mut noted.gets)
    }

    /// Lets nothing pass from now on, so that whoever still reads comes to an end.
    pub(crate) fn cut(&self) {
        self.noted().cut = true;
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a GET that is being sent; answers which one it is, and when the tap was last emptied.
    fn send(&self, path: &Path) -> (usize, Instant) {
        let mut noted = self.noted();
        let now = micros(noted.began.elapsed());
        noted.gets.push(Get {
            path: path.to_string(),
            asked_us: now,
            sent_us: now,
            first_byte_us: now,
            ended_us: now,
            ..Get::default()
        });
        (noted.gets.len() - 1, noted.began)
    }

    /// Changes a GET that was sent, unless it has been taken meanwhile.
    fn change(&self, (number, began): (usize, Instant), change: impl FnOnce(&mut Get, u64)) {
        let mut noted = self.noted();
        let now = micros(noted.began.elapsed());
        if noted.began == began
            && let Some(get) = noted.gets.get_mut(number)
        {
            change(get, now);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The store that is tapped.
#[derive(Debug)]
pub(crate) struct TapStore {
    inner: Arc<dyn ObjectStore>,
    tap: Tap,
}

impl TapStore {
    /// A store, and what passes between it and its user.
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> (Arc<Self>, Tap) {
        let tap = Tap::new();
        let store = Self {
            inner,
            tap: tap.clone(),
        };
        (Arc::new(store), tap)
    }
}

impl fmt::Display for TapStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for TapStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.tap.noted().cut {
            return Err(object_store::Error::NotImplemented {
                operation: "reading on when time is up".to_owned(),
                implementer: "a bench".to_owned(),
            });
        }
        let head = options.head;
        let key = self.tap.send(location);
        let answer = self.inner.get_opts(location, options).await;
        let result = match answer {
            Ok(result) => result,
            Err(error) => {
                self.tap.change(key, |get, now| {
                    (get.first_byte_us, get.ended_us, get.failed) = (now, now, true);
                });
                return Err(error);
            }
        };
        self.tap.change(key, |get, now| {
            (get.first_byte_us, get.ended_us) = (now, now);
            if !head {
                get.range = result.range.clone();
            }
        });
        if head {
            return Ok(result);
        }
        let (meta, range) = (result.meta.clone(), result.range.clone());
        let (attributes, extensions) = (result.attributes.clone(), result.extensions.clone());
        let tap = self.tap.clone();
        let body = result.into_stream().inspect(move |piece| {
            tap.change(key, |get, now| {
                get.ended_us = now;
                match piece {
                    Ok(piece) => get.bytes += piece.len() as u64,
                    Err(_) => get.failed = true,
                }
            });
        });
        Ok(GetResult {
            payload: GetResultPayload::Stream(body.boxed()),
            meta,
            range,
            attributes,
            extensions,
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// GETs on the longest chain of which none began before the one before it had ended: no more of
/// them can have waited for each other.
pub(crate) fn chain(gets: &[Get]) -> u64 {
    let mut spans: Vec<(u64, u64)> = gets.iter().map(|get| (get.ended_us, get.sent_us)).collect();
    spans.sort_unstable();
    let (mut length, mut free_from) = (0, 0);
    for (ended, sent) in spans {
        if length == 0 || sent >= free_from {
            length += 1;
            free_from = ended;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    fn get(sent_us: u64, ended_us: u64) -> Get {
        Get {
            sent_us,
            ended_us,
            ..Get::default()
        }
    }

    #[test]
    fn gets_side_by_side_are_one_round() {
        assert_eq!(chain(&[]), 0);
        assert_eq!(chain(&[get(0, 10), get(0, 12), get(1, 9)]), 1);
        assert_eq!(
            chain(&[get(0, 10), get(0, 30), get(11, 20), get(21, 40)]),
            3
        );
    }

    #[tokio::test]
    async fn what_passes_is_noted_once() {
        let inner = Arc::new(InMemory::new());
        let path = Path::from("a.split");
        inner.put(&path, vec![7; 100].into()).await.unwrap();
        let (store, tap) = TapStore::new(inner);
        assert_eq!(store.get_range(&path, 10..30).await.unwrap().len(), 20);
        store.head(&path).await.unwrap();
        store.get(&Path::from("b")).await.unwrap_err();
        let gets = tap.take();
        let seen: Vec<_> = gets
            .iter()
            .map(|get| (get.range.clone(), get.bytes, get.failed))
            .collect();
        assert_eq!(
            seen,
            [(10..30, 20, false), (0..0, 0, false), (0..0, 0, true)]
        );
        assert!(tap.take().is_empty());
    }
}
