//! The schemas of `testdata/` fit the documents they are for.

#[path = "common/shared.rs"]
mod shared;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tantivy::TantivyDocument;
use tantivy::schema::{FieldType, Schema};

fn schema(name: &str) -> Schema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name);
    let text = std::fs::read_to_string(path).expect("a schema in testdata");
    let schema: Schema = serde_json::from_str(&text).expect("tantivy's own JSON form");
    // As tantivy writes it: nothing was ignored, and nothing is left to defaults.
    let given: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        serde_json::to_value(&schema).expect("JSON"),
        given,
        "{name}"
    );
    schema
}

/// How many documents there are, all of which `schema` takes whole.
fn parse_all(schema: &Schema, ndjson: &str) -> usize {
    for (number, line) in (1..).zip(ndjson.lines()) {
        let document = TantivyDocument::parse_json(schema, line)
            .unwrap_or_else(|error| panic!("line {number}: {error}"));
        let given: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let fields = given.as_object().expect("an object");
        // A field the schema lacks would have been dropped without a word.
        for name in fields.keys() {
            schema
                .get_field(name)
                .unwrap_or_else(|_| panic!("line {number}: field {name}"));
        }
        assert!(document.len() >= fields.len(), "line {number} lost a field");
    }
    ndjson.lines().count()
}

#[test]
fn every_wikipedia_article_fits_its_schema() {
    let schema = schema("wiki.schema.json");
    let Some(path) = shared::shared("data/wiki.json") else {
        return;
    };
    let documents = std::fs::read_to_string(path).unwrap();
    assert_eq!(parse_all(&schema, &documents), 1000);
}

#[test]
fn every_github_event_fits_its_schema() {
    let schema = schema("gh.schema.json");
    for name in ["actor", "repo", "payload", "org"] {
        let entry = schema.get_field_entry(schema.get_field(name).unwrap());
        let FieldType::JsonObject(options) = entry.field_type() else {
            panic!("{name}: no JSON")
        };
        assert!(options.is_expand_dots_enabled(), "{name}");
    }
    let Some(path) = shared::shared("data/gh.json") else {
        return;
    };
    let documents = std::fs::read_to_string(path).unwrap();
    assert_eq!(parse_all(&schema, &documents), 1000);
}

/// Two records: folded and Latin-1 text, alternatives, a number that is none, a stray line.
const RECORDS: &[u8] = b"Package: a\n\
Source: src-a (1.0)\n\
Version: 1.0-1\n\
Installed-Size: 12\n\
Size: twelve\n\
Maintainer: J\xf6rg <j@example.org>\n\
Depends: libc6 (>= 2.36), b:any | c, libc6\n\
Tag: role::program,\n use::gameplaying\n\
Description: short\n long\n .\n longer\n\
Description-md5: 0123\n\
\n\n\
a stray line\n\
\n\
Package: b\n\
Section: games\n";

#[test]
fn package_records_become_documents_of_the_debian_schema() {
    let schema = schema("debian.schema.json");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/debian_ndjson.py");
    let python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        eprintln!("skipped: there is no python3");
        return;
    };
    python.stdin.take().unwrap().write_all(RECORDS).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let ndjson = String::from_utf8(output.stdout).unwrap();
    assert_eq!(parse_all(&schema, &ndjson), 2);
    let documents: Vec<serde_json::Value> = ndjson
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = serde_json::json!([
        {
            "package": "a",
            "source": "src-a",
            "version": "1.0-1",
            "maintainer": "J\u{fffd}rg <j@example.org>",
            "installed_size": 12,
            "depends": ["libc6", "b", "c"],
            "tags": ["role::program", "use::gameplaying"],
            "description": "short\nlong\n\nlonger",
        },
        {"package": "b", "section": "games"},
    ]);
    assert_eq!(serde_json::Value::from(documents), expected);
}
