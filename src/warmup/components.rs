//! Warming by component and field.
//!
//! What is selected becomes a demand like that of a request, and a dry run over it tells where it
//! lies: from memory alone, but for the names of columns where those are not hot, and dictionaries
//! where a request is to be looked up. Only when that is known of all splits, and fits, is anything
//! of it fetched: in one round.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{join_all, try_join_all};
use tracing::{Instrument, Span};

use super::component_warmup::{ComponentWarmup, Held};
use super::run::note_end;
use super::running::Running;
use super::selection::ComponentSelection;
use super::warmer::Warmer;
use super::work::Work;
use crate::cache::{Lease, LeaseBuilder};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::SearchRequest;
use crate::plan::{Chosen, ComponentReport, Depth, resolve};
use crate::split::{Split, SplitAddress};
use crate::store::{Priority, Request, TrafficCounter, in_time};
use crate::telemetry::list;

/// How much is kept as one piece in the cache, unless one thing that is read as a whole is longer.
/// Enough for a GET's first byte to cost little, little enough to be evicted piece by piece.
const PIECE_BYTES: u64 = 8 << 20;

/// What is selected of one split.
struct Located {
    split: Arc<Split>,
    chosen: Chosen,
}

/// One split on its way.
struct Begun<'a> {
    address: &'a SplitAddress,
    started: Instant,
    traffic: TrafficCounter,
    span: Span,
    located: Result<Located>,
}

impl Warmer {
    /// Warms components of fields, whole, whatever will be asked of them: dictionaries, postings,
    /// positions, columns, norms, and the store of documents.
    ///
    /// Opens the splits, checks the selection against each, and returns; the bytes are on their
    /// way then, all in one round (and one before it for the names of columns, in a split where
    /// they are not hot). The warmups are to be [joined](ComponentWarmup::join) like others, have
    /// the same [deadline](crate::WarmerSettings::warmup_deadline), and go behind what searches
    /// wait for until then. What is cached, or hot as a whole, is not fetched.
    ///
    /// Every component that is named must be had by every field that is named, in every split; with
    /// no field named, by some field. A path of a JSON field that no document has is no error, as it
    /// is none in a search.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use forewarm::{Component, ComponentSelection, SearchRequest, SplitAddress, Warmer};
    /// # use forewarm::{PackSettings, pack};
    /// # use tantivy::{Index, IndexSettings, doc, directory::RamDirectory};
    /// # use tantivy::schema::{FAST, Schema, TEXT};
    ///
    /// # #[tokio::main(flavor = "multi_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut schema = Schema::builder();
    /// # let body = schema.add_text_field("body", TEXT);
    /// # let price = schema.add_u64_field("price", FAST);
    /// # let directory = RamDirectory::create();
    /// # let index = Index::create(directory.clone(), schema.build(), IndexSettings::default())?;
    /// # let mut writer = index.writer_with_num_threads(1, 15_000_000)?;
    /// # writer.add_document(doc!(body => "the sea at night", price => 3_u64))?;
    /// # writer.commit()?;
    /// # let store = std::sync::Arc::new(object_store::memory::InMemory::new());
    /// # pack(&directory, &PackSettings::default())?.upload(store.as_ref(), &"a.split".into()).await?;
    /// let warmer = Warmer::builder(store).build()?;
    /// let splits = [SplitAddress::new("a.split".into())];
    /// let prices = ComponentSelection::default()
    ///     .with_components([Component::Columns])
    ///     .with_fields(["price"]);
    /// for warmup in warmer.warm_components(&splits, &prices).await? {
    ///     assert!(warmup.join(Duration::from_secs(5)).await.is_warm());
    ///     println!("{}: {:?}", warmup.path(), warmup.report().components);
    /// }
    ///
    /// let body = r#"{"size": 0, "aggs": {"most": {"max": {"field": "price"}}}}"#;
    /// let response = warmer.search(&splits, &SearchRequest::from_json(body)?).await?;
    /// assert_eq!(response.report.gets, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Before anything but footers and names of columns is fetched, for all splits together:
    ///
    /// - `InvalidRequest` when the selection is [wrong in itself](ComponentSelection::validate), or
    ///   does not fit a split: the message names the first such split, the field and the component;
    /// - `Budget` when what is selected is more than
    ///   [`capacity_bytes`](crate::CacheSettings::capacity_bytes): the message says how much it is.
    ///
    /// What else befalls a split, one that is not there or cannot be read, is told by joining its
    /// warmup.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future begins nothing; what opening has fetched stays.
    pub async fn warm_components(
        &self,
        splits: &[SplitAddress],
        selection: &ComponentSelection,
    ) -> Result<Vec<ComponentWarmup>> {
        selection.validate()?;
        self.warm_selected(splits, selection, None).await
    }

