//! What lies where in a split: so that a GET can be called by what it brings.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use forewarm::{SplitAddress, Warmer};

use crate::failure::Outcome;

/// Files of splits by their place.
#[derive(Debug, Default)]
pub(crate) struct Places(BTreeMap<String, Vec<(Range<u64>, String)>>);

impl Places {
    /// Reads the layout of splits.
    pub(crate) async fn of(warmer: &Warmer, splits: &[SplitAddress]) -> Outcome<Self> {
        let mut places = BTreeMap::new();
        for split in splits {
            let layout = warmer.layout(split).await?;
            let files = layout.files.into_iter().map(|file| (file.range, file.name));
            let mut files: Vec<(Range<u64>, String)> = files.collect();
            files.push((layout.footer, "footer".to_owned()));
            files.sort_unstable_by_key(|(range, _)| range.start);
            places.insert(layout.path, files);
        }
        Ok(Self(places))
    }

    /// The component that most bytes of a range belong to, and the names of all files it touches.
    pub(crate) fn find(&self, path: &str, range: &Range<u64>) -> (&'static str, Vec<String>) {
        let mut names = BTreeSet::new();
        let mut bytes: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (place, name) in self.0.get(path).into_iter().flatten() {
            let shared = place
                .end
                .min(range.end)
                .saturating_sub(place.start.max(range.start));
            if shared > 0 {
                *bytes.entry(component(name)).or_default() += shared;
                names.insert(name.clone());
            }
        }
        let most = bytes.into_iter().max_by_key(|(_, bytes)| *bytes);
        (
            most.map_or("other", |(name, _)| name),
            names.into_iter().collect(),
        )
    }
}

/// What a file is for, as `explain` calls it.
fn component(name: &str) -> &'static str {
    match name
        .rsplit_once('.')
        .map_or(name, |(_, extension)| extension)
    {
        "fast" => "columns",
        "fieldnorm" => "norms",
        "footer" => "footer",
        "idx" => "postings",
        "pos" => "positions",
        "store" => "store",
        "term" => "terms",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_is_called_by_what_most_of_it_is() {
        let files = vec![
            (0..100, "a.term".to_owned()),
            (100..200, "a.idx".to_owned()),
            (200..250, "footer".to_owned()),
        ];
        let places = Places([("x.split".to_owned(), files)].into());
        let (component, names) = places.find("x.split", &(90..150));
        assert_eq!((component, names.len()), ("postings", 2));
        assert_eq!(places.find("x.split", &(200..250)).0, "footer");
        assert_eq!(places.find("y.split", &(0..10)), ("other", vec![]));
    }
}
