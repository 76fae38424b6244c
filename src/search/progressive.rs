//! Searching the splits that are warm while others are still being warmed.
//!
//! All that are ready when the pool is free are one run there, whose hits are merged into the page.
//! Then splits that can no longer have a part in the answer are given up: those not begun stay so,
//! and the handles of the others are dropped, which cancels warmups that nobody else waits for. The
//! last run also reads what the hits bring.

use std::collections::{BTreeMap, VecDeque};
use std::mem::take;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{AbortHandle, Abortable, Aborted, BoxFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::answer::Asked;
use super::execute::micros;
use super::joined::{Arrival, Begun, Joined, Seen};
use super::options::Warming;
use super::page::Page;
use super::prepared::Prepared;
use super::progress::SearchProgress;
use super::prospects::Prospects;
use super::response::SearchResponse;
use super::run::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::split::SplitAddress;
use crate::store::{Traffic, in_time};
use crate::warmup::{Outcome, Start, Warmed, Warmup};

/// A search under way, split by split.
pub(super) struct Progressive<'a> {
    run: &'a Run<'a>,
    asked: &'a Asked,
    splits: &'a [SplitAddress],
    prospects: Prospects<'a>,
    deadline: tokio::time::Instant,
    /// Not begun, in the order in which they will be.
    queue: VecDeque<usize>,
    warming: BTreeMap<usize, Awaited>,
    waits: FuturesUnordered<Abortable<BoxFuture<'static, Waited>>>,
    ready: Vec<Ready<'a>>,
    /// Those that were not warmed, where they come last.
    cold: Vec<Ready<'a>>,
    searched: Vec<Prepared<'static>>,
    page: Page,
    /// Of splits that were searched: see [`Joined`].
    warmups: Vec<Warmup>,
    given_up: usize,
    /// How many were begun when nothing was waited for any more.
    late: usize,
    seen: Seen,
    /// Rounds after which the last warmup ended.
    rounds: u64,
    /// What opening splits that were not warmed sent.
    opened: Traffic,
    searching: Duration,
    waiting: Duration,
}

/// A warmup that is waited for.
struct Awaited {
    warmup: Warmup,
    /// Whether this search started it.
    is_ours: bool,
    /// Rounds that others had taken before.
    rounds: u64,
    wait: AbortHandle,
}

/// What came of waiting for the warmup of a split.
struct Waited {
    place: usize,
    outcome: Outcome,
    warmed: Option<Arc<Warmed>>,
}

/// A split that is waited for no longer, and not searched yet.
struct Ready<'a> {
    arrival: Arrival<'a>,
    outcome: Outcome,
    warmup: Option<Warmup>,
}

/// How many GETs a warmup sends in a round, about (51 for 10 splits of logs, 12 to 15 for 3 splits of
/// documents): so many splits at once keep all slots busy.
const GETS_OF_A_WARMUP: usize = 4;

