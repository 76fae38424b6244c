//! Reading objects, and stores that stand in for others.

mod simulated;

pub use simulated::{SimulatedSettings, SimulatedStore};
