//! The splits of a search: their warmups joined, and opened where there was nothing to join.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::execute::micros;
use super::gathered::Gathered;
use super::options::{SearchOptions, Warming};
use super::prepared::Prepared;
use super::report::SearchReport;
use crate::error::Result;
use crate::filter::Filter;
use crate::split::SplitAddress;
use crate::store::{Traffic, TrafficCounter, in_time};
use crate::telemetry::list;
use crate::warmup::{Outcome, Start, Warmed, Warmer, Warmup, Work};

/// The warmup of a split, which a search has found or started.
pub(super) struct Begun {
    pub(super) warmup: Warmup,
    /// Whether the search started it.
    pub(super) is_ours: bool,
}

/// Splits that have been joined, or opened when there was nothing to join.
pub(super) struct Joined {
    pub(super) splits: Gathered,
    pub(super) report: SearchReport,
    /// Since when.
    pub(super) at: Instant,
    /// Held until the search ends: a warmup that is late goes on meanwhile, and the search shares
    /// what it fetches.
    _warmups: Vec<Warmup>,
}

impl Joined {
    pub(super) fn new(
        splits: Vec<Prepared<'static>>,
        report: SearchReport,
        warmups: Vec<Warmup>,
    ) -> Self {
        Self {
            splits: Gathered::Prepared(splits.into()),
            report,
            at: Instant::now(),
            _warmups: warmups,
        }
    }

    /// Of splits whose warmups were all ready when a search that began at `started` looked.
    fn at_once(warmups: Vec<Option<Begun>>, started: Instant) -> Self {
        let at = Instant::now();
        let mut report = SearchReport::new(warmups.len(), &Outcome::Ready);
        report.join_us = micros(at - started);
        Self {
            splits: Gathered::Ready(Arc::new(warmups)),
            report,
            at,
            _warmups: Vec::new(),
        }
    }
}

impl Warmer {
    /// Joins or starts warmups, and opens splits that have none, for a search that began at
    /// `started`, just now.
    pub(super) async fn joined(
        &self,
        splits: &[SplitAddress],
        work: &Work,
        options: &SearchOptions,
        started: Instant,
    ) -> Result<Box<Joined>> {
        let mut start = Start::of(started);
        let mut warmups = Vec::with_capacity(splits.len());
        let mut are_ready = true;
        for split in splits {
            let begun = self.begun(split, work, options.warming, &mut start);
            let found = begun.as_ref().filter(|begun| !begun.is_ours);
            are_ready &= found.is_some_and(|begun| begun.warmup.warmed().is_some());
            warmups.push(begun);
        }
        drop(start);
        if !are_ready {
            // Boxed, for the future of a search is large, and most find all ready.
            let waited = Box::pin(self.waited(splits, work, options, warmups, started));
            return waited.await.map(Box::new);
        }
        count_ready(warmups.len());
        Ok(Box::new(Joined::at_once(warmups, started)))
    }

    /// Waits for warmups that began at `started`, and opens splits that have none.
    async fn waited(
        &self,
        splits: &[SplitAddress],
        work: &Work,
        options: &SearchOptions,
        warmups: Vec<Option<Begun>>,
        started: Instant,
    ) -> Result<Joined> {
        let patience = options
            .join_deadline
            .unwrap_or(self.settings().join_deadline);
        let deadline = in_time(patience);
        let mut seen = Seen::default();
        let mut arrivals = Vec::with_capacity(splits.len());
        let ready = warmups
            .iter()
            .map(|it| it.as_ref()?.warmup.warmed().cloned());
        let ready: Vec<_> = ready.collect();
        // Others count when they have been waited for.
        count_ready(ready.iter().flatten().count());
        // They all run by themselves, so it is as well to wait for one after another.
        for (place, ((begun, ready), address)) in warmups.iter().zip(ready).zip(splits).enumerate()
        {
            let (outcome, warmed) = match (ready, begun) {
                (Some(warmed), _) => (Outcome::Ready, Some(warmed)),
                (None, Some(begun)) => begun.warmup.wait(deadline).await,
                (None, None) => (Outcome::Missing, None),
            };
            seen.add(outcome);
            if let Some(begun) = begun.as_ref().filter(|begun| begun.is_ours) {
                seen.pay(begun.warmup.traffic(), 0);
                warmed.iter().for_each(|warmed| seen.time(warmed));
            }
            arrivals.push(Arrival {
                place,
                address,
                warmed,
            });
        }
        let waited = started.elapsed();
        let (prepared, opened, opening) = self.prepared(arrivals, work).await?;
        seen.opening = seen.opening.max(opening);
        let mut report = seen.report(splits.len());
        report.then(opened);
        report.join_us = micros(waited);
        let warmups = warmups.into_iter().flatten().map(|begun| begun.warmup);
        Ok(Joined::new(prepared, report, warmups.collect()))
    }

    /// The warmup of a split, which is used or begins at `start`.
    pub(super) fn begun(
        &self,
        split: &SplitAddress,
        work: &Work,
        warming: Warming,
        start: &mut Start,
    ) -> Option<Begun> {
        let (warmup, is_ours) = match warming {
            Warming::Off => return None,
            Warming::JoinOnly => {
                let found = self.find(split, work.fingerprint(), start.at());
                (found?, false)
            }
            Warming::Start => self.begin_warmup(split, work, start),
        };
        Some(Begun { warmup, is_ours })
    }

