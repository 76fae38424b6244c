use std::sync::Arc;

use crate::directory::ReadScope;

/// How the splits of a search are read.
#[derive(Clone)]
pub(super) enum Reading {
    /// They are resident: tantivy reads them by itself.
    Resident,
    /// In this scope.
    Scoped(Arc<ReadScope>),
}

impl Reading {
    /// Runs `work` on this thread, inside the scope if there is one.
    pub(super) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Resident => work(),
            Self::Scoped(scope) => scope.enter(work),
        }
    }
}
