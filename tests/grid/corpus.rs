//! Splits in a store, and one index in memory that holds the same segments in the same order.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use forewarm::{PackSettings, SplitAddress, pack};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tantivy::directory::{Directory, RamDirectory};
use tantivy::index::SegmentComponent;
use tantivy::indexer::NoMergePolicy;
use tantivy::schema::Schema;
use tantivy::{DocAddress, Index, IndexSettings, IndexWriter, Searcher, TantivyDocument, Term};

use crate::values::{Doc, TARGETS, schema};

/// What random splits hold.
#[derive(Clone, Debug)]
pub struct CorpusPlan {
    pub seed: u64,
    /// The documents of each segment of each split.
    pub splits: Vec<Vec<usize>>,
    /// How many in a hundred are deleted.
    pub deletes: u32,
    /// Bytes of dictionaries that may be hot.
    pub hot_dictionaries: u64,
    pub trailer: bool,
}

pub fn corpus_plan() -> impl Strategy<Value = CorpusPlan> {
    let segment = prop_oneof![4 => 0..25_usize, 1 => 100..400_usize];
    let split = prop_oneof![
        1 => Just(Vec::new()),
        9 => prop::collection::vec(segment, 1..=4),
    ];
    (
        any::<u64>(),
        prop::collection::vec(split, 1..=4),
        prop_oneof![Just(0_u32), 5..40_u32],
        prop_oneof![Just(0_u64), Just(64 << 10)],
        any::<bool>(),
    )
        .prop_map(
            |(seed, splits, deletes, hot_dictionaries, trailer)| CorpusPlan {
                seed,
                splits,
                deletes,
                hot_dictionaries,
                trailer,
            },
        )
}

/// Splits in a store, and the same in memory.
pub struct Corpus {
    pub store: Arc<dyn ObjectStore>,
    pub addresses: Vec<SplitAddress>,
    /// The number of the first segment of each split among all segments.
    pub firsts: Vec<u32>,
    /// The same segments in one index in memory.
    pub ram: Searcher,
}

/// One index in memory, to be packed.
pub type Source = (RamDirectory, Index);

impl Corpus {
    /// Packs each index into a split, and joins them all in memory.
    pub async fn of(sources: &[Source], settings: &PackSettings) -> Self {
        let store = Arc::new(InMemory::new());
        let mut addresses = Vec::new();
        let mut firsts = Vec::new();
        let mut next = 0;
        for (number, (directory, index)) in sources.iter().enumerate() {
            let path = format!("s{number}.split").into();
            let packed = pack(directory, settings).unwrap();
            let report = packed.upload(store.as_ref(), &path).await.unwrap();
            addresses.push(SplitAddress::new(path).with_footer(report.footer_range));
            firsts.push(next);
            next += index.searchable_segment_ids().unwrap().len() as u32;
        }
        let ram = combined(sources).reader().unwrap().searcher();
        Self {
            store,
            addresses,
            firsts,
            ram,
        }
    }

    /// The address in memory of a hit: its split by path, its `segment:document`.
    pub fn address(&self, split: &str, id: &str) -> DocAddress {
        let at = self
            .addresses
            .iter()
            .position(|address| address.path().as_ref() == split)
            .unwrap_or_else(|| panic!("a hit in {split}, which was not searched"));
        let (segment, doc) = id.split_once(':').unwrap();
        let segment: u32 = segment.parse().unwrap();
        DocAddress::new(self.firsts[at] + segment, doc.parse().unwrap())
    }
}

const COMPONENTS: [SegmentComponent; 7] = [
    SegmentComponent::Delete,
    SegmentComponent::FastFields,
    SegmentComponent::FieldNorms,
    SegmentComponent::Positions,
    SegmentComponent::Postings,
    SegmentComponent::Store,
    SegmentComponent::Terms,
];

