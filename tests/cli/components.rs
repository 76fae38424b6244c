//! `forewarm warm` by component and field.

use std::fs;

use serde_json::{Value, json};

use crate::room::{Room, documents, forewarm};

const SCHEMA: &str = r#"[
    {"name": "title", "type": "text", "options": {"stored": true,
        "indexing": {"record": "position", "fieldnorms": true, "tokenizer": "default"}}},
    {"name": "facts", "type": "json_object", "options": {"fast": true, "stored": true}}
]"#;

fn corpus() -> (Room, String) {
    let room = Room::new();
    let docs = room.write("docs.ndjson", documents(20_000));
    // No dictionary is hot.
    let cold = ["--docs-per-split", "10000", "--dictionary-budget", "0"];
    room.pack(&docs, &cold).ok();
    let splits = room.path("splits");
    (room, splits)
}

/// Which components are told of which fields.
fn told(report: &Value) -> Value {
    let fields = report["selected"]["fields"].as_object().unwrap();
    let names = |components: &Value| {
        let names = components.as_object().unwrap().keys();
        Value::from_iter(names.cloned())
    };
    let told = fields.iter().map(|(field, it)| (field.clone(), names(it)));
    Value::Object(told.collect())
}

#[test]
fn components_of_fields_are_warmed_and_told_apart() {
    let (room, splits) = corpus();
    let page = room.path("trace.html");
    let arguments = ["warm", &splits, "--component", "terms,postings,positions"];
    let arguments = [&arguments[..], &["--field", "title", "--strict"]].concat();
    let drawn = [&arguments[..], &["--trace", &page, "--json"]].concat();
    let report = forewarm(&drawn).ok().json();
    assert_eq!(report["total"]["warm"], 2);
    assert_eq!(
        told(&report),
        json!({"title": ["positions", "postings", "terms"]})
    );
    let inspected = forewarm(&["inspect", &splits, "--json"]).ok().json();
    let of = |report: &Value, component: &str| -> u64 {
        let splits = report["splits"].as_array().unwrap().iter();
        let bytes = splits.map(|it| it["fields"]["title"][component].as_u64().unwrap());
        bytes.sum()
    };
    for component in ["positions", "postings", "terms"] {
        let bytes = &report["selected"]["components"][component]["bytes"];
        assert_eq!(*bytes, of(&inspected, component), "{component}");
    }
    for split in report["splits"].as_array().unwrap() {
        assert_eq!(split["selected"]["looked_up"]["gets"], 0);
        assert!(split["rounds"].as_u64().unwrap() <= 2, "{split}");
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("terms, postings, positions of title"));
    let gets = report["total"]["gets"].as_u64().unwrap() as usize;
    assert_eq!(page.matches("<g class=\"row").count(), gets);

    let printed = forewarm(&arguments).ok().stdout;
    assert!(printed.contains("2 of 2 splits warm in "), "{printed}");
    for row in ["positions", "postings", "terms"] {
        let of_title = |line: &str| line.contains(row) && line.contains("title");
        assert!(printed.lines().any(of_title), "{printed}");
    }
    let stored = forewarm(&["warm", &splits, "--component", "store", "--json"]).ok();
    let stored = &stored.json()["selected"];
    assert!(stored["components"]["store"]["bytes"].as_u64().unwrap() > 100_000);
    assert_eq!(stored["fields"], json!({}));
}

#[test]
fn of_a_request_only_the_selected_components_are_warmed() {
    let (_room, splits) = corpus();
    let body = json!({
        "query": {"match": {"title": "alpha"}},
        "aggs": {"most": {"max": {"field": "price"}}},
        "sort": [{"id": "desc"}],
    });
    let body = body.to_string();
    let warm = |more: &[&str]| {
        let arguments = ["warm", &splits, "--body", &body, "--json", "--strict"];
        forewarm(&[&arguments[..], more].concat())
    };
    let columns = warm(&["--component", "columns"]).ok().json();
    assert_eq!(
        told(&columns),
        json!({"id": ["columns"], "price": ["columns"]})
    );
    let both = warm(&[
        "--component",
        "columns",
        "--field",
        "id",
        "--field",
        "price",
    ]);
    assert_eq!(told(&both.ok().json()), told(&columns));
    let title = warm(&["--field", "title"]).ok().json();
    assert_eq!(told(&title)["title"][0], "postings");
    let none = warm(&["--component", "positions"]).ok();
    assert_eq!(
        none.stderr, "",
        "JSON tells it without words: {}",
        none.stderr
    );
    assert_eq!(told(&none.json()), json!({}));
    let printed = forewarm(&["warm", &splits, "--body", &body, "--component", "norms"]).ok();
    assert_eq!(
        printed.stderr,
        "warning: the request reads nothing of what is selected\n"
    );
}

#[test]
fn what_cannot_be_warmed_is_an_error_and_never_left_out() {
    let (_room, splits) = corpus();
    for (arguments, code, expected) in [
        (&[][..], 2, "required"),
        (&["--component", "nosuch"], 2, "possible values: terms, "),
        (&["--component", "deletes"], 2, "possible values: terms, "),
        (
            &["--component", "terms,store", "--field", "title"],
            2,
            "error: selection: store of title: stored documents are not divided by field",
        ),
        (
            &["--query", "alpha", "--component", "store"],
            2,
            "error: selection: store for a request: ",
        ),
        (
            &["--field", "titles"],
            1,
            "docs-00000.split: unknown field \"titles\"",
        ),
        (
            &["--component", "postings,positions", "--field", "kind"],
            1,
            "docs-00000.split: positions of \"kind\": the field is indexed without them",
        ),
        (
            &["--component", "norms", "--field", "kind"],
            1,
            "docs-00000.split: norms of \"kind\": the field is indexed without them",
        ),
        (
            &[
                "--query",
                "title:alpha",
                "--component",
                "columns",
                "--field",
                "title",
            ],
            1,
            "docs-00000.split: columns of \"title\": the field is not fast",
        ),
    ] {
        let run = forewarm(&[&["warm", &splits], arguments].concat());
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(
            run.stderr.contains(expected),
            "{arguments:?}: {}",
            run.stderr
        );
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_path_that_no_document_has_is_told() {
    let room = Room::new();
    room.write("schema.json", SCHEMA);
    let lines = (0..100).map(|n| json!({"title": "a", "facts": {"stars": n}}).to_string() + "\n");
    let docs = room.write("docs.ndjson", lines.collect::<String>());
    room.pack(&docs, &[]).ok();
    let splits = room.path("splits");
    let arguments = ["warm", &splits, "--component", "columns", "--strict"];
    let fields = ["--field", "facts.stars", "--field", "facts.strs"];
    let run = forewarm(&[&arguments[..], &fields].concat()).ok();
    assert_eq!(run.stderr, "warning: no split has a column of facts.strs\n");
    let report = forewarm(&[&arguments[..], &fields, &["--json"]].concat()).ok();
    assert_eq!(report.json()["selected"]["absent"], json!(["facts.strs"]));
}
