#[path = "../../../src/telemetry/list.rs"]
pub(crate) mod list;
#[path = "../../../src/telemetry/metric.rs"]
mod metric;

use metric::Metric;
pub(crate) use metric::{Counter, Gauge, Histogram};

pub(crate) const SEARCH: &str = "search";
