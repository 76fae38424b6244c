//! Where packs lie: what the log asks of a directory or an object store.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use rand::Rng;

use super::envelope;
use crate::error::Result;

const SUFFIX: &str = ".plans";

/// The name of a pack: when it was written, a random number, and a short name of what wrote it.
/// Names sort by time; a node that cannot read a pack sees that by its name.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct PackName {
    /// Since 1970.
    pub(super) millis: u64,
    random: u64,
    writer: u32,
}

impl PackName {
    /// A name that nobody else has.
    pub(super) fn new(millis: u64) -> Self {
        Self {
            millis,
            random: rand::rng().random(),
            writer: envelope::writer_tag(),
        }
    }

    /// Nothing when it is not the name of a pack.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.split('-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let hex = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            hex.then(|| u64::from_str_radix(part, 16).ok()).flatten()
        };
        let (millis, random, writer) = (number(16)?, number(16)?, number(8)?);
        let parsed = Self {
            millis,
            random,
            writer: u32::try_from(writer).ok()?,
        };
        parts.next().is_none().then_some(parsed)
    }

    /// Whether it was written by what reads here.
    pub(super) fn is_ours(self) -> bool {
        self.writer == envelope::writer_tag()
    }
}

impl fmt::Display for PackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            millis,
            random,
            writer,
        } = self;
        write!(f, "{millis:016x}-{random:016x}-{writer:08x}{SUFFIX}")
    }
}

/// A pack as it is listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Listed {
    pub(super) name: PackName,
    pub(super) size: u64,
    /// Seconds since 1970, by the clock of where it lies.
    pub(super) modified: u64,
}

/// A place for packs.
#[async_trait]
pub(super) trait Packs: fmt::Debug + fmt::Display + Send + Sync {
    /// All packs there are, whoever wrote them. What has no pack's name is none.
    async fn list(&self) -> Result<Vec<Listed>>;

    /// The bytes of a pack, no more than were listed; nothing when it is gone.
    async fn read(&self, pack: &Listed) -> Result<Option<Bytes>>;

    /// Writes a pack, whole or not at all.
    async fn write(&self, name: PackName, bytes: Bytes) -> Result<()>;

    /// Removes a pack. One that is gone is removed.
    async fn remove(&self, name: PackName) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_sort_by_time() {
        let (old, new) = (PackName::new(9), PackName::new(1_000));
        assert!(old.to_string() < new.to_string() && old < new);
        assert_eq!(PackName::parse(&old.to_string()), Some(old));
        assert!(old.is_ours());
        let name = old.to_string();
        for wrong in [
            "",
            ".plans",
            "a.split",
            &name[1..],
            &name.to_uppercase(),
            &format!(".{name}"),
            &name.replace("-", "+"),
            &name.replace(".plans", "-0.plans"),
        ] {
            assert_eq!(PackName::parse(wrong), None, "{wrong}");
        }
    }
}
