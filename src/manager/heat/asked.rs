use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Decayed;
use crate::filter::{Fingerprint, SearchRequest};

/// What a request takes in memory for each byte of its JSON, and beside it.
const REQUEST_FACTOR: usize = 8;
const REQUEST_BYTES: usize = 1024;

/// A request that was asked.
pub(in crate::manager) struct Asked {
    pub(in crate::manager) identity: Fingerprint,
    pub(in crate::manager) bytes: usize,
    /// Without a moment, and never given out: the first to ask its fingerprint would set one. None
    /// once it was forgotten: pairs and habits may hold what is left of it for long.
    request: Mutex<Option<SearchRequest>>,
    heat: Mutex<Decayed>,
    /// Bytes of all requests that were not forgotten.
    held: Arc<AtomicU64>,
}

impl Asked {
    /// One that takes so many bytes, which are added to what all take.
    pub(in crate::manager) fn new(
        identity: Fingerprint,
        request: SearchRequest,
        bytes: usize,
        held: &Arc<AtomicU64>,
    ) -> Arc<Self> {
        held.fetch_add(bytes as u64, Ordering::Relaxed);
        Arc::new(Self {
            identity,
            bytes,
            request: Mutex::new(Some(request)),
            heat: Mutex::default(),
            held: Arc::clone(held),
        })
    }

    pub(in crate::manager) fn heat(&self) -> MutexGuard<'_, Decayed> {
        self.heat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody knows any more what it was.
    pub(in crate::manager) fn is_forgotten(&self) -> bool {
        self.lock().is_none()
    }

    /// Lets go of the request, whoever holds the rest.
    pub(in crate::manager) fn forget(&self) {
        let forgotten = self.lock().take();
        if forgotten.is_some() {
            self.held.fetch_sub(self.bytes as u64, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<SearchRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Copies of requests, one of each, that take the moment they are first warmed at for `now`.
#[derive(Default)]
pub(in crate::manager) struct Copies(HashMap<Fingerprint, Arc<SearchRequest>>);

impl Copies {
    /// Nothing of one that was forgotten.
    pub(in crate::manager) fn find(&mut self, asked: &Asked) -> Option<Arc<SearchRequest>> {
        if let Some(copy) = self.0.get(&asked.identity) {
            return Some(Arc::clone(copy));
        }
        let copy = Arc::new(asked.lock().clone()?);
        self.0.insert(asked.identity, Arc::clone(&copy));
        Some(copy)
    }
}

/// Bytes that a request takes in memory, about.
pub(in crate::manager) fn request_weight(json_bytes: usize) -> usize {
    REQUEST_BYTES + REQUEST_FACTOR * json_bytes
}
