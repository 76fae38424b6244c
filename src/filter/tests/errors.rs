//! Wrong requests, each with the exact message.

use tantivy::Index;
use tantivy::schema::{
    FAST, INDEXED, IndexRecordOption, JsonObjectOptions, STORED, STRING, Schema, TEXT,
    TextFieldIndexing, TextOptions,
};

use super::wrong_patterns::PATTERNS;
use super::wrong_queries::QUERIES;
use crate::error::ErrorKind;
use crate::filter::SearchRequest;

pub(super) fn index() -> Index {
    let mut schema = Schema::builder();
    let indexing = |tokenizer: &str, option| {
        TextFieldIndexing::default()
            .set_tokenizer(tokenizer)
            .set_index_option(option)
    };
    let text = |indexing| TextOptions::default().set_indexing_options(indexing);
    schema.add_u64_field("price", INDEXED | FAST);
    schema.add_i64_field("delta", INDEXED);
    schema.add_f64_field("ratio", INDEXED);
    schema.add_bool_field("flag", INDEXED);
    schema.add_date_field("at", INDEXED);
    schema.add_ip_addr_field("ip", INDEXED);
    schema.add_bytes_field("blob", INDEXED);
    schema.add_facet_field("path", INDEXED);
    schema.add_text_field("title", TEXT);
    schema.add_text_field("word", STRING);
    schema.add_text_field("kept", STORED);
    schema.add_text_field("flat", text(indexing("default", IndexRecordOption::Basic)));
    schema.add_text_field("odd", text(indexing("nobody", IndexRecordOption::Basic)));
    schema.add_json_field("repo", JsonObjectOptions::from(TEXT));
    schema.add_json_field("kept_json", STORED);
    Index::create_in_ram(schema.build())
}

/// The message for a request, from reading or from binding it.
pub(super) fn message(index: &Index, body: &str) -> String {
    refusal(index, body).unwrap_or_else(|| panic!("nothing wrong with {body}"))
}

/// The message for a request, if it is wrong.
pub(super) fn refusal(index: &Index, body: &str) -> Option<String> {
    let error = SearchRequest::from_json(body).and_then(|request| {
        request.bind(index)?;
        crate::needs::needs_of_sort(&request, &index.schema()).map(drop)
    });
    let error = error.err()?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
    Some(error.chain())
}

#[test]
fn a_wrong_request_is_told_exactly_what_is_wrong() {
    let index = index();
    for (body, expected) in REQUESTS {
        assert_eq!(message(&index, body), *expected, "{body}");
    }
    for (query, expected) in QUERIES.iter().chain(PATTERNS) {
        let body = format!(r#"{{"query": {query}}}"#);
        assert_eq!(message(&index, &body), *expected, "{body}");
    }
}

#[test]
fn sizes_and_depth_are_bounded() {
    let index = index();
    let deep = |levels: usize| {
        let (open, close) = (r#"{"bool": {"must": "#, "}}");
        let (open, close) = (open.repeat(levels), close.repeat(levels));
        format!(r#"{{"query": {open}{{"match_all": {{}}}}{close}}}"#)
    };
    assert!(
        SearchRequest::from_json(&deep(70))
            .unwrap_err()
            .to_string()
            .contains("not valid JSON")
    );
    let nested = |levels: usize| {
        let clause: crate::filter::Clause = crate::filter::Clause::match_all().into();
        (0..levels).fold(clause, |clause, _| {
            crate::filter::Clause::bool().must(clause).into()
        })
    };
    assert!(SearchRequest::new(nested(63)).bind(&index).is_ok());
    let error = SearchRequest::new(nested(64))
        .bind(&index)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("clauses nest deeper than 64"), "{error}");
    let value = nested(64).to_value();
    let error = crate::filter::Clause::from_value(&value)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("clauses nest deeper than 64"), "{error}");

    let terms = crate::filter::Clause::terms("price", 0..65_537_u64);
    let expected = "query.terms.price: 65537 values, more than the 65536 allowed";
    assert_eq!(
        SearchRequest::new(terms.clone())
            .bind(&index)
            .unwrap_err()
            .to_string(),
        expected
    );
    let clause = crate::filter::Clause::from(terms).to_value();
    assert_eq!(
        crate::filter::Clause::from_value(&clause)
            .unwrap_err()
            .to_string(),
        expected
    );

    let many = (0..70_000).fold(crate::filter::Clause::bool(), |clause, _| {
        clause.should(crate::filter::Clause::match_all())
    });
    let error = SearchRequest::new(many)
        .bind(&index)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "query.bool.should[65535]: more than 65536 clauses");

    let error = SearchRequest::new(crate::filter::Clause::match_all().boost(f32::NAN));
    let error = error.bind(&index).unwrap_err().to_string();
    assert_eq!(
        error,
        "query: expected a number from 0 to 3.4028235e38, got NaN"
    );
    let error = SearchRequest::new(crate::filter::Clause::match_all())
        .size(9_000)
        .from(1_001);
    let error = error.bind(&index).unwrap_err().to_string();
    assert_eq!(
        error,
        "size: from + size is 10001, more than the 10000 allowed"
    );
}

