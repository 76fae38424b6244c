//! Little-endian integers and the one way this room words a defect.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// The place of a defect: which structure of which object.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    what: &'a str,
    structure: &'static str,
}

impl<'a> Place<'a> {
    /// `what` names the object (its path), `structure` the part of it that is being parsed.
    pub(crate) fn new(what: &'a str, structure: &'static str) -> Self {
        Self { what, structure }
    }

    /// The object's bytes are not what the format says; `offset` counts from the start of the
    /// structure unless the detail says otherwise.
    pub(crate) fn corrupt(&self, offset: u64, detail: impl fmt::Display) -> Error {
        Error::corrupt(self.text(offset, detail))
    }

    /// As [`corrupt`](Self::corrupt), with a cause.
    pub(crate) fn corrupt_by(
        &self,
        offset: u64,
        detail: impl fmt::Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::with_source(ErrorKind::Corrupt, self.text(offset, detail), source)
    }

    /// The bytes are of a version or kind that this build does not read.
    pub(crate) fn unsupported(&self, offset: u64, detail: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Unsupported, self.text(offset, detail))
    }

    fn text(&self, offset: u64, detail: impl fmt::Display) -> String {
        format!(
            "{}: {} at offset {offset}: {detail}",
            self.what, self.structure
        )
    }
}

/// The four bytes at `at`, or nothing when they are not all there.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// The eight bytes at `at`, or nothing when they are not all there.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let end = at.checked_add(8)?;
    Some(u64::from_le_bytes(bytes.get(at..end)?.try_into().ok()?))
}
