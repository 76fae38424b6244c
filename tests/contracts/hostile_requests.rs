//! Whatever a request asks for, it ends with an answer or a clear error, within bounded time and memory.

#[path = "hostile_requests/aggregations.rs"]
mod aggregations;
#[path = "hostile_requests/depth.rs"]
mod depth;
#[path = "hostile_requests/mutations.rs"]
mod mutations;
#[path = "hostile_requests/patterns.rs"]
mod patterns;
#[path = "hostile_requests/sizes.rs"]
mod sizes;
#[path = "hostile_requests/values.rs"]
mod values;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use forewarm::{Error, ErrorKind, SearchRequest, SearchResponse, SplitAddress, Warmer};
use futures_util::FutureExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{
    DateOptions, FAST, INDEXED, JsonObjectOptions, STORED, STRING, Schema, TEXT,
};
use tantivy::{Index, TantivyDocument};
use tokio::runtime::Runtime;

use crate::fixture::{put, strict, warmer};

/// More than any request here may take on a slow machine; it only tells a hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest message, in bytes: it names the place, it does not repeat the request.
const MESSAGE: usize = 5_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
});

/// A split, and a strict warmer over it.
struct Target {
    warmer: Warmer,
    splits: Vec<SplitAddress>,
}

static TARGET: LazyLock<Target> = LazyLock::new(|| Target::over(&index()));

impl Target {
    fn over(index: &RamDirectory) -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        RUNTIME.block_on(async {
            let split = put(&*store, "hostile.split", index).await;
            Self {
                warmer: warmer(store, strict()),
                splits: vec![split],
            }
        })
    }

    /// Reads, explains and searches, in bounded time and without a panic.
    fn ask(&self, request: SearchRequest) -> Result<SearchResponse, Error> {
        let Self { warmer, splits } = self;
        let work = async move {
            let _ = request.fingerprint();
            let explained = warmer.explain(&splits[0], &request).await;
            let response = warmer.search(splits, &request).await;
            if response.is_ok() {
                explained?;
            }
            response
        };
        RUNTIME.block_on(async {
            let work = tokio::time::timeout(PATIENCE, AssertUnwindSafe(work).catch_unwind()).await;
            work.expect("it hangs").expect("a panic came through")
        })
    }
}

/// What is to become of a request.
pub enum Ends {
    /// With an answer.
    Answered,
    /// With an error of this kind that says so, and where.
    Refused(ErrorKind, &'static str),
}

/// What a request that is simply wrong or too large ends with.
pub fn refused(message: &'static str) -> Ends {
    Ends::Refused(ErrorKind::InvalidRequest, message)
}

/// Two segments with fields of all types.
fn index() -> RamDirectory {
    let mut schema = Schema::builder();
    schema.add_u64_field("id", INDEXED | FAST | STORED);
    schema.add_text_field("body", TEXT | STORED);
    schema.add_text_field("tag", STRING | FAST | STORED);
    schema.add_f64_field("price", INDEXED | FAST);
    schema.add_i64_field("delta", INDEXED | FAST);
    schema.add_bool_field("flag", INDEXED | FAST);
    schema.add_date_field("at", DateOptions::from(INDEXED | FAST));
    schema.add_ip_addr_field("ip", INDEXED | FAST);
    schema.add_bytes_field("blob", INDEXED | FAST);
    schema.add_facet_field("path", INDEXED);
    let repo = JsonObjectOptions::from(TEXT | STORED).set_fast("raw");
    schema.add_json_field("repo", repo);
    let documents = |segment: i64| (segment * 200..(segment + 1) * 200).map(document);
    built(
        schema.build(),
        (0..2).map(|segment| documents(segment).collect()),
    )
}

fn document(n: i64) -> Value {
    json!({
        "id": n, "body": format!("common word w{} a{} old man", n % 50, n % 7),
        "tag": format!("t{}", n % 5), "price": n as f64 / 4.0, "delta": 7 - n,
        "flag": n % 2 == 0, "at": format!("{}-01-01T00:00:00Z", 1925 + n % 100),
        "ip": format!("10.0.0.{}", n % 250), "blob": "AAEC", "path": format!("/a/b{n}"),
        "repo": {"name": format!("r{n}"), "stars": n, "deep": {"er": n % 3 == 0}},
    })
}

/// An index with a segment of each list of documents.
fn built(schema: Schema, segments: impl IntoIterator<Item = Vec<Value>>) -> RamDirectory {
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), schema.clone(), Default::default()).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 20_000_000)
        .unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for documents in segments {
        for document in documents {
            let document = document.to_string();
            let document = TantivyDocument::parse_json(&schema, &document).unwrap();
            writer.add_document(document).unwrap();
        }
        writer.commit().unwrap();
    }
    directory
}

/// Asks, and checks how it ends.
pub fn attack(body: &Value, ends: &Ends) {
    attack_text(&body.to_string(), ends);
}

pub fn attack_text(body: &str, ends: &Ends) {
    let shown: String = body.chars().take(200).collect();
    let asked = SearchRequest::from_json(body).and_then(|request| TARGET.ask(request));
    check(&shown, asked, ends);
}

/// Asks a query, and checks how it ends.
pub fn attack_query(query: &Value, ends: &Ends) {
    attack(&json!({ "query": query }), ends);
}

pub fn attack_request(name: &str, request: SearchRequest, ends: &Ends) {
    check(name, TARGET.ask(request), ends);
}

fn check(name: &str, ended: Result<SearchResponse, Error>, ends: &Ends) {
    match (ended, ends) {
        (Ok(response), Ends::Answered) => {
            assert_eq!(response.report.late_reads, 0, "{name}");
        }
        (Ok(_), Ends::Refused(_, message)) => panic!("{name}: answered instead of {message:?}"),
        (Err(error), Ends::Answered) => panic!("{name}: {}", error.chain()),
        (Err(error), Ends::Refused(kind, message)) => {
            let chain = error.chain();
            assert_eq!(error.kind(), *kind, "{name}: {chain}");
            assert!(chain.contains(message), "{name}: {chain}");
            assert!(
                chain.len() <= MESSAGE,
                "{name}: a message of {} bytes",
                chain.len()
            );
        }
    }
}

/// What the process has held at most, in kB, since it was last asked; nothing where it is not told.
pub fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let peak = line.split_whitespace().nth(1)?.parse().ok();
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    peak
}
