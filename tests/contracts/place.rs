use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use forewarm::{Error, HotSetStore, Result};

/// A place of the caller's, which can be looked into and put out of order. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Place(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: Mutex<Option<Bytes>>,
    is_broken: AtomicBool,
    hangs: AtomicBool,
    panics: AtomicBool,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Place {
    pub fn bytes(&self) -> Option<Bytes> {
        self.0.bytes.lock().unwrap().clone()
    }

    pub fn put(&self, bytes: impl Into<Bytes>) {
        *self.0.bytes.lock().unwrap() = Some(bytes.into());
    }

    pub fn reads(&self) -> usize {
        self.0.reads.load(Ordering::SeqCst)
    }

    pub fn writes(&self) -> usize {
        self.0.writes.load(Ordering::SeqCst)
    }

    pub fn break_down(&self, is_broken: bool) {
        self.0.is_broken.store(is_broken, Ordering::SeqCst);
    }

    pub fn set_hangs(&self, hangs: bool) {
        self.0.hangs.store(hangs, Ordering::SeqCst);
    }

    pub fn set_panics(&self, panics: bool) {
        self.0.panics.store(panics, Ordering::SeqCst);
    }

    async fn answer(&self) -> Result<()> {
        if self.0.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        assert!(!self.0.panics.load(Ordering::SeqCst), "out of its mind");
        match self.0.is_broken.load(Ordering::SeqCst) {
            true => Err(Error::external(
                "the place cannot be reached",
                "out of order",
            )),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl HotSetStore for Place {
    async fn read(&self, _limit: u64) -> Result<Option<Bytes>> {
        self.0.reads.fetch_add(1, Ordering::SeqCst);
        self.answer().await?;
        Ok(self.bytes())
    }

    async fn write(&self, bytes: Bytes) -> Result<()> {
        self.answer().await?;
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        self.put(bytes);
        Ok(())
    }
}
