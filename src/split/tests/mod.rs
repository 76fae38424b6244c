//! Tests of the object layout: against splits that other programs wrote, against an independent
//! reader, and against hostile bytes.

mod peers;

use std::path::PathBuf;

use tantivy::directory::OwnedBytes;

use super::{Footer, FooterParse};

/// The splits other programs wrote, or nothing (and a line saying so) where they are not at hand.
fn peer_splits() -> Vec<(String, Vec<u8>)> {
    let shared = std::env::var_os("FOREWARM_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(shared.join("peer-splits")) else {
        eprintln!("skipped: no folder shared/peer-splits");
        return Vec::new();
    };
    let mut splits: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "split")
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    splits.sort();
    splits
}

/// Parses a footer as opening does: a guess first, then what the parser asks for.
fn parse_footer(object: &[u8], guess: usize) -> crate::Result<Footer> {
    let mut start = object.len().saturating_sub(guess);
    loop {
        let tail = OwnedBytes::new(object[start..].to_vec());
        match Footer::parse(tail, start as u64, object.len() as u64, "a.split")? {
            FooterParse::Complete(footer) => return Ok(footer),
            FooterParse::NeedMore { from } => {
                assert!((from as usize) < start, "{from} is not before {start}");
                start = from as usize;
            }
        }
    }
}
