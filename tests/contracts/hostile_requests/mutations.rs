//! Bodies that were right once: bytes flipped, cut, spliced, parts swapped and repeated.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use forewarm::{ErrorKind, SearchRequest};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{MESSAGE, Target, built};

/// The bodies that are asked of real documents elsewhere.
static BODIES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let files = [
        include_str!("../../../testdata/bodies/debian.ndjson"),
        include_str!("../../../testdata/bodies/gh.ndjson"),
        include_str!("../../../testdata/bodies/wiki.ndjson"),
    ];
    let lines = files.into_iter().flat_map(str::lines);
    lines.map(str::to_owned).collect()
});

/// An index with the fields of all three schemas, so that most bodies are right before they are
/// mutated.
static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let mut fields = BTreeMap::new();
    for schema in [
        include_str!("../../../testdata/debian.schema.json"),
        include_str!("../../../testdata/gh.schema.json"),
        include_str!("../../../testdata/wiki.schema.json"),
    ] {
        let schema: Vec<Value> = serde_json::from_str(schema).unwrap();
        fields.extend(
            schema
                .into_iter()
                .map(|field| (field["name"].to_string(), field)),
        );
    }
    let schema = Value::Array(fields.into_values().collect());
    let document = |n: i64| {
        json!({
            "package": format!("lib{}", n % 40), "section": (["libs", "doc", "net"][(n % 3) as usize]),
            "priority": "optional", "architecture": "all", "maintainer": "Debian Games <g@d.org>",
            "installed_size": n * 37, "size": n * 1_001, "description": "a small library of the sea",
            "id": n.to_string(), "type": (["PushEvent", "ForkEvent"][(n % 2) as usize]),
            "actor": {"login": format!("user{n}"), "id": n}, "public": true,
            "repo": {"name": format!("a/b{}", n % 9), "id": n % 9},
            "payload": {"size": n % 4, "action": "opened", "ref": "refs/heads/main"},
            "created_at": format!("2015-01-01T{:02}:00:00Z", n % 24),
            "title": "The old man and the sea", "body": "the quick history of the world war",
            "url": format!("https://w.org/{n}"),
        })
    };
    let segments = [0..60, 60..120].map(|numbers| numbers.map(document).collect());
    Target::over(&built(serde_json::from_value(schema).unwrap(), segments))
});

#[test]
fn most_bodies_are_right_before_they_are_mutated() {
    let right = BODIES.iter().filter(|body| {
        let request = SearchRequest::from_json(body).unwrap();
        TARGET.ask(request).is_ok()
    });
    let right = right.count();
    assert!(right * 10 > BODIES.len() * 9, "{right} of {}", BODIES.len());
}

/// Ends in bounded time with an answer or an error that is the request's own fault.
fn survives(body: &str) -> Result<(), TestCaseError> {
    let asked = SearchRequest::from_json(body).and_then(|request| TARGET.ask(request));
    if let Err(error) = asked {
        let chain = error.chain();
        let expected = [
            ErrorKind::Budget,
            ErrorKind::InvalidRequest,
            ErrorKind::LimitExceeded,
        ];
        prop_assert!(
            expected.contains(&error.kind()),
            "{:?}: {chain}: {body}",
            error.kind()
        );
        prop_assert!(chain.len() <= MESSAGE, "{} bytes: {body}", chain.len());
    }
    Ok(())
}

/// Everything in a value, each by its path.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

fn part(body: &Value, place: Index) -> String {
    let mut found = Vec::new();
    places(body, "", &mut found);
    place.get(&found).clone()
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(Value::from("*")),
        Just(serde_json::json!({})),
        Just(serde_json::json!([])),
        Just(serde_json::json!([[], {}, null])),
    ]
}

/// `FOREWARM_HOSTILE_CASES` sets how often each mutation is tried.
fn cases() -> u32 {
    let cases = std::env::var("FOREWARM_HOSTILE_CASES");
    cases.map_or(192, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_are_flipped(
        body in any::<Index>(), flips in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = body.get(BODIES.as_slice()).clone().into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survives(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn bodies_are_cut_and_spliced(
        left in any::<Index>(), right in any::<Index>(), at in any::<Index>(), from in any::<Index>(),
    ) {
        let (left, right) = (left.get(BODIES.as_slice()).as_bytes(), right.get(BODIES.as_slice()).as_bytes());
        let head = &left[..at.index(left.len())];
        survives(&String::from_utf8_lossy(head))?;
        let spliced = [head, &right[from.index(right.len())..]].concat();
        survives(&String::from_utf8_lossy(&spliced))?;
    }

    #[test]
    fn parts_are_swapped_between_bodies(
        left in any::<Index>(), right in any::<Index>(), to in any::<Index>(), from in any::<Index>(),
    ) {
        let mut body: Value = serde_json::from_str(left.get(BODIES.as_slice()).as_str()).unwrap();
        let other: Value = serde_json::from_str(right.get(BODIES.as_slice()).as_str()).unwrap();
        let grafted = other.pointer(&part(&other, from)).unwrap().clone();
        *body.pointer_mut(&part(&body, to)).unwrap() = grafted;
        survives(&body.to_string())?;
    }

    #[test]
    fn parts_are_repeated(
        body in any::<Index>(), at in any::<Index>(), times in 1_usize..200,
    ) {
        let mut body: Value = serde_json::from_str(body.get(BODIES.as_slice()).as_str()).unwrap();
        let value = body.pointer_mut(&part(&body, at)).unwrap();
        *value = Value::Array(vec![value.clone(); times]);
        survives(&body.to_string())?;
    }

    #[test]
    fn values_are_replaced(body in any::<Index>(), at in any::<Index>(), value in odd_value()) {
        let mut body: Value = serde_json::from_str(body.get(BODIES.as_slice()).as_str()).unwrap();
        *body.pointer_mut(&part(&body, at)).unwrap() = value;
        survives(&body.to_string())?;
    }
}
