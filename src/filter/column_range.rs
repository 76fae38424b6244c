//! Ranges over columns, for every type of column.
//!
//! tantivy has a query for this, which this one follows in how it walks a column (batches that
//! grow while nobody seeks). It is not used because it panics on JSON bounds of two numeric types,
//! takes some bounds beyond the range of a column's type for no bound at all, refuses booleans and
//! misses JSON keys that contain a dot. Values here are compared exactly, whatever type the column
//! of a segment happens to have.

use std::fmt::Debug;
use std::net::Ipv6Addr;
use std::ops::{Bound, RangeInclusive};

use tantivy::columnar::{Column, ColumnType, DynamicColumn, DynamicColumnHandle, StrColumn};
use tantivy::query::{
    AllScorer, BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer,
    Weight,
};
use tantivy::{BitSet, DateTime, DocId, DocSet, Score, SegmentReader, TERMINATED};

use crate::filter::TermAutomaton;
use crate::filter::numbers::NumberRange;
use crate::filter::queries::explain_constant;

/// Values of a column, by the family of their type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnValues {
    /// Addresses; version 4 mapped into version 6.
    Addresses(RangeInclusive<Ipv6Addr>),
    Bools(RangeInclusive<bool>),
    /// Strings or bytes.
    Bytes(Bound<Vec<u8>>, Bound<Vec<u8>>),
    /// Dates, in nanoseconds since 1970.
    Dates(RangeInclusive<i64>),
    Numbers(NumberRange),
    /// Strings that an automaton accepts.
    Pattern(TermAutomaton),
}

/// Documents with a value of a column in a range, all with the same score.
#[derive(Clone, Debug)]
pub(crate) struct ColumnRangeQuery {
    column: String,
    types: Vec<ColumnType>,
    values: ColumnValues,
    scored: bool,
}

impl ColumnRangeQuery {
    pub(crate) fn new(column: String, types: Vec<ColumnType>, values: ColumnValues) -> Self {
        Self {
            column,
            types,
            values,
            scored: false,
        }
    }

    pub(crate) fn column(&self) -> &str {
        &self.column
    }

    pub(crate) fn types(&self) -> &[ColumnType] {
        &self.types
    }

    /// The scorer over one column.
    fn column_scorer(
        &self,
        handle: &DynamicColumnHandle,
        boost: Score,
    ) -> tantivy::Result<Box<dyn Scorer>> {
        let column = handle.open()?;
        match (&self.values, column) {
            (ColumnValues::Addresses(range), DynamicColumn::IpAddr(column)) => {
                Ok(self.scorer_over(column, Some(range.clone()), boost))
            }
            (ColumnValues::Bools(range), DynamicColumn::Bool(column)) => {
                Ok(self.scorer_over(column, Some(range.clone()), boost))
            }
            (ColumnValues::Dates(range), DynamicColumn::DateTime(column)) => {
                let first = DateTime::from_timestamp_nanos(*range.start());
                let last = DateTime::from_timestamp_nanos(*range.end());
                Ok(self.scorer_over(column, Some(first..=last), boost))
            }
            (ColumnValues::Numbers(range), DynamicColumn::I64(column)) => {
                Ok(self.scorer_over(column, range.within_i64(), boost))
            }
            (ColumnValues::Numbers(range), DynamicColumn::U64(column)) => {
                Ok(self.scorer_over(column, range.within_u64(), boost))
            }
            (ColumnValues::Numbers(range), DynamicColumn::F64(column)) => {
                // A JSON path has one column for all numbers: here whole ones became floats.
                let whole_too = self.types.contains(&ColumnType::I64);
                let range = if whole_too {
                    range.roughly_f64()
                } else {
                    range.within_f64()
                };
                Ok(self.scorer_over(column, range, boost))
            }
            (ColumnValues::Bytes(lower, upper), DynamicColumn::Str(column)) => {
                let bounds = column
                    .dictionary()
                    .term_bounds_to_ord(as_ref(lower), as_ref(upper))?;
                Ok(self.scorer_over(column.ords().clone(), ordinals(bounds), boost))
            }
            (ColumnValues::Bytes(lower, upper), DynamicColumn::Bytes(column)) => {
                let bounds = column
                    .dictionary()
                    .term_bounds_to_ord(as_ref(lower), as_ref(upper))?;
                Ok(self.scorer_over(column.ords().clone(), ordinals(bounds), boost))
            }
            (ColumnValues::Pattern(automaton), DynamicColumn::Str(column)) => {
                accepted(automaton, &column, boost)
            }
            _ => Ok(Box::new(EmptyScorer)),
        }
    }

    fn scorer_over<T>(
        &self,
        column: Column<T>,
        range: Option<RangeInclusive<T>>,
        boost: Score,
    ) -> Box<dyn Scorer>
    where
        T: PartialOrd + Copy + Debug + Send + Sync + 'static,
    {
        let Some(range) = range else {
            return Box::new(EmptyScorer);
        };
        let (least, greatest) = (column.min_value(), column.max_value());
        if range.is_empty() || *range.start() > greatest || *range.end() < least {
            return Box::new(EmptyScorer);
        }
        let all = *range.start() <= least
            && greatest <= *range.end()
            && column.get_cardinality() == tantivy::columnar::Cardinality::Full;
        if all {
            let scorer = AllScorer::new(column.num_docs());
            if self.scored {
                return Box::new(ConstScorer::new(scorer, boost));
            }
            // Combinations recognise it, and need not intersect.
            return Box::new(scorer);
        }
        Box::new(ConstScorer::new(ColumnDocs::new(column, range), boost))
    }
}

