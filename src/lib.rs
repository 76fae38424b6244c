//! forewarm (placeholder while the rooms are being built).
#![allow(dead_code, unused_imports)]
mod cache;
mod directory;
mod error;
mod pool;
mod split;
mod store;
pub use cache::CacheSettings;
pub use directory::OnMiss;
pub use error::{Error, ErrorKind, Result};
pub use split::{Split, SplitAddress};
pub use store::{SimulatedSettings, SimulatedStore, StoreSettings, Traffic};
