//! Tests of the object layout: against splits that other programs wrote, against an independent
//! reader, and against hostile bytes.

mod checking;
mod guarding;
mod hostile;
mod layout;
mod packing;
mod peers;
mod verifying;

use std::path::{Path, PathBuf};

use tantivy::directory::{Directory, OwnedBytes, RamDirectory};
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{FAST, Facet, INDEXED, STORED, STRING, Schema, TEXT};
use tantivy::{DateTime, Index, TantivyDocument, Term, doc};

use super::{Footer, FooterParse, HotBytes, PackSettings, pack};

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

/// An index of every field type, over `segments` segments of `docs` documents each.
fn sample_index(segments: u64, docs: u64) -> (RamDirectory, Index) {
    let mut builder = Schema::builder();
    let id = builder.add_u64_field("id", INDEXED | FAST | STORED);
    let body = builder.add_text_field("body", TEXT | STORED);
    let tag = builder.add_text_field("tag", STRING | FAST);
    builder.add_text_field("empty", TEXT | FAST);
    let delta = builder.add_i64_field("delta", INDEXED | FAST);
    let score = builder.add_f64_field("score", FAST);
    let flag = builder.add_bool_field("flag", INDEXED | FAST);
    let date = builder.add_date_field("date", INDEXED | FAST);
    let ip = builder.add_ip_addr_field("ip", INDEXED | FAST);
    let raw = builder.add_bytes_field("raw", INDEXED | FAST);
    let facet = builder.add_facet_field("facet", INDEXED);
    let json = builder.add_json_field("json", TEXT | FAST);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), builder.build(), Default::default()).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 15_000_000)
        .unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for segment in 0..segments {
        for doc in 0..docs {
            let n = segment * docs + doc;
            let words = format!("word{} common text number{n}", n % 7);
            writer
                .add_document(doc!(
                    id => n,
                    body => words,
                    tag => format!("tag{}", n % 5),
                    delta => -(n as i64),
                    score => n as f64 / 3.0,
                    flag => n.is_multiple_of(2),
                    date => DateTime::from_timestamp_secs(n as i64),
                    ip => std::net::Ipv4Addr::from(n as u32).to_ipv6_mapped(),
                    raw => n.to_le_bytes().to_vec(),
                    facet => Facet::from(&format!("/a/{}", n % 3)),
                    json => serde_json::json!({ "a": { "b": n }, "c": format!("v{n}") }),
                ))
                .unwrap();
        }
        writer.commit().unwrap();
    }
    (directory, index)
}

/// Deletes the documents of one tag, which leaves a bitset in each segment.
fn delete_some(index: &Index) {
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 15_000_000)
        .unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let tag = index.schema().get_field("tag").unwrap();
    writer.delete_term(Term::from_field_text(tag, "tag1"));
    writer.commit().unwrap();
}

/// An index whose field `large` has a dictionary of many blocks, and `small` one of three terms.
fn large_dictionary() -> (RamDirectory, Index) {
    let mut builder = Schema::builder();
    let large = builder.add_text_field("large", STRING);
    let small = builder.add_text_field("small", STRING);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), builder.build(), Default::default()).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 50_000_000)
        .unwrap();
    for n in 0..20_000_u64 {
        let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let term = format!("{scattered:x}{:x}", scattered.rotate_left(17));
        writer
            .add_document(doc!(large => term, small => format!("{}", n % 3)))
            .unwrap();
    }
    writer.commit().unwrap();
    (directory, index)
}

/// The object of a packed index, its footer and its hot bytes.
fn packed(directory: &RamDirectory, settings: &PackSettings) -> (Vec<u8>, Footer, HotBytes) {
    let object = pack(directory, settings).unwrap().to_vec().unwrap();
    let footer = parse_footer(&object, 4096).unwrap();
    let hot = HotBytes::parse(footer.hot.clone(), &footer.files, "a.split").unwrap();
    (object, footer, hot)
}

/// The files of a split in memory, to be opened by tantivy.
fn unpacked(object: &[u8], footer: &Footer) -> RamDirectory {
    let directory = RamDirectory::create();
    for (name, range) in &footer.files {
        let bytes = &object[range.start as usize..range.end as usize];
        directory.atomic_write(Path::new(name), bytes).unwrap();
    }
    directory
}
