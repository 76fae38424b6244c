use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::{Field, FieldType, Schema};
use tantivy::{Searcher, Term};

/// Statistics for scoring over all splits of a search, so that a document scores the same
/// whichever split it is in: as if all segments were one index.
///
/// Every split of a search whose schema makes the same terms has warmed the dictionary blocks that
/// these look-ups read; a field that is indexed otherwise in another split counts apart.
///
/// Each figure is summed once for a search, not once for each split that asks.
pub(super) struct GlobalStatistics {
    searchers: Vec<Searcher>,
    documents: OnceLock<u64>,
    tokens: Mutex<HashMap<FieldKey, u64>>,
    frequencies: Mutex<HashMap<(FieldKey, Vec<u8>), u64>>,
}

/// A field by its name, and the first split that makes its terms in the same way.
type FieldKey = (usize, String);

impl GlobalStatistics {
    pub(super) fn new(searchers: Vec<Searcher>) -> Arc<Self> {
        Arc::new(Self {
            searchers,
            documents: OnceLock::new(),
            tokens: Mutex::default(),
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
    /// The same field in every split that makes its terms in the same way: the number of the split,
    /// its searcher, and the number of the field there.
    fn fields(&self, field: Field) -> impl Iterator<Item = (usize, &Searcher, Field)> {
        let entry = self.schema.get_field_entry(field);
        let searchers = self.statistics.searchers.iter().enumerate();
        searchers.filter_map(move |(at, searcher)| {
            let schema = searcher.schema();
            let found = schema.get_field(entry.name()).ok()?;
            let same = make_same_terms(
                entry.field_type(),
                schema.get_field_entry(found).field_type(),
            );
            same.then_some((at, searcher, found))
        })
    }

    fn key(&self, field: Field) -> FieldKey {
        let first = self.fields(field).next().map_or(0, |(at, _, _)| at);
        (first, self.schema.get_field_name(field).to_owned())
    }
}

/// Whether a value is made into the same terms in both fields.
fn make_same_terms(left: &FieldType, right: &FieldType) -> bool {
    match (left, right) {
        (FieldType::Str(left), FieldType::Str(right)) => {
            left.get_indexing_options() == right.get_indexing_options()
        }
        (FieldType::JsonObject(left), FieldType::JsonObject(right)) => {
            left.get_text_indexing_options() == right.get_text_indexing_options()
                && left.is_expand_dots_enabled() == right.is_expand_dots_enabled()
        }
        _ => left.value_type() == right.value_type(),
    }
}

impl Bm25StatisticsProvider for SeenFrom<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        let key = self.key(field);
        if let Some(&tokens) = lock(&self.statistics.tokens).get(&key) {
            return Ok(tokens);
        }
        let mut tokens = 0;
        for (_, searcher, field) in self.fields(field) {
            tokens += searcher.total_num_tokens(field)?;
        }
        lock(&self.statistics.tokens).insert(key, tokens);
        Ok(tokens)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        if let Some(&documents) = self.statistics.documents.get() {
            return Ok(documents);
        }
        let searchers = self.statistics.searchers.iter();
        let documents = searchers
            .map(Bm25StatisticsProvider::total_num_docs)
            .sum::<tantivy::Result<u64>>()?;
        Ok(*self.statistics.documents.get_or_init(|| documents))
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let key = (
            self.key(term.field()),
            term.serialized_value_bytes().to_vec(),
        );
        if let Some(&frequency) = lock(&self.statistics.frequencies).get(&key) {
            return Ok(frequency);
        }
        let mut frequency = 0;
        for (_, searcher, field) in self.fields(term.field()) {
            for reader in searcher.segment_readers() {
                let info = reader.inverted_index(field)?.terms().get(&key.1)?;
                frequency += info.map_or(0, |info| u64::from(info.doc_freq));
            }
        }
        lock(&self.statistics.frequencies).insert(key, frequency);
        Ok(frequency)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A figure is inserted whole or not at all.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
