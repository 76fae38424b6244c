//! `forewarm inspect`: what is in a split.

use std::collections::BTreeMap;

use forewarm::{Component, SplitAddress, SplitLayout, Warmer};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tantivy::schema::{FieldEntry, Schema};

use crate::args::InspectArgs;
use crate::engine;
use crate::failure::Outcome;
use crate::session::{Progress, Session};
use crate::table::{self, Lean};
use crate::units;
use crate::url::Place;

/// Splits opened at once.
const AT_ONCE: usize = 16;

/// The components that are divided by field.
const BY_FIELD: [Component; 5] = [
    Component::Terms,
    Component::Postings,
    Component::Positions,
    Component::Norms,
    Component::Columns,
];

/// What the command answers.
#[derive(Debug, Serialize)]
struct Report {
    splits: Vec<Inspected>,
}

#[derive(Debug, Serialize)]
struct Inspected {
    #[serde(flatten)]
    layout: SplitLayout,
    schema: Schema,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &InspectArgs) -> Outcome {
    let splits = Place::to_read(&args.url, &args.store.option)?
        .splits()
        .await?;
    let warmer = engine::warmer(splits.store, false, None)?;
    let progress = Progress::over_items("opening", splits.addresses.len() as u64);
    let (warmer, bar) = (&warmer, progress.bar());
    let inspected = stream::iter(&splits.addresses)
        .map(|address| async move {
            let inspected = inspect(warmer, address).await?;
            bar.inc(1);
            Outcome::Ok(inspected)
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    drop(progress);
    let report = Report { splits: inspected };
    if session.json() {
        session.print_json(&report)
    } else {
        print(session, &report)
    }
}

async fn inspect(warmer: &Warmer, address: &SplitAddress) -> Outcome<Inspected> {
    let schema = warmer.open(address).await?.schema().clone();
    let layout = warmer.layout(address).await?;
    Ok(Inspected { layout, schema })
}

fn print(session: &Session, report: &Report) -> Outcome {
    for split in &report.splits {
        print_summary(session, &split.layout)?;
        print_components(session, &split.layout)?;
        print_fields(session, split)?;
    }
    if report.splits.len() > 1 {
        let layouts = || report.splits.iter().map(|split| &split.layout);
        session.print(format!(
            "{}, {}, {}",
            units::counted(report.splits.len() as u64, "split"),
            units::counted(layouts().map(|layout| layout.documents).sum(), "document"),
            units::bytes(layouts().map(|layout| layout.bytes).sum())
        ))?;
    }
    Ok(())
}

fn print_summary(session: &Session, layout: &SplitLayout) -> Outcome {
    session.print(&layout.path)?;
    session.print(format!(
        "  format      {} {} trailer, footer {}..{}",
        units::bytes(layout.bytes),
        if layout.trailer { "with" } else { "without" },
        layout.footer.start,
        layout.footer.end
    ))?;
    let writer = layout.written_by.as_deref().unwrap_or("an unknown version");
    session.print(format!("  tantivy     {writer}"))?;
    session.print(format!("  documents   {}", units::count(layout.documents)))?;
    for segment in &layout.segments {
        session.print(format!(
            "  segment     {}, {}, {} deleted",
            segment.id,
            units::counted(segment.max_doc.into(), "document"),
            units::count(segment.deleted.into())
        ))?;
    }
    session.print(format!("  hot bytes   {}", units::bytes(layout.hot_bytes)))
}

fn print_components(session: &Session, layout: &SplitLayout) -> Outcome {
    let columns = [
        ("component", Lean::Left),
        ("bytes", Lean::Right),
        ("share", Lean::Right),
    ];
    let mut table = table::table(&columns);
    for (component, bytes) in &layout.components {
        let share = *bytes as f64 * 100.0 / layout.bytes.max(1) as f64;
        table.add_row([
            component.name().to_owned(),
            units::bytes(*bytes),
            format!("{share:.1} %"),
        ]);
    }
    session.print(table::text(&table))
}

fn print_fields(session: &Session, split: &Inspected) -> Outcome {
    let mut columns = vec![
        ("field", Lean::Left),
        ("type", Lean::Left),
        ("options", Lean::Left),
    ];
    columns.extend(BY_FIELD.map(|component| (component.name(), Lean::Right)));
    let mut table = table::table(&columns);
    let bytes = bytes_by_field(split);
    for (_, entry) in split.schema.fields() {
        let mut row = vec![entry.name().to_owned(), kind(entry), options(entry)];
        row.extend(BY_FIELD.map(|component| {
            let key = (entry.name().to_owned(), component);
            bytes
                .get(&key)
                .map_or_else(|| "-".to_owned(), |bytes| units::bytes(*bytes))
        }));
        table.add_row(row);
    }
    session.print(table::text(&table) + "\n")
}

/// Bytes by field of the schema: a JSON field is the sum of its paths.
fn bytes_by_field(split: &Inspected) -> BTreeMap<(String, Component), u64> {
    let mut sums = BTreeMap::new();
    for (name, components) in &split.layout.fields {
        let field = match split.schema.find_field(name) {
            Some((field, _)) => split.schema.get_field_name(field),
            None => name,
        };
        for (component, bytes) in components {
            *sums.entry((field.to_owned(), *component)).or_default() += bytes;
        }
    }
    sums
}

fn kind(entry: &FieldEntry) -> String {
    format!("{:?}", entry.field_type().value_type()).to_lowercase()
}

fn options(entry: &FieldEntry) -> String {
    let options = [
        (entry.is_indexed(), "indexed"),
        (entry.is_fast(), "fast"),
        (entry.is_stored(), "stored"),
    ];
    options
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| name)
        .collect::<Vec<_>>()
        .join(" ")
}
