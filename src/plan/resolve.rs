//! The stage driver: see the [module](super).

use std::ops::Range;
use std::sync::Arc;

use rayon::ThreadPool;

use super::absences::Absences;
use super::known::KnownPlans;
use super::probe::Prober;
use super::progress::{Findings, Item, Progress};
use super::whole::{Whole, rest_of};
use crate::Traffic;
use crate::cache::{Lease, LeaseBuilder, Reader};
use crate::directory::{Misses, Probe, ReadScope};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::ExpansionSettings;
use crate::needs::Demand;
use crate::pool;
use crate::split::Split;
use crate::store::{Batch, TrafficCounter, gaps, normalise};

/// Rounds after which a need that still misses is given up: only opaque queries, which tell one
/// read at a time, come near.
const MAX_ROUNDS: usize = 64;

/// The same, with those that found everything in memory: probes see no more than they asked for.
const MAX_PASSES: usize = 1024;

/// How far to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Depth {
    /// Fetch everything.
    Data,
    /// Fetch dictionaries only, count the rest.
    Dictionaries,
}

/// What resolving takes beside a split and what it is asked for.
#[derive(Clone)]
pub(crate) struct Planner {
    pub(crate) pool: Arc<ThreadPool>,
    pub(crate) limits: ExpansionSettings,
    pub(crate) absences: Absences,
    pub(crate) plans: Arc<KnownPlans>,
}

/// What a demand came to, in bytes of one split.
pub(crate) struct Resolution {
    /// Everything that was fetched, or found in memory.
    pub(crate) lease: Lease,
    pub(crate) traffic: Traffic,
    /// All ranges that are needed beyond the hot bytes.
    pub(crate) ranges: Vec<Range<u64>>,
    /// Of these, what the search reads: not what only told that a segment holds no match.
    pub(crate) planned: Vec<Range<u64>>,
    /// Of these, what was not in memory or on its way when it was first asked for, sorted.
    pub(crate) missing: Vec<Range<u64>>,
    /// In a dry run, data that was not fetched.
    pub(crate) wanted: Vec<Range<u64>>,
    /// GETs, bytes and rounds of fetching everything, what a dry run left out included.
    pub(crate) predicted: Traffic,
    /// Whether a need could not be followed to its end.
    pub(crate) lower_bound: bool,
    /// Rounds that were spent on queries and collectors which only tell what they read while they
    /// read it.
    pub(crate) probe_rounds: u64,
    pub(crate) findings: Findings,
}

impl Fetched {
    /// Adds the round that fetches `ranges`; what earlier rounds would have brought is not fetched
    /// again.
    fn predict(&mut self, split: &Split, ranges: Vec<Range<u64>>, traffic: &TrafficCounter) {
        if self.rest.is_none() {
            self.rest = rest_of(split, &ranges, traffic);
        }
        let before = normalise(std::mem::take(&mut self.ranges));
        let wanted = normalise(ranges);
        if !self.is_whole {
            let fresh = match &self.rest {
                Some(rest) => rest.clone(),
                None => wanted.iter().flat_map(|it| gaps(it, &before)).collect(),
            };
            self.is_whole = self.rest.is_some();
            let extents = split.files().extents();
            let batches = extents.missing_by(&extents.rule_unplanned(), fresh, 0);
            self.predicted = self.predicted.then(Batch::traffic(&batches));
            let missing = batches.into_iter().flat_map(|batch| batch.parts);
            self.missing.extend(missing);
        }
        self.ranges = before;
        self.ranges.extend(wanted);
    }
}

/// What was, or would be, fetched so far.
#[derive(Default)]
struct Fetched {
    ranges: Vec<Range<u64>>,
    missing: Vec<Range<u64>>,
    wanted: Vec<Range<u64>>,
    predicted: Traffic,
    /// What a small split lacks, which is fetched whole.
    rest: Option<Vec<Range<u64>>>,
    /// Whether all of it was.
    is_whole: bool,
}

/// What became of one item in one pass.
pub(super) struct Probed {
    pub(super) item: Item,
    pub(super) misses: Misses,
    /// Whether the segment has what is needed, once known.
    pub(super) found: Option<bool>,
    /// Whether there is more to find out once the misses are here.
    pub(super) pending: bool,
}

