//! Real documents: splits of our own answer as memory does, and as splits of other programs do.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use forewarm::{PackSettings, SearchRequest, SearchResponse, SplitAddress};
use object_store::ObjectStore;
use serde_json::{Value, json};
use tantivy::collector::{Count, TopDocs};
use tantivy::schema::Schema;
use tantivy::{DateTime, DocAddress, Order, TantivyDocument};

use crate::corpus::{Corpus, index_of};
use crate::expected::{addresses, assert_best, assert_total, query};
use crate::random::{RUNTIME, search_thrice};
use crate::shared::shared;

/// The documents of `shared/data` in three splits of two segments each, where they are at hand.
fn corpus(name: &str) -> Option<Corpus> {
    let path = shared(&format!("data/{name}.json"))?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let schema = std::fs::read_to_string(folder.join(format!("{name}.schema.json"))).unwrap();
    let schema: Schema = serde_json::from_str(&schema).unwrap();
    let documents: Vec<TantivyDocument> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| TantivyDocument::parse_json(&schema, line).unwrap())
        .collect();
    assert_eq!(documents.len(), 1000);
    let sources: Vec<_> = documents
        .chunks(340)
        .map(|split| {
            let segments: Vec<Vec<_>> = split.chunks(200).map(<[_]>::to_vec).collect();
            index_of(&schema, &segments)
        })
        .collect();
    Some(RUNTIME.block_on(Corpus::of(&sources, &PackSettings::default())))
}

static WIKI: LazyLock<Option<Corpus>> = LazyLock::new(|| corpus("wiki"));
static GH: LazyLock<Option<Corpus>> = LazyLock::new(|| corpus("gh"));

fn wiki_queries() -> Vec<Value> {
    vec![
        json!({"match_all": {}}),
        json!({"match": {"body": "sea"}}),
        json!({"match": {"body": "The SEA, the land!"}}),
        json!({"match": {"body": {"query": "county ripley indiana", "operator": "and"}}}),
        json!({"match": {"body": {"query": "sea ship captain war", "minimum_should_match": "75%"}}}),
        json!({"match": {"title": "born 1988 actress"}}),
        json!({"match_phrase": {"body": "of the"}}),
        json!({"match_phrase": {"body": "was born in"}}),
        json!({"match_phrase": {"body": {"query": "born July", "slop": 3}}}),
        json!({"match_phrase": {"title": "List of"}}),
        json!({"prefix": {"body": "seaf"}}),
        json!({"prefix": {"url": "https://en.wikipedia.org/wiki?curid=486"}}),
        json!({"term": {"url": "https://en.wikipedia.org/wiki?curid=48687903"}}),
        json!({"term": {"body": "thereisnosuchword"}}),
        json!({"terms": {"body": ["sea", "ocean", "lake", "nosuchword"]}}),
        json!({"range": {"url": {"gte": "https://en.wikipedia.org/wiki?curid=4869"}}}),
        json!({"exists": {"field": "url"}}),
        json!({"query_string": {"query": "+sea -ship title:island^2"}}),
        json!({"query_string": {"query": "\"united states\" AND president", "fields": ["body"]}}),
        json!({"bool": {
            "must": {"match": {"body": "football"}},
            "should": [{"match": {"title": "season"}}, {"match_phrase": {"body": "first season"}}],
            "must_not": {"match": {"body": "american"}},
        }}),
        json!({"bool": {
            "filter": [{"match": {"body": "album"}}, {"match": {"body": "released"}}],
            "should": [{"match": {"title": {"query": "album", "boost": 3.0}}}],
        }}),
        json!({"bool": {"must_not": [{"match": {"body": "the"}}]}}),
        json!({"bool": {
            "should": [{"match": {"body": "sea"}}, {"match": {"body": "war"}}, {"prefix": {"title": "b"}}],
            "minimum_should_match": 2,
        }}),
    ]
}

fn gh_queries() -> Vec<Value> {
    vec![
        json!({"match_all": {}}),
        json!({"term": {"type": "PushEvent"}}),
        json!({"terms": {"type": ["ForkEvent", "WatchEvent", "NoEvent"]}}),
        json!({"prefix": {"type": "Pull"}}),
        json!({"term": {"public": true}}),
        json!({"term": {"actor.id": 1310570}}),
        json!({"term": {"actor.login": "soumith"}}),
        json!({"match": {"repo.name": "soumith/fbcunn"}}),
        json!({"match_phrase": {"payload.commits.message": "merge pull request"}}),
        json!({"match": {"payload.commits.message": "fix bug"}}),
        json!({"range": {"payload.size": {"gte": 2, "lt": 5}}}),
        json!({"range": {"payload.push_id": {"gt": 536752122}}}),
        json!({"range": {"created_at": {"gte": "2015-01-01T00:00:00Z", "lt": "2015-01-01T15:00:30Z"}}}),
        json!({"range": {"created_at": {"gte": "2015-01-01", "lte": "2015-01-01"}}}),
        json!({"exists": {"field": "org"}}),
        json!({"exists": {"field": "payload.push_id"}}),
        json!({"exists": {"field": "payload.pull_request"}}),
        json!({"prefix": {"repo.name": "s"}}),
        json!({"query_string": {"query": "type:PushEvent AND payload.size:1"}}),
        json!({"bool": {
            "must": [{"match": {"payload.commits.message": "update readme"}}],
            "filter": [{"term": {"type": "PushEvent"}}, {"range": {"payload.size": {"lte": 3}}}],
            "must_not": [{"exists": {"field": "org.login"}}],
        }}),
        json!({"bool": {"must_not": [{"term": {"type": "PushEvent"}}, {"exists": {"field": "org"}}]}}),
    ]
}

