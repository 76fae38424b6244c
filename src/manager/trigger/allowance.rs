//! What a trigger may still spend.

use tokio::time::Instant;

use crate::store::Traffic;

/// What a warmup that nobody can foretell is taken to send until one has been seen: opening a split
/// of some gigabytes, and a word or two in it.
const UNSEEN_GETS: u64 = 4;
const UNSEEN_BYTES: u64 = 1 << 20;

/// The requests and bytes of an hour, given back evenly as time goes by.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes: Bucket,
    gets: Bucket,
    /// Warmups that nobody could foretell, and what they sent.
    seen: u64,
    sent: Traffic,
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
            seen: 0,
            sent: Traffic::default(),
        }
    }

    /// Other limits from now on; what was spent stays spent.
    pub(super) fn limit(&mut self, gets: Option<u64>, bytes: Option<u64>, now: Instant) {
        self.bytes.relimit(bytes, now);
        self.gets.relimit(gets, now);
    }

    /// Takes what a warmup is foretold to send, if there is as much left, which there always is for
    /// nothing. For one that nobody can foretell, as much as those before have sent on average, if
    /// there is anything left: what is left may be less than any takes. Answers with what it took.
    pub(super) fn take(&mut self, foretold: Option<Traffic>, now: Instant) -> Option<Traffic> {
        self.bytes.fill(now);
        self.gets.fill(now);
        let fits = match foretold {
            Some(Traffic { gets: 0, .. }) => true,
            Some(foretold) => self.bytes.has(foretold.bytes) && self.gets.has(foretold.gets),
            None => self.bytes.has(1) && self.gets.has(1),
        };
        fits.then(|| {
            let taken = foretold.unwrap_or_else(|| self.estimate());
            self.bytes.left -= taken.bytes as f64;
            self.gets.left -= taken.gets as f64;
            taken
        })
    }

    /// What one that nobody can foretell will send, probably.
    fn estimate(&self) -> Traffic {
        let Traffic { gets, bytes, .. } = self.sent;
        Traffic {
            gets: gets.checked_div(self.seen).unwrap_or(UNSEEN_GETS),
            bytes: bytes.checked_div(self.seen).unwrap_or(UNSEEN_BYTES),
            ..Traffic::default()
        }
    }

    /// Takes note of what one sent that nobody could foretell.
    pub(super) fn learn(&mut self, sent: Traffic) {
        self.seen += 1;
        self.sent = self.sent.beside(sent);
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
        assert!(allowance.take(traffic(4, 900), start).is_some());
        assert!(allowance.take(traffic(1, 101), start).is_none());
        assert!(allowance.take(traffic(7, 1), start).is_none());
        assert!(allowance.take(traffic(1, 100), start).is_some());
        let later = start + Duration::from_secs(360);
        assert!(allowance.take(traffic(1, 99), later).is_some());
        assert!(allowance.take(traffic(1, 99), later).is_none());
        let much_later = start + Duration::from_secs(7200);
        assert!(allowance.take(traffic(1, 1001), much_later).is_none());
        assert!(allowance.take(traffic(1, 1000), much_later).is_some());
    }

    #[test]
    fn what_was_not_foretold_is_paid_for_later() {
        let start = Instant::now();
        let mut allowance = Allowance::new(None, Some(1000), start);
        let taken = allowance.take(None, start).unwrap();
        allowance.settle(taken, traffic(3, 1500).unwrap());
        assert!(allowance.take(None, start).is_none());
        assert!(
            allowance
                .take(None, start + Duration::from_secs(1799))
                .is_none()
        );
        assert!(
            allowance
                .take(None, start + Duration::from_secs(1805))
                .is_some()
        );
        // What is warm already costs nothing.
        allowance.settle(Traffic::default(), traffic(3, 1500).unwrap());
        assert!(allowance.take(traffic(0, 0), start).is_some());
    }

    #[test]
    fn another_limit_keeps_what_was_spent_and_none_is_no_limit() {
        let start = Instant::now();
        let mut allowance = Allowance::new(None, Some(1000), start);
        assert!(allowance.take(traffic(1, 800), start).is_some());
        allowance.limit(None, Some(900), start);
        assert!(allowance.take(traffic(1, 101), start).is_none());
        assert!(allowance.take(traffic(1, 100), start).is_some());
        allowance.limit(None, None, start);
        assert!(allowance.take(traffic(1 << 40, 1 << 40), start).is_some());
    }

    #[test]
    fn what_nobody_can_foretell_is_taken_for_what_others_sent() {
        let start = Instant::now();
        let mut allowance = Allowance::new(Some(2 * UNSEEN_GETS - 1), None, start);
        let first = allowance.take(None, start);
        assert_eq!(first, traffic(UNSEEN_GETS, UNSEEN_BYTES));
        // There is something left, which is enough; then there is not.
        assert!(allowance.take(None, start).is_some());
        assert!(allowance.take(None, start).is_none());
        allowance.settle(first.unwrap(), Traffic::default());
        allowance.learn(traffic(1, 100).unwrap());
        allowance.learn(traffic(2, 300).unwrap());
        assert_eq!(allowance.take(None, start), traffic(1, 200));
    }
}
