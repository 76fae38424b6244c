use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, FieldType, Schema};
use tantivy::{Searcher, Term};

/// Statistics for scoring over all splits of a search, so that a document scores the same
/// whichever split it is in: as if all segments were one index.
///
/// Every split of a search whose schema makes the same terms has warmed the dictionary blocks that
/// these look-ups read; a field that is indexed otherwise in another split counts apart.
pub(super) struct GlobalStatistics {
    searchers: Vec<Searcher>,
    frequencies: Mutex<HashMap<(String, Vec<u8>), u64>>,
}

impl GlobalStatistics {
    pub(super) fn new(searchers: Vec<Searcher>) -> Arc<Self> {
        Arc::new(Self {
            searchers,
            frequencies: Mutex::default(),
        })
    }

    /// The statistics for queries that were bound to `schema`.
    pub(super) fn seen_from<'a>(&'a self, schema: &'a Schema) -> SeenFrom<'a> {
        SeenFrom {
            statistics: self,
            schema,
        }
    }
}

/// Statistics asked for in the field numbers of one split's schema.
pub(super) struct SeenFrom<'a> {
    statistics: &'a GlobalStatistics,
    schema: &'a Schema,
}

impl SeenFrom<'_> {
    /// The same field in another split, which may number it differently. One whose terms are made
    /// differently there is another field: its frequencies mean something else, and its split has
    /// not warmed these terms.
    fn field_in(&self, other: &Searcher, field: Field) -> Option<Field> {
        let found = other
            .schema()
            .get_field(self.schema.get_field_name(field))
            .ok()?;
        (how_terms_are_made(self.schema, field) == how_terms_are_made(other.schema(), found))
            .then_some(found)
    }
}

/// The type of a field, and how its text is indexed: tokenizer, record, norms, paths.
fn how_terms_are_made(schema: &Schema, field: Field) -> String {
    let kind = schema.get_field_entry(field).field_type();
    let (text, dots) = match kind {
        FieldType::Str(options) => (options.get_indexing_options(), false),
        FieldType::JsonObject(options) => (
            options.get_text_indexing_options(),
            options.is_expand_dots_enabled(),
        ),
        _ => (None, false),
    };
    format!("{:?} {text:?} {dots}", kind.value_type())
}

impl Bm25StatisticsProvider for SeenFrom<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        let mut tokens = 0;
        for searcher in &self.statistics.searchers {
            if let Some(field) = self.field_in(searcher, field) {
                tokens += searcher.total_num_tokens(field)?;
            }
        }
        Ok(tokens)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.statistics
            .searchers
            .iter()
            .map(Bm25StatisticsProvider::total_num_docs)
            .sum()
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let name = self.schema.get_field_name(term.field());
        let name = format!("{name} {}", how_terms_are_made(self.schema, term.field()));
        let key = (name, term.serialized_value_bytes().to_vec());
        let known = self
            .statistics
            .frequencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(&frequency) = known.get(&key) {
            return Ok(frequency);
        }
        drop(known);
        let mut frequency = 0;
        for searcher in &self.statistics.searchers {
            let Some(field) = self.field_in(searcher, term.field()) else {
                continue;
            };
            for reader in searcher.segment_readers() {
                let info = reader.inverted_index(field)?.terms().get(&key.1)?;
                frequency += info.map_or(0, |info| u64::from(info.doc_freq));
            }
        }
        let mut known = self
            .statistics
            .frequencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(key, frequency);
        Ok(frequency)
    }
}
