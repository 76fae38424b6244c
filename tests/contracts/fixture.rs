//! Small splits, and warmers over them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use forewarm::{
    Manager, OnMiss, PackSettings, PackedSplit, PlanStore, SearchRequest, SearchResponse,
    SplitAddress, StoreSettings, TriggerState, Warmer, WarmerSettings, pack,
};
use object_store::ObjectStore;
use object_store::path::Path;
use rayon::ThreadPool;
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{FAST, INDEXED, STORED, STRING, Schema, TEXT};
use tantivy::{Index, TantivyDocument, doc};

/// One pool for all tests: a warmer would start its own.
static POOL: LazyLock<Arc<ThreadPool>> = LazyLock::new(|| {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    Arc::new(pool.expect("two threads"))
});

/// A well-spread number for each number.
pub fn scattered(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// The term of field `key` in document `n`: each document has its own, in no order.
pub fn key(n: u64) -> String {
    format!("{:016x}{:016x}", scattered(n), scattered(n + (1 << 40)))
}

/// An index of `segments` segments of `docs` documents each; `version` goes into every document.
pub fn index(segments: u64, docs: u64, version: u64) -> RamDirectory {
    let mut builder = Schema::builder();
    let id = builder.add_u64_field("id", INDEXED | FAST | STORED);
    let body = builder.add_text_field("body", TEXT | STORED);
    let tag = builder.add_text_field("tag", STRING | FAST | STORED);
    let key_field = builder.add_text_field("key", STRING);
    let price = builder.add_f64_field("price", INDEXED | FAST);
    let version_field = builder.add_u64_field("version", FAST | STORED);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), builder.build(), Default::default())
        .expect("an empty directory");
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 30_000_000)
        .expect("a writer");
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for segment in 0..segments {
        for n in segment * docs..(segment + 1) * docs {
            let r = scattered(n + 77);
            let text = format!(
                "common w{} w{} sea{} {}",
                r % 50,
                (r >> 8) % 500,
                n % 3,
                if n.is_multiple_of(7) {
                    "the old man"
                } else {
                    "man"
                }
            );
            let document = doc!(
                id => n,
                body => text,
                tag => format!("t{}", n % 5),
                key_field => key(n),
                price => (r % 1000) as f64 / 10.0,
                version_field => version,
            );
            writer.add_document(document).expect("a document that fits");
        }
        writer.commit().expect("a commit");
    }
    writer.wait_merging_threads().expect("no merges");
    directory
}

/// Packed such that the dictionary of `key` is not hot, and that of `tag` is.
pub fn packed(directory: &RamDirectory) -> PackedSplit {
    let mut settings = PackSettings::default();
    settings.term_dictionary_budget = 8 << 10;
    pack(directory, &settings).expect("an index")
}

/// Uploads a split of its own and tells where it is.
pub async fn put(store: &dyn ObjectStore, path: &str, directory: &RamDirectory) -> SplitAddress {
    let path = Path::from(path);
    packed(directory)
        .upload(store, &path)
        .await
        .expect("a store that takes objects");
    SplitAddress::new(path)
}

/// Settings under which nothing is tried twice, opening reads little more than a footer, and splits,
/// which are small here, are read as large ones are.
pub fn settings() -> WarmerSettings {
    let store = StoreSettings::default()
        .with_footer_guess_bytes(20 << 10)
        .with_whole_split_bytes(0)
        .with_max_attempts(1);
    WarmerSettings::default().with_store(store)
}

pub fn strict() -> WarmerSettings {
    settings().with_on_miss(OnMiss::Fail)
}

pub fn warmer(store: Arc<dyn ObjectStore>, settings: WarmerSettings) -> Warmer {
    let builder = Warmer::builder(store)
        .settings(settings)
        .pool(Arc::clone(&POOL));
    builder.build().expect("good settings")
}

/// A warmer that keeps its plans.
pub fn warmer_with_plans(
    store: Arc<dyn ObjectStore>,
    settings: WarmerSettings,
    plans: Arc<dyn PlanStore>,
) -> Warmer {
    let builder = Warmer::builder(store).settings(settings).plan_store(plans);
    let builder = builder.pool(Arc::clone(&POOL));
    builder.build().expect("good settings")
}

