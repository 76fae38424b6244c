//! Warming one split with tantivy's own asynchronous functions, all needs side by side.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::try_join_all;
use tantivy::query::Query;
use tantivy::schema::{Field, Schema, Term, Type};
use tantivy::{Searcher, SegmentReader, TantivyError};
use tantivy_fst::{Automaton, Regex};

use super::needs::Needs;

type Warming<'a> = Pin<Box<dyn Future<Output = tantivy::Result<()>> + Send + 'a>>;

/// Warms everything that the query and the needs name in all segments.
pub(super) async fn warm(
    searcher: &Searcher,
    query: &dyn Query,
    needs: &Needs,
) -> tantivy::Result<()> {
    let mut terms: HashMap<Term, bool> = HashMap::new();
    query.query_terms(&mut |term, positions| {
        *terms.entry(term.clone()).or_default() |= positions;
    });
    let terms: Vec<(Term, bool)> = terms.into_iter().collect();
    let schema = searcher.schema();
    let mut all: Vec<Warming<'_>> = Vec::new();
    for reader in searcher.segment_readers() {
        for (term, positions) in &terms {
            all.push(Box::pin(warm_term(reader, term, *positions)));
        }
        for (field, prefix, positions) in &needs.prefixes {
            if let Some(field) = text_field(schema, field) {
                all.push(Box::pin(warm_prefix(reader, field, prefix, *positions)));
            }
        }
        for (field, pattern) in &needs.patterns {
            if let Some(field) = text_field(schema, field) {
                all.push(Box::pin(warm_pattern(reader, field, pattern)));
            }
        }
        for column in &needs.columns {
            all.push(Box::pin(warm_column(reader, column)));
        }
        if needs.norms {
            all.push(Box::pin(warm_norms(reader, schema)));
        }
    }
    try_join_all(all).await.map(drop)
}

fn text_field(schema: &Schema, name: &str) -> Option<Field> {
    let field = schema.get_field(name).ok()?;
    let entry = schema.get_field_entry(field);
    (entry.is_indexed() && entry.field_type().value_type() == Type::Str).then_some(field)
}

async fn warm_term(reader: &SegmentReader, term: &Term, positions: bool) -> tantivy::Result<()> {
    let index = reader.inverted_index(term.field())?;
    index.warm_postings(term, positions).await?;
    Ok(())
}

async fn warm_prefix(
    reader: &SegmentReader,
    field: Field,
    prefix: &str,
    positions: bool,
) -> tantivy::Result<()> {
    let index = reader.inverted_index(field)?;
    let first = Term::from_field_text(field, prefix);
    // The greatest character comes after anything that goes on from the prefix.
    let last = Term::from_field_text(field, &format!("{prefix}{}", char::MAX));
    index
        .warm_postings_range(first..last, None, positions)
        .await?;
    Ok(())
}

async fn warm_pattern(reader: &SegmentReader, field: Field, pattern: &str) -> tantivy::Result<()> {
    let index = reader.inverted_index(field)?;
    let regex = Regex::new(pattern)
        .map_err(|error| TantivyError::InvalidArgument(format!("{pattern}: {error:?}")))?;
    let on_thread = |task: Box<dyn FnOnce() -> std::io::Result<()> + Send>| async {
        let done = tokio::task::spawn_blocking(task).await;
        done.map_err(std::io::Error::other)?
    };
    index
        .warm_postings_automaton(Pattern(Arc::new(regex)), on_thread)
        .await?;
    Ok(())
}

/// All columns of a field, or of a JSON field and what is below it.
async fn warm_column(reader: &SegmentReader, name: &str) -> tantivy::Result<()> {
    let columns = reader.fast_fields();
    let mut handles = columns.list_dynamic_column_handles(name).await?;
    if handles.is_empty() {
        handles = columns.list_subpath_dynamic_column_handles(name).await?;
    }
    try_join_all(
        handles
            .iter()
            .map(|handle| async move { handle.file_slice().read_bytes_async().await }),
    )
    .await?;
    Ok(())
}

async fn warm_norms(reader: &SegmentReader, schema: &Schema) -> tantivy::Result<()> {
    let file = reader.fieldnorms_readers().get_inner_file();
    let fields = schema.fields().filter(|(_, entry)| entry.has_fieldnorms());
    let slices = fields.filter_map(|(field, _)| file.open_read(field));
    try_join_all(slices.map(|slice| async move { slice.read_bytes_async().await })).await?;
    Ok(())
}

/// A pattern that can be handed around.
#[derive(Clone)]
struct Pattern(Arc<Regex>);

impl Automaton for Pattern {
    type State = <Regex as Automaton>::State;

    fn start(&self) -> Self::State {
        self.0.start()
    }

    fn is_match(&self, state: &Self::State) -> bool {
        self.0.is_match(state)
    }

    fn can_match(&self, state: &Self::State) -> bool {
        self.0.can_match(state)
    }

    fn accept(&self, state: &Self::State, byte: u8) -> Self::State {
        self.0.accept(state, byte)
    }
}
