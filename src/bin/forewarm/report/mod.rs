//! Reports to look at: one HTML page that needs nothing else, neither the network nor scripts.
//!
//! Places are worked out here; the page itself is a template, whose engine escapes whatever it is
//! given.

mod bars;
mod places;
mod scale;
mod waterfall;

use minijinja::{Environment, context};
use serde::Serialize;

use self::bars::{Chart, Value};
pub(crate) use self::places::Places;
pub(crate) use self::waterfall::Waterfall;
use crate::bench::{Measured, Report, Run, Spread, Summary, Way, time};
use crate::failure::{Failure, Outcome};
use crate::units;

const TEMPLATE: &str = include_str!("page.html");

/// The way whose numbers of GETs choose the bodies that are drawn, and those that are drawn.
const DRAWN: [Way; 4] = [Way::First, Way::Planned, Way::Forget, Way::None];

/// One latency.
#[derive(Debug, Serialize)]
struct Section {
    heading: String,
    latency: Chart,
    again: Option<Chart>,
    gets: Chart,
    bytes: Chart,
    tiles: Vec<Tile>,
    ways: Vec<WayRow>,
    targets: Vec<TargetRow>,
    bodies: Vec<BodyRow>,
    names: Vec<&'static str>,
    drawn: Vec<Drawn>,
}

/// A figure that says it all.
#[derive(Debug, Serialize)]
struct Tile {
    value: String,
    what: String,
}

#[derive(Debug, Serialize)]
struct WayRow {
    title: &'static str,
    meaning: &'static str,
    cells: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TargetRow {
    name: &'static str,
    wanted: &'static str,
    found: String,
    met: bool,
}

#[derive(Debug, Serialize)]
struct BodyRow {
    line: usize,
    body: String,
    matches: String,
    cells: Vec<String>,
}

/// A body whose GETs are drawn.
#[derive(Debug, Serialize)]
struct Drawn {
    line: usize,
    body: String,
    waterfalls: Vec<Waterfall>,
}

/// The page of a bench.
///
/// # Errors
///
/// When the template cannot be rendered, which is a bug.
pub(crate) fn bench_page(report: &Report, places: &Places, waterfalls: usize) -> Outcome<String> {
    let runs = report.settings.iter();
    let sections: Vec<Section> = runs.map(|run| section(run, places, waterfalls)).collect();
    let subtitle = format!(
        "{} documents in {}, {}",
        units::count(report.documents),
        units::counted(report.splits as u64, "split"),
        units::bytes(report.bytes)
    );
    render(context! {
        title => "Ways to warm a search",
        subtitle,
        sections,
        waterfalls => Vec::<Waterfall>::new(),
        version => env!("CARGO_PKG_VERSION"),
    })
}

/// The page of one warmup.
///
/// # Errors
///
/// When the template cannot be rendered, which is a bug.
pub(crate) fn trace_page(subtitle: &str, body: &str, waterfalls: &[Waterfall]) -> Outcome<String> {
    render(context! {
        title => "A warmup",
        subtitle,
        body,
        sections => Vec::<Section>::new(),
        waterfalls,
        version => env!("CARGO_PKG_VERSION"),
    })
}

fn render(context: minijinja::Value) -> Outcome<String> {
    let mut environment = Environment::new();
    // The name says that it is HTML, so that everything is escaped.
    let page = environment
        .add_template("page.html", TEMPLATE)
        .and_then(|()| environment.get_template("page.html")?.render(context));
    page.map_err(|error| Failure::caused("cannot draw the report", &error))
}

fn section(run: &Run, places: &Places, waterfalls: usize) -> Section {
    let setting = &run.setting;
    let spreads = |spread: fn(&Summary) -> Option<Spread>| -> Vec<Value> {
        let values = run.ways.iter().filter_map(|way| {
            Some(Value {
                way: way.way,
                spread: spread(way)?,
                spreads: true,
            })
        });
        values.collect()
    };
    let again = spreads(|way| way.repeated_us);
    let [gets, bytes] = traffic(&run.ways);
    Section {
        heading: format!(
            "{} ms to the first byte{}, {} a connection",
            setting.latency_ms,
            if setting.tail > 0.0 {
                ", with the tail of S3"
            } else {
                ""
            },
            units::bandwidth(setting.bandwidth)
        ),
        latency: times("Open + warm + first search", &spreads(|way| way.time_us)),
        again: (!again.is_empty()).then(|| times("The same search again", &again)),
        gets,
        bytes,
        tiles: tiles(&run.ways),
        ways: run.ways.iter().map(way_row).collect(),
        targets: run
            .targets
            .iter()
            .map(|target| TargetRow {
                name: target.name,
                wanted: target.wanted,
                found: target.found.clone(),
                met: target.met,
            })
            .collect(),
        bodies: setting
            .bodies
            .iter()
            .map(|body| body_row(body, &run.ways))
            .collect(),
        names: run.ways.iter().map(|way| way.way.title()).collect(),
        drawn: drawn(&setting.bodies, places, waterfalls),
    }
}

/// GETs and bytes; the ideal has none.
fn traffic(ways: &[Summary]) -> [Chart; 2] {
    let amounts = |amount: fn(&Summary) -> f64| -> Vec<Value> {
        let ways = ways.iter().filter(|way| way.way != Way::Ideal);
        let values = ways.map(|way| Value {
            way: way.way,
            spread: Spread::at(amount(way)),
            spreads: false,
        });
        values.collect()
    };
    let gets = Chart::of(
        "GETs of a first search",
        &amounts(|way| way.gets),
        |gets| match gets {
            gets if gets < 10.0 => format!("{gets:.1}"),
            gets => units::count(gets.round() as u64),
        },
        |gets| units::count(gets as u64),
    );
    let bytes = Chart::of(
        "Bytes of a first search",
        &amounts(|way| way.bytes),
        |bytes| units::bytes(bytes as u64),
        decimal,
    );
    [gets, bytes]
}

fn times(title: &str, values: &[Value]) -> Chart {
    let mark = |micros: f64| time(Some(micros)).replace(".00 ", " ").replace(".0 ", " ");
    Chart::of(title, values, |micros| time(Some(micros)), mark)
}

/// Round numbers of bytes, in powers of 1000.
fn decimal(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1e3 => format!("{bytes} B"),
        bytes if bytes < 1e6 => format!("{} kB", bytes / 1e3),
        bytes if bytes < 1e9 => format!("{} MB", bytes / 1e6),
        bytes => format!("{} GB", bytes / 1e9),
    }
}

