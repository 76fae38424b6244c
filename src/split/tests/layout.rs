//! The written layout, field by field against the specification, with a reader that shares no
//! code with the production parser.

use std::collections::BTreeMap;

use super::{delete_some, sample_index};
use crate::split::{PackSettings, pack};

/// Reads forward through bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        self.take(4)
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u32::from(*byte))
    }

    fn u64(&mut self) -> u64 {
        self.take(8)
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// LEB128, as postcard writes integers.
    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.take(1)[0];
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        value
    }

    fn string(&mut self) -> String {
        let len = self.varint() as usize;
        String::from_utf8(self.take(len).to_vec()).unwrap()
    }

    fn pairs(&mut self) -> Vec<(String, u64)> {
        (0..self.varint())
            .map(|_| (self.string(), self.varint()))
            .collect()
    }
}

fn u32_before(object: &[u8], end: usize) -> usize {
    Reader(&object[end - 4..end]).u32() as usize
}

/// A split as the specification describes it.
struct Read {
    files: BTreeMap<String, (usize, usize)>,
    file_lengths: Vec<(String, u64)>,
    blocks: BTreeMap<String, Block>,
    footer_start: usize,
}

/// The total length of a file and its slices: start, stop, bytes.
struct Block {
    total_len: u64,
    slices: Vec<(u64, u64, Vec<u8>)>,
}

fn read_split(object: &[u8], trailer: bool) -> Read {
    let mut end = object.len();
    let mut told = None;
    if trailer {
        end -= 16;
        let mut reader = Reader(&object[end..]);
        told = Some(reader.u64() as usize);
        assert_eq!(reader.u32(), 1);
        assert_eq!(reader.0, b"QWFT");
    }
    let hot_len = u32_before(object, end);
    let hot = &object[end - 4 - hot_len..end - 4];
    let metadata_end = end - 4 - hot_len - 4;
    let metadata_len = u32_before(object, metadata_end + 4);
    let footer_start = metadata_end - metadata_len;
    assert!(told.is_none_or(|told| told == footer_start));

    let mut metadata = Reader(&object[footer_start..metadata_end]);
    assert_eq!(metadata.u32(), 403_881_646);
    assert_eq!(metadata.u32(), 1);
    let json: serde_json::Value = serde_json::from_slice(metadata.0).unwrap();
    let files = json["files"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, span)| {
            let place = |key: &str| span[key].as_u64().unwrap() as usize;
            (name.clone(), (place("start"), place("end")))
        });

    let mut reader = Reader(hot);
    assert_eq!(reader.u32(), 2_557_869_106);
    assert_eq!(reader.u32(), 1);
    let header_len = reader.u32() as usize;
    let mut header = Reader(reader.take(header_len));
    let file_lengths = header.pairs();
    let slice_offsets = header.pairs();
    assert!(header.0.is_empty());
    let mut blocks = BTreeMap::new();
    for (at, (name, offset)) in slice_offsets.iter().enumerate() {
        let end = slice_offsets
            .get(at + 1)
            .map_or(reader.0.len(), |next| next.1 as usize);
        let block = &reader.0[*offset as usize..end];
        blocks.insert(name.clone(), read_block(block));
    }
    Read {
        files: files.collect(),
        file_lengths,
        blocks,
        footer_start,
    }
}

fn read_block(block: &[u8]) -> Block {
    let bytes_len = Reader(&block[block.len() - 8..]).u64() as usize;
    let mut index = Reader(&block[bytes_len..block.len() - 8]);
    let total_len = index.varint();
    let mut expected = 0;
    let slices = (0..index.varint())
        .map(|_| {
            let (start, stop, addr) = (index.varint(), index.varint(), index.varint() as usize);
            assert_eq!(addr, expected, "slices lie back to back");
            expected += (stop - start) as usize;
            (start, stop, block[addr..expected].to_vec())
        })
        .collect();
    assert_eq!(expected, bytes_len);
    assert!(index.0.is_empty());
    Block { total_len, slices }
}

#[test]
fn an_independent_reader_finds_every_field_of_the_layout() {
    for trailer in [false, true] {
        let (directory, index) = sample_index(2, 40);
        delete_some(&index);
        let settings = PackSettings {
            trailer,
            ..PackSettings::default()
        };
        let split = pack(&directory, &settings).unwrap();
        let object = split.to_vec().unwrap();
        let read = read_split(&object, trailer);
        assert_eq!(
            split.footer_range(),
            read.footer_start as u64..object.len() as u64
        );
        assert_eq!(object.ends_with(b"QWFT"), trailer);

        let mut spans: Vec<(usize, usize)> = read.files.values().copied().collect();
        spans.sort_unstable();
        assert_eq!(spans[0].0, 0);
        assert!(
            spans.windows(2).all(|pair| pair[0].1 == pair[1].0),
            "the body has no gaps"
        );
        assert_eq!(spans.last().unwrap().1, read.footer_start);
        assert_eq!(
            read.files["split_fields"],
            (read.footer_start, read.footer_start)
        );
        // Two segments of seven files each, and three files of the index.
        assert_eq!(read.files.len(), 2 * 7 + 3);

        let lengths: BTreeMap<_, _> = read.file_lengths.into_iter().collect();
        assert_eq!(lengths.len(), read.files.len() - 1);
        for (name, Block { total_len, slices }) in &read.blocks {
            let (start, end) = read.files[name];
            assert_eq!(*total_len, (end - start) as u64);
            assert_eq!(lengths[name], *total_len);
            let mut last_stop = 0;
            for (slice_start, stop, bytes) in slices {
                assert!(*slice_start >= last_stop && stop > slice_start);
                last_stop = *stop;
                let place = start + *slice_start as usize..start + *stop as usize;
                assert_eq!(bytes, &object[place], "{name}");
            }
        }
        for name in ["meta.json", ".managed.json"] {
            let Block { total_len, slices } = &read.blocks[name];
            assert_eq!(
                (slices.len(), slices[0].1),
                (1, *total_len),
                "{name} is hot as a whole"
            );
        }
    }
}

#[test]
fn the_body_is_the_index_byte_for_byte() {
    use tantivy::HasLen;
    use tantivy::directory::Directory;

    let (directory, index) = sample_index(3, 20);
    delete_some(&index);
    let object = pack(&directory, &PackSettings::default())
        .unwrap()
        .to_vec()
        .unwrap();
    let read = read_split(&object, false);
    for (name, (start, end)) in &read.files {
        if [".managed.json", "split_fields"].contains(&name.as_str()) {
            continue;
        }
        let file = directory.open_read(name.as_ref()).unwrap();
        assert_eq!(file.len(), end - start);
        assert_eq!(
            file.read_bytes().unwrap().as_slice(),
            &object[*start..*end],
            "{name}"
        );
    }
    let (start, end) = read.files[".managed.json"];
    let managed: Vec<String> = serde_json::from_slice(&object[start..end]).unwrap();
    let mut expected: Vec<String> = read.files.keys().cloned().collect();
    expected.retain(|name| ![".managed.json", "split_fields"].contains(&name.as_str()));
    assert_eq!(managed, expected);
}
