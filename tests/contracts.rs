//! The contracts of the design, C1 to C6, each shown over a store that tells on its reader.

#[path = "contracts/bounded.rs"]
mod bounded;
#[path = "contracts/cancellation.rs"]
mod cancellation;
#[path = "contracts/classify.rs"]
mod classify;
#[path = "contracts/component_ends.rs"]
mod component_ends;
#[path = "contracts/components.rs"]
mod components;
#[path = "contracts/days.rs"]
mod days;
#[path = "contracts/documents_ahead.rs"]
mod documents_ahead;
#[path = "contracts/fail_open.rs"]
mod fail_open;
#[path = "contracts/fixture.rs"]
mod fixture;
#[path = "contracts/hostile.rs"]
mod hostile;
#[path = "contracts/hostile_requests.rs"]
mod hostile_requests;
#[path = "contracts/hot_set.rs"]
mod hot_set;
#[path = "contracts/kept_terms.rs"]
mod kept_terms;
#[path = "contracts/killed.rs"]
mod killed;
#[path = "contracts/lifecycle.rs"]
mod lifecycle;
#[path = "contracts/limits.rs"]
mod limits;
#[path = "contracts/manager.rs"]
mod manager;
#[path = "contracts/manager_model.rs"]
mod manager_model;
#[path = "contracts/one_version.rs"]
mod one_version;
#[cfg(feature = "sstable")]
#[path = "contracts/opaque.rs"]
mod opaque;
#[path = "contracts/place.rs"]
mod place;
#[path = "contracts/plan_store.rs"]
mod plan_store;
#[path = "contracts/plans.rs"]
mod plans;
#[path = "contracts/predictive.rs"]
mod predictive;
#[path = "contracts/preload.rs"]
mod preload;
#[path = "contracts/progressive.rs"]
mod progressive;
#[path = "contracts/ready.rs"]
mod ready;
#[path = "contracts/refresh.rs"]
mod refresh;
#[path = "contracts/results.rs"]
mod results;
#[path = "contracts/results_versions.rs"]
mod results_versions;
#[path = "contracts/rounds.rs"]
mod rounds;
#[path = "contracts/schedules.rs"]
mod schedules;
#[path = "contracts/segments.rs"]
mod segments;
#[path = "contracts/shop.rs"]
mod shop;
#[path = "contracts/small_splits.rs"]
mod small_splits;
#[path = "contracts/soak.rs"]
mod soak;
#[path = "contracts/spending.rs"]
mod spending;
#[path = "contracts/test_store.rs"]
mod test_store;
#[path = "contracts/traces.rs"]
mod traces;
#[path = "contracts/triggers.rs"]
mod triggers;
#[path = "contracts/two_phase.rs"]
mod two_phase;
#[path = "contracts/usage.rs"]
mod usage;
#[path = "contracts/warmth.rs"]
mod warmth;
#[path = "contracts/whole.rs"]
mod whole;
