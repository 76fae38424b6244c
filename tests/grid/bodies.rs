//! Request bodies over real documents: `testdata/bodies`, one `_search` body a line.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use forewarm::{
    Clause, Filter, PackSettings, PlanEntry, SearchRequest, SearchResponse, SplitAddress,
};
use object_store::ObjectStore;
use serde_json::{Value, json};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::{AggContextParams, AggregationCollector};
use tantivy::collector::Count;
use tantivy::query::{BooleanQuery, Occur, Query};
use tantivy::schema::Schema;
use tantivy::{IndexWriter, TantivyDocument, Term};

use crate::corpus::{Corpus, Source, index_of, writer};
use crate::expected::{AllScores, assert_best, assert_total};
use crate::random::{PLANNED, RUNTIME, search_thrice, strict};
use crate::shared::shared;
use crate::sorted::assert_sorted;

/// A set of documents, with the bodies that are asked of it.
pub struct Documents {
    pub name: &'static str,
    /// A raw text field whose values name documents.
    pub id: &'static str,
    pub schema: Schema,
    /// One document a line.
    pub text: String,
}

impl Documents {
    fn read(name: &'static str, id: &'static str, path: Option<PathBuf>) -> Option<Self> {
        let schema = testdata(&format!("{name}.schema.json"));
        Some(Self {
            name,
            id,
            schema: serde_json::from_str(&schema).unwrap(),
            text: std::fs::read_to_string(path?).unwrap(),
        })
    }

    /// The bodies, with the number of their line.
    pub fn bodies(&self) -> Vec<(usize, Value)> {
        let text = testdata(&format!("bodies/{}.ndjson", self.name));
        let lines = text.lines().enumerate();
        lines
            .map(|(at, line)| (at + 1, serde_json::from_str(line).unwrap()))
            .collect()
    }

    pub fn documents(&self) -> Vec<TantivyDocument> {
        let lines = self.text.lines();
        lines
            .map(|line| TantivyDocument::parse_json(&self.schema, line).unwrap())
            .collect()
    }

    /// Three splits of two segments; of every thirteen documents one is deleted.
    pub fn corpus(&self) -> Corpus {
        let documents = self.documents();
        let id = self.schema.get_field(self.id).unwrap();
        let splits = documents.chunks(documents.len().div_ceil(3));
        let sources: Vec<Source> = splits
            .map(|split| {
                let segments = split.chunks(split.len() * 3 / 5);
                let segments: Vec<Vec<_>> = segments.map(<[_]>::to_vec).collect();
                assert_eq!(segments.len(), 2);
                let source = index_of(&self.schema, &segments);
                let mut writer: IndexWriter = writer(&source.1);
                for document in split.iter().step_by(13) {
                    let value = document.get_first(id).unwrap();
                    let value = tantivy::schema::Value::as_str(&value).unwrap();
                    writer.delete_term(Term::from_field_text(id, value));
                }
                writer.commit().unwrap();
                writer.wait_merging_threads().unwrap();
                source
            })
            .collect();
        RUNTIME.block_on(Corpus::of(&sources, &PackSettings::default()))
    }
}

fn testdata(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The records of `testdata/debian_ndjson.py`, where `FOREWARM_DEBIAN` names their file.
fn debian() -> Option<PathBuf> {
    let path = std::env::var_os("FOREWARM_DEBIAN").map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: FOREWARM_DEBIAN does not name a file of package records");
    }
    path
}

pub static DEBIAN: LazyLock<Option<Documents>> =
    LazyLock::new(|| Documents::read("debian", "package", debian()));
pub static GH: LazyLock<Option<Documents>> =
    LazyLock::new(|| Documents::read("gh", "id", shared("data/gh.json")));
pub static WIKI: LazyLock<Option<Documents>> =
    LazyLock::new(|| Documents::read("wiki", "url", shared("data/wiki.json")));

