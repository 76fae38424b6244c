//! What is emitted: each metric of the list, and no other.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metrics::Unit;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use super::super::list::ALL;
use super::recorder::{Described, Emitted, Noting};
use crate::clock::Clock;
use crate::plan::{PlanEntry, PlanWriter};
use crate::store::{Fetcher, ObjectHandle, ObjectVersion, TrafficCounter};
use crate::warmup::tests::{request, split, the_plan, warmer};
use crate::{
    Clause, DirectoryPlans, Error, ErrorKind, Fingerprint, HedgeSettings, HotSetObject, Manager,
    ManagerSettings, OnMiss, PlanBatch, PlanStore, PlanStoreSettings, RefreshSettings, Result,
    SearchOptions, SearchRequest, SimulatedSettings, SimulatedStore, SplitAddress, StoreSettings,
    TrackTotalHits, Warmer,
};

/// Long enough that only what hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn each_metric_of_the_list_is_emitted_and_no_other() {
    let noting = Noting::default();
    metrics::set_global_recorder(noting.clone()).expect("no other test has one");
    let build = |paused| {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().start_paused(paused).build().unwrap()
    };
    build(true).block_on(a_store_with_faults());
    let plan = build(false).block_on(async {
        a_manager().await;
        plans_kept().await;
        searches().await
    });
    // Failed saves wait long for the next attempt.
    build(true).block_on(plans_not_kept(plan));

    let listed: BTreeMap<_, _> = ALL
        .iter()
        .map(|metric| {
            let emitted = Emitted {
                kind: metric.kind,
                labels: metric.by.into_iter().map(str::to_owned).collect(),
            };
            (metric.name.to_owned(), emitted)
        })
        .collect();
    assert_eq!(noting.emitted(), listed);
    let listed: BTreeMap<_, _> = ALL
        .iter()
        .map(|metric| {
            let described = Described {
                kind: metric.kind,
                unit: Some(match metric.unit {
                    "bytes" => Unit::Bytes,
                    "seconds" => Unit::Seconds,
                    _ => Unit::Count,
                }),
                what: metric.what.to_owned(),
            };
            (metric.name.to_owned(), described)
        })
        .collect();
    assert_eq!(noting.described(), listed);
}

/// GETs that are refused, tried again, and slow to begin.
async fn a_store_with_faults() {
    let memory = InMemory::new();
    let path = Path::from("a.split");
    memory.put(&path, vec![7; 1000].into()).await.unwrap();
    let mut faults = SimulatedSettings::default();
    (faults.tail, faults.error, faults.slow) = (0.0, 0.02, 0.02);
    let store: Arc<dyn ObjectStore> = Arc::new(SimulatedStore::new(Arc::new(memory), faults));
    let settings = StoreSettings::default().with_hedge(HedgeSettings::default());
    let fetcher = Fetcher::new(Arc::clone(&store), settings);
    let object = ObjectHandle::new(
        path.clone(),
        ObjectVersion::of(&store.head(&path).await.unwrap()),
    );
    let traffic = TrafficCounter::default();
    for _ in 0..500 {
        fetcher.get_range(&object, 0..10, &traffic).await.unwrap();
    }
    assert!(fetcher.hedged() > 0 && fetcher.refusals() > 0);
}

