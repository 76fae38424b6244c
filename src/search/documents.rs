//! The stored documents of the hits: one coalesced round for all splits at once.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use serde_json::Value;
use tantivy::schema::{Document, Schema, TantivyDocument};
use tantivy::{DocAddress, TantivyError};

use crate::cache::LeaseBuilder;
use crate::directory::{Probe, ReadScope};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::SourceFilter;
use crate::pool;
use crate::split::Split;
use crate::store::{Traffic, TrafficCounter};
use crate::warmup::Warmer;

/// A block holds whole documents, so one round brings all; a second is there for readers that
/// look at something more first.
const MAX_ROUNDS: usize = 4;

/// Fetches documents of several splits at once, in the order of `wanted`.
///
/// # Errors
///
/// Those of the store, and of tantivy's document store.
pub(super) async fn fetch(
    warmer: &Warmer,
    splits: &[Arc<Split>],
    wanted: &[(usize, DocAddress)],
    source: &SourceFilter,
) -> Result<(Vec<Value>, Traffic)> {
    let mut by_split: HashMap<usize, Vec<(usize, DocAddress)>> = HashMap::new();
    for (place, &(split, address)) in wanted.iter().enumerate() {
        by_split.entry(split).or_default().push((place, address));
    }
    let fetches = by_split.into_iter().map(|(split, mut places)| {
        // In the order of the file: each block is decompressed once.
        places.sort_by_key(|&(_, address)| address);
        fetch_in(warmer, &splits[split], places, source)
    });
    let mut documents = vec![Value::Null; wanted.len()];
    let mut traffic = Traffic::default();
    for (found, spent) in try_join_all(fetches).await? {
        traffic = traffic.beside(spent);
        for (place, document) in found {
            documents[place] = document;
        }
    }
    Ok((documents, traffic))
}

/// Reads the documents one by one as they are asked for, in `scope`: how it goes without warming.
///
/// # Errors
///
/// As [`fetch`].
pub(super) async fn read_on_demand(
    warmer: &Warmer,
    splits: &[Arc<Split>],
    wanted: &[(usize, DocAddress)],
    source: &SourceFilter,
    scope: Arc<ReadScope>,
) -> Result<Vec<Value>> {
    let splits = splits.to_vec();
    let wanted = wanted.to_vec();
    let source = source.clone();
    pool::run(warmer.pool(), move || {
        let read = |&(split, address): &(usize, DocAddress)| {
            let split: &Arc<Split> = &splits[split];
            let one = [(0, address)];
            let attempt = scope.enter(|| Attempt::at(split, &one, &source));
            if let Some(error) = attempt.failure {
                return Err(Error::from_tantivy(split.path(), error));
            }
            Ok(attempt
                .found
                .into_iter()
                .next()
                .map_or(Value::Null, |(_, document)| document))
        };
        wanted.iter().map(read).collect()
    })
    .await
}

type Placed = Vec<(usize, Value)>;

async fn fetch_in(
    warmer: &Warmer,
    split: &Arc<Split>,
    places: Vec<(usize, DocAddress)>,
    source: &SourceFilter,
) -> Result<(Placed, Traffic)> {
    let traffic = TrafficCounter::default();
    let mut builder = LeaseBuilder::default();
    let mut places = places;
    let mut done = Vec::with_capacity(places.len());
    for _ in 0..MAX_ROUNDS {
        let probe = Arc::new(Probe::default());
        let lease = Arc::new(builder.build());
        let scope = ReadScope::probe(Arc::clone(&probe), [(split.id(), lease)].into());
        let (owner, filter) = (Arc::clone(split), source.clone());
        let attempt = pool::run(warmer.pool(), move || {
            Ok(scope.enter(|| Attempt::at(&owner, &places, &filter)))
        })
        .await?;
        // What is read stays read: tantivy keeps only a few decompressed blocks, so a document
        // that was there in this attempt may be a miss in the next.
        done.extend(attempt.found);
        let misses = probe.take();
        if misses.is_empty() {
            return match attempt.failure {
                Some(error) => Err(Error::from_tantivy(split.path(), error)),
                None => Ok((done, traffic.snapshot())),
            };
        }
        places = attempt.missed;
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
    fn at(split: &Split, places: &[(usize, DocAddress)], source: &SourceFilter) -> Self {
        let mut attempt = Self::default();
        for &(place, address) in places {
            let document = split.document(address);
            let document = document.and_then(|it| to_source(&it, split.schema(), source));
            match document {
                Ok(document) => attempt.found.push((place, document)),
                Err(error) => {
                    attempt.missed.push((place, address));
                    attempt.failure = Some(error);
                }
            }
        }
        attempt
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
