//! What a warmup does.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use futures_util::future::try_join;
use tokio::time::{Instant, sleep_until};

use super::warmed::{Finished, Noted, Warmed};
use super::warmer::Warmer;
use super::work::Work;
use crate::cache::LeaseBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::needs::Demand;
use crate::plan::{Depth, PlanEntry, Resolution, SplitPlan, resolve};
use crate::pool;
use crate::split::{Split, SplitAddress};
use crate::store::{Batch, ObjectHandle, Traffic, TrafficCounter, in_time};
use crate::telemetry::list;

impl Warmer {
    pub(super) async fn run(
        self,
        address: SplitAddress,
        work: Work,
        span: tracing::Span,
        traffic: TrafficCounter,
    ) -> Finished {
        let deadline = in_time(self.settings().warmup_deadline);
        // Boxed, and within it what seldom comes: a task that starts is moved about, which took longer
        // than all that it does where everything is in memory.
        let run = Box::pin(self.run_once(&address, &work, &traffic));
        let finished = self.within(deadline, &address, &traffic, run).await;
        // Its counter lives as long as anybody may ask what it sent.
        traffic.want(0);
        let finished = self.forget_if_changed(&address, finished).await;
        if let Ok(warmed) = &finished {
            self.remember_verdict(&work, warmed);
        }
        let ended = finished
            .as_ref()
            .map(|warmed| (warmed.traffic, warmed.warming));
        note_end(&address, &span, ended);
        finished
    }

