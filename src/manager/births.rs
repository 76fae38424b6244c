//! When splits came, folder by folder: a split that is new takes the place, in what is asked, of
//! the one that was the newest before it.

use std::collections::{BTreeMap, HashMap};

use object_store::path::Path;

use crate::split::SplitAddress;

/// When served splits came.
#[derive(Clone, Debug, Default)]
pub(super) struct Births {
    /// By folder, the oldest first; those that came together by path.
    folders: HashMap<String, BTreeMap<(u64, Path), SplitAddress>>,
    /// By path, in milliseconds since 1970.
    at: HashMap<Path, u64>,
}

/// How often splits of a folder come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// Milliseconds from one to the next, on average.
    every: u64,
    /// When the last one came, in milliseconds since 1970.
    last: u64,
}

/// Moments at which splits came that tell how often they do: those that come when a process starts
/// tell nothing.
const MOMENTS: std::ops::RangeInclusive<usize> = 4..=8;
/// The least part of an interval until the next split comes: one that is late will come soon.
const LATE: u64 = 8;

impl Rhythm {
    /// Of splits in order, where they came at moments enough.
    fn of(splits: &BTreeMap<(u64, Path), SplitAddress>) -> Option<Self> {
        let mut moments: Vec<u64> = Vec::with_capacity(*MOMENTS.end());
        for (at, _) in splits.keys().rev() {
            if moments.last() != Some(at) {
                moments.push(*at);
            }
            if moments.len() == *MOMENTS.end() {
                break;
            }
        }
        if !MOMENTS.contains(&moments.len()) {
            return None;
        }
        let (last, first) = (*moments.first()?, *moments.last()?);
        let intervals = moments.len() as u64 - 1;
        let every = (last - first).checked_div(intervals)?;
        Some(Self { every, last })
    }

    /// Milliseconds until so many more have come.
    pub(super) fn until(self, splits: usize, now: u64) -> u64 {
        let Some(more) = (splits as u64).checked_sub(1) else {
            return 0;
        };
        let since = now.saturating_sub(self.last);
        let next = self.every.saturating_sub(since).max(self.every / LATE);
        next.saturating_add(self.every.saturating_mul(more))
    }
}

/// The folder that a split is in.
pub(super) fn folder_of(path: &Path) -> &str {
    let path = path.as_ref();
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Births {
    /// Takes note of splits that come and go at `now`. One that is there already is as old as it
    /// was.
    pub(super) fn exchange(&mut self, announced: &[SplitAddress], retired: &[Path], now: u64) {
        for path in retired {
            let Some(born) = self.at.remove(path) else {
                continue;
            };
            let folder = folder_of(path);
            if let Some(splits) = self.folders.get_mut(folder) {
                splits.remove(&(born, path.clone()));
                if splits.is_empty() {
                    self.folders.remove(folder);
                }
            }
        }
        for split in announced {
            let path = split.path();
            let born = *self.at.entry(path.clone()).or_insert(now);
            let folder = self.folders.entry(folder_of(path).to_owned()).or_default();
            folder.insert((born, path.clone()), split.clone());
        }
    }

    /// The newest split of a folder.
    pub(super) fn newest(&self, folder: &str) -> Option<&SplitAddress> {
        self.folders.get(folder)?.values().next_back()
    }

    /// How many splits of its folder are newer, by path.
    pub(super) fn newer(&self) -> HashMap<&Path, usize> {
        let folders = self.folders.values();
        let ranked = folders.flat_map(|splits| splits.values().rev().enumerate());
        ranked.map(|(newer, split)| (split.path(), newer)).collect()
    }

    /// How often splits come, of folders where they do.
    pub(super) fn rhythms(&self) -> HashMap<&str, Rhythm> {
        let rhythm = |(folder, splits)| Some((folder, Rhythm::of(splits)?));
        let folders = self.folders.iter();
        let folders = folders.map(|(folder, splits)| (folder.as_str(), splits));
        folders.filter_map(rhythm).collect()
    }

    /// The splits of a folder that came after `then`, the newest first.
    pub(super) fn since(&self, folder: &str, then: u64) -> impl Iterator<Item = &SplitAddress> {
        let splits = self.folders.get(folder).into_iter().flatten().rev();
        splits
            .take_while(move |((born, _), _)| *born > then)
            .map(|(_, split)| split)
    }

    /// Whether a split is served, or nobody tells which ones are.
    pub(super) fn is_served(&self, path: &Path) -> bool {
        self.at.is_empty() || self.at.contains_key(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(paths: &[&str]) -> Vec<SplitAddress> {
        let paths = paths.iter().copied();
        paths.map(|path| SplitAddress::new(path.into())).collect()
    }

    fn since(births: &Births, then: u64) -> Vec<&str> {
        let since = births.since("a", then);
        since.map(|split| split.path().as_ref()).collect()
    }

    #[test]
    fn the_newest_of_a_folder_is_the_last_that_came_and_is_still_there() {
        let mut births = Births::default();
        assert!(births.is_served(&"a/0".into()));
        births.exchange(&splits(&["a/0", "a/1", "b/9"]), &[], 10);
        births.exchange(&splits(&["a/00", "a/0"]), &[], 20);
        assert_eq!(births.newest("a").unwrap().path().as_ref(), "a/00");
        assert_eq!(since(&births, 10), ["a/00"]);
        assert_eq!(since(&births, 9), ["a/00", "a/1", "a/0"]);
        births.exchange(&[], &["a/00".into(), "a/x".into()], 30);
        assert_eq!(births.newest("a").unwrap().path().as_ref(), "a/1");
        assert_eq!(births.newer()[&Path::from("a/0")], 1);
        assert_eq!(births.newest("").map(SplitAddress::path), None);
        assert!(births.is_served(&"b/9".into()) && !births.is_served(&"a/00".into()));
    }

    #[test]
    fn the_rhythm_of_a_folder_tells_when_the_next_splits_come() {
        let mut births = Births::default();
        births.exchange(&splits(&["a/0", "a/1", "b/0"]), &[], 100);
        assert!(births.rhythms().is_empty());
        births.exchange(&splits(&["a/2"]), &[], 400);
        births.exchange(&splits(&["a/3"]), &[], 900);
        assert!(births.rhythms().is_empty());
        births.exchange(&splits(&["a/4"]), &[], 2500);
        let rhythms = births.rhythms();
        let until = |splits, now| rhythms["a"].until(splits, now);
        assert_eq!(
            (until(0, 2500), until(1, 2500), until(2, 2500)),
            (0, 800, 1600)
        );
        assert_eq!((until(1, 3000), until(1, 9999)), (300, 100));
        assert!(!rhythms.contains_key("b"));
    }
}
