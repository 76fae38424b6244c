use std::collections::BTreeMap;
use std::path::Path;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tantivy::directory::RamDirectory;
use tantivy::query::AllQuery;
use tantivy::schema::{FAST, Schema, TEXT};
use tantivy::{Index, SegmentReader, TantivyDocument, doc};

use super::{delete_some, large_dictionary, packed, sample_index, unpacked};
use crate::split::recording::RecordingDirectory;
use crate::split::{Composite, FileFooter, PackSettings, pack, pack_path};

#[test]
fn packing_twice_gives_the_same_bytes() {
    let (directory, index) = sample_index(3, 50);
    delete_some(&index);
    for trailer in [false, true] {
        let settings = PackSettings {
            trailer,
            ..PackSettings::default()
        };
        let first = pack(&directory, &settings).unwrap().to_vec().unwrap();
        let second = pack(&directory, &settings).unwrap().to_vec().unwrap();
        assert!(first == second);
    }
}

#[test]
fn packing_a_folder_gives_the_same_bytes_as_packing_its_directory() {
    let (directory, index) = sample_index(2, 30);
    delete_some(&index);
    let split = pack(&directory, &PackSettings::default()).unwrap();
    let object = split.to_vec().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, range) in split.files() {
        let bytes = &object[range.start as usize..range.end as usize];
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    // A file that no commit refers to stays behind.
    std::fs::write(
        folder.path().join("00000000000000000000000000000000.idx"),
        b"left",
    )
    .unwrap();
    let again = pack_path(folder.path(), &PackSettings::default())
        .unwrap()
        .to_vec()
        .unwrap();
    assert!(again == object);
}

#[test]
fn a_packed_split_answers_as_its_index_does() {
    let (directory, index) = sample_index(3, 50);
    delete_some(&index);
    let (object, footer, _) = packed(&directory, &PackSettings::default());
    let opened = Index::open(unpacked(&object, &footer)).unwrap();
    let count = |index: &Index| {
        let searcher = index.reader().unwrap().searcher();
        searcher
            .search(&AllQuery, &tantivy::collector::Count)
            .unwrap()
    };
    assert_eq!(count(&opened), count(&index));
    assert_eq!(count(&opened), 120);
    assert!(opened.validate_checksum().unwrap().is_empty());
}

/// Every range that `read` asks of an unpacked split lies in its hot bytes.
#[track_caller]
fn assert_hot(directory: &RamDirectory, settings: &PackSettings, read: impl Fn(&SegmentReader)) {
    let (object, footer, hot) = packed(directory, settings);
    let recording = RecordingDirectory::new(Box::new(unpacked(&object, &footer)), BTreeMap::new());
    let index = Index::open(recording.clone()).unwrap();
    for segment in index.searchable_segments().unwrap() {
        read(&SegmentReader::open(&segment).unwrap());
    }
    for (name, ranges) in recording.recorded() {
        for range in ranges {
            assert!(
                hot.covers(&name, range.clone()),
                "{name} {range:?} is not hot"
            );
        }
    }
}

#[test]
fn opening_reads_nothing_but_hot_bytes() {
    let (directory, index) = sample_index(2, 200);
    delete_some(&index);
    let mut settings = PackSettings::default();
    if cfg!(feature = "sstable") {
        settings.term_dictionary_budget = 0;
        settings.column_dictionary_budget = 0;
    }
    assert_hot(&directory, &settings, |reader| {
        reader.get_store_reader(1).unwrap();
        for (field, entry) in reader.schema().fields() {
            if entry.is_indexed() {
                reader.inverted_index(field).unwrap();
            }
        }
    });
}

