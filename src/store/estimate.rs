//! What a request and a byte cost in this store, as seen in the GETs so far.
//!
//! Both are moving averages. What is decided with them is quantised to powers of two and changes
//! only when the average has left the last one by a factor of two, so that GETs that were predicted
//! are those that are sent a moment later.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much one GET counts in the averages: one in so many.
const MEMORY: f64 = 32.0;

/// Shorter bodies come with their first packet and tell nothing of the bandwidth.
const TELLING_BYTES: u64 = 64 << 10;

/// Where estimates start: S3 within its region.
const FIRST_BYTE_SECONDS: f64 = 0.030;
const BYTES_PER_SECOND: f64 = 90e6;

/// Averages stay within these, whatever a clock says.
const SECONDS: std::ops::RangeInclusive<f64> = 1e-6..=100.0;
const SECONDS_A_BYTE: std::ops::RangeInclusive<f64> = 1e-10..=1e-3;

/// Moving averages over the GETs of one store.
pub(crate) struct Estimate(Mutex<Averages>);

struct Averages {
    first_byte: f64,
    second_a_byte: f64,
    /// The power of two that decisions are made with.
    bytes: u64,
}

impl Estimate {
    pub(super) fn new() -> Self {
        let mut averages = Averages {
            first_byte: FIRST_BYTE_SECONDS,
            second_a_byte: 1.0 / BYTES_PER_SECOND,
            bytes: 1,
        };
        averages.settle();
        Self(Mutex::new(averages))
    }

    /// Learns from a GET whose answer began after `first_byte` and whose body of `bytes` then took
    /// `body`.
    pub(super) fn learn(&self, first_byte: Duration, bytes: u64, body: Duration) {
        let mut averages = self.averages();
        let step = |average: &mut f64, seen: f64| *average += (seen - *average) / MEMORY;
        step(
            &mut averages.first_byte,
            first_byte
                .as_secs_f64()
                .clamp(*SECONDS.start(), *SECONDS.end()),
        );
        if bytes >= TELLING_BYTES {
            let seen = body.as_secs_f64() / bytes as f64;
            let seen = seen.clamp(*SECONDS_A_BYTE.start(), *SECONDS_A_BYTE.end());
            step(&mut averages.second_a_byte, seen);
        }
        averages.settle();
    }

    /// About how many bytes one connection brings in the time to a first byte: a power of two.
    pub(super) fn bytes_per_first_byte(&self) -> u64 {
        self.averages().bytes
    }

    /// The average time to the first byte.
    pub(crate) fn first_byte(&self) -> Duration {
        Duration::from_secs_f64(self.averages().first_byte)
    }

    /// The average bandwidth of one connection, in bytes a second.
    pub(crate) fn bytes_per_second(&self) -> f64 {
        1.0 / self.averages().second_a_byte
    }

    fn averages(&self) -> MutexGuard<'_, Averages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Averages {
    /// Moves to another power of two when the averages have left the last one far behind.
    fn settle(&mut self) {
        let exact = self.first_byte / self.second_a_byte;
        let ratio = exact / self.bytes as f64;
        if !(0.5..=2.0).contains(&ratio) {
            self.bytes = 1 << (exact.max(1.0).log2().round() as u32).min(62);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn averages_follow_what_is_seen() {
        let estimate = Estimate::new();
        assert_eq!(estimate.bytes_per_first_byte(), 2 << 20);
        for _ in 0..300 {
            // 100 ms to the first byte, then 10 MB/s.
            estimate.learn(100 * MS, 1_000_000, 100 * MS);
        }
        assert_eq!(estimate.bytes_per_first_byte(), 1 << 20);
        assert_eq!(estimate.first_byte().as_millis(), 99);
        assert!((9.9e6..10.1e6).contains(&estimate.bytes_per_second()));
    }

    #[test]
    fn short_bodies_tell_nothing_of_the_bandwidth() {
        let estimate = Estimate::new();
        for _ in 0..300 {
            estimate.learn(30 * MS, 1000, Duration::from_secs(1));
        }
        assert!((89e6..91e6).contains(&estimate.bytes_per_second()));
    }

    #[test]
    fn what_is_decided_with_does_not_waver() {
        let estimate = Estimate::new();
        let mut seen = vec![estimate.bytes_per_first_byte()];
        for n in 0..2000_u32 {
            // Between 15 and 45 ms.
            let first_byte = MS * (15 + (n.wrapping_mul(2_654_435_761) >> 16) % 31);
            estimate.learn(first_byte, 900_000, 10 * MS);
            seen.push(estimate.bytes_per_first_byte());
        }
        seen.dedup();
        assert_eq!(seen, [2 << 20]);
    }

    #[test]
    fn odd_clocks_leave_sane_estimates() {
        for (first_byte, body) in [
            (Duration::ZERO, Duration::ZERO),
            (Duration::MAX, Duration::MAX),
            (Duration::MAX, Duration::ZERO),
            (Duration::ZERO, Duration::MAX),
        ] {
            let estimate = Estimate::new();
            for _ in 0..1000 {
                estimate.learn(first_byte, u64::MAX, body);
            }
            assert!((1..=1 << 40).contains(&estimate.bytes_per_first_byte()));
            assert!(estimate.bytes_per_second().is_finite());
        }
    }
}
