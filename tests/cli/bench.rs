//! `forewarm bench`, `generate` and `warm`, and the pages they draw.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::room::{Room, documents, forewarm};

const WAYS: [&str; 7] = [
    "none",
    "everything",
    "forget",
    "first",
    "planned",
    "warm",
    "ideal",
];

/// A browser without a window: `FOREWARM_CHROME`, or one on the path.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("FOREWARM_CHROME").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chrome", "google-chrome", "chromium-browser"];
    let found = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file());
    let browser = named.or(found);
    if browser.is_none() {
        eprintln!("skipped: no browser, and FOREWARM_CHROME does not name one");
    }
    browser
}

/// Bodies of all kinds, one of them with what must not get into a page as it is.
fn bodies() -> String {
    [
        json!({"query": {"match": {"title": "alpha"}}}),
        json!({"query": {"term": {"kind": "third"}}, "sort": [{"price": "desc"}], "size": 3}),
        json!({"query": {"range": {"price": {"gte": 10}}}, "size": 0}),
        json!({"query": {"match_phrase": {"title": "alpha beta"}}}),
        json!({"query": {"wildcard": {"kind": "th*"}}}),
        json!({"size": 0, "aggs": {"kinds": {"terms": {"field": "kind"}}}}),
        json!({"query": {"match": {"title": "</title><script>alert(1)</script>"}}}),
    ]
    .map(|body| body.to_string() + "\n")
    .concat()
}

/// Splits of documents, and bodies to search them for.
fn corpus() -> (Room, String, String) {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(1000));
    room.pack(&docs, &["--docs-per-split", "500"]).ok();
    let bodies = room.write("bodies.ndjson", bodies());
    let splits = room.path("splits");
    (room, splits, bodies)
}

fn assert_self_contained(page: &str) {
    assert!(page.starts_with("<!doctype html>"), "{}", &page[..40]);
    assert!(page.trim_end().ends_with("</html>"));
    for outside in [
        "http:", "https:", "src=", "<link", "@import", "url(", "<script", "<iframe",
    ] {
        assert!(!page.contains(outside), "the page holds {outside}");
    }
    for (open, close) in [
        ("<svg", "</svg>"),
        ("<details", "</details>"),
        ("<table", "</table>"),
        ("<g ", ""),
    ] {
        if !close.is_empty() {
            assert_eq!(
                page.matches(open).count(),
                page.matches(close).count(),
                "{open}"
            );
        }
    }
    // Each drawing says in words what it shows.
    let drawings = page.matches("role=\"img\"").count();
    assert!(drawings > 0);
    assert_eq!(page.matches("<desc id=").count(), drawings);
}

