//! Pack, upload, open, explain, warm, search strictly, verify: over every store, and through the
//! faults of a real protocol.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{
    Error, ErrorKind, OnMiss, PackSettings, PackedSplit, SearchRequest, SearchResponse,
    SplitAddress, Warmer, WarmerSettings, pack, verify,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::schema::{FAST, STORED, STRING, Schema, TEXT};
use tantivy::{Index, TantivyDocument, doc};

use crate::common::s3_server::{Fault, S3Server};
use crate::common::stores;
use crate::noise;

const LONG: Duration = Duration::from_secs(60);

/// A split of `docs` documents with `weight` bytes of noise each.
pub fn packed(docs: u64, weight: usize) -> PackedSplit {
    let mut builder = Schema::builder();
    let id = builder.add_u64_field("id", FAST | STORED);
    let body = builder.add_text_field("body", TEXT | STORED);
    let key = builder.add_text_field("key", STRING);
    let ballast = builder.add_bytes_field("ballast", STORED);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), builder.build(), Default::default()).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 30_000_000)
        .unwrap();
    let bytes = noise(weight + docs as usize);
    for n in 0..docs {
        let at = n as usize;
        let document = doc!(
            id => n,
            body => format!("common w{} sea{}", n % 50, n % 3),
            key => format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            ballast => bytes[at..at + weight].to_vec(),
        );
        writer.add_document(document).unwrap();
    }
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    let mut settings = PackSettings::default();
    settings.term_dictionary_budget = 1024;
    pack(&directory, &settings).unwrap()
}

