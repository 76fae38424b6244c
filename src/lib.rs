//! forewarm (placeholder while the rooms are being built).
#![allow(dead_code)]
mod error;
pub use error::{Error, ErrorKind, Result};
mod split;
