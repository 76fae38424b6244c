//! An explanation clause by clause.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::component::Component;
use super::progress::Findings;
use crate::needs::{Need, Node};
use crate::split::Split;
use crate::store::normalise;

/// One clause of a request, what it reads in a split, and the clauses in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClauseExplanation {
    /// What it says.
    pub clause: String,
    /// Whether the split can hold a document that it matches, as far as dictionaries tell.
    pub can_match: bool,
    /// Bytes beyond the hot ones that it reads, its inner clauses' left out. What several clauses
    /// read is shown with each of them.
    pub reads: BTreeMap<Component, u64>,
    /// The clauses in it.
    pub clauses: Vec<ClauseExplanation>,
}

/// Which component the bytes of a split at an offset belong to.
pub(super) struct Components(Vec<(Range<u64>, Component)>);

impl Components {
    pub(super) fn of(split: &Split) -> Self {
        let mut files: Vec<(Range<u64>, Component)> = split
            .files()
            .ranges()
            .iter()
            .map(|(name, range)| (range.clone(), Component::of_file(name)))
            .filter(|(range, _)| !range.is_empty())
            .collect();
        files.sort_by_key(|(range, _)| range.start);
        Self(files)
    }

    pub(super) fn at(&self, offset: u64) -> Component {
        let after = self.0.partition_point(|(range, _)| range.start <= offset);
        after
            .checked_sub(1)
            .map_or(Component::Other, |at| self.0[at].1)
    }

    /// Cuts a range where files end.
    pub(super) fn split(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let first = self.0.partition_point(|(file, _)| file.end <= range.start);
        self.0[first..]
            .iter()
            .take_while(|(file, _)| file.start < range.end)
            .map(|(file, _)| range.start.max(file.start)..range.end.min(file.end))
            .collect()
    }
}

/// The clauses of a request, and beside them what is collected from their matches.
pub(super) fn explain(findings: &Findings, components: &Components) -> ClauseExplanation {
    let mut explainer = Explainer {
        findings,
        components,
        told: vec![false; findings.needs.len()],
    };
    let query = explainer.clause(&findings.clauses);
    let collected: Vec<usize> = (0..findings.needs.len())
        .filter(|&need| !explainer.told[need])
        .collect();
    if collected.is_empty() {
        return query;
    }
    let label = |need: &Need| match need {
        Need::Column { name, .. } => format!("column {name}"),
        Need::Collector(_) => "what a collector opens".to_owned(),
        _ => "what an aggregation filters by".to_owned(),
    };
    let collected = collected
        .into_iter()
        .map(|need| ClauseExplanation {
            clause: label(&findings.needs[need]),
            can_match: true,
            reads: explainer.reads([need]),
            clauses: Vec::new(),
        })
        .collect();
    let can_match = query.can_match;
    ClauseExplanation {
        clause: "request".to_owned(),
        can_match,
        reads: BTreeMap::new(),
        clauses: vec![
            query,
            ClauseExplanation {
                clause: "collected".to_owned(),
                can_match,
                reads: BTreeMap::new(),
                clauses: collected,
            },
        ],
    }
}

struct Explainer<'a> {
    findings: &'a Findings,
    components: &'a Components,
    /// By need: whether a clause was shown that reads it.
    told: Vec<bool>,
}

impl Explainer<'_> {
    fn clause(&mut self, node: &Node) -> ClauseExplanation {
        let besides = node.besides.iter().chain(&node.if_found);
        let needs = node.decisive.iter().chain(besides).copied();
        for need in needs.clone() {
            self.told[need] = true;
        }
        let mut segments = self.findings.found.iter();
        ClauseExplanation {
            clause: node.label.clone(),
            can_match: segments.any(|found| node.can_match(found) != Some(false)),
            reads: self.reads(needs),
            clauses: node.children.iter().map(|it| self.clause(it)).collect(),
        }
    }

    fn reads(&self, needs: impl IntoIterator<Item = usize>) -> BTreeMap<Component, u64> {
        let ranges = needs
            .into_iter()
            .flat_map(|need| self.findings.reads[need].iter().cloned())
            .collect();
        let mut reads = BTreeMap::new();
        for part in normalise(ranges)
            .iter()
            .flat_map(|range| self.components.split(range))
        {
            *reads.entry(self.components.at(part.start)).or_default() += part.end - part.start;
        }
        reads
    }
}
