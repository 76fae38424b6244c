//! One bar a GET on a time axis, as browsers' developer tools draw it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::places::Places;
use super::scale::{Scale, Tick, rounded};
use crate::tap::Get;
use crate::units;

/// Bars that are drawn at the most; the page says how many are left out.
const MOST_BARS: usize = 240;

const WIDTH: f64 = 780.0;
const LABELS: f64 = 240.0;
const ROW: f64 = 15.0;
const TOP: f64 = 26.0;

/// A drawing.
#[derive(Debug, Serialize)]
pub(crate) struct Waterfall {
    pub(crate) title: String,
    /// In words: what somebody who does not see the drawing is told.
    pub(crate) summary: String,
    width: f64,
    labels: f64,
    height: f64,
    row: f64,
    bars: Vec<Bar>,
    rounds: Vec<Band>,
    ticks: Vec<Mark>,
    components: Vec<&'static str>,
    left_out: usize,
    /// Whether some GET waited for its turn.
    waited: bool,
}

#[derive(Debug, Serialize)]
struct Bar {
    y: f64,
    label: String,
    component: &'static str,
    /// From asking to sending.
    waiting: Span,
    /// From sending to the first byte.
    answering: Span,
    /// From the first byte to the last.
    body: Span,
    failed: bool,
    tooltip: String,
}

#[derive(Debug, Serialize)]
struct Span {
    x: f64,
    width: f64,
}

/// A round.
#[derive(Debug, Serialize)]
struct Band {
    x: f64,
    width: f64,
    number: u64,
}

#[derive(Debug, Serialize)]
struct Mark {
    x: f64,
    label: String,
}

impl Waterfall {
    /// Draws GETs. `until_us` is when the search that waited for them had its answer.
    pub(crate) fn of(title: &str, gets: &[Get], places: &Places, until_us: Option<f64>) -> Self {
        let begin = gets.iter().map(|get| get.asked_us).min().unwrap_or(0);
        let end = gets.iter().map(|get| get.ended_us).max().unwrap_or(0);
        let span = (end - begin) as f64;
        let scale = Scale::linear(until_us.unwrap_or(0.0).max(span), WIDTH);
        let place = |micros: u64| LABELS + scale.x(micros.saturating_sub(begin) as f64);
        let rounds = rounds(gets);
        let mut order: Vec<usize> = (0..gets.len()).collect();
        order.sort_by_key(|&at| {
            (
                rounds[at],
                gets[at].sent_us,
                &gets[at].path,
                gets[at].range.start,
            )
        });
        let bars: Vec<Bar> = order
            .iter()
            .take(MOST_BARS)
            .enumerate()
            .map(|(row, &at)| bar(row, &gets[at], rounds[at], places, &place))
            .collect();
        let components: BTreeSet<&'static str> = bars.iter().map(|bar| bar.component).collect();
        let height = TOP + ROW * bars.len() as f64 + 6.0;
        Self {
            title: title.to_owned(),
            summary: summary(gets, &rounds, span),
            width: LABELS + WIDTH + 40.0,
            labels: LABELS,
            height: rounded(height),
            row: ROW,
            left_out: gets.len() - bars.len(),
            waited: gets.iter().any(|get| get.sent_us > get.asked_us + 100),
            bars,
            rounds: bands(gets, &rounds, &place),
            ticks: scale.ticks().into_iter().map(mark).collect(),
            components: components.into_iter().collect(),
        }
    }
}

fn mark(tick: Tick) -> Mark {
    Mark {
        x: rounded(LABELS + tick.x),
        label: micros(tick.value).replace(".0 ", " "),
    }
}

fn micros(micros: f64) -> String {
    if micros == 0.0 {
        return "0".to_owned();
    }
    units::duration(Duration::from_nanos((micros * 1e3) as u64))
}

/// The round of each GET: what it says itself, else how many GETs of the same object, one after
/// another, had ended before it was sent.
fn rounds(gets: &[Get]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..gets.len()).collect();
    order.sort_by_key(|&at| gets[at].sent_us);
    let mut rounds = vec![0; gets.len()];
    // Of each object, when the last GET of a round ends at the earliest, by round.
    let mut ended: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for at in order {
        let get = &gets[at];
        let before = ended.entry(&get.path).or_default();
        let waited_for = before.iter().filter(|(end, _)| *end <= get.sent_us);
        let own = waited_for.map(|(_, round)| *round).max().unwrap_or(0) + 1;
        rounds[at] = if get.round > 0 { get.round } else { own };
        // The first to end of each round is enough to know.
        match before.iter_mut().find(|(_, round)| *round == rounds[at]) {
            Some((end, _)) => *end = get.ended_us.min(*end),
            None => before.push((get.ended_us, rounds[at])),
        }
    }
    rounds
}

