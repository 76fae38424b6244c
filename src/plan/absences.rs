//! What splits are known not to hold.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use moka::sync::Cache;
use tantivy::Term;
use tantivy::schema::Field;

use super::absence_entry::AbsenceEntry;
use super::store::PlanWriter;
use crate::filter::Expansion;
use crate::needs::Need;
use crate::split::Split;
use crate::store::ObjectHandle;

/// What an absence costs in memory beside its bytes: its key, and moka's entry.
const OVERHEAD: usize = 256;

/// Terms and expansions that were looked for and not found. Splits never change, so what is absent
/// stays absent; what is forgotten is only looked up again.
#[derive(Clone)]
pub(crate) struct Absences {
    known: Cache<Absence, ()>,
    /// Whether anything was ever remembered; moka counts what it holds only now and then.
    any: Arc<AtomicBool>,
    /// To where what is found is written.
    writer: Option<Arc<PlanWriter>>,
}

/// One thing that a segment was found not to hold.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Absence {
    pub(crate) object: ObjectHandle,
    /// The segment's place in `meta.json`.
    pub(crate) segment: usize,
    pub(crate) what: Absent,
}

/// What is not there.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) enum Absent {
    /// Terms that begin so and go on as the source of an automaton says.
    Pattern(Field, Vec<u8>, String),
    /// Terms between two bounds.
    Range(Field, Bound<Vec<u8>>, Bound<Vec<u8>>),
    Term(Term),
}

impl Absence {
    /// Bytes it takes in memory, bookkeeping included.
    pub(crate) fn weight(&self) -> usize {
        let what = match &self.what {
            Absent::Pattern(_, beginning, source) => beginning.len() + source.len(),
            Absent::Range(_, lower, upper) => {
                let len = |bound: &Bound<Vec<u8>>| match bound {
                    Bound::Included(bytes) | Bound::Excluded(bytes) => bytes.len(),
                    Bound::Unbounded => 0,
                };
                len(lower) + len(upper)
            }
            Absent::Term(term) => term.serialized_value_bytes().len(),
        };
        OVERHEAD + self.object.weight() + what
    }
}

/// Bytes, not values: those of a stored absence need not be of the type that they say.
impl fmt::Debug for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(field, beginning, source) => f
                .debug_tuple("Pattern")
                .field(field)
                .field(beginning)
                .field(source)
                .finish(),
            Self::Range(field, lower, upper) => f
                .debug_tuple("Range")
                .field(field)
                .field(lower)
                .field(upper)
                .finish(),
            Self::Term(term) => {
                let value = term.value();
                let bytes = value.as_serialized();
                f.debug_tuple("Term")
                    .field(&term.field())
                    .field(&bytes)
                    .finish()
            }
        }
    }
}

impl Absences {
    /// Remembers as many as fit into `bytes`.
    pub(crate) fn new(bytes: u64, writer: Option<Arc<PlanWriter>>) -> Self {
        let weigh =
            |absence: &Absence, (): &()| u32::try_from(absence.weight()).unwrap_or(u32::MAX);
        let known = Cache::builder().max_capacity(bytes).weigher(weigh).build();
        Self {
            known,
            any: Arc::default(),
            writer,
        }
    }

    /// Whether nothing at all is known.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    pub(crate) fn knows(&self, split: &Split, segment: usize, need: &Need) -> bool {
        !self.is_empty()
            && absence(split, segment, need)
                .is_some_and(|absence| self.known.contains_key(&absence))
    }

    pub(crate) fn remember(&self, split: &Split, segment: usize, need: &Need) {
        if let Some(absence) = absence(split, segment, need) {
            if let Some(writer) = &self.writer
                && !self.known.contains_key(&absence)
            {
                writer.record_absence(absence.clone());
            }
            self.known.insert(absence, ());
            self.any.store(true, Ordering::Relaxed);
        }
    }

    /// Takes over what another process found.
    pub(crate) fn add(&self, entries: impl IntoIterator<Item = AbsenceEntry>) {
        for entry in entries {
            self.known.insert(entry.absence, ());
            self.any.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn clear(&self) {
        self.known.invalidate_all();
        self.any.store(false, Ordering::Relaxed);
    }

    /// How many are remembered, about.
    pub(crate) fn len(&self) -> u64 {
        self.known.run_pending_tasks();
        self.known.entry_count()
    }
}

/// Columns are left out: which there are is in the hot bytes. So is an object whose replacement
/// could not be told from it.
fn absence(split: &Split, segment: usize, need: &Need) -> Option<Absence> {
    let object = split.files().extents().object();
    if !object.is_versioned() {
        return None;
    }
    let what = match need {
        Need::Expansion {
            field, expansion, ..
        } => match expansion {
            Expansion::Automaton(automaton) => Absent::Pattern(
                *field,
                automaton.beginning().to_vec(),
                automaton.source().to_owned(),
            ),
            Expansion::Range(lower, upper) => Absent::Range(*field, lower.clone(), upper.clone()),
        },
        Need::Term { term, .. } => Absent::Term(term.clone()),
        Need::Collector(_)
        | Need::Column { .. }
        | Need::Norms { .. }
        | Need::Opaque { .. }
        | Need::Whole(_) => return None,
    };
    Some(Absence {
        object: object.clone(),
        segment,
        what,
    })
}
