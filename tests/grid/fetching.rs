//! What hits bring: values of columns, marked texts, the names of clauses they match.

use std::collections::BTreeSet;

use forewarm::{Clause, Filter, PackSettings, SearchRequest, SearchResponse};
use serde_json::{Value, json};
use tantivy::TantivyDocument;
use tantivy::collector::DocSetCollector;
use tantivy::schema::{FAST, INDEXED, JsonObjectOptions, STORED, Schema, TEXT};
use tantivy::snippet::SnippetGenerator;

use crate::collectors::CORPUS;
use crate::corpus::{Corpus, index_of};
use crate::expected::{addresses, query};
use crate::random::{RUNTIME, search_thrice, strict};
use crate::values::{Key, TARGETS};

fn search(body: &Value) -> SearchResponse {
    let request = SearchRequest::from_value(body).unwrap();
    let searched = search_thrice(&CORPUS.corpus.store, &CORPUS.corpus.addresses, &request);
    let response = RUNTIME.block_on(searched);
    assert!(response.report.rounds <= 5, "{:?}", response.report);
    response
}

/// As a hit writes a value.
fn written(key: &Key) -> Value {
    match key {
        Key::Date(seconds) => {
            let date = Key::Date(*seconds).json();
            json!(date.as_str().unwrap().replace('Z', ".000Z"))
        }
        Key::Number(quarters) if quarters % 4 == 0 => key.json(),
        other => other.json(),
    }
}

/// Numbers of one value are equal in whichever type a column has.
fn sorted(values: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    let text = |value: Value| match value.as_f64() {
        Some(number) if value.is_number() => number.to_string(),
        _ => value.to_string(),
    };
    values.into_iter().map(text).collect()
}

#[test]
fn every_fast_field_is_brought_from_its_column() {
    let fast: Vec<&str> = TARGETS
        .iter()
        .filter(|target| target.fast)
        .map(|target| target.name)
        .collect();
    for source in [true, false] {
        let body = json!({"query": {"match": {"title": "sea"}}, "size": 40, "_source": source,
            "docvalue_fields": fast});
        let response = search(&body);
        assert_eq!(response.hits.hits.len(), 40);
        for (hit, address) in response
            .hits
            .hits
            .iter()
            .zip(addresses(&response, &CORPUS.corpus))
        {
            let (_, doc) = &CORPUS.docs[&address];
            let fields = hit.fields.as_ref().unwrap();
            for name in &fast {
                let found = fields.get(*name).and_then(Value::as_array);
                let found = sorted(found.into_iter().flatten().cloned());
                assert_eq!(
                    found,
                    sorted(doc.of(name).iter().map(written)),
                    "{name} of {doc:?}"
                );
            }
            assert_eq!(hit.source.is_some(), source);
        }
    }
}

#[test]
fn patterns_and_formats_choose_fields_and_how_dates_are_written() {
    let body = json!({
        "query": {"exists": {"field": "at"}},
        "size": 3,
        "sort": ["id"],
        "stored_fields": "_none_",
        "fields": [{"field": "at", "format": "epoch_millis"}, "js.deep.*", "i*", "none*"],
        "docvalue_fields": [{"field": "at", "format": "strict_date_optional_time"}],
    });
    let response = search(&body);
    for (hit, address) in response
        .hits
        .hits
        .iter()
        .zip(addresses(&response, &CORPUS.corpus))
    {
        let (id, doc) = &CORPUS.docs[&address];
        let fields = hit.fields.as_ref().unwrap();
        let [Key::Date(seconds)] = doc.of("at") else {
            panic!("{doc:?}")
        };
        assert_eq!(fields["at"], json!([format!("{seconds}000")]));
        assert_eq!(fields["id"], json!([id]));
        assert_eq!(fields.contains_key("ip"), !doc.of("ip").is_empty());
        assert_eq!(
            fields.contains_key("js.deep.x"),
            !doc.of("js.deep.x").is_empty()
        );
        assert!(!fields.contains_key("ix") && !fields.contains_key("js.n"));
        assert!(hit.source.is_none());
    }
}

/// Documents of stored fields and paths, none of which is fast.
fn stored() -> Corpus {
    let mut builder = Schema::builder();
    builder.add_text_field("title", TEXT | STORED);
    builder.add_date_field("at", STORED | INDEXED);
    builder.add_u64_field("fast", FAST);
    let json: JsonObjectOptions = TEXT.into();
    builder.add_json_field("js", json.clone().set_stored());
    builder.add_json_field("ex", json.set_stored().set_expand_dots_enabled());
    let schema = builder.build();
    let documents = [
        r#"{"title": ["the sea", "a sea"], "at": "2024-01-30T12:00:00Z", "fast": 7,
            "js": {"a": {"text": "the quiet sea at night", "n": [1, 2]}, "b.c": "sea"},
            "ex": {"d.e": "sea"}}"#,
        r#"{"title": "night", "js": {"a": [{"text": "sea"}, {"text": "night sea"}]},
            "ex": {"d": {"e": "the night"}}}"#,
    ];
    let documents = documents.map(|text| TantivyDocument::parse_json(&schema, text).unwrap());
    let source = index_of(&schema, &[documents.to_vec()]);
    RUNTIME.block_on(Corpus::of(&[source], &PackSettings::default()))
}

