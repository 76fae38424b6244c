//! Which named clauses a hit matches.

use std::collections::HashMap;

use rayon::prelude::*;
use tantivy::query::EnableScoring;
use tantivy::{DocAddress, DocId, DocSet, TERMINATED};

use super::prepared::Prepared;
use super::reading::Reading;
use crate::error::{Error, Result};
use crate::pool::guarded;

/// The names of the clauses that each of `hits` matches, in the order of the clauses, each once.
/// A hit is given by its split and its address there.
///
/// Runs on the calling thread, which must be one of the pool's, and its siblings.
pub(super) fn names(
    splits: &[Prepared],
    hits: &[(usize, DocAddress)],
    reading: &Reading,
) -> Result<Vec<Vec<String>>> {
    let mut names = vec![Vec::new(); hits.len()];
    if splits.iter().all(|split| split.extras().named.is_empty()) {
        return Ok(names);
    }
    let mut by_segment: HashMap<(usize, u32), Vec<(DocId, usize)>> = HashMap::new();
    for (place, &(split, address)) in hits.iter().enumerate() {
        let docs = by_segment.entry((split, address.segment_ord)).or_default();
        docs.push((address.doc_id, place));
    }
    let by_segment: Vec<_> = by_segment.into_iter().collect();
    let matched = by_segment
        .into_par_iter()
        .map(|((split, segment), mut docs)| {
            docs.sort_unstable();
            let split = &splits[split];
            guarded(|| reading.enter(|| in_segment(split, segment, &docs)))?
                .map_err(|error| Error::from_tantivy(split.split().path(), error))
        });
    for (place, name) in matched.collect::<Result<Vec<_>>>()?.into_iter().flatten() {
        let names: &mut Vec<String> = &mut names[place];
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The matches among the documents of one segment, which are sorted.
fn in_segment(
    split: &Prepared,
    segment: u32,
    docs: &[(DocId, usize)],
) -> tantivy::Result<Vec<(usize, String)>> {
    let searcher = split.split().searcher();
    let reader = searcher.segment_reader(segment);
    let mut matched = Vec::new();
    for named in &split.extras().named {
        let weight = named
            .query
            .weight(EnableScoring::disabled_from_searcher(searcher))?;
        let mut scorer = weight.scorer(reader, 1.0)?;
        for &(doc, place) in docs {
            if scorer.doc() < doc {
                scorer.seek(doc);
            }
            match scorer.doc() {
                TERMINATED => break,
                at if at == doc => matched.push((place, named.name.clone())),
                _ => {}
            }
        }
    }
    Ok(matched)
}
