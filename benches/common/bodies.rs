//! Request bodies over real documents, and splits of those documents in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use forewarm::{PackSettings, SearchRequest, SplitAddress, pack};
use object_store::memory::InMemory;
use tantivy::directory::RamDirectory;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::{Schema, Value};
use tantivy::{Index, IndexSettings, IndexWriter, TantivyDocument, Term};

use crate::corpus::Outcome;
use crate::shared::shared;

const HEAP_BYTES: usize = 256 << 20;
const SPLITS: usize = 3;

/// Splits, and what is asked of them.
pub struct Suite {
    /// What to call it.
    pub name: String,
    /// Where the splits are.
    pub store: Arc<InMemory>,
    /// The splits.
    pub splits: Vec<SplitAddress>,
    /// The requests, with what to call each.
    pub requests: Vec<(String, SearchRequest)>,
}

/// The suites whose documents are here: what is absent is said and left out.
pub async fn suites() -> Outcome<Vec<Suite>> {
    let debian = std::env::var_os("FOREWARM_DEBIAN").map(PathBuf::from);
    if debian.is_none() {
        eprintln!("skipped: FOREWARM_DEBIAN does not name a file of package records");
    }
    let sources = [
        ("wiki", "url", shared("data/wiki.json")),
        ("gh", "id", shared("data/gh.json")),
        ("debian", "package", debian),
    ];
    let mut suites = Vec::new();
    for (name, id, documents) in sources {
        if let Some(documents) = documents {
            suites.push(suite(name, id, &documents).await?);
        }
    }
    Ok(suites)
}

fn testdata(name: &str) -> Outcome<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    Ok(std::fs::read_to_string(folder.join(name))?)
}

/// Three splits of two segments; of every thirteen documents one is deleted.
async fn suite(name: &str, id: &str, documents: &Path) -> Outcome<Suite> {
    let schema: Schema = serde_json::from_str(&testdata(&format!("{name}.schema.json"))?)?;
    let text = std::fs::read_to_string(documents)?;
    let documents = text
        .lines()
        .map(|line| Ok(TantivyDocument::parse_json(&schema, line)?))
        .collect::<Outcome<Vec<_>>>()?;
    let id = schema.get_field(id)?;
    let store = Arc::new(InMemory::new());
    let mut splits = Vec::new();
    for (number, part) in documents
        .chunks(documents.len().div_ceil(SPLITS))
        .enumerate()
    {
        let directory = RamDirectory::create();
        let index = Index::create(directory.clone(), schema.clone(), IndexSettings::default())?;
        let mut writer: IndexWriter = index.writer_with_num_threads(1, HEAP_BYTES)?;
        writer.set_merge_policy(Box::new(NoMergePolicy));
        for segment in part.chunks((part.len() * 3 / 5).max(1)) {
            for document in segment {
                writer.add_document(document.clone())?;
            }
            writer.commit()?;
        }
        for document in part.iter().step_by(13) {
            let value = document.get_first(id).and_then(|value| value.as_str());
            writer.delete_term(Term::from_field_text(id, value.unwrap_or_default()));
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        let path = format!("{name}-{number}.split").into();
        pack(&directory, &PackSettings::default())?
            .upload(store.as_ref(), &path)
            .await?;
        splits.push(SplitAddress::new(path));
    }
    let bodies = testdata(&format!("bodies/{name}.ndjson"))?;
    let requests = bodies.lines().enumerate().map(|(line, body)| {
        let request = SearchRequest::from_json(body)?;
        Ok((format!("{name}:{} {body}", line + 1), request))
    });
    Ok(Suite {
        name: format!("{name}, {} documents", documents.len()),
        requests: requests.collect::<Outcome<_>>()?,
        store,
        splits,
    })
}
