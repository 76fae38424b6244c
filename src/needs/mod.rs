//! What a request reads, in the terms of the index: terms, term ranges, columns, norms.
//!
//! Needs are made from the same bound clause as tantivy's query, so they say neither more nor
//! less than what the query will read. What cannot be seen from outside, a query of the caller's
//! own, is passed on whole, to be probed.

mod collector;
mod demand;
mod label;
mod need;
mod query;
mod shown;

pub(crate) use collector::{ProbeCollector, needs_of_aggregations, needs_of_sort};
pub(crate) use demand::{Demand, Node, Rule};
pub(crate) use need::{Need, TermReads, Whole};
pub(crate) use query::{MATCHING, Purpose, needs_of};

#[cfg(test)]
mod tests;
