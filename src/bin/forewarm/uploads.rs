//! A store that remembers what a command wrote, so that a command that fails half-way can take it
//! back.
//!
//! When a command is interrupted or fails, its future is dropped, and with it any upload under way.
//! Object stores keep (and bill) the parts of such an upload until somebody aborts it, and a
//! destructor cannot wait for a request. So the destructor hands the upload over to a list, and the
//! program aborts what is in the list before it exits. Objects that were written whole are in a
//! second list: half of a set of splits would look like all of it, so they are removed too.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// What a command wrote and did not yet declare done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Arc<Mutex<Records>>);

#[derive(Debug, Default)]
struct Records {
    /// Uploads that were begun and neither completed nor aborted.
    uploads: Vec<Box<dyn MultipartUpload>>,
    objects: Vec<(Arc<dyn ObjectStore>, Path)>,
}

impl Written {
    /// The command is done: its objects stay.
    pub(crate) fn keep(&self) {
        self.records().objects.clear();
    }

    /// Aborts unfinished uploads and removes objects; answers how many could not be.
    pub(crate) async fn undo(&self) -> usize {
        let Records { uploads, objects } = std::mem::take(&mut *self.records());
        let mut failures = 0;
        for mut upload in uploads {
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, "an unfinished upload could not be aborted");
                failures += 1;
            }
        }
        for (store, path) in objects {
            match store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => {
                    tracing::warn!(%path, %error, "an object could not be removed");
                    failures += 1;
                }
            }
        }
        failures
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes everything on to `inner` and remembers what is written.
#[derive(Debug)]
pub(crate) struct TidyStore {
    inner: Arc<dyn ObjectStore>,
    written: Written,
}

impl TidyStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, written: Written) -> Self {
        Self { inner, written }
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
        let result = self.inner.put_opts(location, payload, opts).await?;
        self.written
            .records()
            .objects
            .push((self.inner.clone(), location.clone()));
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(TidyUpload {
            inner: Some(upload),
            object: (self.inner.clone(), location.clone()),
            written: self.written.clone(),
        }))
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
    object: (Arc<dyn ObjectStore>, Path),
    written: Written,
}

fn finished() -> object_store::Error {
    object_store::Error::Generic {
        store: "upload",
        source: "the upload is finished".into(),
    }
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
        self.written.records().objects.push(self.object.clone());
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
            self.written.records().uploads.push(upload);
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::WriteMultipart;
    use object_store::local::LocalFileSystem;

    use super::*;

    fn store_in(folder: &tempfile::TempDir) -> (TidyStore, Written) {
        let written = Written::default();
        let local = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        (TidyStore::new(Arc::new(local), written.clone()), written)
    }

    fn files(folder: &tempfile::TempDir) -> usize {
        std::fs::read_dir(folder.path()).unwrap().count()
    }

    #[tokio::test]
    async fn an_upload_that_was_dropped_leaves_nothing_behind_once_undone() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = store_in(&folder);
        let mut upload = store.put_multipart(&Path::from("a.split")).await.unwrap();
        upload.put_part(vec![1; 1000].into()).await.unwrap();
        assert_eq!(files(&folder), 1);
        drop(upload);
        assert_eq!(written.undo().await, 0);
        assert_eq!(files(&folder), 0);
    }

    #[tokio::test]
    async fn objects_are_removed_unless_they_were_declared_done() {
        let folder = tempfile::tempdir().unwrap();
        let (store, written) = store_in(&folder);
        let put = async |name: &str| {
            store.put(&Path::from(name), "whole".into()).await.unwrap();
            let upload = store
                .put_multipart(&Path::from(format!("{name}-parts")))
                .await
                .unwrap();
            let mut writer = WriteMultipart::new(upload);
            writer.write(b"whole");
            writer.finish().await.unwrap();
        };
        put("a").await;
        written.keep();
        put("b").await;
        assert_eq!(files(&folder), 4);
        assert_eq!(written.undo().await, 0);
        assert_eq!(files(&folder), 2);
        assert!(folder.path().join("a-parts").exists());
    }
}
