//! What is asked at which hour of the day: a slow memory beside the fast one, for what comes back
//! each day at the same hour.

const HOURS: u64 = 24;
const HOUR_MS: u64 = 3_600_000;
/// The weight of the last day in what is usual: one day counts more than all before it, so that what
/// changed is believed at once; and not for all, so that one odd day is no habit.
const LAST_DAY: f32 = 0.6;

/// Accesses by hour of the day (UTC).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Daily {
    /// The hour that is counted now, since 1970.
    hour: u64,
    count: f32,
    /// What hours that are over came to, the later days counting more.
    usual: [f32; HOURS as usize],
}

impl Daily {
    /// Counts one access at `now`, in milliseconds since 1970.
    pub(super) fn note(&mut self, now: u64) {
        self.advance(now);
        self.count += 1.0;
    }

    /// How many accesses are usual in the `horizon` milliseconds from `now`, of which no more than a
    /// day is looked at.
    pub(super) fn expected(&mut self, now: u64, horizon: u64) -> f64 {
        self.advance(now);
        let end = now.saturating_add(horizon.min(HOURS * HOUR_MS));
        let mut expected = 0.0;
        let mut at = now;
        while at < end {
            let until = ((at / HOUR_MS + 1) * HOUR_MS).min(end);
            let usual = f64::from(self.usual[slot(at / HOUR_MS)]);
            expected += usual * (until - at) as f64 / HOUR_MS as f64;
            at = until;
        }
        expected
    }

    /// Ends the hours that are over.
    fn advance(&mut self, now: u64) {
        let hour = now / HOUR_MS;
        if hour <= self.hour {
            return;
        }
        // More than a few days without any access, and nothing is usual any more.
        let past = (hour - self.hour).min(8 * HOURS);
        for passed in 0..past {
            let usual = &mut self.usual[slot(self.hour + passed)];
            *usual += LAST_DAY * (self.count - *usual);
            self.count = 0.0;
        }
        self.hour = hour;
    }
}

fn slot(hour: u64) -> usize {
    (hour % HOURS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = HOURS * HOUR_MS;

    /// Ten accesses a day at eight, on so many days.
    fn mornings(days: u64) -> Daily {
        let mut daily = Daily::default();
        for day in 0..days {
            for n in 0..10 {
                daily.note(day * DAY_MS + 8 * HOUR_MS + n * 60_000);
            }
        }
        daily
    }

    #[test]
    fn what_was_asked_at_an_hour_is_expected_at_that_hour_of_the_next_day() {
        let mut daily = mornings(1);
        let next = DAY_MS + 8 * HOUR_MS;
        assert!((daily.expected(next, HOUR_MS) - 6.0).abs() < 1e-5);
        assert!((daily.expected(next + HOUR_MS / 2, HOUR_MS) - 3.0).abs() < 1e-5);
        assert!((daily.expected(next - HOUR_MS / 2, HOUR_MS / 2)).abs() < 1e-5);
        assert!((daily.expected(next - HOUR_MS, 2 * HOUR_MS) - 6.0).abs() < 1e-5);
        let more = mornings(3).expected(3 * DAY_MS + 8 * HOUR_MS, HOUR_MS);
        assert!((9.0..10.0).contains(&more), "{more}");
    }

    #[test]
    fn a_habit_is_forgotten_in_days() {
        let mut daily = mornings(5);
        let expected =
            |daily: &mut Daily, day: u64| daily.expected(day * DAY_MS + 8 * HOUR_MS, HOUR_MS);
        assert!(expected(&mut daily, 5) > 9.0);
        assert!(expected(&mut daily, 6) < 5.0);
        assert!(expected(&mut daily, 8) < 1.0);
        assert!(expected(&mut daily, 1000) < 0.01);
        // Clocks go back, too.
        daily.note(0);
        assert!(expected(&mut daily, 1001) < 2.0);
    }
}
