//! What a warmup does.

use std::sync::Arc;
use std::time::Instant;

use super::task::{Finished, Warmed};
use super::warmer::Warmer;
use super::work::{BoundWork, Work};
use crate::error::Result;
use crate::plan::{Depth, Resolution, resolve};
use crate::pool;
use crate::split::{Split, SplitAddress};
use crate::store::TrafficCounter;

impl Warmer {
    pub(super) async fn run(
        self,
        address: SplitAddress,
        work: Work,
        span: tracing::Span,
        traffic: TrafficCounter,
    ) -> Finished {
        let finished = self.run_once(&address, &work, &traffic).await;
        let finished = self.forget_if_changed(&address, finished).await;
        match &finished {
            Ok(warmed) => {
                span.record("gets", warmed.traffic.gets)
                    .record("bytes", warmed.traffic.bytes);
                span.record("rounds", warmed.traffic.rounds)
                    .record("outcome", "ready");
                metrics::histogram!("forewarm_warmup_seconds").record(warmed.warming.as_secs_f64());
            }
            Err(error) => {
                span.record("outcome", "failed");
                metrics::counter!("forewarm_warmups_failed_total").increment(1);
                tracing::warn!(split = %address, error = error.chain(), "a warmup failed");
            }
        }
        finished
    }

    async fn run_once(
        &self,
        address: &SplitAddress,
        work: &Work,
        traffic: &TrafficCounter,
    ) -> Finished {
        let started = Instant::now();
        let split = self.open_counted(address, traffic).await?;
        let opening = started.elapsed();
        let bound = self.compile(&split, work, false).await?;
        let planner = &self.inner.planner;
        let resolution = resolve(&split, bound.demand, Depth::Data, planner, traffic).await?;
        let Resolution {
            lease,
            findings,
            probe_rounds,
            ..
        } = resolution;
        Ok(Arc::new(Warmed {
            split,
            filter: work.filter().clone(),
            query: bound.clause.query(&self.settings().expansion).into(),
            extras: bound.extras,
            lease: Arc::new(lease),
            hopeless: findings.hopeless.into(),
            probe_rounds,
            traffic: traffic.snapshot(),
            opening,
            warming: started.elapsed(),
        }))
    }

    /// Binds the work to the split's schema.
    pub(crate) async fn compile(
        &self,
        split: &Arc<Split>,
        work: &Work,
        labelled: bool,
    ) -> Result<BoundWork> {
        let learnt = self.inner.learned.of(split, work.recurring());
        let split = Arc::clone(split);
        let work = work.clone();
        let limits = self.settings().expansion;
        pool::run(self.pool(), move || {
            let mut bound = work.bind(split.index(), &limits, labelled)?;
            bound.demand.learnt = learnt.to_vec();
            Ok(bound)
        })
        .await
    }
}