/// Where rounds lie: each from its first GET to the first of the next. Where nothing waits in
/// rounds, as when tantivy reads on demand, bands would be no help.
fn bands(gets: &[Get], rounds: &[u64], place: &impl Fn(u64) -> f64) -> Vec<Band> {
    let mut begins: BTreeMap<u64, u64> = BTreeMap::new();
    for (get, round) in gets.iter().zip(rounds) {
        let begin = begins.entry(*round).or_insert(get.asked_us);
        *begin = (*begin).min(get.asked_us);
    }
    if begins.len() > 8 {
        return Vec::new();
    }
    let end = gets.iter().map(|get| get.ended_us).max().unwrap_or(0);
    let ends = begins.values().copied().skip(1).chain([end]);
    let bands = begins.iter().zip(ends);
    bands
        .map(|((number, begin), end)| Band {
            x: place(*begin),
            width: rounded((place(end) - place(*begin)).max(0.0)),
            number: *number,
        })
        .collect()
}

fn bar(row: usize, get: &Get, round: u64, places: &Places, place: &impl Fn(u64) -> f64) -> Bar {
    let (component, files) = places.find(&get.path, &get.range);
    let span = |from: u64, to: u64| Span {
        x: place(from),
        width: rounded((place(to) - place(from)).max(0.0)),
    };
    let name = get.path.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".split").unwrap_or(name);
    let took = |from: u64, to: u64| micros(to.saturating_sub(from) as f64);
    let tooltip = [
        get.path.clone(),
        format!("bytes {}..{}", get.range.start, get.range.end),
        format!("{} of {component}", units::bytes(get.bytes)),
        files.join(", "),
        format!(
            "round {round}; waited {}, first byte after {}, body {}",
            took(get.asked_us, get.sent_us),
            took(get.sent_us, get.first_byte_us),
            took(get.first_byte_us, get.ended_us)
        ),
        if get.failed {
            "failed".to_owned()
        } else {
            String::new()
        },
    ];
    let tooltip: Vec<String> = tooltip
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    Bar {
        y: rounded(TOP + ROW * row as f64),
        label: format!(
            "{} · {component} · {}",
            shortened(name),
            units::bytes(get.bytes)
        ),
        component,
        waiting: span(get.asked_us, get.sent_us),
        answering: span(get.sent_us, get.first_byte_us),
        body: Span {
            // The shortest body can be seen.
            width: span(get.first_byte_us, get.ended_us).width.max(2.0),
            ..span(get.first_byte_us, get.ended_us)
        },
        failed: get.failed,
        tooltip: tooltip.join("\n"),
    }
}

/// The end of a long name: there it differs from the others.
fn shortened(name: &str) -> String {
    const MOST: usize = 18;
    let count = name.chars().count();
    if count <= MOST {
        return name.to_owned();
    }
    let end: String = name.chars().skip(count - MOST + 1).collect();
    format!("…{end}")
}

fn summary(gets: &[Get], rounds: &[u64], span: f64) -> String {
    let bytes = gets.iter().map(|get| get.bytes).sum();
    format!(
        "{} of {} in {}, {} from the first request to the last byte",
        units::counted(gets.len() as u64, "GET"),
        units::bytes(bytes),
        units::counted(rounds.iter().copied().max().unwrap_or(0), "round"),
        micros(span)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, sent_us: u64, ended_us: u64) -> Get {
        Get {
            path: path.to_owned(),
            range: 0..10,
            bytes: 10,
            asked_us: sent_us,
            sent_us,
            first_byte_us: sent_us,
            ended_us,
            ..Get::default()
        }
    }

    #[test]
    fn a_get_that_waited_for_another_is_in_a_later_round() {
        let gets = [
            get("a", 0, 30),
            get("a", 31, 60),
            get("a", 31, 80),
            get("b", 40, 70),
            get("a", 61, 90),
        ];
        assert_eq!(rounds(&gets), [1, 2, 2, 1, 3]);
    }

    #[test]
    fn many_gets_are_cut_short_and_counted() {
        let gets: Vec<Get> = (0..1000).map(|at| get("a.split", at, at + 5)).collect();
        let drawn = Waterfall::of("t", &gets, &Places::default(), None);
        assert_eq!(
            (drawn.bars.len(), drawn.left_out),
            (MOST_BARS, 1000 - MOST_BARS)
        );
        let none = Waterfall::of("t", &[], &Places::default(), None);
        assert!(none.bars.is_empty() && none.rounds.is_empty());
    }
}
