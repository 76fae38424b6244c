//! One thing that a request reads.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::columnar::ColumnType;
use tantivy::query::Query;
use tantivy::schema::Field;
use tantivy::{SegmentReader, Term};

use super::collector::ProbeCollector;
use crate::filter::Expansion;

/// One thing that a request reads, in every segment.
pub(crate) enum Need {
    /// A collector of the caller's: to be probed.
    Collector(Arc<dyn ProbeCollector>),
    /// The columns of a name.
    Column {
        /// As a user spells it: what `FastFieldReaders` resolves.
        name: String,
        /// The types that are read; `None` is any.
        types: Option<Vec<ColumnType>>,
        /// Whether columns of the JSON paths below are read too.
        subpaths: bool,
    },
    /// The entries and postings of the terms that a clause stands for, maybe their positions.
    Expansion {
        field: Field,
        expansion: Expansion,
        positions: bool,
        /// How many of them are wanted, if not all.
        first: Option<u32>,
    },
    /// The norms of a field, which scores use.
    Norms { field: Field },
    /// A query whose needs are not known: to be probed.
    Opaque { query: Box<dyn Query>, scored: bool },
    /// A term's entry in the dictionary, its postings, and maybe its positions.
    Term { term: Term, reads: TermReads },
    /// Everything of one kind, whatever will be asked.
    Whole(Whole),
}

/// What can be read whole, beside columns and norms, which always are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whole {
    Dictionary(Field),
    Documents,
    Positions(Field),
    Postings(Field),
}

/// What is read of a term beyond its entry in the dictionary.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum TermReads {
    /// Nothing where no document is deleted, else as [`Matching`](Self::Matching): its documents are
    /// only counted.
    Count,
    /// The postings, but where every document has it: it is not scored.
    Matching,
    Postings,
    /// The postings and the positions.
    Positions,
}

impl TermReads {
    /// What a query of one term reads.
    pub(crate) fn of_term(scored: bool) -> Self {
        if scored {
            Self::Postings
        } else {
            Self::Matching
        }
    }

    /// Whether the postings of a term in `doc_freq` documents of a segment are read.
    pub(crate) fn has_postings(self, doc_freq: u32, reader: &SegmentReader) -> bool {
        match self {
            Self::Count if !reader.has_deletes() => false,
            // tantivy then answers with all documents.
            Self::Count | Self::Matching => doc_freq != reader.max_doc(),
            Self::Postings | Self::Positions => true,
        }
    }
}

impl Need {
    /// The field whose dictionary it reads.
    pub(crate) fn field(&self) -> Option<Field> {
        match self {
            Self::Expansion { field, .. } => Some(*field),
            Self::Term { term, .. } => Some(term.field()),
            Self::Collector(_)
            | Self::Column { .. }
            | Self::Norms { .. }
            | Self::Opaque { .. }
            | Self::Whole(_) => None,
        }
    }

    /// Whether what it reads is only known by letting it read.
    pub(crate) fn is_opaque(&self) -> bool {
        matches!(self, Self::Collector(_) | Self::Opaque { .. })
    }
}

/// What makes two needs of columns one.
type ColumnKey = (String, Option<Vec<ColumnType>>, bool);

/// Gathers needs, each once, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Needs {
    needs: Vec<Need>,
    /// Where in `needs` a term is: a later need of its positions is added to it.
    terms: HashMap<Term, usize>,
    columns: HashMap<ColumnKey, usize>,
    norms: HashMap<Field, usize>,
    /// Where expansions are: they are few, so they are compared one by one.
    expansions: Vec<usize>,
}

impl Needs {
    pub(crate) fn term(&mut self, term: &Term, reads: TermReads) -> usize {
        if let Some(&index) = self.terms.get(term) {
            if let Some(Need::Term { reads: known, .. }) = self.needs.get_mut(index) {
                *known = reads.max(*known);
            }
            return index;
        }
        self.terms.insert(term.clone(), self.needs.len());
        self.push(Need::Term {
            term: term.clone(),
            reads,
        })
    }

    pub(crate) fn expansion(
        &mut self,
        field: Field,
        expansion: &Expansion,
        positions: bool,
        first: Option<u32>,
    ) -> usize {
        let same = |index: &&usize| {
            matches!(&self.needs[**index], Need::Expansion {
                field: of,
                expansion: known,
                positions: with_positions,
                first: wanted,
            } if (*of, *with_positions, *wanted) == (field, positions, first) && known == expansion)
        };
        if let Some(&index) = self.expansions.iter().find(same) {
            return index;
        }
        self.expansions.push(self.needs.len());
        self.push(Need::Expansion {
            field,
            expansion: expansion.clone(),
            positions,
            first,
        })
    }

    pub(crate) fn column(
        &mut self,
        name: &str,
        types: Option<&[ColumnType]>,
        subpaths: bool,
    ) -> usize {
        let types = types.map(<[ColumnType]>::to_vec);
        let key = (name.to_owned(), types.clone(), subpaths);
        if let Some(&index) = self.columns.get(&key) {
            return index;
        }
        self.columns.insert(key, self.needs.len());
        self.push(Need::Column {
            name: name.to_owned(),
            types,
            subpaths,
        })
    }

    pub(crate) fn norms(&mut self, field: Field) -> usize {
        if let Some(&index) = self.norms.get(&field) {
            return index;
        }
        self.norms.insert(field, self.needs.len());
        self.push(Need::Norms { field })
    }

    pub(crate) fn opaque(&mut self, query: Box<dyn Query>, scored: bool) -> usize {
        self.push(Need::Opaque { query, scored })
    }

    fn push(&mut self, need: Need) -> usize {
        self.needs.push(need);
        self.needs.len() - 1
    }

    pub(crate) fn len(&self) -> usize {
        self.needs.len()
    }

    pub(crate) fn into_vec(self) -> Vec<Need> {
        self.needs
    }
}
