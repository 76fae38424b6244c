//! The options of `forewarm bench`.

use std::time::Duration;

use clap::Args;

use super::ways::{Way, parse_way};
use crate::args::StoreArgs;
use crate::units::{parse_bandwidth, parse_bytes, parse_duration};

const EXAMPLES: &str = "\
Examples:
  forewarm bench splits/ --bodies bodies.ndjson
  forewarm bench splits/ --bodies bodies.ndjson --latency 15ms,30ms,100ms --report out.html
  forewarm bench splits/ --bodies bodies.ndjson --ways forget,first,planned,ideal --repeat 9
  forewarm bench splits/ --bodies bodies.ndjson --check --json > figures.json

Ways:
  none         tantivy reads on demand through the store
  everything   the whole split is loaded first
  forget       per query and forget: warmed by tantivy's own asynchronous functions (postings,
               whole columns, all norms) into a cache of the query that is thrown away
               afterwards; footers stay cached
  first        forewarm, first time: no plan
  planned      forewarm, plan known: another process has searched the same before
  warm         forewarm, warm: extents cached
  ideal        tantivy on a RamDirectory
A way that takes over 20 s for a body is stopped, and counts as not serving it.
";

/// Hold the ways to warm a search against each other
///
/// Runs each body in each way through a store that behaves like S3: open, warm and first search,
/// then the search again. Times, GETs, bytes, rounds, late reads and memory stand side by side,
/// with the bounds that physics sets; all ratios are of one run, in which the ways take turns.
/// Each answer is compared with that of the ideal.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    /// A split, or a prefix that holds *.split
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// The requests: a _search body a line
    #[arg(long, value_name = "FILE")]
    pub(crate) bodies: String,

    /// Run the first N bodies only
    #[arg(long, value_name = "N")]
    pub(crate) first: Option<usize>,

    /// Median times to the first byte
    #[arg(long, value_name = "DURATION,…", default_value = "30ms", value_delimiter = ',',
          value_parser = parse_duration)]
    pub(crate) latency: Vec<Duration>,

    /// Bandwidth of each connection
    #[arg(long, value_name = "BYTES/S", default_value = "90MB/s", value_parser = parse_bandwidth)]
    pub(crate) bandwidth: u64,

    /// Spread of the time to the first byte: 0.96 is that of S3, 0 makes each GET take the median
    /// [default: 0.96, with --check 0]
    #[arg(long, value_name = "SIGMA", value_parser = parse_tail)]
    pub(crate) tail: Option<f64>,

    /// Run these ways only; `ideal` always runs, the answers are compared with its own
    #[arg(long, value_name = "WAY,…", value_delimiter = ',', value_parser = parse_way)]
    pub(crate) ways: Vec<Way>,

    /// Run each body in each way this many times; `none` and `everything` once where they take
    /// over a second
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeat: u32,

    /// Compare warm with ideal this many times a body, by turns, for 1.5 s at most
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) pairs: u32,

    /// Let forewarm fetch splits whole that lack at most this much, as far as that is cheap
    #[arg(long, value_name = "BYTES", default_value = "2MiB", value_parser = parse_bytes)]
    pub(crate) whole_splits: u64,

    /// Let forewarm fetch gaps of so many bytes a round and split where no plan is known
    #[arg(long, value_name = "BYTES", default_value = "0B", value_parser = parse_bytes)]
    pub(crate) unplanned_gaps: u64,

    /// Begin the random delays here
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,

    /// Memory that the splits may take for `ideal` and `everything`, each
    #[arg(long, value_name = "BYTES", default_value = "8GiB", value_parser = parse_bytes)]
    pub(crate) memory: u64,

    /// Write a report to look at to this file: one HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<String>,

    /// Draw the warmups of this many bodies in the report, those of the most GETs
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) waterfalls: usize,

    /// Exit with 1 if a target is missed
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

impl BenchArgs {
    /// The ways to run, in the order of the tables.
    pub(crate) fn asked_ways(&self) -> Vec<Way> {
        let asked = |way: &Way| self.ways.is_empty() || self.ways.contains(way);
        Way::ALL
            .into_iter()
            .filter(|way| asked(way) || *way == Way::Ideal)
            .collect()
    }

    /// The spread of the time to first byte.
    pub(crate) fn asked_tail(&self) -> f64 {
        self.tail.unwrap_or(if self.check { 0.0 } else { 0.96 })
    }
}

fn parse_tail(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(tail) if (0.0..=5.0).contains(&tail) => Ok(tail),
        _ => Err("a spread is a number from 0 to 5".to_owned()),
    }
}
