//! Hostile bytes: an answer or an error, never a panic.

use std::sync::LazyLock;

use proptest::prelude::*;
use tantivy::directory::OwnedBytes;

use super::{delete_some, parse_footer, peer_splits, sample_index};
use crate::ErrorKind;
use crate::split::footer::TRAILER_LEN;
use crate::split::{Composite, FileFooter, Footer, HotBytes, PackSettings, pack};

/// Splits to be damaged: packed here, and small ones of other writers.
static SPLITS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let (directory, index) = sample_index(2, 10);
    delete_some(&index);
    let mut splits: Vec<Vec<u8>> = [false, true]
        .map(|trailer| {
            let settings = PackSettings {
                trailer,
                ..PackSettings::default()
            };
            pack(&directory, &settings).unwrap().to_vec().unwrap()
        })
        .into();
    splits.extend(
        peer_splits()
            .into_iter()
            .map(|(_, split)| split)
            .filter(|s| s.len() < 20_000),
    );
    splits
});

/// Parses all that can be parsed of an object.
fn parse_all(object: &[u8], guess: usize) -> crate::Result<()> {
    let footer = parse_footer(object, guess)?;
    let hot = HotBytes::parse(footer.hot.clone(), &footer.files, "a.split")?;
    for (name, range) in &footer.files {
        let file = &object[range.start as usize..range.end as usize];
        let file_len = file.len() as u64;
        for (_, slices) in hot.files().filter(|(hot_name, _)| hot_name == name) {
            for slice in slices.slices() {
                assert!(slices.read(&slice.range).is_some());
            }
        }
        let Ok(footer) = FileFooter::parse(file, file_len, name) else {
            continue;
        };
        let body = &file[..file.len() - footer.len as usize];
        if let Ok(composite) = Composite::parse(body, body.len() as u64, name) {
            assert!(
                composite
                    .fields
                    .values()
                    .all(|field| field.end <= body.len() as u64)
            );
        }
    }
    Ok(())
}

/// Values that lengths and offsets break at.
fn hostile_u32() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(7),
        Just(u32::MAX),
        Just(u32::MAX - 3),
        Just(i32::MAX as u32),
        0_u32..20_000,
        any::<u32>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_truncated_split_is_an_error(which in any::<prop::sample::Index>(), keep in 0.0..1.0_f64) {
        let split = which.get(&SPLITS);
        let cut = &split[..(split.len() as f64 * keep) as usize];
        // Without its trailer, and nothing else, it is a whole split of the older layout.
        prop_assume!(cut.len() + TRAILER_LEN as usize != split.len());
        let error = parse_all(cut, 4096).unwrap_err();
        prop_assert!([ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&error.kind()));
        prop_assert!(error.to_string().starts_with("a.split: "), "{error}");
    }

    #[test]
    fn flipped_bits_never_panic(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6),
        in_footer in any::<bool>(),
        guess in 0_usize..30_000,
    ) {
        let mut split = which.get(&SPLITS).clone();
        let start = parse_footer(&split, split.len()).unwrap().footer_range.start as usize;
        for (at, bit) in flips {
            let at = if in_footer { start + at.index(split.len() - start) } else { at.index(split.len()) };
            split[at] ^= 1 << bit;
        }
        if let Err(error) = parse_all(&split, guess) {
            prop_assert!([ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&error.kind()));
        }
    }

    #[test]
    fn hostile_lengths_never_panic(
        which in any::<prop::sample::Index>(),
        back in 4_usize..4_000,
        last in any::<bool>(),
        value in hostile_u32(),
        guess in 0_usize..30_000,
    ) {
        let mut split = which.get(&SPLITS).clone();
        let back = if last { back % 40 + 4 } else { back };
        let at = split.len() - back.min(split.len());
        split[at..at + 4].copy_from_slice(&value.to_le_bytes());
        if let Err(error) = parse_all(&split, guess) {
            prop_assert!([ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&error.kind()));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_all(&bytes, 16);
        let _ = HotBytes::parse(OwnedBytes::new(bytes.clone()), &Default::default(), "a");
        let _ = Composite::parse(&bytes, bytes.len() as u64, "a");
        let _ = Composite::parse(&bytes, u64::MAX, "a");
        let _ = FileFooter::parse(&bytes, bytes.len() as u64, "a");
        let _ = Footer::parse_exact(OwnedBytes::new(bytes), 10..300, "a");
    }

    #[test]
    fn random_composites_never_panic(
        mut bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x80_u8..0x90], 0..200),
        len in 0_u32..220,
    ) {
        bytes.extend_from_slice(&len.to_le_bytes());
        if let Ok(composite) = Composite::parse(&bytes, bytes.len() as u64, "a") {
            prop_assert!(composite.fields.values().all(|r| r.start <= r.end && r.end <= composite.footer.start));
        }
    }
}

