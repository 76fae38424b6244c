//! A store that can be put out of order.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use forewarm::{SimulatedSettings, SimulatedStore};
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Two ways in which the same objects are served: one while all is well, one while it is ill.
#[derive(Debug)]
pub struct Switched {
    well: SimulatedStore,
    ill: SimulatedStore,
    is_ill: AtomicBool,
}

impl Switched {
    /// Well until it is [told](Self::set_ill) otherwise.
    pub fn new(
        inner: &Arc<dyn ObjectStore>,
        well: SimulatedSettings,
        ill: SimulatedSettings,
    ) -> Arc<Self> {
        Arc::new(Self {
            well: SimulatedStore::new(Arc::clone(inner), well),
            ill: SimulatedStore::new(Arc::clone(inner), ill),
            is_ill: AtomicBool::new(false),
        })
    }

    /// How requests from now on are served.
    pub fn set_ill(&self, is_ill: bool) {
        self.is_ill.store(is_ill, Ordering::SeqCst);
    }

    fn now(&self) -> &SimulatedStore {
        if self.is_ill.load(Ordering::SeqCst) {
            &self.ill
        } else {
            &self.well
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
        self.now().put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.now().put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.now().get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.now().delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.now().list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.now().list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.now().copy_opts(from, to, options).await
    }
}
