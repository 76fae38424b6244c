//! Clauses that stand for many terms: a range of a dictionary, or what a pattern accepts.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
#[cfg(feature = "sstable")]
use tantivy::HasLen;
use tantivy::postings::TermInfo;
use tantivy::query::{EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, Schema};
use tantivy::{DocId, InvertedIndexReader, Score, SegmentReader};

use crate::error::{Error, ErrorKind};
use crate::filter::automaton::TermAutomaton;
use crate::filter::kept_terms::KeptTerms;
use crate::filter::queries::{Union, explain_constant};

/// How far one clause may expand in one segment: prefixes, wildcards, regular expressions, fuzzy
/// terms and ranges of terms. Terms that a request names one by one are not bounded here.
///
/// ```
/// use forewarm::{ExpansionSettings, PastLimit};
///
/// let settings: ExpansionSettings =
///     serde_json::from_str(r#"{"max_terms": 1000, "past_limit": "stream"}"#)?;
/// assert_eq!(settings.past_limit, PastLimit::Stream);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExpansionSettings {
    /// Terms. Default 65,536, as many as `terms` may name.
    pub max_terms: u64,
    /// Bytes of the postings of these terms, and of the dictionary's blocks that are searched for
    /// them, each. Default 64 MiB: an eighth of what warmups may hold by default.
    pub max_bytes: u64,
    /// What happens past either. Default `fail`.
    pub past_limit: PastLimit,
}

/// What happens to a request one of whose clauses expands too far.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PastLimit {
    /// It fails with [`ErrorKind::LimitExceeded`], naming the field and the limit.
    #[default]
    Fail,
    /// The clause is not warmed: the search reads it on demand, in late reads.
    Stream,
}

impl Default for ExpansionSettings {
    fn default() -> Self {
        Self {
            max_terms: 65_536,
            max_bytes: 64 << 20,
            past_limit: PastLimit::default(),
        }
    }
}

impl ExpansionSettings {
    /// Sets [`max_terms`](Self::max_terms).
    pub fn with_max_terms(mut self, terms: u64) -> Self {
        self.max_terms = terms;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`past_limit`](Self::past_limit).
    pub fn with_past_limit(mut self, then: PastLimit) -> Self {
        self.past_limit = then;
        self
    }
}

/// Which terms of a field a clause stands for.
#[derive(Clone, PartialEq)]
pub(crate) enum Expansion {
    /// Those that a pattern accepts.
    Automaton(TermAutomaton),
    /// Those between two bounds, compared with [`tantivy::Term::serialized_value_bytes`].
    Range(Bound<Vec<u8>>, Bound<Vec<u8>>),
}

impl Expansion {
    /// Visits the terms of a segment in their order. `first` says that no more than so many are
    /// wanted; it may be some more.
    pub(crate) fn for_each(
        &self,
        index: &InvertedIndexReader,
        first: Option<u32>,
        mut visit: impl FnMut(&TermInfo) -> tantivy::Result<()>,
    ) -> tantivy::Result<()> {
        match self {
            Self::Automaton(automaton) => {
                let search = index.terms().search(automaton).without_keys();
                let mut terms = search.into_stream()?;
                while terms.advance() {
                    visit(terms.value())?;
                }
            }
            Self::Range(lower, upper) => {
                let mut range = index.terms().range().without_keys();
                range = match lower {
                    Bound::Included(bytes) => range.ge(bytes),
                    Bound::Excluded(bytes) => range.gt(bytes),
                    Bound::Unbounded => range,
                };
                range = match upper {
                    Bound::Included(bytes) => range.le(bytes),
                    Bound::Excluded(bytes) => range.lt(bytes),
                    Bound::Unbounded => range,
                };
                // Fewer blocks are read; a dictionary that is no SSTable is in memory whole.
                #[cfg(feature = "sstable")]
                if let Some(first) = first {
                    range = range.limit(first.into());
                }
                let mut terms = range.into_stream()?;
                let mut left = first.unwrap_or(u32::MAX);
                while left > 0 && terms.advance() {
                    visit(terms.value())?;
                    left -= u32::from(first.is_some());
                }
            }
        }
        Ok(())
    }

    /// Reads the dictionary's blocks that visiting reads, and nothing in them. An automaton's
    /// blocks lie apart; where a reader stops at the first miss, this one meets them all.
    pub(crate) fn touch(&self, index: &InvertedIndexReader) -> io::Result<()> {
        match self {
            Self::Automaton(automaton) => index.terms().search(automaton).into_stream().map(drop),
            Self::Range(..) => Ok(()),
        }
    }

    /// Bytes of the dictionary that visiting reads in one run; 0 where it is not one.
    pub(crate) fn run_bytes(&self, index: &InvertedIndexReader, first: Option<u32>) -> u64 {
        match self {
            #[cfg(feature = "sstable")]
            Self::Range(lower, upper) => {
                let bounds = (
                    lower.as_ref().map(Vec::as_slice),
                    upper.as_ref().map(Vec::as_slice),
                );
                let limit = first.map(u64::from);
                index.terms().file_slice_for_range(bounds, limit).len() as u64
            }
            _ => {
                let _ = (index, first);
                0
            }
        }
    }
}

