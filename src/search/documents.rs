//! What hits bring: their stored documents and values of columns, in one coalesced round for all
//! splits at once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::try_join_all;
use serde_json::{Map, Value};
use tantivy::schema::{Document, Schema, TantivyDocument};
use tantivy::{DocAddress, TantivyError};

use super::columns::SegmentColumns;
use super::highlight::Highlighter;
use super::stored::StoredFields;
use crate::cache::LeaseBuilder;
use crate::directory::{Probe, ReadScope};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{FetchField, SourceFilter};
use crate::pool;
use crate::split::Split;
use crate::store::{Traffic, TrafficCounter};
use crate::warmup::Warmer;

/// A block holds whole documents, so one round brings all; a second is there for readers that
/// look at something more first.
const MAX_ROUNDS: usize = 4;

/// What hits bring, in the terms of one split.
pub(super) struct Wanted {
    pub(super) split: Arc<Split>,
    pub(super) source: SourceFilter,
    pub(super) fields: Vec<FetchField>,
    /// Those of `fields` that the stored document holds.
    pub(super) stored: StoredFields,
    pub(super) highlighter: Highlighter,
}

/// What one hit brings.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetched {
    pub(super) source: Option<Value>,
    pub(super) fields: Option<Map<String, Value>>,
    pub(super) highlight: Option<Map<String, Value>>,
}

/// Fetches what the documents of several splits bring, at once, in the order of `hits`. Answers
/// also what was read for it of each split, if anything was asked of it.
///
/// # Errors
///
/// Those of the store, and of tantivy's readers.
pub(super) async fn fetch(
    warmer: &Warmer,
    wanted: &[Arc<Wanted>],
    hits: &[(usize, DocAddress)],
) -> Result<(Vec<Fetched>, Traffic, Vec<Option<Vec<Range<u64>>>>)> {
    let mut by_split: HashMap<usize, Vec<(usize, DocAddress)>> = HashMap::new();
    for (place, &(split, address)) in hits.iter().enumerate() {
        by_split.entry(split).or_default().push((place, address));
    }
    let fetches = by_split.into_iter().map(|(split, mut places)| {
        // In the order of the file: each block is decompressed once.
        places.sort_by_key(|&(_, address)| address);
        async move {
            let fetched = fetch_in(warmer, &wanted[split], places).await?;
            Ok::<_, Error>((split, fetched))
        }
    });
    let mut read = vec![None; wanted.len()];
    let mut fetched = vec![Fetched::default(); hits.len()];
    let mut traffic = Traffic::default();
    for (split, (found, spent, ranges)) in try_join_all(fetches).await? {
        read[split] = Some(ranges);
        traffic = traffic.beside(spent);
        for (place, one) in found {
            fetched[place] = one;
        }
    }
    Ok((fetched, traffic, read))
}

/// Reads what the documents bring, one by one, in `scope`: how it goes without warming.
///
/// # Errors
///
/// As [`fetch`].
pub(super) async fn read_on_demand(
    warmer: &Warmer,
    wanted: &[Arc<Wanted>],
    hits: &[(usize, DocAddress)],
    scope: Arc<ReadScope>,
) -> Result<Vec<Fetched>> {
    let wanted = wanted.to_vec();
    let hits = hits.to_vec();
    pool::run(warmer.pool(), move || {
        let read = |&(split, address): &(usize, DocAddress)| {
            let wanted: &Wanted = &wanted[split];
            let attempt = scope.enter(|| Attempt::at(wanted, &[(0, address)]));
            if let Some(error) = attempt.failure {
                return Err(Error::from_tantivy(wanted.split.path(), error));
            }
            let found = attempt.found.into_iter().next();
            Ok(found.map(|(_, fetched)| fetched).unwrap_or_default())
        };
        hits.iter().map(read).collect()
    })
    .await
}

type Placed = Vec<(usize, Fetched)>;

