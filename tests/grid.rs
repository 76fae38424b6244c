//! Same answers (C7), verified warmth (C1): in strict mode every kind of filter, collector, field
//! and split answers as tantivy does over the same segments in memory, and reads nothing late.
//!
//! `FOREWARM_CASES` sets how many random corpora are tried (each with 40 requests),
//! `FOREWARM_SEED` which ones.

#[path = "grid/absent.rs"]
mod absent;
#[path = "grid/aggregations.rs"]
mod aggregations;
#[path = "grid/bodies.rs"]
mod bodies;
#[path = "grid/clauses.rs"]
mod clauses;
#[path = "grid/collectors.rs"]
mod collectors;
#[path = "grid/corpus.rs"]
mod corpus;
#[path = "grid/dictionaries.rs"]
mod dictionaries;
#[path = "grid/expected.rs"]
mod expected;
#[path = "grid/fetching.rs"]
mod fetching;
#[path = "grid/lazy.rs"]
mod lazy;
#[path = "grid/model.rs"]
mod model;
#[path = "grid/paging.rs"]
mod paging;
// An FST is read when its field is opened, and not again by the search.
#[cfg(feature = "sstable")]
#[path = "grid/precision.rs"]
mod precision;
#[path = "grid/progressive.rs"]
mod progressive;
#[path = "grid/queries.rs"]
mod queries;
#[path = "grid/random.rs"]
mod random;
#[path = "grid/real.rs"]
mod real;
#[path = "grid/regressions.rs"]
mod regressions;
#[path = "grid/resident.rs"]
mod resident;
#[path = "grid/shapes.rs"]
mod shapes;
#[path = "common/shared.rs"]
mod shared;
#[path = "grid/sorted.rs"]
mod sorted;
#[path = "grid/table/mod.rs"]
mod table;
#[path = "grid/values.rs"]
mod values;
