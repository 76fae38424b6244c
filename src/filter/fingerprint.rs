//! The name under which what a request reads is remembered.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// SHA-256 of the canonical form of a request: equal for requests that read the same.
///
/// Order and duplicates of clauses and values do not matter, nor do boosts, sizes and stored
/// fields; whether scores are computed, which columns hits are sorted by, and what is aggregated,
/// do. Displayed, and serialised, as 64 hexadecimal digits.
///
/// ```
/// use forewarm::{Clause, SearchRequest};
///
/// let a = SearchRequest::new(Clause::terms("type", ["PushEvent", "ForkEvent"]));
/// let b = SearchRequest::new(Clause::terms("type", ["ForkEvent", "PushEvent"])).size(3);
/// assert_eq!(a.fingerprint(), b.fingerprint());
/// assert_eq!(a.fingerprint().to_string().len(), 64);
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// What the canonical form is hashed behind. A change of what requests read, or of the
    /// canonical form, changes the number: plans of other versions are then not found.
    pub(crate) const VERSION: &str = "forewarm/1\n";

    /// The fingerprint of canonical JSON, whose objects must be sorted.
    pub(crate) fn of(canonical: &Value) -> Self {
        // What `to_string` writes, at a third of its cost; a value has nothing that cannot be written.
        Self::of_text(&serde_json::to_vec(canonical).unwrap_or_default())
    }

    /// The fingerprint of the text of canonical JSON.
    pub(crate) fn of_text(canonical: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(Self::VERSION);
        hash.update(canonical);
        Self(hash.finalize().into())
    }

    /// A fingerprint that was kept.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    ///
    /// ```
    /// use forewarm::{Clause, SearchRequest};
    ///
    /// let fingerprint = SearchRequest::new(Clause::match_all()).fingerprint();
    /// assert_eq!(fingerprint.as_bytes().len(), 32);
    /// ```
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A part of it, for tables of requests that were asked here: as good a hash as any.
    pub(crate) fn part(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Reads what `Display` writes.
impl FromStr for Fingerprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("a fingerprint is 64 hexadecimal digits");
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
