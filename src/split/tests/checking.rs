//! What passes the checks opens without a panic.

use std::ops::Range;
use std::sync::LazyLock;

use proptest::prelude::*;
use tantivy::{Index, SegmentReader};

use super::{delete_some, large_dictionary, packed, peer_splits, sample_index, unpacked};
use crate::ErrorKind;
use crate::split::{Composite, FileFooter, Footer, HotBytes, PackSettings, check_segment, pack};

struct Sample {
    object: Vec<u8>,
    footer: Footer,
    /// Ranges of the object that opening reads, of the files of segments.
    read: Vec<Range<usize>>,
}

/// Splits whose hot bytes hold no more than what opening reads.
static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let (small, index) = sample_index(2, 30);
    delete_some(&index);
    let settings = PackSettings {
        term_dictionary_budget: 0,
        column_dictionary_budget: 0,
        ..PackSettings::default()
    };
    [small, large_dictionary().0]
        .map(|directory| {
            let (object, footer, hot) = packed(&directory, &settings);
            let read = hot
                .files()
                .filter(|(name, _)| name.len() > 32)
                .flat_map(|(name, file)| {
                    let start = footer.files[name].start as usize;
                    file.slices()
                        .iter()
                        .map(move |slice| start + slice.range.start..start + slice.range.end)
                })
                .collect();
            Sample {
                object,
                footer,
                read,
            }
        })
        .into()
});

fn check_and_open(object: &[u8], footer: &Footer) -> crate::Result<()> {
    let index = Index::open(unpacked(object, footer)).unwrap();
    for segment in index.searchable_segments().unwrap() {
        check_segment(&segment, "a.split")?;
        let Ok(reader) = SegmentReader::open(&segment) else {
            continue;
        };
        let _ = reader.get_store_reader(1);
        if cfg!(feature = "sstable") {
            for (field, entry) in reader.schema().fields() {
                if entry.is_indexed() {
                    let _ = reader.inverted_index(field);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn sound_segments_pass() {
    for sample in &*SAMPLES {
        check_and_open(&sample.object, &sample.footer).unwrap();
    }
    for (name, object) in peer_splits() {
        let footer = super::parse_footer(&object, object.len()).unwrap();
        let result = check_and_open(&object, &footer);
        if cfg!(feature = "sstable") {
            result.unwrap();
        } else {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}");
            assert!(error.to_string().contains("feature `sstable`"), "{error}");
        }
    }
}

#[test]
fn checks_of_peers_read_hot_bytes_only() {
    use crate::split::recording::RecordingDirectory;

    for (name, object) in peer_splits()
        .into_iter()
        .filter(|_| cfg!(feature = "sstable"))
    {
        let footer = super::parse_footer(&object, object.len()).unwrap();
        let hot = HotBytes::parse(footer.hot.clone(), &footer.files, &name).unwrap();
        let directory = unpacked(&object, &footer);
        let recording = RecordingDirectory::new(Box::new(directory), Default::default());
        let index = Index::open(recording.clone()).unwrap();
        for segment in index.searchable_segments().unwrap() {
            check_segment(&segment, &name).unwrap();
        }
        for (file, ranges) in recording.recorded() {
            for range in ranges {
                assert!(hot.covers(&file, range.clone()), "{name}: {file} {range:?}");
            }
        }
    }
}

#[test]
fn a_dictionary_of_the_other_kind_names_the_feature() {
    let (directory, _) = sample_index(1, 5);
    let (mut object, footer, _) = packed(&directory, &PackSettings::default());
    let other = if cfg!(feature = "sstable") { 1_u32 } else { 2 };
    let (name, range) = footer
        .files
        .iter()
        .find(|(name, _)| name.ends_with(".term"))
        .unwrap();
    let file = &mut object[range.start as usize..range.end as usize];
    let footer_len = FileFooter::parse(file, file.len() as u64, name)
        .unwrap()
        .len;
    let body_len = file.len() - footer_len as usize;
    let composite = Composite::parse(&file[..body_len], body_len as u64, name).unwrap();
    for field in composite.fields.values() {
        let end = field.end as usize;
        file[end - 4..end].copy_from_slice(&other.to_le_bytes());
    }
    let error = check_and_open(&object, &footer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("feature `sstable`"), "{error}");
    // Packing says the same.
    let error = pack(&unpacked(&object, &footer), &PackSettings::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{}", error.chain());
}

#[test]
fn a_skip_index_that_promises_more_than_it_holds_is_an_error() {
    let (directory, _) = sample_index(1, 5);
    let (mut object, footer, _) = packed(&directory, &PackSettings::default());
    let (name, range) = footer
        .files
        .iter()
        .find(|(name, _)| name.ends_with(".store"))
        .unwrap();
    let file = &object[range.start as usize..range.end as usize];
    let footer_len = FileFooter::parse(file, file.len() as u64, name)
        .unwrap()
        .len;
    let tail = range.end as usize - footer_len as usize - 28;
    let offset = u64::from_le_bytes(object[tail + 4..tail + 12].try_into().unwrap()) as usize;
    let at = range.start as usize + offset;
    object[at..at + 4].copy_from_slice(&[0x7f, 0x7f, 0x7f, 0xff]);
    let error = check_and_open(&object, &footer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("layers"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn what_passes_the_checks_opens_without_a_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0.0..1.0_f64, prop_oneof![Just(0_u8), Just(0xff), Just(0x7f), Just(0x80), any::<u8>()]),
            1..4,
        ),
    ) {
        let sample = which.get(&SAMPLES);
        let mut object = sample.object.clone();
        for (slice, place, value) in changes {
            let range = slice.get(&sample.read);
            object[range.start + (range.len() as f64 * place) as usize] = value;
        }
        if let Err(error) = check_and_open(&object, &sample.footer) {
            prop_assert!([ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&error.kind()));
            prop_assert!(error.to_string().starts_with("a.split/"), "{error}");
        }
    }
}