#[test]
fn small_dictionaries_cost_no_read() {
    let (directory, _) = sample_index(2, 200);
    assert_hot(&directory, &PackSettings::default(), |reader| {
        for (field, entry) in reader.schema().fields() {
            if entry.is_indexed() {
                let inverted = reader.inverted_index(field).unwrap();
                let mut terms = inverted.terms().stream().unwrap();
                while terms.advance() {
                    assert!(inverted.terms().get(terms.key()).unwrap().is_some());
                }
            }
        }
        for (_, entry) in reader
            .schema()
            .fields()
            .filter(|(_, entry)| entry.is_fast())
        {
            assert!(
                reader
                    .fast_fields()
                    .dynamic_column_handles(entry.name())
                    .is_ok()
            );
        }
        assert_eq!(
            reader
                .fast_fields()
                .dynamic_column_handles("id")
                .unwrap()
                .len(),
            1
        );
    });
}

#[test]
fn a_large_dictionary_stays_out_of_the_hot_bytes() {
    let (directory, index) = large_dictionary();
    let field = |name: &str| index.schema().get_field(name).unwrap();
    let (object, footer, hot) = packed(&directory, &PackSettings::default());
    let (name, range) = footer
        .files
        .iter()
        .find(|(name, _)| name.ends_with(".term"))
        .unwrap();
    let file = &object[range.start as usize..range.end as usize];
    let footer = FileFooter::parse(file, file.len() as u64, name).unwrap();
    let body = &file[..file.len() - footer.len as usize];
    let composite = Composite::parse(body, body.len() as u64, name).unwrap();
    let covered = |field: u32| {
        let range = composite.field(field).unwrap();
        hot.covers(name, range.start as usize..range.end as usize)
    };
    assert!(covered(field("small").field_id()));
    assert!(!covered(field("large").field_id()));
    let hot_of_terms: usize = hot
        .file(name)
        .unwrap()
        .slices()
        .iter()
        .map(|s| s.range.len())
        .sum();
    assert!(
        hot_of_terms < body.len() / 4,
        "{hot_of_terms} of {}",
        body.len()
    );
}

#[test]
fn the_first_blocks_of_a_large_column_dictionary_are_hot() {
    let mut builder = Schema::builder();
    let json = builder.add_json_field("json", FAST);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), builder.build(), Default::default()).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 50_000_000)
        .unwrap();
    let object: serde_json::Map<_, _> = (0..3000_u64)
        .map(|n| {
            (
                format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                n.into(),
            )
        })
        .collect();
    writer
        .add_document(doc!(json => serde_json::Value::Object(object)))
        .unwrap();
    writer.commit().unwrap();
    let mut settings = PackSettings {
        column_dictionary_budget: 10_000,
        ..PackSettings::default()
    };
    let hot_len = |settings: &PackSettings| {
        let (_, _, hot) = packed(&directory, settings);
        let fast = hot
            .files()
            .find(|(name, _)| name.ends_with(".fast"))
            .unwrap()
            .1;
        fast.slices()
            .iter()
            .map(|slice| slice.range.len())
            .sum::<usize>()
    };
    let some = hot_len(&settings);
    settings.column_dictionary_budget = 0;
    let none = hot_len(&settings);
    settings.column_dictionary_budget = 10_000_000;
    let all = hot_len(&settings);
    assert!(
        some > none + 5_000 && some <= none + 10_000 && all > some,
        "{none} {some} {all}"
    );
}

#[test]
fn an_index_without_segments_packs() {
    let mut builder = Schema::builder();
    builder.add_text_field("body", TEXT);
    let directory = RamDirectory::create();
    Index::create(directory.clone(), builder.build(), Default::default()).unwrap();
    let (object, footer, hot) = packed(&directory, &PackSettings::default());
    assert_eq!(footer.files.len(), 3);
    assert!(hot.len() > 0);
    let opened = Index::open(unpacked(&object, &footer)).unwrap();
    assert_eq!(opened.reader().unwrap().searcher().num_docs(), 0);
}

