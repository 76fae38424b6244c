//! What may be warmed, and in which order.

use crate::manager::forecast::Forecast;
use crate::store::Traffic;
use crate::warmup::Warmer;

/// Rounds, and GETs, of a warmup that no plan tells of.
const ROUNDS: u64 = 3;
/// Bytes of a warmup that no plan tells of, where none tells of any other.
const BYTES: u64 = 64 << 10;

/// A pair that is not warm.
pub(super) struct Candidate {
    pub(super) forecast: Forecast,
    /// What warming it would send, when a plan tells.
    pub(super) cost: Option<Traffic>,
    /// How often an average byte of what it lacks is expected to be read, in asks.
    pub(super) worth: f64,
    /// Bytes that nobody else is expected to read, in parts of what a pair reads on average.
    pub(super) risk: f64,
    pub(super) score: f64,
}

/// What a round and a byte cost, in seconds.
pub(super) struct Prices {
    round: f64,
    byte: f64,
}

impl Candidate {
    pub(super) fn new(forecast: Forecast, cost: Option<Traffic>) -> Self {
        Self {
            worth: forecast.expected,
            forecast,
            cost,
            risk: 1.0,
            score: 0.0,
        }
    }
}

impl Prices {
    /// As the store is measured to be.
    pub(super) fn of(warmer: &Warmer) -> Self {
        let statistics = warmer.statistics();
        Self {
            round: statistics.time_to_first_byte_us as f64 / 1e6,
            byte: 1.0 / statistics.bandwidth.max(1) as f64,
        }
    }

    /// Scores each by the seconds that searches are likely to be spared for each second that the
    /// store is busy: what nobody can foretell costs as much as others do.
    pub(super) fn score(&self, candidates: &mut [Candidate]) {
        let known = candidates.iter().filter_map(|one| one.cost);
        let (count, bytes) = known.fold((0, 0), |(count, bytes), cost| {
            (count + 1, bytes + cost.bytes)
        });
        let mean = bytes.checked_div(count).unwrap_or(BYTES);
        for one in candidates {
            let (gets, bytes, rounds) = match one.cost {
                Some(cost) => (cost.gets, cost.bytes, cost.rounds),
                None => (ROUNDS, mean, ROUNDS),
            };
            let likely = 1.0 - (-one.worth).exp();
            let bytes = bytes as f64 * self.byte;
            let spared = rounds as f64 * self.round + bytes;
            let spent = gets as f64 * self.round + bytes;
            one.score = likely * spared / spent.max(f64::MIN_POSITIVE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::filter::{Clause, Fingerprint, SearchRequest};
    use crate::split::SplitAddress;

    fn candidate(expected: f64, cost: Option<(u64, u64)>) -> Candidate {
        let forecast = Forecast {
            split: SplitAddress::new("a".into()),
            request: Arc::new(SearchRequest::new(Clause::match_all())),
            identity: Fingerprint::of(&serde_json::Value::Null),
            expected,
            is_new: false,
        };
        let cost = cost.map(|(gets, bytes)| {
            let mut traffic = Traffic::default();
            (traffic.gets, traffic.bytes, traffic.rounds) = (gets, bytes, 1);
            traffic
        });
        Candidate::new(forecast, cost)
    }

    #[test]
    fn what_is_likelier_and_what_takes_fewer_gets_goes_first() {
        let prices = Prices {
            round: 0.03,
            byte: 1e-8,
        };
        let mut candidates = [
            candidate(3.0, Some((1, 1000))),
            candidate(1.0, Some((1, 1000))),
            candidate(3.0, Some((8, 1000))),
            candidate(3.0, None),
        ];
        prices.score(&mut candidates);
        let scores = candidates.map(|one| one.score);
        assert!(scores[0] > scores[1] && scores[1] > scores[2], "{scores:?}");
        assert!(scores[3] > scores[1], "{scores:?}");
        // A round that is spared counts for more the larger the part of it that it is.
        let mut sizes = [
            candidate(1.0, Some((2, 1000))),
            candidate(1.0, Some((2, 50 << 20))),
        ];
        prices.score(&mut sizes);
        assert!(sizes[0].score < sizes[1].score);
    }
}
