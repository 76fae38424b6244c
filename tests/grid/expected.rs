//! What a request must answer: tantivy over the same segments in memory, and the model.

use std::cmp::Ordering;

use forewarm::{
    Filter, Missing, SearchRequest, SearchResponse, Sort, SortKey, SortOrder, SortValue,
    TrackTotalHits,
};
use serde_json::Value;
use tantivy::collector::{Collector, Count, DocSetCollector, SegmentCollector, TopDocs};
use tantivy::query::Query;
use tantivy::{DocAddress, DocId, Score, Searcher, SegmentReader};

use crate::aggregations::{in_memory, in_memory_scored};
use crate::corpus::{Corpus, RandomCorpus};
use crate::model;
use crate::values::Key;

/// Every match with its score.
pub struct AllScores;

pub struct SegmentScores {
    segment: u32,
    found: Vec<(DocAddress, Score)>,
}

impl Collector for AllScores {
    type Fruit = Vec<(DocAddress, Score)>;
    type Child = SegmentScores;

    fn for_segment(&self, segment: u32, _: &SegmentReader) -> tantivy::Result<SegmentScores> {
        Ok(SegmentScores {
            segment,
            found: Vec::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        true
    }

    fn merge_fruits(&self, fruits: Vec<Self::Fruit>) -> tantivy::Result<Self::Fruit> {
        Ok(fruits.into_iter().flatten().collect())
    }
}

impl SegmentCollector for SegmentScores {
    type Fruit = Vec<(DocAddress, Score)>;

    fn collect(&mut self, doc: DocId, score: Score) {
        self.found.push((DocAddress::new(self.segment, doc), score));
    }

    fn harvest(self) -> Self::Fruit {
        self.found
    }
}

/// tantivy's own query for the filter of a request.
pub fn query(filter: &Filter, ram: &Searcher) -> Box<dyn Query> {
    filter.to_query(ram.index()).unwrap()
}

/// Asserts that hits are those of tantivy's top-k over memory, score for score.
pub fn assert_best(response: &SearchResponse, request: &SearchRequest, corpus: &Corpus) {
    let query = query(request.filter(), &corpus.ram);
    let limit = request.offset() + request.hits_wanted();
    // All of them: of equal hits, tantivy's merge may lose the first when it has to choose.
    let all = corpus.ram.num_docs() as usize + 1;
    let top = || TopDocs::with_limit(all).order_by_score();
    let best = match request.total_hits() {
        // With a count beside it tantivy does not skip what cannot be among the best.
        TrackTotalHits::Exactly => corpus.ram.search(&query, &(top(), Count)).unwrap().0,
        _ => corpus.ram.search(&query, &top()).unwrap(),
    };
    assert_eq!(response.hits.max_score, best.first().map(|best| best.0));
    let best = &best[request.offset().min(best.len())..limit.min(best.len())];
    let hits = &response.hits.hits;
    assert_eq!(
        addresses(response, corpus),
        best.iter().map(|best| best.1).collect::<Vec<_>>()
    );
    for (hit, (score, _)) in hits.iter().zip(best) {
        assert_close(hit.score.unwrap(), *score);
        assert!(hit.sort.is_empty());
    }
}

pub fn addresses(response: &SearchResponse, corpus: &Corpus) -> Vec<DocAddress> {
    let hits = response.hits.hits.iter();
    hits.map(|hit| corpus.address(&hit.index, &hit.id))
        .collect()
}

pub fn assert_close(a: f32, b: f32) {
    assert!(
        (a - b).abs() <= 1e-5 * a.abs().max(b.abs()),
        "{a} is not {b}"
    );
}

pub fn assert_total(response: &SearchResponse, request: &SearchRequest, matches: usize) {
    let matches = matches as u64;
    let total = response
        .hits
        .total
        .map(|total| (total.value, total.relation));
    let expected = match request.total_hits() {
        TrackTotalHits::Not => None,
        TrackTotalHits::UpTo(limit) if limit < matches => Some((limit, "gte")),
        _ => Some((matches, "eq")),
    };
    assert_eq!(total, expected);
}

/// Orders buckets of equal counts by their keys: tantivy leaves their order to a hash map, which
/// depends on segments without matches too, and these are left out.
fn order_ties(aggregations: &mut Value) {
    match aggregations {
        Value::Object(map) => {
            let is_terms = map.contains_key("sum_other_doc_count");
            if let Some(Value::Array(buckets)) = map.get_mut("buckets").filter(|_| is_terms) {
                let count = |bucket: &Value| bucket["doc_count"].as_u64();
                buckets.sort_by(|a, b| {
                    let by_count = count(b).cmp(&count(a));
                    by_count.then_with(|| a["key"].to_string().cmp(&b["key"].to_string()))
                });
            }
            map.values_mut().for_each(order_ties);
        }
        Value::Array(values) => values.iter_mut().for_each(order_ties),
        _ => {}
    }
}

/// Whether two trees of JSON are equal but for the last bits of fractions: what a segment without
/// matches adds to a sum of squares is nothing, but not to the last bit.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            let mut pairs = left.iter().zip(right);
            left.len() == right.len() && pairs.all(|(left, right)| is_same(left, right))
        }
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            (left - right).abs() <= 1e-9 * left.abs().max(right.abs())
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(key, value): (&String, &Value)| {
                right.get(key).is_some_and(|other| is_same(value, other))
            };
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

/// Asserts that a response answers a request over random documents.
pub fn assert_answers(response: &SearchResponse, body: &Value, random: &RandomCorpus) {
    let corpus = &random.corpus;
    let request = SearchRequest::from_value(body).unwrap();
    let query = query(request.filter(), &corpus.ram);
    // tantivy finds more matches of a phrase with slop where it computes no scores.
    let matches = if request.is_scored() {
        corpus.ram.search(&query, &AllScores).unwrap()
    } else {
        let matches = corpus.ram.search(&query, &DocSetCollector).unwrap();
        matches.into_iter().map(|address| (address, 0.0)).collect()
    };
    assert_total(response, &request, matches.len());
    if let Some(tree) = body.get("aggs") {
        let mut found = response.aggregations.clone().unwrap();
        let mut expected = if request.is_scored() {
            in_memory_scored(&corpus.ram, &query, tree)
        } else {
            in_memory(&corpus.ram, &query, tree)
        };
        for aggregations in [&mut found, &mut expected] {
            order_ties(aggregations);
        }
        assert!(is_same(&found, &expected), "{found} is not {expected}");
    }

    for (address, (_, doc)) in &random.docs {
        let Some(expected) = model::matches(&body["query"], doc) else {
            break;
        };
        let found = matches.iter().any(|(found, _)| found == address);
        assert_eq!(found, expected, "{address:?} {doc:?}");
    }

    if request.hits_wanted() == 0 {
        assert!(response.hits.hits.is_empty());
    } else if request.sorts().is_empty() {
        assert_best(response, &request, corpus);
    } else {
        assert_sorted(response, &request, random, matches);
    }
    for (hit, address) in response.hits.hits.iter().zip(addresses(response, corpus)) {
        let (id, doc) = &random.docs[&address];
        let Some(source) = &hit.source else {
            assert_eq!(body["_source"], Value::Bool(false));
            continue;
        };
        assert_eq!(source["id"], *id);
        if body.get("_source").is_none() {
            let titles = doc.json(*id).get("title").cloned();
            assert_eq!(source.get("title"), titles.as_ref());
        }
    }
}

/// A match, with what it is sorted by.
struct Sorted {
    keys: Vec<Option<Key>>,
    score: Score,
    address: DocAddress,
}

fn assert_sorted(
    response: &SearchResponse,
    request: &SearchRequest,
    random: &RandomCorpus,
    matches: Vec<(DocAddress, Score)>,
) {
    let sorts = request.sorts();
    let mut sorted: Vec<Sorted> = matches
        .into_iter()
        .map(|(address, score)| Sorted {
            keys: sorts
                .iter()
                .map(|sort| key(sort, random, address))
                .collect(),
            score,
            address,
        })
        .collect();
    sorted.sort_by(|a, b| {
        let keys = sorts.iter().enumerate();
        keys.map(|(at, sort)| compare(sort, at, a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.address.cmp(&b.address))
    });
    let page: Vec<Sorted> = sorted
        .into_iter()
        .skip(request.offset())
        .take(request.hits_wanted())
        .collect();
    let expected: Vec<DocAddress> = page.iter().map(|hit| hit.address).collect();
    assert_eq!(addresses(response, &random.corpus), expected);
    for (hit, expected) in response.hits.hits.iter().zip(&page) {
        assert_eq!(hit.sort.len(), sorts.len());
        for ((sort, value), key) in sorts.iter().zip(&hit.sort).zip(&expected.keys) {
            match (&sort.key, value) {
                (SortKey::Score, SortValue::F64(score)) => {
                    assert_close(*score as f32, expected.score);
                }
                (SortKey::Doc, SortValue::U64(_)) => {}
                (_, value) => assert_eq!(key_of(value), *key, "{value:?}"),
            }
        }
        let scored = sorts.iter().any(|sort| sort.key == SortKey::Score);
        assert_eq!(hit.score.is_some(), scored);
    }
    assert_eq!(response.hits.max_score, None);
}

/// The least or greatest value of a document.
fn key(sort: &Sort, random: &RandomCorpus, address: DocAddress) -> Option<Key> {
    let SortKey::Field(field) = &sort.key else {
        return None;
    };
    let (id, doc) = &random.docs[&address];
    if field == "id" {
        return Some(Key::Number(i128::from(*id) * 4));
    }
    let values = doc.of(field).iter();
    match sort.order {
        SortOrder::Ascending => values.min().cloned(),
        _ => values.max().cloned(),
    }
}

fn compare(sort: &Sort, at: usize, a: &Sorted, b: &Sorted) -> Ordering {
    let directed = |order: Ordering| match sort.order {
        SortOrder::Ascending => order,
        _ => order.reverse(),
    };
    match sort.key {
        SortKey::Doc => directed(a.address.cmp(&b.address)),
        SortKey::Score => directed(a.score.total_cmp(&b.score)),
        _ => match (&a.keys[at], &b.keys[at]) {
            (None, None) => Ordering::Equal,
            (Some(_), None) if sort.missing == Missing::Last => Ordering::Less,
            (None, Some(_)) if sort.missing == Missing::First => Ordering::Less,
            (Some(a), Some(b)) => directed(a.cmp(b)),
            _ => Ordering::Greater,
        },
    }
}

fn key_of(value: &SortValue) -> Option<Key> {
    Some(match value {
        SortValue::Bool(value) => Key::Bool(*value),
        SortValue::Bytes(bytes) => Key::Bytes(bytes.clone()),
        SortValue::Date(date) => Key::Date(date.into_timestamp_secs()),
        SortValue::F64(value) => Key::Number((value * 4.0) as i128),
        SortValue::I64(value) => Key::Number(i128::from(*value) * 4),
        SortValue::Ip(address) => Key::Ip(*address),
        SortValue::Str(text) => Key::Text(text.clone()),
        SortValue::U64(value) => Key::Number(i128::from(*value) * 4),
        _ => return None,
    })
}
