//! The command line from the outside: what it prints, what it leaves behind, how it exits.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[cfg(feature = "sstable")]
#[path = "common/shared.rs"]
mod shared;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use common::s3_server::{BUCKET, S3Server};
#[cfg(feature = "sstable")]
use shared::shared;

const SCHEMA: &str = r#"[
    {"name": "id", "type": "u64", "options": {"indexed": true, "fast": true, "stored": true}},
    {"name": "title", "type": "text", "options": {"stored": true,
        "indexing": {"record": "position", "fieldnorms": true, "tokenizer": "default"}}},
    {"name": "kind", "type": "text", "options": {"stored": true, "fast": true,
        "indexing": {"record": "basic", "fieldnorms": false, "tokenizer": "raw"}}},
    {"name": "price", "type": "f64", "options": {"indexed": true, "fast": true, "stored": true}}
]"#;

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forewarm"));
    command.args(arguments).env_remove("RUST_LOG");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn forewarm(arguments: &[&str]) -> Run {
    Run::of(command(arguments).output().unwrap())
}

fn start_with_input(arguments: &[&str], input: &[u8]) -> Child {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    child.stdin = Some(stdin);
    child
}

fn forewarm_with_input(arguments: &[&str], input: &[u8]) -> Run {
    // `wait_with_output` closes the input first.
    Run::of(
        start_with_input(arguments, input)
            .wait_with_output()
            .unwrap(),
    )
}

/// A folder with a schema, documents and room for splits.
struct Room {
    folder: TempDir,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("schema.json"), SCHEMA).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.folder.path().join(name), bytes).unwrap();
        self.path(name)
    }

    fn pack(&self, from: &str, more: &[&str]) -> Run {
        let (schema, to) = (self.path("schema.json"), self.path("splits"));
        let arguments = [
            "pack", "--from", from, "--schema", &schema, "--to", &to, "--json",
        ];
        forewarm(&[&arguments, more].concat())
    }

    fn files(&self, name: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.path().join(name)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }
}

fn documents(count: u64) -> String {
    const WORDS: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
    let line = |id: u64| {
        let word = |n: u64| WORDS[(n % 5) as usize];
        let title = format!("{} {} number{id}", word(id), word(id / 5));
        let kind = if id.is_multiple_of(3) {
            "third"
        } else {
            "other"
        };
        json!({"id": id, "title": title, "kind": kind, "price": id as f64 / 4.0}).to_string() + "\n"
    };
    (0..count).map(line).collect()
}

#[test]
fn documents_are_packed_inspected_explained_searched_and_verified() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(1000));
    let packed = room.pack(&docs, &["--docs-per-split", "400"]).ok().json();
    assert_eq!(packed["docs"], 1000);
    assert_eq!(packed["splits"].as_array().unwrap().len(), 3);
    let names = ["docs-00000.split", "docs-00001.split", "docs-00002.split"];
    assert_eq!(room.files("splits"), names);
    let splits = room.path("splits");

    let inspected = forewarm(&["inspect", &splits, "--json"]).ok().json();
    assert_eq!(inspected["splits"].as_array().unwrap().len(), 3);
    assert!(
        forewarm(&["inspect", &splits])
            .ok()
            .stdout
            .contains("title")
    );

    let body = room.write(
        "body.json",
        json!({
            "query": {"bool": {
                "must": [{"match": {"title": "alpha"}}],
                "filter": [{"term": {"kind": "third"}}, {"range": {"price": {"lt": 200}}}]
            }},
            "size": 5,
            "sort": [{"id": "desc"}]
        })
        .to_string(),
    );
    let explained = forewarm(&["explain", &splits, "--body", &body, "--json"])
        .ok()
        .json();
    assert_eq!(explained["splits"].as_array().unwrap().len(), 3);
    assert!(
        forewarm(&["explain", &splits, "--body", &body])
            .ok()
            .stdout
            .contains("rounds")
    );

    let arguments = ["search", &splits, "--body", &body, "--strict", "--json"];
    let found = forewarm(&arguments).ok().json();
    // alpha is word 0 of 5, twice in a title: ids = 0 mod 5 or id / 5 = 0 mod 5.
    let expected = (0..800u64).filter(|id| id % 3 == 0 && (id % 5 == 0 || (id / 5) % 5 == 0));
    assert_eq!(found["hits"]["total"]["value"], expected.clone().count());
    let ids: Vec<u64> = found["hits"]["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["_source"]["id"].as_u64().unwrap())
        .collect();
    let mut newest: Vec<u64> = expected.collect();
    newest.reverse();
    assert_eq!(ids, newest[..5]);
    let cost = found["forewarm"].as_object().unwrap();
    let keys: Vec<&str> = cost.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "outcome",
            "gets",
            "bytes",
            "rounds",
            "late_reads",
            "open_us",
            "warmup_us",
            "join_us",
            "search_us",
            "fetch_docs_us",
            "splits"
        ]
    );
    assert_eq!(cost["late_reads"], 0);
    assert_eq!(cost["splits"], 3);

    let verified = forewarm(&["verify", &splits, "--json"]).ok().json();
    assert_eq!(verified["problems"], 0);
}

