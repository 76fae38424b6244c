//! Every wrong request of the tables, and each clause wrong in each way, with its message: in one
//! snapshot, so that new words show as one diff.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{bodies, errors, text_errors, wrong_patterns, wrong_queries};

/// The parameters of each clause where it is right.
fn right() -> Vec<(&'static str, Value)> {
    vec![
        ("bool", json!({"must": []})),
        ("constant_score", json!({"filter": {"match_all": {}}})),
        ("dis_max", json!({"queries": []})),
        ("exists", json!({"field": "price"})),
        ("fuzzy", json!({"word": {"value": "a"}})),
        ("ids", json!({"values": ["0:0"]})),
        ("match", json!({"title": {"query": "a"}})),
        ("match_all", json!({})),
        ("match_bool_prefix", json!({"title": {"query": "a"}})),
        ("match_none", json!({})),
        ("match_phrase", json!({"title": {"query": "a"}})),
        ("match_phrase_prefix", json!({"title": {"query": "a"}})),
        ("multi_match", json!({"query": "a", "fields": ["title"]})),
        ("prefix", json!({"word": {"value": "a"}})),
        ("query_string", json!({"query": "a", "fields": ["title"]})),
        ("range", json!({"price": {"gte": 1}})),
        ("regexp", json!({"word": {"value": "a"}})),
        (
            "simple_query_string",
            json!({"query": "a", "fields": ["title"]}),
        ),
        ("term", json!({"word": {"value": "a"}})),
        ("terms", json!({"word": ["a"]})),
        ("wildcard", json!({"word": {"value": "a"}})),
    ]
}

/// A clause made wrong: of another type, with an unknown parameter, a boost that is none, without
/// what it must have, over an unknown field, and over one of another type.
fn wrong(name: &str, body: &Value) -> Vec<Value> {
    let mut bodies = vec![json!(5), json!([]), json!(null)];
    let map = body.as_object().expect("the parameters of a clause");
    let field = map
        .iter()
        .find(|(key, value)| value.is_object() && *key != "filter" || *key == "word");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = body.clone();
        match field {
            Some((key, value)) if value.is_object() => change(&mut body[key]),
            _ => change(&mut body),
        }
        body
    };
    bodies.push(changed(&|it| it["no_such_parameter"] = json!(1)));
    bodies.push(changed(&|it| it["boost"] = json!("high")));
    bodies.push(changed(&|it| it["boost"] = json!(-1)));
    bodies.push(changed(&|it| it["_name"] = json!({})));
    if !map.is_empty() && name != "bool" {
        bodies.push(changed(&|it| *it = json!({})));
    }
    if let Some((_, value)) = field {
        bodies.push(json!({"no_such_field": value}));
        bodies.push(json!({"kept": value}));
        bodies.push(json!({"repo": value}));
        bodies.push(json!({"kept_json.path": value}));
    }
    bodies
        .into_iter()
        .map(|body| json!({ name: body }))
        .collect()
}

#[test]
fn every_wrong_request_has_a_message_that_is_reviewed() {
    let mut all = String::new();
    let mut count = 0;
    let mut tell = |body: &str, message: &str| {
        count += 1;
        let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(all, "{body}\n    {message}");
    };
    let queries = wrong_queries::QUERIES
        .iter()
        .chain(wrong_patterns::PATTERNS);
    let queries = queries.chain(text_errors::TEXTS);
    for (body, message) in errors::REQUESTS.iter().chain(bodies::BODIES).chain(queries) {
        tell(body, message);
    }
    for (body, message) in bodies::AGGREGATIONS {
        tell(body, message);
    }
    let index = errors::index();
    for (name, body) in right() {
        for query in wrong(name, &body) {
            if let Some(message) = errors::refusal(&index, &json!({ "query": query }).to_string()) {
                tell(&query.to_string(), &message);
            }
        }
    }
    assert!(count >= 400, "{count} wrong requests");
    insta::assert_snapshot!(all);
}
