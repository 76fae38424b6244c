use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{delete_some, packed, parse_footer, peer_splits, sample_index};
use crate::ErrorKind;
use crate::split::verify::Verifier;
use crate::split::{FileOutcome, HotBytes, MetaSummary, PackSettings, VerifyReport, verify};

async fn verified(object: Vec<u8>) -> crate::Result<VerifyReport> {
    let store = InMemory::new();
    let path = Path::from("a.split");
    store.put(&path, object.into()).await.unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    // Spawned, so that the future is known to be `Send`.
    tokio::spawn(async move { verify(store, &path).await })
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_packed_is_sound() {
    let (directory, index) = sample_index(3, 30);
    delete_some(&index);
    for trailer in [false, true] {
        let settings = PackSettings {
            trailer,
            ..PackSettings::default()
        };
        let (object, footer, hot) = packed(&directory, &settings);
        let report = verified(object).await.unwrap();
        assert!(report.is_sound(), "{:?}", report.problems);
        assert_eq!(report.footer_range, footer.footer_range);
        assert_eq!(report.files.len(), footer.files.len());
        let slices: usize = hot.files().map(|(_, file)| file.slices().len()).sum();
        assert_eq!(report.hot_slices, slices);
        for file in &report.files {
            let of_segment = file.name.len() > 32;
            let expected = if of_segment {
                FileOutcome::Sound
            } else {
                FileOutcome::NoChecksum
            };
            assert_eq!(file.outcome, expected, "{}", file.name);
            assert_eq!(file.crc_actual, file.crc_expected);
            assert_eq!(file.crc_actual.is_some(), of_segment);
        }
    }
}

#[tokio::test]
async fn every_peer_split_is_sound() {
    for (name, object) in peer_splits() {
        let report = verified(object).await.unwrap();
        assert!(report.is_sound(), "{name}: {:?}", report.problems);
        assert!(
            report
                .files
                .iter()
                .filter(|f| f.outcome == FileOutcome::Sound)
                .count()
                >= 6
        );
        assert!(report.hot_slices > 0);
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_wherever_it_is() {
    let (directory, _) = sample_index(1, 30);
    let (object, footer, hot) = packed(&directory, &PackSettings::default());
    for (name, range) in footer.files.iter().filter(|(_, range)| !range.is_empty()) {
        if name == ".managed.json" {
            continue;
        }
        let mut damaged = object.clone();
        damaged[range.start as usize] ^= 1;
        let report = verified(damaged).await.unwrap();
        let file = report.files.iter().find(|file| file.name == *name).unwrap();
        assert_eq!(file.outcome, FileOutcome::Damaged, "{name}");
        assert!(!report.is_sound());
        let others = report
            .files
            .iter()
            .filter(|f| f.outcome == FileOutcome::Damaged)
            .count();
        assert_eq!(others, 1);
    }
    // The first slice of the file whose block comes first lies right behind the header.
    let (name, slice) = hot
        .files()
        .filter_map(|(name, file)| Some((name, file.slices().first()?)))
        .min_by_key(|(name, _)| *name)
        .unwrap();
    let at = object.len() - footer.hot.len() - 4
        + footer
            .hot
            .windows(slice.bytes.len())
            .position(|window| window == slice.bytes.as_slice())
            .unwrap();
    let mut damaged = object.clone();
    damaged[at] ^= 1;
    let report = verified(damaged).await.unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].starts_with(&format!("{name}: hot bytes ")));
}

#[test]
fn the_report_does_not_depend_on_how_the_object_is_cut() {
    let (directory, index) = sample_index(2, 30);
    delete_some(&index);
    let (mut object, footer, hot) = packed(&directory, &PackSettings::default());
    object[100] ^= 4;
    let report = |step: usize| {
        let mut verifier = Verifier::new(&footer, hot.clone(), "a.split");
        for chunk in object.chunks(step) {
            verifier.feed(chunk);
        }
        serde_json::to_string(&verifier.finish()).unwrap()
    };
    let whole = report(object.len());
    for step in [1, 3, 64, 1000, 60_000] {
        assert_eq!(report(step), whole, "in steps of {step}");
    }
}

#[test]
fn an_object_that_ends_early_is_a_problem() {
    let (directory, _) = sample_index(1, 5);
    let (object, footer, hot) = packed(&directory, &PackSettings::default());
    let mut verifier = Verifier::new(&footer, hot, "a.split");
    verifier.feed(&object[..1000]);
    let report = verifier.finish();
    assert!(
        report
            .problems
            .iter()
            .any(|problem| problem.contains("ends inside"))
    );
}

#[tokio::test]
async fn broken_hot_bytes_do_not_hide_the_files() {
    let (directory, _) = sample_index(1, 5);
    let (mut object, footer, _) = packed(&directory, &PackSettings::default());
    let at = object.len() - 4 - footer.hot.len();
    object[at] ^= 1;
    let report = verified(object).await.unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].contains("hot bytes at offset 0: magic number"));
    assert!(
        report
            .files
            .iter()
            .all(|file| file.outcome != FileOutcome::Damaged)
    );
}

#[tokio::test]
async fn what_is_no_split_is_an_error() {
    assert_eq!(
        verified(vec![7; 5000]).await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(
        verified(Vec::new()).await.unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let error = verify(store, &Path::from("none.split")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn meta_json_is_checked_before_tantivy_reads_it() {
    let (directory, index) = sample_index(2, 10);
    delete_some(&index);
    let (object, footer, _) = packed(&directory, &PackSettings::default());
    let range = &footer.files["meta.json"];
    let json = std::str::from_utf8(&object[range.start as usize..range.end as usize]).unwrap();
    let meta = MetaSummary::parse(json.as_bytes(), &footer.files, "a.split").unwrap();
    assert_eq!(meta.segments.len(), 2);
    assert_eq!(meta.fields, index.schema().num_fields());
    assert!(
        meta.segments
            .iter()
            .all(|s| s.deleted == 2 && s.max_doc == 10)
    );
    assert!(
        meta.segments
            .iter()
            .all(|s| footer.files.contains_key(s.alive_file.as_ref().unwrap()))
    );

    for (from, to, message) in [
        ("\"max_doc\": 10", "\"max_doc\": 1", "deletes 2 of 1"),
        (
            "\"name\": \"tag\"",
            "\"name\": \"body\"",
            "\"body\" is listed twice",
        ),
        ("\"segments\"", "\"segmints\"", "cannot be read"),
        ("\"segment_id\": \"", "\"segment_id\": \"0", "is no UUID"),
    ] {
        let broken = json.replacen(from, to, 1);
        assert_ne!(broken, json);
        let error = MetaSummary::parse(broken.as_bytes(), &footer.files, "a.split").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(message), "{error}");
    }
    for file in footer
        .files
        .keys()
        .filter(|name| name.len() > 32 && !name.ends_with(".pos"))
    {
        let mut files = footer.files.clone();
        files.remove(file);
        let error = MetaSummary::parse(json.as_bytes(), &files, "a.split").unwrap_err();
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn meta_json_of_peers_agrees_with_their_files() {
    for (name, object) in peer_splits() {
        let footer = parse_footer(&object, object.len()).unwrap();
        let range = &footer.files["meta.json"];
        let json = &object[range.start as usize..range.end as usize];
        let meta = MetaSummary::parse(json, &footer.files, &name).unwrap();
        let segments = if name.contains("2-segments") { 2 } else { 1 };
        assert_eq!(meta.segments.len(), segments, "{name}");
        assert!(HotBytes::parse(footer.hot, &footer.files, &name).is_ok());
    }
}