#[test]
fn a_file_of_bodies_is_searched_line_by_line() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(300));
    room.pack(&docs, &[]).ok();
    let splits = room.path("splits");
    let lines = concat!(
        r#"{"query": {"match": {"title": "alpha"}}}"#,
        "\n\n",
        r#"{"size": 0, "aggs": {"kinds": {"terms": {"field": "kind"}}}}"#,
        "\n"
    );
    let bodies = room.write("bodies.ndjson", lines);
    let arguments = ["search", &splits, "--body", &bodies, "--strict"];
    let found = forewarm(&[&arguments[..], &["--json"]].concat())
        .ok()
        .json();
    let numbers: Vec<u64> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["line"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 3]);
    assert!(found[1]["response"]["aggregations"]["kinds"]["buckets"].is_array());
    assert_eq!(found[0]["response"]["forewarm"]["late_reads"], 0);
    let printed = forewarm(&arguments).ok().stdout;
    assert!(printed.contains("late reads"), "{printed}");

    let wrong = format!("{lines}{{\"sise\": 1}}\n");
    let bodies = room.write("wrong.ndjson", wrong);
    let failed = forewarm(&["search", &splits, "--body", &bodies]);
    assert_eq!(failed.code, 1);
    assert!(
        failed
            .stderr
            .contains("wrong.ndjson:4: request: unknown key \"sise\""),
        "{}",
        failed.stderr
    );
    let bodies = room.write(
        "unfit.ndjson",
        format!("{lines}{}\n", r#"{"query": {"term": {"nosuchfield": 1}}}"#),
    );
    let failed = forewarm(&["search", &splits, "--body", &bodies]);
    assert!(
        failed.stderr.contains("line 4: query.term.nosuchfield"),
        "{}",
        failed.stderr
    );
}

#[test]
fn a_second_search_of_the_same_warmer_gets_nothing() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(20_000));
    room.pack(&docs, &[]).ok();
    let splits = room.path("splits");
    let arguments = [
        "search",
        &splits,
        "--query",
        "title:alpha",
        "--size",
        "30",
        "--repeat",
        "2",
        "--json",
    ];
    let warmed = forewarm(&arguments).ok().json();
    assert_eq!(warmed["hits"]["hits"].as_array().unwrap().len(), 30);
    let runs = warmed["forewarm"]["runs"].as_array().unwrap();
    assert!(runs[0]["gets"].as_u64().unwrap() > 0);
    assert_eq!(runs[1]["gets"], 0);
    assert_eq!(warmed["forewarm"]["gets"], runs[0]["gets"]);

    let body = json!({"query": {"query_string": {"query": "title:alpha"}}, "size": 30});
    let same = forewarm(&["search", &splits, "--body", &body.to_string(), "--json"])
        .ok()
        .json();
    assert_eq!(same["hits"], warmed["hits"]);

    let plain = forewarm(&[&arguments[..], &["--no-warm"]].concat())
        .ok()
        .json();
    assert!(plain["forewarm"]["late_reads"].as_u64().unwrap() > 0);
    assert_eq!(plain["hits"], warmed["hits"]);

    let printed = forewarm(&["search", &splits, "--query", "title:alpha"])
        .ok()
        .stdout;
    assert!(
        printed.contains("hits in all") && printed.contains("late reads"),
        "{printed}"
    );
}

