//! What a clause means, told without an index: a second opinion on which documents match.

use serde_json::Value;

use crate::values::{Doc, Key, Kind, TARGETS, Target, facet_and_above, target_named};

/// Whether a document matches; `None` where the model has no opinion.
pub fn matches(clause: &Value, doc: &Doc) -> Option<bool> {
    let (name, body) = only(clause);
    match name {
        "bool" => bool_clause(body, doc),
        "constant_score" => matches(&body["filter"], doc),
        "dis_max" => {
            let queries = body["queries"].as_array().unwrap().iter();
            let found: Option<Vec<bool>> = queries.map(|query| matches(query, doc)).collect();
            found.map(|found| found.contains(&true))
        }
        "exists" => Some(exists(body["field"].as_str().unwrap(), doc)),
        "fuzzy" | "regexp" => None,
        "match" if is_loose(only(body).1) => None,
        "match" => Some(match_text(body, doc)),
        "match_all" => Some(true),
        "match_bool_prefix" | "match_phrase_prefix" | "multi_match" => None,
        "match_none" => Some(false),
        "match_phrase" => match_phrase(body, doc),
        "prefix" => prefix(body, doc),
        "query_string" if body.get("lenient").is_some() => None,
        "query_string" => query_string(body, doc),
        "range" if body.get("ip").is_some_and(has_network) => None,
        "range" => Some(range(body, doc)),
        "simple_query_string" => None,
        "term" => {
            let (field, value) = only(body);
            if value.get("case_insensitive").is_some() || has_network(value) {
                return None;
            }
            Some(has(doc, field, value.get("value").unwrap_or(value)))
        }
        "terms" => {
            let (field, values) = body.as_object().unwrap().iter().next().unwrap();
            let values = values.as_array().unwrap();
            if values.iter().any(has_network) {
                return None;
            }
            Some(values.iter().any(|value| has(doc, field, value)))
        }
        "wildcard" => Some(wildcard(body, doc)),
        other => panic!("no model of {other}"),
    }
}

/// Whether a value, or one within it, is a network of addresses.
fn has_network(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(has_network),
        Value::String(text) => text.contains('/') && !text.starts_with('/') && text != "/w==",
        _ => false,
    }
}

fn wildcard(body: &Value, doc: &Doc) -> bool {
    let (field, parameters) = only(body);
    let folded = |text: &str| match parameters.get("case_insensitive") {
        None => text.to_owned(),
        Some(_) => text.to_ascii_lowercase(),
    };
    let pattern = folded(parameters["value"].as_str().unwrap());
    let is_like = |key: &Key| matches!(key, Key::Text(text) if like(pattern.as_bytes(), folded(text).as_bytes()));
    terms(doc, target_named(field)).iter().any(is_like)
}

/// Whether a text is like a pattern; both are ASCII.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        ([b'*', rest @ ..], _) => {
            like(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, text)| like(pattern, text))
        }
        ([b'?', rest @ ..], [_, text @ ..]) => like(rest, text),
        ([first, rest @ ..], [same, text @ ..]) => first == same && like(rest, text),
        (_, []) => false,
    }
}

/// Whether words may differ, or a minimum depends on their number.
fn is_loose(parameters: &Value) -> bool {
    let minimum = parameters.get("minimum_should_match");
    let combined = minimum.and_then(Value::as_str);
    parameters.get("fuzziness").is_some() || combined.is_some_and(|text| text.contains('<'))
}

fn only(value: &Value) -> (&str, &Value) {
    let (name, body) = value.as_object().unwrap().iter().next().unwrap();
    (name, body)
}