impl<'a> Progressive<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        asked: &'a Asked,
        splits: &'a [SplitAddress],
        prospects: Prospects<'a>,
    ) -> Self {
        let (settings, options) = (run.warmer.settings(), run.options);
        let patience = options.join_deadline.unwrap_or(settings.join_deadline);
        Self {
            run,
            asked,
            splits,
            deadline: in_time(patience),
            queue: prospects.order().into(),
            prospects,
            warming: BTreeMap::new(),
            waits: FuturesUnordered::new(),
            ready: Vec::new(),
            cold: Vec::new(),
            searched: Vec::with_capacity(splits.len()),
            page: asked.page(),
            warmups: Vec::new(),
            given_up: 0,
            late: 0,
            seen: Seen::default(),
            rounds: 0,
            opened: Traffic::default(),
            searching: Duration::ZERO,
            waiting: Duration::ZERO,
        }
    }

    /// Searches until nothing is left to be searched, telling `watch` how far it has come.
    pub(super) async fn run(
        mut self,
        mut watch: Option<&mut (dyn FnMut(SearchProgress) + Send)>,
    ) -> Result<SearchResponse> {
        self.give_up();
        loop {
            while let Some(waited) = self.waits.next().now_or_never().flatten() {
                self.note(waited);
            }
            self.begin();
            let group = self.next_group();
            if self.is_empty() {
                return self.finish(group).await;
            }
            if group.is_empty() {
                let started = Instant::now();
                let waited = self.waits.next().await;
                self.waiting += started.elapsed();
                let waited = waited.ok_or_else(|| {
                    let message = "a split was neither searched nor given up";
                    Error::new(ErrorKind::Internal, message)
                })?;
                self.note(waited);
                continue;
            }
            self.search(group).await?;
            self.give_up();
            if let Some(watch) = &mut watch {
                watch(self.progress());
            }
        }
    }

    /// Whether no split is left but those that were taken out to be searched.
    fn is_empty(&self) -> bool {
        self.left() == 0
    }

    fn left(&self) -> usize {
        self.queue.len() + self.warming.len() + self.ready.len() + self.cold.len()
    }

    /// Gives up what is useless now.
    fn give_up(&mut self) {
        let before = self.left();
        let (page, prospects) = (&self.page, &self.prospects);
        let is_useless = |place| prospects.is_useless(place, page);
        let first = if prospects.is_in_order {
            // None can be left out in front of one that is needed.
            let unsearched = self.searched.len()..self.splits.len();
            let needed = unsearched.rev().find(|&place| !is_useless(place));
            needed.map_or(0, |needed| needed + 1)
        } else {
            0
        };
        let stays = |place: usize| place < first || !is_useless(place);
        self.queue.retain(|&place| stays(place));
        self.ready.retain(|ready| stays(ready.arrival.place));
        self.cold.retain(|ready| stays(ready.arrival.place));
        let seen = &mut self.seen;
        self.warming.retain(|&place, begun| {
            let stays = stays(place);
            if !stays {
                begun.wait.abort();
                if begun.is_ours {
                    seen.pay(begun.warmup.traffic(), begun.rounds);
                }
            }
            stays
        });
        if self.warming.is_empty() {
            // What was aborted would hold its warmup until it is polled.
            self.waits.clear();
        }
        self.given_up += before - self.left();
    }

    /// How many splits may be begun and not searched, while they may turn out to be useless.
    fn at_once(&self) -> usize {
        let at_first = self.run.warmer.settings().store.max_concurrent_gets / GETS_OF_A_WARMUP;
        let at_once = self.run.options.splits_at_once;
        // The more were not enough, the more are probably needed.
        at_once.unwrap_or(at_first.max(self.searched.len())).max(1)
    }

    /// Begins as many splits as may be begun.
    fn begin(&mut self) {
        let at_once = self.at_once();
        let mut start = Start::now();
        while let Some(&place) = self.queue.front() {
            let is_full = self.warming.len() + self.ready.len() >= at_once;
            if is_full && !self.prospects.is_needed(place) {
                return;
            }
            self.queue.pop_front();
            self.begin_one(place, &mut start);
        }
    }

    fn begin_one(&mut self, place: usize, start: &mut Start) {
        let (run, address) = (self.run, &self.splits[place]);
        // What begins when nothing is waited for any more does not serve this search.
        let is_late = tokio::time::Instant::now() >= self.deadline;
        let warming = match run.options.warming {
            Warming::Start if is_late && self.late >= self.at_once() => Warming::JoinOnly,
            warming => warming,
        };
        self.late += usize::from(is_late);
        let begun = run.warmer.begun(address, run.work, warming, start);
        let Some(Begun { warmup, is_ours }) = begun else {
            let outcome = match run.options.warming {
                Warming::Start => Outcome::TimedOut,
                Warming::JoinOnly | Warming::Off => Outcome::Missing,
            };
            let warmed = None;
            let waited = Waited {
                place,
                outcome,
                warmed,
            };
            return self.arrive(waited, None);
        };
        let (deadline, waits_for) = (self.deadline, warmup.clone());
        let mut wait = async move {
            let (outcome, warmed) = waits_for.wait(deadline).await;
            Waited {
                place,
                outcome,
                warmed,
            }
        }
        .boxed();
        let (abort, registration) = AbortHandle::new_pair();
        let begun = Awaited {
            warmup,
            is_ours,
            rounds: self.rounds,
            wait: abort,
        };
        // What is warm already is ready at once.
        match (&mut wait).now_or_never() {
            Some(waited) => self.arrive(waited, Some(begun)),
            None => {
                self.warming.insert(place, begun);
                self.waits.push(Abortable::new(wait, registration));
            }
        }
    }

    /// Takes note that a warmup has ended, or was given up.
    fn note(&mut self, waited: Result<Waited, Aborted>) {
        if let Ok(waited) = waited
            && let Some(begun) = self.warming.remove(&waited.place)
        {
            self.arrive(waited, Some(begun));
        }
    }

    fn arrive(&mut self, waited: Waited, begun: Option<Awaited>) {
        let Waited {
            place,
            outcome,
            warmed,
        } = waited;
        if let Some(begun) = begun.as_ref().filter(|begun| begun.is_ours) {
            let traffic = begun.warmup.traffic();
            self.seen.pay(traffic, begun.rounds);
            if let Some(warmed) = &warmed {
                self.seen.time(warmed);
                self.rounds = self.rounds.max(begun.rounds + traffic.rounds);
            }
        }
        let comes_last =
            warmed.is_none() && !self.prospects.is_in_order && !self.prospects.is_needed(place);
        let ready = Ready {
            arrival: Arrival {
                place,
                address: &self.splits[place],
                warmed,
            },
            outcome,
            warmup: begun.map(|begun| begun.warmup),
        };
        match comes_last {
            true => self.cold.push(ready),
            false => self.ready.push(ready),
        }
    }

    /// Takes out what can be searched now.
    fn next_group(&mut self) -> Vec<Ready<'a>> {
        if self.prospects.is_in_order {
            self.ready.sort_by_key(|ready| ready.arrival.place);
            let next = self.searched.len()..;
            let in_order = self.ready.iter().zip(next);
            let in_order = in_order.take_while(|(ready, next)| ready.arrival.place == *next);
            let count = in_order.count();
            return self.ready.drain(..count).collect();
        }
        let mut group = take(&mut self.ready);
        if group.is_empty() && self.warming.is_empty() && self.queue.is_empty() {
            // As many as it would take to warm them; the others may not be needed then.
            let count = self.cold.len().min(self.at_once());
            group = self.cold.drain(..count).collect();
        }
        group.sort_by_key(|ready| ready.arrival.place);
        group
    }

    /// Searches a group, while others go on to become ready.
    async fn search(&mut self, group: Vec<Ready<'a>>) -> Result<()> {
        let (run, asked) = (self.run, self.asked);
        let (arrivals, page) = (self.arrivals(group), take(&mut self.page));
        let mut search = pin!(async move {
            let (prepared, opened, opening) = run.warmer.prepared(arrivals, run.work).await?;
            let (prepared, started): (Arc<[Prepared<'static>]>, _) =
                (prepared.into(), Instant::now());
            let page = run.search(asked, &prepared, page).await?;
            Ok::<_, Error>((page, prepared, opened, opening, started.elapsed()))
        });
        let (page, prepared, opened, opening, took) = loop {
            tokio::select! {
                biased;
                searched = &mut search => break searched?,
                Some(waited) = self.waits.next(), if !self.waits.is_empty() => {
                    self.note(waited);
                    self.begin();
                }
            }
        };
        self.page = page;
        self.searched.extend(prepared.iter().cloned());
        self.searching += took;
        self.add_opened(opened, opening);
        Ok(())
    }

    /// Searches what is left, and makes the answer.
    async fn finish(mut self, group: Vec<Ready<'a>>) -> Result<SearchResponse> {
        let (run, asked, arrivals) = (self.run, self.asked, self.arrivals(group));
        let (rest, opened, opening) = run.warmer.prepared(arrivals, run.work).await?;
        self.add_opened(opened, opening);
        self.searched.extend(rest.iter().cloned());
        self.searched.sort_by_key(|split| split.place);
        let mut report = self.seen.report(self.searched.len());
        report.then(self.opened);
        report.given_up_splits = self.given_up;
        report.search_us = micros(self.searching);
        report.join_us = micros(self.waiting);
        let mut joined = Joined::new(self.searched, report, self.warmups);
        let answer = run.answer(asked, &mut joined, Some(rest.into()), self.page);
        let mut answer = answer.await?;
        run.complete(&mut answer, &mut joined.report).await?;
        Ok(run.respond(asked, answer, joined.report))
    }

    fn arrivals(&mut self, group: Vec<Ready<'a>>) -> Vec<Arrival<'a>> {
        let taken = group.into_iter().map(|ready| {
            self.seen.add(ready.outcome);
            self.warmups.extend(ready.warmup);
            ready.arrival
        });
        taken.collect()
    }

    fn add_opened(&mut self, opened: Traffic, opening: Duration) {
        self.opened = self.opened.then(opened);
        self.seen.opening = self.seen.opening.max(opening);
    }

    fn progress(&self) -> SearchProgress {
        SearchProgress {
            splits: self.splits.len() + self.asked.known.splits,
            searched: self.searched.len(),
            given_up: self.given_up,
            remembered: self.asked.known.splits,
            hits: self.asked.hits_so_far(&self.page, self.splits),
        }
    }
}
