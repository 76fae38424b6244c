//! A day of searches, and the day before it, made from a seed.
//!
//! Tenants index logs: each has a folder in which a new split appears every 20 to 60 minutes, and
//! asks the newest 1, 2 or 4 of them. What they ask:
//!
//! - Requests of a board, drawn by Zipf's law. Every hour some change their rank and some are replaced
//!   by others that were never asked before, so that popularity drifts, and after a day about half
//!   of a board is another.
//! - Reports, each at its hour of the day, every day.
//! - Requests that are asked once and never again.
//!
//! Tenants live in different time zones and work by day, so that the rate of each goes up and down
//! twentyfold.

use std::collections::HashSet;
use std::time::Duration;

use forewarm::SearchRequest;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::Outcome;

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

const TENANTS: usize = 12;
/// Requests on the board of a tenant.
const BOARD: usize = 150;
const EXPONENT: f64 = 1.1;
/// Every hour, of a board: as many are replaced, and as many swapped with another.
const REPLACED: usize = 4;
const SWAPPED: usize = 6;
/// Reports of a tenant, and about how often each is asked in its hour.
const REPORTS: usize = 12;
const REPORT_ASKS: usize = 8;
/// The share of searches that nobody asked before or will ask again.
const ONCE: f64 = 0.03;
/// The splits of a tenant when the first day begins.
const SPLITS: usize = 4;

/// Two days: what happens, in order.
pub struct Days {
    pub events: Vec<Event>,
    /// What is asked: searches name them by number.
    pub requests: Vec<SearchRequest>,
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Since the first day began.
    pub at: Duration,
    pub tenant: usize,
    pub what: What,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    /// A split appears in the tenant's folder.
    Split(usize),
    /// The tenant asks a request of so many of its newest splits.
    Search { request: usize, window: usize },
}

/// Where a split of a tenant is.
pub fn path(tenant: usize, number: usize) -> String {
    format!("tenant-{tenant:02}/{number:04}.split")
}

struct Generator {
    rng: StdRng,
    days: Days,
    ranks: Zipf,
}

/// What one tenant asks.
struct Tenant {
    number: usize,
    board: Vec<Asked>,
    reports: Vec<(u32, Asked)>,
    /// Hours that its clock is ahead.
    zone: u32,
    size: f64,
}

#[derive(Clone, Copy)]
struct Asked {
    request: usize,
    window: usize,
}

impl Days {
    /// Two days, of which the second has about so many searches.
    pub fn new(seed: u64, searches: usize) -> Outcome<Self> {
        let mut generator = Generator {
            rng: StdRng::seed_from_u64(seed),
            days: Self {
                events: Vec::new(),
                requests: Vec::new(),
            },
            ranks: Zipf::new(BOARD, EXPONENT),
        };
        let mut tenants = Vec::new();
        for number in 0..TENANTS {
            tenants.push(generator.tenant(number)?);
        }
        let whole: f64 = tenants.iter().map(Tenant::a_day).sum();
        let rate = (searches - TENANTS * REPORTS * REPORT_ASKS) as f64 / whole;
        for tenant in &mut tenants {
            generator.splits(tenant.number);
            for hour in 0..48 {
                generator.drift(tenant)?;
                generator.hour(tenant, hour, rate)?;
            }
        }
        let mut days = generator.days;
        days.events.sort_by_key(|event| event.at);
        Ok(days)
    }

    /// How many searches the second day has, and how many of them ask what nobody asked before.
    pub fn searches(&self) -> (usize, usize) {
        let (mut searches, mut new) = (0, 0);
        let mut asked = HashSet::new();
        for event in &self.events {
            if let What::Search { request, .. } = event.what {
                let is_new = asked.insert(request);
                searches += usize::from(event.at >= DAY);
                new += usize::from(event.at >= DAY && is_new);
            }
        }
        (searches, new)
    }
}

impl Tenant {
    /// How busy it is in an hour since the first day began, at most 1.
    fn busy(&self, hour: u32) -> f64 {
        let local = (hour + self.zone) % 24;
        let noon = (f64::from(local) - 13.0) / 4.0;
        0.05 + 0.95 * (-noon * noon).exp()
    }

    fn a_day(&self) -> f64 {
        (0..24).map(|hour| self.size * self.busy(hour)).sum()
    }
}

impl Generator {
    fn tenant(&mut self, number: usize) -> Outcome<Tenant> {
        let mut board = Vec::new();
        for _ in 0..BOARD {
            board.push(self.asked()?);
        }
        let mut reports = Vec::new();
        for _ in 0..REPORTS {
            reports.push((self.rng.random_range(0..24), self.asked()?));
        }
        Ok(Tenant {
            number,
            board,
            reports,
            zone: self.rng.random_range(0..24),
            size: (1.0 + number as f64).powf(-0.5),
        })
    }

