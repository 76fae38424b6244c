//! Fragments of stored texts with the words of the query marked.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};
use tantivy::schema::document::Document;
use tantivy::schema::{Field, OwnedValue, TantivyDocument};
use tantivy::snippet::SnippetGenerator;
use tantivy::{Score, Searcher};

use super::leaves::collect_leaves;
use super::prepared::Prepared;
use crate::filter::{BoundHighlight, HighlightField};

/// What of a split's documents is shown, and how.
pub(super) struct Highlighter {
    fields: Vec<FieldHighlighter>,
}

struct FieldHighlighter {
    name: String,
    field: Field,
    json_path: String,
    /// Whether dots within keys part paths too.
    expands: bool,
    snippets: SnippetGenerator,
    settings: HighlightField,
}

impl Highlighter {
    /// For the texts of one split. Words weigh by how rare they are over all splits: what their
    /// dictionaries tell of it, which they do in the read scope of the calling thread; what is not
    /// in memory counts as rare.
    pub(super) fn new(split: &Prepared, splits: &[Prepared], bound: Vec<BoundHighlight>) -> Self {
        let schema = split.split().schema();
        let fields = bound.into_iter().map(|bound| {
            let mut terms: BTreeMap<String, Score> = BTreeMap::new();
            split.query().query_terms(&mut |term, _| {
                if term.field() != bound.field {
                    return;
                }
                let bytes = term.serialized_value_bytes();
                let text = bytes.strip_prefix(bound.prefix.as_slice());
                let Some(Ok(text)) = text.map(str::from_utf8) else {
                    return;
                };
                if !terms.contains_key(text) {
                    let frequency: u64 = splits
                        .iter()
                        .map(|other| frequency(other.split().searcher(), &bound.root, bytes))
                        .fold(0, u64::saturating_add);
                    // As tantivy's own snippets weigh them.
                    terms.insert(text.to_owned(), 1.0 / (1.0 + frequency as Score));
                }
            });
            let longest = match bound.settings.number_of_fragments {
                0 => usize::MAX,
                _ => bound.settings.fragment_size,
            };
            FieldHighlighter {
                snippets: SnippetGenerator::new(terms, bound.tokenizer, bound.field, longest),
                name: bound.name,
                field: bound.field,
                json_path: bound.json_path,
                expands: schema.get_field_entry(bound.field).is_expand_dots_enabled(),
                settings: bound.settings,
            }
        });
        Self {
            fields: fields.collect(),
        }
    }

    /// Whether nothing is shown.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fragments of a document by field; fields without a marked word left out.
    pub(super) fn fragments(&self, document: &TantivyDocument) -> Map<String, Value> {
        let mut found = Map::new();
        for field in &self.fields {
            let mut leaves = Vec::new();
            for (of, value) in document.iter_fields_and_values() {
                if of == field.field {
                    let value = serde_json::to_value(OwnedValue::from(value));
                    collect_leaves(value.unwrap_or_default(), "", field.expands, &mut leaves);
                }
            }
            let texts = leaves.iter().filter(|(path, _)| *path == field.json_path);
            let texts: Vec<&str> = texts.filter_map(|(_, value)| value.as_str()).collect();
            let fragments = field.fragments(&texts);
            if !fragments.is_empty() {
                found.insert(field.name.clone(), fragments.into());
            }
        }
        found
    }
}

/// In how many documents of a split a term stands, deleted ones included.
fn frequency(searcher: &Searcher, field: &str, term: &[u8]) -> u64 {
    let Ok(field) = searcher.schema().get_field(field) else {
        return 0;
    };
    let segments = searcher.segment_readers().iter();
    let frequency = |reader: &tantivy::SegmentReader| -> tantivy::Result<u32> {
        let info = reader.inverted_index(field)?.terms().get(term)?;
        Ok(info.map_or(0, |info| info.doc_freq))
    };
    segments
        .map(|reader| u64::from(frequency(reader).unwrap_or(0)))
        .sum()
}

/// A part of a text, and what is marked in it.
struct Fragment {
    /// Which of the field's texts.
    text: usize,
    range: Range<usize>,
    marked: Vec<Range<usize>>,
}

impl FieldHighlighter {
    fn fragments(&self, texts: &[&str]) -> Vec<String> {
        if self.settings.number_of_fragments == 0 {
            let whole = texts.iter().enumerate().filter_map(|(number, text)| {
                let mut fragment = self.best(number, text, 0..text.len())?;
                fragment.range = 0..text.len();
                Some(self.marked(text, &fragment))
            });
            return whole.collect();
        }
        let mut chosen: Vec<Fragment> = Vec::new();
        // The best of each part of the texts that nothing was chosen of yet.
        let mut candidates: Vec<(Fragment, Range<usize>)> = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            let all = 0..text.len();
            candidates.extend(self.best(number, text, all.clone()).map(|best| (best, all)));
        }
        while chosen.len() < self.settings.number_of_fragments {
            let most = candidates
                .iter()
                .enumerate()
                .max_by_key(|(at, (fragment, _))| (fragment.marked.len(), usize::MAX - at));
            let Some((at, _)) = most else { break };
            let (fragment, part) = candidates.swap_remove(at);
            let text = texts[fragment.text];
            for rest in [
                part.start..fragment.range.start,
                fragment.range.end..part.end,
            ] {
                let best = self.best(fragment.text, text, rest.clone());
                candidates.extend(best.map(|best| (best, rest)));
            }
            chosen.push(fragment);
        }
        chosen.sort_by_key(|fragment| (fragment.text, fragment.range.start));
        chosen
            .iter()
            .map(|fragment| self.marked(texts[fragment.text], fragment))
            .collect()
    }

    /// tantivy's snippet of a part of a text.
    fn best(&self, number: usize, text: &str, part: Range<usize>) -> Option<Fragment> {
        let snippet = self.snippets.snippet(text.get(part.clone())?);
        if snippet.is_empty() {
            return None;
        }
        let within = snippet.fragment_range();
        let start = part.start + within.start;
        let marked = snippet.highlighted().iter();
        Some(Fragment {
            text: number,
            range: start..part.start + within.end,
            marked: marked.map(|it| start + it.start..start + it.end).collect(),
        })
    }

    fn marked(&self, text: &str, fragment: &Fragment) -> String {
        let mut shown = String::new();
        let mut at = fragment.range.start;
        let mut marked = fragment.marked.clone();
        marked.sort_by_key(|range| (range.start, range.end));
        let mut marked = marked.into_iter().peekable();
        while let Some(mut word) = marked.next() {
            // Tokens may overlap: what touches is marked as one.
            while let Some(next) = marked.next_if(|next| next.start < word.end) {
                word.end = word.end.max(next.end);
            }
            shown.push_str(text.get(at..word.start).unwrap_or_default());
            shown.push_str(&self.settings.pre_tag);
            shown.push_str(text.get(word.clone()).unwrap_or_default());
            shown.push_str(&self.settings.post_tag);
            at = word.end;
        }
        shown.push_str(text.get(at..fragment.range.end).unwrap_or_default());
        shown
    }
}
