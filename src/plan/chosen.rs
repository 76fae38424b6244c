//! Of what a resolution found, the part that was chosen by component and field.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::clauses::Components;
use super::{Component, Resolution};
use crate::Traffic;
use crate::split::Split;
use crate::store::{gaps, normalise};

/// What a warmup by component brings of one split: known before it is fetched.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ComponentReport {
    /// Each component, all fields together.
    pub components: BTreeMap<Component, ComponentBytes>,
    /// Each field, or path of a JSON field, in each component that is divided by field.
    pub fields: BTreeMap<String, BTreeMap<Component, ComponentBytes>>,
    /// Fields, or paths of JSON fields, whose columns are selected and which no document has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// What was sent to find out where all that lies: for the names of columns where they are not
    /// hot, for dictionaries of a request. Bytes of it that were chosen are counted above, too.
    pub looked_up: Traffic,
    /// Whether the request holds a query that only tells what it reads while it reads it: then it
    /// reads more than is brought.
    pub lower_bound: bool,
}

/// Bytes of one component.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ComponentBytes {
    /// Bytes beyond the hot ones, which an open split holds anyway.
    pub bytes: u64,
    /// Of these, bytes that need not be fetched: they were in memory, or on their way for somebody
    /// else.
    pub cached_bytes: u64,
}

/// What is wanted of one need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// The field that it reads, or the path of a JSON field; none where it is of no one field.
    pub(crate) field: Option<String>,
    /// Bytes of other components are left out.
    pub(crate) components: Vec<Component>,
}

/// What was chosen of one split.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// Each as it is read, so some may overlap.
    pub(crate) ranges: Vec<Range<u64>>,
    pub(crate) report: ComponentReport,
}

impl Chosen {
    /// Takes of a dry run what was chosen of each need.
    pub(crate) fn new(split: &Split, resolution: &Resolution, choices: &[Choice]) -> Self {
        let components = Components::of(split);
        let mut parts: BTreeMap<(Component, Option<&str>), Vec<Range<u64>>> = BTreeMap::new();
        for (choice, reads) in choices.iter().zip(&resolution.findings.reads) {
            for part in reads.iter().flat_map(|range| components.split(range)) {
                let component = components.at(part.start);
                if choice.components.contains(&component) {
                    let place = (component, choice.field.as_deref());
                    parts.entry(place).or_default().push(part);
                }
            }
        }
        let mut report = ComponentReport {
            looked_up: resolution.traffic,
            lower_bound: resolution.lower_bound,
            ..ComponentReport::default()
        };
        let mut together: BTreeMap<Component, Vec<Range<u64>>> = BTreeMap::new();
        for ((component, field), ranges) in parts {
            if let Some(field) = field {
                let bytes = ComponentBytes::of(&ranges, &resolution.missing);
                let field = report.fields.entry(field.to_owned()).or_default();
                field.insert(component, bytes);
            }
            together.entry(component).or_default().extend(ranges);
        }
        for (component, ranges) in &together {
            let bytes = ComponentBytes::of(ranges, &resolution.missing);
            report.components.insert(*component, bytes);
        }
        Self {
            ranges: together.into_values().flatten().collect(),
            report,
        }
    }

    /// Lists what has no bytes beyond the hot ones, too, and columns that are not there: for choices
    /// of one component each.
    pub(crate) fn with_empty(mut self, resolution: &Resolution, choices: &[Choice]) -> Self {
        for (need, choice) in choices.iter().enumerate() {
            let mut segments = resolution.findings.found.iter();
            if segments.all(|found| found[need] == Some(false)) {
                self.report.absent.extend(choice.field.clone());
            }
            for &component in &choice.components {
                self.report.components.entry(component).or_default();
                if let Some(field) = &choice.field {
                    let field = self.report.fields.entry(field.clone()).or_default();
                    field.entry(component).or_default();
                }
            }
        }
        self
    }

    /// Different bytes that were chosen.
    pub(crate) fn bytes(&self) -> u64 {
        let components = self.report.components.values();
        components.map(|component| component.bytes).sum()
    }
}

impl ComponentBytes {
    fn of(ranges: &[Range<u64>], missing: &[Range<u64>]) -> Self {
        let length = |range: Range<u64>| range.end - range.start;
        let ranges = normalise(ranges.to_vec());
        let present = ranges.iter().flat_map(|range| gaps(range, missing));
        Self {
            cached_bytes: present.map(length).sum(),
            bytes: ranges.iter().cloned().map(length).sum(),
        }
    }
}
