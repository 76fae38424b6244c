//! `forewarm verify`: every checksum and structure of a split.

use std::time::{Duration, Instant};

use forewarm::VerifyReport;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::args::VerifyArgs;
use crate::failure::{Failure, Outcome};
use crate::session::{Progress, Session};
use crate::units;
use crate::url::Place;

/// Splits verified at once: each is read whole, piece by piece.
const AT_ONCE: usize = 2;

/// What the command answers.
#[derive(Debug, Serialize)]
struct Report {
    splits: Vec<Verified>,
    problems: u64,
    took_ms: u64,
}

#[derive(Debug, Serialize)]
struct Verified {
    path: String,
    ok: bool,
    /// Why the split could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<VerifyReport>,
}

impl Verified {
    fn problems(&self) -> Vec<String> {
        let found = self.report.iter().flat_map(|report| &report.problems);
        found.cloned().chain(self.error.clone()).collect()
    }
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &VerifyArgs) -> Outcome {
    let start = Instant::now();
    let splits = Place::to_read(&args.url, &args.store.option)?
        .splits()
        .await?;
    let progress = Progress::over_items("verifying", splits.addresses.len() as u64);
    let store = &splits.store;
    let bar = progress.bar();
    let verified: Vec<Verified> = stream::iter(&splits.addresses)
        .map(|address| async move {
            let result = forewarm::verify(store.clone(), address.path()).await;
            bar.inc(1);
            verdict(address.path().to_string(), result)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    drop(progress);
    let report = Report {
        problems: verified
            .iter()
            .map(|split| split.problems().len() as u64)
            .sum(),
        splits: verified,
        took_ms: start.elapsed().as_millis() as u64,
    };
    if session.json() {
        session.print_json(&report)?;
    } else {
        print(session, &report)?;
    }
    if report.problems == 0 {
        return Ok(());
    }
    let bad = report.splits.iter().filter(|split| !split.ok).count() as u64;
    Err(Failure::failed(format!(
        "{} in {}",
        units::counted(report.problems, "problem"),
        units::counted(bad, "split")
    )))
}

fn verdict(path: String, result: forewarm::Result<VerifyReport>) -> Verified {
    match result {
        Ok(report) => Verified {
            path,
            ok: report.is_sound(),
            error: None,
            report: Some(report),
        },
        Err(error) => Verified {
            path,
            ok: false,
            error: Some(error.chain()),
            report: None,
        },
    }
}

fn print(session: &Session, report: &Report) -> Outcome {
    for split in &report.splits {
        let verdict = if split.ok { "ok" } else { "BAD" };
        session.print(format!("{verdict:3}  {}", split.path))?;
        for problem in split.problems() {
            session.print(format!("     {problem}"))?;
        }
    }
    session.print(format!(
        "verified {} in {}",
        units::counted(report.splits.len() as u64, "split"),
        units::duration(Duration::from_millis(report.took_ms))
    ))
}