async fn fetch_in(
    warmer: &Warmer,
    wanted: &Arc<Wanted>,
    places: Vec<(usize, DocAddress)>,
) -> Result<(Placed, Traffic, Vec<Range<u64>>)> {
    let split = &wanted.split;
    let traffic = TrafficCounter::default();
    let mut builder = LeaseBuilder::default();
    let mut read = Vec::new();
    let mut places = places;
    let mut done = Vec::with_capacity(places.len());
    for _ in 0..MAX_ROUNDS {
        let probe = Arc::new(Probe::default());
        let lease = Arc::new(builder.build());
        let scope = ReadScope::probe(Arc::clone(&probe), [(split.id(), lease)].into());
        let owner = Arc::clone(wanted);
        let attempt = pool::run(warmer.pool(), move || {
            Ok(scope.enter(|| Attempt::at(&owner, &places)))
        })
        .await?;
        // What is read stays read: tantivy keeps only a few decompressed blocks, so a document
        // that was there in this attempt may be a miss in the next.
        done.extend(attempt.found);
        let misses = probe.take();
        if misses.is_empty() {
            return match attempt.failure {
                Some(error) => Err(Error::from_tantivy(split.path(), error)),
                None => Ok((done, traffic.snapshot(), read)),
            };
        }
        places = attempt.missed;
        read.extend(misses.index.iter().cloned());
        let acquired = split
            .files()
            .extents()
            .acquire(misses.index, &traffic)
            .await;
        let acquired = warmer.forget_if_changed(&split.address(), acquired).await?;
        if acquired.waited {
            traffic.count_round();
        }
        acquired
            .extents
            .into_iter()
            .for_each(|extent| builder.add(extent));
    }
    Err(Error::new(
        ErrorKind::Internal,
        format!("{}: documents still missing", split.path()),
    ))
}

/// What came of reading documents.
#[derive(Default)]
struct Attempt {
    found: Placed,
    /// Those that could not be read, and why the last of them could not.
    missed: Vec<(usize, DocAddress)>,
    failure: Option<TantivyError>,
}

impl Attempt {
    /// Tries all documents, so that the misses of all are known.
    fn at(wanted: &Wanted, places: &[(usize, DocAddress)]) -> Self {
        let mut attempt = Self::default();
        let mut columns: HashMap<u32, Result<SegmentColumns, TantivyError>> = HashMap::new();
        for &(place, address) in places {
            let stored = wanted.stored(address);
            let fields = (!wanted.fields.is_empty()).then(|| {
                let segment = columns.entry(address.segment_ord).or_insert_with(|| {
                    let searcher = wanted.split.searcher();
                    let reader = searcher.segment_reader(address.segment_ord);
                    SegmentColumns::open(reader, &wanted.fields)
                });
                match segment {
                    Ok(columns) => columns.values(address.doc_id),
                    Err(error) => Err(error.clone()),
                }
            });
            match (stored, fields.transpose()) {
                (Ok(stored), Ok(fields)) => {
                    attempt.found.push((place, stored.with_columns(fields)));
                }
                (Err(error), _) | (_, Err(error)) => {
                    attempt.missed.push((place, address));
                    attempt.failure = Some(error);
                }
            }
        }
        attempt
    }
}

impl Fetched {
    /// Adds the values of columns to those that are stored.
    fn with_columns(mut self, columns: Option<Map<String, Value>>) -> Self {
        let stored = self.fields.take().into_iter().flatten();
        self.fields = columns.map(|columns| {
            let mut all: Vec<_> = columns.into_iter().chain(stored).collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all.into_iter().collect()
        });
        self
    }
}

impl Wanted {
    /// What a hit brings of its stored document, which is not read when that is nothing.
    fn stored(&self, address: DocAddress) -> Result<Fetched, TantivyError> {
        let mut fetched = Fetched::default();
        let has_source = self.source != SourceFilter::None;
        if !has_source && self.highlighter.is_empty() && self.stored.is_empty() {
            return Ok(fetched);
        }
        let document = self.split.document(address)?;
        if !self.highlighter.is_empty() {
            fetched.highlight = Some(self.highlighter.fragments(&document));
        }
        if !self.stored.is_empty() {
            let mut fields = Map::new();
            self.stored.add(&document, self.split.schema(), &mut fields);
            fetched.fields = Some(fields);
        }
        if has_source {
            fetched.source = Some(to_source(&document, self.split.schema(), &self.source)?);
        }
        Ok(fetched)
    }
}

/// The stored fields as JSON: a field with one value is that value, one with several a list.
fn to_source(
    document: &TantivyDocument,
    schema: &Schema,
    source: &SourceFilter,
) -> Result<Value, TantivyError> {
    let named = serde_json::to_value(document.to_named_doc(schema))
        .map_err(|error| TantivyError::InternalError(error.to_string()))?;
    let Value::Object(fields) = named else {
        return Ok(named);
    };
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| {
            let value = match value {
                Value::Array(mut values) if values.len() == 1 => values.pop()?,
                value => value,
            };
            source.apply(&name, value).map(|value| (name, value))
        })
        .collect();
    Ok(Value::Object(fields))
}