pub(super) const REQUESTS: &[(&str, &str)] = &[
    (
        "{",
        "the request is not valid JSON: EOF while parsing an object at line 1 column 1",
    ),
    ("[]", "request: expected an object, got an array"),
    (
        r#"{"size": 1, "size": 2}"#,
        "the request is not valid JSON: the key \"size\" stands twice at line 1 column 18",
    ),
    (
        r#"{"rescore": {}}"#,
        "request: unknown key \"rescore\" (known: _source, aggregations, aggs, docvalue_fields, \
         fields, from, highlight, query, search_after, size, sort, stored_fields, \
         track_total_hits)",
    ),
    (
        r#"{"size": "many"}"#,
        "size: expected a whole number from 0, got \"many\"",
    ),
    (
        r#"{"size": -1}"#,
        "size: expected a whole number from 0, got -1",
    ),
    (
        r#"{"from": 1.5}"#,
        "from: expected a whole number from 0, got 1.5",
    ),
    (
        r#"{"size": 10001}"#,
        "size: from + size is 10001, more than the 10000 allowed",
    ),
    (
        r#"{"sort": 5}"#,
        "sort: expected a field or an object, got a number",
    ),
    (
        r#"{"sort": ["price", {"at": "up"}]}"#,
        "sort[1].at: expected \"asc\" or \"desc\", got \"up\"",
    ),
    (
        r#"{"sort": {"price": {"mode": "min"}}}"#,
        "sort.price: unknown parameter \"mode\" (known: missing, order)",
    ),
    (
        r#"{"sort": {"price": {"missing": 0}}}"#,
        "sort.price.missing: expected a string, got a number",
    ),
    (
        r#"{"sort": {"price": {"missing": "last"}}}"#,
        "sort.price.missing: expected \"_first\" or \"_last\", got \"last\"",
    ),
    (
        r#"{"sort": "nothing"}"#,
        "sort[0]: unknown field \"nothing\"",
    ),
    (
        r#"{"sort": "delta"}"#,
        "sort[0]: \"delta\" is not fast, so hits cannot be sorted by it: make it fast",
    ),
    (
        r#"{"track_total_hits": "yes"}"#,
        "track_total_hits: expected a boolean or a whole number from 0, got a string",
    ),
    (
        r#"{"_source": 1}"#,
        "_source: expected a boolean, a pattern, an array or an object, got a number",
    ),
    (
        r#"{"_source": ["a", 1]}"#,
        "_source[1]: expected a string, got a number",
    ),
    (
        r#"{"_source": {"include": []}}"#,
        "_source: unknown parameter \"include\" (known: excludes, includes)",
    ),
];
