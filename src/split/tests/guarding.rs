//! Lengths in the middle of files, of which tantivy would make room.

use tantivy::index::SegmentComponent;
use zstd::bulk::compress;

use super::{large_dictionary, sample_index};
use crate::split::check_segment;
use crate::split::guard::{FileGuard, Region};

const REGIONS: [Region; 5] = [
    Region::ColumnNames,
    Region::Columns,
    Region::Lz4Documents,
    Region::Terms,
    Region::ZstdDocuments,
];

fn check(region: Region, bytes: &[u8]) -> Result<(), String> {
    let guard = FileGuard::new(vec![(10..1_000_000, region)]);
    guard.check(&(10..10 + bytes.len()), bytes)
}

fn block(compressed: bool, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u32 + 1;
    [&len.to_le_bytes()[..], &[compressed.into()], data].concat()
}

/// A frame whose header says that it becomes `declared` bytes.
fn frame(content: &[u8], declared: u64) -> Vec<u8> {
    let compressed = compress(content, 3).unwrap();
    // Behind the magic: descriptor, then a content size of one byte, for contents this short.
    assert_eq!(compressed[4] & 0xe0, 0x20);
    let header = [&compressed[..4], &[0xe0], &declared.to_le_bytes()].concat();
    [&header, &compressed[6..]].concat()
}

#[test]
fn more_columns_than_bytes_are_refused() {
    let many = [&[0xff; 9][..], &[0x7f], &[1, 2, 3]].concat();
    let error = check(Region::ColumnNames, &block(false, &many)).unwrap_err();
    assert!(error.ends_with("columns in 13 bytes"), "{error}");
    let compressed = block(true, &compress(&many, 3).unwrap());
    let error = check(Region::ColumnNames, &compressed).unwrap_err();
    assert!(error.ends_with("columns in 13 bytes"), "{error}");
    let second = [block(false, &[1, 1, 1]), block(false, &[9, 1, 1])].concat();
    let error = check(Region::ColumnNames, &second).unwrap_err();
    assert_eq!(error, "9 columns in 3 bytes");
}

#[test]
fn a_block_that_says_it_becomes_huge_is_refused() {
    let block = block(true, &frame(b"term term term", 1 << 40));
    let mut column = block.clone();
    column.extend((block.len() as u64).to_le_bytes());
    column.extend(1_u64.to_le_bytes());
    column.extend(3_u32.to_le_bytes());
    column.extend((column.len() as u32).to_le_bytes());
    for (region, bytes) in [
        (Region::Terms, &block),
        (Region::ColumnNames, &block),
        (Region::Columns, &column),
    ] {
        let error = check(region, bytes).unwrap_err();
        assert!(
            error.ends_with("becomes 1099511627776"),
            "{region:?}: {error}"
        );
    }
}

#[test]
fn documents_that_say_they_become_huge_are_refused() {
    let bytes = [&[0xff; 4][..], &compress(b"a document", 3).unwrap()].concat();
    for region in [Region::Lz4Documents, Region::ZstdDocuments] {
        let error = check(region, &bytes).unwrap_err();
        assert!(error.contains("says that it becomes 4294967295"), "{error}");
    }
}

#[test]
fn what_zstandard_wrote_passes() {
    for len in [0_usize, 1, 255, 256, 70_000, 1 << 20] {
        for content in [
            vec![7; len],
            (0..len).map(|n| ((n * n) >> 3) as u8).collect(),
        ] {
            let mut bytes = (len as u32).to_le_bytes().to_vec();
            bytes.extend(compress(&content, 3).unwrap());
            check(Region::ZstdDocuments, &bytes).unwrap();
        }
    }
}

#[test]
fn bytes_cut_off_anywhere_are_survived() {
    let sound = block(true, &compress(&[5; 3_000], 3).unwrap());
    for end in 0..sound.len() {
        for region in REGIONS {
            let _ = check(region, &sound[..end]);
        }
    }
}

#[test]
fn reads_beside_the_regions_are_not_checked() {
    let guard = FileGuard::new(vec![(10..20, Region::ColumnNames)]);
    let many = block(false, &[9, 1, 1]);
    for start in [0, 20, 30] {
        guard.check(&(start..start + many.len()), &many).unwrap();
    }
    guard.check(&(12..12 + many.len()), &many).unwrap_err();
}

#[test]
fn what_tantivy_wrote_passes() {
    for (_, index) in [sample_index(2, 3_000), large_dictionary()] {
        for segment in index.searchable_segments().unwrap() {
            let guards = check_segment(&segment, "a.split").unwrap();
            assert!(!guards.is_empty());
            for component in [SegmentComponent::Terms, SegmentComponent::FastFields] {
                let name = segment.meta().relative_path(component.clone());
                let name = name.display().to_string();
                let (_, guard) = guards.iter().find(|(of, _)| *of == name).unwrap();
                let bytes = segment.open_read(component).unwrap().read_bytes().unwrap();
                for (range, _) in guard.regions() {
                    let range = range.start as usize..range.end as usize;
                    guard.check(&range, &bytes[range.clone()]).unwrap();
                }
            }
        }
    }
}
