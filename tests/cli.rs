//! The command line from the outside: what it prints, what it leaves behind, how it exits.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "cli/bench.rs"]
mod bench;
#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "cli/components.rs"]
mod components;
#[cfg(unix)]
#[path = "cli/manage.rs"]
mod manage;
#[path = "cli/packing.rs"]
mod packing;
#[path = "cli/places.rs"]
mod places;
#[path = "cli/room.rs"]
mod room;
#[cfg(feature = "sstable")]
#[path = "common/shared.rs"]
mod shared;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use room::{Room, Run, command, documents, forewarm, start_with_input};

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
    let bytes = |answer: &Value| answer["forewarm"]["bytes"].as_u64().unwrap();
    let next = forewarm(&arguments).ok().json();
    // The first brought all of so small a split.
    assert!(bytes(&next) < bytes(&cold) / 2);
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
    assert_eq!(bytes(&torn.json()), bytes(&cold));

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
fn the_help_teaches() {
    for command in [
        "", "bench", "demo", "explain", "generate", "inspect", "manage", "pack", "search",
        "verify", "warm",
    ] {
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
