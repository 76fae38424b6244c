//! The lines: a day of a fleet of services.
//!
//! What makes logs hard to search is what is drawn here: a time that grows with the line number,
//! a few levels and statuses that nearly every line has, fields of a long tail (users, words), a
//! field that every line has its own value of (traces), and errors that come in bursts.

use std::fmt::Write;

use chrono::{DateTime, Datelike, Timelike};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

use crate::demo_data::{Zipf, vocabulary};

/// The schema of the lines, in tantivy's own JSON.
pub(super) const SCHEMA: &str = include_str!("../../../../testdata/logs.schema.json");

/// 2025-03-01T00:00:00Z, when the first line was written.
const FIRST_MILLIS: i64 = 1_740_787_200_000;
/// The lines are spread over one day.
const DAY_MILLIS: i64 = 24 * 3600 * 1000;
/// A line is written this much too late at the most.
const JITTER_MILLIS: i64 = 2000;

const WORDS: usize = 20_000;
/// The words are the same whatever the seed, so that requests can name some.
const WORDS_SEED: u64 = 7;
const HOSTS: usize = 400;
const USERS: usize = 200_000;
/// The day has this many stretches; in some, a service has an incident.
const STRETCHES: u64 = 288;

const SERVICES: [&str; 24] = [
    "gateway",
    "checkout",
    "search",
    "catalog",
    "auth",
    "payments",
    "inventory",
    "shipping",
    "recommend",
    "sessions",
    "images",
    "email",
    "pricing",
    "reviews",
    "ledger",
    "fraud",
    "scheduler",
    "audit",
    "exports",
    "webhooks",
    "tax",
    "loyalty",
    "translate",
    "archive",
];
const REGIONS: [&str; 4] = ["eu-central", "us-east", "us-west", "ap-south"];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const RESOURCES: [&str; 10] = [
    "items", "orders", "users", "carts", "sessions", "prices", "reviews", "reports", "images",
    "tokens",
];

/// One line.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Line {
    timestamp: String,
    level: &'static str,
    service: &'static str,
    host: String,
    region: &'static str,
    method: &'static str,
    path: String,
    message: String,
    status: u64,
    latency_ms: f64,
    bytes: u64,
    user_id: u64,
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// All lines, one after another.
pub(super) struct Logs {
    rng: StdRng,
    seed: u64,
    docs: u64,
    next: u64,
    words: Vec<String>,
    word: Zipf,
    service: Zipf,
    host: Zipf,
    user: Zipf,
}

