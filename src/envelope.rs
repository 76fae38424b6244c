//! What surrounds bytes that outlive the process.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic: what it is |
//! | 2 | version of its format |
//! | 1 + n | length of, and, what wrote it, where that matters |
//! | 8 | length of the body |
//! | … | body |
//! | 32 | SHA-256 of everything before |
//!
//! Numbers are little-endian.

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

const CHECKSUM: usize = 32;

/// The envelope of one kind of body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) magic: &'static [u8; 8],
    pub(crate) format: u16,
    /// What wrote it, and so how it is to be read; at most 255 bytes.
    pub(crate) writer: &'a str,
    /// What it is called in messages, in the plural.
    pub(crate) what: &'static str,
}

impl Envelope<'_> {
    /// Bytes that the envelope adds to a body.
    pub(crate) fn overhead(&self) -> usize {
        self.magic.len() + 2 + 1 + self.writer.len() + 8 + CHECKSUM
    }

    /// Puts a body into its envelope.
    pub(crate) fn seal(&self, body: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(body.len() + self.overhead());
        sealed.extend_from_slice(self.magic);
        sealed.extend_from_slice(&self.format.to_le_bytes());
        // No longer than a byte tells: see the field.
        sealed.push(self.writer.len() as u8);
        sealed.extend_from_slice(self.writer.as_bytes());
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
    pub(crate) fn open<'b>(&self, sealed: &'b [u8]) -> Result<&'b [u8]> {
        let what = self.what;
        let mut rest = sealed;
        let mut take = |len: usize| {
            let (taken, left) = rest.split_at_checked(len)?;
            rest = left;
            Some(taken)
        };
        let torn = || Error::corrupt(format!("the {what} are cut short"));
        if take(self.magic.len()).ok_or_else(torn)? != self.magic {
            let message = format!("these are no {what}: they begin with other bytes");
            return Err(Error::corrupt(message));
        }
        let format = take(2).ok_or_else(torn)?;
        if format != self.format.to_le_bytes() {
            let message =
                format!("the {what} are in another version of the format: they are left to it");
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
            return Err(Error::corrupt(format!("something follows the {what}")));
        }
        if Sha256::digest(&sealed[..sealed.len() - CHECKSUM])[..] != *checksum {
            let message = format!("the checksum of the {what} is not theirs");
            return Err(Error::corrupt(message));
        }
        if writer != self.writer.as_bytes() {
            let writer = String::from_utf8_lossy(writer);
            let message = format!("the {what} are of {writer:?}, which may read splits otherwise");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(body)
    }
}
