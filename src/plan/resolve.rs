//! The stage driver: see the [module](super).

use std::ops::{Bound, Range};
use std::sync::{Arc, PoisonError};

use rayon::ThreadPool;
use tantivy::directory::FileSlice;
use tantivy::postings::TermInfo;
use tantivy::query::EnableScoring;
use tantivy::schema::Field;
use tantivy::{HasLen, InvertedIndexReader};

use crate::Traffic;
use crate::cache::{Lease, LeaseBuilder};
use crate::directory::{Misses, Probe, ReadScope};
use crate::error::{Error, ErrorKind, Result};
use crate::needs::Need;
use crate::pool;
use crate::split::{SegmentFiles, Split};
use crate::store::{TrafficCounter, gaps, normalise};

/// Rounds after which a need that still misses is given up: only opaque queries, which tell one
/// read at a time, come near.
const MAX_ROUNDS: usize = 64;

/// How far to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Depth {
    /// Fetch everything.
    Data,
    /// Fetch dictionaries only, count the rest.
    Dictionaries,
}

/// What needs came to, in bytes of one split.
pub(crate) struct Resolution {
    /// Everything that was fetched, or found in memory.
    pub(crate) lease: Lease,
    pub(crate) traffic: Traffic,
    /// All ranges that are needed beyond the hot bytes.
    pub(crate) ranges: Vec<Range<u64>>,
    /// In a dry run, data that was not fetched.
    pub(crate) wanted: Vec<Range<u64>>,
    /// GETs, bytes and rounds of fetching everything, what a dry run left out included.
    pub(crate) predicted: Traffic,
    /// Whether a need could not be followed to its end.
    pub(crate) lower_bound: bool,
}

impl Resolution {
    /// Adds the round that fetches `ranges`; what earlier rounds would have brought is not fetched
    /// again.
    fn predict(&mut self, split: &Split, ranges: Vec<Range<u64>>) {
        let before = normalise(std::mem::take(&mut self.ranges));
        let wanted = normalise(ranges);
        let fresh = wanted
            .iter()
            .flat_map(|range| gaps(range, &before))
            .collect();
        let batches = split.files().extents().missing(fresh);
        self.predicted = self.predicted.then(Traffic {
            gets: batches.len() as u64,
            bytes: batches
                .iter()
                .map(|batch| batch.range.end - batch.range.start)
                .sum(),
            rounds: u64::from(!batches.is_empty()),
        });
        self.ranges = before;
        self.ranges.extend(wanted);
    }
}

/// One need in one segment.
#[derive(Clone)]
struct Item {
    segment: usize,
    need: Arc<Need>,
}

/// What one pass over the pending items found.
struct Pass {
    pending: Vec<Item>,
    misses: Misses,
    lower_bound: bool,
}

