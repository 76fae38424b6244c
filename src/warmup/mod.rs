//! Warmups: futures shared by all who ask for the same split and fingerprint, and joined by any
//! number of readers.

mod learned;
mod outcome;
mod registry;
mod settings;
mod task;
mod warmer;
mod work;

pub use outcome::Outcome;
pub use settings::WarmerSettings;
pub(crate) use task::Warmed;
pub use task::Warmup;
pub use warmer::{Statistics, Warmer, WarmerBuilder};
pub(crate) use work::{Extras, Work};