    /// Warms, of what a request reads while it is searched for, the components of the fields that
    /// are selected: for example its columns, or the postings of one field.
    ///
    /// As [`warm_components`](Self::warm_components), but that dictionaries are looked up first,
    /// which takes the rounds that they take in any warmup. They are fetched for that even where
    /// `terms` are not selected, since nothing else tells where postings are.
    ///
    /// # Errors
    ///
    /// As [`warm_components`](Self::warm_components); `InvalidRequest` also when the request does
    /// not fit a split's schema, when the [store is selected](ComponentSelection::validate_for_request),
    /// or fields are and the request holds a query that does not tell which it reads.
    ///
    /// # Cancel safety
    ///
    /// As [`warm_components`](Self::warm_components).
    pub async fn warm_components_for(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        selection: &ComponentSelection,
    ) -> Result<Vec<ComponentWarmup>> {
        selection.validate_for_request()?;
        let work = Work::of_request(request);
        self.warm_selected(splits, selection, Some(&work)).await
    }

    async fn warm_selected(
        &self,
        splits: &[SplitAddress],
        selection: &ComponentSelection,
        work: Option<&Work>,
    ) -> Result<Vec<ComponentWarmup>> {
        let started = Instant::now();
        let deadline = in_time(self.settings().warmup_deadline);
        let turn = Request::default();
        let begun = splits.iter().map(|address| {
            // Until somebody joins.
            let mut traffic = TrafficCounter::of(&turn, Priority::Prefetch);
            if self.settings().trace {
                traffic = traffic.traced();
            }
            async move {
                let span = tracing::info_span!(
                    "warm", split = %address, %selection,
                    gets = tracing::field::Empty, bytes = tracing::field::Empty,
                    rounds = tracing::field::Empty, outcome = tracing::field::Empty
                );
                let locating = self.locate(address, selection, work, &traffic);
                let locating = locating.instrument(span.clone());
                let located = self.within(deadline, address, &traffic, locating).await;
                Begun {
                    address,
                    started,
                    traffic,
                    span,
                    located,
                }
            }
        });
        let begun = join_all(begun).await;
        check_fits_all(&begun)?;
        self.check_budget(&begun)?;
        let warmups = begun.into_iter().map(|begun| {
            list::WARMUPS.add(1);
            self.begin(begun, deadline)
        });
        Ok(warmups.collect())
    }

    /// Opens a split and finds out where what is selected lies.
    async fn locate(
        &self,
        address: &SplitAddress,
        selection: &ComponentSelection,
        work: Option<&Work>,
        traffic: &TrafficCounter,
    ) -> Result<Located> {
        let split = self.open_counted(address, traffic).await?;
        let (demand, choices) = match work {
            Some(work) => {
                let demand = self.demand(&split, work, false).await?;
                let choices = selection.of_needs(&split, &demand.needs)?;
                (demand, choices)
            }
            None => selection.whole(&split)?,
        };
        let planner = &self.inner.planner;
        let resolution = resolve(&split, demand, Depth::Dictionaries, planner, traffic).await;
        let resolution = self.forget_if_changed(address, resolution).await?;
        let mut chosen = Chosen::new(&split, &resolution, &choices);
        if work.is_none() {
            chosen = chosen.with_empty(&resolution, &choices);
        }
        Ok(Located { split, chosen })
    }

