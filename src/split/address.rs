use std::fmt;
use std::ops::Range;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

/// Where a split is: its path in the store and, when a catalogue knows them, its footer offsets.
///
/// ```
/// use forewarm::SplitAddress;
///
/// let address = SplitAddress::new("logs/2026-11-21.split".into()).with_footer(81_920..90_112);
/// assert_eq!(address.to_string(), "logs/2026-11-21.split");
/// ```
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct SplitAddress {
    path: Path,
    footer: Option<Range<u64>>,
}

impl SplitAddress {
    /// A split whose footer offsets are not known: opening it guesses how long the footer is.
    pub fn new(path: Path) -> Self {
        Self { path, footer: None }
    }

    /// Tells the footer's offsets: from the start of the bundle metadata to the end of the object.
    /// Opening then reads just that range.
    pub fn with_footer(mut self, footer: Range<u64>) -> Self {
        self.footer = Some(footer);
        self
    }

    /// The path in the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The footer's offsets, when known.
    pub fn footer(&self) -> Option<&Range<u64>> {
        self.footer.as_ref()
    }
}

impl fmt::Display for SplitAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

/// How an address is written in JSON.
#[derive(Deserialize, Serialize)]
struct Wire {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    footer: Option<Range<u64>>,
}

impl From<SplitAddress> for Wire {
    fn from(address: SplitAddress) -> Self {
        Self {
            path: address.path.into(),
            footer: address.footer,
        }
    }
}

impl TryFrom<Wire> for SplitAddress {
    type Error = object_store::path::Error;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        Ok(Self {
            path: Path::parse(wire.path)?,
            footer: wire.footer,
        })
    }
}
