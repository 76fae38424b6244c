//! Documents by the numbers that are their ids.

use std::collections::HashMap;

use tantivy::index::SegmentId;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::{BitSet, DocId, Score, SegmentReader, TantivyError};

use crate::filter::queries::explain_constant;

/// Documents by the number of their segment in the searcher and their own in the segment, all with
/// the same score. It reads nothing.
#[derive(Clone, Debug)]
pub(crate) struct IdsQuery {
    /// Sorted, without duplicates.
    addresses: Vec<(u32, DocId)>,
}

/// The same, once it is known which segment has which number.
struct IdsWeight {
    documents: HashMap<SegmentId, Vec<DocId>>,
}

impl IdsQuery {
    pub(crate) fn new(addresses: Vec<(u32, DocId)>) -> Self {
        Self { addresses }
    }
}

impl Query for IdsQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let Some(searcher) = scoring.searcher() else {
            let message = "ids need a searcher, which numbers its segments".to_owned();
            return Err(TantivyError::InvalidArgument(message));
        };
        let mut documents: HashMap<SegmentId, Vec<DocId>> = HashMap::new();
        for &(segment, doc) in &self.addresses {
            let reader = usize::try_from(segment)
                .ok()
                .and_then(|segment| searcher.segment_readers().get(segment));
            if let Some(reader) = reader {
                documents.entry(reader.segment_id()).or_default().push(doc);
            }
        }
        Ok(Box::new(IdsWeight { documents }))
    }
}

impl Weight for IdsWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let Some(documents) = self.documents.get(&reader.segment_id()) else {
            return Ok(Box::new(EmptyScorer));
        };
        let mut found = BitSet::with_max_value(reader.max_doc());
        for &doc in documents.iter().filter(|doc| **doc < reader.max_doc()) {
            found.insert(doc);
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        explain_constant(self, "IdsQuery", reader, doc)
    }
}
