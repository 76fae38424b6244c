use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::path::Path;
use tokio::sync::watch;

use crate::split::SplitAddress;

/// The splits that are served, by path: what triggers warm requests in. Whoever watches it sees
/// each change, or the latest of several.
#[derive(Debug)]
pub(super) struct Catalog(watch::Sender<Arc<[SplitAddress]>>);

impl Default for Catalog {
    fn default() -> Self {
        Self(watch::channel(Arc::from([])).0)
    }
}

impl Catalog {
    /// All of them, sorted by path.
    pub(super) fn splits(&self) -> Arc<[SplitAddress]> {
        Arc::clone(&self.0.borrow())
    }

    /// Whether a split of that path is served.
    pub(super) fn contains(&self, path: &Path) -> bool {
        let splits = self.0.borrow();
        splits
            .binary_search_by(|split| split.path().cmp(path))
            .is_ok()
    }

    /// Removes `retired` and adds `announced`, all at once; an address takes the place of one of
    /// the same path. Answers with those removed.
    pub(super) fn exchange(
        &self,
        announced: impl IntoIterator<Item = SplitAddress>,
        retired: &[Path],
    ) -> Vec<SplitAddress> {
        let mut removed = Vec::new();
        let announced = announced.into_iter();
        self.0.send_if_modified(|splits| {
            let known = splits.iter().cloned();
            let mut by_path: BTreeMap<Path, SplitAddress> =
                known.map(|split| (split.path().clone(), split)).collect();
            removed.extend(retired.iter().filter_map(|path| by_path.remove(path)));
            by_path.extend(announced.map(|split| (split.path().clone(), split)));
            let all: Arc<[SplitAddress]> = by_path.into_values().collect();
            let is_other = all != *splits;
            *splits = all;
            is_other
        });
        removed
    }

    /// Tells of each change from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<[SplitAddress]>> {
        self.0.subscribe()
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
        catalog.exchange([split("b"), split("a")], &[]);
        assert_eq!(*seen.borrow_and_update().as_ref(), [split("a"), split("b")]);
        let removed = catalog.exchange([split("c")], &["a".into(), "x".into()]);
        assert_eq!(removed, [split("a")]);
        assert_eq!(*seen.borrow_and_update().as_ref(), [split("b"), split("c")]);
        assert!(catalog.contains(&"c".into()) && !catalog.contains(&"a".into()));
        catalog.exchange([split("c")], &[]);
        assert!(!seen.has_changed().unwrap());
    }
}
