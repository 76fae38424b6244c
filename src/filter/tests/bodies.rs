//! Wrong requests beyond the query: what is collected, sorted and brought, with exact messages.

use tantivy::Index;
use tantivy::schema::{FAST, INDEXED, JsonObjectOptions, STORED, STRING, Schema, TEXT};

use crate::error::ErrorKind;
use crate::filter::{ExpansionSettings, SearchRequest};

fn index() -> Index {
    let mut schema = Schema::builder();
    schema.add_u64_field("price", INDEXED | FAST);
    schema.add_f64_field("ratio", INDEXED);
    schema.add_bool_field("flag", FAST);
    schema.add_date_field("at", FAST);
    schema.add_bytes_field("blob", FAST);
    schema.add_ip_addr_field("ip", FAST);
    schema.add_text_field("title", TEXT | STORED);
    schema.add_text_field("unkept", TEXT);
    schema.add_text_field("kept", STORED);
    schema.add_text_field("tag", STRING | FAST);
    let json: JsonObjectOptions = TEXT.into();
    schema.add_json_field("repo", json.set_fast("raw"));
    Index::create_in_ram(schema.build())
}

fn message(index: &Index, body: &str) -> String {
    let error = SearchRequest::from_json(body).and_then(|request| {
        request.bind(index)?;
        crate::needs::needs_of_sort(&request, &index.schema())?;
        request.check_fetch(index)?;
        let limits = ExpansionSettings::default();
        let now = request.moment();
        request.aggregated().bind(index, &limits, now).map(drop)
    });
    let Err(error) = error else {
        panic!("nothing wrong with {body}")
    };
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}");
    error.chain()
}

#[test]
fn a_wrong_body_is_told_exactly_what_is_wrong() {
    let index = index();
    for (body, expected) in BODIES {
        assert_eq!(message(&index, body), *expected, "{body}");
    }
    for (aggregation, expected) in AGGREGATIONS {
        let body = format!(r#"{{"aggs": {{"it": {aggregation}}}}}"#);
        assert_eq!(message(&index, &body), *expected, "{body}");
    }
}

#[test]
fn aggregations_are_bounded_in_depth_and_number() {
    let index = index();
    let nested = |levels: usize| {
        let open = r#"{"it": {"terms": {"field": "tag"}, "aggs": "#.repeat(levels);
        let close = "}}".repeat(levels);
        format!(r#"{{"aggs": {open}{{"most": {{"max": {{"field": "price"}}}}}}{close}}}"#)
    };
    assert!(SearchRequest::from_json(&nested(7)).is_ok());
    let error = message(&index, &nested(8));
    assert!(
        error.ends_with("aggregations nest deeper than 8"),
        "{error}"
    );
    let many = |count: usize| {
        let one = |number| format!(r#""a{number}": {{"max": {{"field": "price"}}}}"#);
        let all: Vec<String> = (0..count).map(one).collect();
        format!(r#"{{"aggs": {{{}}}}}"#, all.join(","))
    };
    assert!(SearchRequest::from_json(&many(1000)).is_ok());
    let error = message(&index, &many(1001));
    assert!(error.ends_with("more than 1000 aggregations"), "{error}");
}

#[test]
fn a_body_is_written_as_it_was_read() {
    for body in [
        r#"{"size": 0, "aggs": {"a": {"filter": {"term": {"tag": "x"}}, "aggs": {
            "b": {"range": {"field": "price", "ranges": [{"from": 1}]}}}},
            "c": {"composite": {"sources": [{"t": {"terms": {"field": "tag"}}}]}}}}"#,
        r#"{"aggs": {"a": {"missing": {"field": "tag"}, "aggregations": {
            "b": {"top_hits": {"sort": "price", "docvalue_fields": [{"field": "tag"}]}}}}}}"#,
        r#"{"sort": ["price", "_doc"], "search_after": [1.5, 7], "fields": ["p*",
            {"field": "at", "format": "epoch_millis"}], "docvalue_fields": ["tag"]}"#,
        r#"{"highlight": {"pre_tags": ["["], "fields": {"title": {"fragment_size": 9},
            "un*": {"post_tags": "]"}}}, "stored_fields": ["_none_"]}"#,
    ] {
        let request = SearchRequest::from_json(body).unwrap();
        let written = request.to_value().unwrap();
        let read = SearchRequest::from_value(&written).unwrap();
        assert_eq!(read.to_value().unwrap(), written);
        assert_eq!(read.fingerprint(), request.fingerprint());
    }
}

