//! `forewarm pack`: what it reads, what it refuses, what it leaves behind.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::room::{Room, SCHEMA, documents, forewarm, forewarm_with_input};

#[test]
fn an_index_that_exists_becomes_one_split() {
    let room = Room::new();
    let folder = room.folder.path().join("index");
    fs::create_dir(&folder).unwrap();
    let schema: tantivy::schema::Schema = serde_json::from_str(SCHEMA).unwrap();
    let index = tantivy::Index::create_in_dir(&folder, schema.clone()).unwrap();
    let mut writer = index.writer_with_num_threads(1, 20_000_000).unwrap();
    for line in documents(50).lines() {
        let document = tantivy::TantivyDocument::parse_json(&schema, line).unwrap();
        writer.add_document(document).unwrap();
    }
    writer.commit().unwrap();
    drop(writer);

    let (from, to) = (room.path("index"), room.path("one.split"));
    let packed = forewarm(&["pack", "--index", &from, "--to", &to, "--trailer", "--json"]);
    assert_eq!(packed.ok().json()["docs"], 50);
    let found = forewarm(&[
        "search",
        &to,
        "--query",
        "title:number7",
        "--strict",
        "--json",
    ]);
    assert_eq!(found.ok().json()["hits"]["total"]["value"], 1);
    forewarm(&["verify", &to]).ok();
}

#[test]
fn standard_input_and_gzip_are_read_like_a_file() {
    let room = Room::new();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(documents(20).as_bytes()).unwrap();
    let compressed = encoder.finish().unwrap();
    let (schema, to) = (room.path("schema.json"), room.path("splits"));
    let arguments = [
        "pack", "--from", "-", "--schema", &schema, "--to", &to, "--name", "piped", "--json",
    ];
    let packed = forewarm_with_input(&arguments, &compressed).ok().json();
    assert_eq!(packed["docs"], 20);
    let docs = room.write("docs.json.gz", &compressed);
    assert_eq!(room.pack(&docs, &[]).ok().json()["docs"], 20);
    assert_eq!(
        room.files("splits"),
        ["docs-00000.split", "piped-00000.split"]
    );

    let body = br#"{"query": {"match_all": {}}, "size": 1}"#;
    let found = forewarm_with_input(&["search", &to, "--body", "-", "--json"], body)
        .ok()
        .json();
    assert_eq!(found["hits"]["total"]["value"], 40);
}

#[test]
fn a_bad_line_fails_with_its_number_and_leaves_nothing_behind() {
    let room = Room::new();
    let mut lines = documents(10);
    lines.push_str("{\"id\": -1}\n");
    lines.push_str(&documents(1));
    let docs = room.write("docs.ndjson", &lines);
    let failed = room.pack(&docs, &["--docs-per-split", "2"]);
    assert_eq!(failed.code, 1);
    assert_eq!(failed.stdout, "");
    assert_eq!(failed.stderr.lines().count(), 1, "{}", failed.stderr);
    assert!(
        failed.stderr.starts_with("error: bad line "),
        "{}",
        failed.stderr
    );
    assert!(
        failed.stderr.contains("docs.ndjson:11: field `id`: "),
        "{}",
        failed.stderr
    );
    assert!(
        room.files("splits").is_empty(),
        "{:?}",
        room.files("splits")
    );
}

#[test]
fn bad_lines_can_be_skipped_and_are_counted() {
    let room = Room::new();
    let mut lines = documents(10).into_bytes();
    lines.extend(b"not json\n\xff\xfe\n");
    lines.extend(documents(1).into_bytes());
    let docs = room.write("docs.ndjson", &lines);
    let packed = room.pack(&docs, &["--skip-bad-lines"]).ok();
    assert_eq!(packed.json()["docs"], 11);
    assert_eq!(packed.json()["bad_lines"], 2);
    assert!(
        packed.stderr.contains("docs.ndjson:11: not a JSON object"),
        "{}",
        packed.stderr
    );
    assert!(
        packed
            .stderr
            .contains("docs.ndjson:12: not UTF-8 at byte 1"),
        "{}",
        packed.stderr
    );
}

#[test]
fn splits_are_replaced_only_when_that_is_asked_for() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(9));
    room.pack(&docs, &["--docs-per-split", "3"]).ok();
    let refused = room.pack(&docs, &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--overwrite"), "{}", refused.stderr);
    room.pack(&docs, &["--overwrite", "--docs-per-split", "5"])
        .ok();
    assert_eq!(
        room.files("splits"),
        ["docs-00000.split", "docs-00001.split"]
    );
}
