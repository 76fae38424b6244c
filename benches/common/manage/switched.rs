//! A store that can be put out of order.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use forewarm::{SimulatedSettings, SimulatedStore};
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Two ways in which the same objects are served: one while all is well, one while it is ill. What
/// fails then is no refusal, as [`SimulatedStore`]'s errors are: nobody is asked to send less.
#[derive(Debug)]
pub struct Switched {
    well: SimulatedStore,
    ill: SimulatedStore,
    /// GETs that are still to be served by the ill one.
    ill_gets: AtomicUsize,
}

impl Switched {
    /// Well until it is [told](Self::be_ill_for) otherwise.
    pub fn new(
        inner: &Arc<dyn ObjectStore>,
        well: SimulatedSettings,
        ill: SimulatedSettings,
    ) -> Arc<Self> {
        Arc::new(Self {
            well: SimulatedStore::new(Arc::clone(inner), well),
            ill: SimulatedStore::new(Arc::clone(inner), ill),
            ill_gets: AtomicUsize::new(0),
        })
    }

    /// So many GETs from now on meet an ill store.
    pub fn be_ill_for(&self, gets: usize) {
        self.ill_gets.store(gets, Ordering::SeqCst);
    }

    fn next(&self) -> &SimulatedStore {
        let one_less = |left: usize| left.checked_sub(1);
        let left = &self.ill_gets;
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
            Ok(_) => &self.ill,
            Err(_) => &self.well,
        }
    }
}

impl fmt::Display for Switched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Switched({})", self.well)
    }
}

#[async_trait]
impl ObjectStore for Switched {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.well.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.well.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let found = self.next().get_opts(location, options).await;
        found.map_err(|error| match error {
            Error::Generic { store, .. } => Error::Generic {
                store,
                source: "connection reset".into(),
            },
            error => error,
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.well.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.well.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.well.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.well.copy_opts(from, to, options).await
    }
}
