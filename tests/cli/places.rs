//! Splits elsewhere, and splits of others.

use crate::common::s3_server::{BUCKET, S3Server};
use crate::room::{Room, Run, command, documents, forewarm};
#[cfg(feature = "sstable")]
use crate::shared::shared;

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