pub fn requests() -> Vec<SearchRequest> {
    let key = format!("{:016x}", 3_u64.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    [
        json!({ "query": { "term": { "key": key } }, "_source": ["id", "body"] }),
        json!({ "query": { "match": { "body": "sea1 w7" } }, "_source": ["id"] }),
        json!({ "query": { "match_all": {} }, "sort": [{ "id": "desc" }], "_source": ["id"] }),
    ]
    .iter()
    .map(|body| SearchRequest::from_value(body).unwrap())
    .collect()
}

pub fn settings() -> WarmerSettings {
    let mut settings = WarmerSettings::default().with_on_miss(OnMiss::Fail);
    settings.store.footer_guess_bytes = 8 << 10;
    settings.store.whole_split_bytes = 0;
    settings.store.read_timeout = Duration::from_millis(300);
    settings
}

fn warmer(store: Arc<dyn ObjectStore>, settings: WarmerSettings) -> Warmer {
    Warmer::builder(store).settings(settings).build().unwrap()
}

pub fn answer(response: &SearchResponse) -> Value {
    serde_json::to_value(&response.hits).unwrap()
}

/// The right answers to [`requests`].
pub async fn truths(split: &PackedSplit, path: &Path) -> Vec<Value> {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    split.upload(store.as_ref(), path).await.unwrap();
    let warmer = warmer(store, settings().with_on_miss(OnMiss::Fetch));
    let address = [SplitAddress::new(path.clone())];
    let mut answers = Vec::new();
    for request in requests() {
        let response = warmer
            .search_without_warming(&address, &request)
            .await
            .unwrap();
        assert!(response.hits.total.unwrap().value > 0);
        answers.push(answer(&response));
    }
    answers
}

async fn goes_the_whole_way(name: &str, store: Arc<dyn ObjectStore>) {
    for (path, split) in [
        ("a b/small é.split", packed(2000, 10)),
        ("large.split", packed(180, 100_000)),
    ] {
        let path = Path::from(path);
        let truths = truths(&split, &path).await;
        let report = split.upload(store.as_ref(), &path).await.unwrap();
        assert_eq!(report.bytes, split.len());
        assert_eq!(report.parts > 1, split.len() > 16 << 20, "{name}");
        let address = SplitAddress::new(path.clone());
        for address in [address.clone(), address.with_footer(report.footer_range)] {
            let warmer = warmer(Arc::clone(&store), settings().with_on_miss(OnMiss::Fail));
            let opened = warmer.open(&address).await.unwrap();
            assert_eq!(
                (opened.size(), opened.footer()),
                (split.len(), split.footer_range())
            );
            for (request, truth) in requests().iter().zip(&truths) {
                let explained = warmer.explain(&address, request).await.unwrap();
                let explained = serde_json::to_value(&explained).unwrap();
                assert_eq!(
                    explained["lower_bound"],
                    json!(false),
                    "{name}: {explained}"
                );
                let warmup = warmer.warm(&address, request);
                let outcome = warmup.join(LONG).await;
                assert!(outcome.is_warm(), "{name}: {outcome}");
                let splits = [address.clone()];
                let response = warmer.search(&splits, request).await.unwrap();
                assert_eq!(&answer(&response), truth, "{name}");
                assert_eq!(
                    (response.report.outcome, response.report.late_reads),
                    ("ready", 0)
                );
                let again = warmer.search(&splits, request).await.unwrap();
                assert_eq!(
                    (again.report.gets, again.report.late_reads),
                    (0, 0),
                    "{name}"
                );
            }
        }
        let report = verify(Arc::clone(&store), &path).await.unwrap();
        assert!(report.is_sound(), "{name}: {:?}", report.problems);
        is_told_when_replaced(name, &store, &path).await;
    }
}

async fn is_told_when_replaced(name: &str, store: &Arc<dyn ObjectStore>, path: &Path) {
    let warmer = warmer(Arc::clone(store), settings());
    let address = SplitAddress::new(path.clone());
    warmer.open(&address).await.unwrap();
    let other = packed(77, 100);
    other.upload(store.as_ref(), path).await.unwrap();
    let outcome = warmer.warm(&address, &requests()[0]).join(LONG).await;
    let forewarm::Outcome::Failed(error) = outcome else {
        panic!("{name}: {outcome}");
    };
    assert_eq!(
        error.kind(),
        ErrorKind::SplitChanged,
        "{name}: {}",
        error.chain()
    );
    let truths = truths(&other, path).await;
    for (request, truth) in requests().iter().zip(&truths) {
        let response = warmer
            .search(std::slice::from_ref(&address), request)
            .await
            .unwrap();
        assert_eq!(&answer(&response), truth, "{name}");
    }
    store.delete(path).await.unwrap();
    let error = self::warmer(Arc::clone(store), settings())
        .open(&address)
        .await
        .unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::NotFound,
        "{name}: {}",
        error.chain()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_store_goes_the_whole_way() {
    for under_test in stores() {
        eprintln!("{}: the whole way", under_test.name);
        goes_the_whole_way(under_test.name, Arc::clone(&under_test.store)).await;
    }
}

/// When a fault comes.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Open,
    Warm,
    OnDemand,
}

struct Rig {
    server: S3Server,
    split: PackedSplit,
    path: Path,
    truths: Vec<Value>,
}

impl Rig {
    async fn new() -> Self {
        let (split, path) = (packed(2000, 10), Path::from("a.split"));
        let truths = truths(&split, &path).await;
        Self {
            server: S3Server::start(),
            split,
            path,
            truths,
        }
    }

    /// Searches while `fault` comes `times` times in a row from `stage` on; forewarm's own retries
    /// are the only ones.
    async fn search(
        &self,
        request: usize,
        stage: Stage,
        fault: Fault,
        times: usize,
    ) -> Result<Value, Error> {
        let store: Arc<dyn ObjectStore> = Arc::new(self.server.store_with_retries(0));
        self.split.upload(store.as_ref(), &self.path).await?;
        let warmer = warmer(store, settings().with_on_miss(OnMiss::Fetch));
        let splits = [SplitAddress::new(self.path.clone())];
        if !matches!(stage, Stage::Open) {
            warmer.open(&splits[0]).await?;
        }
        self.server.inject(fault, times);
        let request = &requests()[request];
        let search = async {
            match stage {
                Stage::OnDemand => warmer.search_without_warming(&splits, request).await,
                Stage::Open | Stage::Warm => warmer.search(&splits, request).await,
            }
        };
        let response = tokio::time::timeout(LONG, search)
            .await
            .expect("it does not hang");
        // Faults that nobody met must not meet the next search.
        self.server.clear_faults();
        response.map(|response| answer(&response))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_fault_does_not_show() {
    let rig = Rig::new().await;
    for fault in [
        Fault::SlowDown,
        Fault::Reset,
        Fault::Truncate,
        Fault::ShortBody,
        Fault::Stall,
        Fault::WrongRange,
    ] {
        for stage in [Stage::Open, Stage::Warm, Stage::OnDemand] {
            for (request, truth) in rig.truths.iter().enumerate() {
                let found = rig.search(request, stage, fault, 1).await;
                let found = found.unwrap_or_else(|e| panic!("{fault:?} {stage:?}: {}", e.chain()));
                assert_eq!(&found, truth, "{fault:?} {stage:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_fault_is_a_clear_error_and_never_a_wrong_answer() {
    let rig = Rig::new().await;
    for fault in [
        Fault::SlowDown,
        Fault::Reset,
        Fault::ShortBody,
        Fault::WrongRange,
    ] {
        for stage in [Stage::Open, Stage::Warm, Stage::OnDemand] {
            match rig.search(0, stage, fault, 60).await {
                // With nothing left to read, a fault shows nowhere.
                Ok(found) => assert_eq!(found, rig.truths[0], "{fault:?} {stage:?}"),
                Err(error) => {
                    assert_eq!(
                        error.kind(),
                        ErrorKind::Store,
                        "{fault:?}: {}",
                        error.chain()
                    );
                    assert!(error.to_string().contains("a.split"), "{}", error.chain());
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_between_gets_is_an_error_or_told() {
    let rig = Rig::new().await;
    for stage in [Stage::Warm, Stage::OnDemand] {
        for request in 0..rig.truths.len() {
            // What the server puts in the place of the split is no split.
            match rig.search(request, stage, Fault::Replaced, 1).await {
                Ok(found) => assert_eq!(found, rig.truths[request], "{stage:?}"),
                Err(error) => assert!(
                    [ErrorKind::SplitChanged, ErrorKind::Corrupt].contains(&error.kind()),
                    "{stage:?}: {}",
                    error.chain()
                ),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_does_not_bring_a_search_down_and_is_found_by_verify() {
    std::panic::set_hook(Box::new(|_| {}));
    let rig = Rig::new().await;
    for stage in [Stage::Open, Stage::Warm, Stage::OnDemand] {
        for request in 0..rig.truths.len() {
            // Right or not: only checksums over whole files can tell. It must end.
            let _ = rig.search(request, stage, Fault::FlippedBit, 1).await;
        }
    }
    let _ = std::panic::take_hook();

    // On the way: in the footer, and in the body.
    let store: Arc<dyn ObjectStore> = Arc::new(rig.server.store());
    rig.server.inject(Fault::FlippedBit, 2);
    match verify(Arc::clone(&store), &rig.path).await {
        Ok(report) => assert!(!report.is_sound()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.chain()),
    }
    rig.server.clear_faults();
    // At rest: in each file.
    let whole = rig.split.to_vec().unwrap();
    for (name, range) in rig.split.files().filter(|(_, range)| !range.is_empty()) {
        let mut damaged = whole.clone();
        damaged[(range.start + (range.end - range.start) / 2) as usize] ^= 4;
        store.put(&rig.path, damaged.into()).await.unwrap();
        let report = verify(Arc::clone(&store), &rig.path).await.unwrap();
        assert!(!report.is_sound(), "{name}");
    }
}
