//! Joining the warmups of splits before they are searched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use object_store::path::Path;

use super::collect::Prepared;
use super::execute::micros;
use super::options::{SearchOptions, Warming};
use super::report::SearchReport;
use crate::error::Result;
use crate::filter::Filter;
use crate::split::SplitAddress;
use crate::store::{Traffic, TrafficCounter, in_time};
use crate::warmup::{Compiled, Outcome, Warmed, Warmer, Warmup, Work};

/// Splits that have been joined, or opened when there was nothing to join.
pub(super) struct Joined {
    pub(super) splits: Arc<[Prepared]>,
    pub(super) report: SearchReport,
    /// Held until the search ends: a warmup that is late goes on meanwhile, and the search shares
    /// what it fetches.
    _warmups: Vec<Warmup>,
}

impl Warmer {
    /// [Joins](Self::joined) where nothing has to be started, waited for or compiled.
    pub(super) fn joined_now(&self, splits: Vec<Path>, work: &Work) -> Option<Joined> {
        let started = Instant::now();
        let mut same = SameFilter::new(work);
        let mut prepared = Vec::with_capacity(splits.len());
        let mut warmups = Vec::with_capacity(splits.len());
        for path in splits {
            let warmup = self.find_path(path, work.fingerprint())?;
            let warmed = warmup.warmed().filter(|warmed| same.is(warmed))?;
            prepared.push(Prepared::of(warmed));
            warmups.push(warmup);
        }
        warmups
            .iter()
            .for_each(|warmup| warmup.observe(&Outcome::Ready));
        let mut report = SearchReport::new(warmups.len(), &Outcome::Ready);
        report.join_us = micros(started.elapsed());
        Some(Joined {
            splits: prepared.into(),
            report,
            _warmups: warmups,
        })
    }

    /// Joins or starts warmups, and opens splits that have none.
    pub(super) async fn joined(
        &self,
        splits: &[SplitAddress],
        work: &Work,
        options: &SearchOptions,
    ) -> Result<Joined> {
        let started = Instant::now();
        let patience = options
            .join_deadline
            .unwrap_or(self.settings().join_deadline);
        let deadline = in_time(patience);
        let warmups: Vec<_> = match options.warming {
            Warming::JoinOnly => {
                let find = |split| self.find(split, work.fingerprint());
                let found = splits.iter().map(find);
                found.map(|it| it.map(|warmup| (warmup, false))).collect()
            }
            Warming::Off => splits.iter().map(|_| None).collect(),
            Warming::Start => {
                let warmups = self.warm_works(splits, work).into_iter();
                warmups.map(Some).collect()
            }
        };
        let mut seen = Seen::new(splits.len());
        // They all run by themselves, so it is as well to wait for one after another.
        for warmup in &warmups {
            match warmup {
                Some((warmup, started)) => {
                    let (outcome, warmed) = warmup.wait(deadline).await;
                    seen.add(outcome, warmed, *started);
                }
                None => seen.add(Outcome::Missing, None, false),
            }
        }
        let waited = started.elapsed();
        let mut report = SearchReport::new(splits.len(), &seen.outcome);
        report.then(seen.traffic);
        let (prepared, opened, opening) = self.prepared(splits, seen.warmed, work).await?;
        report.then(opened);
        report.probe_rounds = seen.probe_rounds;
        report.open_us = micros(seen.opening.max(opening));
        report.warmup_us = micros(seen.warming);
        report.join_us = micros(waited);
        Ok(Joined {
            splits: prepared.into(),
            report,
            _warmups: warmups
                .into_iter()
                .flatten()
                .map(|(warmup, _)| warmup)
                .collect(),
        })
    }

    /// What a search needs of all splits; what opening those cost that were not warmed, and how
    /// long it took.
    async fn prepared(
        &self,
        splits: &[SplitAddress],
        warmed: Vec<Option<Arc<Warmed>>>,
        work: &Work,
    ) -> Result<(Vec<Prepared>, Traffic, Duration)> {
        let mut same = SameFilter::new(work);
        let mut prepared = Vec::with_capacity(splits.len());
        let mut rest = Vec::new();
        for (warmed, address) in warmed.into_iter().zip(splits) {
            match warmed {
                Some(warmed) if same.is(&warmed) => prepared.push(Some(Prepared::of(warmed))),
                warmed => {
                    prepared.push(None);
                    rest.push(self.prepare(address, warmed, work));
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
        address: &SplitAddress,
        warmed: Option<Arc<Warmed>>,
        work: &Work,
    ) -> Result<(Prepared, Traffic, Duration)> {
        let started = Instant::now();
        let traffic = TrafficCounter::default();
        let split = match &warmed {
            Some(warmed) => Arc::clone(&warmed.split),
            None => self.open_counted(address, &traffic).await?,
        };
        let opening = match warmed {
            Some(_) => Duration::ZERO,
            None => started.elapsed(),
        };
        // It may read the same as its warmup, but score and name otherwise.
        let limits = &self.settings().expansion;
        let Compiled { query, extras } = work.compiled(&split, limits, self.pool()).await?;
        let hopeless = warmed.as_ref().map(|warmed| Arc::clone(&warmed.hopeless));
        let prepared = Prepared {
            split,
            query,
            extras,
            hopeless: hopeless.unwrap_or_default(),
            warmed,
        };
        Ok((prepared, traffic.snapshot(), opening))
    }
}

/// What joining saw of all splits.
struct Seen {
    outcome: Outcome,
    warmed: Vec<Option<Arc<Warmed>>>,
    traffic: Traffic,
    probe_rounds: u64,
    opening: Duration,
    warming: Duration,
}

impl Seen {
    fn new(splits: usize) -> Self {
        Self {
            outcome: Outcome::Ready,
            warmed: Vec::with_capacity(splits),
            traffic: Traffic::default(),
            probe_rounds: 0,
            opening: Duration::ZERO,
            warming: Duration::ZERO,
        }
    }

    /// Adds a split; what its warmup cost counts for the search that started it.
    fn add(&mut self, outcome: Outcome, warmed: Option<Arc<Warmed>>, started: bool) {
        let so_far = std::mem::replace(&mut self.outcome, Outcome::Ready);
        self.outcome = so_far.worse(outcome);
        if let Some(warmed) = warmed.as_ref().filter(|_| started) {
            self.traffic = self.traffic.beside(warmed.traffic);
            self.opening = self.opening.max(warmed.opening);
            self.warming = self.warming.max(warmed.warming);
            self.probe_rounds = self.probe_rounds.max(warmed.probe_rounds);
        }
        self.warmed.push(warmed);
    }
}

/// Compares the filters of warmups with that of a search: those that one request has warmed have
/// clones of one filter, which is compared once.
struct SameFilter<'a> {
    work: &'a Work,
    known: Option<(Filter, bool)>,
}

impl<'a> SameFilter<'a> {
    fn new(work: &'a Work) -> Self {
        Self { work, known: None }
    }

    fn is(&mut self, warmed: &Warmed) -> bool {
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