pub(super) const BODIES: &[(&str, &str)] = &[
    (
        r#"{"aggs": {}, "aggregations": {}}"#,
        "request: \"aggregations\" and \"aggs\" are the same: give one",
    ),
    (r#"{"aggs": []}"#, "aggs: expected an object, got an array"),
    (
        r#"{"aggregations": {"a": 1}}"#,
        "aggregations.a: expected an object, got a number",
    ),
    (
        r#"{"aggs": {"a[0]": {"max": {"field": "price"}}}}"#,
        "aggs.a[0]: a name has at least one character, and no \"[\", \"]\" or \">\"",
    ),
    (
        r#"{"search_after": [1]}"#,
        "search_after: it is a place in an order: give the \"sort\" too",
    ),
    (
        r#"{"sort": ["price"], "search_after": 1}"#,
        "search_after: expected an array, got a number",
    ),
    (
        r#"{"sort": ["price"], "search_after": [1, 2]}"#,
        "search_after: 2 values for a sort by 1 keys",
    ),
    (
        r#"{"sort": ["price"], "search_after": [1], "from": 2}"#,
        "search_after: with it \"from\" must be 0, got 2",
    ),
    (
        r#"{"sort": ["price"], "search_after": [{}]}"#,
        "search_after[0]: expected a value that a hit was sorted by, got an object",
    ),
    (
        r#"{"sort": ["price"], "search_after": ["x"]}"#,
        "search_after[0]: expected a number for a u64 field, got \"x\"",
    ),
    (
        r#"{"sort": ["at"], "search_after": ["yesterday"]}"#,
        "search_after[0]: expected a date or milliseconds since 1970 for a date field, got \
         \"yesterday\"",
    ),
    (
        r#"{"sort": ["ip"], "search_after": ["10.0.0"]}"#,
        "search_after[0]: expected an IP address for an IP address field, got \"10.0.0\"",
    ),
    (
        r#"{"sort": ["flag"], "search_after": [1]}"#,
        "search_after[0]: expected true or false for a bool field, got 1",
    ),
    (
        r#"{"sort": ["blob"], "search_after": ["xyz"]}"#,
        "search_after[0]: expected bytes in hexadecimal for a bytes field, got \"xyz\"",
    ),
    (
        r#"{"sort": ["tag"], "search_after": [5]}"#,
        "search_after[0]: expected a string for a text field, got 5",
    ),
    (
        r#"{"sort": ["_doc"], "search_after": [-5]}"#,
        "search_after[0]: expected a whole number from 0 for _doc, got -5",
    ),
    (
        r#"{"sort": ["_score"], "search_after": [null]}"#,
        "search_after[0]: expected a number for _score, got null",
    ),
    (
        r#"{"fields": "price"}"#,
        "fields: expected an array, got a string",
    ),
    (
        r#"{"fields": [1]}"#,
        "fields[0]: expected a field or an object, got a number",
    ),
    (
        r#"{"fields": [{"field": "price", "include_unmapped": true}]}"#,
        "fields[0]: unknown parameter \"include_unmapped\" (known: field, format)",
    ),
    (
        r#"{"fields": [{"format": "epoch_millis"}]}"#,
        "fields[0]: the parameter \"field\" is missing",
    ),
    (
        r#"{"docvalue_fields": [{"field": "at", "format": "yyyy"}]}"#,
        "docvalue_fields[0].format: unknown format \"yyyy\" (known: date_optional_time, \
         epoch_millis, strict_date_optional_time)",
    ),
    (
        r#"{"fields": [{"field": "price", "format": "epoch_millis"}]}"#,
        "fields[0].format: a u64 field has no date format",
    ),
    (
        r#"{"fields": ["nothing"]}"#,
        "fields[0]: unknown field \"nothing\"",
    ),
    (
        r#"{"fields": ["unkept"]}"#,
        "fields[0]: \"unkept\" is neither fast nor stored",
    ),
    (
        r#"{"docvalue_fields": ["title"]}"#,
        "fields[0]: \"title\" is not fast, so it has no column: make it fast, or name it in \
         \"fields\"",
    ),
    (
        r#"{"fields": ["repo"]}"#,
        "fields[0]: \"repo\" is a JSON field: name a path in it, like \"repo.key\"",
    ),
    (
        r#"{"stored_fields": ["title"]}"#,
        "stored_fields: only \"_none_\" is supported: name stored fields in \"_source\", \
         columns in \"fields\"",
    ),
    (
        r#"{"stored_fields": "_none_", "_source": true}"#,
        "stored_fields: \"_none_\" and \"_source\" exclude each other",
    ),
    (
        r#"{"_source": {"include": ["a"]}}"#,
        "_source: unknown parameter \"include\" (known: excludes, includes)",
    ),
    (
        r#"{"_source": {"includes": [1]}}"#,
        "_source.includes[0]: expected a string, got a number",
    ),
    (
        r#"{"highlight": {}}"#,
        "highlight: the parameter \"fields\" is missing",
    ),
    (
        r#"{"highlight": {"fields": {}}}"#,
        "highlight.fields: expected 1 to 100 fields, got 0",
    ),
    (
        r#"{"highlight": {"fields": "title"}}"#,
        "highlight.fields: expected an object or an array, got a string",
    ),
    (
        r#"{"highlight": {"fields": {"title": {"type": "plain"}}}}"#,
        "highlight.fields.title: unknown parameter \"type\" (known: fragment_size, \
         number_of_fragments, post_tags, pre_tags)",
    ),
    (
        r#"{"highlight": {"order": "score", "fields": {"title": {}}}}"#,
        "highlight: unknown parameter \"order\" (known: fields, fragment_size, \
         number_of_fragments, post_tags, pre_tags)",
    ),
    (
        r#"{"highlight": {"fields": {"title": {"fragment_size": 0}}}}"#,
        "highlight.fields.title.fragment_size: expected a whole number from 1, got 0",
    ),
    (
        r#"{"highlight": {"fields": {"title": {"number_of_fragments": 101}}}}"#,
        "highlight.fields.title.number_of_fragments: 101 fragments, more than 100",
    ),
    (
        r#"{"highlight": {"fields": {"title": {"number_of_fragments": -1}}}}"#,
        "highlight.fields.title.number_of_fragments: expected a whole number from 0, got -1",
    ),
    (
        r#"{"highlight": {"pre_tags": ["<a>", "<b>"], "fields": {"title": {}}}}"#,
        "highlight.pre_tags: expected one tag, got 2",
    ),
    (
        r#"{"highlight": {"fields": {"title": {"post_tags": 1}}}}"#,
        "highlight.fields.title.post_tags: expected a string, got a number",
    ),
    (
        r#"{"highlight": {"fields": {"price": {}}}}"#,
        "highlight.fields.price: expected a text field, got a u64 field",
    ),
    (
        r#"{"highlight": {"fields": {"unkept": {}}}}"#,
        "highlight.fields.unkept: \"unkept\" is not stored, so there is no text to show",
    ),
    (
        r#"{"highlight": {"fields": {"kept": {}}}}"#,
        "highlight.fields.kept: \"kept\" is not indexed, so no word of it is searched",
    ),
    (
        r#"{"highlight": {"fields": {"repo.name": {}}}}"#,
        "highlight.fields.repo.name: \"repo\" is not stored, so there is no text to show",
    ),
];

pub(super) const AGGREGATIONS: &[(&str, &str)] = &[
    (
        r#"{"range": {"field": "price", "ranges": []}}"#,
        "aggs.it.range.ranges: expected at least one range",
    ),
    (
        r#"{"terms": {"field": "tag", "size": 2147483647}}"#,
        "aggs.it.terms.size: expected a whole number up to 100000000, got 2147483647",
    ),
    (
        r#"{"composite": {"sources": [{"a": {"histogram": {"field": "price", "interval": 0}}}]}}"#,
        "aggs.it.composite.sources.a.interval: expected a number above 0, got 0",
    ),
    (
        r#"{}"#,
        "aggs.it: the kind is missing (known: avg, cardinality, composite, date_histogram, \
         extended_stats, filter, histogram, max, min, missing, multi_terms, percentiles, \
         range, stats, sum, terms, top_hits, value_count)",
    ),
    (
        r#"{"aggs": {}}"#,
        "aggs.it: the kind is missing (known: avg, cardinality, composite, date_histogram, \
         extended_stats, filter, histogram, max, min, missing, multi_terms, percentiles, \
         range, stats, sum, terms, top_hits, value_count)",
    ),
    (
        r#"{"aggs": {}, "aggregations": {}, "max": {"field": "price"}}"#,
        "aggs.it: \"aggregations\" and \"aggs\" are the same: give one",
    ),
    (
        r#"{"max": {"field": "price"}, "min": {"field": "price"}}"#,
        "aggs.it: expected one kind of aggregation, got \"max\" and \"min\"",
    ),
    (
        r#"{"median": {"field": "price"}}"#,
        "aggs.it.median: unknown aggregation (known: avg, cardinality, composite, \
         date_histogram, extended_stats, filter, histogram, max, min, missing, multi_terms, \
         percentiles, range, stats, sum, terms, top_hits, value_count)",
    ),
    (
        r#"{"max": {}}"#,
        "aggs.it.max: the parameter \"field\" is missing",
    ),
    (
        r#"{"max": {"field": 1}}"#,
        "aggs.it.max.field: expected a string, got a number",
    ),
    (
        r#"{"max": {"field": "nothing"}}"#,
        "aggs.it.max.field: unknown field \"nothing\"",
    ),
    (
        r#"{"max": {"field": "ratio"}}"#,
        "aggs.it.max.field: \"ratio\" is not fast, so nothing is computed of it: make it \
         fast",
    ),
    (
        r#"{"max": {"field": "tag"}}"#,
        "aggs.it.max.field: expected a field of numbers or dates, \"tag\" is a text field",
    ),
    (
        r#"{"max": {"field": "repo"}}"#,
        "aggs.it.max.field: \"repo\" is a JSON field: name a path in it, like \"repo.key\"",
    ),
    (
        r#"{"max": {"field": "price", "format": "0.0"}}"#,
        "aggs.it.max: unknown parameter \"format\" (known: field, missing)",
    ),
    (
        r#"{"max": {"field": "price"}, "aggs": {"a": {"min": {"field": "price"}}}}"#,
        "aggs.it: \"max\" takes no sub-aggregations",
    ),
    (
        r#"{"terms": {"field": "blob"}}"#,
        "aggs.it.terms.field: expected anything but bytes, \"blob\" is a bytes field",
    ),
    (
        r#"{"terms": {"field": "tag", "size": -1}}"#,
        "aggs.it.terms: invalid value: integer `-1`, expected u32",
    ),
    (
        r#"{"terms": {"field": "tag", "execution_hint": "map"}}"#,
        "aggs.it.terms: unknown parameter \"execution_hint\" (known: exclude, field, \
         include, min_doc_count, missing, order, segment_size, shard_size, \
         show_term_doc_count_error, size, split_size)",
    ),
    (
        r#"{"terms": {"field": "tag", "order": {"_key": "up"}}}"#,
        "aggs.it.terms: unknown variant `up`, expected `asc` or `desc`",
    ),
    (
        r#"{"cardinality": {"field": "tag", "precision_threshold": 100}}"#,
        "aggs.it.cardinality: unknown parameter \"precision_threshold\" (known: field, \
         missing)",
    ),
    (
        r#"{"histogram": {"field": "price", "interval": 0}}"#,
        "aggs.it.histogram.interval: expected a number above 0, got 0",
    ),
    (
        r#"{"histogram": {"field": "price"}}"#,
        "aggs.it.histogram: the parameter \"interval\" is missing",
    ),
    (
        r#"{"histogram": {"field": "price", "interval": 1, "extended_bounds": {"min": 0, "max": 1e12}}}"#,
        "aggs.it.histogram.extended_bounds: more than 65536 buckets",
    ),
    (
        r#"{"histogram": {"field": "price", "interval": 1, "extended_bounds": {"min": 9, "max": 1}}}"#,
        "aggs.it.histogram.extended_bounds: expected min up to max, got 9 and 1",
    ),
    (
        r#"{"histogram": {"field": "price", "interval": 1, "hard_bounds": {"min": 0, "max": 5},
            "extended_bounds": {"min": 0, "max": 9}}}"#,
        "aggs.it.histogram.extended_bounds: they reach beyond the hard bounds",
    ),
    (
        r#"{"histogram": {"field": "price", "interval": 1, "min_doc_count": 1,
            "extended_bounds": {"min": 0, "max": 9}}}"#,
        "aggs.it.histogram.min_doc_count: with \"extended_bounds\" it is 0: empty buckets \
         are asked for",
    ),
    (
        r#"{"histogram": {"field": "price", "interval": 1, "hard_bounds": {"min": 0}}}"#,
        "aggs.it.histogram.hard_bounds: the parameter \"max\" is missing",
    ),
    (
        r#"{"date_histogram": {"field": "at", "calendar_interval": "month"}}"#,
        "aggs.it.date_histogram: unknown parameter \"calendar_interval\" (known: \
         extended_bounds, field, fixed_interval, hard_bounds, keyed, min_doc_count, offset)",
    ),
    (
        r#"{"date_histogram": {"field": "at", "fixed_interval": "1y"}}"#,
        "aggs.it.date_histogram.fixed_interval: expected a whole number of ms, s, m, h or \
         d, like \"1d\", got \"1y\"",
    ),
    (
        r#"{"date_histogram": {"field": "at", "fixed_interval": "1d", "offset": "noon"}}"#,
        "aggs.it.date_histogram.offset: expected a whole number of ms, s, m, h or d, like \
         \"-6h\", got \"noon\"",
    ),
    (
        r#"{"date_histogram": {"field": "price", "fixed_interval": "1d"}}"#,
        "aggs.it.date_histogram.field: expected a date field, \"price\" is a u64 field",
    ),
    (
        r#"{"range": {"field": "price", "ranges": 5}}"#,
        "aggs.it.range.ranges: expected an array, got a number",
    ),
    (
        r#"{"range": {"field": "price", "ranges": [{"below": 5}]}}"#,
        "aggs.it.range.ranges[0]: unknown parameter \"below\" (known: from, key, to)",
    ),
    (
        r#"{"percentiles": {"field": "price", "percents": [101]}}"#,
        "aggs.it.percentiles.percents: expected numbers from 0 to 100, got 101",
    ),
    (
        r#"{"filter": "title:sea"}"#,
        "aggs.it.filter: expected an object, got a string",
    ),
    (
        r#"{"filter": {"term": {"nothing": 1}}}"#,
        "aggs.it.filter.term.nothing: unknown field \"nothing\"",
    ),
    (
        r#"{"missing": {"field": "title"}}"#,
        "aggs.it.missing.field: \"title\" is not fast, so nothing is computed of it: make \
         it fast",
    ),
    (
        r#"{"multi_terms": {"terms": []}}"#,
        "aggs.it.multi_terms.terms: expected at least one field",
    ),
    (
        r#"{"multi_terms": {"terms": [{"field": "tag", "format": "x"}]}}"#,
        "aggs.it.multi_terms.terms[0]: unknown parameter \"format\" (known: field, missing)",
    ),
    (
        r#"{"composite": {"sources": []}}"#,
        "aggs.it.composite.sources: expected at least one source",
    ),
    (
        r#"{"composite": {"sources": [{"a": {"geotile_grid": {"field": "tag"}}}]}}"#,
        "aggs.it.composite.sources[0].a.geotile_grid: unknown source (known: \
         date_histogram, histogram, terms)",
    ),
    (
        r#"{"composite": {"sources": [{"a": {"terms": {"field": "tag"}}}], "size": 0}}"#,
        "aggs.it.composite.size: expected a whole number from 1 to 65536, got 0",
    ),
    (
        r#"{"composite": {"sources": [{"a": {"terms": {"field": "tag"}}}], "after": {"b": "str:x"}}}"#,
        "aggs.it.composite.after: no source is named \"b\"",
    ),
    (
        r#"{"composite": {"sources": [{"a": {"date_histogram": {"field": "at"}}}]}}"#,
        "aggs.it.composite.sources[0].a.date_histogram: expected one of \
         \"calendar_interval\" and \"fixed_interval\"",
    ),
    (
        r#"{"terms": {"field": "tag"}, "aggs": {"c": {"composite": {
            "sources": [{"a": {"terms": {"field": "tag"}}}]}}}}"#,
        "aggs.it.aggs.c: \"composite\" cannot be a sub-aggregation",
    ),
    (
        r#"{"top_hits": {"size": 3}}"#,
        "aggs.it.top_hits: the parameter \"sort\" is missing",
    ),
    (
        r#"{"top_hits": {"sort": ["price"], "size": 101}}"#,
        "aggs.it.top_hits.size: from + size is 101, expected 1 to 100",
    ),
    (
        r#"{"top_hits": {"sort": [{"price": "up"}]}}"#,
        "aggs.it.top_hits: unknown variant `up`, expected `asc` or `desc`",
    ),
    (
        r#"{"top_hits": {"sort": ["price"], "_source": false}}"#,
        "aggs.it.top_hits: unknown parameter \"_source\" (known: docvalue_fields, from, \
         size, sort)",
    ),
    (
        r#"{"top_hits": {"sort": ["tag"]}}"#,
        "aggs.it.top_hits.sort: expected a field of numbers or dates, \"tag\" is a text \
         field",
    ),
];