/// Runs `check` on each body, and fails with all that failed.
pub fn for_each_body(documents: &Documents, check: impl Fn(&Value)) {
    let mut failures = Vec::new();
    for (line, body) in documents.bodies() {
        let checked = catch_unwind(AssertUnwindSafe(|| check(&body)));
        let Err(panic) = checked else { continue };
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        let message = message.unwrap_or("panicked");
        failures.push(format!(
            "{}.ndjson:{line}: {body}\n{message}",
            documents.name
        ));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// `ids` count the segments of a split: in memory they stand one after another.
fn with_ids_of_all(value: &Value, corpus: &Corpus) -> Value {
    match value {
        Value::Array(values) => values
            .iter()
            .map(|value| with_ids_of_all(value, corpus))
            .collect(),
        Value::Object(map) => {
            let with = |(key, value): (&String, &Value)| match (key.as_str(), &value["values"]) {
                ("ids", Value::Array(values)) => {
                    let ids = values.iter().flat_map(|id| every_split(id, corpus));
                    (key.clone(), json!({"values": ids.collect::<Vec<_>>()}))
                }
                _ => (key.clone(), with_ids_of_all(value, corpus)),
            };
            Value::Object(map.iter().map(with).collect())
        }
        value => value.clone(),
    }
}

fn every_split(id: &Value, corpus: &Corpus) -> Vec<String> {
    let (segment, doc) = id.as_str().unwrap().split_once(':').unwrap();
    let segment: u32 = segment.parse().unwrap();
    let all = corpus.ram.segment_readers().len() as u32;
    let ends = corpus.firsts.iter().copied().skip(1).chain([all]);
    let splits = corpus.firsts.iter().zip(ends);
    splits
        .filter(|(first, end)| *first + segment < *end)
        .map(|(first, _)| format!("{}:{doc}", first + segment))
        .collect()
}

/// The request as memory is asked.
fn request_of_all(body: &Value, corpus: &Corpus) -> SearchRequest {
    SearchRequest::from_value(&with_ids_of_all(body, corpus)).unwrap()
}

fn filter(clause: &Value) -> Filter {
    Clause::from_value(clause).unwrap().into()
}

fn both(query: &dyn Query, filter: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(BooleanQuery::new(vec![
        (Occur::Must, query.box_clone()),
        (Occur::Must, filter),
    ]))
}

/// What tantivy makes of aggregations over all segments in memory. Its own filters are written in
/// another language, so a bucket of a filter is made of the matches of both.
fn aggregated(query: &dyn Query, aggregations: &Value, corpus: &Corpus) -> BTreeMap<String, Value> {
    let mut native = serde_json::Map::new();
    let mut found = BTreeMap::new();
    for (name, node) in aggregations.as_object().unwrap() {
        let clause = match (node.get("filter"), node.get("missing")) {
            (Some(clause), _) => clause.clone(),
            (_, Some(missing)) => json!({"bool": {"must_not": {"exists": missing}}}),
            _ => {
                native.insert(name.clone(), node.clone());
                continue;
            }
        };
        let filter = filter(&clause).to_query(corpus.ram.index()).unwrap();
        let query = both(query, filter);
        let children = node.get("aggs").cloned().unwrap_or(json!({}));
        let mut bucket = json!(aggregated(query.as_ref(), &children, corpus));
        bucket["doc_count"] = json!(corpus.ram.search(query.as_ref(), &Count).unwrap());
        found.insert(name.clone(), bucket);
    }
    let native: Aggregations = serde_json::from_value(Value::Object(native)).unwrap();
    let collector = AggregationCollector::from_aggs(native, AggContextParams::default());
    let results = corpus.ram.search(query, &collector).unwrap();
    let results = serde_json::to_value(results).unwrap();
    found.extend(results.as_object().unwrap().clone());
    found
}

/// Asserts that hits, totals and aggregations are those of memory. Answers with how many match.
fn assert_answers(response: &SearchResponse, body: &Value, corpus: &Corpus) -> usize {
    let request = request_of_all(body, corpus);
    let query = request.filter().to_query(corpus.ram.index()).unwrap();
    let matches = corpus.ram.search(&query, &AllScores).unwrap();
    assert_total(response, &request, matches.len());
    if request.hits_wanted() == 0 {
        assert!(response.hits.hits.is_empty());
    } else if request.sorts().is_empty() {
        assert_best(response, &request, corpus);
    } else {
        assert_sorted(
            response,
            &request,
            body.get("search_after"),
            &matches,
            corpus,
        );
    }
    let expected = body
        .get("aggs")
        .map(|aggregations| json!(aggregated(query.as_ref(), aggregations, corpus)));
    assert_eq!(response.aggregations, expected);
    matches.len()
}

fn assert_bodies(documents: &Documents) {
    let corpus = documents.corpus();
    let empty = Cell::new(0);
    PLANNED.set((0, 0));
    for_each_body(documents, |body| {
        let request = SearchRequest::from_value(body).unwrap();
        let search = search_thrice(&corpus.store, &corpus.addresses, &request);
        let response = RUNTIME.block_on(search);
        if assert_answers(&response, body, &corpus) == 0 {
            println!("nothing matches {body}");
            empty.set(empty.get() + 1);
        }
    });
    let (planned, read) = PLANNED.get();
    println!("{}: {planned} bytes in plans, {read} read", documents.name);
    assert!(planned * 10 <= read * 11, "plans hold more than is read");
    // Some ask for what is absent.
    let bodies = documents.bodies().len();
    assert!(
        empty.get() * 5 < bodies,
        "{} of {bodies} match nothing",
        empty.get()
    );
}

#[test]
fn bodies_over_debian_packages_answer_as_memory_does() {
    if let Some(documents) = &*DEBIAN {
        assert_bodies(documents);
    }
}

#[test]
fn bodies_over_github_events_answer_as_memory_does() {
    if let Some(documents) = &*GH {
        assert_bodies(documents);
    }
}

#[test]
fn bodies_over_wikipedia_articles_answer_as_memory_does() {
    if let Some(documents) = &*WIKI {
        assert_bodies(documents);
    }
}

/// What one split costs when it is warmed by a process that knows these plans: GETs and bytes.
async fn warmed(
    store: &Arc<dyn ObjectStore>,
    split: &SplitAddress,
    request: &SearchRequest,
    plans: &[Arc<PlanEntry>],
) -> ((u64, u64), Vec<Arc<PlanEntry>>) {
    let warmer = strict(store);
    warmer.add_plans(plans.iter().map(|plan| plan.as_ref().clone()));
    let outcome = warmer.warm(split, request).join(Duration::MAX).await;
    assert!(outcome.is_warm(), "{outcome:?}");
    let statistics = warmer.statistics();
    ((statistics.gets, statistics.bytes), warmer.plans())
}

fn assert_explained(documents: &Documents) {
    let corpus = documents.corpus();
    for_each_body(documents, |body| {
        let request = SearchRequest::from_value(body).unwrap();
        for split in &corpus.addresses {
            let compare = async {
                let explained = strict(&corpus.store).explain(split, &request).await;
                let explained = explained.unwrap();
                assert!(explained.replay.is_none());
                let (spent, plans) = warmed(&corpus.store, split, &request, &[]).await;
                let told = (explained.total.gets, explained.total.bytes);
                // What is found only by collecting cannot be told without its data.
                if explained.lower_bound {
                    assert!(told.0 <= spent.0 && told.1 <= spent.1);
                } else {
                    assert_eq!(told, spent);
                }

                let knowing = strict(&corpus.store);
                knowing.add_plans(plans.iter().map(|plan| plan.as_ref().clone()));
                let explained = knowing.explain(split, &request).await.unwrap();
                let replay = explained.replay.unwrap();
                let (spent, _) = warmed(&corpus.store, split, &request, &plans).await;
                assert_eq!((replay.gets, replay.bytes), spent);
                assert_eq!(replay.rounds, 1);
            };
            RUNTIME.block_on(compare);
        }
    });
}

#[test]
fn what_bodies_cost_is_explained_to_the_byte() {
    for documents in [&DEBIAN, &GH, &WIKI] {
        if let Some(documents) = &**documents {
            assert_explained(documents);
        }
    }
}