#[test]
fn no_index_is_not_found_and_a_missing_file_is_too() {
    let folder = tempfile::tempdir().unwrap();
    let error = pack_path(folder.path(), &PackSettings::default()).unwrap_err();
    assert_eq!(
        error.kind(),
        crate::ErrorKind::NotFound,
        "{}",
        error.chain()
    );

    let (directory, _) = sample_index(1, 5);
    let split = pack(&directory, &PackSettings::default()).unwrap();
    let object = split.to_vec().unwrap();
    for (name, range) in split.files().filter(|(name, _)| !name.ends_with(".store")) {
        let bytes = &object[range.start as usize..range.end as usize];
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let error = pack_path(folder.path(), &PackSettings::default()).unwrap_err();
    assert_eq!(
        error.kind(),
        crate::ErrorKind::NotFound,
        "{}",
        error.chain()
    );
    assert!(error.chain().contains(".store"), "{}", error.chain());
}

#[test]
fn the_managed_wrapper_is_refused_because_it_hides_checksums() {
    let (_, index) = sample_index(1, 5);
    let error = pack(index.directory(), &PackSettings::default()).unwrap_err();
    assert!(error.to_string().contains("managed wrapper"), "{error}");
}

#[test]
fn damaged_files_are_errors_and_never_panics() {
    let (directory, _) = sample_index(1, 20);
    let split = pack(&directory, &PackSettings::default()).unwrap();
    let object = split.to_vec().unwrap();
    for damaged in ["term", "idx", "fast"] {
        let folder = tempfile::tempdir().unwrap();
        for (name, range) in split.files() {
            let mut bytes = object[range.start as usize..range.end as usize].to_vec();
            if name.ends_with(damaged) {
                let footer = FileFooter::parse(&bytes, bytes.len() as u64, name).unwrap();
                let body_end = bytes.len() - footer.len as usize;
                bytes[body_end - 20..body_end].fill(0xff);
            }
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let error = pack_path(folder.path(), &PackSettings::default()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{}", error.chain());
    }
}

#[test]
fn reads_of_any_range_agree_with_the_whole() {
    let (directory, _) = sample_index(2, 20);
    let split = pack(&directory, &PackSettings::default()).unwrap();
    let object = split.to_vec().unwrap();
    assert_eq!(split.len(), object.len() as u64);
    for step in [1, 7, 911, 4096] {
        for start in (0..object.len()).step_by(step * 37 + 1) {
            let end = (start + step * 3).min(object.len());
            let read = split.read(start as u64..end as u64).unwrap();
            assert_eq!(read, object[start..end]);
        }
    }
    assert!(split.read(0..split.len() + 1).is_err());
}

#[tokio::test]
async fn uploads_small_and_large_arrive_whole() {
    let mut builder = Schema::builder();
    let body = builder.add_text_field("body", tantivy::schema::STORED);
    let directory = RamDirectory::create();
    let settings = tantivy::IndexSettings {
        docstore_compression: tantivy::store::Compressor::None,
        ..Default::default()
    };
    let index = Index::create(directory.clone(), builder.build(), settings).unwrap();
    let mut writer = index
        .writer_with_num_threads::<TantivyDocument>(1, 50_000_000)
        .unwrap();
    for n in 0..20 {
        writer
            .add_document(doc!(body => format!("{n}").repeat(1_000_000)))
            .unwrap();
    }
    writer.commit().unwrap();
    let store = InMemory::new();
    let (small, _) = sample_index(1, 5);
    for (directory, parts) in [(small, 1), (directory, 4)] {
        let split = pack(&directory, &PackSettings::default()).unwrap();
        let path = object_store::path::Path::from("a.split");
        let report = split.upload(&store, &path).await.unwrap();
        assert_eq!((report.bytes, report.parts), (split.len(), parts));
        assert_eq!(report.footer_range, split.footer_range());
        let stored = store.get(&path).await.unwrap();
        assert_eq!(stored.meta.e_tag, report.e_tag);
        assert!(stored.bytes().await.unwrap() == split.to_vec().unwrap());
    }
    let _: &dyn ObjectStore = &store;
    assert!(!Path::new("a.split").exists());
}