impl Logs {
    /// `docs` lines of a seed.
    pub(super) fn new(seed: u64, docs: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            seed,
            docs,
            next: 0,
            words: vocabulary(&mut StdRng::seed_from_u64(WORDS_SEED), WORDS),
            word: Zipf::new(WORDS, 1.05),
            service: Zipf::new(SERVICES.len(), 0.9),
            host: Zipf::new(HOSTS, 0.4),
            user: Zipf::new(USERS, 1.0),
        }
    }

    fn line(&mut self, number: u64) -> Line {
        let millis = FIRST_MILLIS
            + (number as f64 / self.docs.max(1) as f64 * DAY_MILLIS as f64) as i64
            + self.rng.random_range(0..JITTER_MILLIS);
        let service = self.service.draw(&mut self.rng);
        let incident = self.has_incident(number, service);
        let error_share = if incident { 0.35 } else { 0.012 };
        let failed = self.rng.random_bool(error_share);
        let level = match (failed, self.rng.random_range(0..100)) {
            (true, 0..3) => "FATAL",
            (true, _) => "ERROR",
            (false, 0..5) => "WARN",
            (false, 5..25) => "DEBUG",
            (false, _) => "INFO",
        };
        let status = match (failed, self.rng.random_range(0..100)) {
            (true, 0..55) => 500,
            (true, 55..80) => 503,
            (true, _) => 504,
            (false, 0..2) => 404,
            (false, 2..4) => 429,
            (false, 4..8) => 201,
            (false, 8..12) => 304,
            (false, _) => 200,
        };
        let slowness = if incident { 6.0 } else { 1.0 };
        let latency = slowness * 18.0 * (0.9 * self.normal()).exp();
        let bytes = (900.0 * (1.6 * self.normal()).exp()) as u64;
        let resource = RESOURCES[self.rng.random_range(0..RESOURCES.len())];
        let error = failed.then(|| match status {
            503 => "Unavailable",
            504 => "DeadlineExceeded",
            _ => ["Internal", "DataLoss", "Aborted"][self.rng.random_range(0..3)],
        });
        Line {
            timestamp: rfc3339(millis),
            level,
            service: SERVICES[service],
            host: format!("{}-{:03}", SERVICES[service], self.host.draw(&mut self.rng)),
            region: REGIONS[service % REGIONS.len()],
            method: METHODS[[0, 0, 0, 0, 0, 0, 1, 1, 2, 3][self.rng.random_range(0..10)]],
            path: format!("/v1/{resource}/{}", self.rng.random_range(0..2000)),
            message: self.message(service, error, latency),
            status,
            latency_ms: (latency * 1000.0).round() / 1000.0,
            bytes,
            user_id: self.user.draw(&mut self.rng) as u64 + 1,
            trace_id: format!("{:016x}{:016x}", self.rng.random::<u64>(), number),
            error,
        }
    }

    /// Whether the service has an incident at that time of the day: decided by hashing, so that
    /// all lines of a stretch agree.
    fn has_incident(&self, number: u64, service: usize) -> bool {
        let stretch = number * STRETCHES / self.docs.max(1);
        let key = self.seed ^ (stretch << 8) ^ service as u64;
        // The multiplier of splitmix64; its upper bits are well mixed.
        let mixed = (key ^ (key >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 48) % 100 < 3
    }

    fn message(&mut self, service: usize, error: Option<&str>, latency: f64) -> String {
        let rng = &mut self.rng;
        let mut text = String::with_capacity(160);
        let id = rng.random_range(0..1_000_000_000u64);
        let other = SERVICES[(service + rng.random_range(1..SERVICES.len())) % SERVICES.len()];
        let attempts = rng.random_range(2..9);
        let kind = rng.random_range(0..8);
        // Writing to a string never fails.
        let _ = match (error, kind) {
            (Some(error), 0..3) => write!(
                text,
                "connection to {other} refused after {attempts} attempts: {error}"
            ),
            (Some(error), 3..6) => write!(
                text,
                "request {id} failed with {error} after {latency:.0} ms, giving up"
            ),
            (Some(error), _) => write!(text, "upstream {other} timed out: {error} order {id}"),
            (None, 0..3) => write!(text, "request {id} finished in {latency:.0} ms"),
            (None, 3) => write!(text, "cache miss for key item:{id}, fetching from {other}"),
            (None, 4) => write!(text, "user session {id} renewed, token rotated"),
            (None, 5) => write!(text, "retry {attempts} of call to {other} succeeded"),
            (None, 6) => write!(text, "slow query on table orders took {latency:.0} ms"),
            (None, _) => write!(
                text,
                "batch {id} of {attempts} messages published to {other}"
            ),
        };
        for _ in 0..rng.random_range(0..12) {
            text.push(' ');
            text.push_str(&self.words[self.word.draw(rng)]);
        }
        text
    }

    /// A sample of N(0,1), by the method of Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.rng.random::<f64>()).cos()
    }
}

impl Iterator for Logs {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        if self.next == self.docs {
            return None;
        }
        let line = self.line(self.next);
        self.next += 1;
        Some(line)
    }
}

fn rfc3339(millis: i64) -> String {
    // One day after a moment of 2025 is far from the end of the calendar.
    let time = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.timestamp_subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::schema;

    #[test]
    fn equal_seeds_make_equal_lines() {
        let lines = |seed| Logs::new(seed, 200).collect::<Vec<_>>();
        assert_eq!(lines(1), lines(1));
        assert_ne!(lines(1), lines(2));
        assert_eq!(lines(1).len(), 200);
    }

    #[test]
    fn lines_are_documents_of_the_schema_and_in_order() {
        let schema = schema::parse(SCHEMA).unwrap();
        let lines: Vec<Line> = Logs::new(42, 5000).collect();
        let mut keys = HashSet::new();
        for line in &lines {
            let value = serde_json::to_value(line).unwrap();
            keys.extend(value.as_object().unwrap().keys().cloned());
            tantivy::TantivyDocument::parse_json(&schema, &value.to_string()).unwrap();
        }
        let fields: HashSet<_> = schema
            .fields()
            .map(|(_, field)| field.name().to_owned())
            .collect();
        assert_eq!(keys, fields);
        let traces: HashSet<_> = lines.iter().map(|line| &line.trace_id).collect();
        assert_eq!(traces.len(), lines.len());
        for pair in lines.windows(500) {
            assert!(pair[0].timestamp < pair[499].timestamp);
        }
    }

    #[test]
    fn errors_are_few_and_come_in_bursts() {
        let lines: Vec<Line> = Logs::new(42, 30_000).collect();
        let failed = |line: &&Line| line.error.is_some();
        let errors = lines.iter().filter(failed).count();
        assert!((300..1500).contains(&errors), "{errors}");
        let stretches = lines.chunks(30_000 / STRETCHES as usize);
        let most = stretches
            .map(|lines| lines.iter().filter(failed).count())
            .max();
        assert!(most > Some(8), "{most:?}");
    }
}
