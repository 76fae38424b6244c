//! What was measured.

use std::time::Duration;

use forewarm::SearchReport;
use serde::Serialize;

use super::oracle::Least;
use super::ways::Way;
use crate::tap::{Get, chain};

/// One search.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Leg {
    pub(crate) time_us: f64,
    pub(crate) gets: u64,
    pub(crate) bytes: u64,
    pub(crate) rounds: u64,
    pub(crate) late_reads: u64,
    /// The longest body, in bytes.
    pub(crate) longest: u64,
    #[serde(skip)]
    pub(crate) trace: Vec<Get>,
}

impl Leg {
    /// A search that took so long and made these GETs. Rounds are what the store saw: the longest
    /// chain of GETs one after another.
    pub(crate) fn new(time: Duration, trace: Vec<Get>, late_reads: u64) -> Self {
        Self {
            time_us: time.as_secs_f64() * 1e6,
            gets: trace.len() as u64,
            bytes: trace.iter().map(|get| get.bytes).sum(),
            rounds: chain(&trace),
            late_reads,
            longest: trace.iter().map(|get| get.bytes).max().unwrap_or(0),
            trace,
        }
    }

    /// A search of forewarm's, whose report knows what waited for what.
    pub(crate) fn reported(time: Duration, trace: Vec<Get>, report: &SearchReport) -> Self {
        Self {
            rounds: report.rounds,
            ..Self::new(time, trace, report.late_reads)
        }
    }
}

/// One run of one body in one way.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// Open, warm and search.
    pub(crate) first: Leg,
    /// The same again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repeated: Option<Leg>,
    /// Bytes that this way keeps in memory for the search to come.
    pub(crate) memory: u64,
    /// By how much the process grew, in bytes, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grown: Option<i64>,
}

/// All runs of one body in one way.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Course {
    pub(crate) way: Way,
    /// Why this way cannot answer the body at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_served: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

/// One body.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// The line of the file it is on.
    pub(crate) line: usize,
    pub(crate) body: String,
    /// How many documents match, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) matches: Option<u64>,
    /// Whether hits bring anything, which is known only when the hits are.
    pub(crate) brings: bool,
    pub(crate) courses: Vec<Course>,
    /// Each time of a warm search over that of the ideal right after it.
    pub(crate) warm_to_ideal: Vec<f64>,
    /// What a search reads at the very least, opening included.
    pub(crate) least: Least,
}

impl Measured {
    /// What was measured of a way that answered the body.
    pub(crate) fn samples(&self, way: Way) -> &[Sample] {
        let course = self.courses.iter().find(|course| course.way == way);
        match course {
            Some(course) if course.not_served.is_none() => &course.samples,
            _ => &[],
        }
    }
}

/// All bodies at one latency.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) latency_ms: f64,
    pub(crate) bandwidth: u64,
    pub(crate) tail: f64,
    pub(crate) bodies: Vec<Measured>,
}
