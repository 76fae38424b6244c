//! Tests of the whole room.

mod bodies;
mod errors;
mod fingerprints;
mod forms;
mod meaning;
mod messages;
mod model;
mod queries;
mod strategy;
mod text_errors;
mod text_forms;
mod text_model;
mod text_queries;
mod text_strategy;
mod wrong_patterns;
mod wrong_queries;
