//! Reading object storage: ranged, conditional, coalesced, budgeted, retried and counted GETs.
//!
//! Every byte forewarm reads comes through [`Fetcher`]: it sends a GET only when its turn has come
//! in the queue for a slot (how many at once) and in-flight bytes, checks version and length of each body, retries
//! what is worth retrying under one deadline, and counts.

mod attempt;
mod coalescing;
mod estimate;
mod failure;
mod fetcher;
mod hedge;
mod object;
mod origin;
mod queue;
mod ranges;
mod request;
mod retry;
mod send;
mod settings;
mod simulated;
mod throttle;
mod trace;
mod traffic;
mod want;
mod whole;

pub(crate) use coalescing::{Batch, Coalescing};
pub(crate) use fetcher::{Fetcher, in_time};
pub use hedge::HedgeSettings;
pub(crate) use object::{ObjectHandle, ObjectVersion, Tail};
pub use origin::Use;
pub(crate) use origin::{Origin, Tally};
pub(crate) use ranges::{contains, gaps, normalise};
pub(crate) use request::{Priority, Request, Urgency};
pub use settings::StoreSettings;
pub(crate) use settings::millis;
pub use simulated::{SimulatedSettings, SimulatedStore};
pub use trace::{GetOutcome, GetTrace};
pub use traffic::Traffic;
pub(crate) use traffic::TrafficCounter;
pub(crate) use whole::{get_whole, put_whole, send_one};

#[cfg(test)]
mod tests;
