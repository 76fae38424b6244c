//! Which version each split was last seen in.
//!
//! What is remembered of a split that is not opened again is true of the version that it was
//! remembered of, and of no other. Nobody asks the store then, so such a thing is believed only
//! while everything that is known here speaks of that one version. What contradicts itself, or was
//! forgotten for want of room, is believed again once the split was opened.

use std::sync::Arc;

use moka::sync::Cache;
use object_store::path::Path;

use crate::store::{ObjectHandle, ObjectVersion};

/// What an entry costs beside its names, moka's own included.
const OVERHEAD: usize = 192;

/// Versions by path, bounded in bytes; nothing where the version is in doubt. Clones share
/// everything.
#[derive(Clone)]
pub(crate) struct Versions(Cache<Path, Option<Arc<ObjectVersion>>>);

impl Versions {
    /// Knows as many as fit into `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |path: &Path, version: &Option<Arc<ObjectVersion>>| {
            let version = version.as_ref().map_or(0, |version| version.weight());
            u32::try_from(OVERHEAD + path.as_ref().len() + version).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .name("forewarm-versions")
            .max_capacity(bytes)
            .weigher(weigh)
            .build();
        Self(cache)
    }

    /// The store has told that this is what there is.
    pub(crate) fn notice(&self, object: &ObjectHandle) {
        let version = Some(Arc::new(object.version().clone()));
        self.0.insert(object.path().clone(), version);
    }

    /// Somebody has seen `version`, no matter when: where another one is known, either may be what
    /// there is.
    pub(crate) fn hear_of(&self, path: &Path, version: &ObjectVersion) {
        let heard = || Some(Arc::new(version.clone()));
        let entry = self.0.entry_by_ref(path).or_insert_with(heard);
        if entry
            .value()
            .as_deref()
            .is_some_and(|known| known != version)
        {
            self.doubt(path);
        }
    }

    /// The split was replaced, by whatever.
    pub(crate) fn doubt(&self, path: &Path) {
        self.0.insert(path.clone(), None);
    }

    /// Whether `version` is what there is, as far as is known.
    pub(crate) fn is(&self, path: &Path, version: &ObjectVersion) -> bool {
        self.0.get(path).flatten().as_deref() == Some(version)
    }

    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(tag: &str) -> ObjectVersion {
        ObjectVersion {
            size: 9,
            e_tag: Some(tag.to_owned()),
            version: None,
        }
    }

    #[test]
    fn a_version_is_believed_until_another_one_is_heard_of_and_again_once_it_is_noticed() {
        let versions = Versions::new(1 << 20);
        let path = Path::from("a.split");
        let [old, new] = ["old", "new"].map(version);
        let is = || [&old, &new].map(|version| versions.is(&path, version));
        assert_eq!(is(), [false, false], "nothing is known");
        versions.hear_of(&path, &old);
        versions.hear_of(&path, &old);
        assert_eq!(is(), [true, false]);
        versions.hear_of(&path, &new);
        assert_eq!(is(), [false, false], "either may be what there is");
        versions.hear_of(&path, &new);
        assert_eq!(is(), [false, false]);
        versions.notice(&ObjectHandle::new(path.clone(), new.clone()));
        assert_eq!(is(), [false, true]);
        versions.doubt(&path);
        versions.hear_of(&path, &old);
        assert_eq!(is(), [false, false], "it was replaced by something else");
        versions.clear();
        assert_eq!(is(), [false, false]);
    }

    #[test]
    fn what_there_is_no_room_for_is_not_believed() {
        let versions = Versions::new(2_000);
        let paths: Vec<_> = (0..100).map(|n| Path::from(format!("{n}.split"))).collect();
        for path in &paths {
            versions.hear_of(path, &version("tag"));
        }
        versions.0.run_pending_tasks();
        assert!(versions.0.weighted_size() <= 2_000);
        let believed = paths
            .iter()
            .filter(|path| versions.is(path, &version("tag")));
        assert!((1..=10).contains(&believed.count()));
    }
}
