//! The parts of the bench of the manager.

mod beside;
pub mod classified;
pub mod corpus;
mod faults;
pub mod loaded;
mod switched;
pub mod two_phase;