#[test]
fn every_way_gives_the_ideal_answer_and_the_report_has_them_all() {
    let (room, splits, bodies) = corpus();
    let page = room.path("out.html");
    let arguments = [
        "bench",
        &splits,
        "--bodies",
        &bodies,
        "--latency",
        "1ms,2ms",
        "--tail",
        "0",
        "--repeat",
        "2",
        "--pairs",
        "5",
        "--report",
        &page,
        "--json",
    ];
    let report = forewarm(&arguments).ok().json();
    assert_eq!(
        (&report["documents"], &report["splits"]),
        (&json!(1000), &json!(2))
    );
    let settings = report["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 2);
    for setting in settings {
        let ways = setting["ways"].as_array().unwrap();
        let names: Vec<&str> = ways
            .iter()
            .map(|way| way["way"].as_str().unwrap())
            .collect();
        assert_eq!(names, WAYS);
        let figure = |way: &str, key: &str| {
            let found = ways.iter().find(|found| found["way"] == way).unwrap();
            found[key].as_f64().unwrap()
        };
        assert_eq!(figure("warm", "gets"), 0.0);
        assert_eq!(figure("planned", "most_rounds"), 1.0);
        for way in ["first", "planned", "warm"] {
            assert_eq!(figure(way, "late_reads"), 0.0, "{way}");
            assert_eq!(figure(way, "served"), 7.0, "{way}");
        }
        if cfg!(feature = "sstable") {
            assert_eq!(figure("forget", "served"), 7.0);
        }
        for body in setting["bodies"].as_array().unwrap() {
            assert!(body["least"]["gets"].as_u64().unwrap() >= 2, "{body}");
            assert_eq!(body["warm_to_ideal"].as_array().unwrap().len(), 5);
        }
    }
    let page = fs::read_to_string(page).unwrap();
    assert_self_contained(&page);
    for way in [
        "no warming",
        "whole split first",
        "per query and forget",
        "forewarm, first time",
        "forewarm, plan known",
        "forewarm, warm",
        "ideal: all in RAM",
    ] {
        assert!(page.contains(way), "{way}");
    }
    assert!(page.contains("&lt;script&gt;"), "bodies are shown, escaped");
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn some_ways_and_bodies_can_be_chosen_and_targets_checked() {
    let (_room, splits, bodies) = corpus();
    let bench = |more: &[&str]| {
        let arguments = ["bench", &splits, "--bodies", &bodies, "--latency", "1ms"];
        forewarm(&[&arguments[..], &["--repeat", "1", "--pairs", "0"], more].concat())
    };
    let run = bench(&["--ways", "planned", "--first", "2"]).ok();
    assert!(run.stdout.contains("plan known"), "{}", run.stdout);
    assert!(!run.stdout.contains("no warming"), "{}", run.stdout);
    // A store without latency: nothing can be thirty times as fast.
    let arguments = [
        "bench",
        &splits,
        "--bodies",
        &bodies,
        "--latency",
        "0",
        "--check",
    ];
    let missed = forewarm(&[&arguments[..], &["--repeat", "1", "--first", "2"]].concat());
    assert_eq!(missed.code, 1, "{}", missed.stdout);
    assert!(
        missed.stderr.starts_with("error: missed: "),
        "{}",
        missed.stderr
    );
    assert_eq!(bench(&["--ways", "best"]).code, 2);
    assert_eq!(bench(&["--memory", "1kB"]).code, 1);
}

#[test]
fn a_warmup_is_told_and_drawn() {
    let (room, splits, _) = corpus();
    let page = room.path("trace.html");
    let arguments = [
        "warm",
        &splits,
        "--query",
        "title:alpha",
        "--simulate-latency",
        "2ms",
        "--strict",
    ];
    let report = forewarm(&[&arguments[..], &["--trace", &page, "--json"]].concat());
    let report = report.ok().json();
    assert_eq!(report["total"]["warm"], 2);
    let sum = |key: &str| -> u64 {
        let splits = report["splits"].as_array().unwrap();
        splits
            .iter()
            .map(|split| split[key].as_u64().unwrap())
            .sum()
    };
    assert_eq!(report["total"]["gets"], sum("gets"));
    assert_eq!(report["total"]["bytes"], sum("bytes"));
    assert!(report["total"]["rounds"].as_u64().unwrap() <= 3);
    let page = fs::read_to_string(page).unwrap();
    assert_self_contained(&page);
    let gets = sum("gets") as usize;
    assert_eq!(page.matches("<g class=\"row").count(), gets);

    let told = forewarm(&arguments).ok().stdout;
    assert!(told.contains("2 of 2 splits warm in "), "{told}");
    let wrong = ["warm", &splits, "--query", "nosuchfield:x", "--strict"];
    assert_eq!(forewarm(&wrong).code, 1);
    let without = forewarm(&wrong[..4]).ok();
    assert!(without.stderr.contains("nosuchfield"), "{}", without.stderr);
}

#[test]
fn generated_lines_are_the_same_each_time_and_can_be_packed_and_searched() {
    let room = Room::new();
    let (lines, schema) = (room.path("logs.ndjson"), room.path("logs.schema.json"));
    let generate = ["generate", "--docs", "3000", "--schema", &schema];
    forewarm(&[&generate[..], &["--to", &lines]].concat()).ok();
    let written = fs::read_to_string(&lines).unwrap();
    assert_eq!(written.lines().count(), 3000);
    assert_eq!(forewarm(&generate).ok().stdout, written);
    let splits = room.path("splits");
    let pack = [
        "pack", "--from", &lines, "--schema", &schema, "--to", &splits,
    ];
    forewarm(&[&pack[..], &["--docs-per-split", "1000"]].concat()).ok();
    let bodies = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/bodies/logs.ndjson");
    let search = ["search", &splits, "--body", bodies, "--strict", "--json"];
    let found: Vec<Value> = serde_json::from_str(&forewarm(&search).ok().stdout).unwrap();
    let empty = found.iter().filter(|found| {
        let hits = &found["response"]["hits"]["total"]["value"];
        hits == 0
    });
    assert!(
        empty.count() * 4 < found.len(),
        "most bodies find something"
    );
}

#[test]
fn a_browser_draws_the_pages() {
    let Some(browser) = browser() else { return };
    let (room, splits, bodies) = corpus();
    let page = room.path("out.html");
    let bench = [
        "bench",
        &splits,
        "--bodies",
        &bodies,
        "--latency",
        "2ms",
        "--report",
        &page,
    ];
    forewarm(&[&bench[..], &["--repeat", "1", "--pairs", "0"]].concat()).ok();
    let shot = room.path("shot.png");
    let profile = room.path("profile");
    let run = |more: &[&str]| {
        let output = Command::new(&browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .arg(format!("--user-data-dir={profile}"))
            .args(more)
            .arg(format!("file://{page}"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let dom = run(&["--dump-dom"]);
    assert!(dom.contains("Open + warm + first search") && dom.contains("</svg>"));
    run(&[&format!("--screenshot={shot}"), "--window-size=1100,1400"]);
    let drawn = fs::read(&shot).unwrap();
    assert!(
        drawn.starts_with(b"\x89PNG") && drawn.len() > 20_000,
        "{}",
        drawn.len()
    );
}
