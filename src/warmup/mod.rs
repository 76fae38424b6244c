//! Warmups: futures shared by all who ask for the same split and fingerprint, and joined by any
//! number of readers.

mod builder;
mod classify;
mod component_warmup;
mod components;
mod learned;
mod list;
mod outcome;
mod plans;
mod registry;
mod results;
mod run;
mod running;
mod selection;
mod settings;
mod start;
mod statistics;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod warmed;
mod warmer;
mod whole;
mod work;

pub use builder::WarmerBuilder;
pub(crate) use classify::PlannedReads;
pub use classify::Warmth;
pub use component_warmup::ComponentWarmup;
pub use outcome::Outcome;
pub use plans::PlanLoad;
pub(crate) use plans::RequestPlans;
pub use results::ResultSettings;
pub use selection::ComponentSelection;
pub use settings::WarmerSettings;
pub(crate) use start::Start;
pub use statistics::Statistics;
pub use task::Warmup;
pub(crate) use warmed::Warmed;
pub use warmer::Warmer;
pub(crate) use work::{Compiled, Extras, Work, shared};
