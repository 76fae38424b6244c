//! The envelope of what a plan store writes. Its checksum is a strong one, because what is proven
//! absent is not searched: a bit that flips there could hide hits.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::envelope::Envelope;
use crate::error::Result;

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

fn envelope() -> Envelope<'static> {
    Envelope {
        magic: b"FWPLANS\n",
        format: 1,
        writer: WRITER.as_str(),
        what: "plans",
    }
}

/// A short name of what writes here, for names of packs.
pub(super) fn writer_tag() -> u32 {
    let digest = Sha256::digest(WRITER.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// Bytes that the envelope adds to a body.
pub(super) fn overhead() -> usize {
    envelope().overhead()
}

/// Puts a body into its envelope.
pub(super) fn seal(body: &[u8]) -> Vec<u8> {
    envelope().seal(body)
}

/// Takes a body out of its envelope.
///
/// # Errors
///
/// As [`Envelope::open`].
pub(super) fn open(sealed: &[u8]) -> Result<&[u8]> {
    envelope().open(sealed)
}