#[test]
fn what_one_process_has_searched_the_next_warms_in_one_round() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(20_000));
    room.pack(&docs, &[]).ok();
    let (splits, plans) = (room.path("splits"), room.path("plans"));
    let arguments = ["search", &splits, "--query", "title:alpha", "--strict"];
    let arguments = [&arguments[..], &["--plans", &plans, "--json"]].concat();
    let cold = forewarm(&arguments).ok().json();
    assert_eq!(cold["forewarm"]["loaded"]["plans"], 0);
    assert!(cold["forewarm"]["rounds"].as_u64().unwrap() > 1);
    let next = forewarm(&arguments).ok().json();
    assert_eq!(next["forewarm"]["loaded"]["plans"], 1);
    assert_eq!(next["forewarm"]["rounds"], 1);
    assert_eq!(next["hits"], cold["hits"]);

    // What cannot be read is a remark and a cold start.
    for name in room.files("plans") {
        room.write(&format!("plans/{name}"), "torn");
    }
    let torn = forewarm(&arguments).ok();
    assert!(torn.stderr.contains("passed over"), "{}", torn.stderr);
    assert_eq!(torn.json()["hits"], cold["hits"]);
    assert!(torn.json()["forewarm"]["rounds"].as_u64().unwrap() > 1);

    // So is a place that cannot be one.
    let file = room.write("file", "");
    let body = room.write("bodies.ndjson", "{\"size\": 1}\n");
    let arguments = ["search", &splits, "--body", &body, "--plans", &file];
    let without = forewarm(&arguments).ok();
    assert!(
        without.stderr.contains("no plans were loaded")
            && without.stderr.contains("plans were not kept"),
        "{}",
        without.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_process_killed_at_any_moment_leaves_plans_that_can_be_read() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(500));
    room.pack(&docs, &["--docs-per-split", "100"]).ok();
    let (splits, plans) = (room.path("splits"), room.path("plans"));
    let bodies: String = (0..40)
        .map(|n| format!("{{\"query\": {{\"match\": {{\"title\": \"number{n}\"}}}}}}\n"))
        .collect();
    let bodies = room.write("bodies.ndjson", bodies);
    let arguments = ["search", &splits, "--body", &bodies, "--plans", &plans];
    let started = std::time::Instant::now();
    forewarm(&arguments).ok();
    let whole = started.elapsed();
    for moment in 1..=10 {
        let mut child = command(&arguments).spawn().unwrap();
        // About when it writes, towards the end of it.
        std::thread::sleep(whole.mul_f64(0.5 + 0.06 * f64::from(moment)));
        child.kill().unwrap();
        child.wait().unwrap();
        let one = [
            "search",
            &splits,
            "--query",
            "title:number7",
            "--plans",
            &plans,
            "--json",
        ];
        let found = forewarm(&one).ok();
        assert_eq!(found.stderr, "");
        let loaded = &found.json()["forewarm"]["loaded"];
        assert_eq!(loaded["rejected"], 0);
        assert!(loaded["plans"].as_u64().unwrap() >= 200, "{loaded}");
        assert_eq!(found.json()["hits"]["total"]["value"], 1);
    }
}

#[test]
fn hits_spread_over_a_split_are_found_again_when_warm() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(20_000));
    room.pack(&docs, &[]).ok();
    let splits = room.path("splits");
    // tantivy keeps a few decompressed blocks of documents: more hits than that evict each other.
    for count in [4, 5, 6, 20] {
        let spread: Vec<u64> = (0..count).map(|place| place * 20_000 / count).collect();
        let body = json!({"query": {"terms": {"id": spread}}, "size": count});
        let body = room.write("body.json", body.to_string());
        let arguments = [
            "search", &splits, "--body", &body, "--strict", "--repeat", "3", "--json",
        ];
        let found = forewarm(&arguments).ok().json();
        assert_eq!(
            found["hits"]["hits"].as_array().unwrap().len() as u64,
            count
        );
        assert_eq!(found["forewarm"]["runs"][2]["gets"], 0);
    }
}

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

