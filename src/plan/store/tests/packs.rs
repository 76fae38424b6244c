//! Logs of packs: what comes together, what is passed over, what is bounded.

use std::collections::BTreeSet;
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::rows::{absence, batch, matches, plan, ranges};
use super::warnings::Warnings;
use crate::clock::Clock;
use crate::plan::store::packs::PackName;
use crate::plan::store::{PlanBatch, PlanStore, codec};
use crate::{DirectoryPlans, ObjectPlans, PlanStoreSettings, SimulatedSettings, SimulatedStore};

/// About now: files tell by the clock of the system when they were written.
static NOW: LazyLock<u64> = LazyLock::new(|| Clock::system().seconds());

fn at(seconds: u64) -> Clock {
    Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds))
}

fn directory(path: &FilePath, settings: PlanStoreSettings, now: u64) -> DirectoryPlans {
    let mut plans = DirectoryPlans::new(path).with_settings(settings).unwrap();
    plans.log().set_clock(at(now));
    plans
}

fn objects(store: &Arc<dyn ObjectStore>, settings: PlanStoreSettings, now: u64) -> ObjectPlans {
    let plans = ObjectPlans::beside(Arc::clone(store), &Path::from("logs"));
    let mut plans = plans.with_settings(settings).unwrap();
    plans.log().set_clock(at(now));
    plans
}

/// The fingerprints of what is in a batch, each a byte repeated.
fn requests(batch: &PlanBatch) -> BTreeSet<u8> {
    let requests = batch.plans.iter();
    requests
        .map(|plan| plan.fingerprint().as_bytes()[0])
        .collect()
}

fn files(folder: &FilePath) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

async fn is_a_log(first: &dyn PlanStore, second: &dyn PlanStore) {
    assert_eq!(first.load().await.unwrap(), PlanBatch::default());
    first.save(PlanBatch::default()).await.unwrap();
    let mut rows = batch([plan("a.split", 1, *NOW), plan("b.split", 1, *NOW)]);
    rows.absences.push(absence("a.split", "sea", *NOW));
    first.save(rows.clone()).await.unwrap();
    second
        .save(batch([plan("a.split", 2, *NOW)]))
        .await
        .unwrap();

    // Of a key the row that was used last stays, whoever wrote it when.
    let mut newer = plan("a.split", 1, *NOW + 5);
    ranges(&mut newer).search = vec![1..2, 5..9];
    second.save(batch([newer.clone()])).await.unwrap();
    first
        .save(batch([plan("a.split", 1, *NOW - 5)]))
        .await
        .unwrap();
    let mut again = PlanBatch::default();
    again.absences.push(absence("a.split", "sea", *NOW - 9));
    second.save(again).await.unwrap();

    for store in [first, second] {
        let loaded = store.load().await.unwrap();
        assert_eq!(loaded.plans.len(), 3);
        assert_eq!(*loaded.plans[0], newer);
        assert_eq!(loaded.absences, rows.absences);
        assert_eq!(loaded.rejected, 0);
    }
}

#[tokio::test]
async fn a_row_keeps_the_columns_that_a_later_one_of_its_request_lacks() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let settings = PlanStoreSettings::default().with_max_packs(1);
    let node = objects(&store, settings, *NOW);
    let mut counted = plan("a.split", 1, *NOW - 9);
    (counted.plan, counted.matches) = (None, Some(matches(0)));
    node.save(batch([counted.clone()])).await.unwrap();
    node.save(batch([plan("a.split", 1, *NOW)])).await.unwrap();
    let mut both = plan("a.split", 1, *NOW);
    both.matches = counted.matches.clone();
    let loaded = node.load().await.unwrap();
    assert_eq!(loaded.plans, [Arc::new(both.clone())]);
    // Of another version, or another request by accident, it is another row's.
    for (other, used) in [("version", *NOW + 5), ("request", *NOW + 6)] {
        let mut later = plan("a.split", 1, used);
        match other {
            "version" => later.version.e_tag = Some("new".to_owned()),
            _ => later.canonical.push(' '),
        }
        node.save(batch([later.clone()])).await.unwrap();
        let loaded = node.load().await.unwrap();
        assert!(loaded.plans.contains(&Arc::new(later)), "{other}");
    }
}

