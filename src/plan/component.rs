use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The parts of an index that a search reads, each a kind of file in a split.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Component {
    /// Column values and their dictionaries (`.fast`).
    Columns,
    /// Which documents are deleted (`.del`).
    Deletes,
    /// Field lengths for scoring (`.fieldnorm`).
    Norms,
    /// Anything else: `meta.json` and files this version does not know.
    Other,
    /// Token positions for phrases (`.pos`).
    Positions,
    /// Documents and frequencies of terms (`.idx`).
    Postings,
    /// Stored documents (`.store`).
    Store,
    /// Term dictionaries (`.term`).
    Terms,
}

impl Component {
    /// Those that searches read of a split, and that can be
    /// [warmed by themselves](crate::Warmer::warm_components). The rest is read when a split is opened.
    pub const SEARCHED: [Self; 6] = [
        Self::Terms,
        Self::Postings,
        Self::Positions,
        Self::Columns,
        Self::Norms,
        Self::Store,
    ];

    /// The component that a file of a split belongs to.
    pub(crate) fn of_file(name: &str) -> Self {
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("del") => Self::Deletes,
            Some("fast") => Self::Columns,
            Some("fieldnorm") => Self::Norms,
            Some("idx") => Self::Postings,
            Some("pos") => Self::Positions,
            Some("store") => Self::Store,
            Some("term") => Self::Terms,
            _ => Self::Other,
        }
    }

    /// The name in tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Deletes => "deletes",
            Self::Norms => "norms",
            Self::Other => "other",
            Self::Positions => "positions",
            Self::Postings => "postings",
            Self::Store => "store",
            Self::Terms => "terms",
        }
    }
}

impl FromStr for Component {
    type Err = Error;

    /// Reads a [name](Component::name) of one that searches read.
    fn from_str(name: &str) -> Result<Self> {
        let found = Self::SEARCHED.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| {
            let names = Self::SEARCHED.map(Self::name).join(", ");
            Error::invalid(format!("unknown component {name:?}: one of {names}"))
        })
    }
}
