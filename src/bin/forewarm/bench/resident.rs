//! Splits that are in memory whole.

use std::sync::Arc;

use forewarm::{SearchRequest, SearchResponse, SplitAddress, Warmer};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use rayon::ThreadPool;

use crate::failure::Outcome;

/// Bytes of one GET of a whole split.
const PIECE_BYTES: u64 = 8 << 20;
/// GETs of whole splits under way at once.
const AT_ONCE: usize = 64;

/// Splits in memory, searched there.
pub(crate) struct Resident {
    warmer: Warmer,
    splits: Vec<SplitAddress>,
    bytes: u64,
}

impl Resident {
    /// Loads splits whole, in parallel.
    pub(crate) async fn load(
        store: &Arc<dyn ObjectStore>,
        pool: &Arc<ThreadPool>,
        splits: &[SplitAddress],
    ) -> Outcome<Self> {
        let memory = InMemory::new();
        let mut bytes = 0;
        for split in splits {
            let size = store.head(split.path()).await?.size;
            bytes += size;
            let pieces: Vec<_> = stream::iter((0..size).step_by(PIECE_BYTES as usize))
                .map(|start| async move {
                    let range = start..(start + PIECE_BYTES).min(size);
                    store.get_range(split.path(), range).await
                })
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            memory
                .put(split.path(), pieces.into_iter().collect())
                .await?;
        }
        let warmer = Warmer::builder(Arc::new(memory)).pool(Arc::clone(pool));
        Ok(Self {
            warmer: warmer.build()?,
            splits: splits.to_vec(),
            bytes,
        })
    }

    pub(crate) async fn search(&self, request: &SearchRequest) -> Outcome<SearchResponse> {
        Ok(self.warmer.search(&self.splits, request).await?)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