/// One index that holds the segments of all `sources` in their order.
fn combined(sources: &[Source]) -> Index {
    let all = RamDirectory::create();
    let mut meta: Option<Value> = None;
    for (directory, index) in sources {
        for segment in index.searchable_segment_metas().unwrap() {
            for component in COMPONENTS {
                let file = segment.relative_path(component);
                if directory.exists(&file).unwrap() {
                    let bytes = directory.open_read(&file).unwrap().read_bytes().unwrap();
                    all.atomic_write(&file, bytes.as_slice()).unwrap();
                }
            }
        }
        let bytes = directory.atomic_read(Path::new("meta.json")).unwrap();
        let mut this: Value = serde_json::from_slice(&bytes).unwrap();
        match &mut meta {
            None => meta = Some(this),
            Some(meta) => {
                let segments = this["segments"].as_array_mut().unwrap();
                meta["segments"].as_array_mut().unwrap().append(segments);
            }
        }
    }
    let meta = serde_json::to_vec(&meta.expect("a split")).unwrap();
    all.atomic_write(Path::new("meta.json"), &meta).unwrap();
    Index::open(all).unwrap()
}

/// An empty index in memory. Blocks of documents are small, so that there are many.
pub fn empty_index(schema: Schema) -> Source {
    let directory = RamDirectory::create();
    let settings = IndexSettings {
        docstore_blocksize: 1024,
        ..IndexSettings::default()
    };
    let index = Index::create(directory.clone(), schema, settings).unwrap();
    (directory, index)
}

/// A writer that leaves segments as they are committed.
pub fn writer(index: &Index) -> IndexWriter {
    let writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    writer
}

/// A writer that makes a segment of each commit, however large.
#[cfg(feature = "sstable")]
pub fn large_writer(index: &Index) -> IndexWriter {
    let writer = index.writer_with_num_threads(1, 1_000_000_000).unwrap();
    writer.set_merge_policy(Box::new(NoMergePolicy));
    writer
}

/// An index in memory of the documents given, a segment of each list.
pub fn index_of(schema: &Schema, segments: &[Vec<TantivyDocument>]) -> Source {
    let (directory, index) = empty_index(schema.clone());
    let mut writer = writer(&index);
    for segment in segments {
        for document in segment {
            writer.add_document(document.clone()).unwrap();
        }
        writer.commit().unwrap();
    }
    writer.commit().unwrap();
    writer.wait_merging_threads().unwrap();
    (directory, index)
}

/// Random documents, packed, and known one by one.
pub struct RandomCorpus {
    pub corpus: Corpus,
    /// Documents that are not deleted.
    pub docs: HashMap<DocAddress, (u64, Doc)>,
}

impl RandomCorpus {
    pub async fn build(plan: &CorpusPlan) -> Self {
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let schema = schema();
        let id_field = schema.get_field("id").unwrap();
        let mut known = HashMap::new();
        let mut deleted = HashSet::new();
        let mut sources = Vec::new();
        for split in &plan.splits {
            let mut segments = Vec::new();
            for &count in split {
                let absent: Vec<&str> = TARGETS
                    .iter()
                    .map(|target| target.name)
                    .filter(|_| rng.random_bool(0.15))
                    .collect();
                let mut documents = Vec::new();
                for _ in 0..count {
                    let id = known.len() as u64;
                    let doc = Doc::random(&mut rng, &absent);
                    let json = doc.json(id);
                    documents.push(TantivyDocument::from_json_object(&schema, json).unwrap());
                    known.insert(id, doc);
                    if rng.random_ratio(plan.deletes, 100) {
                        deleted.insert(id);
                    }
                }
                segments.push(documents);
            }
            let (directory, index) = index_of(&schema, &segments);
            if !deleted.is_empty() {
                let mut writer: IndexWriter = writer(&index);
                for &id in &deleted {
                    writer.delete_term(Term::from_field_u64(id_field, id));
                }
                writer.commit().unwrap();
                writer.wait_merging_threads().unwrap();
            }
            sources.push((directory, index));
        }
        let mut settings = PackSettings::default();
        settings.column_dictionary_budget = plan.hot_dictionaries;
        settings.term_dictionary_budget = plan.hot_dictionaries;
        settings.trailer = plan.trailer;
        let corpus = Corpus::of(&sources, &settings).await;
        let mut docs = HashMap::new();
        for (segment, reader) in corpus.ram.segment_readers().iter().enumerate() {
            let ids = reader.fast_fields().u64("id").unwrap();
            for doc in reader.doc_ids_alive() {
                let id = ids.first(doc).unwrap();
                let address = DocAddress::new(segment as u32, doc);
                docs.insert(address, (id, known[&id].clone()));
            }
        }
        assert_eq!(docs.len(), known.len() - deleted.len());
        Self { corpus, docs }
    }
}
