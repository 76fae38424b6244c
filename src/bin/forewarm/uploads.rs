//! A store that remembers multipart uploads nobody finished.
//!
//! When a command is interrupted or fails, its future is dropped, and with it any upload under way.
//! Object stores keep (and bill) the parts of such an upload until somebody aborts it, and a
//! destructor cannot wait for a request. So the destructor hands the upload over to a list, and the
//! program aborts what is in the list before it exits.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// The uploads that were begun and neither completed nor aborted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unfinished(Arc<Mutex<Vec<Box<dyn MultipartUpload>>>>);

impl Unfinished {
    /// Aborts every unfinished upload; answers how many could not be aborted.
    pub(crate) async fn abort_all(&self) -> usize {
        let uploads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failures = 0;
        for mut upload in uploads {
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, "an unfinished upload could not be aborted");
                failures += 1;
            }
        }
        failures
    }

    fn push(&self, upload: Box<dyn MultipartUpload>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(upload);
    }
}

/// Passes everything on to `inner`, except that unfinished uploads are remembered.
#[derive(Debug)]
pub(crate) struct TidyStore {
    inner: Arc<dyn ObjectStore>,
    unfinished: Unfinished,
}

impl TidyStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, unfinished: Unfinished) -> Self {
        Self { inner, unfinished }
    }
}

impl fmt::Display for TidyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for TidyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(TidyUpload { inner: Some(upload), unfinished: self.unfinished.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
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

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct TidyUpload {
    /// `None` once the upload was completed or aborted.
    inner: Option<Box<dyn MultipartUpload>>,
    unfinished: Unfinished,
}

fn finished() -> object_store::Error {
    object_store::Error::Generic { store: "upload", source: "the upload is finished".into() }
}

#[async_trait]
impl MultipartUpload for TidyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match &mut self.inner {
            Some(upload) => upload.put_part(data),
            None => Box::pin(async { Err(finished()) }),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.inner.as_mut().ok_or_else(finished)?.complete().await?;
        self.inner = None;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.as_mut().ok_or_else(finished)?.abort().await?;
        self.inner = None;
        Ok(())
    }
}

impl Drop for TidyUpload {
    fn drop(&mut self) {
        if let Some(upload) = self.inner.take() {
            self.unfinished.push(upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::local::LocalFileSystem;
    use object_store::{ObjectStoreExt, WriteMultipart};

    use super::*;

    #[tokio::test]
    async fn an_upload_that_was_dropped_leaves_nothing_behind_once_aborted() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = Unfinished::default();
        let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let store = TidyStore::new(Arc::new(local), unfinished.clone());

        let mut upload = store.put_multipart(&Path::from("a.split")).await.unwrap();
        upload.put_part(vec![1; 1000].into()).await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(upload);
        assert_eq!(unfinished.abort_all().await, 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let upload = store.put_multipart(&Path::from("b.split")).await.unwrap();
        let mut writer = WriteMultipart::new(upload);
        writer.write(b"whole");
        writer.finish().await.unwrap();
        assert!(unfinished.0.lock().unwrap().is_empty(), "a completed upload is nobody's orphan");
    }
}
