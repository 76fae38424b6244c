//! Searches that `forewarm manage` makes as a service would.

use std::time::Duration;

use forewarm::{Manager, SearchOptions, SearchRequest};
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::report::Reporter;
use crate::failure::Outcome;

/// Requests that are searched for in turn.
pub(super) struct Traffic {
    requests: Vec<SearchRequest>,
    pace: Interval,
    next: usize,
}

impl Traffic {
    /// One search each `pause`.
    pub(super) fn new(requests: Vec<SearchRequest>, pause: Duration) -> Self {
        let mut pace = interval(pause);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            requests,
            pace,
            next: 0,
        }
    }

    /// Waits for the next search's turn; for ever when there is none.
    pub(super) async fn due(&mut self) {
        if self.requests.is_empty() {
            std::future::pending::<()>().await;
        }
        self.pace.tick().await;
    }

    /// Searches all splits that are served.
    ///
    /// # Errors
    ///
    /// When the output is closed: a search that fails is told.
    pub(super) async fn search(&mut self, manager: &Manager, reporter: &Reporter<'_>) -> Outcome {
        let splits = manager.splits();
        if splits.is_empty() {
            return Ok(());
        }
        let at = self.next % self.requests.len();
        self.next += 1;
        // Its dates are those of now.
        let request = self.requests[at].clone();
        let found = manager
            .search(&splits, &request, &SearchOptions::default())
            .await;
        match found {
            Ok(response) => {
                let report = &response.report;
                let what = json!({
                    "request": at + 1, "outcome": report.outcome, "gets": report.gets,
                    "late_reads": report.late_reads, "took_ms": response.took,
                });
                reporter.tell("searched", what, || {
                    format!(
                        "request {}: {}, {} GETs, {} late, {} ms",
                        at + 1,
                        report.outcome,
                        report.gets,
                        report.late_reads,
                        response.took
                    )
                })
            }
            Err(error) => {
                let what = json!({ "request": at + 1, "error": error.chain() });
                reporter.tell("failed", what, || {
                    format!("request {}: {}", at + 1, error.chain())
                })
            }
        }
    }
}
