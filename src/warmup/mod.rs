//! Warmups: futures shared by all who ask for the same split and fingerprint, and joined by any
//! number of readers.

mod learned;
mod outcome;
mod registry;
mod settings;
mod statistics;
mod task;
mod warmer;
mod work;

pub use outcome::Outcome;
pub use settings::WarmerSettings;
pub use statistics::Statistics;
pub(crate) use task::Warmed;
pub use task::Warmup;
pub use warmer::{Warmer, WarmerBuilder};
pub(crate) use work::{Extras, Work};
