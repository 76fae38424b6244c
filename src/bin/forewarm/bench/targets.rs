//! The bounds that physics sets, and how near each way has to come.
//!
//! A way that needs r rounds cannot be faster than r times the time to the first byte, plus the
//! time its bytes take, plus the search itself. Bytes take as long as the largest body, or as all
//! of them together over all connections, whichever is longer. Jitter is no part of the bound:
//! with it the slowest of many GETs is waited for, so bounds are meant for `--tail 0`.

use serde::Serialize;
use serde_json::Value;

use super::figures::Spread;
use super::measured::{Leg, Measured, Setting};
use super::summary::{of_body, of_repeated};
use super::ways::Way;

/// Connections that bytes may come over at once: the default of the library.
const CONNECTIONS: f64 = 128.0;

/// One thing that is to hold.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) wanted: &'static str,
    pub(crate) found: String,
    pub(crate) met: bool,
}

/// The targets that the ways which were run can tell about.
pub(super) fn of(setting: &Setting) -> Vec<Target> {
    let groups = [
        bounds(setting),
        warm(setting),
        forget(setting),
        economy(setting),
    ];
    groups.into_iter().flatten().collect()
}

/// The least time in microseconds that a way can take over its rounds.
fn bound(setting: &Setting, body: &Measured, way: Way, rounds: f64) -> f64 {
    let figure = |figure: fn(&Leg) -> f64| of_body(body, way, figure);
    let (bytes, longest) = (
        figure(|leg| leg.bytes as f64),
        figure(|leg| leg.longest as f64),
    );
    let transfer = longest.max(bytes / CONNECTIONS) / setting.bandwidth as f64 * 1e6;
    let ideal = of_body(body, Way::Ideal, |leg| leg.time_us);
    rounds * setting.latency_ms * 1e3 + transfer + ideal
}

fn bounds(setting: &Setting) -> Vec<Target> {
    let mut targets = Vec::new();
    let time = |body: &Measured, way| of_body(body, way, |leg: &Leg| leg.time_us);
    let planned = served(setting, Way::Planned);
    if !planned.is_empty() {
        let rounds = most(planned.iter().map(|body| rounds(body, Way::Planned)));
        targets.push(Target {
            name: "1 plan known: rounds",
            wanted: "1",
            met: rounds <= 1.0,
            found: format!("{rounds} at most"),
        });
        targets.extend(spread(
            "1 plan known: time ÷ bound",
            "p90 over bodies ≤ 1.15",
            planned
                .iter()
                .map(|body| time(body, Way::Planned) / bound(setting, body, Way::Planned, 1.0)),
            |spread| spread.p90 <= 1.15,
        ));
    }
    let first = served(setting, Way::First);
    if !first.is_empty() {
        let over = first
            .iter()
            .filter(|body| rounds(body, Way::First) > f64::from(allowed_rounds(body)));
        let over: Vec<String> = over.map(|body| body.line.to_string()).collect();
        targets.push(Target {
            name: "2 first time: rounds",
            wanted: "≤ 3, patterns and aggregations ≤ 4; one more to bring hits",
            met: over.is_empty(),
            found: match over.as_slice() {
                [] => format!(
                    "{} at most",
                    most(first.iter().map(|it| rounds(it, Way::First)))
                ),
                lines => format!("more in lines {}", lines.join(", ")),
            },
        });
        targets.extend(spread(
            "2 first time: time ÷ bound",
            "p90 over bodies ≤ 1.25",
            first.iter().map(|body| {
                let rounds = rounds(body, Way::First);
                time(body, Way::First) / bound(setting, body, Way::First, rounds)
            }),
            |spread| spread.p90 <= 1.25,
        ));
    }
    targets
}

fn warm(setting: &Setting) -> Vec<Target> {
    let mut targets = Vec::new();
    let ratios = setting.bodies.iter().filter_map(|body| {
        let spread = Spread::of(body.warm_to_ideal.iter().copied())?;
        Some(spread.median)
    });
    let ratios: Vec<f64> = ratios.collect();
    targets.extend(spread(
        "3 warm ÷ ideal",
        "median ≤ 1.02, worst ≤ 1.10",
        ratios,
        |spread| spread.median <= 1.02 && spread.most <= 1.10,
    ));
    let both = served(setting, Way::None);
    let faster = both
        .iter()
        .filter(|body| !body.samples(Way::Warm).is_empty());
    let faster = faster.map(|body| {
        of_body(body, Way::None, |leg| leg.time_us) / of_body(body, Way::Warm, |leg| leg.time_us)
    });
    targets.extend(spread(
        "3 no warming ÷ warm",
        "median ≥ 30",
        faster,
        |spread| spread.median >= 30.0,
    ));
    targets
}

