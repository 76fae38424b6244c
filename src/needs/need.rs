//! One thing that a request reads.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use tantivy::Term;
use tantivy::columnar::ColumnType;
use tantivy::query::Query;
use tantivy::schema::Field;

use super::collector::ProbeCollector;

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
    /// The norms of a field, which scores use.
    Norms { field: Field },
    /// A query whose needs are not known: to be probed.
    Opaque { query: Box<dyn Query>, scored: bool },
    /// A term's entry in the dictionary, its postings, and maybe its positions.
    Term { term: Term, positions: bool },
    /// The entries and postings of the terms between two bounds, which are compared with
    /// [`Term::serialized_value_bytes`].
    TermRange {
        field: Field,
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
    },
}

impl Need {
    /// Whether what it reads is only known by letting it read.
    pub(crate) fn is_opaque(&self) -> bool {
        matches!(self, Self::Collector(_) | Self::Opaque { .. })
    }
}

/// What makes two term ranges one.
type TermRangeKey = (Field, Bound<Vec<u8>>, Bound<Vec<u8>>);
/// What makes two needs of columns one.
type ColumnKey = (String, Option<Vec<ColumnType>>, bool);

/// Gathers needs, each once, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Needs {
    needs: Vec<Need>,
    /// Where in `needs` a term is: a later need of its positions is added to it.
    terms: HashMap<Term, usize>,
    term_ranges: HashSet<TermRangeKey>,
    columns: HashSet<ColumnKey>,
    norms: HashSet<Field>,
}

impl Needs {
    pub(crate) fn term(&mut self, term: &Term, positions: bool) {
        if let Some(&index) = self.terms.get(term) {
            if let Some(Need::Term {
                positions: known, ..
            }) = self.needs.get_mut(index)
            {
                *known |= positions;
            }
            return;
        }
        self.terms.insert(term.clone(), self.needs.len());
        self.needs.push(Need::Term {
            term: term.clone(),
            positions,
        });
    }

    pub(crate) fn term_range(
        &mut self,
        field: Field,
        lower: &Bound<Vec<u8>>,
        upper: &Bound<Vec<u8>>,
    ) {
        if self
            .term_ranges
            .insert((field, lower.clone(), upper.clone()))
        {
            let (lower, upper) = (lower.clone(), upper.clone());
            self.needs.push(Need::TermRange {
                field,
                lower,
                upper,
            });
        }
    }

    pub(crate) fn column(&mut self, name: &str, types: Option<&[ColumnType]>, subpaths: bool) {
        let types = types.map(<[ColumnType]>::to_vec);
        if self
            .columns
            .insert((name.to_owned(), types.clone(), subpaths))
        {
            self.needs.push(Need::Column {
                name: name.to_owned(),
                types,
                subpaths,
            });
        }
    }

    pub(crate) fn norms(&mut self, field: Field) {
        if self.norms.insert(field) {
            self.needs.push(Need::Norms { field });
        }
    }

    pub(crate) fn opaque(&mut self, query: Box<dyn Query>, scored: bool) {
        self.needs.push(Need::Opaque { query, scored });
    }

    pub(crate) fn into_vec(self) -> Vec<Need> {
        self.needs
    }
}