fn hits_of(corpus: &Corpus, body: &Value) -> Value {
    let request = SearchRequest::from_value(body).unwrap();
    let response = RUNTIME.block_on(search_thrice(&corpus.store, &corpus.addresses, &request));
    serde_json::to_value(&response.hits.hits).unwrap()
}

#[test]
fn fields_that_are_not_fast_are_brought_from_what_is_stored() {
    let corpus = stored();
    let body = json!({"sort": ["_doc"], "_source": false, "fields": [
        "title", {"field": "at", "format": "epoch_millis"}, "js.a.*", "js.b\\.c", "ex.d.e", "f*"]});
    let hits = hits_of(&corpus, &body);
    assert_eq!(
        hits[0]["fields"],
        json!({
            "at": ["1706616000000"],
            "ex.d.e": ["sea"],
            "fast": [7],
            "js.a.n": [1, 2],
            "js.a.text": ["the quiet sea at night"],
            "js.b\\.c": ["sea"],
            "title": ["the sea", "a sea"],
        })
    );
    assert_eq!(
        hits[1]["fields"],
        json!({"ex.d.e": ["the night"], "js.a.text": ["sea", "night sea"], "title": ["night"]})
    );
    let body = json!({"sort": ["_doc"], "_source": false, "docvalue_fields": ["*"]});
    assert_eq!(hits_of(&corpus, &body)[0]["fields"], json!({"fast": [7]}));
}

#[test]
fn words_of_json_paths_are_marked_in_their_own_path_only() {
    let corpus = stored();
    let body = json!({
        "query": {"bool": {"should": [
            {"match": {"js.a.text": "sea"}}, {"match": {"ex.d.e": "night sea"}}]}},
        "sort": ["_doc"],
        "_source": false,
        "highlight": {"fields": {"js.a.text": {}, "js.b\\.c": {}, "ex.d.e": {}, "title": {}}},
    });
    let hits = hits_of(&corpus, &body);
    assert_eq!(
        hits[0]["highlight"],
        json!({"js.a.text": ["the quiet <em>sea</em> at night"], "ex.d.e": ["<em>sea</em>"]})
    );
    assert_eq!(
        hits[1]["highlight"],
        json!({
            "js.a.text": ["<em>sea</em>", "night <em>sea</em>"],
            "ex.d.e": ["the <em>night</em>"],
        })
    );
}

#[test]
fn columns_cost_one_round_beside_the_documents() {
    let corpus = &CORPUS.corpus;
    let plain = json!({"query": {"term": {"rare": "k1"}}, "size": 5});
    let mut with = plain.clone();
    with["fields"] = json!(["count", "label"]);
    let rounds = |body: &Value| {
        let request = SearchRequest::from_value(body).unwrap();
        let searched = RUNTIME.block_on(strict(&corpus.store).search(&corpus.addresses, &request));
        searched.unwrap().report.rounds
    };
    // Where a column is stands in the dictionary of columns, none of which is hot here.
    assert!(rounds(&with) <= rounds(&plain) + 1);
}

/// The text and the marks of tantivy's snippet.
fn snippet(filter: &Filter, document: &TantivyDocument, longest: usize) -> Option<String> {
    let ram = &CORPUS.corpus.ram;
    let title = ram.schema().get_field("title").unwrap();
    let query = query(filter, ram);
    let mut snippets = SnippetGenerator::create(ram, &query, title).unwrap();
    snippets.set_max_num_chars(longest);
    let mut snippet = snippets.snippet_from_doc(document);
    snippet.set_snippet_prefix_postfix("<em>", "</em>");
    (!snippet.is_empty()).then(|| snippet.to_html())
}

