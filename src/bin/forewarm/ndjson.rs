//! Newline-delimited JSON from a file, from standard input, or from either compressed with gzip.
//!
//! Lines are read as bytes and numbered from 1, so that a bad one can be named. A line longer than
//! [`MAX_LINE`] is skipped without being held in memory: no input makes this program swell.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// The longest line taken, in bytes.
pub(crate) const MAX_LINE: usize = 64 << 20;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One line of the input that is not blank.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Line {
    /// Counted from 1, blank lines too.
    pub(crate) number: u64,
    /// The text without its line end, or why there is none.
    pub(crate) text: Result<String, String>,
}

/// Reads lines one by one.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    number: u64,
    max_line: usize,
    buffer: Vec<u8>,
}

impl Lines {
    /// Reads from `input`, decompressing it if it begins like gzip.
    ///
    /// # Errors
    ///
    /// When the first bytes cannot be read.
    pub(crate) fn new(input: impl Read + Send + 'static) -> io::Result<Self> {
        Self::with_max_line(input, MAX_LINE)
    }

    fn with_max_line(input: impl Read + Send + 'static, max_line: usize) -> io::Result<Self> {
        let mut plain = BufReader::with_capacity(1 << 18, input);
        let reader: Box<dyn BufRead + Send> = if plain.fill_buf()?.starts_with(&GZIP_MAGIC) {
            // Several gzip members one after another are one stream, as `cat a.gz b.gz` makes it.
            Box::new(BufReader::with_capacity(
                1 << 18,
                MultiGzDecoder::new(plain),
            ))
        } else {
            Box::new(plain)
        };
        Ok(Self {
            reader,
            number: 0,
            max_line,
            buffer: Vec::new(),
        })
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the input cannot be read further, e.g. because a gzip stream is cut short.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.buffer.clear();
            // One byte more than the longest line and its end, to tell "too long" from "just fits".
            let limit = self.max_line as u64 + 2;
            let read = (&mut self.reader)
                .take(limit)
                .read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let complete = self.buffer.last() == Some(&b'\n');
            let mut bytes = self.buffer.as_slice();
            bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            if self.number == 1 {
                bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
            }
            if bytes.len() > self.max_line {
                let text = Err(format!("longer than {} bytes", self.max_line));
                if !complete {
                    self.skip_line()?;
                }
                return Ok(Some(Line {
                    number: self.number,
                    text,
                }));
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let text = match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned()),
                Err(error) => Err(format!("not UTF-8 at byte {}", error.valid_up_to() + 1)),
            };
            return Ok(Some(Line {
                number: self.number,
                text,
            }));
        }
    }

    /// Reads to the end of the line without keeping it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let line_end = chunk.iter().position(|byte| *byte == b'\n');
            let used = line_end.map_or(chunk.len(), |position| position + 1);
            self.reader.consume(used);
            if line_end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn all(input: &[u8], max_line: usize) -> Vec<(u64, Result<String, String>)> {
        let mut lines = Lines::with_max_line(io::Cursor::new(input.to_vec()), max_line).unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push((line.number, line.text));
        }
        found
    }

    fn text(number: u64, text: &str) -> (u64, Result<String, String>) {
        (number, Ok(text.to_owned()))
    }

    #[test]
    fn blank_lines_are_counted_and_left_out() {
        let found = all(b"\xef\xbb\xbf{}\r\n\n  \n{\"a\":1}", 100);
        assert_eq!(found, [text(1, "{}"), text(4, "{\"a\":1}")]);
        assert!(all(b"", 100).is_empty());
        assert!(all(b"\n\n", 100).is_empty());
    }

    #[test]
    fn a_line_that_is_not_utf8_is_named_and_the_next_one_is_read() {
        let found = all(b"{}\nab\xff\n{}\n", 100);
        assert_eq!(found[1], (2, Err("not UTF-8 at byte 3".to_owned())));
        assert_eq!(found[2], text(3, "{}"));
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_without_its_neighbours() {
        let too_long = || Err("longer than 4 bytes".to_owned());
        let found = all(b"1234\n12345\n1234567890\n1234\r\n123456789", 4);
        let expected = [
            text(1, "1234"),
            (2, too_long()),
            (3, too_long()),
            text(4, "1234"),
            (5, too_long()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn gzip_is_recognised_by_its_bytes_in_one_member_or_many() {
        let mut compressed = Vec::new();
        for part in ["{\"a\":1}\n", "{\"a\":2}\n"] {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            compressed.extend(encoder.finish().unwrap());
        }
        assert_eq!(
            all(&compressed, 100),
            [text(1, "{\"a\":1}"), text(2, "{\"a\":2}")]
        );
    }

    #[test]
    fn a_gzip_stream_cut_short_is_an_error() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"{}\n{}\n").unwrap();
        let compressed = encoder.finish().unwrap();
        let cut = compressed[..compressed.len() - 6].to_vec();
        let mut lines = Lines::new(io::Cursor::new(cut)).unwrap();
        let error = loop {
            match lines.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the cut was not seen"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
