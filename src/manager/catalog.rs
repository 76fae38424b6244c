use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::path::Path;
use tokio::sync::watch;

use super::births::Births;
use crate::split::SplitAddress;

/// The splits that are served, by path: what triggers warm requests in. Whoever watches it sees
/// each change, or the latest of several.
#[derive(Debug)]
pub(super) struct Catalog {
    splits: watch::Sender<Arc<[SplitAddress]>>,
    births: Mutex<Births>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            splits: watch::channel(Arc::from([])).0,
            births: Mutex::default(),
        }
    }
}

impl Catalog {
    /// All of them, sorted by path.
    pub(super) fn splits(&self) -> Arc<[SplitAddress]> {
        Arc::clone(&self.splits.borrow())
    }

    /// Whether a split of that path is served.
    pub(super) fn contains(&self, path: &Path) -> bool {
        let splits = self.splits.borrow();
        splits
            .binary_search_by(|split| split.path().cmp(path))
            .is_ok()
    }

    /// When splits came, and in which order.
    pub(super) fn births(&self) -> MutexGuard<'_, Births> {
        self.births.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes `retired` and adds `announced`, all at once, at `now`, in milliseconds since 1970; an
    /// address takes the place of one of the same path. Answers with those removed.
    pub(super) fn exchange(
        &self,
        announced: impl IntoIterator<Item = SplitAddress>,
        retired: &[Path],
        now: u64,
    ) -> Vec<SplitAddress> {
        let mut removed = Vec::new();
        let announced: Vec<SplitAddress> = announced.into_iter().collect();
        // Before anybody sees them.
        self.births().exchange(&announced, retired, now);
        self.splits.send_if_modified(|splits| {
            let known = splits.iter().cloned();
            let mut by_path: BTreeMap<Path, SplitAddress> =
                known.map(|split| (split.path().clone(), split)).collect();
            removed.extend(retired.iter().filter_map(|path| by_path.remove(path)));
            by_path.extend(
                announced
                    .into_iter()
                    .map(|split| (split.path().clone(), split)),
            );
            let all: Arc<[SplitAddress]> = by_path.into_values().collect();
            let is_other = all != *splits;
            *splits = all;
            is_other
        });
        removed
    }

    /// Tells of each change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<[SplitAddress]>> {
        self.splits.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> SplitAddress {
        SplitAddress::new(path.into())
    }

    #[test]
    fn newcomers_and_retired_ones_change_places_at_once() {
        let catalog = Catalog::default();
        let mut seen = catalog.watch();
        catalog.exchange([split("b"), split("a")], &[], 0);
        assert_eq!(*seen.borrow_and_update().as_ref(), [split("a"), split("b")]);
        let removed = catalog.exchange([split("c")], &["a".into(), "x".into()], 1);
        assert_eq!(removed, [split("a")]);
        assert_eq!(*seen.borrow_and_update().as_ref(), [split("b"), split("c")]);
        assert!(catalog.contains(&"c".into()) && !catalog.contains(&"a".into()));
        catalog.exchange([split("c")], &[], 2);
        assert!(!seen.has_changed().unwrap());
    }
}
