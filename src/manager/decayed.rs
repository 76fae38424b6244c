use std::time::Duration;

/// A sum of accesses, each of which counts half after each half-life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decayed {
    sum: f64,
    /// When the sum was that, in milliseconds since 1970.
    at: u64,
}

impl Decayed {
    /// A sum that was `sum` at `at`; nothing when it cannot have been.
    pub(super) fn new(sum: f64, at: u64) -> Option<Self> {
        (sum.is_finite() && sum >= 0.0).then_some(Self { sum, at })
    }

    /// The sum as it was when something was last added to it, and when that was.
    pub(super) fn parts(self) -> (f64, u64) {
        (self.sum, self.at)
    }

    /// The same, unless it is of a time to come.
    pub(super) fn no_later_than(mut self, now: u64) -> Self {
        self.at = self.at.min(now);
        self
    }

    /// The sum as it was when something was last added to it.
    pub(super) fn sum(self) -> f64 {
        self.sum
    }

    /// What it comes to at `now`.
    pub(super) fn at(self, now: u64, half_life: Duration) -> f64 {
        let passed = now.saturating_sub(self.at) as f64;
        self.sum * (-passed / (half_life.as_millis().max(1) as f64)).exp2()
    }

    pub(super) fn add(&mut self, more: f64, now: u64, half_life: Duration) {
        self.sum = self.at(now, half_life) + more;
        self.at = self.at.max(now);
    }

    /// When something was last added, in milliseconds since 1970.
    pub(super) fn moment(self) -> u64 {
        self.at
    }

    /// Adds what was summed up elsewhere.
    pub(super) fn merge(&mut self, other: Self, half_life: Duration) {
        let now = self.at.max(other.at);
        self.add(other.at(now, half_life), now, half_life);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_that_cannot_be_is_none() {
        for sum in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Decayed::new(sum, 0).is_none());
        }
        assert_eq!(Decayed::new(2.5, 7).map(Decayed::parts), Some((2.5, 7)));
    }
}