/// A footer around the given JSON and hot bytes, behind a body of `body` zeros.
fn object_with(body: usize, json: &str, hot: &[u8]) -> Vec<u8> {
    let mut object = vec![0; body];
    object.extend_from_slice(&403_881_646_u32.to_le_bytes());
    object.extend_from_slice(&1_u32.to_le_bytes());
    object.extend_from_slice(json.as_bytes());
    object.extend_from_slice(&(json.len() as u32 + 8).to_le_bytes());
    object.extend_from_slice(hot);
    object.extend_from_slice(&(hot.len() as u32).to_le_bytes());
    object
}

#[test]
fn names_and_ranges_of_files_are_checked() {
    let good = r#"{"more":[1],"files":{"a":{"start":0,"end":4,"x":1},"b":{"start":4,"end":10}}}"#;
    assert_eq!(
        parse_footer(&object_with(10, good, b""), 9)
            .unwrap()
            .files
            .len(),
        2
    );
    let long = format!(
        r#"{{"files":{{"{}":{{"start":0,"end":1}}}}}}"#,
        "x".repeat(5000)
    );
    for (json, message) in [
        (
            r#"{"files":{"a":{"start":0,"end":11}}}"#,
            "a spans 0..11, the body 0..10",
        ),
        (r#"{"files":{"a":{"start":5,"end":4}}}"#, "a spans 5..4"),
        (
            r#"{"files":{"a":{"start":0,"end":6},"b":{"start":5,"end":7}}}"#,
            "a and b overlap",
        ),
        (
            r#"{"files":{"a":{"start":0,"end":1},"a":{"start":1,"end":2}}}"#,
            "cannot be read",
        ),
        (r#"{"files":{"":{"start":0,"end":1}}}"#, "0 bytes"),
        (
            r#"{"files":{"..":{"start":0,"end":1}}}"#,
            "not a plain name",
        ),
        (
            r#"{"files":{"a/b":{"start":0,"end":1}}}"#,
            "not a plain name",
        ),
        (
            r#"{"files":{"a\\b":{"start":0,"end":1}}}"#,
            "not a plain name",
        ),
        (
            r#"{"files":{"a\u0000":{"start":0,"end":1}}}"#,
            "not a plain name",
        ),
        (r#"{"files":{"a":{"start":-1,"end":1}}}"#, "cannot be read"),
        (long.as_str(), "5000 bytes"),
        (r#"{"file":{}}"#, "cannot be read"),
    ] {
        let error = parse_footer(&object_with(10, json, b""), 9).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(message), "{error} for {json}");
        assert!(
            error
                .to_string()
                .starts_with("a.split: bundle metadata at offset 18: "),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_version_is_unsupported() {
    let mut object = pack(
        &sample_index(1, 3).0,
        &PackSettings {
            trailer: true,
            ..Default::default()
        },
    )
    .unwrap()
    .to_vec()
    .unwrap();
    let at = object.len() - 8;
    object[at] = 2;
    let error = parse_footer(&object, 4096).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn hot_lengths_must_agree_with_the_bundle() {
    let (directory, _) = sample_index(1, 3);
    let object = pack(&directory, &PackSettings::default())
        .unwrap()
        .to_vec()
        .unwrap();
    let mut footer = parse_footer(&object, 4096).unwrap();
    footer.files.get_mut("meta.json").unwrap().end -= 1;
    let error = HotBytes::parse(footer.hot.clone(), &footer.files, "a.split").unwrap_err();
    assert!(error.to_string().contains("meta.json has"), "{error}");
    footer.files.remove("meta.json");
    let error = HotBytes::parse(footer.hot, &footer.files, "a.split").unwrap_err();
    assert!(error.to_string().contains("not in the bundle"), "{error}");
}

#[test]
fn a_read_across_two_slices_is_not_answered() {
    use crate::split::encode::{FileSlices, hot_bytes};

    let slices = vec![
        (0..4, b"abcd".to_vec()),
        (4..8, b"efgh".to_vec()),
        (10..12, b"kl".to_vec()),
    ];
    let files = [("f".to_owned(), FileSlices { len: 20, slices })].into();
    let bytes = OwnedBytes::new(hot_bytes(&files).unwrap());
    let hot = HotBytes::parse(bytes, &[("f".to_owned(), 5..25)].into(), "a").unwrap();
    let places = 3 * size_of::<std::ops::Range<usize>>();
    assert!(hot.weight() > hot.len() + places, "{hot:?}");
    assert_eq!(hot.read("f", 1..3).unwrap().as_slice(), b"bc");
    assert_eq!(hot.read("f", 4..8).unwrap().as_slice(), b"efgh");
    assert_eq!(hot.read("f", 10..12).unwrap().as_slice(), b"kl");
    assert!(hot.read("f", 20..20).unwrap().is_empty());
    for range in [3..5, 8..9, 9..11, 11..13, 12..20, 19..21, 21..21] {
        assert!(hot.read("f", range.clone()).is_none(), "{range:?}");
        assert!(!hot.covers("f", range));
    }
    assert!(hot.read("g", 0..0).is_none());
}
