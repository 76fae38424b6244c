//! Same answers (C7), verified warmth (C1): in strict mode every kind of filter, collector, field
//! and split answers as tantivy does over the same segments in memory, and reads nothing late.
//!
//! `FOREWARM_CASES` sets how many random corpora are tried (each with 40 requests),
//! `FOREWARM_SEED` which ones.

#[path = "grid/clauses.rs"]
mod clauses;
#[path = "grid/collectors.rs"]
mod collectors;
#[path = "grid/corpus.rs"]
mod corpus;
#[path = "grid/expected.rs"]
mod expected;
#[path = "grid/model.rs"]
mod model;
#[path = "grid/queries.rs"]
mod queries;
#[path = "grid/random.rs"]
mod random;
#[path = "grid/values.rs"]
mod values;
