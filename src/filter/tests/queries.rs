//! What clauses match, against the model.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use tantivy::collector::{Count, DocSetCollector, TopDocs};
use tantivy::query::Query;
use tantivy::{DocAddress, Index, Searcher};

use crate::filter::ExpansionSettings;
use crate::filter::tests::model::{self, DOCS, document, facet_matches, matches};
use crate::filter::tests::strategy::clauses;
use crate::filter::{Clause, Filter, Fuzziness};

pub(super) struct Corpus {
    pub(super) index: Index,
    searcher: Searcher,
    docs: Vec<Value>,
}

pub(super) static CORPUS: LazyLock<Corpus> = LazyLock::new(|| {
    let index = model::index();
    let searcher = index.reader().unwrap().searcher();
    assert_eq!(searcher.segment_readers().len(), 3);
    let mut docs: Vec<Value> = (0..DOCS).map(document).collect();
    for (segment, reader) in searcher.segment_readers().iter().enumerate() {
        let ids = reader.fast_fields().u64("id").unwrap();
        for doc in 0..reader.max_doc() {
            let id = usize::try_from(ids.first(doc).unwrap()).unwrap();
            docs[id]["_id"] = json!(format!("{segment}:{doc}"));
        }
    }
    Corpus {
        index,
        searcher,
        docs,
    }
});

pub(super) fn query(clause: &Clause) -> Box<dyn Query> {
    Filter::from(clause.clone())
        .bind_at(&CORPUS.index, "query", model::now())
        .unwrap()
        .query(&ExpansionSettings::default())
}

fn ids(addresses: impl IntoIterator<Item = DocAddress>) -> BTreeSet<u64> {
    let id = |address: DocAddress| {
        let reader = CORPUS.searcher.segment_reader(address.segment_ord);
        reader
            .fast_fields()
            .u64("id")
            .unwrap()
            .first(address.doc_id)
            .unwrap()
    };
    addresses.into_iter().map(id).collect()
}

/// The ids of what a query finds, which are the same whether it is scored, counted or neither.
pub(super) fn found(query: &dyn Query) -> BTreeSet<u64> {
    let searcher = &CORPUS.searcher;
    let unscored = ids(searcher.search(query, &DocSetCollector).unwrap());
    let top = searcher
        .search(query, &TopDocs::with_limit(1_000).order_by_score())
        .unwrap();
    let scored = ids(top.iter().map(|(_, address)| *address));
    assert_eq!(scored, unscored, "scored differs: {query:?}");
    assert_eq!(searcher.search(query, &Count).unwrap(), unscored.len());
    for (score, address) in top.iter().take(3) {
        let explained = query.explain(searcher, *address).unwrap().value();
        assert!(
            (explained - score).abs() <= score.abs() * 1e-4,
            "{score} {explained} {query:?}"
        );
    }
    unscored
}

/// The ids of what a clause finds; `None` if it does not fit the schema.
pub(super) fn matching(clause: &Clause) -> Option<BTreeSet<u64>> {
    let filter = Filter::from(clause.clone());
    let bound = filter.bind_at(&CORPUS.index, "query", model::now()).ok()?;
    Some(found(bound.query(&ExpansionSettings::default()).as_ref()))
}

pub(super) fn expected(test: impl Fn(&Value) -> bool) -> BTreeSet<u64> {
    (0..)
        .zip(&CORPUS.docs)
        .filter(|(_, doc)| test(doc))
        .map(|(id, _)| id)
        .collect()
}

