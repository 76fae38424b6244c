#[path = "../../../src/store/coalescing.rs"]
mod coalescing;
mod fetcher;
#[path = "../../../src/store/object.rs"]
mod object;
#[path = "../../../src/store/origin.rs"]
mod origin;
#[path = "../../../src/store/queue.rs"]
mod queue;
#[path = "../../../src/store/ranges.rs"]
mod ranges;
#[path = "../../../src/store/request.rs"]
mod request;
#[path = "../../../src/store/trace.rs"]
mod trace;
#[path = "../../../src/store/traffic.rs"]
mod traffic;
#[path = "../../../src/store/want.rs"]
mod want;

pub(crate) use coalescing::{Batch, Coalescing};
pub(crate) use fetcher::{Fetcher, in_time};
pub(crate) use object::{ObjectHandle, ObjectVersion};
pub(crate) use origin::{Origin, Tally, Use};
pub(crate) use ranges::{contains, gaps, normalise};
pub(crate) use request::{Priority, Request, Urgency};
pub(crate) use trace::GetTrace;
pub(crate) use traffic::{Traffic, TrafficCounter};

mod tests {
    mod queue;
}
