use tantivy::directory::OwnedBytes;

use super::{parse_footer, peer_splits};
use crate::split::{Composite, DictionaryKind, FileFooter, Footer, HotBytes};

#[test]
fn every_peer_split_parses_whatever_the_guess() {
    for (name, object) in peer_splits() {
        let whole = parse_footer(&object, object.len()).unwrap();
        assert_eq!(whole.has_trailer, name.contains("qwft"), "{name}");
        for guess in [
            0,
            1,
            4,
            16,
            17,
            100,
            1000,
            4000,
            12_000,
            128 * 1024,
            object.len() * 2,
        ] {
            let footer = parse_footer(&object, guess).unwrap();
            assert_eq!(
                footer.footer_range, whole.footer_range,
                "{name} with {guess}"
            );
            assert_eq!(footer.files, whole.files);
            assert_eq!(footer.hot.as_slice(), whole.hot.as_slice());
        }
        let bytes = OwnedBytes::new(object[whole.footer_range.start as usize..].to_vec());
        let exact = Footer::parse_exact(bytes, whole.footer_range.clone(), &name).unwrap();
        assert_eq!(exact.files, whole.files);
        assert!(whole.files.contains_key("meta.json"), "{name}");
    }
}

#[test]
fn wrong_footer_offsets_are_an_error_of_the_caller() {
    for (name, object) in peer_splits() {
        let range = parse_footer(&object, object.len()).unwrap().footer_range;
        for start in [range.start - 1, range.start + 1] {
            let bytes = OwnedBytes::new(object[start as usize..].to_vec());
            let error = Footer::parse_exact(bytes, start..range.end, &name).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest, "{error}");
        }
    }
}

#[test]
fn hot_bytes_of_peers_equal_the_body() {
    for (name, object) in peer_splits() {
        let footer = parse_footer(&object, object.len()).unwrap();
        let hot = HotBytes::parse(footer.hot.clone(), &footer.files, &name).unwrap();
        let mut slices = 0;
        for (file, handle) in hot.files() {
            let range = &footer.files[file];
            let body = &object[range.start as usize..range.end as usize];
            assert_eq!(handle.len(), body.len());
            for slice in handle.slices() {
                assert_eq!(
                    slice.bytes.as_slice(),
                    &body[slice.range.clone()],
                    "{name}: {file}"
                );
                assert!(hot.covers(file, slice.range.clone()));
                let again = hot.read(file, slice.range.clone()).unwrap();
                assert_eq!(again.as_slice(), slice.bytes.as_slice());
                slices += 1;
            }
        }
        assert!(slices > 0, "{name}");
        let meta = footer.files["meta.json"].clone();
        assert!(
            hot.covers("meta.json", 0..(meta.end - meta.start) as usize),
            "{name}"
        );
    }
}

#[test]
fn composite_and_file_footers_of_peers_parse() {
    for (name, object) in peer_splits() {
        let footer = parse_footer(&object, object.len()).unwrap();
        for (file, range) in &footer.files {
            let Some((_, component)) = file.split_once('.') else {
                continue;
            };
            if !["term", "idx", "pos", "fieldnorm", "store", "fast"].contains(&component) {
                continue;
            }
            let file_bytes = &object[range.start as usize..range.end as usize];
            let len = file_bytes.len() as u64;
            let parsed = FileFooter::parse(file_bytes, len, file).unwrap();
            let read = FileFooter::read(len, file, |range| {
                let range = range.start as usize..range.end as usize;
                Ok(OwnedBytes::new(file_bytes[range].to_vec()))
            });
            assert_eq!(read.unwrap(), parsed);
            assert_eq!(parsed.index_format, 7, "{name}");
            if ["store", "fast"].contains(&component) {
                continue;
            }
            let body = &file_bytes[..file_bytes.len() - parsed.len as usize];
            let composite = Composite::parse(body, body.len() as u64, file).unwrap();
            if component == "term" {
                assert!(!composite.fields.is_empty(), "{name}: {file}");
                for field in composite.fields.values() {
                    let dictionary = &body[field.start as usize..field.end as usize];
                    assert_eq!(
                        DictionaryKind::of(dictionary),
                        Some(DictionaryKind::SsTable)
                    );
                }
            }
        }
    }
}
