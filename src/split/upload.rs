//! Writing a packed split to a store.

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use object_store::path::Path;
use object_store::{
    MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutResult, UploadPart,
};
use serde::Serialize;

use super::pack::PackedSplit;
use crate::error::{Error, ErrorKind, Result};

/// Below this many bytes one `put` writes the whole object.
const MULTIPART_FROM: u64 = 16 * 1024 * 1024;
/// Parts in flight: with their 8 MiB each, what an upload holds in memory.
const PARTS_IN_FLIGHT: usize = 4;

/// What an upload wrote.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UploadReport {
    /// Size of the object, in bytes.
    pub bytes: u64,
    /// The object's ETag, where the store gives one.
    pub e_tag: Option<String>,
    /// Start and end of the footer in the object, for the catalogue.
    pub footer_range: std::ops::Range<u64>,
    /// Requests that carried the bytes: 1 for a plain `put`, else the parts of the multipart
    /// upload.
    pub parts: usize,
    /// The object's version, where the store gives one.
    pub version: Option<String>,
}

impl PackedSplit {
    /// Writes the split to `path` of `store`: with one `put` below 16 MiB, else as a multipart
    /// upload of parts of 8 MiB, four at a time. What the object held before is replaced.
    ///
    /// Needs a tokio runtime: the directory is read on its blocking threads.
    ///
    /// # Errors
    ///
    /// `Store` when reading the directory or writing to the store fails; a multipart upload is
    /// aborted then.
    ///
    /// # Cancel safety
    ///
    /// The object appears whole or not at all. Dropping the future may leave the parts of an
    /// unfinished multipart upload behind, for the store's lifecycle rules to remove.
    pub async fn upload(&self, store: &dyn ObjectStore, path: &Path) -> Result<UploadReport> {
        let failed = |error| store_error(path, error);
        let (result, parts) = if self.len() < MULTIPART_FROM {
            let mut chunks = Vec::new();
            for range in self.chunk_ranges() {
                chunks.push(self.read_blocking(range).await?);
            }
            let payload = PutPayload::from_iter(chunks);
            (store.put(path, payload).await.map_err(failed)?, 1)
        } else {
            let mut upload = store.put_multipart(path).await.map_err(failed)?;
            match self.upload_parts(upload.as_mut(), path).await {
                Ok(done) => done,
                Err(error) => {
                    // The first error is the one to tell; parts that stay behind are the
                    // store's to clean up.
                    if let Err(abort) = upload.abort().await {
                        tracing::warn!(%path, error = %abort, "a failed upload was not aborted");
                    }
                    return Err(error);
                }
            }
        };
        Ok(UploadReport {
            bytes: self.len(),
            e_tag: result.e_tag,
            footer_range: self.footer_range(),
            parts,
            version: result.version,
        })
    }

    async fn upload_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        path: &Path,
    ) -> Result<(PutResult, usize)> {
        let failed = |error| store_error(path, error);
        let mut in_flight: FuturesUnordered<UploadPart> = FuturesUnordered::new();
        let mut parts = 0;
        for range in self.chunk_ranges() {
            if in_flight.len() >= PARTS_IN_FLIGHT
                && let Some(done) = in_flight.next().await
            {
                done.map_err(failed)?;
            }
            let chunk = self.read_blocking(range).await?;
            // Parts are numbered in the order of these calls, so the calls are made in order.
            in_flight.push(upload.put_part(chunk.into()));
            parts += 1;
        }
        while let Some(done) = in_flight.next().await {
            done.map_err(failed)?;
        }
        Ok((upload.complete().await.map_err(failed)?, parts))
    }

    /// Reads on a thread that may block.
    async fn read_blocking(&self, range: std::ops::Range<u64>) -> Result<Bytes> {
        let split = self.clone();
        tokio::task::spawn_blocking(move || split.read(range))
            .await
            .map_err(|error| {
                Error::with_source(ErrorKind::Internal, "reading the index failed", error)
            })?
    }
}

/// Wraps an error of the store about `path`.
pub(crate) fn store_error(path: &Path, error: object_store::Error) -> Error {
    let (kind, message) = match &error {
        object_store::Error::NotFound { .. } => (ErrorKind::NotFound, "is not there"),
        object_store::Error::Precondition { .. } => {
            (ErrorKind::SplitChanged, "was replaced while it was read")
        }
        _ => (ErrorKind::Store, "cannot be reached"),
    };
    Error::with_source(kind, format!("{path} {message}"), error)
}
