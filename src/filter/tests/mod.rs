//! Tests of the whole room.

mod errors;
mod forms;
mod model;
mod queries;
mod strategy;
