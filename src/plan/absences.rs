//! What splits are known not to hold.

use std::ops::Bound;

use moka::sync::Cache;
use tantivy::Term;
use tantivy::schema::Field;

use crate::filter::Expansion;
use crate::needs::Need;
use crate::split::Split;
use crate::store::ObjectHandle;

/// What an absence costs in memory beside its bytes: its key, and moka's entry.
const OVERHEAD: usize = 256;

/// Terms and expansions that were looked for and not found. Splits never change, so what is absent
/// stays absent; what is forgotten is only looked up again.
#[derive(Clone)]
pub(crate) struct Absences(Cache<Key, ()>);

#[derive(Clone, Eq, Hash, PartialEq)]
struct Key {
    object: ObjectHandle,
    segment: usize,
    what: What,
}

#[derive(Clone, Eq, Hash, PartialEq)]
enum What {
    Pattern(Field, Vec<u8>, String),
    Range(Field, Bound<Vec<u8>>, Bound<Vec<u8>>),
    Term(Term),
}

impl Absences {
    /// Remembers as many as fit into `bytes`.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |key: &Key, (): &()| {
            let what = match &key.what {
                What::Pattern(_, beginning, source) => beginning.len() + source.len(),
                What::Range(_, lower, upper) => {
                    let len = |bound: &Bound<Vec<u8>>| match bound {
                        Bound::Included(bytes) | Bound::Excluded(bytes) => bytes.len(),
                        Bound::Unbounded => 0,
                    };
                    len(lower) + len(upper)
                }
                What::Term(term) => term.serialized_value_bytes().len(),
            };
            u32::try_from(OVERHEAD + key.object.weight() + what).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    pub(crate) fn knows(&self, split: &Split, segment: usize, need: &Need) -> bool {
        self.0.entry_count() > 0
            && key(split, segment, need).is_some_and(|key| self.0.contains_key(&key))
    }

    pub(crate) fn remember(&self, split: &Split, segment: usize, need: &Need) {
        if let Some(key) = key(split, segment, need) {
            self.0.insert(key, ());
        }
    }

    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }

    /// How many are remembered, about.
    pub(crate) fn len(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}

/// Columns are left out: which there are is in the hot bytes. So is an object whose replacement
/// could not be told from it.
fn key(split: &Split, segment: usize, need: &Need) -> Option<Key> {
    let object = split.files().extents().object();
    if !object.is_versioned() {
        return None;
    }
    let what = match need {
        Need::Expansion {
            field, expansion, ..
        } => match expansion {
            Expansion::Automaton(automaton) => What::Pattern(
                *field,
                automaton.beginning().to_vec(),
                automaton.source().to_owned(),
            ),
            Expansion::Range(lower, upper) => What::Range(*field, lower.clone(), upper.clone()),
        },
        Need::Term { term, .. } => What::Term(term.clone()),
        Need::Collector(_) | Need::Column { .. } | Need::Norms { .. } | Need::Opaque { .. } => {
            return None;
        }
    };
    Some(Key {
        object: object.clone(),
        segment,
        what,
    })
}
