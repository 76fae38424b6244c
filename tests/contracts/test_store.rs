//! A store that counts its GETs, holds them at a gate (all, or those of one object), fails them and
//! refuses suffix ranges.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::{Semaphore, watch};

/// Passes of a gate that stands open.
const OPEN: usize = 1 << 40;

/// One request that was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Get {
    pub path: Path,
    /// The bytes it brought; none for a HEAD.
    pub range: Range<u64>,
    pub head: bool,
}

#[derive(Debug)]
pub struct TestStore {
    inner: Arc<dyn ObjectStore>,
    answered: Mutex<Vec<Get>>,
    begun: watch::Sender<Vec<Path>>,
    held: watch::Sender<HashSet<Path>>,
    gate: Semaphore,
    to_fail: AtomicUsize,
    listings: AtomicUsize,
    refuses_suffixes: AtomicBool,
}

impl TestStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            answered: Mutex::default(),
            begun: watch::channel(Vec::new()).0,
            held: watch::channel(HashSet::new()).0,
            gate: Semaphore::new(OPEN),
            to_fail: AtomicUsize::new(0),
            listings: AtomicUsize::new(0),
            refuses_suffixes: AtomicBool::new(false),
        })
    }

    pub fn in_memory() -> Arc<Self> {
        Self::new(Arc::new(InMemory::new()))
    }

    /// From now on GETs wait.
    pub fn close(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    /// Lets all GETs through, those that wait too.
    pub fn open(&self) {
        self.gate.add_permits(OPEN);
    }

    /// Lets so many GETs through a closed gate.
    pub fn let_through(&self, gets: usize) {
        self.gate.add_permits(gets);
    }

    /// GETs of an object wait from now on.
    pub fn hold(&self, path: &Path) {
        self.held.send_modify(|held| {
            held.insert(path.clone());
        });
    }

    /// Lets GETs of an object through, those that wait too.
    pub fn release(&self, path: &Path) {
        self.held.send_modify(|held| {
            held.remove(path);
        });
    }

    /// So many GETs from now on fail.
    pub fn fail_next(&self, gets: usize) {
        self.to_fail.store(gets, Ordering::SeqCst);
    }

    /// Refuses suffix ranges from now on, as Azure does.
    pub fn refuse_suffixes(&self) {
        self.refuses_suffixes.store(true, Ordering::SeqCst);
    }

    /// Number of GETs that have begun, answered or not.
    pub fn begun(&self) -> usize {
        self.begun.borrow().len()
    }

    /// Number of listings that have begun.
    pub fn listings(&self) -> usize {
        self.listings.load(Ordering::SeqCst)
    }

    /// Number of GETs of an object that have begun, answered or not.
    pub fn begun_of(&self, path: &Path) -> usize {
        let begun = self.begun.borrow();
        begun.iter().filter(|begun| *begun == path).count()
    }

    /// Waits until so many GETs have begun.
    pub async fn has_begun(&self, gets: usize) {
        let mut begun = self.begun.subscribe();
        begun
            .wait_for(|begun| begun.len() >= gets)
            .await
            .expect("a store that lives");
    }

    /// Waits until a GET of an object has begun.
    pub async fn has_begun_one_of(&self, path: &Path) {
        let mut begun = self.begun.subscribe();
        begun
            .wait_for(|begun| begun.contains(path))
            .await
            .expect("a store that lives");
    }

    /// What was answered since the last call.
    pub fn take(&self) -> Vec<Get> {
        std::mem::take(&mut self.answered.lock().unwrap())
    }

    fn fails(&self) -> bool {
        let left = |left: usize| left.checked_sub(1);
        self.to_fail
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            .is_ok()
    }
}

/// Bytes that were fetched more than once, per object.
pub fn fetched_twice(gets: &[Get]) -> u64 {
    let mut ranges: Vec<_> = gets
        .iter()
        .filter(|get| !get.head)
        .map(|get| (get.path.clone(), get.range.start, get.range.end))
        .collect();
    ranges.sort();
    let mut twice = 0;
    let mut reached = (Path::default(), 0);
    for (path, start, end) in ranges {
        if reached.0 == path {
            twice += reached.1.min(end).saturating_sub(start);
            reached.1 = reached.1.max(end);
        } else {
            reached = (path, end);
        }
    }
    twice
}

impl fmt::Display for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestStore({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for TestStore {
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
        let head = options.head;
        if matches!(options.range, Some(GetRange::Suffix(_)))
            && self.refuses_suffixes.load(Ordering::SeqCst)
        {
            let source = "no suffix ranges here".into();
            return Err(Error::NotSupported { source });
        }
        self.begun.send_modify(|begun| begun.push(location.clone()));
        let mut held = self.held.subscribe();
        held.wait_for(|held| !held.contains(location))
            .await
            .expect("a store that lives");
        self.gate
            .acquire()
            .await
            .expect("a gate that is not closed for good")
            .forget();
        if self.fails() {
            let source = "out of order".into();
            return Err(Error::Generic {
                store: "TestStore",
                source,
            });
        }
        let result = self.inner.get_opts(location, options).await?;
        self.answered.lock().unwrap().push(Get {
            path: location.clone(),
            range: if head { 0..0 } else { result.range.clone() },
            head,
        });
        Ok(result)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listings.fetch_add(1, Ordering::SeqCst);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