#[test]
fn wrong_usage_exits_with_2_and_touches_nothing() {
    let room = Room::new();
    let splits = room.path("splits");
    for arguments in [
        &["search", &splits][..],
        &["search", &splits, "--query", "a", "--body", "b.json"],
        &[
            "search",
            &splits,
            "--query",
            "a",
            "--simulate-latency",
            "30",
        ],
        &["search", "ftp://host/x", "--query", "a"],
        &["inspect", "s3://bucket/x", "--option", "reigon=x"],
        &["inspect", "s3://bucket/x", "--option", "region"],
        &["pack", "--from", "a.ndjson", "--to", &splits],
        &["frobnicate"],
    ] {
        let run = forewarm(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(
            run.stderr.starts_with("error: "),
            "{arguments:?}: {}",
            run.stderr
        );
        assert_eq!(run.stdout, "");
    }
    assert!(!Path::new(&splits).exists());
}

#[test]
fn failures_exit_with_1_and_one_line_that_names_the_cause() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(3));
    room.pack(&docs, &[]).ok();
    let (splits, missing) = (room.path("splits"), room.path("missing"));
    let empty = room.write("empty.ndjson", "\n\n");
    let schema = room.path("schema.json");
    let no_json = room.write("body.json", "{");
    let no_utf8 = room.write("bytes.json", b"{\"size\": \xff\xfe}");
    for (arguments, expected) in [
        (&["inspect", &missing][..], "cannot read"),
        (&["search", &splits, "--body", &missing], "cannot read"),
        (&["search", &splits, "--body", &no_utf8], "valid UTF-8"),
        (&["search", &splits, "--body", &no_json], "body.json: "),
        (
            &["search", &splits, "--query", "nosuchfield:x"],
            "nosuchfield",
        ),
        (
            &[
                "pack", "--from", &empty, "--schema", &schema, "--to", &splits,
            ],
            "no documents",
        ),
        (
            &[
                "pack", "--from", &docs, "--schema", &no_json, "--to", &splits, "--name", "n",
            ],
            "schema",
        ),
        (&["pack", "--index", &missing, "--to", &splits], "meta.json"),
    ] {
        let run = forewarm(arguments);
        assert_eq!(run.code, 1, "{arguments:?}: {}", run.stderr);
        assert_eq!(
            run.stderr.lines().count(),
            1,
            "{arguments:?}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains(expected),
            "{arguments:?}: {}",
            run.stderr
        );
    }
    assert_eq!(room.files("splits"), ["docs-00000.split"]);
}

#[test]
fn a_damaged_split_is_found_by_verify() {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(30));
    room.pack(&docs, &[]).ok();
    let path = room.folder.path().join("splits/docs-00000.split");
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 0x40;
    fs::write(&path, &bytes).unwrap();
    let run = forewarm(&["verify", &room.path("splits"), "--json"]);
    assert_eq!(run.code, 1);
    assert_eq!(run.json()["splits"][0]["ok"], false);

    fs::write(&path, &bytes[..50]).unwrap();
    assert_eq!(forewarm(&["verify", path.to_str().unwrap()]).code, 1);
    assert_eq!(forewarm(&["inspect", path.to_str().unwrap()]).code, 1);
}

