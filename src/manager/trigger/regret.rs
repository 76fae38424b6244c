//! How well a trigger warms, judged by what searches read of it.

/// How often its share can be halved.
const MAX_LEVEL: u32 = 6;

/// Judges a trigger each time enough of what it warmed was read, or evicted unread.
#[derive(Debug, Default)]
pub(super) struct Regret {
    /// Bytes used and wasted when it was last judged.
    judged: (u64, u64),
    /// How often what it may warm is halved.
    level: u32,
    /// What was used of what was judged last.
    share: Option<f64>,
}

impl Regret {
    /// Looks at what was used and wasted until now; answers whether it was judged anew.
    pub(super) fn judge(&mut self, used: u64, wasted: u64, least: f64, judged_bytes: u64) -> bool {
        if used < self.judged.0 || wasted < self.judged.1 {
            // They are counted from zero again.
            self.judged = (0, 0);
        }
        let (before_used, before_wasted) = self.judged;
        let (used_now, wasted_now) = (
            used.saturating_sub(before_used),
            wasted.saturating_sub(before_wasted),
        );
        let all = used_now + wasted_now;
        if all < judged_bytes.max(1) {
            return false;
        }
        self.judged = (used, wasted);
        let share = used_now as f64 / all as f64;
        self.share = Some(share);
        self.level = match share < least {
            true => (self.level + 1).min(MAX_LEVEL),
            false => self.level.saturating_sub(1),
        };
        true
    }

    /// How many of so many wanted it may warm: the first ones, and one at least.
    pub(super) fn allowed(&self, wanted: usize) -> usize {
        (wanted >> self.level).max(wanted.min(1))
    }

    /// Why it warms less than it wants, if it does.
    pub(super) fn reason(&self) -> Option<String> {
        let share = self.share.filter(|_| self.level > 0)?;
        Some(format!(
            "searches read {:.0} % of what it warmed lately: it warms 1 in {} of what it wants",
            share * 100.0,
            1_u32 << self.level
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_whose_use_is_low_warms_half_as_much_until_it_is_of_use_again() {
        let mut regret = Regret::default();
        assert!(!regret.judge(10, 80, 0.3, 100));
        assert_eq!((regret.allowed(100), regret.reason()), (100, None));
        assert!(regret.judge(10, 90, 0.3, 100));
        assert_eq!(regret.allowed(100), 50);
        assert!(regret.reason().unwrap().starts_with("searches read 10 %"));
        assert!(regret.judge(20, 180, 0.3, 100));
        assert_eq!(regret.allowed(100), 25);
        assert_eq!((regret.allowed(1), regret.allowed(0)), (1, 0));
        // Only what came since is judged.
        assert!(regret.judge(100, 200, 0.3, 100));
        assert!(regret.judge(200, 200, 0.3, 100));
        assert_eq!((regret.allowed(100), regret.reason()), (100, None));
    }

    #[test]
    fn counts_that_begin_at_zero_again_are_judged_from_there() {
        let mut regret = Regret::default();
        assert!(regret.judge(1000, 9000, 0.3, 100));
        assert_eq!(regret.allowed(100), 50);
        assert!(!regret.judge(50, 0, 0.3, 100));
        assert!(regret.judge(100, 0, 0.3, 100));
        assert_eq!(regret.allowed(100), 100);
    }
}
