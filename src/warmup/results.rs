//! What searches counted, kept beside the plans.

use serde::{Deserialize, Serialize};

use super::warmed::Warmed;
use super::warmer::Warmer;
use super::work::Work;
use crate::split::{Split, SplitAddress};
use crate::telemetry::list;

/// Whether searches are answered by what earlier ones counted: plain data.
///
/// How many documents of a split match a request is true for as long as the split is the same
/// object. Where that is remembered, a search asks only those splits that may add something to its
/// answer, which is the same: a count is added up, and splits without matches are left out. These
/// are not opened, and no GET is sent for them. It is kept beside the plans, in
/// [`plan_bytes`](crate::CacheSettings::plan_bytes), and in the
/// [plan store](crate::WarmerBuilder::plan_store).
///
/// ```
/// use forewarm::WarmerSettings;
///
/// let settings: WarmerSettings = serde_json::from_str(r#"{"results": {"enabled": true}}"#)?;
/// assert!(settings.results.enabled);
/// assert!(!WarmerSettings::default().results.enabled);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ResultSettings {
    /// Whether counts are remembered, and used. Default false: where nothing is asked of the store
    /// for a split, nobody notices that another object was put under its path, or that there is none
    /// any more. Switch it on where splits are never replaced.
    pub enabled: bool,
}

impl ResultSettings {
    /// Sets [`enabled`](Self::enabled).
    pub fn with_enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

impl Warmer {
    /// How many documents of a split match, where an earlier search counted them.
    pub(crate) fn remembered(&self, split: &SplitAddress, work: &Work) -> Option<u64> {
        let planned = work.planned(&self.settings().expansion)?;
        let plans = &self.inner.planner.plans;
        plans.matches(split.path(), planned, || work.wording())
    }

    /// Remembers how many documents of a split match.
    pub(crate) fn remember(&self, split: &Split, work: &Work, count: u64, warmed: Option<&Warmed>) {
        // A split without segments costs nothing to search; one that is left out has some.
        if split.num_segments() == 0 {
            return;
        }
        let planned = work.planned(&self.settings().expansion);
        if let Some((planned, wording)) = planned.zip(work.wording()) {
            let row = warmed.and_then(|warmed| warmed.plan.as_ref());
            let plans = &self.inner.planner.plans;
            plans.note_matches(split, planned, wording, count, row);
        }
    }

    /// Counts splits that a search leaves out.
    pub(crate) fn count_remembered(&self, splits: usize) {
        self.inner.planner.plans.count_remembered(splits as u64);
        list::REMEMBERED_SPLITS.add(splits as u64);
    }

    /// Remembers the verdict of a warmup that no document matches.
    pub(super) fn remember_verdict(&self, work: &Work, warmed: &Warmed) {
        let is_whole = warmed.hopeless.len() == warmed.split.num_segments();
        let is_empty = is_whole && warmed.hopeless.iter().all(|it| *it);
        if is_empty && self.settings().results.enabled {
            self.remember(&warmed.split, work, 0, Some(warmed));
        }
    }
}
