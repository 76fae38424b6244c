//! Plans kept in every store beside the splits.

use std::sync::Arc;

use forewarm::{ObjectPlans, PlanStoreSettings, SplitAddress, Warmer};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::common::stores;
use crate::whole_way::{answer, packed, requests, settings, truths};

const MAX_PACKS: usize = 3;

fn node(store: &Arc<dyn ObjectStore>) -> Warmer {
    let settings_of_plans = PlanStoreSettings::default().with_max_packs(MAX_PACKS);
    let plans = ObjectPlans::beside(Arc::clone(store), &Path::from("logs é"))
        .with_settings(settings_of_plans)
        .unwrap();
    Warmer::builder(Arc::clone(store))
        .settings(settings())
        .plan_store(Arc::new(plans))
        .build()
        .unwrap()
}

async fn packs(store: &dyn ObjectStore) -> Vec<Path> {
    let prefix = Path::from("logs é/_plans");
    let packs = store.list(Some(&prefix)).map_ok(|pack| pack.location);
    packs.try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_outlive_their_node_on_every_store() {
    for under_test in stores() {
        let (name, store) = (under_test.name, Arc::clone(&under_test.store));
        let path = Path::from("logs é/a b.split");
        let split = packed(2000, 10);
        split.upload(store.as_ref(), &path).await.unwrap();
        let splits = [SplitAddress::new(path.clone())];
        let truths = truths(&split, &path).await;

        // Each node adds what it has found out, and merges when there is too much.
        for round in 0..4 {
            for (number, (request, truth)) in requests().iter().zip(&truths).enumerate() {
                let node = node(&store);
                let loaded = node.load_plans().await.unwrap();
                let known = if round == 0 { number } else { truths.len() };
                assert_eq!((loaded.plans, loaded.rejected), (known as u64, 0), "{name}");
                if round > 0 {
                    let response = node.search(&splits, request).await.unwrap();
                    assert_eq!(&answer(&response), truth, "{name}");
                    let report = &response.report;
                    assert_eq!((report.rounds, report.late_reads), (1, 0), "{name}");
                }
                // A node that did not load any finds it out anew, and writes it.
                let node = self::node(&store);
                let response = node.search(&splits, request).await.unwrap();
                assert!(response.report.rounds > 1, "{name}");
                node.flush_plans().await.unwrap();
                let packs = packs(store.as_ref()).await;
                assert!(packs.len() <= MAX_PACKS + 1, "{name}: {packs:?}");
            }
        }

        // Torn and foreign packs are a cold start.
        for pack in packs(store.as_ref()).await {
            store.put(&pack, "torn".into()).await.unwrap();
        }
        let node = node(&store);
        let loaded = node.load_plans().await.unwrap();
        assert!(
            loaded.plans == 0 && loaded.rejected > 0,
            "{name}: {loaded:?}"
        );
        let response = node.search(&splits, &requests()[0]).await.unwrap();
        assert_eq!(answer(&response), truths[0], "{name}");
        store.delete(&path).await.unwrap();
        for pack in packs(store.as_ref()).await {
            store.delete(&pack).await.unwrap();
        }
    }
}
