//! From lines of JSON to tantivy indexes of one segment each.
//!
//! Lines are read in batches, parsed on all cores, and added to the index in the order in which
//! they came: the same input gives the same segments.

use std::mem;

use indicatif::ProgressBar;
use rayon::prelude::*;
use serde_json::{Map, Value};
use tantivy::directory::RamDirectory;
use tantivy::schema::Schema;
use tantivy::schema::document::DocParsingError;
use tantivy::{Index, SingleSegmentIndexWriter, TantivyDocument};

use crate::failure::{Failure, Outcome};
use crate::ndjson::{Line, Lines};
use crate::session::Interrupt;

const BATCH_LINES: usize = 4096;
const BATCH_BYTES: usize = 8 << 20;

/// tantivy addresses the memory of one segment's postings with 32 bits.
const MAX_MEMORY: u64 = 3 << 30;

/// How much of a bad value a message shows, in characters.
const SHOWN: usize = 160;

/// Builds one index after another.
pub(crate) struct Indexer {
    pub(crate) lines: Lines,
    /// The input's name, for messages.
    pub(crate) source: String,
    pub(crate) schema: Schema,
    pub(crate) docs_per_split: u64,
    /// Bytes that one index may take before it is closed early.
    pub(crate) memory: u64,
    pub(crate) skip_bad_lines: bool,
    pub(crate) interrupt: Interrupt,
    pub(crate) bar: ProgressBar,
}

/// An index that is complete.
pub(crate) struct Indexed {
    pub(crate) directory: RamDirectory,
    pub(crate) docs: u64,
    /// Closed before it had all its documents, because of its memory.
    pub(crate) early: bool,
}

/// What came of the whole input.
#[derive(Debug, Default)]
pub(crate) struct Indexing {
    pub(crate) docs: u64,
    pub(crate) bad_lines: u64,
    /// The first bad lines, each with its number and what is wrong with it.
    pub(crate) examples: Vec<String>,
}

/// How many bad lines are shown.
const EXAMPLES: usize = 10;

impl Indexer {
    /// Reads all lines and hands each finished index to `finished`. Blocks: call it on a thread
    /// that may.
    ///
    /// # Errors
    ///
    /// A bad line (unless they are skipped), input that cannot be read, whatever tantivy says, an
    /// interruption, and what `finished` answers.
    pub(crate) fn run(mut self, mut finished: impl FnMut(Indexed) -> Outcome) -> Outcome<Indexing> {
        let mut indexing = Indexing::default();
        let mut current: Option<OpenIndex> = None;
        loop {
            let batch = self.batch()?;
            if batch.is_empty() {
                break;
            }
            let schema = &self.schema;
            let documents: Vec<(u64, Result<TantivyDocument, String>)> = batch
                .into_par_iter()
                .map(|line| {
                    (
                        line.number,
                        line.text.and_then(|text| document(schema, &text)),
                    )
                })
                .collect();
            for (number, document) in documents {
                self.interrupt.check()?;
                let document = match document {
                    Ok(document) => document,
                    Err(reason) => {
                        self.bad_line(&mut indexing, number, &reason)?;
                        continue;
                    }
                };
                let mut open = match current.take() {
                    Some(open) => open,
                    None => OpenIndex::new(&self.schema)?,
                };
                open.writer.add_document(document)?;
                open.docs += 1;
                indexing.docs += 1;
                let complete = open.docs >= self.docs_per_split;
                if complete || open.memory() >= self.memory.min(MAX_MEMORY) {
                    finished(open.finish(!complete)?)?;
                } else {
                    current = Some(open);
                }
            }
        }
        if let Some(open) = current {
            finished(open.finish(false)?)?;
        }
        Ok(indexing)
    }

    /// The next lines, as many as are worth parsing in parallel; none at the end.
    fn batch(&mut self) -> Outcome<Vec<Line>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_LINES && bytes < BATCH_BYTES {
            self.interrupt.check()?;
            let line = self
                .lines
                .next()
                .map_err(|error| Failure::caused(format!("cannot read {}", self.source), &error))?;
            let Some(line) = line else { break };
            bytes += line.text.as_ref().map_or(0, String::len);
            batch.push(line);
        }
        Ok(batch)
    }

    fn bad_line(&self, indexing: &mut Indexing, number: u64, reason: &str) -> Outcome {
        let message = format!("{}:{number}: {reason}", self.source);
        if !self.skip_bad_lines {
            return Err(Failure::failed(format!("bad line {message}")));
        }
        indexing.bad_lines += 1;
        self.bar
            .set_message(format!("indexing, {} bad lines", indexing.bad_lines));
        if indexing.examples.len() < EXAMPLES {
            indexing.examples.push(message);
        }
        Ok(())
    }
}

/// An index being written.
struct OpenIndex {
    directory: RamDirectory,
    writer: SingleSegmentIndexWriter,
    docs: u64,
}

impl OpenIndex {
    fn new(schema: &Schema) -> Outcome<Self> {
        let directory = RamDirectory::create();
        let writer = segment_writer(schema, &directory)?;
        Ok(Self {
            directory,
            writer,
            docs: 0,
        })
    }

    /// Bytes held by postings, columns and what is already written.
    fn memory(&self) -> u64 {
        (self.writer.mem_usage() + self.directory.total_mem_usage()) as u64
    }

    fn finish(self, early: bool) -> Outcome<Indexed> {
        self.writer.finalize()?;
        Ok(Indexed {
            directory: self.directory,
            docs: self.docs,
            early,
        })
    }
}

