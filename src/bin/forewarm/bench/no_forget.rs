//! *Per query and forget* in a build whose tantivy has no asynchronous functions to warm with: it
//! serves nothing, and says why.

use std::sync::Arc;

use forewarm::{SearchRequest, SplitAddress, Warmer};
use object_store::ObjectStore;
use rayon::ThreadPool;
use serde_json::Value;

use crate::failure::Outcome;

/// Nothing.
pub(crate) struct Forget;

/// There are none that could be warmed.
#[derive(Clone, Debug)]
pub(crate) enum Needs {}

/// There is none.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) late_reads: u64,
    pub(crate) memory: u64,
}

impl Found {
    pub(crate) fn check(&self, _answer: &Value) -> Outcome {
        Ok(())
    }
}

impl Forget {
    pub(crate) async fn prepare(
        _store: &Arc<dyn ObjectStore>,
        _warmer: &Warmer,
        _splits: &[SplitAddress],
        _pool: Arc<ThreadPool>,
    ) -> Outcome<Self> {
        Ok(Self)
    }

    pub(crate) fn needs(&self, _request: &SearchRequest) -> Result<Needs, String> {
        Err("tantivy warms asynchronously only with the feature `sstable`".to_owned())
    }

    pub(crate) async fn fetch_footers(&self, _store: &Arc<dyn ObjectStore>) -> Outcome {
        Ok(())
    }

    pub(crate) async fn search(
        &self,
        _store: &Arc<dyn ObjectStore>,
        _request: &SearchRequest,
        needs: &Needs,
    ) -> Outcome<Found> {
        match *needs {}
    }
}
