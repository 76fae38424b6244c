//! A trigger that knows the day to come.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use forewarm::{SplitAddress, Trigger, TriggerContext, TriggerSettings, Wanted, Warmth};
use tokio::time::Instant;

use super::day::{DAY, Days, What};

/// What it tells the cache: that nothing is worth more than what is asked within minutes.
const CERTAIN: f64 = 15.0;

/// Knows what will be asked until it looks next.
pub struct Oracle {
    pub days: Arc<Days>,
    pub settings: TriggerSettings,
    pub start: Instant,
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Oracle")
    }
}

#[async_trait::async_trait]
impl Trigger for Oracle {
    fn name(&self) -> &str {
        "oracle"
    }

    fn settings(&self) -> TriggerSettings {
        self.settings.clone()
    }

    async fn due(&self, context: &TriggerContext) {
        let mut splits = context.watch_splits();
        tokio::select! {
            () = context.interval() => (),
            _ = splits.changed() => (),
        }
    }

    async fn wanted(&self, context: &TriggerContext) -> forewarm::Result<Vec<Wanted>> {
        let now = DAY + self.start.elapsed();
        let mut newest: HashMap<String, Vec<SplitAddress>> = HashMap::new();
        for split in context.splits().iter() {
            let folder = split.path().as_ref().split('/').next().unwrap_or_default();
            newest
                .entry(folder.to_owned())
                .or_default()
                .push(split.clone());
        }
        let first = self.days.events.partition_point(|event| event.at < now);
        // A little more, for its own warmups take a moment.
        let end = now + self.settings.interval + Duration::from_secs(1);
        let last = self.days.events.partition_point(|event| event.at < end);
        let coming = self.days.events[first..last].iter();
        let coming = coming.filter_map(|event| match event.what {
            What::Search { request, window } => Some((event.tenant, request, window)),
            What::Split(_) => None,
        });
        let coming: BTreeSet<(usize, usize, usize)> = coming.collect();
        let mut wanted = Vec::new();
        for (tenant, request, window) in coming {
            let request = Arc::new(self.days.requests[request].clone());
            let splits = &newest[&format!("tenant-{:02}", tenant)];
            let splits = &splits[splits.len().saturating_sub(window)..];
            let warmth = context.warmer().classify(splits, &request);
            for (split, warmth) in splits.iter().zip(warmth) {
                if !matches!(warmth, Warmth::Cached | Warmth::ProvablyEmpty) {
                    wanted.push(Wanted::new(split.clone(), request.clone()).with_asks(CERTAIN));
                }
            }
        }
        Ok(wanted)
    }
}
