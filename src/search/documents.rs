//! What hits bring: their stored documents and values of columns. What is in memory is read where
//! the search runs; the rest comes in one coalesced round for all splits at once.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::try_join_all;
use rayon::prelude::*;
use serde_json::{Map, Value};
use tantivy::schema::{Document, Schema, TantivyDocument};
use tantivy::{DocAddress, TantivyError};

use super::columns::SegmentColumns;
use super::highlight::Highlighter;
use super::prepared::Prepared;
use super::reading::Reading;
use super::stored::StoredFields;
use crate::cache::{Lease, LeaseBuilder, Reader};
use crate::directory::{LateReads, Probe, ReadScope, Reads};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{FetchField, SearchRequest, SourceFilter, bind_highlights};
use crate::pool::{self, guarded};
use crate::split::Split;
use crate::store::{Origin, Priority, Request, Traffic, TrafficCounter};
use crate::warmup::{Warmed, Warmer};

/// A block holds whole documents, so one round brings all; a second is there for readers that
/// look at something more first.
const MAX_ROUNDS: usize = 4;

/// What hits bring, in the terms of one split.
pub(super) struct Wanted {
    split: Arc<Split>,
    source: SourceFilter,
    fields: Vec<FetchField>,
    /// Those of `fields` that the stored document holds.
    stored: StoredFields,
    highlighter: Highlighter,
}

/// What one hit brings.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetched {
    pub(super) source: Option<Value>,
    pub(super) fields: Option<Map<String, Value>>,
    pub(super) highlight: Option<Map<String, Value>>,
}

/// Where documents are read from while the search is on the pool.
pub(super) enum Way {
    /// From memory; what is not there is fetched later, together.
    InMemory,
    /// Like everything else, one by one: how it goes without warming.
    OnDemand(Reading),
}

/// Who has what is missing fetched.
#[derive(Clone)]
pub(super) enum Fetching {
    /// A search, whose other reads are counted there.
    Search(Arc<LateReads>),
    /// Nobody yet; `asks` tells how often it is expected to be wanted.
    Ahead {
        origin: Arc<Origin>,
        asks: Option<u32>,
    },
}

impl Fetching {
    fn counter(&self, request: &Request) -> TrafficCounter {
        match self {
            Self::Search(_) => TrafficCounter::of(request, Priority::Demand),
            Self::Ahead { origin, asks } => TrafficCounter::of(request, Priority::Prefetch)
                .for_origin(Some(origin))
                .expecting(asks.unwrap_or(0)),
        }
    }

    fn scope(&self, probe: Arc<Probe>, leases: Vec<(u64, Arc<Lease>)>) -> Arc<ReadScope> {
        match self {
            Self::Search(late) => ReadScope::search_probe(probe, leases, Arc::clone(late)),
            Self::Ahead { .. } => ReadScope::probe(probe, leases, Reader::Other),
        }
    }
}

/// What the hits of a page bring, as far as it was read.
pub(super) struct Documents {
    /// By hit.
    fetched: Vec<Fetched>,
    missing: Vec<Missing>,
    /// What was read for it, of splits whose plans do not know that yet.
    brought: Vec<(Arc<Warmed>, Arc<Reads>)>,
    /// What was fetched for it, of splits whose plans were thought to know: other hits are the best
    /// once splits have come or gone.
    lacked: Vec<(Arc<Warmed>, Vec<Range<u64>>)>,
}

/// What was not in memory of one split.
struct Missing {
    wanted: Arc<Wanted>,
    /// Places of hits and their addresses, in the order of the file: each block is decompressed
    /// once.
    places: Vec<(usize, DocAddress)>,
    /// What has to come before they can be read.
    ranges: Vec<Range<u64>>,
    held: LeaseBuilder,
    /// Where reads are recorded, if that is wanted.
    reads: Option<Arc<Reads>>,
    /// Whose plan is thought to know them.
    known: Option<Arc<Warmed>>,
}

impl Documents {
    /// Of hits that bring nothing.
    pub(super) fn none(hits: usize) -> Self {
        Self {
            fetched: vec![Fetched::default(); hits],
            missing: Vec::new(),
            brought: Vec::new(),
            lacked: Vec::new(),
        }
    }

    pub(super) fn into_fetched(self) -> Vec<Fetched> {
        self.fetched
    }

