//! What waits to be written: one row a key, in the order of recording, bounded.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use object_store::path::Path;

use super::batch::PlanBatch;
use crate::filter::Fingerprint;
use crate::plan::absences::Absence;
use crate::plan::{AbsenceEntry, PlanEntry};

/// A row that waits.
#[derive(Clone, Debug)]
pub(super) enum Row {
    Absence(AbsenceEntry),
    Plan(Arc<PlanEntry>),
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Key {
    Absence(Absence),
    Plan(Path, Fingerprint),
}

impl Row {
    fn key(&self) -> Key {
        match self {
            Self::Absence(entry) => Key::Absence(entry.absence.clone()),
            Self::Plan(entry) => Key::Plan(entry.split().clone(), entry.fingerprint()),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Absence(entry) => entry.absence.weight(),
            Self::Plan(entry) => entry.weight(),
        }
    }
}

/// Rows by when they were recorded.
#[derive(Debug)]
pub(super) struct Pending {
    rows: BTreeMap<u64, Row>,
    keys: HashMap<Key, u64>,
    next: u64,
    bytes: usize,
    max_rows: usize,
    max_bytes: usize,
}

impl Pending {
    pub(super) fn new(max_rows: usize, max_bytes: usize) -> Self {
        Self {
            rows: BTreeMap::new(),
            keys: HashMap::new(),
            next: 0,
            bytes: 0,
            max_rows,
            max_bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number that the next row will have.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Adds a row in place of the one with its key; answers how many were dropped to make room.
    pub(super) fn push(&mut self, row: Row) -> usize {
        let number = self.next;
        self.next += 1;
        self.insert(number, row);
        self.bound()
    }

    /// Takes the oldest rows, at most `count`, of those before `until`.
    pub(super) fn take(&mut self, count: usize, until: u64) -> Vec<(u64, Row)> {
        let mut taken = Vec::new();
        while taken.len() < count
            && let Some((number, row)) = self.pop(until)
        {
            taken.push((number, row));
        }
        taken
    }

    /// Puts rows back that were taken, save those that were recorded again; answers how many were
    /// dropped to make room.
    pub(super) fn put_back(&mut self, rows: Vec<(u64, Row)>) -> usize {
        for (number, row) in rows {
            if !self.keys.contains_key(&row.key()) {
                self.insert(number, row);
            }
        }
        self.bound()
    }

    fn insert(&mut self, number: u64, row: Row) {
        self.bytes += row.weight();
        if let Some(known) = self.keys.insert(row.key(), number)
            && let Some(replaced) = self.rows.remove(&known)
        {
            self.bytes -= replaced.weight();
        }
        self.rows.insert(number, row);
    }

    fn pop(&mut self, until: u64) -> Option<(u64, Row)> {
        let first = self
            .rows
            .first_entry()
            .filter(|first| *first.key() < until)?;
        let (number, row) = first.remove_entry();
        self.keys.remove(&row.key());
        self.bytes -= row.weight();
        Some((number, row))
    }

    fn bound(&mut self) -> usize {
        let mut dropped = 0;
        while (self.rows.len() > self.max_rows || self.bytes > self.max_bytes)
            && self.pop(u64::MAX).is_some()
        {
            dropped += 1;
        }
        dropped
    }
}

/// The rows as a store takes them.
pub(super) fn batch_of(rows: &[(u64, Row)]) -> PlanBatch {
    let mut batch = PlanBatch::default();
    for (_, row) in rows {
        match row {
            Row::Absence(entry) => batch.absences.push(entry.clone()),
            Row::Plan(entry) => batch.plans.push(Arc::clone(entry)),
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::rows::{absence, plan};
    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        PushAbsence(u8),
        PushPlan(u8),
        /// So many, and whether they were saved.
        Take(usize, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u8..9).prop_map(Step::PushAbsence),
            (0u8..9).prop_map(Step::PushPlan),
            (0usize..9, any::<bool>()).prop_map(|(count, saved)| Step::Take(count, saved)),
        ]
    }

    proptest! {
        #[test]
        fn one_row_a_key_waits_the_latest_and_no_more_than_may(
            steps in prop::collection::vec(step(), 0..80), max_rows in 1usize..12,
        ) {
            let mut pending = Pending::new(max_rows, 8_000);
            // By key, when it was recorded last.
            let mut latest: HashMap<Key, u64> = HashMap::new();
            for step in steps {
                let row = match step {
                    Step::PushAbsence(n) => Row::Absence(absence("a", &n.to_string(), 0)),
                    Step::PushPlan(n) => Row::Plan(Arc::new(plan("a", n, 0))),
                    Step::Take(count, saved) => {
                        let taken = pending.take(count, u64::MAX);
                        prop_assert!(taken.len() <= count);
                        if !saved {
                            pending.put_back(taken);
                        }
                        continue;
                    }
                };
                latest.insert(row.key(), pending.next());
                pending.push(row);
                prop_assert!(pending.len() <= max_rows && pending.bytes <= 8_000);
                prop_assert_eq!(pending.keys.len(), pending.len());
                let bytes: usize = pending.rows.values().map(Row::weight).sum();
                prop_assert_eq!(pending.bytes, bytes);
                for (number, row) in &pending.rows {
                    prop_assert_eq!(latest.get(&row.key()), Some(number));
                }
            }
        }
    }
}