pub(super) fn scores(clause: impl Into<Clause>) -> BTreeSet<String> {
    let query = query(&clause.into());
    let top = CORPUS
        .searcher
        .search(&query, &TopDocs::with_limit(1_000).order_by_score());
    top.unwrap()
        .iter()
        .map(|(score, _)| score.to_string())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn clauses_match_what_the_model_says(clause in clauses()) {
        let expected = expected(|doc| matches(&clause, doc));
        prop_assert_eq!(found(query(&clause).as_ref()), expected, "{}", clause.to_value());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn matches_that_score_alike_have_one_score(clause in clauses(), other in clauses()) {
        let all: [Clause; 3] = [
            clause.clone(),
            Clause::bool().filter(clause.clone()).must_not(other).boost(2.5).into(),
            Clause::constant_score(clause).boost(0.5).into(),
        ];
        for clause in all {
            if clause.scores_alike() {
                prop_assert!(scores(clause.clone()).len() <= 1, "{}", clause.to_value());
            }
        }
    }
}

#[test]
fn every_kind_of_clause_finds_something_and_not_everything() {
    // Otherwise the property above would be about nothing.
    for clause in [
        json!({"term": {"json.mixed": "oak"}}),
        json!({"term": {"json_fast.dot\\.key": "ash"}}),
        json!({"term": {"json_dots.dot.key": "ash"}}),
        json!({"range": {"json_fast.mixed": {"gte": 1, "lt": 2.5}}}),
        json!({"range": {"json.mixed": {"gte": -1, "lte": u64::MAX}}}),
        json!({"range": {"json.when": {"gt": "2024-01-01"}}}),
        json!({"range": {"json_fast.when": {"gt": "2024-01-01"}}}),
        json!({"term": {"bool_fast": true}}),
        json!({"range": {"ip": {"gt": "10.0.0.1", "lte": "10.1.0.0"}}}),
        json!({"terms": {"bytes_fast": ["YQ==", "/w=="]}}),
        json!({"range": {"i64": {"gt": 1.5, "lte": 10}}}),
        json!({"term": {"date": "2024-01-01"}}),
        json!({"term": {"date_fast": "2024-01-01"}}),
        json!({"match_phrase": {"text": "alder ash"}}),
        json!({"prefix": {"json_fast.mixed": "as"}}),
        json!({"exists": {"field": "json_fast"}}),
        json!({"fuzzy": {"json.mixed": {"value": "aok", "fuzziness": 1}}}),
        json!({"fuzzy": {"text": "aldre"}}),
        json!({"fuzzy": {"word_fast": {"value": "oka", "prefix_length": 1}}}),
        json!({"ids": {"values": ["0:0", "2:79"]}}),
        json!({"prefix": {"word": {"value": "AS", "case_insensitive": true}}}),
        json!({"regexp": {"json_fast.mixed": "[a-o].*k"}}),
        json!({"regexp": {"json.mixed": "[a-o].*k"}}),
        json!({"regexp": {"text": "a.+"}}),
        json!({"regexp": {"word_fast": "(elm|ash)(en)?"}}),
        json!({"term": {"json.mixed": {"value": "OAK", "case_insensitive": true}}}),
        json!({"wildcard": {"json_dots.dot.key": "*s?*"}}),
        json!({"wildcard": {"tags": "?l*"}}),
        json!({"wildcard": {"word_fast": {"value": "?L*", "case_insensitive": true}}}),
        json!({"exists": {"field": "facet"}}),
    ] {
        let clause = Clause::from_value(&clause).unwrap();
        let found = found(query(&clause).as_ref()).len();
        assert!(
            0 < found && found < CORPUS.docs.len(),
            "{found}: {}",
            clause.to_value()
        );
    }
}

#[test]
fn facets_match_what_is_below_them() {
    for facet in ["/tree", "/tree/oak", "/treetop", "/tre"] {
        let clause = Clause::term("facet", facet).into();
        assert_eq!(
            found(query(&clause).as_ref()),
            expected(|doc| facet_matches(doc, facet))
        );
    }
}

#[test]
fn dates_of_a_json_path_are_compared_with_arithmetic() {
    let since = |bound: &str| {
        json!({"bool": {"must": [
            {"range": {"json_fast.when": {"gte": bound}}},
            {"range": {"json.when": {"gte": bound}}},
        ]}})
    };
    let found = |clause: &Value| {
        let clause = Clause::from_value(clause).unwrap();
        found(query(&clause).as_ref())
    };
    // It is 2024-01-31T08:00Z.
    assert_eq!(
        found(&since("now-30d/d")),
        found(&since("2024-01-01T00:00:00Z"))
    );
    assert_eq!(
        found(&since("2024-01-30||+1d")),
        found(&since("2024-01-31T00:00:00Z"))
    );
    assert!(found(&since("now-30d/d")).len() > found(&since("now/d")).len());
    let zoned = |zone: &str| {
        let bounds = json!({"gte": "2024-01-01", "time_zone": zone});
        found(&json!({"range": {"json.when": bounds}})).len()
    };
    assert!(zoned("-06:00") < zoned("+06:00"));
}

#[test]
fn scores_are_those_of_elasticsearch() {
    let term = || Clause::term("word", "oak");
    let set = |scores: &[f32]| scores.iter().map(f32::to_string).collect::<BTreeSet<_>>();
    assert_eq!(scores(Clause::match_all()), set(&[1.0]));
    assert_eq!(scores(Clause::match_all().boost(2.5)), set(&[2.5]));
    assert_eq!(scores(Clause::bool()), set(&[1.0]));
    assert_eq!(scores(Clause::bool().filter(term())), set(&[0.0]));
    assert_eq!(scores(Clause::bool().must_not(term())), set(&[0.0]));
    assert_eq!(
        scores(Clause::terms("word", ["oak", "elm"]).boost(3.0)),
        set(&[3.0])
    );
    assert_eq!(scores(Clause::prefix("word", "a").boost(3.0)), set(&[3.0]));
    for clause in [
        Clause::from(Clause::ids(["0:0", "1:7"])),
        Clause::prefix("word", "OA").case_insensitive(true).into(),
        Clause::regexp("word", "oak|elm").into(),
        Clause::term("word", "OAK").case_insensitive(true).into(),
        Clause::fuzzy("word", "oka").into(),
        Clause::fuzzy("word", "oak")
            .fuzziness(Fuzziness::Edits(0))
            .into(),
        Clause::wildcard("word", "oak").into(),
        Clause::wildcard("word", "o?k").into(),
        Clause::wildcard("word_fast", "o?k").into(),
    ] {
        assert_eq!(scores(clause.boost(3.0)), set(&[3.0]));
    }
    assert_eq!(scores(Clause::range("i64").gt(0)), set(&[1.0]));
    assert_eq!(
        scores(Clause::range("i64_fast").gt(0).boost(0.5)),
        set(&[0.5])
    );
    assert_eq!(scores(Clause::exists("tags")), set(&[1.0]));
    assert_eq!(scores(Clause::term("word_fast", "oak")), set(&[1.0]));
    assert_eq!(
        scores(Clause::constant_score(term()).boost(1.5)),
        set(&[1.5])
    );
    let best = |tie_breaker| {
        Clause::dis_max()
            .query(Clause::constant_score(term()).boost(3.0))
            .query(Clause::match_all().boost(2.0))
            .tie_breaker(tie_breaker)
    };
    assert_eq!(scores(best(0.0)), set(&[3.0, 2.0]));
    assert_eq!(scores(best(0.5).boost(2.0)), set(&[8.0, 4.0]));
    assert_eq!(scores(Clause::bool().filter(best(0.5))), set(&[0.0]));
    // Nothing of a score is lost in a combination, not even of what matches everything.
    let both = Clause::bool()
        .must(Clause::match_all())
        .must(Clause::terms("word", ["oak"]));
    assert_eq!(scores(both.clone()), set(&[2.0]));
    assert_eq!(scores(both.boost(2.0)), set(&[4.0]));
    let optional = Clause::bool()
        .filter(term())
        .should(Clause::match_all())
        .should(Clause::exists("id"));
    assert_eq!(scores(optional), set(&[2.0]));
}

#[test]
fn query_string_binds_like_the_clauses_it_stands_for() {
    let cases = [
        ("oak", json!({"match": {"text": "oak"}})),
        (
            "text:oak AND word:elm",
            json!({"bool": {"must": [
            {"match": {"text": "oak"}}, {"term": {"word": "elm"}}]}}),
        ),
        (
            "text:\"alder ash\"",
            json!({"match_phrase": {"text": "alder ash"}}),
        ),
        (
            "-text:oak",
            json!({"bool": {"must_not": {"match": {"text": "oak"}}}}),
        ),
        (
            "text:oak -word:elm",
            json!({"bool": {
            "should": {"match": {"text": "oak"}}, "must_not": {"term": {"word": "elm"}}}}),
        ),
        (
            "text:oak OR (word:elm AND (NOT word:elm))",
            json!({"match": {"text": "oak"}}),
        ),
        (
            "i64:[0 TO 10}",
            json!({"range": {"i64": {"gte": 0, "lt": 10}}}),
        ),
        ("i64:>1", json!({"range": {"i64": {"gt": 1}}})),
        (
            "json_fast.mixed:[1 TO 2.5]",
            json!({"range": {"json_fast.mixed": {"gte": "1", "lte": "2.5"}}}),
        ),
        (
            "text:[ASH TO ELM]",
            json!({"range": {"text": {"gte": "ash", "lte": "elm"}}}),
        ),
        (
            "word: IN [oak elm]",
            json!({"terms": {"word": ["oak", "elm"]}}),
        ),
        ("tags:*", json!({"exists": {"field": "tags"}})),
        ("*", json!({"match_all": {}})),
        ("+text:oak +text:\"!?\"", json!({"match": {"text": "oak"}})),
        (
            "+text:oak +date:\"1500-01-01T00:00:00Z\"",
            json!({"match_none": {}}),
        ),
        ("text:\"!?\"", json!({"match_none": {}})),
        ("json.mixed:10", json!({"term": {"json.mixed": "10"}})),
    ];
    for (text, clause) in cases {
        let clause = Clause::from_value(&clause).unwrap();
        let string = Clause::query_string(text).fields(["text"]).into();
        assert_eq!(
            found(query(&string).as_ref()),
            found(query(&clause).as_ref()),
            "{text}"
        );
    }
    let and = Clause::query_string("alder ash")
        .fields(["text^2", "word"])
        .default_operator(crate::filter::Operator::And);
    let expected = expected(|doc| {
        let word = |word: &str| {
            matches(&Clause::match_text("text", word).into(), doc)
                || matches(&Clause::term("word", word).into(), doc)
        };
        word("alder") && word("ash")
    });
    assert_eq!(found(query(&and.into()).as_ref()), expected);
}

#[test]
fn hostile_query_strings_end_soon() {
    let started = std::time::Instant::now();
    let texts = [
        format!("{}a{}", "(".repeat(64), ")".repeat(64)),
        "(".repeat(64),
        "-".repeat(60_000),
        "+".repeat(60_000),
        "a ".repeat(30_000),
        "a:".repeat(30_000),
        "\"".repeat(60_001),
        "NOT ".repeat(15_000),
        "(NOT NOT NOT NOT ".repeat(64),
        format!("{}a{}", "(NOT NOT NOT NOT ".repeat(64), ")".repeat(64)),
        format!("{}a{}", "text:(a OR ".repeat(64), ")".repeat(64)),
        "a AND ".repeat(10_000),
        "[".repeat(60_000),
        "a^".repeat(30_000),
        "text:a^1e300".to_owned(),
        "\\".repeat(60_001),
    ];
    for text in texts {
        let clause = Clause::query_string(text.clone()).fields(["text"]);
        // Either is fine, as long as it ends.
        let _ = Filter::from(clause).bind(&CORPUS.index, "query");
        eprintln!("{:>6} ms {}", started.elapsed().as_millis(), &text[..12]);
    }
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn a_number_of_a_json_path_is_intersected_by_score() {
    let clause = Clause::from_value(&json!({"bool": {"must": [
        {"match": {"text": "ashen"}},
        {"term": {"json.mixed": -7}},
    ]}}))
    .unwrap();
    assert_eq!(
        found(query(&clause).as_ref()),
        expected(|doc| matches(&clause, doc))
    );
}