    /// Reads what the documents of several splits bring, at once, in the order of `hits`. Runs on
    /// the calling thread, which must be one of the pool's, and its siblings.
    ///
    /// # Errors
    ///
    /// Those of tantivy's readers.
    pub(super) fn read(
        request: &SearchRequest,
        splits: &[Prepared],
        hits: &[(usize, DocAddress)],
        reading: &Reading,
        way: Way,
    ) -> Result<Self> {
        let mut by_split: BTreeMap<usize, Vec<(usize, DocAddress)>> = BTreeMap::new();
        for (place, &(split, address)) in hits.iter().enumerate() {
            by_split.entry(split).or_default().push((place, address));
        }
        let words = match reading {
            // What a warmup left out cannot matter much: words weigh as if they were rare.
            Reading::Scoped(scope) if scope.leased_splits() == splits.len() => {
                Reading::Scoped(scope.probing(Arc::default()))
            }
            reading => reading.clone(),
        };
        let attempt = |(split, mut places): (usize, Vec<_>)| {
            places.sort_by_key(|&(_, address)| address);
            let split = &splits[split];
            let wanted = words.enter(|| Wanted::new(request, split, splits))?;
            let planned = split.warmed().filter(|it| it.plan.is_some());
            let (known, unknown) = match planned {
                Some(planned) if planned.noted.is(request) => (Some(planned), None),
                unknown => (None, unknown),
            };
            let mut missing = Missing {
                wanted: Arc::new(wanted),
                places,
                ranges: Vec::new(),
                held: LeaseBuilder::default(),
                reads: unknown.map(|_| Arc::default()),
                known: known.map(Arc::clone),
            };
            let found = match (reading, &way) {
                (Reading::Resident, _) => missing.read_all(&Reading::Resident)?,
                (_, Way::OnDemand(reading)) => missing.read_all(reading)?,
                (Reading::Scoped(scope), Way::InMemory) => {
                    let probe = Arc::new(Probe::of_memory());
                    missing.attempt(&probe, scope.probing(Arc::clone(&probe)))?
                }
            };
            let brought = unknown.zip(missing.reads.as_ref());
            let brought = brought.map(|(warmed, reads)| (Arc::clone(warmed), Arc::clone(reads)));
            Ok((found, missing, brought))
        };
        let by_split: Vec<_> = by_split.into_iter().collect();
        let read = by_split.into_par_iter().map(attempt);
        let mut documents = Self::none(hits.len());
        for (found, missing, brought) in read.collect::<Result<Vec<_>>>()? {
            documents.brought.extend(brought);
            documents.take(found, missing);
        }
        Ok(documents)
    }

    fn take(&mut self, found: Placed, missing: Missing) {
        for (place, one) in found {
            self.fetched[place] = one;
        }
        if !missing.places.is_empty() {
            self.missing.push(missing);
        }
    }

    /// What was read of splits whose plans do not know that yet.
    pub(super) fn take_brought(&mut self) -> Vec<(Arc<Warmed>, Vec<Range<u64>>)> {
        let brought = std::mem::take(&mut self.brought).into_iter();
        let brought = brought.map(|(warmed, reads)| {
            let ranges = reads.of(warmed.split.id());
            (warmed, ranges)
        });
        brought.chain(std::mem::take(&mut self.lacked)).collect()
    }

    /// Whether all is there.
    pub(super) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Fetches what was not in memory, for all splits at once, and reads it.
    ///
    /// # Errors
    ///
    /// Those of the store, and of tantivy's readers. What was fetched stays.
    pub(super) async fn fetch(&mut self, warmer: &Warmer, fetching: &Fetching) -> Result<Traffic> {
        let request = Request::default();
        let counters: HashMap<u64, TrafficCounter> = self
            .missing
            .iter()
            .map(|missing| {
                let traffic = fetching.counter(&request);
                (missing.wanted.split.id(), traffic)
            })
            .collect();
        for _ in 0..MAX_ROUNDS {
            if self.is_complete() {
                break;
            }
            for missing in &self.missing {
                let extents = missing.wanted.split.files().extents();
                let traffic = &counters[&missing.wanted.split.id()];
                traffic.want(extents.wanted(&missing.ranges));
            }
            for missing in &self.missing {
                let known = missing.known.as_ref();
                let lacked = known.map(|warmed| (Arc::clone(warmed), missing.ranges.clone()));
                self.lacked.extend(lacked);
            }
            let fetches = self.missing.iter_mut().map(|missing| {
                let traffic = &counters[&missing.wanted.split.id()];
                missing.fetch(warmer, traffic)
            });
            try_join_all(fetches).await?;
            let missing = std::mem::take(&mut self.missing);
            let fetching = fetching.clone();
            let read = pool::run(warmer.pool(), move || {
                let attempts = missing.into_par_iter().map(|mut missing| {
                    let probe = Arc::new(Probe::default());
                    let lease = Arc::new(missing.held.build());
                    let id = missing.wanted.split.id();
                    let leases = [(id, lease)].into();
                    let scope = fetching.scope(Arc::clone(&probe), leases);
                    let found = missing.attempt(&probe, scope)?;
                    Ok((found, missing))
                });
                attempts.collect::<Result<Vec<_>>>()
            });
            for (found, missing) in read.await? {
                self.take(found, missing);
            }
        }
        match self.missing.first() {
            None => {
                let spent = counters.values().map(TrafficCounter::snapshot);
                Ok(spent.fold(Traffic::default(), Traffic::beside))
            }
            Some(missing) => Err(Error::new(
                ErrorKind::Internal,
                format!("{}: documents still missing", missing.wanted.split.path()),
            )),
        }
    }

