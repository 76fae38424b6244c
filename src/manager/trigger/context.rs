use std::sync::Arc;
use std::time::SystemTime;

use object_store::path::Path;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Post;
use super::post::after;
use super::settings::TriggerSettings;
use crate::manager::core::Core;
use crate::manager::heat::{HotPair, HotRequest};
use crate::split::SplitAddress;
use crate::warmup::Warmer;

/// What a trigger sees of its manager.
#[derive(Clone)]
pub struct TriggerContext {
    pub(in crate::manager) core: Arc<Core>,
    pub(super) post: Arc<Post>,
}

impl TriggerContext {
    /// The splits that are served, sorted by path: see [`Manager::announce`](crate::Manager::announce).
    pub fn splits(&self) -> Arc<[SplitAddress]> {
        self.core.catalog.splits()
    }

    /// Whether a split of that path is served.
    pub fn serves(&self, path: &Path) -> bool {
        self.core.catalog.contains(path)
    }

    /// Tells of each change of [`splits`](Self::splits) from now on.
    pub fn watch_splits(&self) -> watch::Receiver<Arc<[SplitAddress]>> {
        self.core.catalog.watch()
    }

    /// What was asked lately of which split, the hottest first.
    pub fn hot_pairs(&self) -> Vec<HotPair> {
        self.core.heat.pairs(self.core.clock.millis())
    }

    /// What was asked lately, the hottest first.
    pub fn hot_requests(&self) -> Vec<HotRequest> {
        self.core.heat.requests(self.core.clock.millis())
    }

    /// The time of day, by the manager's clock.
    pub fn now(&self) -> SystemTime {
        self.core.clock.now()
    }

    /// Whether nobody searches through the manager at the moment.
    pub fn is_idle(&self) -> bool {
        self.core.is_idle()
    }

    /// The warmer that fetches.
    pub fn warmer(&self) -> &Warmer {
        &self.core.warmer
    }

    /// The trigger's settings, as they are now.
    pub fn settings(&self) -> TriggerSettings {
        self.post.settings()
    }

    /// Serves `announced` from now on, with what was asked of those each replaces, and `retired` no
    /// more.
    pub(super) async fn exchange(
        &self,
        announced: Vec<(SplitAddress, Vec<Path>)>,
        retired: &[Path],
    ) {
        self.core.exchange(announced, retired).await;
    }

    /// Why nothing may be warmed now, if so.
    pub(super) fn hindrance(&self) -> Option<&'static str> {
        let Self { core, post } = self;
        let reserve = core.settings().demand_reserve;
        let cache = &core.warmer.settings().cache;
        let room = cache.lease_bytes as f64 * (1.0 - reserve);
        match () {
            () if core.busy.is_stopping() => Some("shutdown"),
            () if !core.is_enabled() || !post.is_enabled() => Some("off"),
            () if core.warmer.leased_bytes() as f64 > room => Some("reserve"),
            () => None,
        }
    }

    /// When the tick that runs began.
    pub(super) fn begun(&self) -> Instant {
        self.post.begun()
    }

    /// Whether somebody asked for the tick that runs.
    pub(super) fn is_asked(&self) -> bool {
        self.post.is_called()
    }

    /// Waits until an interval has passed since a tick that began at `begun`, if there was one.
    pub(super) async fn interval_after(&self, begun: Option<Instant>) {
        self.post.go_by_interval();
        match begun {
            Some(begun) => sleep_until(after(begun, self.settings().interval)).await,
            None => self.interval().await,
        }
    }

    /// Waits until the last tick began an interval ago, for who is not due because of that.
    pub(super) async fn pause(&self) {
        sleep_until(self.post.next()).await;
    }

    /// Waits for the next [`interval`](TriggerSettings::interval): what
    /// [`Trigger::due`](super::Trigger::due) does by default.
    ///
    /// # Cancel safety
    ///
    /// Waiting again waits for the same moment.
    pub async fn interval(&self) {
        self.post.go_by_interval();
        self.pause().await;
    }
}

impl std::fmt::Debug for TriggerContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TriggerContext")
            .field("trigger", &self.post.name())
            .finish_non_exhaustive()
    }
}
