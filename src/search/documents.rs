//! The stored documents of the hits: one coalesced round for all splits at once.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use serde_json::Value;
use tantivy::schema::{Document, Schema, TantivyDocument};
use tantivy::store::StoreReader;
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
            let document = scope.enter(|| {
                let document = split.searcher().doc::<TantivyDocument>(address)?;
                to_source(&document, split.schema(), &source)
            });
            document.map_err(|error| Error::from_tantivy(split.path(), error))
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
    let places: Arc<[(usize, DocAddress)]> = places.into();
    for _ in 0..MAX_ROUNDS {
        let probe = Arc::new(Probe::default());
        let lease = Arc::new(builder.build());
        let scope = ReadScope::probe(Arc::clone(&probe), [(split.id(), lease)].into());
        let (owner, list, filter) = (Arc::clone(split), Arc::clone(&places), source.clone());
        let read = pool::run(warmer.pool(), move || {
            Ok(scope.enter(|| read_all(&owner, &list, &filter)))
        })
        .await?;
        let misses = probe.take();
        if misses.is_empty() {
            let found = read.map_err(|error| Error::from_tantivy(split.path(), error))?;
            return Ok((found, traffic.snapshot()));
        }
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

/// Reads all documents, so that the misses of all are known, and only then fails.
///
/// Not through the searcher's own document stores: what another search left in their caches would
/// not be missed now, and be gone when it is read for good.
fn read_all(
    split: &Split,
    places: &[(usize, DocAddress)],
    source: &SourceFilter,
) -> Result<Placed, TantivyError> {
    let mut found = Vec::with_capacity(places.len());
    let mut failure = None;
    let mut open: Option<(u32, StoreReader)> = None;
    for &(
        place,
        DocAddress {
            segment_ord,
            doc_id,
        },
    ) in places
    {
        if open
            .as_ref()
            .is_none_or(|(segment, _)| *segment != segment_ord)
        {
            let reader = split.searcher().segment_reader(segment_ord);
            match reader.get_store_reader(1) {
                Ok(store) => open = Some((segment_ord, store)),
                Err(error) => {
                    failure = Some(error.into());
                    continue;
                }
            }
        }
        let Some((_, store)) = &open else { continue };
        match store.get::<TantivyDocument>(doc_id) {
            Ok(document) => found.push((place, to_source(&document, split.schema(), source)?)),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(found), Err)
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
