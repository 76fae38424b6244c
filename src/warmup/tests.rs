//! Plans that are wrong, which only a broken or foreign store could hold.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use tantivy::directory::RamDirectory;
use tantivy::schema::{STORED, Schema, TEXT};
use tantivy::{Index, IndexSettings, doc};

use super::{Warmer, WarmerSettings};
use crate::directory::OnMiss;
use crate::filter::{Clause, SearchRequest};
use crate::plan::{PlanEntry, PlanSource, SplitPlan};
use crate::split::{PackSettings, SplitAddress, pack};

pub(crate) async fn split(store: &dyn ObjectStore) -> SplitAddress {
    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT | STORED);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), schema.build(), IndexSettings::default());
    let mut writer = index
        .unwrap()
        .writer_with_num_threads(1, 15_000_000)
        .unwrap();
    for n in 0..500 {
        writer
            .add_document(doc!(body => format!("common w{n}")))
            .unwrap();
    }
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    let packed = pack(&directory, &PackSettings::default()).unwrap();
    packed.upload(store, &"a.split".into()).await.unwrap();
    SplitAddress::new("a.split".into())
}

pub(crate) fn warmer(store: &Arc<InMemory>, on_miss: OnMiss, plan: Option<PlanEntry>) -> Warmer {
    let settings = WarmerSettings::default().with_on_miss(on_miss);
    let builder = Warmer::builder(store.clone()).settings(settings);
    let warmer = builder.build().unwrap();
    warmer.add_plans(plan);
    warmer
}

pub(crate) fn the_plan(warmer: &Warmer) -> PlanEntry {
    let plans = warmer.plans();
    assert_eq!(plans.len(), 1);
    plans[0].as_ref().clone()
}

/// The ranges of a row.
pub(crate) fn ranges(row: &mut PlanEntry) -> &mut SplitPlan {
    Arc::make_mut(row.plan.as_mut().unwrap())
}

pub(crate) fn request() -> SearchRequest {
    SearchRequest::new(Clause::match_text("body", "common"))
}

#[tokio::test]
async fn a_plan_that_lacks_something_is_completed_by_the_search_that_reads_it() {
    let store = Arc::new(InMemory::new());
    let splits = [split(store.as_ref()).await];
    let teacher = warmer(&store, OnMiss::Fail, None);
    let right = teacher.search(&splits, &request()).await.unwrap();
    let mut plan = the_plan(&teacher);
    assert_eq!(plan.source, PlanSource::Recorded);
    let whole = ranges(&mut plan).search.clone();
    ranges(&mut plan).search.pop().unwrap();
    ranges(&mut plan).documents.clear();

    // Whether it waits for its warmup or finds it ready.
    for is_ready in [false, true] {
        let reader = warmer(&store, OnMiss::Fetch, Some(plan.clone()));
        let warmup = reader.warm(&splits[0], &request());
        if is_ready {
            assert!(warmup.join(Duration::from_secs(60)).await.is_warm());
        }
        let found = reader.search(&splits, &request()).await.unwrap();
        assert_eq!(found.hits.total, right.hits.total);
        assert_eq!(found.report.planned_splits, 1);
        assert!(found.report.plan_misses > 0);
        assert_eq!(found.report.plan_misses, found.report.late_reads);
        assert_eq!(reader.statistics().plan_misses, found.report.plan_misses);
        assert_eq!(reader.statistics().plans_healed, 1);

        let healed = the_plan(&reader);
        assert_eq!(healed.source, PlanSource::Healed);
        assert_eq!(healed.plan().unwrap().search, whole);
        let strict = warmer(&store, OnMiss::Fail, Some(healed));
        let found = strict.search(&splits, &request()).await.unwrap();
        assert_eq!((found.report.planned_splits, found.report.rounds), (1, 1));
    }
}

#[tokio::test]
async fn a_plan_of_another_request_with_the_same_fingerprint_is_not_used() {
    let store = Arc::new(InMemory::new());
    let splits = [split(store.as_ref()).await];
    let teacher = warmer(&store, OnMiss::Fail, None);
    teacher.search(&splits, &request()).await.unwrap();
    let mut plan = the_plan(&teacher);
    plan.canonical.push(' ');
    ranges(&mut plan).hopeless.fill(true);
    let reader = warmer(&store, OnMiss::Fail, Some(plan));
    let found = reader.search(&splits, &request()).await.unwrap();
    assert_eq!(found.report.planned_splits, 0);
    assert_eq!(found.hits.total.map(|total| total.value), Some(500));
}

#[tokio::test]
async fn a_plan_whose_footer_lies_elsewhere_is_not_gone_by() {
    let store = Arc::new(InMemory::new());
    let splits = [split(store.as_ref()).await];
    let teacher = warmer(&store, OnMiss::Fail, None);
    teacher.search(&splits, &request()).await.unwrap();
    let good = the_plan(&teacher);
    for (start, end) in [(1, 0), (0, 9), (5, 1 << 60), (u64::MAX, u64::MAX)] {
        let mut plan = good.clone();
        let changed = ranges(&mut plan);
        changed.footer.start = start;
        if end != 0 {
            changed.footer.end = end;
            changed.search.push(start..end);
        }
        let reader = warmer(&store, OnMiss::Fail, Some(plan));
        let found = reader.search(&splits, &request()).await.unwrap();
        assert_eq!(found.report.planned_splits, 0);
        assert_eq!(found.hits.total.map(|total| total.value), Some(500));
        let footer = |plan: &PlanEntry| plan.plan().unwrap().footer();
        assert_eq!(footer(&the_plan(&reader)), footer(&good));
    }
}