    /// Runs a warmup, or a part of one, until the deadline of the whole.
    pub(super) async fn within<T>(
        &self,
        deadline: Instant,
        address: &SplitAddress,
        traffic: &TrafficCounter,
        run: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut run = pin!(run);
        tokio::select! {
            biased;
            finished = &mut run => finished,
            () = sleep_until(deadline) => {
                // It is still there to be asked.
                let patience = self.settings().warmup_deadline;
                let what = traffic.waits_for();
                let message = format!("warming {address} took longer than {patience:?}: {what}");
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }

    async fn run_once(
        &self,
        address: &SplitAddress,
        work: &Work,
        traffic: &TrafficCounter,
    ) -> Finished {
        let plans = &self.inner.planner.plans;
        let planned = work.planned(&self.settings().expansion);
        let known = planned.and_then(|planned| plans.find(address.path(), planned));
        if let Some(entry) = known
            && let Some(plan) = entry.plan()
        {
            match self.replay(address, work, (&entry, plan), traffic).await {
                // Another version is there, or the plan is not of this split, wherever it came
                // from: it is of no use.
                Err(error) if is_of_no_use(&error) => {
                    plans.forget(&entry);
                    let forgotten: Finished = self.forget_if_changed(address, Err(error)).await;
                    if let Err(error) = forgotten {
                        tracing::info!(split = %address, error = error.chain(), "a plan is of no use");
                    }
                }
                replayed => return replayed,
            }
        }
        Box::pin(self.resolve(address, work, traffic)).await
    }

    /// What going by the plan of a request would send now, when one is known.
    pub(super) async fn predict_replay(
        &self,
        address: &SplitAddress,
        work: &Work,
    ) -> Option<Traffic> {
        let planned = work.planned(&self.settings().expansion)?;
        let entry = self.inner.planner.plans.find(address.path(), planned)?;
        let plan = entry.plan()?;
        let object = ObjectHandle::new(address.path().clone(), entry.version.clone());
        let is_open = self.inner.opener.opened(address.path()).await.is_some();
        let extents = self.inner.cache.split(&object);
        Some(Batch::traffic(
            &extents.missing(plan.ranges(work.identity(), is_open), 0),
        ))
    }

    /// Warms by a recorded plan: everything in one round, the footer with it when the split is not
    /// open.
    async fn replay(
        &self,
        address: &SplitAddress,
        work: &Work,
        (entry, plan): (&Arc<PlanEntry>, &SplitPlan),
        traffic: &TrafficCounter,
    ) -> Finished {
        let started = std::time::Instant::now();
        let object = ObjectHandle::new(address.path().clone(), entry.version.clone());
        let opener = &self.inner.opener;
        let opened = opener.opened(address.path()).await;
        let extents = self.inner.cache.split(&object);
        let ranges = plan.ranges(work.identity(), opened.is_some());
        if traffic.has_company() {
            traffic.want(extents.wanted(&ranges));
            traffic.all_want().await;
        }
        // Polled first, so that what opening reads is on its way when it asks for it.
        let fetch = extents.acquire(ranges, traffic);
        let open = async {
            let split = match opened {
                Some(split) if *split.object() == object => split,
                Some(_) => {
                    let message = format!("{address} is open in another version than was planned");
                    return Err(Error::new(ErrorKind::SplitChanged, message));
                }
                None => {
                    let footer = plan.footer();
                    Box::pin(opener.open_known(address, &object, footer, traffic)).await?
                }
            };
            let opening = started.elapsed();
            let limits = &self.settings().expansion;
            let compiled = work.compiled(&split, limits, self.pool()).await?;
            Ok((split, opening, compiled))
        };
        let (acquired, (split, opening, compiled)) = try_join(fetch, open).await?;
        if acquired.waited {
            traffic.count_round();
            self.inner.planner.plans.notice(&object);
        }
        let mut lease = LeaseBuilder::default();
        acquired
            .extents
            .into_iter()
            .for_each(|extent| lease.add(extent));
        self.inner.planner.plans.count_hit(entry);
        let lease = lease.build();
        Ok(Arc::new(Warmed {
            kept: Warmed::room(&compiled, &self.settings().expansion, &split, &lease),
            split,
            filter: work.filter().clone(),
            compiled,
            lease: Arc::new(lease),
            hopeless: plan.hopeless.clone().into(),
            plan: Some(Arc::clone(entry)),
            replayed: true,
            probe_rounds: 0,
            traffic: traffic.snapshot(),
            opening,
            warming: started.elapsed(),
            noted: Noted::default(),
            searches: AtomicU32::new(0),
        }))
    }

    /// Warms by finding out what is read, round by round, and remembers it.
    async fn resolve(
        &self,
        address: &SplitAddress,
        work: &Work,
        traffic: &TrafficCounter,
    ) -> Finished {
        let started = std::time::Instant::now();
        if traffic.has_company() {
            let is_open = self.inner.opener.opened(address.path()).await.is_some();
            traffic.want(u64::from(!is_open));
        }
        let _holding = traffic.holding();
        let split = self.open_counted(address, traffic).await?;
        let opening = started.elapsed();
        let demand = self.demand(&split, work, false).await?;
        let (planner, limits) = (&self.inner.planner, &self.settings().expansion);
        let resolution = resolve(&split, demand, Depth::Data, planner, traffic);
        let compiled = work.compiled(&split, limits, self.pool());
        let (resolution, compiled) = try_join(resolution, compiled).await?;
        let Resolution {
            lease,
            findings,
            probe_rounds,
            planned: ranges,
            ..
        } = resolution;
        let plan = work.planned(limits).and_then(|planned| {
            let plans = &self.inner.planner.plans;
            plans.record(&split, planned, ranges, &findings.hopeless)
        });
        Ok(Arc::new(Warmed {
            kept: Warmed::room(&compiled, &self.settings().expansion, &split, &lease),
            split,
            filter: work.filter().clone(),
            compiled,
            lease: Arc::new(lease),
            hopeless: findings.hopeless.into(),
            plan,
            replayed: false,
            probe_rounds,
            traffic: traffic.snapshot(),
            opening,
            warming: started.elapsed(),
            noted: Noted::default(),
            searches: AtomicU32::new(0),
        }))
    }

    /// What the work reads, once it has met the split's schema.
    pub(crate) async fn demand(
        &self,
        split: &Arc<Split>,
        work: &Work,
        labelled: bool,
    ) -> Result<Demand> {
        let learnt = self.inner.learned.of(split, work.recurring());
        let split = Arc::clone(split);
        let work = work.clone();
        let limits = self.settings().expansion;
        pool::run(self.pool(), move || {
            let mut demand = work.demand(split.index(), &limits, labelled)?;
            demand.learnt = learnt.to_vec();
            Ok(demand)
        })
        .await
    }
}

/// Tells spans, metrics and the log how a warmup ended.
pub(super) fn note_end(
    address: &SplitAddress,
    span: &tracing::Span,
    ended: Result<(Traffic, Duration), &Error>,
) {
    match ended {
        Ok((traffic, warming)) => {
            span.record("gets", traffic.gets)
                .record("bytes", traffic.bytes);
            span.record("rounds", traffic.rounds)
                .record("outcome", "ready");
            list::WARMUP_SECONDS.record(warming);
        }
        Err(error) => {
            span.record("outcome", "failed");
            list::WARMUPS_FAILED.add(1);
            tracing::warn!(split = %address, error = error.chain(), "a warmup failed");
        }
    }
}

/// Whether a plan whose replay failed so is to be forgotten.
fn is_of_no_use(error: &Error) -> bool {
    let kind = error.kind();
    matches!(
        kind,
        ErrorKind::Budget
            | ErrorKind::Corrupt
            | ErrorKind::InvalidRequest
            | ErrorKind::SplitChanged
    )
}
