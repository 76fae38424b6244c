//! Each clause's needs: all of what it reads, and no more.

use serde_json::{Value, json};
use tantivy::query::{AllQuery, BooleanQuery, ConstScoreQuery, Occur, Query, TermQuery};
use tantivy::schema::{FAST, INDEXED, IndexRecordOption, JsonObjectOptions, STRING, Schema, TEXT};
use tantivy::{Index, Term};

use crate::filter::{Clause, ExpansionSettings, Filter, SearchRequest, Sort};
use crate::needs::{Need, Purpose, TermReads, needs_of, needs_of_sort};

fn index() -> Index {
    let mut schema = Schema::builder();
    schema.add_text_field("title", TEXT);
    schema.add_text_field("word", STRING | FAST);
    schema.add_u64_field("n", INDEXED);
    schema.add_u64_field("n_fast", FAST);
    schema.add_json_field("repo", JsonObjectOptions::from(TEXT | FAST));
    Index::create_in_ram(schema.build())
}

fn shown(needs: Vec<Need>, schema: &Schema) -> Vec<String> {
    needs
        .iter()
        .map(|need| match need {
            Need::Collector(_) => "collector".to_owned(),
            Need::Column {
                name,
                types,
                subpaths,
            } => {
                let below = if *subpaths { " and below" } else { "" };
                match types {
                    None => format!("column {name}{below}"),
                    Some(types) => format!("column {name}{below} {types:?}"),
                }
            }
            Need::Norms { field } => format!("norms {}", schema.get_field_name(*field)),
            Need::Opaque { scored, .. } => format!("opaque scored={scored}"),
            Need::Term { term, reads } => {
                let name = schema.get_field_name(term.field());
                let reads = match reads {
                    TermReads::Count => " counted",
                    TermReads::Matching => " matched",
                    TermReads::Postings => "",
                    TermReads::Positions => " with positions",
                };
                format!(
                    "term {name}:{}{reads}",
                    term.serialized_value_bytes().escape_ascii()
                )
            }
            Need::Expansion {
                field,
                expansion,
                positions,
                first,
            } => {
                let positions = if *positions { " with positions" } else { "" };
                let first = first.map_or(String::new(), |first| format!(" first {first}"));
                let name = schema.get_field_name(*field);
                format!("terms {name} {expansion:?}{positions}{first}")
            }
            Need::Whole(whole) => format!("all of {whole:?}"),
        })
        .collect()
}

fn purpose(scored: bool) -> Purpose {
    Purpose {
        scored,
        counted: false,
        labelled: false,
    }
}

fn needs(clause: Value, scored: bool) -> Vec<String> {
    let index = index();
    let bound = Filter::from(Clause::from_value(&clause).unwrap())
        .bind(&index, "query")
        .unwrap();
    shown(
        needs_of(&bound, purpose(scored), &index.schema()).needs,
        &index.schema(),
    )
}

fn opaque(query: impl Query, scored: bool) -> Vec<String> {
    let index = index();
    let bound = Filter::query(Box::new(query))
        .bind(&index, "query")
        .unwrap();
    shown(
        needs_of(&bound, purpose(scored), &index.schema()).needs,
        &index.schema(),
    )
}

#[test]
fn norms_are_needed_where_scores_are() {
    let term = json!({"term": {"title": "a"}});
    assert_eq!(needs(term.clone(), true), ["term title:a", "norms title"]);
    assert_eq!(needs(term.clone(), false), ["term title:a matched"]);
    assert_eq!(
        needs(json!({"bool": {"filter": term}}), true),
        ["term title:a matched"]
    );
    assert_eq!(
        needs(json!({"bool": {"must_not": term}}), true),
        ["term title:a matched"]
    );
    assert_eq!(
        needs(json!({"terms": {"title": ["a"]}}), true),
        ["term title:a"]
    );
    assert_eq!(
        needs(json!({"bool": {"must": term}}), true),
        ["term title:a", "norms title"]
    );
    let nested = json!({"bool": {"filter": {"bool": {"must": term, "should": {"exists": {"field": "word"}}}}}});
    assert_eq!(needs(nested, true), ["term title:a matched"]);
    assert_eq!(
        needs(json!({"constant_score": {"filter": term}}), true),
        ["term title:a matched"]
    );
    let best = json!({"dis_max": {"queries": [term, {"exists": {"field": "word"}}]}});
    assert_eq!(
        needs(best.clone(), true),
        ["term title:a", "norms title", "column word"]
    );
    assert_eq!(
        needs(json!({"bool": {"must_not": best}}), true),
        ["term title:a matched", "column word"]
    );
    // Numbers have norms unless the schema says otherwise; JSON has none.
    assert_eq!(
        needs(json!({"term": {"n": 1}}), true).last().unwrap(),
        "norms n"
    );
    assert_eq!(
        needs(json!({"term": {"repo.x": "a"}}), true),
        ["term repo:x\\x00sa"]
    );
}

