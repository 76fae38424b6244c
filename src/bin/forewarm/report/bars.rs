//! Bar charts: a row a way.

use serde::Serialize;

use super::scale::{Scale, rounded};
use crate::bench::{Spread, Way};

const WIDTH: f64 = 740.0;
const LABELS: f64 = 190.0;
const VALUES: f64 = 110.0;
const ROW: f64 = 34.0;

/// Values that differ by more than this factor are drawn over powers of ten.
const MUCH: f64 = 30.0;

/// A chart.
#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    title: String,
    logarithmic: bool,
    /// In words.
    summary: String,
    width: f64,
    height: f64,
    labels: f64,
    end: f64,
    rows: Vec<Row>,
    ticks: Vec<Mark>,
}

#[derive(Debug, Serialize)]
struct Row {
    title: &'static str,
    kind: &'static str,
    y: f64,
    /// Where the bar ends.
    x: f64,
    /// The tenth and the ninetieth percentile, and the most.
    low: f64,
    high: f64,
    most: f64,
    spread: bool,
    label: String,
    tooltip: String,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: f64,
    label: String,
}

/// What a row shows.
pub(crate) struct Value {
    pub(crate) way: Way,
    pub(crate) spread: Spread,
    /// Whether the values differ between bodies, so that a spread says something.
    pub(crate) spreads: bool,
}

impl Chart {
    /// A chart over powers of ten where the values differ much, else from nothing to the largest.
    /// Values are written by `write`, marks by `mark`.
    pub(crate) fn of(
        title: &str,
        values: &[Value],
        write: impl Fn(f64) -> String,
        mark: impl Fn(f64) -> String,
    ) -> Self {
        let all = values
            .iter()
            .flat_map(|value| [value.spread.p10, value.spread.most]);
        let all: Vec<f64> = all.filter(|value| *value > 0.0).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = all.iter().copied().fold(0.0, f64::max);
        let logarithmic = largest > least * MUCH;
        let scale = if logarithmic {
            Scale::logarithmic(all, WIDTH)
        } else {
            Scale::linear(largest, WIDTH)
        };
        let place = |value: f64| rounded(LABELS + scale.x(value));
        let rows = values.iter().enumerate();
        let rows = rows.map(|(number, value)| row(number, value, &place, &write));
        let rows: Vec<Row> = rows.collect();
        let words: Vec<String> = rows.iter().map(|row| row.tooltip.clone()).collect();
        Self {
            title: title.to_owned(),
            logarithmic,
            summary: words.join("; "),
            width: LABELS + WIDTH + VALUES,
            height: rounded(8.0 + ROW * rows.len() as f64 + 22.0),
            labels: LABELS,
            end: rounded(8.0 + ROW * rows.len() as f64),
            rows,
            ticks: scale
                .ticks()
                .into_iter()
                .map(|tick| Mark {
                    x: rounded(LABELS + tick.x),
                    label: mark(tick.value),
                })
                .collect(),
        }
    }
}

fn row(
    number: usize,
    value: &Value,
    place: &impl Fn(f64) -> f64,
    write: &impl Fn(f64) -> String,
) -> Row {
    let Spread {
        p10,
        median,
        p90,
        most,
    } = value.spread;
    let title = value.way.title();
    let tooltip = if value.spreads {
        format!(
            "{title}: median {}, p10 {}, p90 {}, worst {}",
            write(median),
            write(p10),
            write(p90),
            write(most)
        )
    } else {
        format!("{title}: {}", write(median))
    };
    Row {
        title,
        kind: kind(value.way),
        y: rounded(8.0 + ROW * number as f64),
        x: place(median),
        low: place(p10),
        high: place(p90),
        most: place(most),
        spread: value.spreads,
        label: write(median),
        tooltip,
    }
}

fn kind(way: Way) -> &'static str {
    match way {
        Way::Ideal => "ideal",
        way if way.is_ours() => "ours",
        _ => "theirs",
    }
}
