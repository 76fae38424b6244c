//! What surrounds everything a plan store writes.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic |
//! | 2 | version of this format |
//! | 1 + n | length of, and, what wrote it: another version of forewarm or tantivy may read a split otherwise |
//! | 8 | length of the body |
//! | … | body |
//! | 32 | SHA-256 of everything before |
//!
//! Numbers are little-endian. The checksum is a strong one, because what is proven absent is not
//! searched: a bit that flips there could hide hits.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8; 8] = b"FWPLANS\n";
/// What is written. 1 had no counts of matches, and a plan in each row.
const FORMAT: u16 = 2;
/// The oldest version that is read.
const OLDEST: u16 = 1;
const CHECKSUM: usize = 32;

/// What wrote it, and so how it reads splits. Raise the number with any change of what requests
/// read, of how patterns are written, or of what rows mean.
static WRITER: LazyLock<String> = LazyLock::new(|| {
    let dictionaries = if cfg!(feature = "sstable") {
        "sstable"
    } else {
        "fst"
    };
    let tantivy = tantivy::version_string();
    let mut writer = format!(
        "forewarm {} reads 1, {tantivy}, {dictionaries}",
        env!("CARGO_PKG_VERSION")
    );
    // One byte tells its length; no version is so long.
    writer.truncate(usize::from(u8::MAX));
    writer
});

/// A short name of what writes here, for names of packs.
pub(super) fn writer_tag() -> u32 {
    let digest = Sha256::digest(WRITER.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// Bytes that the envelope adds to a body.
pub(super) fn overhead() -> usize {
    MAGIC.len() + 2 + 1 + WRITER.len() + 8 + CHECKSUM
}

/// Puts a body into its envelope.
pub(super) fn seal(body: &[u8]) -> Vec<u8> {
    seal_as(FORMAT, body)
}

/// Puts a body into the envelope of a version of the format.
pub(super) fn seal_as(format: u16, body: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(body.len() + overhead());
    sealed.extend_from_slice(MAGIC);
    sealed.extend_from_slice(&format.to_le_bytes());
    // No longer than a byte tells: see where it is made.
    sealed.push(WRITER.len() as u8);
    sealed.extend_from_slice(WRITER.as_bytes());
    sealed.extend_from_slice(&(body.len() as u64).to_le_bytes());
    sealed.extend_from_slice(body);
    let checksum = Sha256::digest(&sealed);
    sealed.extend_from_slice(&checksum);
    sealed
}

/// Takes a body out of its envelope.
///
/// # Errors
///
/// `Corrupt` when anything is wrong with it, `Unsupported` when it is whole and another version
/// wrote it.
pub(super) fn open(sealed: &[u8]) -> Result<&[u8]> {
    let mut rest = sealed;
    let mut take = |len: usize| {
        let (taken, left) = rest.split_at_checked(len)?;
        rest = left;
        Some(taken)
    };
    let torn = || Error::corrupt("the plans are cut short");
    if take(MAGIC.len()).ok_or_else(torn)? != MAGIC {
        return Err(Error::corrupt(
            "these are no plans: they begin with other bytes",
        ));
    }
    let format = take(2).ok_or_else(torn)?;
    if !(OLDEST..=FORMAT).any(|known| format == known.to_le_bytes()) {
        let message = "the plans are in another version of the format: they are left to it";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let len = take(1).ok_or_else(torn)?[0];
    let writer = take(usize::from(len)).ok_or_else(torn)?;
    let len = take(8).ok_or_else(torn)?;
    let len = len.try_into().map(u64::from_le_bytes).map_err(|_| torn())?;
    let len = usize::try_from(len).map_err(|_| torn())?;
    let body = take(len).ok_or_else(torn)?;
    let checksum = take(CHECKSUM).ok_or_else(torn)?;
    if !rest.is_empty() {
        return Err(Error::corrupt("something follows the plans"));
    }
    if Sha256::digest(&sealed[..sealed.len() - CHECKSUM])[..] != *checksum {
        return Err(Error::corrupt("the checksum of the plans is not theirs"));
    }
    if writer != WRITER.as_bytes() {
        let writer = String::from_utf8_lossy(writer);
        let message = format!("the plans are of {writer:?}, which may read splits otherwise");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(body)
}
