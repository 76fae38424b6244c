//! One need in one segment, probed: its reads are made over what is in memory.

use std::ops::Range;
use std::sync::Arc;

use tantivy::directory::FileSlice;
use tantivy::index::SegmentComponent;
use tantivy::postings::TermInfo;
use tantivy::query::EnableScoring;
use tantivy::schema::Field;
use tantivy::{HasLen, InvertedIndexReader};

use crate::directory::Probe;
use crate::filter::{Expanded, Expansion, ExpansionSettings, PastLimit, is_past_limit};
use crate::needs::{Need, TermReads, Whole};
use crate::split::Split;

/// A split, seen through a probe.
pub(super) struct Prober<'a> {
    pub(super) split: &'a Split,
    pub(super) probe: &'a Probe,
    pub(super) limits: &'a ExpansionSettings,
}

impl Prober<'_> {
    /// Reads what `need` reads in a segment. Answers whether the segment has what is needed;
    /// nothing when that cannot be said, or not yet: then misses were recorded.
    ///
    /// # Errors
    ///
    /// Those of tantivy's readers, which mean nothing when misses were recorded.
    pub(super) fn read(&self, need: &Need, segment: usize) -> tantivy::Result<Option<bool>> {
        let reader = self.split.searcher().segment_reader(segment as u32);
        match need {
            Need::Collector(collector) => {
                collector.probe(segment as u32, reader)?;
                Ok(None)
            }
            Need::Column {
                name,
                types,
                subpaths,
            } => {
                let columns = reader.fast_fields();
                let mut handles = columns.dynamic_column_handles(name)?;
                if *subpaths {
                    handles.extend(columns.dynamic_subpath_column_handles(name)?);
                }
                handles.retain(|handle| {
                    let typ = handle.column_type();
                    types.as_ref().is_none_or(|types| types.contains(&typ))
                });
                for handle in &handles {
                    self.read_data(handle.file_slice())?;
                }
                Ok(Some(!handles.is_empty()))
            }
            Need::Expansion {
                field,
                expansion,
                positions,
                first,
            } => {
                let index = self.inverted_index(segment, *field)?;
                let terms = match self.expand(&index, *field, expansion, *first) {
                    // What is too much to be warmed is read on demand.
                    Err(error)
                        if self.limits.past_limit == PastLimit::Stream && is_past_limit(&error) =>
                    {
                        return Ok(Some(true));
                    }
                    Err(error) => return Err(error),
                    Ok(None) => return Ok(None),
                    Ok(Some(terms)) => terms,
                };
                for info in &terms {
                    self.read_postings(segment, *field, info, *positions)?;
                }
                Ok(Some(!terms.is_empty()))
            }
            Need::Norms { field } => {
                let mut norms = Ok(None);
                self.probe
                    .as_data(|| norms = reader.fieldnorms_readers().get_field(*field));
                norms?;
                Ok(None)
            }
            Need::Opaque { query, scored } => {
                let searcher = self.split.searcher();
                let scoring = if *scored {
                    EnableScoring::enabled_from_searcher(searcher)
                } else {
                    EnableScoring::disabled_from_searcher(searcher)
                };
                query.weight(scoring)?.scorer(reader, 1.0)?;
                Ok(None)
            }
            Need::Term { term, reads } => {
                let field = term.field();
                let index = self.inverted_index(segment, field)?;
                let info = index.get_term_info(term)?;
                if let Some(info) = &info
                    && reads.has_postings(info.doc_freq, reader)
                {
                    let positions = *reads == TermReads::Positions;
                    self.read_postings(segment, field, info, positions)?;
                }
                Ok(Some(info.is_some()))
            }
            Need::Whole(whole) => {
                let files = &self.split.segments()[segment];
                let file = match *whole {
                    Whole::Dictionary(field) => files.terms.open_read(field),
                    Whole::Documents => Some(reader.open_read(SegmentComponent::Store)?),
                    Whole::Positions(field) => files.positions.open_read(field),
                    Whole::Postings(field) => files.postings.open_read(field),
                };
                file.map_or(Ok(()), |file| self.read_data(&file))?;
                Ok(None)
            }
        }
    }

    /// The terms that a clause stands for, within the limits; nothing when blocks of the
    /// dictionary are missing, which were recorded.
    fn expand(
        &self,
        index: &InvertedIndexReader,
        field: Field,
        expansion: &Expansion,
        first: Option<u32>,
    ) -> tantivy::Result<Option<Vec<TermInfo>>> {
        let schema = self.split.searcher().schema();
        let mut expanded = Expanded::new(self.limits, schema, field);
        expanded.check_dictionary(expansion.run_bytes(index, first))?;
        let (touched, missing) = self.probe.list(|| expansion.touch(index));
        touched?;
        let bytes = missing.iter().map(|range| range.end - range.start).sum();
        expanded.check_dictionary(bytes)?;
        if !missing.is_empty() {
            self.probe.record_index(missing);
            return Ok(None);
        }
        let mut terms = Vec::new();
        expansion.for_each(index, first, |info| {
            expanded.add(info.postings_range.len())?;
            terms.push(info.clone());
            Ok(())
        })?;
        Ok(Some(terms))
    }

    /// Opens a field's dictionary. An FST is read whole when it opens, by several reads that wait for
    /// each other; asking for all of it first makes that one range in one round.
    fn inverted_index(
        &self,
        segment: usize,
        field: Field,
    ) -> tantivy::Result<Arc<InvertedIndexReader>> {
        let split = self.split;
        let reader = split.searcher().segment_reader(segment as u32);
        let files = &split.segments()[segment];
        let is_open = files.opening(field).is_some_and(|opening| opening.is_done);
        let before = self.probe.index_len();
        let open = || {
            if cfg!(not(feature = "sstable"))
                && !is_open
                && let Some(dictionary) = files.terms.open_read(field)
            {
                dictionary.read_bytes()?;
            }
            reader.inverted_index(field)
        };
        let index = open();
        if !is_open {
            files.opens(field, self.probe.index_since(before), index.is_ok());
        }
        index
    }

    fn read_postings(
        &self,
        segment: usize,
        field: Field,
        info: &TermInfo,
        positions: bool,
    ) -> tantivy::Result<()> {
        let Some(files) = self.split.segments().get(segment) else {
            return Ok(());
        };
        if let Some(file) = files.postings.open_read(field) {
            let range = &info.postings_range;
            let header = POSTINGS_HEADER_BYTES;
            self.read_data(&part(&file, range.start + header..range.end + header)?)?;
        }
        if positions && let Some(file) = files.positions.open_read(field) {
            self.read_data(&part(&file, info.positions_range.clone())?)?;
        }
        Ok(())
    }

    /// Reads what the search will read; in a probe only for the range to be known.
    fn read_data(&self, file: &FileSlice) -> tantivy::Result<()> {
        let mut read = Ok(());
        let present = self.probe.as_data(|| read = file.read_bytes().map(drop));
        // A miss is recorded; any other failure is the file's own.
        if present { Ok(read?) } else { Ok(()) }
    }
}

/// A field's postings begin with the number of its tokens, which is hot.
const POSTINGS_HEADER_BYTES: usize = 8;

fn part(file: &FileSlice, range: Range<usize>) -> tantivy::Result<FileSlice> {
    if range.start <= range.end && range.end <= file.len() {
        return Ok(file.slice(range));
    }
    Err(tantivy::TantivyError::DataCorruption(
        tantivy::error::DataCorruption::comment_only(format!(
            "a term points at {range:?} of a file of {} bytes",
            file.len()
        )),
    ))
}