/// What is in the index of a target: words of a text, facets and those above them.
fn terms(doc: &Doc, target: &Target) -> Vec<Key> {
    let values = doc.of(target.name);
    let split = |key: &Key| match (target.kind, key) {
        (Kind::Text, Key::Text(text)) => words(text).map(|word| Key::Text(word.into())).collect(),
        (Kind::Facet, Key::Text(text)) => {
            facet_and_above(text).into_iter().map(Key::Text).collect()
        }
        _ => vec![key.clone()],
    };
    values.iter().flat_map(split).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

fn has(doc: &Doc, field: &str, value: &Value) -> bool {
    let target = target_named(field);
    let value = Key::of_json(target.kind, value);
    terms(doc, target).contains(&value)
}

fn exists(field: &str, doc: &Doc) -> bool {
    let below = format!("{field}.");
    doc.values
        .keys()
        .any(|name| *name == field || name.starts_with(&below))
}

fn match_text(body: &Value, doc: &Doc) -> bool {
    let (field, parameters) = only(body);
    let target = target_named(field);
    let query = parameters.get("query").unwrap_or(parameters);
    let text = match (target.kind, query) {
        (Kind::Mixed | Kind::Raw | Kind::Text, Value::String(text)) if target.indexed => text,
        _ => return has(doc, field, query),
    };
    let terms = terms(doc, target);
    let found = words(text).filter(|word| terms.contains(&Key::Text((*word).into())));
    let (found, asked) = (found.count(), words(text).count());
    if asked == 0 {
        return false;
    }
    if asked == 1 {
        // Of one word Lucene makes no combination, so there is no minimum.
        return found == 1;
    }
    if parameters.get("operator") == Some(&Value::from("and")) {
        // Nothing is optional, so that a minimum above nothing cannot be reached.
        return found == asked && minimum(parameters, 0) == 0;
    }
    found >= minimum(parameters, asked).max(1)
}

fn match_phrase(body: &Value, doc: &Doc) -> Option<bool> {
    let (field, parameters) = only(body);
    let query = parameters.get("query").unwrap_or(parameters);
    if parameters.get("slop").is_some() {
        return None;
    }
    Some(phrase(field, query, doc))
}

fn phrase(field: &str, query: &Value, doc: &Doc) -> bool {
    let target = target_named(field);
    let text = match (target.kind, query) {
        (Kind::Text, Value::String(text)) => text,
        _ => return has(doc, field, query),
    };
    let phrase: Vec<&str> = words(text).collect();
    let in_order = |key: &Key| match key {
        Key::Text(text) => {
            let words: Vec<&str> = words(text).collect();
            words.windows(phrase.len()).any(|window| window == phrase)
        }
        _ => false,
    };
    !phrase.is_empty() && doc.of(field).iter().any(in_order)
}

fn prefix(body: &Value, doc: &Doc) -> Option<bool> {
    let (field, parameters) = only(body);
    let target = target_named(field);
    if target.kind == Kind::Facet {
        return None;
    }
    let value = parameters.get("value").unwrap_or(parameters);
    let value = value.as_str().unwrap();
    if parameters.get("case_insensitive").is_some() {
        return None;
    }
    let begins = |key: &Key| matches!(key, Key::Text(text) if text.starts_with(value));
    Some(terms(doc, target).iter().any(begins))
}

fn range(body: &Value, doc: &Doc) -> bool {
    let (field, bounds) = only(body);
    let target = target_named(field);
    let within = |key: &Key| {
        let holds = |name: &str, holds: fn(&Key, &Key) -> bool| match bounds.get(name) {
            None | Some(Value::Null) => true,
            Some(bound) => {
                let bound = Key::of_json(target.kind, bound);
                std::mem::discriminant(key) == std::mem::discriminant(&bound) && holds(key, &bound)
            }
        };
        holds("gt", |key, bound| key > bound)
            && holds("gte", |key, bound| key >= bound)
            && holds("lt", |key, bound| key < bound)
            && holds("lte", |key, bound| key <= bound)
    };
    terms(doc, target).iter().any(within)
}

/// How many optional clauses must match, from the words of Elasticsearch's guide.
fn minimum(parameters: &Value, total: usize) -> usize {
    let total = total as i64;
    let asked = match parameters.get("minimum_should_match") {
        None => 0,
        Some(Value::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap();
            let part = (total * percent.abs()) / 100;
            if percent < 0 { total - part } else { part }
        }
        Some(number) => match number.as_i64().unwrap() {
            count if count < 0 => total + count,
            count => count,
        },
    };
    usize::try_from(asked).unwrap_or(0)
}

fn bool_clause(body: &Value, doc: &Doc) -> Option<bool> {
    let all = |key: &str| -> Option<Vec<bool>> {
        let clauses = body.get(key).and_then(Value::as_array);
        let clauses = clauses.into_iter().flatten();
        clauses.map(|clause| matches(clause, doc)).collect()
    };
    let (must, filter) = (all("must")?, all("filter")?);
    let (should, must_not) = (all("should")?, all("must_not")?);
    let required = !must.is_empty() || !filter.is_empty();
    if !required && should.is_empty() && must_not.is_empty() {
        return Some(true);
    }
    let least = usize::from(!required && !should.is_empty());
    let least = minimum(body, should.len()).max(least);
    Some(
        must.iter().chain(&filter).all(|&matched| matched)
            && !must_not.contains(&true)
            && should.iter().filter(|&&matched| matched).count() >= least,
    )
}

/// The texts that `clauses::query_string` makes: parts, each with maybe a sign, of
/// `field:word`, `field:"some words"`, `field:[a TO b]` and bare words.
fn query_string(body: &Value, doc: &Doc) -> Option<bool> {
    let text = body["query"].as_str().unwrap();
    let and = body.get("default_operator") == Some(&Value::from("and"));
    let fields: Vec<&str> = match body.get("fields") {
        Some(fields) => fields
            .as_array()?
            .iter()
            .filter_map(Value::as_str)
            .collect(),
        None => TARGETS
            .iter()
            .filter(|target| target.indexed && matches!(target.kind, Kind::Raw | Kind::Text))
            .map(|target| target.name)
            .filter(|name| !name.contains('.'))
            .collect(),
    };
    let (mut must, mut should, mut must_not) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts(text) {
        let (list, part) = match part.as_bytes()[0] {
            b'+' => (&mut must, &part[1..]),
            b'-' => (&mut must_not, &part[1..]),
            _ if and => (&mut must, &*part),
            _ => (&mut should, &*part),
        };
        list.push(match part.split_once(':') {
            None => fields
                .iter()
                .map(|field| field.split_once('^').map_or(*field, |(field, _)| field))
                .any(|field| phrase(field, &part.into(), doc)),
            Some((field, value)) => leaf(field, value, doc),
        });
    }
    let least = usize::from(must.is_empty() && !should.is_empty());
    Some(
        must.iter().all(|&matched| matched)
            && !must_not.contains(&true)
            && should.iter().filter(|&&matched| matched).count() >= least,
    )
}

fn leaf(field: &str, value: &str, doc: &Doc) -> bool {
    let read = |text: &str| match text.parse::<i128>() {
        Ok(number) => Key::Number(number * 4).json(),
        Err(_) => Value::from(text),
    };
    if let Some(bounds) = value.strip_prefix('[') {
        let (lower, upper) = bounds.trim_end_matches(']').split_once(" TO ").unwrap();
        let body = serde_json::json!({field: {"gte": read(lower), "lte": read(upper)}});
        return range(&body, doc);
    }
    phrase(field, &read(value.trim_matches('"')), doc)
}

/// Splits at spaces outside quotes and brackets.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut bracketed) = (false, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' => bracketed = true,
            ']' => bracketed = false,
            ' ' if !quoted && !bracketed => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    parts.retain(|part| !part.is_empty());
    parts
}