    /// What a search needs of all splits; what opening those cost that were not warmed, and how
    /// long it took.
    pub(super) async fn prepared(
        &self,
        arrivals: Vec<Arrival<'_>>,
        work: &Work,
    ) -> Result<(Vec<Prepared<'static>>, Traffic, Duration)> {
        let mut same = SameFilter::new(work);
        let mut prepared = Vec::with_capacity(arrivals.len());
        let mut rest = Vec::new();
        for arrival in arrivals {
            match arrival.warmed {
                Some(warmed) if same.is(&warmed) => {
                    prepared.push(Some(Prepared::of(arrival.place, Cow::Owned(warmed))));
                }
                warmed => {
                    prepared.push(None);
                    let arrival = Arrival { warmed, ..arrival };
                    rest.push(self.prepare(arrival, work));
                }
            }
        }
        let mut opened = Traffic::default();
        let mut opening = Duration::ZERO;
        let rest = try_join_all(rest).await?.into_iter();
        let mut rest = rest.map(|(split, spent, took)| {
            opened = opened.beside(spent);
            opening = opening.max(took);
            split
        });
        let prepared = prepared.into_iter();
        let prepared = prepared.filter_map(|ready| ready.or_else(|| rest.next()));
        Ok((prepared.collect(), opened, opening))
    }

    /// What a search needs of a split whose warmup compiled another filter, or that has none.
    async fn prepare(
        &self,
        arrival: Arrival<'_>,
        work: &Work,
    ) -> Result<(Prepared<'static>, Traffic, Duration)> {
        let warmed = arrival.warmed;
        let started = Instant::now();
        let traffic = TrafficCounter::default();
        let split = match &warmed {
            Some(warmed) => Arc::clone(&warmed.split),
            None => self.open_counted(arrival.address, &traffic).await?,
        };
        let opening = match warmed {
            Some(_) => Duration::ZERO,
            None => started.elapsed(),
        };
        // It may read the same as its warmup, but score and name otherwise.
        let limits = &self.settings().expansion;
        let compiled = work.compiled(&split, limits, self.pool()).await?;
        let prepared = Prepared::compiled(arrival.place, split, compiled, warmed);
        Ok((prepared, traffic.snapshot(), opening))
    }
}

fn count_ready(warmups: usize) {
    if warmups > 0 {
        list::JOINS.add_of(Outcome::Ready.name(), warmups as u64);
    }
}

/// A split whose warmup was joined, with what it brought; nothing where there was none to join, or
/// it failed or came too late.
pub(super) struct Arrival<'a> {
    /// Which of the splits of the search it is, in the order given.
    pub(super) place: usize,
    pub(super) address: &'a SplitAddress,
    pub(super) warmed: Option<Arc<Warmed>>,
}

/// What joining saw of all splits.
pub(super) struct Seen {
    outcome: Outcome,
    pub(super) traffic: Traffic,
    probe_rounds: u64,
    pub(super) opening: Duration,
    warming: Duration,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            outcome: Outcome::Ready,
            traffic: Traffic::default(),
            probe_rounds: 0,
            opening: Duration::ZERO,
            warming: Duration::ZERO,
        }
    }
}

impl Seen {
    /// Adds what came of waiting for a split.
    pub(super) fn add(&mut self, outcome: Outcome) {
        let so_far = std::mem::replace(&mut self.outcome, Outcome::Ready);
        self.outcome = so_far.worse(outcome);
    }

    /// Adds how long a warmup took that the search started.
    pub(super) fn time(&mut self, warmed: &Warmed) {
        self.opening = self.opening.max(warmed.opening);
        self.warming = self.warming.max(warmed.warming);
        self.probe_rounds = self.probe_rounds.max(warmed.probe_rounds);
    }

    /// Adds what was sent once others had taken so many `rounds`.
    pub(super) fn pay(&mut self, traffic: Traffic, rounds: u64) {
        let rounds = traffic.rounds + rounds;
        self.traffic = self.traffic.beside(Traffic { rounds, ..traffic });
    }

    /// What is to be told of so many `splits` so far.
    pub(super) fn report(&self, splits: usize) -> SearchReport {
        let mut report = SearchReport::new(splits, &self.outcome);
        report.then(self.traffic);
        report.probe_rounds = self.probe_rounds;
        report.open_us = micros(self.opening);
        report.warmup_us = micros(self.warming);
        report
    }
}

/// Compares the filters of warmups with that of a search: those that one request has warmed have
/// clones of one filter, which is compared once.
pub(super) struct SameFilter<'a> {
    work: &'a Work,
    known: Option<(Filter, bool)>,
}

impl<'a> SameFilter<'a> {
    pub(super) fn new(work: &'a Work) -> Self {
        Self { work, known: None }
    }

    pub(super) fn is(&mut self, warmed: &Warmed) -> bool {
        match &self.known {
            Some((filter, same)) if filter.is_clone_of(&warmed.filter) => *same,
            _ => {
                let same = warmed.filter.is_same(self.work.filter());
                self.known = Some((warmed.filter.clone(), same));
                same
            }
        }
    }
}
