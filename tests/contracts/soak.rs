//! A small cache under a long random workload over splits 20 times larger.
//!
//! Scaled down to seconds by default. `FOREWARM_SOAK=1` runs it at full size: a cache of 64 MiB
//! over 1.3 GB of splits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forewarm::{CacheSettings, SearchRequest, SplitAddress, Warmer};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::fixture::{answer, index, key, packed, settings, truth, warmer};

struct Size {
    capacity: u64,
    docs: u64,
    requests: usize,
}

/// How many splits: three shapes, copied.
const SHAPES: u64 = 3;
const WORKERS: usize = 8;

fn size() -> Size {
    if std::env::var_os("FOREWARM_SOAK").is_some_and(|on| on == "1") {
        Size {
            capacity: 64 << 20,
            docs: 60_000,
            requests: 40_000,
        }
    } else {
        Size {
            capacity: 512 << 10,
            docs: 3_000,
            requests: 2_000,
        }
    }
}

/// Splits that are 20 times larger than the capacity together, and the shape of each.
async fn upload(store: &dyn ObjectStore, size: &Size) -> (Vec<SplitAddress>, u64) {
    let shapes: Vec<_> = (0..SHAPES)
        .map(|shape| packed(&index(1 + shape % 2, size.docs + shape, shape)))
        .collect();
    let (mut splits, mut bytes) = (Vec::new(), 0);
    while bytes < 20 * size.capacity {
        let shape = &shapes[splits.len() % shapes.len()];
        let path = format!("{:03}.split", splits.len()).into();
        shape.upload(store, &path).await.unwrap();
        bytes += shape.len();
        splits.push(SplitAddress::new(path));
    }
    (splits, bytes)
}

fn random_request(rng: &mut StdRng, docs: u64) -> SearchRequest {
    let query = match rng.random_range(0..7) {
        0 => json!({ "term": { "key": key(rng.random_range(0..docs)) } }),
        1 => json!({ "term": { "tag": format!("t{}", rng.random_range(0..6)) } }),
        2 => {
            json!({ "match": { "body": format!("w{} w{}", rng.random_range(0..50), rng.random_range(0..500)) } })
        }
        3 => json!({ "match_phrase": { "body": "the old man" } }),
        4 => json!({ "prefix": { "key": format!("{:02x}", rng.random_range(0..256)) } }),
        5 => {
            json!({ "range": { "price": { "gte": rng.random_range(0..50), "lt": rng.random_range(50..100) } } })
        }
        _ => json!({ "bool": {
            "must": [{ "match": { "body": format!("w{}", rng.random_range(0..50)) } }],
            "must_not": [{ "term": { "tag": "t1" } }],
        } }),
    };
    let body = json!({ "query": query, "size": rng.random_range(0..30) });
    SearchRequest::from_value(&body).unwrap()
}

/// Right answers, each found once.
struct Truths {
    store: Arc<dyn ObjectStore>,
    known: tokio::sync::Mutex<HashMap<(usize, String), Value>>,
}

impl Truths {
    /// The answer of a split, which those of its shape share but for their names.
    async fn of(&self, split: (usize, &SplitAddress), request: &SearchRequest) -> Value {
        let key = (
            split.0 % SHAPES as usize,
            request.to_value().unwrap().to_string(),
        );
        let mut known = self.known.lock().await;
        if let Some(answer) = known.get(&key) {
            return answer.clone();
        }
        let found = truth(&self.store, std::slice::from_ref(split.1), request).await;
        let found = without_names(found);
        known.insert(key, found.clone());
        found
    }
}

fn without_names(mut answer: Value) -> Value {
    for hit in answer["hits"].as_array_mut().unwrap() {
        hit["_index"].take();
    }
    answer
}

fn check(warmer: &Warmer, size: &Size) {
    let statistics = warmer.statistics();
    assert!(statistics.cached_bytes <= size.capacity, "{statistics:?}");
    assert!(
        statistics.resident_bytes <= size.capacity + warmer.settings().cache.lease_bytes,
        "{statistics:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_small_cache_stays_small_and_answers_right() {
    let size = Arc::new(size());
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (splits, bytes) = upload(store.as_ref(), &size).await;
    let cache = CacheSettings::default()
        .with_capacity_bytes(size.capacity)
        .with_lease_bytes(size.capacity * 4)
        .with_opened_bytes(size.capacity * 4);
    let warmer = warmer(Arc::clone(&store), settings().with_cache(cache));
    let truths = Arc::new(Truths {
        store,
        known: Default::default(),
    });
    let splits = Arc::new(splits);
    let late = Arc::new(AtomicU64::new(0));
    let workers = (0..WORKERS).map(|worker| {
        let (warmer, splits, size) = (warmer.clone(), Arc::clone(&splits), Arc::clone(&size));
        let (truths, late) = (Arc::clone(&truths), Arc::clone(&late));
        tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(worker as u64);
            // Some requests come again and again, as they do in life.
            let favourites: Vec<_> = (0..40)
                .map(|_| random_request(&mut rng, size.docs))
                .collect();
            for _ in 0..size.requests / WORKERS {
                let request = if rng.random_bool(0.7) {
                    favourites[rng.random_range(0..favourites.len())].clone()
                } else {
                    random_request(&mut rng, size.docs)
                };
                // The low ones more often than the high ones.
                let skewed = rng.random::<f64>().powi(2) * splits.len() as f64;
                let which = skewed as usize;
                match rng.random_range(0..20) {
                    0 => drop(warmer.warm(&splits[which], &request)),
                    1 => warmer.warm(&splits[which], &request).detach(),
                    2 => warmer.forget_warmups(),
                    _ => {
                        let one = std::slice::from_ref(&splits[which]);
                        let response = warmer.search(one, &request).await.unwrap();
                        late.fetch_add(response.report.late_reads, Ordering::Relaxed);
                        let expected = truths.of((which, &one[0]), &request).await;
                        let found = without_names(answer(&response));
                        assert!(found == expected, "{:?}", request.to_value());
                    }
                }
                check(&warmer, &size);
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let statistics = warmer.statistics();
    eprintln!(
        "{} splits, {bytes} bytes, {} late reads: {statistics:?}",
        splits.len(),
        late.load(Ordering::Relaxed)
    );
    assert!(
        statistics.cached_bytes > size.capacity / 2,
        "the cache is used: {statistics:?}"
    );
    // Detached warmups may still run: what they lease comes back when they end.
    let mut left = statistics;
    let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while left.leased_bytes > 0 || left.resident_bytes > left.cached_bytes {
        assert!(
            tokio::time::Instant::now() < give_up,
            "leases are kept: {left:?}"
        );
        tokio::task::yield_now().await;
        warmer.forget_warmups();
        left = warmer.statistics();
    }
}