impl Query for ColumnRangeQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let scored = scoring.is_scoring_enabled();
        Ok(Box::new(Self {
            scored,
            ..self.clone()
        }))
    }
}

impl Weight for ColumnRangeQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let handles = reader.fast_fields().dynamic_column_handles(&self.column)?;
        // A name has at most one column of each family.
        match handles
            .iter()
            .find(|handle| self.types.contains(&handle.column_type()))
        {
            Some(handle) => self.column_scorer(handle, boost),
            None => Ok(Box::new(EmptyScorer)),
        }
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_constant(self, "ColumnRangeQuery", reader, doc)
    }
}

/// The documents with a string that an automaton accepts.
fn accepted(
    automaton: &TermAutomaton,
    column: &StrColumn,
    boost: Score,
) -> tantivy::Result<Box<dyn Scorer>> {
    let ords = column.ords();
    let mut wanted = BitSet::with_max_value(ordinal(column.num_terms() as u64));
    let mut strings = column.dictionary().search(automaton).into_stream()?;
    let mut any = false;
    while strings.advance() {
        wanted.insert(ordinal(strings.term_ord()));
        any = true;
    }
    if !any {
        return Ok(Box::new(EmptyScorer));
    }
    let mut found = BitSet::with_max_value(ords.num_docs());
    for doc in 0..ords.num_docs() {
        if ords
            .values_for_doc(doc)
            .any(|ord| wanted.contains(ordinal(ord)))
        {
            found.insert(doc);
        }
    }
    Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
}

/// The number of a string in a column: a segment has fewer than 2^32 of them.
fn ordinal(ordinal: u64) -> u32 {
    u32::try_from(ordinal).unwrap_or(u32::MAX)
}

fn as_ref(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(bytes) => Bound::Included(bytes),
        Bound::Excluded(bytes) => Bound::Excluded(bytes),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn ordinals((lower, upper): (Bound<u64>, Bound<u64>)) -> Option<RangeInclusive<u64>> {
    let first = match lower {
        Bound::Included(ordinal) => ordinal,
        Bound::Excluded(ordinal) => ordinal.checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let last = match upper {
        Bound::Included(ordinal) => ordinal,
        Bound::Excluded(ordinal) => ordinal.checked_sub(1)?,
        Bound::Unbounded => u64::MAX,
    };
    Some(first..=last)
}

/// How many documents the first batch after a seek looks at.
const FIRST_BATCH: u32 = 128;
/// How many documents a batch looks at, at most.
const LARGEST_BATCH: u32 = 100_000;

/// Walks the documents of a column whose values are in a range, batch by batch.
struct ColumnDocs<T> {
    column: Column<T>,
    range: RangeInclusive<T>,
    /// Documents below this have been looked at.
    looked_at: DocId,
    batch: u32,
    /// What was found in the last batch, ascending.
    found: Vec<DocId>,
    /// The current document within `found`.
    at: usize,
    doc: DocId,
}

impl<T: PartialOrd + Copy + Debug + Send + Sync + 'static> ColumnDocs<T> {
    fn new(column: Column<T>, range: RangeInclusive<T>) -> Self {
        let mut docs = Self {
            column,
            range,
            looked_at: 0,
            batch: FIRST_BATCH,
            found: Vec::new(),
            at: 0,
            doc: 0,
        };
        docs.doc = docs.first_from(0);
        docs
    }

    /// The first document found at `self.at` or later, and not below `target`.
    fn first_from(&mut self, target: DocId) -> DocId {
        loop {
            while let Some(&doc) = self.found.get(self.at) {
                if doc >= target {
                    return doc;
                }
                self.at += 1;
            }
            if self.looked_at >= self.column.num_docs() {
                return TERMINATED;
            }
            let end = self
                .looked_at
                .saturating_add(self.batch)
                .min(self.column.num_docs());
            self.found.clear();
            self.at = 0;
            self.column.get_docids_for_value_range(
                self.range.clone(),
                self.looked_at..end,
                &mut self.found,
            );
            self.looked_at = end;
            self.batch = (self.batch * 2).min(LARGEST_BATCH);
        }
    }
}

impl<T: PartialOrd + Copy + Debug + Send + Sync + 'static> DocSet for ColumnDocs<T> {
    fn advance(&mut self) -> DocId {
        if self.doc != TERMINATED {
            self.doc = self.first_from(self.doc + 1);
        }
        self.doc
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target <= self.doc {
            return self.doc;
        }
        if target > self.looked_at {
            self.found.clear();
            self.at = 0;
            self.looked_at = target.min(self.column.num_docs());
            self.batch = FIRST_BATCH;
        }
        self.doc = self.first_from(target);
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        // Nothing is known of the values; a tenth keeps rarer clauses in the lead.
        self.column.num_docs() / 10
    }

    fn cost(&self) -> u64 {
        // Every value is looked at, though cheaply.
        u64::from(self.column.num_docs())
    }
}
