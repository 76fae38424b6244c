#[path = "../../../src/cache/bounded.rs"]
mod bounded;
#[path = "../../../src/cache/budget.rs"]
mod budget;
#[path = "../../../src/cache/extent.rs"]
mod extent;
#[path = "../../../src/cache/extents.rs"]
mod extents;
#[path = "../../../src/cache/fate.rs"]
mod fate;
#[path = "../../../src/cache/flight.rs"]
mod flight;
#[path = "../../../src/cache/found.rs"]
mod found;
#[path = "../../../src/cache/join.rs"]
mod join;
#[path = "../../../src/cache/lease.rs"]
mod lease;
#[path = "../../../src/cache/lookups.rs"]
mod lookups;
#[path = "../../../src/cache/settings.rs"]
mod settings;
#[path = "../../../src/cache/shelf.rs"]
mod shelf;
#[path = "../../../src/cache/slot.rs"]
mod slot;

pub(crate) use slot::Slot;

mod tests {
    mod budget;
    mod flight;
}