#[tokio::test]
async fn what_one_node_saves_another_loads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not/yet/there");
    let settings = PlanStoreSettings::default();
    let open = || directory(&path, settings.clone(), *NOW);
    is_a_log(&open(), &open()).await;

    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let open = || objects(&store, settings.clone(), *NOW);
    is_a_log(&open(), &open()).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_passed_over_with_a_warning_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let plans = directory(folder.path(), PlanStoreSettings::default(), *NOW);
    plans.save(batch([plan("a.split", 1, *NOW)])).await.unwrap();
    let sound = codec::encode(&batch([plan("a.split", 2, *NOW)]), u64::MAX)
        .unwrap()
        .bytes;
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();

    let (flipped, cut, empty) = (PackName::new(1), PackName::new(2), PackName::new(3));
    let mut bytes = sound.clone();
    bytes[sound.len() / 2] ^= 4;
    put(&flipped.to_string(), &bytes);
    put(&cut.to_string(), &sound[..sound.len() - 7]);
    put(&empty.to_string(), b"");
    // Of another version, by its name; not even read.
    let foreign = PackName::new(4).to_string();
    let tag = &foreign[34..42];
    put(&foreign.replace(tag, "00000000"), &sound);
    // Half-written, and none of ours.
    put(&format!(".staged-{}", PackName::new(5)), &sound[..9]);
    put("notes.txt", b"keep me");
    std::fs::create_dir(folder.path().join(PackName::new(6).to_string())).unwrap();

    let warnings = Warnings::default();
    let guard = tracing::subscriber::set_default(warnings.clone());
    let loaded = plans.load().await.unwrap();
    drop(guard);
    assert_eq!(requests(&loaded), [1].into());
    assert_eq!(loaded.rejected, 4);
    let warned = warnings.text();
    for (name, why) in [
        (flipped, "checksum"),
        (cut, "cut short"),
        (empty, "cut short"),
    ] {
        let mut lines = warned.lines();
        assert!(
            lines.any(|line| line.contains(&name.to_string()) && line.contains(why)),
            "{name}: {warned}"
        );
    }
    assert!(warned.contains("another version"), "{warned}");
    assert!(files(folder.path()).contains(&"notes.txt".to_owned()));
}

#[tokio::test]
async fn packs_are_compacted_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let settings = PlanStoreSettings::default().with_max_packs(4);
    let plans = directory(folder.path(), settings, *NOW);
    std::fs::write(folder.path().join(PackName::new(1).to_string()), "torn").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "keep me").unwrap();
    for request in 0..40 {
        plans
            .save(batch([plan("a.split", request, *NOW)]))
            .await
            .unwrap();
        let packs = files(folder.path()).len() - 1;
        assert!(packs <= 5, "{packs} packs after save {request}");
        assert_eq!(
            requests(&plans.load().await.unwrap()),
            (0..=request).collect()
        );
    }
    // The torn one never became better.
    assert_eq!(plans.load().await.unwrap().rejected, 0);
    assert!(files(folder.path()).contains(&"notes.txt".to_owned()));
}

#[tokio::test]
async fn what_is_old_is_left_out_and_then_removed() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let day = 24 * 3600;
    let settings = PlanStoreSettings::default()
        .with_max_age(Duration::from_secs(10 * day))
        .with_max_packs(1);
    let before = objects(&store, settings.clone().with_max_packs(9), *NOW - 20 * day);
    let mut rows = batch([
        plan("a.split", 1, *NOW - 20 * day),
        plan("a.split", 2, *NOW - day),
    ]);
    rows.absences
        .push(absence("a.split", "sea", *NOW - 20 * day));
    before.save(rows).await.unwrap();
    // A clock that ran far ahead does not keep a row for ever.
    before
        .save(batch([plan("a.split", 3, *NOW * 2)]))
        .await
        .unwrap();

    let now = objects(&store, settings.clone(), *NOW);
    let loaded = now.load().await.unwrap();
    assert_eq!(
        (requests(&loaded), loaded.absences.len()),
        (BTreeSet::new(), 0)
    );
    let between = objects(&store, settings.clone(), *NOW - 19 * day);
    assert_eq!(requests(&between.load().await.unwrap()), [1].into());

    now.save(batch([plan("a.split", 4, *NOW)])).await.unwrap();
    let loaded = between.load().await.unwrap();
    assert_eq!(requests(&loaded), BTreeSet::new());
    assert_eq!(requests(&now.load().await.unwrap()), [4].into());

    // The store says that it was written just now; long after, it goes unread, whoever wrote it.
    let name = PackName::new(1).to_string();
    let foreign = Path::from(format!("logs/_plans/{}00000000.plans", &name[..34]));
    store
        .put(&foreign, "of another version".into())
        .await
        .unwrap();
    assert_eq!(now.load().await.unwrap().rejected, 1);
    let open = || objects(&store, settings.clone(), *NOW + 400 * day);
    assert_eq!(open().load().await.unwrap(), PlanBatch::default());
    open()
        .save(batch([plan("a.split", 5, *NOW + 400 * day)]))
        .await
        .unwrap();
    assert!(store.head(&foreign).await.is_err());
}

