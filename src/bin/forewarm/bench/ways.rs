//! The ways to search a split cold that are held against each other.

use std::fmt;

use serde::{Serialize, Serializer};

/// A way to bring a search to its bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Way {
    /// The whole split is loaded first.
    Everything,
    /// forewarm, nothing known.
    First,
    /// Warmed by tantivy's own functions into a cache of the query, thrown away afterwards.
    Forget,
    /// Everything in memory beforehand.
    Ideal,
    /// tantivy reads on demand.
    None,
    /// forewarm, the plan known, the split not open.
    Planned,
    /// forewarm, extents cached.
    Warm,
}

impl Way {
    /// All of them, from the slowest idea to the ideal.
    pub(crate) const ALL: [Self; 7] = [
        Self::None,
        Self::Everything,
        Self::Forget,
        Self::First,
        Self::Planned,
        Self::Warm,
        Self::Ideal,
    ];

    /// The name on the command line and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::First => "first",
            Self::Forget => "forget",
            Self::Ideal => "ideal",
            Self::None => "none",
            Self::Planned => "planned",
            Self::Warm => "warm",
        }
    }

    /// The name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Everything => "whole split first",
            Self::First => "forewarm, first time",
            Self::Forget => "per query and forget",
            Self::Ideal => "ideal: all in RAM",
            Self::None => "no warming",
            Self::Planned => "forewarm, plan known",
            Self::Warm => "forewarm, warm",
        }
    }

    /// What it stands for.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Everything => "the whole split is loaded, in parallel, and searched in memory",
            Self::First => "a process that knows nothing opens, warms and searches",
            Self::Forget => {
                "tantivy's own asynchronous functions warm postings, whole columns and all norms \
                 into a cache of the query, which is thrown away; footers stay cached"
            }
            Self::Ideal => "tantivy searches indexes that were in memory beforehand",
            Self::None => "tantivy reads on demand, one range after another",
            Self::Planned => "another process has searched the same before; the split is not open",
            Self::Warm => "the same process has warmed the same before",
        }
    }

    /// Whether it is forewarm's.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::First | Self::Planned | Self::Warm)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Parses a way by its name.
pub(crate) fn parse_way(text: &str) -> Result<Way, String> {
    let named = |way: &Way| way.name() == text.trim();
    Way::ALL.into_iter().find(named).ok_or_else(|| {
        let names = Way::ALL.map(Way::name);
        format!("no way is called `{text}`: use {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_found_by_its_name() {
        for way in Way::ALL {
            assert_eq!(parse_way(way.name()), Ok(way));
        }
        assert!(parse_way("other").is_err());
    }
}