/// Resolves `needs` in every segment of `split`, round by round.
///
/// # Errors
///
/// Those of the fetches, of tantivy's readers, and `Internal` past [`MAX_ROUNDS`].
///
/// # Cancel safety
///
/// Dropping the future gives up the fetches that nobody else waits for.
pub(crate) async fn resolve(
    split: &Arc<Split>,
    needs: Vec<Need>,
    depth: Depth,
    pool: &Arc<ThreadPool>,
) -> Result<Resolution> {
    let traffic = TrafficCounter::default();
    let mut builder = LeaseBuilder::default();
    let mut pending: Vec<Item> = needs
        .into_iter()
        .map(Arc::new)
        .flat_map(|need| {
            (0..split.num_segments()).map(move |segment| Item {
                segment,
                need: Arc::clone(&need),
            })
        })
        .collect();
    let mut resolution = Resolution {
        lease: builder.build(),
        traffic: Traffic::default(),
        ranges: Vec::new(),
        wanted: Vec::new(),
        predicted: Traffic::default(),
        lower_bound: false,
    };
    let mut certain: Vec<Range<u64>> = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let lease = Arc::new(builder.build());
        let owner = Arc::clone(split);
        let pass = pool::run(pool, move || pass(&owner, lease, pending, depth)).await?;
        let Misses { index, data } = pass.misses;
        resolution.lower_bound |= pass.lower_bound;
        if depth == Depth::Dictionaries {
            resolution.wanted.extend(data.iter().cloned());
        }
        certain.extend(data);
        // What is certain waits for company: while the look-ups go on from memory alone, nothing
        // is fetched; then everything known by then goes in one round.
        let extents = split.files().extents();
        let from_memory =
            !index.is_empty() && index.iter().all(|range| extents.lookup(range).is_some());
        let data = if from_memory {
            Vec::new()
        } else {
            std::mem::take(&mut certain)
        };
        resolution.predict(split, index.iter().chain(&data).cloned().collect());
        if index.is_empty() && data.is_empty() && pass.pending.is_empty() {
            resolution.lease = builder.build();
            resolution.traffic = traffic.snapshot();
            return Ok(resolution);
        }
        let mut fetch = index;
        if depth == Depth::Data {
            fetch.extend(data);
        }
        let acquired = split.files().extents().acquire(fetch, &traffic).await?;
        if acquired.waited {
            traffic.count_round();
        }
        acquired
            .extents
            .into_iter()
            .for_each(|extent| builder.add(extent));
        pending = pass.pending;
    }
    Err(Error::new(
        ErrorKind::Internal,
        format!(
            "{}: a query still misses bytes after {MAX_ROUNDS} rounds",
            split.path()
        ),
    ))
}

/// Probes every pending item once.
fn pass(split: &Split, lease: Arc<Lease>, items: Vec<Item>, depth: Depth) -> Result<Pass> {
    let probe = Arc::new(Probe::default());
    let scope = ReadScope::probe(Arc::clone(&probe), [(split.id(), lease)].into());
    let mut pass = Pass {
        pending: Vec::new(),
        misses: Misses::default(),
        lower_bound: false,
    };
    scope.enter(|| {
        for item in items {
            let outcome = pool::guarded(|| probe_item(split, &item, &probe));
            let misses = probe.take();
            if misses.is_empty() {
                // Nothing was missing, so an error is the reader's own.
                outcome?.map_err(|error| Error::from_tantivy(split.path(), error))?;
                continue;
            }
            let opaque = item.need.is_opaque();
            if depth == Depth::Dictionaries && opaque {
                // What it misses may be data, and it cannot go on without.
                pass.lower_bound = true;
                pass.misses.data.extend(misses.index);
            } else if misses.index.is_empty() {
                // Only data is missing. Once it is here the item has nothing left to find out,
                // unless its reads tell one thing at a time.
                if opaque {
                    pass.pending.push(item);
                }
            } else {
                pass.misses.index.extend(misses.index);
                pass.pending.push(item);
            }
            pass.misses.data.extend(misses.data);
        }
        Ok(pass)
    })
}

fn probe_item(split: &Split, item: &Item, probe: &Probe) -> tantivy::Result<()> {
    let reader = split.searcher().segment_reader(item.segment as u32);
    match &*item.need {
        Need::Column {
            name,
            types,
            subpaths,
        } => {
            let columns = reader.fast_fields();
            let mut handles = columns.dynamic_column_handles(name)?;
            if *subpaths {
                handles.extend(columns.dynamic_subpath_column_handles(name)?);
            }
            for handle in handles {
                if types
                    .as_ref()
                    .is_none_or(|types| types.contains(&handle.column_type()))
                {
                    read_data(probe, handle.file_slice())?;
                }
            }
        }
        Need::Norms { field } => {
            let mut norms = Ok(None);
            ReadScope::as_data(probe, || {
                norms = reader.fieldnorms_readers().get_field(*field)
            });
            norms?;
        }
        Need::Opaque { query, scored } => {
            let scoring = if *scored {
                EnableScoring::enabled_from_searcher(split.searcher())
            } else {
                EnableScoring::disabled_from_searcher(split.searcher())
            };
            query.weight(scoring)?.scorer(reader, 1.0)?;
        }
        Need::Collector(collector) => collector.probe(item.segment as u32, reader)?,
        Need::Term { term, positions } => {
            let field = term.field();
            let index = inverted_index(split, item.segment, field)?;
            if let Some(info) = index.get_term_info(term)? {
                read_postings(split, item.segment, field, &info, *positions, probe)?;
            }
        }
        Need::TermRange {
            field,
            lower,
            upper,
        } => {
            let index = inverted_index(split, item.segment, *field)?;
            for info in terms_between(&index, lower, upper)? {
                read_postings(split, item.segment, *field, &info, false, probe)?;
            }
        }
    }
    Ok(())
}

