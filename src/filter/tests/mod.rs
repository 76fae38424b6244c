//! Tests of the whole room.

mod errors;
mod forms;
mod meaning;
mod model;
mod queries;
mod strategy;
