//! Queries over the inverted index that read no more than the terms they match.
//!
//! tantivy's `TermSetQuery` runs an automaton through the dictionary, which reads its blocks one
//! after another; a look-up per term reads one block each, all at once when warmed.

use std::fmt;
use std::sync::Arc;

use tantivy::postings::TermInfo;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{
    BitSet, DocId, InvertedIndexReader, Score, SegmentReader, TERMINATED, TantivyError, Term,
};

/// Documents with any of several terms of one field, all with the same score.
#[derive(Clone)]
pub(crate) struct TermsQuery {
    field: Field,
    /// Weights have them, too.
    terms: Arc<[Term]>,
}

impl TermsQuery {
    /// All terms are of `field`.
    pub(crate) fn new(field: Field, terms: Vec<Term>) -> Self {
        let terms = terms.into();
        Self { field, terms }
    }

    pub(crate) fn terms(&self) -> &[Term] {
        &self.terms
    }
}

impl fmt::Debug for TermsQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 65,536 terms would drown a log.
        f.debug_struct("TermsQuery")
            .field("terms", &self.terms.len())
            .field("first", &self.terms.first())
            .finish()
    }
}

impl Query for TermsQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }

    fn query_terms<'a>(&'a self, visitor: &mut dyn FnMut(&'a Term, bool)) {
        for term in &*self.terms {
            visitor(term, false);
        }
    }
}

impl Weight for TermsQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let inverted_index = reader.inverted_index(self.field)?;
        let mut union = Union::new(reader);
        for term in &*self.terms {
            if let Some(info) = inverted_index.get_term_info(term)? {
                union.add(&inverted_index, &info)?;
            }
        }
        Ok(union.scorer(boost))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_constant(self, "TermsQuery", reader, doc)
    }
}

/// The documents of several terms.
pub(crate) struct Union {
    docs: BitSet,
    any: bool,
}

impl Union {
    pub(crate) fn new(reader: &SegmentReader) -> Self {
        Self {
            docs: BitSet::with_max_value(reader.max_doc()),
            any: false,
        }
    }

    pub(crate) fn add(
        &mut self,
        index: &InvertedIndexReader,
        info: &TermInfo,
    ) -> tantivy::Result<()> {
        self.any = true;
        let mut postings =
            index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        while !postings.docs().is_empty() {
            for &doc in postings.docs() {
                self.docs.insert(doc);
            }
            postings.advance();
        }
        Ok(())
    }

    pub(crate) fn scorer(self, boost: Score) -> Box<dyn Scorer> {
        if self.any {
            Box::new(ConstScorer::new(BitSetDocSet::from(self.docs), boost))
        } else {
            Box::new(EmptyScorer)
        }
    }
}

/// The explanation of a weight whose documents all have one score.
pub(crate) fn explain_constant(
    weight: &dyn Weight,
    name: &'static str,
    reader: &SegmentReader,
    doc: DocId,
) -> tantivy::Result<Explanation> {
    let mut scorer = weight.scorer(reader, 1.0)?;
    let found = scorer.doc() <= doc && doc < TERMINATED && scorer.seek(doc) == doc;
    if !found {
        let message = format!("document {doc} does not match");
        return Err(TantivyError::InvalidArgument(message));
    }
    Ok(Explanation::new(name, scorer.score()))
}
