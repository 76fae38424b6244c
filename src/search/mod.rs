//! Searching splits: join their warmups, run tantivy on the pool, merge, fetch the hits'
//! documents.

mod after;
mod aggregate;
mod answer;
mod collect;
mod columns;
mod count;
mod documents;
mod execute;
mod gathered;
mod highlight;
mod hits;
mod in_order;
mod joined;
mod known;
mod leaves;
mod matched;
mod options;
mod page;
mod prepared;
mod progress;
mod progressive;
mod prospects;
mod reading;
mod rehearse;
mod report;
mod resident;
mod respond;
mod response;
mod run;
mod sort;
mod statistics;
mod stored;

pub use options::{SearchOptions, Warming};
pub use progress::SearchProgress;
pub use report::SearchReport;
pub use resident::ResidentSplits;
pub use response::{Hit, Hits, SearchResponse, Shards, Total};
