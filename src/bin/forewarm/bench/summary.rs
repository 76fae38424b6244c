//! All bodies together, way by way: for the terminal, and for whoever reads on.

use std::time::Duration;

use serde::Serialize;

use super::figures::{Spread, median};
use super::measured::{Leg, Measured, Setting};
use super::ways::Way;
use super::{Report, Run};
use crate::failure::Outcome;
use crate::session::Session;
use crate::table::{self, Lean};
use crate::units;

/// One way over all bodies that it serves.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) way: Way,
    /// Bodies it answers.
    pub(crate) served: usize,
    /// Of these, bodies that are measured: of each, the median of its runs counts.
    pub(crate) time_us: Option<Spread>,
    pub(crate) repeated_us: Option<Spread>,
    pub(crate) gets: f64,
    pub(crate) bytes: f64,
    pub(crate) rounds: f64,
    pub(crate) most_rounds: u64,
    pub(crate) late_reads: f64,
    pub(crate) memory: f64,
    /// Medians over the bodies that both serve.
    pub(crate) to_ideal: f64,
    pub(crate) to_forget: f64,
}

/// The median of a figure over the runs of a body in one way.
pub(super) fn of_body(body: &Measured, way: Way, figure: impl Fn(&Leg) -> f64) -> f64 {
    median(body.samples(way).iter().map(|sample| figure(&sample.first)))
}

/// The same for the search again.
pub(super) fn of_repeated(body: &Measured, way: Way, figure: impl Fn(&Leg) -> f64) -> f64 {
    let samples = body.samples(way).iter();
    median(samples.filter_map(|sample| sample.repeated.as_ref().map(&figure)))
}

/// What each way came to.
pub(super) fn of(setting: &Setting, ways: &[Way]) -> Vec<Summary> {
    ways.iter().map(|way| one(setting, *way)).collect()
}

fn one(setting: &Setting, way: Way) -> Summary {
    let bodies = || {
        let bodies = setting.bodies.iter();
        bodies.filter(move |body| !body.samples(way).is_empty())
    };
    let mean = |figure: fn(&Leg) -> f64| {
        let sum: f64 = bodies().map(|body| of_body(body, way, figure)).sum();
        sum / bodies().count().max(1) as f64
    };
    let ratio = |other: Way| {
        median(bodies().map(|body| {
            of_body(body, way, |leg| leg.time_us) / of_body(body, other, |leg| leg.time_us)
        }))
    };
    let memory = bodies().map(|body| {
        let samples = body.samples(way).iter();
        median(samples.map(|sample| sample.memory as f64))
    });
    let all = bodies().flat_map(|body| body.samples(way));
    Summary {
        way,
        served: bodies().count(),
        time_us: Spread::of(bodies().map(|body| of_body(body, way, |leg| leg.time_us))),
        repeated_us: Spread::of(bodies().map(|body| of_repeated(body, way, |leg| leg.time_us))),
        gets: mean(|leg| leg.gets as f64),
        bytes: mean(|leg| leg.bytes as f64),
        rounds: mean(|leg| leg.rounds as f64),
        most_rounds: all.map(|sample| sample.first.rounds).max().unwrap_or(0),
        late_reads: mean(|leg| leg.late_reads as f64),
        memory: median(memory),
        to_ideal: ratio(Way::Ideal),
        to_forget: ratio(Way::Forget),
    }
}

/// Prints tables for people.
pub(super) fn print(session: &Session, report: &Report) -> Outcome {
    session.print(format!(
        "{} documents in {} ({})",
        units::count(report.documents),
        units::counted(report.splits as u64, "split"),
        units::bytes(report.bytes)
    ))?;
    for run in &report.settings {
        print_run(session, run)?;
    }
    Ok(())
}

fn print_run(session: &Session, run: &Run) -> Outcome {
    let setting = &run.setting;
    session.print(format!(
        "\n{} ms to the first byte{}, {} a connection, {}",
        setting.latency_ms,
        if setting.tail > 0.0 {
            ", with a tail"
        } else {
            ""
        },
        units::bandwidth(setting.bandwidth),
        units::counted(setting.bodies.len() as u64, "body").replace("bodys", "bodies")
    ))?;
    let columns = [
        ("way", Lean::Left),
        ("bodies", Lean::Right),
        ("median", Lean::Right),
        ("p90", Lean::Right),
        ("again", Lean::Right),
        ("GETs", Lean::Right),
        ("bytes", Lean::Right),
        ("rounds", Lean::Right),
        ("late reads", Lean::Right),
        ("memory", Lean::Right),
        ("× ideal", Lean::Right),
        ("× forget", Lean::Right),
    ];
    let mut table = table::table(&columns);
    for way in &run.ways {
        let title = way.way.title().to_owned();
        table.add_row([title].into_iter().chain(way.cells()));
    }
    session.print(table::text(&table))?;
    session.print(
        "median and p90 over bodies, of the median of each body's runs; the rest are means over bodies",
    )?;
    let columns = [
        ("target", Lean::Left),
        ("wanted", Lean::Left),
        ("found", Lean::Left),
        ("", Lean::Left),
    ];
    let mut table = table::table(&columns);
    for target in &run.targets {
        table.add_row([
            target.name.to_owned(),
            target.wanted.to_owned(),
            target.found.clone(),
            if target.met { "met" } else { "MISSED" }.to_owned(),
        ]);
    }
    if !run.targets.is_empty() {
        session.print(table::text(&table))?;
    }
    Ok(())
}

impl Summary {
    /// Its figures as they are shown, in the order of the columns after its title.
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![
            self.served.to_string(),
            time(self.time_us.map(|spread| spread.median)),
            time(self.time_us.map(|spread| spread.p90)),
            time(self.repeated_us.map(|spread| spread.median)),
            format!("{:.1}", self.gets),
            units::bytes(self.bytes as u64),
            format!("{:.1}", self.rounds),
            format!("{:.1}", self.late_reads),
            units::bytes(self.memory.max(0.0) as u64),
            ratio(self.to_ideal),
            ratio(self.to_forget),
        ]
    }
}

pub(crate) fn time(micros: Option<f64>) -> String {
    match micros {
        Some(micros) if micros.is_finite() => {
            units::duration(Duration::from_nanos((micros * 1e3) as u64))
        }
        _ => "-".to_owned(),
    }
}

fn ratio(ratio: f64) -> String {
    match ratio {
        ratio if !ratio.is_finite() => "-".to_owned(),
        ratio if ratio >= 100.0 => format!("{ratio:.0}"),
        ratio if ratio >= 10.0 => format!("{ratio:.1}"),
        ratio => format!("{ratio:.3}"),
    }
}
