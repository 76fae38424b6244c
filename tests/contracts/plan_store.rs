//! Plans that outlive the process: what one node has searched, another warms in one round.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use forewarm::{
    AbsenceEntry, DirectoryPlans, Fingerprint, ObjectPlans, PlanBatch, PlanEntry, PlanStore,
    PlanStoreSettings, Result, SimulatedSettings, SimulatedStore, Warmer,
};
use futures_util::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::fixture::{
    answer, index, key, put, request, requests, strict, truth, warmer_with_plans, with_documents,
};
use crate::test_store::TestStore;

/// A store of the caller's: rows by key, as a table of a database.
#[derive(Debug, Default)]
struct Table {
    plans: Mutex<HashMap<(String, Fingerprint), Vec<u8>>>,
    absences: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    /// That there was a save.
    saved: Notify,
    batch: Option<usize>,
}

#[async_trait]
impl PlanStore for Table {
    async fn load(&self) -> Result<PlanBatch> {
        let mut batch = PlanBatch::default();
        for row in self.plans.lock().unwrap().values() {
            batch.plans.push(Arc::new(PlanEntry::from_bytes(row)?));
        }
        for row in self.absences.lock().unwrap().values() {
            batch.absences.push(AbsenceEntry::from_bytes(row)?);
        }
        Ok(batch)
    }

    async fn save(&self, batch: PlanBatch) -> Result<()> {
        for plan in &batch.plans {
            let key = (plan.split().to_string(), plan.fingerprint());
            self.plans.lock().unwrap().insert(key, plan.to_bytes()?);
        }
        for absence in &batch.absences {
            let mut absences = self.absences.lock().unwrap();
            absences.insert(absence.key()?, absence.to_bytes()?);
        }
        self.saved.notify_waiters();
        Ok(())
    }

    fn settings(&self) -> PlanStoreSettings {
        let settings = PlanStoreSettings::default();
        let batch = self.batch.unwrap_or(settings.batch);
        settings.with_batch(batch)
    }
}

/// Opens a store anew, as each node does.
type Opens = Box<dyn Fn() -> Arc<dyn PlanStore>>;

/// The stores there are, and one of the caller's.
fn plan_stores(folder: &std::path::Path, store: &Arc<dyn ObjectStore>) -> Vec<Opens> {
    let path = folder.join("plans");
    let store = Arc::clone(store);
    let table = Arc::new(Table::default());
    vec![
        Box::new(move || Arc::new(DirectoryPlans::new(&path))),
        Box::new(move || Arc::new(ObjectPlans::beside(Arc::clone(&store), &"logs".into()))),
        Box::new(move || Arc::clone(&table) as _),
    ]
}

fn slow(store: &Arc<TestStore>) -> Arc<dyn ObjectStore> {
    let mut settings = SimulatedSettings::default();
    settings.first_byte = Duration::from_millis(3);
    let inner: Arc<dyn ObjectStore> = Arc::clone(store) as _;
    Arc::new(SimulatedStore::new(inner, settings))
}

fn node(store: &Arc<dyn ObjectStore>, plans: Arc<dyn PlanStore>) -> Warmer {
    warmer_with_plans(Arc::clone(store), strict(), plans)
}

#[tokio::test]
async fn what_one_node_has_searched_another_warms_in_one_round() {
    let counted = TestStore::in_memory();
    let splits = [
        put(counted.as_ref(), "logs/a.split", &index(2, 2000, 0)).await,
        put(counted.as_ref(), "logs/b.split", &index(1, 500, 1)).await,
    ];
    let (store, fast) = (slow(&counted), Arc::clone(&counted) as Arc<dyn ObjectStore>);
    let folder = tempfile::tempdir().unwrap();
    for open in plan_stores(folder.path(), &store) {
        let first = node(&store, open());
        assert_eq!(first.load_plans().await.unwrap().plans, 0);
        for request in requests() {
            let response = first.search(&splits, &request).await.unwrap();
            assert!(response.report.rounds > 1);
            first.clear().await;
        }
        first.flush_plans().await.unwrap();
        drop(first);

        for request in requests() {
            let newcomer = node(&store, open());
            let loaded = newcomer.load_plans().await.unwrap();
            assert!(loaded.plans > requests().len() as u64, "{loaded:?}");
            assert_eq!(loaded.rejected, 0);
            counted.take();
            let response = newcomer.search(&splits, &request).await.unwrap();
            let report = &response.report;
            assert_eq!((report.rounds, report.late_reads), (1, 0), "{request:?}");
            assert_eq!(report.gets, counted.take().len() as u64);
            assert_eq!(newcomer.statistics().plan_hits, 2);
            assert_eq!(answer(&response), truth(&fast, &splits, &request).await);
        }
    }
}

#[tokio::test]
async fn what_is_proven_absent_is_not_looked_for_by_another_node() {
    let counted = TestStore::in_memory();
    let split = [put(counted.as_ref(), "logs/a.split", &index(2, 2000, 0)).await];
    let store: Arc<dyn ObjectStore> = Arc::clone(&counted) as _;
    let folder = tempfile::tempdir().unwrap();
    let absent = json!({ "term": { "key": key(1 << 50) } });
    let pattern = json!({ "prefix": { "key": "zz" } });
    for open in plan_stores(folder.path(), &store) {
        let first = node(&store, open());
        for query in [&absent, &pattern] {
            first.search(&split, &request(query.clone())).await.unwrap();
        }
        first.flush_plans().await.unwrap();

        // Other requests, of which no plan is known.
        for query in [&absent, &pattern] {
            let newcomer = node(&store, open());
            // Each of two segments lacks both.
            assert_eq!(newcomer.load_plans().await.unwrap().absences, 4);
            newcomer.open(&split[0]).await.unwrap();
            counted.take();
            let both = json!({ "bool": { "filter": [query, { "term": { "tag": "t3" } }] } });
            let response = newcomer
                .search(&split, &request(both).size(0))
                .await
                .unwrap();
            assert_eq!(response.hits.total.unwrap().value, 0);
            assert_eq!(newcomer.statistics().plan_hits, 0);
            assert_eq!(counted.take(), [], "{query}");
        }
    }
}

