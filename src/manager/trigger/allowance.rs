//! What a trigger may still spend.

use tokio::time::Instant;

use crate::store::Traffic;

/// The requests and bytes of an hour, given back evenly as time goes by.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes: Bucket,
    gets: Bucket,
}

/// A bucket that fills in an hour.
#[derive(Debug)]
struct Bucket {
    /// What fits, when there is a limit.
    limit: Option<u64>,
    /// Less than nothing when more was spent than foretold.
    left: f64,
    at: Instant,
}

impl Allowance {
    pub(super) fn new(gets: Option<u64>, bytes: Option<u64>, now: Instant) -> Self {
        Self {
            bytes: Bucket::new(bytes, now),
            gets: Bucket::new(gets, now),
        }
    }

    /// Other limits from now on; what was spent stays spent.
    pub(super) fn limit(&mut self, gets: Option<u64>, bytes: Option<u64>, now: Instant) {
        self.bytes.relimit(bytes, now);
        self.gets.relimit(gets, now);
    }

    /// Takes what a warmup is foretold to send, if there is as much left, which there always is for
    /// nothing; for one that nobody can foretell, if there is anything left.
    pub(super) fn take(&mut self, foretold: Option<Traffic>, now: Instant) -> bool {
        self.bytes.fill(now);
        self.gets.fill(now);
        let fits = match foretold {
            Some(Traffic { gets: 0, .. }) => true,
            Some(foretold) => self.bytes.has(foretold.bytes) && self.gets.has(foretold.gets),
            None => self.bytes.has(1) && self.gets.has(1),
        };
        if fits {
            let foretold = foretold.unwrap_or_default();
            self.bytes.left -= foretold.bytes as f64;
            self.gets.left -= foretold.gets as f64;
        }
        fits
    }

    /// Takes note of what was really sent where `foretold` was taken.
    pub(super) fn settle(&mut self, foretold: Traffic, sent: Traffic) {
        self.bytes.left += foretold.bytes as f64 - sent.bytes as f64;
        self.gets.left += foretold.gets as f64 - sent.gets as f64;
    }
}

impl Bucket {
    fn new(limit: Option<u64>, now: Instant) -> Self {
        Self {
            limit,
            left: limit.unwrap_or(0) as f64,
            at: now,
        }
    }

    fn relimit(&mut self, limit: Option<u64>, now: Instant) {
        if limit == self.limit {
            return;
        }
        self.fill(now);
        let spent = self.limit.map_or(0.0, |limit| limit as f64 - self.left);
        self.left = limit.unwrap_or(0) as f64 - spent;
        self.limit = limit;
    }

    fn fill(&mut self, now: Instant) {
        let limit = self.limit.unwrap_or(0) as f64;
        let hours = now.saturating_duration_since(self.at).as_secs_f64() / 3600.0;
        self.left = (self.left + limit * hours).min(limit);
        self.at = now;
    }

    fn has(&self, wanted: u64) -> bool {
        self.limit.is_none() || self.left >= wanted as f64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn traffic(gets: u64, bytes: u64) -> Option<Traffic> {
        let mut traffic = Traffic::default();
        (traffic.gets, traffic.bytes) = (gets, bytes);
        Some(traffic)
    }

    #[test]
    fn an_hours_budget_is_spent_once_and_comes_back_evenly() {
        let start = Instant::now();
        let mut allowance = Allowance::new(Some(10), Some(1000), start);
        assert!(allowance.take(traffic(4, 900), start));
        assert!(!allowance.take(traffic(1, 101), start));
        assert!(!allowance.take(traffic(7, 1), start));
        assert!(allowance.take(traffic(1, 100), start));
        let later = start + Duration::from_secs(360);
        assert!(allowance.take(traffic(1, 99), later));
        assert!(!allowance.take(traffic(1, 99), later));
        let much_later = start + Duration::from_secs(7200);
        assert!(!allowance.take(traffic(1, 1001), much_later));
        assert!(allowance.take(traffic(1, 1000), much_later));
    }

    #[test]
    fn what_was_not_foretold_is_paid_for_later() {
        let start = Instant::now();
        let mut allowance = Allowance::new(None, Some(1000), start);
        assert!(allowance.take(None, start));
        allowance.settle(Traffic::default(), traffic(3, 1500).unwrap());
        assert!(!allowance.take(None, start));
        assert!(!allowance.take(None, start + Duration::from_secs(1799)));
        assert!(allowance.take(None, start + Duration::from_secs(1805)));
        // What is warm already costs nothing.
        allowance.settle(Traffic::default(), traffic(3, 1500).unwrap());
        assert!(allowance.take(traffic(0, 0), start));
    }

    #[test]
    fn another_limit_keeps_what_was_spent_and_none_is_no_limit() {
        let start = Instant::now();
        let mut allowance = Allowance::new(None, Some(1000), start);
        assert!(allowance.take(traffic(1, 800), start));
        allowance.limit(None, Some(900), start);
        assert!(!allowance.take(traffic(1, 101), start));
        assert!(allowance.take(traffic(1, 100), start));
        allowance.limit(None, None, start);
        assert!(allowance.take(traffic(1 << 40, 1 << 40), start));
    }
}
