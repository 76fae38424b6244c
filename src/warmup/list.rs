//! Which splits there are.

use futures_util::TryStreamExt;
use object_store::path::Path;
use tokio::time::timeout;

use super::warmer::Warmer;
use crate::error::{Error, ErrorKind, Result};
use crate::split::SplitAddress;

/// How the names of splits end.
const SPLIT: &str = "split";

impl Warmer {
    /// The `*.split` objects below `prefix` with their sizes, sorted by path: one LIST for each
    /// thousand objects.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the prefix is no path, and those of the store.
    ///
    /// # Cancel safety
    ///
    /// Nothing goes on after the future is dropped.
    pub async fn list_splits(&self, prefix: &str) -> Result<Vec<SplitAddress>> {
        let path = Path::parse(prefix)
            .map_err(|error| Error::invalid(format!("prefix {prefix:?} is no path: {error}")))?;
        let patience = self.settings().store.get_deadline;
        let failed = |error: object_store::Error| {
            let message = format!("{prefix:?} cannot be listed");
            Error::with_source(ErrorKind::Store, message, error)
        };
        let mut objects = self.inner.cache.fetcher().store().list(Some(&path));
        let mut splits = Vec::new();
        loop {
            let next = timeout(patience, objects.try_next()).await.map_err(|_| {
                let message = format!("listing {prefix:?} was silent for {patience:?}");
                Error::new(ErrorKind::Timeout, message)
            })?;
            match next.map_err(failed)? {
                None => break,
                Some(object) if object.location.extension() == Some(SPLIT) => {
                    let split = SplitAddress::new(object.location);
                    splits.push(split.with_size(object.size));
                }
                Some(_) => {}
            }
        }
        splits.sort_by(|a, b| a.path().cmp(b.path()));
        Ok(splits)
    }
}