fn tiles(ways: &[Summary]) -> Vec<Tile> {
    let find = |way: Way| {
        let summary = ways.iter().find(|summary| summary.way == way)?;
        Some((summary, summary.time_us?.median))
    };
    let mut tiles = Vec::new();
    for (ours, theirs, what) in [
        (
            Way::First,
            Way::None,
            "as fast as without warming, the first time",
        ),
        (
            Way::First,
            Way::Forget,
            "as fast as per query and forget, the first time",
        ),
        (
            Way::Planned,
            Way::Forget,
            "as fast as per query and forget, plan known",
        ),
    ] {
        if let (Some((_, ours)), Some((_, theirs))) = (find(ours), find(theirs)) {
            tiles.push(Tile {
                value: times_over(theirs / ours),
                what: what.to_owned(),
            });
        }
    }
    if let Some((summary, _)) = find(Way::Warm) {
        tiles.push(Tile {
            value: format!("{:.2} ×", summary.to_ideal),
            what: "the time of the ideal, once warm".to_owned(),
        });
    }
    if let Some((summary, _)) = find(Way::Planned) {
        tiles.push(Tile {
            value: units::counted(summary.most_rounds, "round"),
            what: "at most, to open, warm and search with a plan".to_owned(),
        });
    }
    tiles
}

fn times_over(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 10.0 => format!("{ratio:.1} ×"),
        ratio => format!("{ratio:.0} ×"),
    }
}

fn way_row(way: &Summary) -> WayRow {
    WayRow {
        title: way.way.title(),
        meaning: way.way.meaning(),
        cells: way.cells(),
    }
}

fn body_row(body: &Measured, ways: &[Summary]) -> BodyRow {
    let cell = |way: &Summary| {
        let samples = body.samples(way.way).iter();
        let spread = Spread::of(samples.map(|sample| sample.first.time_us));
        time(spread.map(|spread| spread.median))
    };
    BodyRow {
        line: body.line,
        body: body.body.clone(),
        matches: body.matches.map_or_else(|| "-".to_owned(), units::count),
        cells: ways.iter().map(cell).collect(),
    }
}

/// The bodies of the most GETs, for there is most to be seen.
fn drawn(bodies: &[Measured], places: &Places, most: usize) -> Vec<Drawn> {
    let gets = |body: &Measured| {
        let samples = body.samples(Way::First).last();
        samples.map_or(0, |sample| sample.first.gets)
    };
    let mut order: Vec<&Measured> = bodies.iter().collect();
    order.sort_by_key(|body| std::cmp::Reverse(gets(body)));
    order.truncate(most);
    order.sort_by_key(|body| body.line);
    let draw = |body: &Measured| {
        let waterfalls = DRAWN.iter().filter_map(|way| {
            let leg = &body.samples(*way).last()?.first;
            let title = format!("{}: {}", way.title(), time(Some(leg.time_us)));
            Some(Waterfall::of(&title, &leg.trace, places, Some(leg.time_us)))
        });
        Drawn {
            line: body.line,
            body: body.body.clone(),
            waterfalls: waterfalls.collect(),
        }
    };
    order.into_iter().map(draw).collect()
}
