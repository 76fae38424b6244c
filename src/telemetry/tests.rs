//! The list against the document, the source, and what is emitted.

mod emitted;
mod recorder;

use std::fs;
use std::path::{Path, PathBuf};

use super::list::ALL;

const HEAD: &str = "\
# Metrics

*Made from `src/telemetry/list.rs`, which names each metric once. To make it anew:
`FOREWARM_BLESS=1 cargo test --lib telemetry`.*

Counted through the facade of the crate [`metrics`](https://docs.rs/metrics). Recorders are told name,
unit and meaning when a warmer is built. Gauges are those of the warmer that set them last, which does so
every ten seconds and whenever it is asked for its statistics: one warmer a process.

| name | kind | unit | what | label |
|---|---|---|---|---|
";

const LABELS: &str = "
| label | values |
|---|---|
| `outcome` | of a join: `ready`, `waited`, `timed_out`, `failed`, `missing`; of a search, the worst of its splits'; of a hot set: `written`, `unchanged`, `failed` |
| `source` | who had it warmed: `prewarm`, the name of a trigger, or `search`, when a search wanted it for itself |
| `state` | of a job: `complete`, `partial`, `skipped`, `failed`, `cancelled` |
";

fn document() -> String {
    let rows = ALL.iter().map(|metric| {
        let label = metric
            .by
            .map_or(String::new(), |label| format!("`{label}`"));
        let kind = format!("{:?}", metric.kind).to_lowercase();
        format!(
            "| `{}` | {kind} | {} | {} | {label} |\n",
            metric.name, metric.unit, metric.what
        )
    });
    format!("{HEAD}{}{LABELS}", rows.collect::<String>())
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_document_is_the_list() {
    let path = manifest().join("docs/metrics.md");
    let made = document();
    if std::env::var_os("FOREWARM_BLESS").is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        made == committed,
        "docs/metrics.md does not show the list: run `FOREWARM_BLESS=1 cargo test --lib telemetry` and \
         read the diff"
    );
}

#[test]
fn names_are_in_good_order() {
    let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
    for metric in ALL {
        let is_total = metric.name.ends_with("_total");
        assert_eq!(
            is_total,
            metric.kind == super::metric::Kind::Counter,
            "{metric:?}"
        );
        let told = ["bytes", "seconds"].iter().all(|unit| {
            metric.unit != *unit || metric.name.trim_end_matches("_total").ends_with(unit)
        });
        assert!(told, "{metric:?}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
}

/// All files of Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn no_metric_is_named_anywhere_else() {
    let here = manifest().join("src/telemetry");
    let sources = sources(&manifest().join("src"));
    let (own, others): (Vec<_>, Vec<_>) = sources.iter().partition(|path| path.starts_with(&here));
    assert!(own.len() > 3 && others.len() > 100);
    for path in others {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let is_named = line.contains("\"forewarm_") || line.contains("metrics::");
            let is_link = line.contains("(crate::metrics)");
            assert!(
                !is_named || is_link,
                "{}:{}: {line}",
                path.display(),
                number + 1
            );
        }
    }
}
