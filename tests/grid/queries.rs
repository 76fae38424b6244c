//! Any query of tantivy, and of the caller's, is given what it reads.

use std::ops::Bound;
use std::time::{Duration, UNIX_EPOCH};

use forewarm::{Clause, Filter, SearchRequest, Sort, SourceFilter, TrackTotalHits};
use tantivy::collector::Count;
use tantivy::query::{
    BitSetDocSet, BooleanQuery, BoostQuery, ConstScoreQuery, ConstScorer, DisjunctionMaxQuery,
    EnableScoring, ExistsQuery, Explanation, FuzzyTermQuery, Occur, PhrasePrefixQuery, PhraseQuery,
    Query, RangeQuery, RegexQuery, Scorer, TermQuery, TermSetQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, TERMINATED, Term};

use crate::collectors::CORPUS;
use crate::expected::{assert_best, assert_total};
use crate::random::{RUNTIME, search_thrice};

fn field(name: &str) -> Field {
    CORPUS.corpus.ram.schema().get_field(name).unwrap()
}

fn text(name: &str, text: &str) -> Term {
    Term::from_field_text(field(name), text)
}

fn term(name: &str, word: &str) -> Box<dyn Query> {
    let record = IndexRecordOption::WithFreqs;
    Box::new(TermQuery::new(text(name, word), record))
}

/// Asserts that a query answers in strict mode as in memory; answers how many match.
fn assert_answers(query: Box<dyn Query>) -> usize {
    let corpus = &CORPUS.corpus;
    let matches = corpus.ram.search(&query, &Count).unwrap();
    let filter = Filter::from(query);
    for request in [
        SearchRequest::new(filter.clone()),
        SearchRequest::new(filter.clone())
            .size(500)
            .from(1)
            .track_total_hits(TrackTotalHits::Not),
        SearchRequest::new(filter.clone()).size(0),
        SearchRequest::new(filter.clone()).sort([Sort::by("nu").descending()]),
    ] {
        let found = search_thrice(&corpus.store, &corpus.addresses, &request);
        let response = RUNTIME.block_on(found);
        assert_total(&response, &request, matches);
        if request.hits_wanted() > 0 && request.sorts().is_empty() {
            assert_best(&response, &request, corpus);
        }
    }
    matches
}

#[test]
fn queries_of_tantivy_answer_as_in_memory() {
    let u64_term = |name: &str, value| Term::from_field_u64(field(name), value);
    let range = |name: &str| {
        let (lower, upper) = (u64_term(name, 2), u64_term(name, 9));
        Box::new(RangeQuery::new(
            Bound::Included(lower),
            Bound::Excluded(upper),
        ))
    };
    let sea_or_fox = || vec![term("title", "sea"), term("body", "fox")];
    let queries: Vec<Box<dyn Query>> = vec![
        term("title", "sea"),
        Box::new(RegexQuery::from_pattern("(se|qu).*", field("title")).unwrap()),
        Box::new(RegexQuery::from_pattern("k1.?", field("tag")).unwrap()),
        Box::new(FuzzyTermQuery::new(text("title", "sia"), 1, true)),
        Box::new(FuzzyTermQuery::new_prefix(text("body", "qu"), 1, true)),
        Box::new(TermSetQuery::new([
            text("key", "k1"),
            text("key", "k2"),
            text("title", "fox"),
        ])),
        Box::new(DisjunctionMaxQuery::with_tie_breaker(sea_or_fox(), 0.3)),
        Box::new(PhraseQuery::new(vec![
            text("title", "the"),
            text("title", "sea"),
        ])),
        Box::new(PhrasePrefixQuery::new(vec![
            text("title", "the"),
            text("title", "se"),
        ])),
        Box::new(BoostQuery::new(range("nu"), 2.5)),
        Box::new(BoostQuery::new(range("ix"), 2.5)),
        Box::new(ConstScoreQuery::new(term("title", "night"), 4.0)),
        Box::new(ExistsQuery::new("js".into(), true)),
        Box::new(BooleanQuery::new(vec![
            (Occur::Must, term("title", "the")),
            (Occur::Should, range("nu")),
            (
                Occur::MustNot,
                Box::new(FuzzyTermQuery::new(text("title", "dog"), 1, true)),
            ),
        ])),
        Box::new(BooleanQuery::union(sea_or_fox())),
    ];
    for query in queries {
        let shown = format!("{query:?}");
        assert!(assert_answers(query) > 0, "{shown} matches nothing");
    }
}