/// Opens a field's dictionary. An FST is read whole when it opens, by several reads that wait for
/// each other; asking for all of it first makes that one range in one round.
fn inverted_index(
    split: &Split,
    segment: usize,
    field: Field,
) -> tantivy::Result<Arc<InvertedIndexReader>> {
    let reader = split.searcher().segment_reader(segment as u32);
    if cfg!(feature = "sstable") {
        return reader.inverted_index(field);
    }
    let files = &split.segments()[segment];
    let is_open = |files: &SegmentFiles| {
        let opened = files
            .opened_fields
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        opened.contains(&field)
    };
    if !is_open(files)
        && let Some(dictionary) = files.terms.open_read(field)
    {
        dictionary.read_bytes()?;
    }
    let index = reader.inverted_index(field)?;
    let mut opened = files
        .opened_fields
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    opened.insert(field);
    Ok(index)
}

fn terms_between(
    index: &InvertedIndexReader,
    lower: &Bound<Vec<u8>>,
    upper: &Bound<Vec<u8>>,
) -> tantivy::Result<Vec<TermInfo>> {
    let mut range = index.terms().range();
    range = match lower {
        Bound::Included(term) => range.ge(term),
        Bound::Excluded(term) => range.gt(term),
        Bound::Unbounded => range,
    };
    range = match upper {
        Bound::Included(term) => range.le(term),
        Bound::Excluded(term) => range.lt(term),
        Bound::Unbounded => range,
    };
    let mut terms = range.into_stream()?;
    let mut infos = Vec::new();
    while terms.advance() {
        infos.push(terms.value().clone());
    }
    Ok(infos)
}

/// A field's postings begin with the number of its tokens, which is hot.
const POSTINGS_HEADER_BYTES: usize = 8;

fn read_postings(
    split: &Split,
    segment: usize,
    field: Field,
    info: &TermInfo,
    positions: bool,
    probe: &Probe,
) -> tantivy::Result<()> {
    let Some(files) = split.segments().get(segment) else {
        return Ok(());
    };
    if let Some(file) = files.postings.open_read(field) {
        let range = &info.postings_range;
        let header = POSTINGS_HEADER_BYTES;
        read_data(
            probe,
            &part(&file, range.start + header..range.end + header)?,
        )?;
    }
    if positions && let Some(file) = files.positions.open_read(field) {
        read_data(probe, &part(&file, info.positions_range.clone())?)?;
    }
    Ok(())
}

fn part(file: &FileSlice, range: Range<usize>) -> tantivy::Result<FileSlice> {
    if range.start <= range.end && range.end <= file.len() {
        return Ok(file.slice(range));
    }
    Err(tantivy::TantivyError::DataCorruption(
        tantivy::error::DataCorruption::comment_only(format!(
            "a term points at {range:?} of a file of {} bytes",
            file.len()
        )),
    ))
}

/// Reads what the search will read; in a probe only for the range to be known.
fn read_data(probe: &Probe, file: &FileSlice) -> tantivy::Result<()> {
    let mut read = Ok(());
    let present = ReadScope::as_data(probe, || read = file.read_bytes().map(drop));
    // A miss is recorded; any other failure is the file's own.
    if present { Ok(read?) } else { Ok(()) }
}