/// A request without documents.
pub fn request(query: Value) -> SearchRequest {
    SearchRequest::from_value(&json!({ "query": query, "_source": false })).expect("a good request")
}

/// A request with the documents of its hits.
pub fn with_documents(query: Value) -> SearchRequest {
    SearchRequest::from_value(&json!({ "query": query, "size": 20 })).expect("a good request")
}

/// Requests of all kinds, which overlap in what they read.
pub fn requests() -> Vec<SearchRequest> {
    let queries = [
        json!({ "term": { "key": key(5) } }),
        json!({ "term": { "tag": "t3" } }),
        json!({ "terms": { "key": (0..20).map(key).collect::<Vec<_>>() } }),
        json!({ "match": { "body": "common w3" } }),
        json!({ "match": { "body": { "query": "w3 sea1", "operator": "and" } } }),
        json!({ "match_phrase": { "body": "the old man" } }),
        json!({ "prefix": { "key": "0" } }),
        json!({ "range": { "price": { "gte": 20.0, "lt": 60.0 } } }),
        json!({ "bool": {
            "must": [{ "match": { "body": "man" } }],
            "filter": [{ "range": { "price": { "lt": 50.0 } } }],
            "must_not": [{ "term": { "tag": "t1" } }],
        } }),
        json!({ "match_all": {} }),
    ];
    let mut requests: Vec<_> = queries.iter().cloned().map(with_documents).collect();
    let sorted = json!({ "query": queries[3], "sort": [{ "price": "desc" }, { "id": "asc" }] });
    requests.push(SearchRequest::from_value(&sorted).expect("a good request"));
    requests
}

/// What was answered, without what it cost.
pub fn answer(response: &SearchResponse) -> Value {
    serde_json::to_value(&response.hits).expect("JSON")
}

/// The right answer, read on demand by a warmer of its own.
pub async fn truth(
    store: &Arc<dyn ObjectStore>,
    splits: &[SplitAddress],
    request: &SearchRequest,
) -> Value {
    let plain = warmer(Arc::clone(store), settings());
    let response = plain.search_without_warming(splits, request).await;
    answer(&response.expect("a store without faults"))
}

/// Time that stands still but for [`pass`](Self::pass): what runs on the pool takes none. Tokio's
/// own paused clock would run ahead to the next timer while the pool works.
pub struct FrozenTime {
    _held: std::sync::mpsc::Sender<()>,
}

impl FrozenTime {
    /// Pauses the clock of a runtime of one thread.
    pub fn new() -> Self {
        tokio::time::pause();
        let (held, release) = std::sync::mpsc::channel::<()>();
        // Tokio's clock stays where it is while a blocking task runs.
        tokio::task::spawn_blocking(move || release.recv());
        Self { _held: held }
    }

    /// Waits for `work`. Hardly any time passes: a millisecond now and then, for timers that are due
    /// fire no sooner.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            for _ in 0..50 {
                tokio::select! {
                    biased;
                    done = &mut work => return done,
                    () = tokio::task::yield_now() => (),
                }
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }

    /// Lets `time` pass, in steps of a second or more, between which whatever `is_busy` ends.
    pub async fn pass(&self, time: Duration, is_busy: impl Fn() -> bool) {
        let step = (time / 500).max(Duration::from_secs(1)).min(time);
        let mut left = time;
        while !left.is_zero() {
            let now = step.min(left);
            tokio::time::advance(now).await;
            left -= now;
            self.run(settled(&is_busy)).await;
        }
    }
}

/// Waits until nothing has been busy for a while.
async fn settled(is_busy: impl Fn() -> bool) {
    let mut quiet = 0;
    while quiet < 20 {
        tokio::task::yield_now().await;
        quiet = if is_busy() { 0 } else { quiet + 1 };
    }
}

/// Whether any job or tick of a manager is under way.
pub fn is_busy(manager: &Manager) -> bool {
    let mut jobs = manager.jobs().into_iter();
    let mut triggers = manager.triggers().into_iter();
    jobs.any(|job| !job.state.is_finished())
        || triggers.any(|trigger| trigger.status().state == TriggerState::Running)
}