/// Jobs, and joins of warmups that run, have failed and never were.
async fn a_manager() {
    let store = Arc::new(InMemory::new());
    let whole = split(store.as_ref()).await;
    let opened = warmer(&store, OnMiss::Fail, None)
        .open(&whole)
        .await
        .unwrap();
    // Opening would bring the rest of so small a split along.
    let splits = [
        whole.with_footer(opened.footer()),
        SplitAddress::new("none.split".into()),
    ];
    let warmer = warmer(&store, OnMiss::Fail, None);
    let settings = ManagerSettings::default().with_refresh(Some(RefreshSettings::default()));
    let manager = Manager::builder(warmer.clone())
        .settings(settings)
        .hot_set(HotSetObject::new(store.clone(), "hot.set".into()));
    let manager = manager.build().unwrap();
    manager.start();
    let trigger = manager.trigger("refresh").unwrap();
    trigger.warm_now(PATIENCE).await.unwrap();
    let request = request();
    let job = manager.prewarm(&splits, &request);
    let outcome = manager
        .join(&splits[0], request.fingerprint(), PATIENCE)
        .await;
    assert_eq!(outcome.name(), "waited");
    assert_eq!(job.wait(PATIENCE).await.state.name(), "partial");
    let never = Fingerprint::of(&serde_json::json!("never asked for"));
    assert_eq!(
        manager.join(&splits[0], never, PATIENCE).await.name(),
        "missing"
    );
    manager.note_search(&splits, &request);
    assert!(manager.shutdown(PATIENCE).await.hot_set_written);
    // Nobody has read what was warmed.
    warmer.clear().await;
    let statistics = warmer.statistics();
    assert!(statistics.wasted_bytes > 0, "{statistics:?}");
}

/// Searches from leases, by plans, by plans that lack something, and on demand.
async fn searches() -> PlanEntry {
    let store = Arc::new(InMemory::new());
    let splits = [split(store.as_ref()).await];
    let teacher = warmer(&store, OnMiss::Fail, None);
    teacher.search(&splits, &request()).await.unwrap();
    teacher.forget_warmups();
    teacher.search(&splits, &request()).await.unwrap();
    let mut plan = the_plan(&teacher);
    let whole = plan.clone();
    plan.plan.search.pop().unwrap();
    let pupil = warmer(&store, OnMiss::Fetch, Some(plan));
    pupil.search(&splits, &request()).await.unwrap();
    assert_eq!(pupil.statistics().plans_healed, 1);
    let any = SearchRequest::new(Clause::match_all())
        .size(1)
        .track_total_hits(TrackTotalHits::Not);
    let twice = [splits[0].clone(), splits[0].clone()];
    let options = SearchOptions::default().with_splits_at_once(1);
    let found = pupil.search_progressively(&twice, &any, &options).await;
    assert_eq!(found.unwrap().report.given_up_splits, 1);
    whole
}

/// A plan store that takes what it is given, and one pack of which is broken.
async fn plans_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(InMemory::new());
    let splits = [split(store.as_ref()).await];
    let with_plans = || {
        let plans = Arc::new(DirectoryPlans::new(folder.path()));
        Warmer::builder(store.clone())
            .plan_store(plans)
            .build()
            .unwrap()
    };
    let warmer = with_plans();
    warmer.search(&splits, &request()).await.unwrap();
    warmer.flush_plans().await.unwrap();
    let mut packs: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    assert_eq!(with_plans().load_plans().await.unwrap().plans, 1);
    let pack = packs.pop().unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&pack, bytes).unwrap();
    assert_eq!(with_plans().load_plans().await.unwrap().rejected, 1);
}

/// Refuses all it is to keep.
#[derive(Debug)]
struct Away(watch::Sender<u32>);

#[async_trait]
impl PlanStore for Away {
    async fn load(&self) -> Result<PlanBatch> {
        Ok(PlanBatch::default())
    }

    async fn save(&self, _: PlanBatch) -> Result<()> {
        self.0.send_modify(|attempts| *attempts += 1);
        Err(Error::new(ErrorKind::Store, "the store is away"))
    }

    fn settings(&self) -> PlanStoreSettings {
        PlanStoreSettings::default().with_batch(1)
    }
}

/// More plans than wait for a store that is away.
async fn plans_not_kept(plan: PlanEntry) {
    let (attempts, mut seen) = watch::channel(0);
    let writer = PlanWriter::new(
        Arc::new(Away(attempts)),
        Clock::system(),
        &Handle::current(),
    );
    for n in 0..40 {
        writer.record(Arc::new(PlanEntry {
            fingerprint: Fingerprint::of(&serde_json::json!(n)),
            ..plan.clone()
        }));
    }
    // The first failure was counted before the second attempt.
    seen.wait_for(|&attempts| attempts == 2).await.unwrap();
}