#[test]
fn one_fragment_is_that_of_tantivys_snippets() {
    let ram = &CORPUS.corpus.ram;
    let title = ram.schema().get_field("title").unwrap();
    for clause in [
        json!({"match": {"title": "sea fox dog"}}),
        json!({"bool": {"filter": [{"term": {"title": "quick"}}],
            "should": [{"match_phrase": {"title": "the sea"}}]}}),
        json!({"terms": {"title": ["zebra", "night"]}}),
        json!({"query_string": {"query": "+title:lazy key:k1"}}),
    ] {
        for longest in [12, 30, 200] {
            let body = json!({"query": clause, "size": 60, "_source": false, "highlight": {
                "fragment_size": longest, "fields": {"title": {"number_of_fragments": 1}}}});
            let response = search(&body);
            let filter = Filter::from(Clause::from_value(&clause).unwrap());
            let hits = response.hits.hits.iter();
            let mut compared = 0;
            for (hit, address) in hits.zip(addresses(&response, &CORPUS.corpus)) {
                let document: TantivyDocument = ram.doc(address).unwrap();
                // Of several texts tantivy makes one.
                if document.get_all(title).count() > 1 {
                    continue;
                }
                let expected = snippet(&filter, &document, longest).map(|html| json!([html]));
                let found = hit.highlight.as_ref().unwrap().get("title");
                assert_eq!(found, expected.as_ref(), "{body}");
                compared += 1;
            }
            assert!(compared > 5);
        }
    }
}

#[test]
fn several_fragments_are_parts_of_the_text_in_its_order() {
    let text = |size: usize, fragments: usize| {
        json!({"query": {"match": {"title": "sea the"}}, "size": 30, "highlight": {
            "pre_tags": ["["], "post_tags": "]",
            "fields": [{"title": {"fragment_size": size, "number_of_fragments": fragments}}]}})
    };
    let response = search(&text(10, 3));
    let mut several = 0;
    for hit in &response.hits.hits {
        let source = hit.source.as_ref().unwrap()["title"].clone();
        let texts = match source {
            Value::Array(texts) => texts,
            text => vec![text],
        };
        let whole: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
        let whole = whole.join("\n");
        let fragments = hit.highlight.as_ref().unwrap()["title"].as_array().unwrap();
        assert!((1..=3).contains(&fragments.len()));
        several += usize::from(fragments.len() > 1);
        let mut at = 0;
        for fragment in fragments {
            let fragment = fragment.as_str().unwrap();
            assert!(
                fragment.contains("[sea]") || fragment.contains("[the]"),
                "{fragment}"
            );
            let plain = fragment.replace(['[', ']'], "");
            assert!(plain.len() <= 10, "{plain}");
            at += whole[at..].find(&plain).expect("in order") + plain.len();
        }
    }
    assert!(several > 3);
    let response = search(&text(10, 0));
    for hit in &response.hits.hits {
        let source = &hit.source.as_ref().unwrap()["title"];
        if let Some(source) = source.as_str() {
            let shown = hit.highlight.as_ref().unwrap()["title"][0]
                .as_str()
                .unwrap();
            assert_eq!(shown.replace(['[', ']'], ""), source);
        }
    }
}

#[test]
fn hits_are_told_which_named_clauses_they_match() {
    let parts = [
        ("phrase", json!({"match_phrase": {"title": "the sea"}})),
        ("some", json!({"terms": {"tag": ["k1", "k2"]}})),
        ("column", json!({"range": {"label": {"gte": "k1"}}})),
        ("never", json!({"term": {"key": "absent"}})),
        ("prefix", json!({"prefix": {"key": "k1"}})),
    ];
    let named: Vec<Value> = parts
        .iter()
        .map(|(name, clause)| json!({"bool": {"must": [clause], "_name": name}}))
        .collect();
    let plain: Vec<&Value> = parts.iter().map(|(_, clause)| clause).collect();
    let body = |shoulds: Value| {
        json!({"query": {"bool": {
            "filter": [{"match": {"title": {"query": "sea the", "_name": "words"}}}],
            // These score nothing where hits are sorted by a column, and are not even searched.
            "should": shoulds,
        }}, "size": 200, "sort": ["id"]})
    };
    let response = search(&body(json!(named)));
    let corpus = &CORPUS.corpus;
    let sets: Vec<_> = parts
        .iter()
        .map(|(name, clause)| {
            let filter = Filter::from(Clause::from_value(clause).unwrap());
            let query = query(&filter, &corpus.ram);
            (*name, corpus.ram.search(&query, &DocSetCollector).unwrap())
        })
        .collect();
    assert!(response.hits.hits.len() > 50);
    for (hit, address) in response.hits.hits.iter().zip(addresses(&response, corpus)) {
        let matching = sets.iter().filter(|(_, set)| set.contains(&address));
        let expected: Vec<&str> = ["words"]
            .into_iter()
            .chain(matching.map(|it| it.0))
            .collect();
        assert_eq!(hit.matched_queries, expected);
    }
    let request = |body: &Value| SearchRequest::from_value(body).unwrap().fingerprint();
    assert_ne!(request(&body(json!(named))), request(&body(json!(plain))));
}
