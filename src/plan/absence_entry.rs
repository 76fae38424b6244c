//! A proven absence, as a plan store keeps it.

use object_store::path::Path;

use super::absences::Absence;
use super::store::codec;
use crate::error::Result;

/// One thing that a segment of one version of a split was found not to hold: a term, a range of
/// terms, or a pattern. A row of a plan store, beside [`PlanEntry`](crate::PlanEntry).
///
/// A split never changes, so it is true for as long as the split is that version. The example of
/// [`PlanStore`](crate::PlanStore) keeps some in a table.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AbsenceEntry {
    pub(crate) absence: Absence,
    /// Seconds since 1970.
    pub(crate) found: u64,
}

impl AbsenceEntry {
    pub(crate) fn new(absence: Absence, found: u64) -> Self {
        Self { absence, found }
    }

    /// Path of the split in its store.
    pub fn split(&self) -> &Path {
        self.absence.object.path()
    }

    /// The number of the segment in the split.
    pub fn segment(&self) -> usize {
        self.absence.segment
    }

    /// When it was found, in seconds since 1970.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// What names it among absences: SHA-256 of everything but when it was found. For stores that
    /// are tables.
    ///
    /// # Errors
    ///
    /// As [`to_bytes`](Self::to_bytes).
    pub fn key(&self) -> Result<[u8; 32]> {
        codec::absence_key(self)
    }

    /// The row as bytes, versioned and with a checksum: for stores that are tables.
    ///
    /// # Errors
    ///
    /// `LimitExceeded` when its object has no version to know it by.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        codec::encode_absence(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// `Corrupt` when the bytes are not that, `Unsupported` when another version of forewarm or
    /// tantivy wrote them. Either row is to be passed over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        codec::decode_absence(bytes)
    }
}