#[test]
fn positions_are_needed_for_phrases() {
    assert_eq!(
        needs(json!({"match_phrase": {"title": "a b a"}}), false),
        ["term title:a with positions", "term title:b with positions"]
    );
    assert_eq!(
        needs(json!({"match_phrase": {"title": "a"}}), false),
        ["term title:a matched"]
    );
    let both =
        json!({"bool": {"filter": [{"term": {"title": "a"}}, {"match_phrase": {"title": "a b"}}]}});
    assert_eq!(
        needs(both, false),
        ["term title:a with positions", "term title:b with positions"]
    );
}

#[test]
fn each_clause_needs_what_it_reads() {
    let none: [&str; 0] = [];
    assert_eq!(needs(json!({"match_all": {}}), true), none);
    assert_eq!(needs(json!({"terms": {"n": []}}), true), none);
    assert_eq!(
        needs(json!({"range": {"n": {"gt": 2, "lt": 2}}}), true),
        none
    );
    assert_eq!(
        needs(
            json!({"bool": {"must": [{"term": {"n": 1}}, {"match_none": {}}]}}),
            true
        ),
        none
    );
    // Ids are counted, not read.
    assert_eq!(needs(json!({"ids": {"values": ["0:1", "x"]}}), true), none);
    assert_eq!(
        needs(json!({"wildcard": {"word": "ab*"}}), true),
        needs(json!({"prefix": {"word": "ab"}}), true)
    );
    assert_eq!(
        needs(json!({"wildcard": {"title": "ab"}}), true),
        ["term title:ab"]
    );
    assert_eq!(
        needs(json!({"wildcard": {"word": "a?"}}), true),
        [r#"terms word regex (?s:.) after "a""#]
    );
    assert_eq!(
        needs(json!({"regexp": {"repo.x": "ab+"}}), true),
        [r#"terms repo regex (?:b){1,} after "x\x00sa""#]
    );
    assert_eq!(
        needs(
            json!({"fuzzy": {"title": {"value": "quick", "prefix_length": 1}}}),
            true
        ),
        [r#"terms title "uick" within 1 after "q""#]
    );
    assert_eq!(
        needs(
            json!({"term": {"word": {"value": "a1", "case_insensitive": true}}}),
            true
        ),
        [r#"terms word regex [Aa]1 after """#]
    );
    assert_eq!(
        needs(
            json!({"term": {"title": {"value": "10", "case_insensitive": true}}}),
            true
        ),
        ["term title:10", "norms title"]
    );
    assert_eq!(
        needs(json!({"exists": {"field": "repo"}}), true),
        ["column repo and below"]
    );
    assert_eq!(
        needs(json!({"prefix": {"word": "a\u{7f}"}}), true),
        [r"terms word [a\x7f, a\x80["]
    );
    assert_eq!(
        needs(json!({"range": {"repo.x": {"gte": 1}}}), true),
        ["column repo.x [I64, U64, F64]"]
    );
    assert_eq!(
        needs(json!({"term": {"n_fast": 1}}), true),
        ["column n_fast [U64]"]
    );
    assert_eq!(
        needs(json!({"range": {"n": {"lte": 1}}}), true),
        [r"terms n [\x00\x00\x00\x00\x00\x00\x00\x00, \x00\x00\x00\x00\x00\x00\x00\x01]"]
    );
    assert_eq!(
        needs(
            json!({"query_string": {"query": "a -word:b", "fields": ["title"]}}),
            true
        ),
        ["term title:a", "norms title", "term word:b matched"]
    );
}

#[test]
fn texts_need_what_their_words_do() {
    let none: [&str; 0] = [];
    let text = |clause: &str, more: Value| {
        let mut body = json!({"query": "a b"});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let fields = more.get("fields").is_some();
        let body = if fields {
            body
        } else {
            json!({ "title": body })
        };
        needs(json!({ clause: body }), true)
    };
    assert_eq!(
        text("match", json!({"fuzziness": 0})),
        ["term title:a", "norms title", "term title:b"]
    );
    assert_eq!(text("match", json!({"minimum_should_match": 3})), none);
    // What scores 1 needs no norms.
    assert_eq!(
        text("match", json!({"fuzziness": 1})).len(),
        2,
        "two automata"
    );
    assert_eq!(
        text("match_bool_prefix", json!({})),
        ["term title:a", "norms title", "terms title [b, c["]
    );
    assert_eq!(
        text("match_phrase_prefix", json!({})),
        [
            "term title:a with positions",
            "norms title",
            "terms title [b, c[ with positions first 50"
        ]
    );
    assert_eq!(
        text(
            "match_phrase_prefix",
            json!({"query": "a b c", "max_expansions": 7})
        ),
        [
            "term title:a with positions",
            "norms title",
            "term title:b with positions",
            "terms title [c, d[ with positions first 7"
        ]
    );
    assert_eq!(
        text("multi_match", json!({"fields": ["title^2", "word"]})),
        [
            "term title:a",
            "norms title",
            "term title:b",
            "term word:a b",
            "norms word"
        ]
    );
    assert_eq!(
        text(
            "simple_query_string",
            json!({"query": "a + -\"a b\"", "fields": ["title"]})
        ),
        [
            "term title:a with positions",
            "norms title",
            "term title:b with positions"
        ]
    );
}

#[test]
fn queries_of_tantivy_are_taken_apart() {
    let schema = index().schema();
    let term = |name: &str, text: &str| {
        let term = Term::from_field_text(schema.get_field(name).unwrap(), text);
        TermQuery::new(term, IndexRecordOption::WithFreqs)
    };
    let boolean = BooleanQuery::new(vec![
        (Occur::Must, Box::new(term("title", "a")) as Box<dyn Query>),
        (Occur::MustNot, Box::new(term("word", "b"))),
        (Occur::Should, Box::new(AllQuery)),
    ]);
    // tantivy scores what must not match, too.
    // A term of a field with positions is probed as well: it does not tell whether it reads them.
    let expected = [
        "term title:a",
        "norms title",
        "opaque scored=true",
        "term word:b",
        "norms word",
    ];
    assert_eq!(opaque(boolean.clone(), true), expected);
    assert_eq!(opaque(Box::new(boolean) as Box<dyn Query>, true), expected);
    let number = Term::from_field_u64(schema.get_field("n_fast").unwrap(), 1);
    let number = TermQuery::new(number, IndexRecordOption::Basic);
    assert_eq!(opaque(number, false), ["column n_fast [I64, U64, F64]"]);
    // What cannot be seen is probed, after the terms it admits to.
    let constant = ConstScoreQuery::new(Box::new(term("title", "a")), 1.0);
    assert_eq!(
        opaque(constant, true),
        ["term title:a", "opaque scored=true"]
    );
    let ours = Filter::from(Clause::terms("word", ["b", "a"]))
        .bind(&index(), "query")
        .unwrap();
    assert_eq!(
        opaque(ours.query(&ExpansionSettings::default()), true),
        ["term word:a", "term word:b"]
    );
}

#[test]
fn sorts_need_their_columns() {
    let schema = index().schema();
    let sorts = [
        Sort::by("n_fast"),
        Sort::score(),
        Sort::by("repo.x"),
        Sort::by("n_fast"),
    ];
    let request = SearchRequest::new(Clause::match_all()).sort(sorts);
    let needs = shown(needs_of_sort(&request, &schema).unwrap(), &schema);
    assert_eq!(needs, ["column n_fast", "column repo.x"]);
    assert!(needs_of_sort(&request.size(0), &schema).unwrap().is_empty());
}