/// The bytes of each pack, changed.
async fn damage(store: &dyn ObjectStore, change: impl Fn(&mut Vec<u8>)) -> u64 {
    let prefix = Path::from("logs/_plans");
    let packs: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
    for pack in &packs {
        let mut bytes = store
            .get(&pack.location)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec();
        change(&mut bytes);
        store.put(&pack.location, bytes.into()).await.unwrap();
    }
    packs.len() as u64
}

#[tokio::test]
async fn plans_that_cannot_be_read_are_a_cold_start() {
    let request = with_documents(json!({ "term": { "tag": "t3" } }));
    let changes: [fn(&mut Vec<u8>); 4] = [
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        },
        |bytes| bytes.truncate(bytes.len() / 2),
        Vec::clear,
        |bytes| bytes[8] += 1,
    ];
    for change in changes {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let split = [put(store.as_ref(), "logs/a.split", &index(1, 1000, 0)).await];
        let expected = truth(&store, &split, &request).await;
        let open = || Arc::new(ObjectPlans::beside(Arc::clone(&store), &"logs".into()));
        let first = node(&store, open());
        first.search(&split, &request).await.unwrap();
        first.flush_plans().await.unwrap();
        let packs = damage(store.as_ref(), change).await;
        let newcomer = node(&store, open());
        let loaded = newcomer.load_plans().await.unwrap();
        assert_eq!((loaded.plans, loaded.rejected), (0, packs));
        let response = newcomer.search(&split, &request).await.unwrap();
        assert_eq!(answer(&response), expected);
        assert_eq!(response.report.late_reads, 0);
        assert_eq!(newcomer.statistics().plan_hits, 0);
    }
}

#[tokio::test]
async fn a_plan_of_a_split_that_was_replaced_is_forgotten() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let split = [put(store.as_ref(), "logs/a.split", &index(1, 1000, 0)).await];
    let open = || Arc::new(ObjectPlans::beside(Arc::clone(&store), &"logs".into()));
    let request = with_documents(json!({ "term": { "tag": "t3" } }));
    let first = node(&store, open());
    first.search(&split, &request).await.unwrap();
    first.flush_plans().await.unwrap();
    put(store.as_ref(), "logs/a.split", &index(2, 700, 1)).await;

    for plan_hits in [0, 1] {
        let newcomer = node(&store, open());
        assert_eq!(newcomer.load_plans().await.unwrap().plans, 1);
        let response = newcomer.search(&split, &request).await.unwrap();
        assert_eq!(answer(&response), truth(&store, &split, &request).await);
        assert_eq!(newcomer.statistics().plan_hits, plan_hits);
        newcomer.flush_plans().await.unwrap();
    }
}

#[tokio::test]
async fn plans_are_written_in_the_background_and_a_dropped_warmer_leaves_nothing_running() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let split = [put(store.as_ref(), "logs/a.split", &index(1, 1000, 0)).await];
    let table = Arc::new(Table {
        batch: Some(1),
        ..Table::default()
    });
    let first = node(&store, Arc::clone(&table) as _);
    let request = with_documents(json!({ "term": { "tag": "t3" } }));
    let saved = table.saved.notified();
    first.search(&split, &request).await.unwrap();
    let patience = Duration::from_secs(60);
    timeout(patience, saved).await.unwrap();
    assert_eq!(table.plans.lock().unwrap().len(), 1);

    first.forget_warmups();
    drop(first);
    let alone = async {
        while Arc::strong_count(&table) > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(patience, alone).await.unwrap();
}

#[tokio::test]
async fn a_plan_store_that_is_away_stops_no_search() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let split = [put(store.as_ref(), "logs/a.split", &index(1, 1000, 0)).await];
    let file = tempfile::NamedTempFile::new().unwrap();
    let plans = Arc::new(DirectoryPlans::new(file.path()));
    let warmer = node(&store, plans);
    assert!(warmer.load_plans().await.is_err());
    let request = with_documents(json!({ "term": { "tag": "t3" } }));
    let response = warmer.search(&split, &request).await.unwrap();
    assert_eq!(response.report.late_reads, 0);
    assert!(warmer.flush_plans().await.is_err());
}

#[tokio::test]
async fn wrong_settings_of_a_plan_store_are_named() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let settings = PlanStoreSettings::default().with_batch(0).with_max_packs(0);
    let error = DirectoryPlans::new("plans")
        .with_settings(settings)
        .unwrap_err();
    assert!(error.to_string().contains("max_packs"), "{error}");
    assert!(error.to_string().contains("batch"), "{error}");

    #[derive(Debug)]
    struct Wrong;
    #[async_trait]
    impl PlanStore for Wrong {
        async fn load(&self) -> Result<PlanBatch> {
            Ok(PlanBatch::default())
        }
        async fn save(&self, _: PlanBatch) -> Result<()> {
            Ok(())
        }
        fn settings(&self) -> PlanStoreSettings {
            PlanStoreSettings::default().with_batch(0)
        }
    }
    assert!(
        Warmer::builder(store)
            .plan_store(Arc::new(Wrong))
            .build()
            .is_err()
    );
}
