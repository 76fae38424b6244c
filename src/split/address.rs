use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::bounds::{self, ColumnBounds};
use crate::error::Result;
use crate::filter::SortValue;

/// Where a split is: its path in the store and, when a catalogue knows them, its footer offsets, its
/// size and between which values its columns are. Addresses are equal that name the same place,
/// whatever is known of its size and columns.
///
/// ```
/// use forewarm::SplitAddress;
///
/// let address = SplitAddress::new("logs/2026-11-21.split".into()).with_footer(81_920..90_112);
/// assert_eq!(address.to_string(), "logs/2026-11-21.split");
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct SplitAddress {
    path: Path,
    footer: Option<Range<u64>>,
    size: Option<u64>,
    /// By field.
    bounds: BTreeMap<String, ColumnBounds>,
}

impl SplitAddress {
    /// A split whose footer offsets are not known: opening it guesses how long the footer is.
    pub fn new(path: Path) -> Self {
        Self {
            path,
            footer: None,
            size: None,
            bounds: BTreeMap::new(),
        }
    }

    /// Tells the footer's offsets: from the start of the bundle metadata to the end of the object.
    /// Opening then reads just that range.
    pub fn with_footer(mut self, footer: Range<u64>) -> Self {
        self.footer = Some(footer);
        self
    }

    /// Tells the object's size in bytes, as a listing does: so that a small split [comes whole in its
    /// first request](crate::StoreSettings::whole_split_bytes). Footer offsets tell it too. A size that
    /// is wrong costs a request, or bytes, and no more.
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Tells between which values all of a column are, both ends included: a fast field, named as
    /// requests name it. [`Warmer::search_progressively`](crate::Warmer::search_progressively)
    /// gives up splits whose values cannot be among the hits.
    ///
    /// That is a promise: where a value of the split is not between its bounds, hits may be missing.
    /// Values are meant as the column holds them: a date of a field that keeps seconds is cut to
    /// the second. Of documents without a value bounds say nothing.
    ///
    /// ```
    /// use forewarm::SplitAddress;
    /// use tantivy::DateTime;
    ///
    /// let day = |day: i64| DateTime::from_timestamp_secs(day * 86_400);
    /// let address = SplitAddress::new("logs/2026-11-21.split".into())
    ///     .with_bounds("created_at", day(20_778), day(20_779))?;
    /// let json = serde_json::to_value(&address).unwrap_or_default();
    /// assert_eq!(
    ///     json["bounds"]["created_at"],
    ///     serde_json::json!({
    ///         "type": "date",
    ///         "min": "2026-11-21T00:00:00Z",
    ///         "max": "2026-11-22T00:00:00Z",
    ///     })
    /// );
    /// # Ok::<(), forewarm::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when the ends are of different types or
    /// not in order, no values, or no finite numbers.
    pub fn with_bounds(
        mut self,
        field: impl Into<String>,
        min: impl Into<SortValue>,
        max: impl Into<SortValue>,
    ) -> Result<Self> {
        let field = field.into();
        let bounds = ColumnBounds::new(&field, min.into(), max.into())?;
        self.bounds.insert(field, bounds);
        Ok(self)
    }

    /// The path in the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The footer's offsets, when known.
    pub fn footer(&self) -> Option<&Range<u64>> {
        self.footer.as_ref()
    }

    /// The object's size in bytes, when known, by itself or by the footer's end.
    pub fn size(&self) -> Option<u64> {
        self.footer.as_ref().map(|footer| footer.end).or(self.size)
    }

    /// Bytes that what is known of the columns takes in memory, about: nodes of a tree have room
    /// for 11, and are half full at least.
    pub(crate) fn bounds_weight(&self) -> usize {
        let node = 11 * (size_of::<String>() + size_of::<ColumnBounds>());
        let texts = self
            .bounds
            .iter()
            .map(|(field, it)| field.len() + it.text_bytes());
        self.bounds.len().div_ceil(5) * node + texts.sum::<usize>()
    }

    /// Between which values a column is, when known.
    pub(crate) fn bounds(&self, field: &str) -> Option<&ColumnBounds> {
        self.bounds.get(field)
    }
}

impl PartialEq for SplitAddress {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.footer) == (&other.path, &other.footer)
    }
}

impl Eq for SplitAddress {}

impl Hash for SplitAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.path, &self.footer).hash(state);
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    bounds: BTreeMap<String, bounds::Wire>,
}

impl From<SplitAddress> for Wire {
    fn from(address: SplitAddress) -> Self {
        let bounds = address.bounds.into_iter();
        Self {
            path: address.path.into(),
            footer: address.footer,
            size: address.size,
            bounds: bounds
                .filter_map(|(field, bounds)| Some((field, bounds::Wire::of(&bounds)?)))
                .collect(),
        }
    }
}

impl TryFrom<Wire> for SplitAddress {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let bounds = wire.bounds.into_iter().map(|(field, bounds)| {
            let read = bounds.read(&field).map_err(|error| error.to_string())?;
            Ok((field, read))
        });
        Ok(Self {
            path: Path::parse(wire.path).map_err(|error| error.to_string())?,
            footer: wire.footer,
            size: wire.size,
            bounds: bounds.collect::<Result<_, String>>()?,
        })
    }
}