#[test]
fn the_demo_keeps_its_promise() {
    let room = Room::new();
    let kept = room.path("kept");
    let run = forewarm(&[
        "demo",
        "--docs",
        "2000",
        "--splits",
        "2",
        "--simulate-latency",
        "1ms",
        "--keep",
        &kept,
        "--json",
    ])
    .ok();
    let proven = &run.json()["proven"];
    assert_eq!(proven["late_reads"], 0);
    assert_eq!(proven["warm_gets"], 0);
    assert_eq!(proven["identical"], true);
    for request in run.json()["requests"].as_array().unwrap() {
        assert!(request["hits"].as_u64().unwrap() > 0, "{}", request["name"]);
    }
    assert_eq!(room.files("kept"), ["demo-00000.split", "demo-00001.split"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_pack_leaves_nothing_behind() {
    use std::time::{Duration, Instant};

    let room = Room::new();
    let (schema, to) = (room.path("schema.json"), room.path("splits"));
    let arguments = [
        "pack",
        "--from",
        "-",
        "--schema",
        &schema,
        "--to",
        &to,
        "--docs-per-split",
        "1000",
    ];
    let mut child = start_with_input(&arguments, documents(9000).as_bytes());
    let deadline = Instant::now() + Duration::from_secs(60);
    // The input stays open, so the command cannot end by itself.
    while !room
        .files("splits")
        .iter()
        .any(|name| name.ends_with(".split"))
    {
        assert!(Instant::now() < deadline, "no split was written");
        assert!(child.try_wait().unwrap().is_none(), "ended early");
        std::thread::yield_now();
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
    assert!(
        room.files("splits").is_empty(),
        "{:?}",
        room.files("splits")
    );
}

#[test]
fn splits_are_packed_into_s3_and_searched_there() {
    let server = S3Server::start();
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(3000));
    let (schema, place) = (
        room.path("schema.json"),
        format!("s3://{BUCKET}/some/prefix"),
    );
    let endpoint = format!("endpoint={}", server.endpoint());
    let forewarm = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.args([
            "--option",
            &endpoint,
            "--option",
            "allow_http=true",
            "--json",
        ]);
        for (key, value) in [
            ("AWS_ACCESS_KEY_ID", "forewarm"),
            ("AWS_SECRET_ACCESS_KEY", "forewarm-secret"),
            ("AWS_REGION", "us-east-1"),
        ] {
            command.env(key, value);
        }
        Run::of(command.output().unwrap())
    };
    let arguments = ["pack", "--from", &docs, "--schema", &schema, "--to", &place];
    let packed = forewarm(&[&arguments[..], &["--docs-per-split", "1500"]].concat())
        .ok()
        .json();
    assert_eq!(packed["splits"][1]["path"], "some/prefix/docs-00001.split");
    let refused = forewarm(&arguments);
    assert_eq!(refused.code, 1, "{}", refused.stdout);

    let search = ["search", &place, "--query", "title:number7", "--strict"];
    let found = forewarm(&search).ok().json();
    assert_eq!(found["hits"]["total"]["value"], 1);
    let plans = format!("{place}/_plans");
    let planned = [&search[..], &["--plans", &plans]].concat();
    let loaded = |run: Run| run.ok().json()["forewarm"]["loaded"]["plans"].as_u64();
    assert_eq!(loaded(forewarm(&planned)), Some(0));
    assert_eq!(loaded(forewarm(&planned)), Some(2));
    let again = forewarm(&planned).ok().json();
    assert_eq!(again["forewarm"]["rounds"], 1);
    assert_eq!(again["hits"], found["hits"]);
    server.reset_counts();
    let one = format!("{place}/docs-00000.split");
    assert_eq!(forewarm(&["verify", &one]).ok().json()["problems"], 0);
    assert!(server.counts().gets.values().sum::<u64>() > 0);
    assert_eq!(
        forewarm(&["inspect", &format!("{place}/missing.split")]).code,
        1
    );
}

#[cfg(feature = "sstable")]
#[test]
fn splits_of_other_programs_are_inspected_explained_searched_and_verified() {
    let Some(folder) = shared("peer-splits") else {
        return;
    };
    for (name, query, docs) in [
        ("large-batch-250-docs.split", "score:[0 TO 100000]", 250),
        ("after-merge-40-docs.split", "score:[0 TO 100000]", 40),
        ("schema-dedup.split", "rating:[0 TO 100]", 3),
        ("quickwit-wiki-1000-docs.split", "title:the", 1000),
        ("quickwit-gh-2-segments-qwft.split", "type:PushEvent", 1000),
    ] {
        let path = folder.join(name);
        let path = path.to_str().unwrap();
        let inspected = forewarm(&["inspect", path, "--json"]).ok().json();
        assert_eq!(inspected["splits"][0]["documents"], docs, "{name}");
        forewarm(&["verify", path]).ok();
        forewarm(&["explain", path, "--query", query]).ok();
        let found = forewarm(&["search", path, "--query", query, "--strict", "--json"])
            .ok()
            .json();
        assert!(
            found["hits"]["total"]["value"].as_u64().unwrap() > 0,
            "{name}"
        );
    }
}

#[test]
fn the_help_teaches() {
    for command in ["", "pack", "inspect", "verify", "explain", "search", "demo"] {
        let arguments: Vec<&str> = [command, "--help"]
            .into_iter()
            .filter(|argument| !argument.is_empty())
            .collect();
        let help = forewarm(&arguments)
            .ok()
            .stdout
            .replace("forewarm.exe", "forewarm");
        let name = if command.is_empty() { "help" } else { command };
        insta::assert_snapshot!(format!("help_{name}"), help);
    }
}
