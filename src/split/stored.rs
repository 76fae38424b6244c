//! A stored document, checked before tantivy decodes it.
//!
//! tantivy makes room for as many bytes or items as a length in the document says, and follows
//! nesting as deep as it goes. Corrupt bytes could so end the process, which no catching of panics
//! prevents. The format is that of tantivy's `schema/document/de.rs`: a count of fields, then for
//! each its u32 number and a value; a value is a type code and its payload.

use serde::de::IgnoredAny;

/// Values nested deeper than this are refused: each level of nesting takes stack to decode.
const MAX_DEPTH: usize = 256;

/// The longest number: 64 bits in groups of 7.
const MAX_VINT_BYTES: usize = 10;

/// Checks that every length in a stored document fits its bytes.
///
/// # Errors
///
/// What is wrong, in words.
pub(super) fn check_document(bytes: &[u8]) -> Result<(), &'static str> {
    let mut cursor = Cursor { rest: bytes };
    let fields = cursor.count()?;
    for _ in 0..fields {
        cursor.skip(4)?;
        cursor.value(0)?;
    }
    Ok(())
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn skip(&mut self, len: usize) -> Result<(), &'static str> {
        self.rest = self.rest.get(len..).ok_or("a value is cut off")?;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        let (&first, rest) = self.rest.split_first().ok_or("a value is cut off")?;
        self.rest = rest;
        Ok(first)
    }

    /// A number in groups of 7 bits, least first; the last one has its high bit set.
    fn number(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for group in 0..MAX_VINT_BYTES {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * group);
            if byte & 0x80 != 0 {
                return Ok(value);
            }
        }
        Err("a number does not end")
    }

    /// A number of things that take at least a byte each.
    fn count(&mut self) -> Result<usize, &'static str> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.rest.len())
            .ok_or("a length exceeds the document")
    }

    fn value(&mut self, depth: usize) -> Result<(), &'static str> {
        if depth > MAX_DEPTH {
            return Err("values are nested too deep");
        }
        match self.byte()? {
            // Text, facet, bytes.
            0 | 3 | 4 => {
                let len = self.count()?;
                self.skip(len)
            }
            // u64, i64, date, f64.
            1 | 2 | 5 | 6 => self.skip(8),
            // An extension, of which there is one: tokenized text, as a string of JSON.
            7 => {
                self.skip(1)?;
                let len = self.count()?;
                self.skip(len)
            }
            // An object in old indexes: JSON text, as long as it goes.
            8 => {
                if self.rest.first() != Some(&b'{') {
                    return Err("an object is not JSON");
                }
                let mut json =
                    serde_json::Deserializer::from_slice(self.rest).into_iter::<IgnoredAny>();
                match json.next() {
                    Some(Ok(_)) => {
                        let len = json.byte_offset();
                        self.skip(len)
                    }
                    _ => Err("an object is not JSON"),
                }
            }
            9 => self.skip(1),
            // An address.
            10 => self.skip(16),
            // Null.
            11 => Ok(()),
            // A list; or an object, which is a list of keys and values.
            code @ (12 | 13) => {
                let items = self.count()?;
                if code == 13 && items % 2 != 0 {
                    return Err("an object has a key without a value");
                }
                (0..items).try_for_each(|_| self.value(depth + 1))
            }
            _ => Err("a value of an unknown type"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tantivy::directory::RamDirectory;
    use tantivy::schema::{STORED, Schema};
    use tantivy::{Index, IndexSettings, TantivyDocument};

    use super::*;

    /// A document of every type of value, as tantivy stores it.
    fn stored() -> Vec<u8> {
        let mut schema = Schema::builder();
        schema.add_text_field("text", STORED);
        schema.add_u64_field("u64", STORED);
        schema.add_i64_field("i64", STORED);
        schema.add_f64_field("f64", STORED);
        schema.add_bool_field("bool", STORED);
        schema.add_date_field("date", STORED);
        schema.add_bytes_field("bytes", STORED);
        schema.add_ip_addr_field("ip", STORED);
        schema.add_facet_field("facet", STORED);
        schema.add_json_field("json", STORED);
        let schema = schema.build();
        let document = TantivyDocument::parse_json(
            &schema,
            r#"{"text": ["a", "b"], "u64": 1, "i64": -1, "f64": 0.5, "bool": true,
                "date": "2026-11-21T00:00:00Z", "bytes": "AAEC", "ip": "10.0.0.1",
                "facet": "/a/b", "json": {"a": [1, {"b": null}, "c"], "d": {}}}"#,
        )
        .expect("a document");
        let directory = RamDirectory::create();
        let index = Index::create(directory, schema, IndexSettings::default()).expect("an index");
        let mut writer = index
            .writer_with_num_threads(1, 15_000_000)
            .expect("a writer");
        writer.add_document(document).expect("room");
        writer.commit().expect("a commit");
        let searcher = index.reader().expect("a reader").searcher();
        let store = searcher
            .segment_reader(0)
            .get_store_reader(1)
            .expect("a store");
        store.get_document_bytes(0).expect("a document").to_vec()
    }

    #[test]
    fn what_tantivy_stores_is_sound() {
        assert_eq!(check_document(&stored()), Ok(()));
    }

    #[test]
    fn a_document_that_is_cut_off_is_not() {
        let whole = stored();
        for len in 0..whole.len() {
            assert!(
                check_document(&whole[..len]).is_err(),
                "{len} of {}",
                whole.len()
            );
        }
    }

    #[test]
    fn a_length_beyond_the_document_is_refused() {
        // One field, text, of more bytes than there are.
        let mut bytes = vec![0x81, 0, 0, 0, 0, 0];
        bytes.extend([0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0xff]);
        assert_eq!(check_document(&bytes), Err("a length exceeds the document"));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let mut bytes = vec![0x81, 0, 0, 0, 0];
        bytes.extend([12, 0x81].repeat(100_000));
        assert_eq!(check_document(&bytes), Err("values are nested too deep"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check_document(&bytes);
        }
    }
}
