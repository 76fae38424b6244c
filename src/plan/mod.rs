//! From needs to byte ranges.
//!
//! tantivy hides offsets, but our files see every range they are asked for, so tantivy's own
//! readers are let to ask: each need is *probed*, that is, its reads are made over what is in
//! memory; what they miss is recorded. The misses of all needs of a split are one round, fetched
//! together; then the needs that missed are probed again, until none misses. The chain is as long
//! as the data's own dependency: dictionary block, then postings and positions.
//!
//! Data waits while it may turn out that a segment holds no match: when a term that must be there
//! is absent, or every branch of a disjunction, nothing more of that segment is fetched, and its
//! search is left out. Absences are remembered.
//!
//! A dry run is the same, except that data (postings, positions, columns, norms), whose bytes no
//! need has to see to go on, is counted instead of fetched.

mod absence_entry;
mod absences;
mod chosen;
mod clauses;
mod component;
mod entry;
mod explanation;
mod known;
mod matches;
mod probe;
mod progress;
mod resolve;
mod store;
mod whole;

pub use absence_entry::AbsenceEntry;
pub(crate) use absences::Absences;
pub(crate) use chosen::{Choice, Chosen};
pub use chosen::{ComponentBytes, ComponentReport};
pub use clauses::ClauseExplanation;
pub use component::Component;
pub use entry::{PlanEntry, PlanSource, SplitPlan};
pub use explanation::{ComponentCost, Explanation};
pub(crate) use known::{KnownPlans, Planned};
pub(crate) use progress::is_proven_empty;
pub(crate) use resolve::{Depth, Planner, Resolution, resolve};
pub(crate) use store::PlanWriter;
pub use store::{DirectoryPlans, ObjectPlans, PlanBatch, PlanStore, PlanStoreSettings};
