//! The table of what is supported, `docs/clauses.md`: made here from what the code does, so that it
//! cannot lie. Every clause meets every shape of field; what `explain` says is held against a
//! strict search that starts from nothing.

mod fields;
mod render;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;

use forewarm::{Component, ErrorKind, Explanation, PackSettings, SearchOptions, SearchRequest};
use serde_json::{Value, json};
use tantivy::TantivyDocument;
use tantivy::collector::Count;

use crate::corpus::{Corpus, index_of};
use crate::expected::query;
use crate::random::{RUNTIME, strict};
use fields::{Family, Fields, Shape};
use render::{Cell, Document};
use rows::{REFUSED, fieldless, rows};

/// Documents of each of two segments.
const DOCUMENTS: u64 = 600;

/// The same documents in a split whose dictionaries are read from the store, and in one whose
/// dictionaries are hot.
struct Room {
    cold: Corpus,
    hot: Corpus,
}

impl Room {
    async fn new(fields: &Fields) -> Self {
        let document = |id: u64| {
            let object = fields.document(id, id.is_multiple_of(2));
            TantivyDocument::from_json_object(&fields.schema, object).unwrap()
        };
        let segment = |first: u64| (first..first + DOCUMENTS).map(document).collect();
        let source = index_of(&fields.schema, &[segment(0), segment(DOCUMENTS)]);
        let settings = |hot_dictionaries| {
            let mut settings = PackSettings::default();
            settings.term_dictionary_budget = hot_dictionaries;
            settings.column_dictionary_budget = hot_dictionaries;
            settings
        };
        let sources = [source];
        Self {
            cold: Corpus::of(&sources, &settings(0)).await,
            hot: Corpus::of(&sources, &settings(1 << 20)).await,
        }
    }

    /// What a request reads, shown twice: by explaining it, and by a search that may read nothing
    /// else.
    async fn cell(&self, body: &Value) -> Cell {
        let mut body = body.clone();
        // Documents of the hits are read after the search.
        body["_source"] = json!(false);
        let cold = match ask(&self.cold, &body).await {
            Ok(reads) => reads,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body}: {error}");
                return Cell::Refused(error.to_string());
            }
        };
        let hot = ask(&self.hot, &body).await.unwrap();
        let mut expected = cold.clone();
        expected.components.retain(|it| *it != Component::Terms);
        let named = [Component::Terms, Component::Columns];
        if named.iter().any(|it| cold.components.contains(it)) {
            expected.rounds -= 1;
        }
        if expected.rounds == 0 {
            // That there is no such column is told by the names alone.
            expected.components.clear();
        }
        assert_eq!(hot, expected, "{body}: {cold:?} with hot dictionaries");
        Cell::Reads(cold)
    }
}

/// What a search reads beyond the hot bytes, and in how many rounds after opening.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Reads {
    components: Vec<Component>,
    rounds: u64,
    /// Whether documents match.
    matches: bool,
}

fn reads(explanation: &Explanation, matches: bool) -> Reads {
    let components = explanation.components.iter();
    Reads {
        components: components
            .filter(|(_, cost)| cost.bytes > 0)
            .map(|(component, _)| *component)
            .collect(),
        rounds: explanation.total.rounds - explanation.open.rounds,
        matches,
    }
}

/// Explains a request, and holds the explanation against a search.
async fn ask(corpus: &Corpus, body: &Value) -> Result<Reads, forewarm::Error> {
    let request = SearchRequest::from_value(body)?;
    let splits = &corpus.addresses;
    let explanation = strict(&corpus.store).explain(&splits[0], &request).await?;
    let warmer = strict(&corpus.store);
    warmer.open(&splits[0]).await?;
    let options = SearchOptions::default().with_record_reads(true);
    let searched = warmer.search_with_options(splits, &request, &options).await;
    let response = searched.unwrap_or_else(|error| panic!("{body}: {error}"));
    let query = query(request.filter(), &corpus.ram);
    let matches = corpus.ram.search(&query, &Count).unwrap() as u64;
    let total = response.hits.total.map(|total| total.value);
    assert_eq!(total, Some(matches), "{body}");
    let reads = reads(&explanation, matches > 0);
    let report = &response.report;
    assert_eq!(report.late_reads, 0, "{body}");
    assert_eq!(report.rounds, reads.rounds, "{body}");
    let bytes: u64 = explanation.components.values().map(|cost| cost.bytes).sum();
    assert_eq!(report.bytes, bytes, "{body}");
    if matches > 0 {
        // Of segments without matches the warmup alone reads, to find that out.
        // An FST is held in memory once it is opened.
        let opened = if cfg!(feature = "sstable") {
            None
        } else {
            explanation.components.get(&Component::Terms)
        };
        let read = bytes - opened.map_or(0, |cost| cost.bytes);
        assert_eq!(report.read_bytes, Some(read), "{body}");
    }
    Ok(reads)
}

async fn family(family: Family, fields: &Fields, room: &Room, document: &mut Document) {
    let shapes: Vec<&Shape> = fields
        .shapes
        .iter()
        .filter(|shape| shape.family == family)
        .collect();
    let mut lines = Vec::new();
    for row in rows() {
        let mut cells = Vec::new();
        for shape in &shapes {
            let cell = room.cell(&(row.body)(shape)).await;
            cells.push(cell.of_field(&shape.path));
        }
        lines.push((row.title.to_owned(), cells));
    }
    let titles = shapes.iter().map(|shape| shape.title.clone()).collect();
    document.table(family.title(), titles, lines);
}

/// An unknown clause is told which ones are known.
fn assert_every_clause_is_in(document: &Document) {
    let unknown = json!({"query": {"none": {}}});
    let error = SearchRequest::from_value(&unknown).unwrap_err().to_string();
    let known = error.split_once("known: ").unwrap().1.trim_end_matches(')');
    for clause in known.split(", ") {
        assert!(document.names(clause), "a row for {clause}");
    }
}

async fn document() -> String {
    let fields = Fields::new();
    let room = Room::new(&fields).await;
    let mut document = Document::default();
    for each in Family::ALL {
        family(each, &fields, &room, &mut document).await;
    }
    let mut lines = Vec::new();
    for (title, clause) in fieldless() {
        let cell = room.cell(&json!({ "query": clause })).await;
        lines.push((title.to_owned(), vec![cell]));
    }
    document.table("Clauses of no field", vec!["reads".to_owned()], lines);
    for clause in REFUSED {
        let body = json!({"query": {*clause: {}}});
        let error = SearchRequest::from_value(&body).unwrap_err().to_string();
        let message = error.split_once(": ").unwrap().1;
        let message = message.split(" (known").next().unwrap_or(message);
        document.refuse(clause, message);
    }
    assert_every_clause_is_in(&document);
    document.finish()
}

/// What a line of two texts differs in, if it does.
fn first_difference<'t>(left: &'t str, right: &'t str) -> BTreeMap<usize, (&'t str, &'t str)> {
    let lines = left.lines().zip(right.lines()).enumerate();
    lines
        .filter(|(_, (left, right))| left != right)
        .take(3)
        .collect()
}

#[test]
fn the_table_of_clauses_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clauses.md");
    let made = RUNTIME.block_on(document());
    if cfg!(not(feature = "sstable")) {
        // Everything was checked but the letters, which are those of SSTables.
        return;
    }
    if std::env::var_os("FOREWARM_BLESS").is_some() {
        std::fs::write(&path, made).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        made == committed,
        "docs/clauses.md does not say what the code does: run `FOREWARM_BLESS=1 cargo test --test \
         grid table` and read the diff. {:?}",
        first_difference(&committed, &made)
    );
}