fn request(query: &Value, more: Value) -> SearchRequest {
    let mut body = json!({ "query": query });
    let Value::Object(more) = more else {
        panic!("not an object: {more}")
    };
    body.as_object_mut().unwrap().extend(more);
    SearchRequest::from_value(&body).unwrap()
}

fn search(
    store: &Arc<dyn ObjectStore>,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> SearchResponse {
    RUNTIME.block_on(search_thrice(store, splits, request))
}

/// Asserts that pages by score are those of memory, and that queries match something.
fn assert_pages(corpus: &Corpus, queries: &[Value]) {
    for body in queries {
        println!("{body}");
        for page in [
            json!({}),
            json!({"size": 50, "from": 5, "track_total_hits": false}),
            json!({"size": 0}),
        ] {
            let request = request(body, page);
            let response = search(&corpus.store, &corpus.addresses, &request);
            let query = query(request.filter(), &corpus.ram);
            let matches = corpus.ram.search(&query, &Count).unwrap();
            assert_total(&response, &request, matches);
            if request.hits_wanted() > 0 {
                assert_best(&response, &request, corpus);
            }
            let absent = body.to_string().contains("nosuch");
            assert!(absent || matches > 0, "{body} matches nothing");
        }
    }
}

#[test]
fn wikipedia_articles_are_found_as_in_memory() {
    let Some(corpus) = &*WIKI else { return };
    let queries = wiki_queries();
    assert_pages(corpus, &queries);
    for body in &queries {
        for (name, order) in [("asc", Order::Asc), ("desc", Order::Desc)] {
            let request = request(body, json!({"sort": [{"url": name}], "size": 30}));
            let response = search(&corpus.store, &corpus.addresses, &request);
            let query = query(request.filter(), &corpus.ram);
            let top = TopDocs::with_limit(30).order_by_string_fast_field("url", order);
            let top = corpus.ram.search(&query, &top).unwrap();
            let top: Vec<DocAddress> = top.into_iter().map(|(_, address)| address).collect();
            assert_eq!(addresses(&response, corpus), top, "{body}");
        }
    }
}

#[test]
fn github_events_are_found_as_in_memory() {
    let Some(corpus) = &*GH else { return };
    let queries = gh_queries();
    assert_pages(corpus, &queries);
    for body in &queries {
        for (name, order) in [("asc", Order::Asc), ("desc", Order::Desc)] {
            let request = request(body, json!({"sort": [{"created_at": name}], "size": 30}));
            let response = search(&corpus.store, &corpus.addresses, &request);
            let query = query(request.filter(), &corpus.ram);
            let top = TopDocs::with_limit(30).order_by_fast_field::<DateTime>("created_at", order);
            let top = corpus.ram.search(&query, &top).unwrap();
            let top: Vec<DocAddress> = top.into_iter().map(|(_, address)| address).collect();
            assert_eq!(addresses(&response, corpus), top, "{body}");
        }
    }
}

#[cfg(feature = "sstable")]
mod peers {
    use std::collections::BTreeMap;

    use forewarm::SplitAddress;
    use object_store::local::LocalFileSystem;

    use super::*;

    /// The hits by a stored field that names them, with their scores and documents.
    fn by_name(response: &SearchResponse, name: &str) -> BTreeMap<String, (f32, Value)> {
        let hits = response.hits.hits.iter();
        hits.map(|hit| {
            let source = hit.source.clone().unwrap();
            let id = source[name].as_str().unwrap().to_owned();
            (id, (hit.score.unwrap(), source))
        })
        .collect()
    }

    /// Asserts that a split of another program gives the same documents and scores as ours.
    fn assert_same_as_peer(corpus: &Corpus, split: &str, id: &str, queries: &[Value]) {
        let Some(folder) = shared("peer-splits") else {
            return;
        };
        let peers: Arc<dyn ObjectStore> =
            Arc::new(LocalFileSystem::new_with_prefix(folder).unwrap());
        let peer = [SplitAddress::new(split.into())];
        for body in queries {
            let request = request(body, json!({"size": 1000}));
            let ours = search(&corpus.store, &corpus.addresses, &request);
            let theirs = search(&peers, &peer, &request);
            assert_eq!(theirs.hits.total, ours.hits.total, "{body}");
            let (ours, theirs) = (by_name(&ours, id), by_name(&theirs, id));
            assert_eq!(
                theirs.keys().collect::<Vec<_>>(),
                ours.keys().collect::<Vec<_>>(),
                "{body}"
            );
            for ((score, document), (other, same)) in theirs.values().zip(ours.values()) {
                assert!(
                    (score - other).abs() <= 1e-5 * score.abs(),
                    "{body}: {score} {other}"
                );
                assert_eq!(document, same);
            }
        }
    }

    #[test]
    fn a_wikipedia_split_of_another_program_gives_the_same_documents() {
        let Some(corpus) = &*WIKI else { return };
        let split = "quickwit-wiki-1000-docs.split";
        assert_same_as_peer(corpus, split, "url", &wiki_queries());
    }

    #[test]
    fn a_github_split_of_another_program_gives_the_same_documents() {
        let Some(corpus) = &*GH else { return };
        let split = "quickwit-gh-2-segments-qwft.split";
        assert_same_as_peer(corpus, split, "id", &gh_queries());
    }
}