/// A query that shows nothing of itself, and reads only when its scorer is made.
#[derive(Clone, Debug)]
enum Opaque {
    /// Documents with an even value of a column.
    EvenColumn(&'static str),
    /// Documents with all of some terms, each read after the one before was found.
    AllOf(Vec<Term>),
    /// Documents with one of the words that follow another in the dictionary.
    AfterInDictionary(Term),
}

impl Query for Opaque {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Opaque {
    fn docs(&self, reader: &SegmentReader) -> tantivy::Result<BitSet> {
        let mut docs = BitSet::with_max_value(reader.max_doc());
        let mut insert = |doc: DocId| {
            docs.insert(doc);
        };
        let read = |term: &Term| -> tantivy::Result<Vec<DocId>> {
            let index = reader.inverted_index(term.field())?;
            let postings = index.read_postings(term, IndexRecordOption::Basic)?;
            let mut found = Vec::new();
            if let Some(mut postings) = postings {
                while postings.doc() != TERMINATED {
                    found.push(postings.doc());
                    postings.advance();
                }
            }
            Ok(found)
        };
        match self {
            Self::EvenColumn(name) => {
                let column = reader.fast_fields().u64(name)?;
                for doc in 0..reader.max_doc() {
                    if column.first(doc).is_some_and(|value| value % 2 == 0) {
                        insert(doc);
                    }
                }
            }
            Self::AllOf(terms) => {
                let mut left: Vec<DocId> = (0..reader.max_doc()).collect();
                for term in terms {
                    let found = read(term)?;
                    left.retain(|doc| found.contains(doc));
                    if left.is_empty() {
                        break;
                    }
                }
                left.into_iter().for_each(insert);
            }
            Self::AfterInDictionary(term) => {
                let index = reader.inverted_index(term.field())?;
                let mut words = index
                    .terms()
                    .range()
                    .gt(term.serialized_value_bytes())
                    .into_stream()?;
                if words.advance() {
                    let word = String::from_utf8_lossy(words.key()).into_owned();
                    let next = Term::from_field_text(term.field(), &word);
                    read(&next)?.into_iter().for_each(insert);
                }
            }
        }
        Ok(docs)
    }
}

impl Weight for Opaque {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let docs = BitSetDocSet::from(self.docs(reader)?);
        Ok(Box::new(ConstScorer::new(docs, boost)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("a document of an opaque query", 1.0))
    }
}

#[test]
fn an_opaque_query_is_given_what_its_scorer_reads() {
    let words = ["the", "sea", "night"].map(|word| text("title", word));
    for query in [
        Opaque::EvenColumn("nu"),
        Opaque::AllOf(words.to_vec()),
        Opaque::AfterInDictionary(text("title", "night")),
    ] {
        let shown = format!("{query:?}");
        assert!(
            assert_answers(Box::new(query)) > 0,
            "{shown} matches nothing"
        );
    }
}

#[test]
fn an_opaque_query_may_be_a_part_of_tantivys_own() {
    let all = BooleanQuery::new(vec![
        (Occur::Must, term("title", "the")),
        (Occur::Should, Box::new(Opaque::EvenColumn("nu"))),
        (
            Occur::MustNot,
            Box::new(Opaque::AllOf(vec![text("key", "k1")])),
        ),
    ]);
    assert!(assert_answers(Box::new(all)) > 0);
}

#[test]
fn ids_find_the_hits_they_were_brought_with() {
    let corpus = &CORPUS.corpus;
    let find = |request: &SearchRequest| {
        RUNTIME.block_on(search_thrice(&corpus.store, &corpus.addresses, request))
    };
    let everything = SearchRequest::new(Clause::match_all()).size(1_000);
    let all = find(&everything).hits.hits;
    let wanted: Vec<&str> = ["0:3", "1:0", "1:8", "7:0", "0:99999", "nonsense"].to_vec();
    let expected = all.iter().filter(|hit| wanted.contains(&hit.id.as_str()));
    let expected: Vec<(String, String)> = expected
        .map(|hit| (hit.index.clone(), hit.id.clone()))
        .collect();
    assert!(expected.len() > 2);
    // In every split there are documents of these ids.
    let by_ids = SearchRequest::new(Clause::ids(wanted)).source(SourceFilter::None);
    let response = find(&by_ids);
    let found: Vec<(String, String)> = response
        .hits
        .hits
        .iter()
        .map(|hit| (hit.index.clone(), hit.id.clone()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(response.hits.max_score, Some(1.0));
}

#[test]
fn a_request_is_warmed_and_searched_at_one_moment() {
    let corpus = &CORPUS.corpus;
    // 2024-01-31T12:00Z, in the midst of the dates.
    let noon = UNIX_EPOCH + Duration::from_secs(1_706_702_400);
    let recent = |field: &str| Clause::range(field).gte("now-1d/d").lte("now");
    let exactly = |field: &str| {
        let clause = Clause::range(field).gte("2024-01-30T00:00:00Z");
        clause.lte("2024-01-31T12:00:00Z")
    };
    for field in ["at", "day"] {
        let request = SearchRequest::new(recent(field)).size(1_000).at(noon);
        let found = |request: &SearchRequest| {
            let found = RUNTIME.block_on(search_thrice(&corpus.store, &corpus.addresses, request));
            serde_json::to_value(found.hits).unwrap()
        };
        let expected = SearchRequest::new(exactly(field)).size(1_000);
        let hits = found(&request);
        assert_eq!(hits, found(&expected));
        assert!(!hits["hits"].as_array().unwrap().is_empty());
        // By the system's clock these dates are long past.
        let now = SearchRequest::new(recent(field));
        assert_eq!(found(&now)["hits"], serde_json::json!([]));
    }
}