/// A writer that makes one segment in `directory`, without threads and without commits in between.
pub(crate) fn segment_writer(
    schema: &Schema,
    directory: &RamDirectory,
) -> tantivy::Result<SingleSegmentIndexWriter> {
    const HASH_TABLES: usize = 64 << 20;
    Index::builder()
        .schema(schema.clone())
        .single_segment_index_writer(directory.clone(), HASH_TABLES)
}

/// Parses one line as a document of the schema.
fn document(schema: &Schema, text: &str) -> Result<TantivyDocument, String> {
    let mut object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        // The line is the whole text: serde_json's "at line 1" would only confuse.
        let message = error.to_string().replace(" at line 1 column", " at column");
        format!("not a JSON object: {}", shortened(&message))
    })?;
    // In JSON null is how many programs write "no value", which tantivy takes for a wrong type.
    object.retain(|_, value| !value.is_null());
    for value in object.values_mut() {
        if let Value::Array(items) = value {
            *items = mem::take(items)
                .into_iter()
                .filter(|item| !item.is_null())
                .collect();
        }
    }
    TantivyDocument::from_json_object(schema, object).map_err(|error| match error {
        DocParsingError::ValueError(field, cause) => {
            let cause = cause.to_string();
            format!(
                "field `{field}`: {}",
                shortened(&cause).replacen(". Expected", ": expected", 1)
            )
        }
        other => shortened(&other.to_string()),
    })
}

/// A message of bounded length: values in it come from the input.
fn shortened(message: &str) -> String {
    let mut characters = message.chars();
    let mut text: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tantivy::schema::{FAST, STORED, STRING, TEXT};

    use super::*;

    fn schema() -> Schema {
        let mut builder = Schema::builder();
        builder.add_text_field("title", TEXT | STORED);
        builder.add_text_field("tags", STRING);
        builder.add_u64_field("price", FAST | STORED);
        builder.build()
    }

    fn run(input: &str, docs_per_split: u64, skip: bool) -> (Outcome<Indexing>, Vec<(u64, bool)>) {
        run_with_memory(input, docs_per_split, skip, u64::MAX)
    }

    fn run_with_memory(
        input: &str,
        docs_per_split: u64,
        skip_bad_lines: bool,
        memory: u64,
    ) -> (Outcome<Indexing>, Vec<(u64, bool)>) {
        let mut splits = Vec::new();
        let indexer = Indexer {
            lines: Lines::new(Cursor::new(input.to_owned())).unwrap(),
            source: "docs".to_owned(),
            schema: schema(),
            docs_per_split,
            memory,
            skip_bad_lines,
            interrupt: Interrupt::default(),
            bar: ProgressBar::hidden(),
        };
        let outcome = indexer.run(|indexed| {
            let index = Index::open(indexed.directory).unwrap();
            let segments = index.searchable_segment_metas().unwrap();
            assert_eq!(segments.len(), 1);
            assert_eq!(u64::from(segments[0].num_docs()), indexed.docs);
            splits.push((indexed.docs, indexed.early));
            Ok(())
        });
        (outcome, splits)
    }

    #[test]
    fn each_split_has_one_segment_and_only_the_last_may_be_smaller() {
        let input = "{\"title\": \"a\"}\n".repeat(10);
        let (outcome, splits) = run(&input, 4, false);
        assert_eq!(outcome.unwrap().docs, 10);
        assert_eq!(splits, [(4, false), (4, false), (2, false)]);
        assert_eq!(run(&input, 5, false).1.len(), 2);
        assert!(run("\n", 5, false).1.is_empty());
    }

    #[test]
    fn an_index_that_outgrows_its_memory_is_closed_early() {
        let input = "{\"title\": \"a\"}\n".repeat(3);
        let (outcome, splits) = run_with_memory(&input, 2, false, 1);
        assert_eq!(outcome.unwrap().docs, 3);
        assert_eq!(splits, [(1, true), (1, true), (1, true)]);
    }

    #[test]
    fn a_bad_line_is_named_or_skipped_and_counted() {
        let input = "{\"title\": \"a\"}\n\n{\"price\": \"x\"}\n[1]\n{\"title\": \"b\"}\n{\n";
        let (outcome, _) = run(input, 10, false);
        let message = outcome.unwrap_err().to_string();
        assert_eq!(
            message,
            "bad line docs:3: field `price`: Type error: expected a u64, got \"x\""
        );
        let (outcome, splits) = run(input, 10, true);
        let indexing = outcome.unwrap();
        assert_eq!((indexing.docs, indexing.bad_lines), (2, 3));
        assert_eq!(splits, [(2, false)]);
        assert!(indexing.examples[1].starts_with("docs:4: not a JSON object: invalid type"));
        assert!(indexing.examples[2].starts_with("docs:6: not a JSON object: EOF"));
    }

    #[test]
    fn null_is_the_same_as_no_value_and_unknown_keys_are_left_out() {
        let line = r#"{"title": null, "tags": ["a", null, "b"], "unknown": {"x": 1}}"#;
        let document = document(&schema(), line).unwrap();
        assert_eq!(document.field_values().count(), 2);
    }

    #[test]
    fn a_long_bad_value_does_not_make_a_long_message() {
        let line = format!("{{\"price\": \"{}\"}}", "x".repeat(10_000));
        assert!(document(&schema(), &line).unwrap_err().chars().count() < 200);
    }

    #[test]
    fn an_interruption_stops_the_work() {
        let interrupt = Interrupt::default();
        interrupt.raise();
        let indexer = Indexer {
            lines: Lines::new(Cursor::new("{}")).unwrap(),
            source: "docs".to_owned(),
            schema: schema(),
            docs_per_split: 1,
            memory: 1,
            skip_bad_lines: false,
            interrupt,
            bar: ProgressBar::hidden(),
        };
        assert!(indexer.run(|_| Ok(())).is_err());
    }
}