    /// Reads what is missing one by one, in `reading`: how it goes when it cannot be held at once.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub(super) async fn read_on_demand(&mut self, warmer: &Warmer, reading: Reading) -> Result<()> {
        // A plan that brought it all would not fit either.
        self.brought.clear();
        self.lacked.clear();
        let missing = std::mem::take(&mut self.missing);
        let read = pool::run(warmer.pool(), move || {
            let read = missing.into_iter().map(|mut missing| {
                let found = missing.read_all(&reading)?;
                Ok((found, missing))
            });
            read.collect::<Result<Vec<_>>>()
        });
        for (found, missing) in read.await? {
            self.take(found, missing);
        }
        Ok(())
    }
}

type Placed = Vec<(usize, Fetched)>;

impl Missing {
    /// Reads all documents, where a read that fails is an error.
    fn read_all(&mut self, reading: &Reading) -> Result<Placed> {
        let attempt = guarded(|| reading.enter(|| Attempt::at(&self.wanted, &self.places)))?;
        match attempt.failure {
            Some(error) => Err(Error::from_tantivy(self.wanted.split.path(), error)),
            None => {
                self.places.clear();
                Ok(attempt.found)
            }
        }
    }

    /// Reads what it can in `scope`, and keeps the rest with the ranges that `probe` missed.
    fn attempt(&mut self, probe: &Probe, scope: Arc<ReadScope>) -> Result<Placed> {
        let scope = scope.recording(self.reads.clone());
        let attempt = guarded(|| scope.enter(|| Attempt::at(&self.wanted, &self.places)))?;
        self.ranges = probe.take().index;
        if self.ranges.is_empty()
            && let Some(error) = attempt.failure
        {
            return Err(Error::from_tantivy(self.wanted.split.path(), error));
        }
        // What is read stays read: tantivy keeps only a few decompressed blocks, so a document
        // that was there in this attempt may be a miss in the next.
        self.places = attempt.missed;
        Ok(attempt.found)
    }

    async fn fetch(&mut self, warmer: &Warmer, traffic: &TrafficCounter) -> Result<()> {
        let split = &self.wanted.split;
        let extents = split.files().extents();
        let acquired = extents.acquire(self.ranges.clone(), traffic).await;
        let acquired = warmer.forget_if_changed(&split.address(), acquired).await?;
        if acquired.waited {
            traffic.count_round();
        }
        for extent in acquired.extents {
            self.held.add(extent);
        }
        Ok(())
    }
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
    /// Whether hits bring anything.
    pub(super) fn is_anything(request: &SearchRequest) -> bool {
        *request.source_filter() != SourceFilter::None
            || !request.fetched_fields().is_empty()
            || !request.highlighted().is_empty()
    }

    /// What the hits of `split` bring, one of `splits`; words are looked up as
    /// [`Highlighter::new`] says.
    fn new(request: &SearchRequest, split: &Prepared, splits: &[Prepared]) -> Result<Self> {
        let bound = bind_highlights(request.highlighted(), split.split().index())?;
        Ok(Self {
            split: Arc::clone(split.split()),
            source: request.source_filter().clone(),
            fields: request.fetched_fields().to_vec(),
            stored: StoredFields::new(request.fetched_fields(), split.split().schema()),
            highlighter: Highlighter::new(split, splits, bound),
        })
    }

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
