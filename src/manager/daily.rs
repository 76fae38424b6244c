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
    /// The hour that is counted now, since 1970, and the first that was.
    hour: u64,
    first: u64,
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

    /// How many are usual at least: of a few accesses in an hour of one day nobody can tell that it
    /// is a habit, so that each hour counts for a standard deviation less (they come at random).
    pub(super) fn surely(&mut self, now: u64, horizon: u64) -> f64 {
        self.sum(now, horizon, |usual, _| (usual - usual.sqrt()).max(0.0))
    }

    /// How many times as often as in the `past` milliseconds until `now` it is usual in the `horizon`
    /// from then; 1 when nothing is known.
    pub(super) fn trend(&mut self, now: u64, past: u64, horizon: u64) -> f64 {
        let share = |usual: f64, weight: f64| usual / weight.max(f64::from(LAST_DAY));
        let before = self.sum(now.saturating_sub(past), past, share) / past.max(1) as f64;
        let after = self.sum(now, horizon, share) / horizon.max(1) as f64;
        match before > 0.0 && after > 0.0 {
            true => after / before,
            false => 1.0,
        }
    }

    /// Adds up what is usual in the `length` milliseconds from `from`, of which no more than a day is
    /// looked at: `count` is told what is usual in an hour, and the weight of all days it is known of.
    fn sum(&mut self, from: u64, length: u64, count: impl Fn(f64, f64) -> f64) -> f64 {
        self.advance(from);
        let end = from.saturating_add(length.min(HOURS * HOUR_MS));
        let mut sum = 0.0;
        let mut at = from;
        while at < end {
            let hour = at / HOUR_MS;
            let until = ((hour + 1) * HOUR_MS).min(end);
            let counted = count(f64::from(self.usual[slot(hour)]), self.weight(hour));
            sum += counted * (until - at) as f64 / HOUR_MS as f64;
            at = until;
        }
        sum
    }

    /// The weight of all days of which an hour of the day is known: nearly 1 after some of them.
    fn weight(&self, hour: u64) -> f64 {
        // Hours that are over, of which each day has one.
        let known = self.hour.saturating_sub(self.first);
        let since = (hour.max(self.first) - self.first) % HOURS;
        let days = (known.saturating_sub(since)).div_ceil(HOURS);
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        1.0 - (1.0 - f64::from(LAST_DAY)).powi(days)
    }

    /// Ends the hours that are over.
    fn advance(&mut self, now: u64) {
        let hour = now / HOUR_MS;
        if hour <= self.hour {
            return;
        }
        if self.hour == 0 {
            (self.hour, self.first) = (hour, hour);
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

    impl Daily {
        /// How many accesses are usual in the `horizon` milliseconds from `now`.
        fn expected(&mut self, now: u64, horizon: u64) -> f64 {
            self.sum(now, horizon, |usual, _| usual)
        }
    }

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
    fn what_is_usual_at_least_is_less_than_what_is_usual() {
        let next = DAY_MS + 8 * HOUR_MS;
        let surely = mornings(1).surely(next, HOUR_MS);
        assert!((3.5..3.6).contains(&surely), "{surely}");
        let mut once = Daily::default();
        once.note(8 * HOUR_MS);
        assert!(once.surely(next, HOUR_MS) < 1e-9);
    }

    #[test]
    fn the_trend_of_an_hour_is_that_of_the_days_before() {
        // Twice as often at eight as at seven.
        let mut daily = Daily::default();
        for hour in 1..=24 + 8 {
            let times = if hour % 24 == 8 { 20 } else { 10 };
            (0..times).for_each(|n| daily.note(hour * HOUR_MS + n * 60_000));
            if hour == 24 + 8 {
                // The day before is known by its weight only, as all of it is.
                let trend = daily.trend(hour * HOUR_MS, HOUR_MS, HOUR_MS);
                assert!((1.9..2.1).contains(&trend), "{trend}");
            }
        }
        assert!((Daily::default().trend(next_day(), HOUR_MS, HOUR_MS) - 1.0).abs() < 1e-9);
    }

    fn next_day() -> u64 {
        DAY_MS + 8 * HOUR_MS
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