#[tokio::test]
async fn a_store_stays_as_small_as_it_may_be_and_keeps_what_was_used_last() {
    let folder = tempfile::tempdir().unwrap();
    let max = 16 << 10;
    let settings = PlanStoreSettings::default().with_max_bytes(max);
    let mut plans = directory(folder.path(), settings, *NOW);
    let round = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&round);
    plans.log().set_clock(Clock::from_fn(move || {
        UNIX_EPOCH + Duration::from_secs(*NOW + clock.load(Ordering::Relaxed))
    }));
    for now in 0..100u64 {
        round.store(now, Ordering::Relaxed);
        let rows = (0..4u8).map(|n| {
            let mut row = plan("a.split", n, *NOW + now);
            row.canonical = "x".repeat(200);
            row.split = Path::from(format!("{now}.split"));
            row
        });
        plans.save(batch(rows)).await.unwrap();
        let sizes = files(folder.path()).into_iter();
        let sizes = sizes.map(|name| folder.path().join(name).metadata().unwrap().len());
        assert!(sizes.sum::<u64>() <= max);
    }
    let loaded = plans.load().await.unwrap();
    assert!(loaded.plans.len() >= 16, "{}", loaded.plans.len());
    let oldest = loaded
        .plans
        .iter()
        .map(|plan| plan.last_used)
        .min()
        .unwrap();
    assert_eq!(oldest, *NOW + (100 - loaded.plans.len().div_ceil(4) as u64));

    // What is larger than anything may be is not even read.
    let large = PackName::new(9).to_string();
    std::fs::write(folder.path().join(large), vec![0; max as usize + 1]).unwrap();
    assert_eq!(plans.load().await.unwrap().rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_compact_at_once_lose_nothing_and_readers_see_all_of_it() {
    for seed in 0..20 {
        let simulated = SimulatedSettings {
            seed,
            ..SimulatedSettings::default()
        };
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let slow: Arc<dyn ObjectStore> = Arc::new(SimulatedStore::new(inner, simulated));
        let settings = PlanStoreSettings::default().with_max_packs(2);
        let nodes: Vec<_> = (0..3)
            .map(|_| objects(&slow, settings.clone(), *NOW))
            .collect();
        for request in 0..4 {
            nodes[0]
                .save(batch([plan("a.split", request, *NOW)]))
                .await
                .unwrap();
        }
        let write = async |node: usize| {
            for n in 0..8 {
                let request = 10 + 10 * node as u8 + n;
                nodes[node]
                    .save(batch([plan("a.split", request, *NOW)]))
                    .await
                    .unwrap();
            }
        };
        let read = async {
            for _ in 0..10 {
                let loaded = nodes[2].load().await.unwrap();
                assert!(
                    requests(&loaded).is_superset(&(0..4).collect()),
                    "seed {seed}"
                );
                assert_eq!(loaded.rejected, 0);
            }
        };
        tokio::join!(write(0), write(1), read);
        let all: BTreeSet<u8> = (0..4).chain(10..18).chain(20..28).collect();
        assert_eq!(
            requests(&nodes[2].load().await.unwrap()),
            all,
            "seed {seed}"
        );
    }
}

#[tokio::test]
async fn abandoned_staged_files_are_tidied_and_young_ones_are_left() {
    let folder = tempfile::tempdir().unwrap();
    let plans = directory(folder.path(), PlanStoreSettings::default(), *NOW);
    let [old, young] = [1, 2].map(|n| folder.path().join(format!(".staged-{}", PackName::new(n))));
    for path in [&old, &young] {
        std::fs::write(path, "half").unwrap();
    }
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    let file = std::fs::File::options().append(true).open(&old).unwrap();
    file.set_modified(long_ago).unwrap();
    plans.save(batch([plan("a.split", 1, *NOW)])).await.unwrap();
    assert!(!old.exists() && young.exists());
    assert_eq!(plans.load().await.unwrap().rejected, 0);
}

#[tokio::test]
async fn a_store_that_is_away_is_an_error_and_nothing_else() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // A file is no directory.
    let plans = directory(file.path(), PlanStoreSettings::default(), *NOW);
    assert!(plans.load().await.is_err());
    let error = plans
        .save(batch([plan("a.split", 1, *NOW)]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Store);
    assert!(error.to_string().ends_with("cannot be written"), "{error}");

    // One pack that cannot be got is passed over, and stays.
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let sound = objects(&memory, PlanStoreSettings::default(), *NOW);
    sound.save(batch([plan("a.split", 1, *NOW)])).await.unwrap();
    let failing = SimulatedSettings {
        error: 1.0,
        ..SimulatedSettings::instant()
    };
    let failing: Arc<dyn ObjectStore> = Arc::new(SimulatedStore::new(Arc::clone(&memory), failing));
    let away = objects(
        &failing,
        PlanStoreSettings::default().with_max_packs(1),
        *NOW,
    );
    let loaded = away.load().await.unwrap();
    assert_eq!((loaded.plans.len(), loaded.rejected), (0, 1));
    assert_eq!(requests(&sound.load().await.unwrap()), [1].into());
}
