//! Objects that are read and written whole, beside splits: what outlives the process.

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::time::timeout;

use crate::error::{Error, ErrorKind, Result};

/// How long one request may take: stores have no read timeout of their own.
const DEADLINE: Duration = Duration::from_secs(60);

/// Sends one request; answers nothing when there is no such object.
///
/// # Errors
///
/// `Store`, and `Timeout` after a minute.
pub(crate) async fn send_one<T>(
    what: &str,
    request: impl Future<Output = object_store::Result<T>>,
) -> Result<Option<T>> {
    match timeout(DEADLINE, request).await {
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(object_store::Error::NotFound { .. })) => Ok(None),
        Ok(Err(error)) => {
            let message = format!("{what} failed");
            Err(Error::with_source(ErrorKind::Store, message, error))
        }
        Err(_) => {
            let message = format!("{what} took longer than {} s", DEADLINE.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        }
    }
}

/// The object at `path`; of one that is longer than `limit`, its beginning, which is longer, too.
///
/// # Errors
///
/// As [`send_one`].
pub(crate) async fn get_whole(
    store: &dyn ObjectStore,
    path: &Path,
    limit: u64,
) -> Result<Option<Bytes>> {
    let get = async {
        let mut body = store.get(path).await?.into_stream();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.try_next().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > limit {
                break;
            }
        }
        Ok(bytes.freeze())
    };
    send_one(&format!("GET of {path}"), get).await
}

/// Writes the object at `path`, in the place of any that is there.
///
/// # Errors
///
/// As [`send_one`], and `NotFound` when there is nowhere to write to.
pub(crate) async fn put_whole(store: &dyn ObjectStore, path: &Path, bytes: Bytes) -> Result<()> {
    let put = store.put(path, bytes.into());
    match send_one(&format!("PUT of {path}"), put).await? {
        Some(_) => Ok(()),
        None => {
            let message = format!("{path} cannot be written: its bucket or container is not there");
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}
