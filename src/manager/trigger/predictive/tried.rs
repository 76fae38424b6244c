//! What was listed lately. What is listed and is not warm the next time has failed, or found no
//! room in the cache; either will be so again in a while.

use std::collections::HashMap;
use std::time::Duration;

use object_store::path::Path;

use crate::filter::Fingerprint;

/// How often the pause doubles.
const MAX_DOUBLINGS: u32 = 8;

/// Pairs that were listed lately.
#[derive(Debug, Default)]
pub(super) struct Tried(HashMap<(Path, Fingerprint), Times>);

/// How often a pair was listed, and when the last time was, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Times {
    count: u32,
    last: u64,
}

impl Tried {
    /// Whether it is too early at `now` to list the pair again: each time it waits for twice as many
    /// intervals.
    pub(super) fn holds_back(
        &self,
        pair: &(Path, Fingerprint),
        interval: Duration,
        now: u64,
    ) -> bool {
        let Some(times) = self.0.get(pair) else {
            return false;
        };
        let pause = interval.saturating_mul(1 << times.count.min(MAX_DOUBLINGS));
        u128::from(now.saturating_sub(times.last)) < pause.as_millis()
    }

    /// Takes note of what is listed at `now`, and forgets what was last listed before `oldest`.
    pub(super) fn note(
        &mut self,
        pairs: impl IntoIterator<Item = (Path, Fingerprint)>,
        oldest: u64,
        now: u64,
    ) {
        self.0.retain(|_, times| times.last >= oldest);
        for pair in pairs {
            let times = self.0.entry(pair).or_insert(Times {
                count: 0,
                last: now,
            });
            times.count += 1;
            times.last = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_listed_waits_for_twice_as_long_each_time() {
        let minute = Duration::from_secs(60);
        let pair = (Path::from("a"), Fingerprint::of(&serde_json::Value::Null));
        let mut tried = Tried::default();
        let (mut now, mut pauses) = (0, Vec::new());
        for _ in 0..4 {
            assert!(!tried.holds_back(&pair, minute, now));
            tried.note([pair.clone()], 0, now);
            let listed = now;
            while tried.holds_back(&pair, minute, now) {
                now += 60_000;
            }
            pauses.push((now - listed) / 60_000);
        }
        assert_eq!(pauses, [2, 4, 8, 16]);
        tried.note([], now, now);
        assert!(tried.0.is_empty());
    }
}