/// Resolves `demand` in every segment of `split`, round by round; what it fetches is counted in
/// `traffic`.
///
/// # Errors
///
/// Those of the fetches, of tantivy's readers, `LimitExceeded` when a clause expands too far, and
/// `Internal` past [`MAX_ROUNDS`].
///
/// # Cancel safety
///
/// Dropping the future gives up the fetches that nobody else waits for.
pub(crate) async fn resolve(
    split: &Arc<Split>,
    mut demand: Demand,
    depth: Depth,
    planner: &Planner,
    traffic: &TrafficCounter,
) -> Result<Resolution> {
    let before = traffic.snapshot();
    let mut builder = LeaseBuilder::default();
    let mut fetched = Fetched::default();
    let mut planned = demand.learnt.clone();
    let (mut lower_bound, mut probe_rounds) = (false, 0);
    let mut certain = std::mem::take(&mut demand.learnt);
    if depth == Depth::Dictionaries {
        fetched.wanted.extend(certain.iter().cloned());
    }
    let mut progress = Progress::new(split, demand, depth, &planner.absences);
    let mut whole = Whole::default();
    let mut rounds = 0;
    for _ in 0..MAX_PASSES {
        if rounds == MAX_ROUNDS {
            break;
        }
        let lease = Arc::new(builder.build());
        let probe = Arc::new(Probe::of_shown(whole.shown()));
        let (owner, limits) = (Arc::clone(split), planner.limits);
        let items = progress.take_pending();
        let probed = pool::run(&planner.pool, move || {
            pass(&owner, lease, &probe, items, depth, &limits)
        })
        .await?;
        let step = progress.advance(probed, &planner.absences);
        lower_bound |= step.lower_bound;
        if depth == Depth::Dictionaries {
            fetched.wanted.extend(step.data.iter().cloned());
        }
        planned.extend(step.data.iter().cloned());
        certain.extend(step.data);
        // What is certain waits for company: while the look-ups go on from memory alone, nothing
        // is fetched; then everything known by then goes in one round.
        let extents = split.files().extents();
        let index = step.index;
        let from_memory =
            !index.is_empty() && index.iter().all(|range| extents.lookup(range).is_some());
        let data = if from_memory {
            Vec::new()
        } else {
            std::mem::take(&mut certain)
        };
        let next = index.iter().chain(&data).cloned().collect();
        fetched.predict(split, next, traffic);
        if index.is_empty() && data.is_empty() && progress.is_done() {
            planned.extend(progress.index_reads());
            return Ok(Resolution {
                lease: builder.build(),
                traffic: traffic.snapshot().since(before),
                ranges: fetched.ranges,
                missing: normalise(fetched.missing),
                planned: normalise(planned),
                wanted: fetched.wanted,
                predicted: fetched.predicted,
                lower_bound,
                probe_rounds,
                findings: progress.finish(),
            });
        }
        let mut fetch = index;
        if depth == Depth::Data {
            fetch.extend(data);
        }
        if let Some(rest) = &fetched.rest
            && (depth == Depth::Data || rest.is_empty())
        {
            whole.fetch(split, rest, traffic).await?;
        }
        whole.ask(&fetch);
        let rule = extents.rule_unplanned();
        if traffic.has_company() {
            traffic.want(extents.wanted_by(&rule, &fetch));
        }
        let acquired = extents.acquire_by(&rule, fetch, traffic).await?;
        if acquired.waited {
            rounds += 1;
            traffic.count_round();
            probe_rounds += u64::from(step.only_opaque);
        }
        acquired
            .extents
            .into_iter()
            .for_each(|extent| builder.add(extent));
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
fn pass(
    split: &Split,
    lease: Arc<Lease>,
    probe: &Arc<Probe>,
    items: Vec<Item>,
    depth: Depth,
    limits: &ExpansionSettings,
) -> Result<Vec<Probed>> {
    let leases = [(split.id(), lease)].into();
    let scope = ReadScope::probe(Arc::clone(probe), leases, Reader::Other);
    let prober = Prober {
        split,
        probe,
        limits,
    };
    scope.enter(|| {
        let probed = items.into_iter().map(|item| {
            let outcome = pool::guarded(|| prober.read(&item.need, item.segment));
            let misses = probe.take();
            if misses.is_empty() {
                // Nothing was missing, so an error is the reader's own.
                let found = outcome?.map_err(|error| Error::from_tantivy(split.path(), error))?;
                return Ok(Probed {
                    item,
                    misses,
                    found,
                    pending: false,
                });
            }
            // Where only data is missing, the item has nothing left to find out once it is here,
            // unless its reads tell one thing at a time; in a dry run it never comes.
            let opaque = item.need.is_opaque();
            let pending = if opaque {
                depth == Depth::Data
            } else {
                !misses.index.is_empty()
            };
            let found = outcome.ok().and_then(|read| read.ok()).flatten();
            Ok(Probed {
                item,
                misses,
                found: found.filter(|_| !pending),
                pending,
            })
        });
        probed.collect()
    })
}
