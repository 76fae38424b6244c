//! Tests of the whole room.

mod errors;
mod forms;
mod meaning;
mod model;
mod queries;
mod strategy;
mod text_model;
mod text_strategy;