impl fmt::Debug for Expansion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |bytes: &Vec<u8>| bytes.escape_ascii().to_string();
        match self {
            Self::Automaton(automaton) => automaton.fmt(f),
            Self::Range(lower, upper) => {
                match lower {
                    Bound::Included(bytes) => write!(f, "[{}", shown(bytes))?,
                    Bound::Excluded(bytes) => write!(f, "]{}", shown(bytes))?,
                    Bound::Unbounded => f.write_str("]")?,
                }
                f.write_str(", ")?;
                match upper {
                    Bound::Included(bytes) => write!(f, "{}]", shown(bytes)),
                    Bound::Excluded(bytes) => write!(f, "{}[", shown(bytes)),
                    Bound::Unbounded => f.write_str("["),
                }
            }
        }
    }
}

/// Counts what an expansion comes to in one segment, and refuses it past the limits.
pub(crate) struct Expanded<'a> {
    limits: &'a ExpansionSettings,
    /// Whose terms they are, for the error.
    field: &'a str,
    terms: u64,
    bytes: u64,
}

impl<'a> Expanded<'a> {
    pub(crate) fn new(limits: &'a ExpansionSettings, schema: &'a Schema, field: Field) -> Self {
        Self {
            limits,
            field: schema.get_field_name(field),
            terms: 0,
            bytes: 0,
        }
    }

    /// Counts a term whose data takes `bytes`.
    pub(crate) fn add(&mut self, bytes: usize) -> tantivy::Result<()> {
        self.terms += 1;
        self.bytes += bytes as u64;
        let ExpansionSettings {
            max_terms,
            max_bytes,
            ..
        } = self.limits;
        if self.terms > *max_terms {
            return Err(self.error(format_args!("more than {max_terms} terms")));
        }
        if self.bytes > *max_bytes {
            let what = format_args!("terms with more than {max_bytes} bytes of postings");
            return Err(self.error(what));
        }
        Ok(())
    }

    /// Checks the bytes of the dictionary that have to be looked through.
    pub(crate) fn check_dictionary(&self, bytes: u64) -> tantivy::Result<()> {
        let most = self.limits.max_bytes;
        if bytes > most {
            let what = format_args!("{bytes} bytes of its dictionary, more than {most}");
            return Err(self.error(what));
        }
        Ok(())
    }

    fn error(&self, what: fmt::Arguments<'_>) -> tantivy::TantivyError {
        let field = self.field;
        let error = Error::new(
            ErrorKind::LimitExceeded,
            format!(
                "a prefix, pattern or range on {field:?} expands to {what}: narrow it, or raise \
                 the limit in the settings under `expansion`, where `past_limit` can also be \
                 `stream`"
            ),
        );
        io::Error::other(error).into()
    }
}

/// Whether an error says that an expansion went past its limits.
pub(crate) fn is_past_limit(error: &tantivy::TantivyError) -> bool {
    let tantivy::TantivyError::IoError(error) = error else {
        return false;
    };
    let ours = error.get_ref().and_then(|it| it.downcast_ref::<Error>());
    ours.is_some_and(|error| error.kind() == ErrorKind::LimitExceeded)
}

/// Documents with any of the terms that a clause stands for, all with the same score.
#[derive(Clone, Debug)]
pub(crate) struct ExpansionQuery(Arc<Expanding>);

/// A clause that expands in each segment that is searched.
#[derive(Debug)]
pub(super) struct Expanding {
    field: Field,
    expansion: Expansion,
    limits: ExpansionSettings,
}

impl ExpansionQuery {
    pub(crate) fn new(field: Field, expansion: Expansion, limits: ExpansionSettings) -> Self {
        Self(Arc::new(Expanding::new(field, expansion, limits)))
    }

    pub(crate) fn field(&self) -> Field {
        self.0.field
    }

    pub(crate) fn expansion(&self) -> &Expansion {
        &self.0.expansion
    }
}

impl Expanding {
    pub(super) fn new(field: Field, expansion: Expansion, limits: ExpansionSettings) -> Self {
        Self {
            field,
            expansion,
            limits,
        }
    }

    /// The terms in a segment, in their order.
    fn terms(
        &self,
        index: &InvertedIndexReader,
        schema: &Schema,
    ) -> tantivy::Result<Vec<TermInfo>> {
        let mut expanded = Expanded::new(&self.limits, schema, self.field);
        let mut terms = Vec::new();
        self.expansion.for_each(index, None, |info| {
            expanded.add(info.postings_range.len())?;
            terms.push(info.clone());
            Ok(())
        })?;
        Ok(terms)
    }
}

impl Query for ExpansionQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for ExpansionQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let Self(expanding) = self;
        let index = reader.inverted_index(expanding.field)?;
        let mut union = Union::new(reader);
        let mut add = |info: &TermInfo| union.add(&index, info);
        if expanding.limits.past_limit == PastLimit::Stream {
            expanding.expansion.for_each(&index, None, add)?;
        } else {
            // No postings are read before it is known how many there are.
            let expand = || expanding.terms(&index, reader.schema());
            KeptTerms::visit(expanding, reader.segment_id(), expand, &mut add)?;
        }
        Ok(union.scorer(boost))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_constant(self, "ExpansionQuery", reader, doc)
    }
}