fn forget(setting: &Setting) -> Vec<Target> {
    let served = served(setting, Way::Forget);
    let served: Vec<&Measured> = served
        .into_iter()
        .filter(|body| !body.samples(Way::First).is_empty())
        .collect();
    if served.is_empty() {
        return Vec::new();
    }
    let time: fn(&Leg) -> f64 = |leg| leg.time_us;
    let gets: fn(&Leg) -> f64 = |leg| leg.gets as f64;
    let sum = |figure: fn(&Leg) -> f64, way| -> f64 {
        served.iter().map(|body| of_body(body, way, figure)).sum()
    };
    let share = sum(gets, Way::First) / sum(gets, Way::Forget);
    let first = served
        .iter()
        .map(|body| of_body(body, Way::First, time) / of_body(body, Way::Forget, time));
    let again = served
        .iter()
        .map(|body| of_repeated(body, Way::First, time) / of_repeated(body, Way::Forget, time));
    let again_gets = most(
        served
            .iter()
            .map(|body| of_repeated(body, Way::First, gets)),
    );
    let mut targets = vec![Target {
        name: "4 first time ÷ forget: GETs",
        wanted: "≤ 0.6 of all together",
        found: format!("{share:.3}"),
        met: share <= 0.6,
    }];
    targets.extend(spread(
        "4 first time ÷ forget: time",
        "median ≤ 0.8",
        first,
        |spread| spread.median <= 0.8,
    ));
    targets.extend(spread(
        "4 again ÷ forget again: time",
        "median ≤ 0.05",
        again,
        |spread| spread.median <= 0.05,
    ));
    targets.push(Target {
        name: "4 again: GETs",
        wanted: "0",
        found: format!("{again_gets} at most"),
        met: again_gets == 0.0,
    });
    targets
}

fn economy(setting: &Setting) -> Vec<Target> {
    let planned = served(setting, Way::Planned);
    if planned.is_empty() {
        return Vec::new();
    }
    let sum = |figure: fn(&Leg) -> f64| -> f64 {
        let each = planned.iter();
        each.map(|body| of_body(body, Way::Planned, figure)).sum()
    };
    let least_bytes: u64 = planned.iter().map(|body| body.least.bytes).sum();
    let least_gets: u64 = planned.iter().map(|body| body.least.gets).sum();
    let bytes = sum(|leg| leg.bytes as f64) / least_bytes as f64;
    let gets = sum(|leg| leg.gets as f64) / least_gets as f64;
    vec![
        Target {
            name: "5 plan known: bytes fetched ÷ read",
            wanted: "≤ 1.1 of all together",
            found: format!("{bytes:.3}"),
            met: bytes <= 1.1,
        },
        Target {
            name: "5 plan known: GETs ÷ least possible",
            wanted: "≤ 1.2 of all together",
            found: format!("{gets:.3}"),
            met: gets <= 1.2,
        },
    ]
}

fn served(setting: &Setting, way: Way) -> Vec<&Measured> {
    let bodies = setting.bodies.iter();
    bodies
        .filter(|body| !body.samples(way).is_empty())
        .collect()
}

fn rounds(body: &Measured, way: Way) -> f64 {
    let samples = body.samples(way).iter();
    most(samples.map(|sample| sample.first.rounds as f64))
}

fn most(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(0.0, f64::max)
}

/// A target about a spread; nothing where there is none.
fn spread(
    name: &'static str,
    wanted: &'static str,
    values: impl IntoIterator<Item = f64>,
    met: impl Fn(&Spread) -> bool,
) -> Option<Target> {
    let spread = Spread::of(values)?;
    let Spread {
        median, p90, most, ..
    } = spread;
    Some(Target {
        name,
        wanted,
        found: format!("median {median:.3}, p90 {p90:.3}, worst {most:.3}"),
        met: met(&spread),
    })
}

/// Rounds that a body may take when nothing is known of it. What hits bring is asked for when the
/// hits are known.
fn allowed_rounds(body: &Measured) -> u8 {
    3 + u8::from(is_staged(&body.body)) + u8::from(body.brings)
}

/// Whether a body has what is known a round later than the rest: terms that match a pattern, or
/// the strings of a column's dictionary.
fn is_staged(body: &str) -> bool {
    const STAGED: [&str; 8] = [
        "aggs",
        "case_insensitive",
        "fuzziness",
        "fuzzy",
        "query_string",
        "regexp",
        "simple_query_string",
        "wildcard",
    ];
    fn holds(value: &Value) -> bool {
        match value {
            Value::Array(values) => values.iter().any(holds),
            Value::Object(map) => map
                .iter()
                .any(|(key, value)| STAGED.contains(&key.as_str()) || holds(value)),
            _ => false,
        }
    }
    serde_json::from_str(body).is_ok_and(|body| holds(&body))
}
