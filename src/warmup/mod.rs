//! Warmups: futures shared by all who ask for the same split and fingerprint, and joined by any
//! number of readers.

mod builder;
mod classify;
mod learned;
mod outcome;
mod plans;
mod registry;
mod run;
mod settings;
mod statistics;
mod task;
#[cfg(test)]
mod tests;
mod warmed;
mod warmer;
mod whole;
mod work;

pub use builder::WarmerBuilder;
pub use classify::Warmth;
pub use outcome::Outcome;
pub use plans::PlanLoad;
pub use settings::WarmerSettings;
pub use statistics::Statistics;
pub use task::Warmup;
pub(crate) use warmed::Warmed;
pub use warmer::Warmer;
pub(crate) use work::{Compiled, Extras, Work};