    /// A request that was not asked before.
    fn asked(&mut self) -> Outcome<Asked> {
        let body = body(&mut self.rng);
        self.days.requests.push(SearchRequest::from_value(&body)?);
        Ok(Asked {
            request: self.days.requests.len() - 1,
            window: [1, 2, 2, 4][self.rng.random_range(0..4)],
        })
    }

    fn splits(&mut self, tenant: usize) {
        let every = self.rng.random_range(20 * 60..60 * 60);
        for number in 0..SPLITS {
            self.happens(Duration::ZERO, tenant, What::Split(number));
        }
        let mut at = self.rng.random_range(0..every);
        for number in SPLITS.. {
            if at >= 48 * 3600 {
                break;
            }
            self.happens(Duration::from_secs(at), tenant, What::Split(number));
            at += every * self.rng.random_range(80..120) / 100;
        }
    }

    fn drift(&mut self, tenant: &mut Tenant) -> Outcome<()> {
        for _ in 0..REPLACED {
            let rank = self.rng.random_range(0..BOARD);
            tenant.board[rank] = self.asked()?;
        }
        for _ in 0..SWAPPED {
            let (one, other) = (
                self.rng.random_range(0..BOARD),
                self.rng.random_range(0..BOARD),
            );
            tenant.board.swap(one, other);
        }
        Ok(())
    }

    /// What a tenant asks in an hour since the first day began.
    fn hour(&mut self, tenant: &Tenant, hour: u32, rate: f64) -> Outcome<()> {
        let expected = rate * tenant.size * tenant.busy(hour);
        let searches =
            expected.floor() as usize + usize::from(self.rng.random_bool(expected.fract()));
        for _ in 0..searches {
            let asked = match self.rng.random_bool(ONCE) {
                true => self.asked()?,
                false => tenant.board[self.ranks.draw(&mut self.rng)],
            };
            self.asks(tenant, hour, asked);
        }
        for &(at, asked) in &tenant.reports {
            if at == hour % 24 {
                for _ in 0..self.rng.random_range(1..2 * REPORT_ASKS) {
                    self.asks(tenant, hour, asked);
                }
            }
        }
        Ok(())
    }

    fn asks(&mut self, tenant: &Tenant, hour: u32, asked: Asked) {
        let within = Duration::from_millis(self.rng.random_range(0..3_600_000));
        let Asked { request, window } = asked;
        self.happens(
            HOUR * hour + within,
            tenant.number,
            What::Search { request, window },
        );
    }

    fn happens(&mut self, at: Duration, tenant: usize, what: What) {
        self.days.events.push(Event { at, tenant, what });
    }
}

/// A request of one of seven kinds, whose needs differ: dictionaries, postings, norms, positions,
/// columns, and documents.
fn body(rng: &mut StdRng) -> Value {
    let word = |rng: &mut StdRng| format!("w{}", super::splits::word(rng));
    match rng.random_range(0..20) {
        0..5 => json!({
            "query": { "match": { "body": format!("{} {}", word(rng), word(rng)) } },
            "_source": false,
        }),
        5..8 => json!({
            "query": { "term": { "key": super::splits::key(rng.random(), rng.random_range(0..4096)) } },
            "_source": false,
        }),
        8..10 => json!({
            "query": { "match_phrase": { "body": format!("{} {}", word(rng), word(rng)) } },
            "_source": false,
        }),
        10..13 => {
            let from = rng.random_range(0..900);
            json!({
                "query": { "range": { "price": { "gte": from, "lt": from + rng.random_range(1..100) } } },
                "size": 0,
                "aggs": { "mean": { "avg": { "field": "price" } } },
            })
        }
        13..16 => json!({
            "query": { "match": { "body": word(rng) } },
            "size": 0,
            "aggs": { "tags": { "terms": { "field": "tag" } } },
        }),
        16..18 => json!({
            "query": { "prefix": { "key": format!("{:03x}", rng.random_range(0..4096)) } },
            "_source": false,
        }),
        _ => json!({
            "query": { "match": { "body": word(rng) } },
            "size": 3,
            "sort": [{ "price": "desc" }],
        }),
    }
}

/// Zipf's law: the rank r is drawn in proportion to 1 / r^exponent.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(ranks: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=ranks).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self(sums.collect())
    }

    fn draw(&self, rng: &mut StdRng) -> usize {
        let end = self.0.last().copied().unwrap_or(1.0);
        let drawn = rng.random_range(0.0..end);
        self.0.partition_point(|&sum| sum <= drawn)
    }
}
