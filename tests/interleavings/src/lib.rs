//! The locks, budgets and shared futures of forewarm under every order of events that a scheduler
//! can think of.
//!
//! The sources are those of forewarm itself, by their paths. `std`'s locks and counters, tokio and
//! moka are replaced by ones that [shuttle] can stop at, and what stands around the sources by the
//! little of it that they need.

#![cfg(test)]

// Of these the sources know little: see `directory`, `path` and `ObjectMeta`.
extern crate self as object_store;
extern crate self as tantivy;

#[expect(dead_code, reason = "more than the models need")]
mod cache;
mod error;
mod explore;
mod filter;
mod manager;
mod path;
#[expect(dead_code, reason = "more than the models need")]
mod store;
mod sync;
#[expect(dead_code, reason = "more than the models need")]
mod telemetry;
#[expect(dead_code, reason = "more than the models need")]
mod warmup;

use path::ObjectMeta;
use store::Traffic;

mod directory {
    pub(crate) use ownedbytes::OwnedBytes;
}