    fn check_budget(&self, begun: &[Begun<'_>]) -> Result<()> {
        let located = begun.iter().filter_map(|begun| begun.located.as_ref().ok());
        let (mut splits, mut bytes) = (0, 0_u64);
        for Located { chosen, .. } in located {
            splits += 1;
            bytes = bytes.saturating_add(chosen.bytes());
        }
        let capacity = self.settings().cache.capacity_bytes;
        if bytes > capacity {
            return Err(Error::new(
                ErrorKind::Budget,
                format!(
                    "what is selected of {splits} splits is {bytes} bytes, which do not fit \
                     cache.capacity_bytes ({capacity}): select less, or warm fewer splits"
                ),
            ));
        }
        Ok(())
    }

    /// Begins to fetch what is selected of one split.
    fn begin(&self, begun: Begun<'_>, deadline: tokio::time::Instant) -> ComponentWarmup {
        let Begun {
            address,
            started,
            traffic,
            span,
            located,
        } = begun;
        let path = address.path().clone();
        let runtime = self.runtime();
        let Located { split, chosen } = match located {
            Ok(located) => located,
            Err(error) => {
                note_end(address, &span, Err(&error));
                let (report, failed) =
                    (ComponentReport::default(), Running::failed(traffic, error));
                return ComponentWarmup::new(path, report, failed, runtime.clone());
            }
        };
        let Chosen { ranges, report } = chosen;
        let (warmer, counter) = (self.clone(), traffic.clone());
        let bring = async move {
            let address = split.address();
            let bring = bring(&split, ranges, &counter);
            let brought = warmer.within(deadline, &address, &counter, bring).await;
            let brought = warmer.forget_if_changed(&address, brought).await;
            let ended = brought.as_ref();
            let ended = ended.map(|_| (counter.snapshot(), started.elapsed()));
            note_end(&address, &Span::current(), ended);
            let held = |lease| Held {
                _split: split,
                _lease: lease,
            };
            brought.map(held).map(Arc::new)
        };
        let running = Running::spawn(runtime, traffic, bring.instrument(span));
        ComponentWarmup::new(path, report, running, runtime.clone())
    }
}

/// Fetches what is missing of `ranges`.
async fn bring(split: &Split, ranges: Vec<Range<u64>>, traffic: &TrafficCounter) -> Result<Lease> {
    let extents = split.files().extents();
    let pieces = pieces(ranges).into_iter();
    let fetches = pieces.map(|piece| extents.acquire(piece, traffic));
    let acquired = try_join_all(fetches).await?;
    if acquired.iter().any(|acquired| acquired.waited) {
        traffic.count_round();
    }
    let mut lease = LeaseBuilder::default();
    let extents = acquired.into_iter().flat_map(|acquired| acquired.extents);
    extents.for_each(|extent| lease.add(extent));
    Ok(lease.build())
}

/// Refuses a selection, or a request, that does not fit a split.
fn check_fits_all(begun: &[Begun<'_>]) -> Result<()> {
    let refusal = |begun: &Begun<'_>| {
        let error = begun.located.as_ref().err()?;
        (error.kind() == ErrorKind::InvalidRequest).then(|| error.clone())
    };
    let Some(first) = begun.iter().find_map(refusal) else {
        return Ok(());
    };
    let fits = begun.iter().filter(|begun| begun.located.is_ok()).count();
    if fits == 0 {
        return Err(first);
    }
    let message = format!(
        "{fits} of {} splits have what is selected, others do not: warm them apart",
        begun.len()
    );
    Err(Error::with_source(
        ErrorKind::InvalidRequest,
        message,
        first,
    ))
}

/// Gathers ranges into pieces that are cached apart. A range is never cut, for a read is answered
/// from one piece.
fn pieces(mut ranges: Vec<Range<u64>>) -> Vec<Vec<Range<u64>>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut pieces: Vec<Vec<Range<u64>>> = Vec::new();
    let (mut bytes, mut end) = (0, 0);
    for range in ranges {
        let more = range.end.saturating_sub(end.max(range.start));
        match pieces.last_mut() {
            Some(piece) if range.start < end || bytes + more <= PIECE_BYTES => {
                piece.push(range.clone())
            }
            _ => {
                bytes = 0;
                pieces.push(vec![range.clone()]);
            }
        }
        bytes += more;
        end = end.max(range.end);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::normalise;

    proptest! {
        #[test]
        fn pieces_cut_no_range_and_are_small_unless_a_range_is_not(
            ranges in proptest::collection::vec((0u64..64 << 20, 1u64..6 << 20), 0..40),
            long in proptest::option::of((0u64..64 << 20, 1u64..40 << 20)),
        ) {
            let ranges: Vec<_> = ranges
                .into_iter()
                .chain(long)
                .map(|(start, len)| start..start + len)
                .collect();
            let pieces = pieces(ranges.clone());
            let mut all: Vec<_> = pieces.iter().flatten().cloned().collect();
            let mut expected = ranges;
            all.sort_by_key(|range| (range.start, range.end));
            expected.sort_by_key(|range| (range.start, range.end));
            prop_assert_eq!(all, expected);
            let mut before = 0;
            for piece in pieces {
                let runs = normalise(piece.clone());
                // No two pieces hold the same byte.
                prop_assert!(runs.first().is_some_and(|run| run.start >= before));
                before = runs.last().map_or(before, |run| run.end);
                let bytes: u64 = runs.iter().map(|run| run.end - run.start).sum();
                let overlap = piece.windows(2).any(|pair| pair[1].start < pair[0].end);
                prop_assert!(bytes <= PIECE_BYTES || piece.len() == 1 || overlap);
            }
        }
    }
}
