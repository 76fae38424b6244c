//! What is counted through the facade of the crate `metrics`. Names stand in one [list] and nowhere
//! else: `docs/metrics.md` shows it, and tests hold list, document and code to each other.

pub(crate) mod list;
mod metric;
#[cfg(test)]
mod tests;

use metric::Metric;
pub(crate) use metric::{Counter, Gauge, Histogram};

/// The source of what a search wants for itself.
pub(crate) const SEARCH: &str = "search";

/// Tells the recorder what each metric is. Telling it again changes nothing.
pub(crate) fn describe() {
    list::ALL.iter().for_each(|metric| metric.describe());
}
