//! What `forewarm manage` tells, line by line, as it happens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forewarm::{
    JobId, JobStatus, Manager, ManagerSnapshot, Readiness, ShutdownReport, SplitAddress,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Outcome;
use crate::session::Session;
use crate::units;

/// One thing that happened.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Milliseconds since 1970.
    at: u64,
    event: &'a str,
    #[serde(flatten)]
    what: Value,
}

/// Tells what a manager does.
pub(super) struct Reporter<'a> {
    session: &'a Session,
    manager: &'a Manager,
    served: BTreeSet<String>,
    /// The job told last.
    told: Option<JobId>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(session: &'a Session, manager: &'a Manager) -> Self {
        Self {
            session,
            manager,
            served: BTreeSet::new(),
            told: None,
        }
    }

    /// Tells of splits that are served now and were not, and the other way round.
    pub(super) fn splits(&mut self, now: &Arc<[SplitAddress]>) -> Outcome {
        let now: BTreeSet<String> = now.iter().map(ToString::to_string).collect();
        let before = std::mem::take(&mut self.served);
        for split in now.difference(&before) {
            self.tell("announced", json!({ "split": split }), || split.clone())?;
        }
        for split in before.difference(&now) {
            self.tell("retired", json!({ "split": split }), || split.clone())?;
        }
        self.served = now;
        Ok(())
    }

    /// Tells of jobs that have ended since it last did.
    pub(super) fn jobs(&mut self) -> Outcome {
        let mut ended: Vec<JobStatus> = self.manager.jobs();
        ended.retain(|job| job.state.is_finished() && Some(job.id) > self.told);
        ended.sort_by_key(|job| job.id);
        // One that still runs is told when it has ended, and those after it then.
        let running = self.manager.jobs().into_iter();
        let first = running
            .filter(|job| !job.state.is_finished())
            .map(|job| job.id)
            .min();
        ended.retain(|job| first.is_none_or(|first| job.id < first));
        for job in ended {
            self.told = Some(job.id);
            let mut what = json!({ "job": job.id.to_string(), "source": job.source });
            what["state"] = json!(job.state.name());
            what["warm"] = json!(job.warm);
            what["splits"] = json!(job.splits);
            what["gets"] = json!(job.traffic.gets);
            what["bytes"] = json!(job.traffic.bytes);
            what["elapsed_ms"] = json!(job.elapsed_ms);
            let reason = job.items.iter().find_map(|item| item.reason.clone());
            if let Some(reason) = &reason {
                what["reason"] = json!(reason);
            }
            self.tell(job.state.name(), what, || {
                let reason = reason
                    .as_ref()
                    .map_or(String::new(), |it| format!(": {it}"));
                format!(
                    "{}: {} of {} warm, {}, {}, {}{reason}",
                    job.source,
                    job.warm,
                    units::counted(job.splits as u64, "split"),
                    units::counted(job.traffic.gets, "GET"),
                    units::bytes(job.traffic.bytes),
                    units::duration(Duration::from_millis(job.elapsed_ms)),
                )
            })?;
        }
        Ok(())
    }

    pub(super) fn ready(&self, readiness: &Readiness) -> Outcome {
        self.tell("ready", json!(readiness), || {
            let state = json!(readiness.state);
            format!(
                "{}: {} of {} preloaded",
                state.as_str().unwrap_or_default(),
                readiness.warm,
                units::count(readiness.wanted),
            )
        })
    }

    /// One line of statistics.
    pub(super) fn statistics(&self) -> Outcome {
        let snapshot = self.manager.snapshot();
        let mut what = json!(snapshot);
        // Those have a command of their own, and grow with what is served.
        if let Some(map) = what.as_object_mut() {
            map.remove("splits");
            map.remove("fingerprints");
        }
        what["served"] = json!(self.served.len());
        self.tell("statistics", what, || self.line(&snapshot))
    }

    fn line(&self, snapshot: &ManagerSnapshot) -> String {
        let warmer = &snapshot.warmer;
        let warmed: u64 = snapshot.sources.values().map(|it| it.tally.warmed).sum();
        let failed: u64 = snapshot
            .sources
            .values()
            .flat_map(|it| it.tally.failed.values())
            .sum();
        format!(
            "{}, {warmed} warmed, {failed} failed, {} and {} fetched, {} of {} cached, \
             {} used, {} wasted, {}",
            units::counted(self.served.len() as u64, "split"),
            units::counted(warmer.gets, "GET"),
            units::bytes(warmer.bytes),
            units::bytes(warmer.cached_bytes),
            units::bytes(warmer.capacity_bytes),
            units::bytes(warmer.used_bytes),
            units::bytes(warmer.wasted_bytes),
            units::counted(warmer.late_reads, "late read"),
        )
    }

    pub(super) fn stopped(&self, report: &ShutdownReport) -> Outcome {
        self.tell("stopped", json!(report), || {
            format!(
                "{} given up; plans {}, hot set {}",
                units::counted(report.cancelled_jobs as u64, "job"),
                written(report.plans_written),
                written(report.hot_set_written),
            )
        })
    }

    /// Anything else.
    pub(super) fn tell(&self, event: &str, what: Value, text: impl FnOnce() -> String) -> Outcome {
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        if self.session.json() {
            let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
            let line = serde_json::to_string(&Line { at, event, what });
            let line =
                line.map_err(|error| crate::failure::Failure::caused("cannot write JSON", &error))?;
            return self.session.print(line);
        }
        let seconds = at.as_secs() % 86_400;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let seconds = seconds % 60;
        self.session.print(format!(
            "{hours:02}:{minutes:02}:{seconds:02}Z  {event:<10}  {}",
            text()
        ))
    }
}

fn written(is_written: bool) -> &'static str {
    match is_written {
        true => "written",
        false => "not written",
    }
}
