use std::sync::Arc;

use crate::error::Result;

pub(crate) type Finished = Result<Arc<Warmed>>;

/// In the place of what a warmup brought: which one it was.
#[derive(Debug)]
pub(crate) struct Warmed {
    pub(crate) run: usize,
    pub(crate) weight: u64,
}

impl Warmed {
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }
}
