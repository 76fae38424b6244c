//! What a warmup by component brings, told by component and field.

use std::collections::BTreeMap;

use forewarm::{Component, ComponentReport};
use serde::Serialize;

use crate::failure::Outcome;
use crate::session::Session;
use crate::table::{self, Lean};
use crate::units;

/// Bytes of one component, or of one field in it, of several splits.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Bytes {
    bytes: u64,
    cached_bytes: u64,
}

/// What is selected, in all splits together.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Selected {
    components: BTreeMap<Component, Bytes>,
    fields: BTreeMap<String, BTreeMap<Component, Bytes>>,
    /// Selected columns that no split has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    absent: Vec<String>,
    /// Whether a request reads more than can be known beforehand.
    lower_bound: bool,
}

impl Selected {
    /// Adds the reports of splits; nothing when there are none, for nothing is selected then.
    pub(crate) fn of<'a>(reports: impl IntoIterator<Item = &'a ComponentReport>) -> Option<Self> {
        let mut reports = reports.into_iter().peekable();
        let mut selected = Self {
            absent: reports.peek()?.absent.clone(),
            ..Self::default()
        };
        for report in reports {
            for (component, bytes) in &report.components {
                let sum = selected.components.entry(*component).or_default();
                sum.add(bytes.bytes, bytes.cached_bytes);
            }
            for (field, components) in &report.fields {
                let field = selected.fields.entry(field.clone()).or_default();
                for (component, bytes) in components {
                    let sum = field.entry(*component).or_default();
                    sum.add(bytes.bytes, bytes.cached_bytes);
                }
            }
            selected.absent.retain(|name| report.absent.contains(name));
            selected.lower_bound |= report.lower_bound;
        }
        Some(selected)
    }

    /// Prints a row for each field in each component.
    pub(crate) fn print(&self, session: &Session) -> Outcome {
        let columns = [
            ("component", Lean::Left),
            ("field", Lean::Left),
            ("bytes", Lean::Right),
            ("cached", Lean::Right),
        ];
        let mut table = table::table(&columns);
        let mut row = |component: Component, field: &str, bytes: Bytes| {
            table.add_row([
                component.name().to_owned(),
                field.to_owned(),
                units::bytes(bytes.bytes),
                units::bytes(bytes.cached_bytes),
            ]);
        };
        for (&component, &bytes) in &self.components {
            let fields = self.fields.iter();
            let mut fields = fields
                .filter_map(|(field, components)| Some((field, components.get(&component)?)))
                .peekable();
            if fields.peek().is_none() {
                row(component, "", bytes);
            }
            fields.for_each(|(field, &bytes)| row(component, field, bytes));
        }
        if self.components.is_empty() {
            session.note("warning: the request reads nothing of what is selected");
        } else {
            session.print(table::text(&table))?;
        }
        for name in &self.absent {
            session.note(format!("warning: no split has a column of {name}"));
        }
        if self.lower_bound {
            session.note("warning: the request reads more than can be known beforehand");
        }
        Ok(())
    }
}

impl Bytes {
    fn add(&mut self, bytes: u64, cached_bytes: u64) {
        self.bytes += bytes;
        self.cached_bytes += cached_bytes;
    }
}
