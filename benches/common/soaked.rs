//! Splits for a soak, and questions whose answers are known without asking them.

use std::error::Error;
use std::fs;
use std::path::Path;

use forewarm::{PackSettings, SplitAddress, pack};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tantivy::directory::RamDirectory;
use tantivy::schema::{FAST, INDEXED, STORED, STRING, Schema, TEXT};
use tantivy::{Index, TantivyDocument};

/// What a function of the soak may answer with.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How many kinds of splits there are: the others are the same file by another name.
pub const SHAPES: usize = 8;

/// The file of questions.
const ASKED: &str = "questions.json";
const QUESTIONS: usize = 2_000;
const WORDS: u64 = 20_000;
const WORDS_A_DOCUMENT: u64 = 80;
const PRICES: u64 = 1_000;
const TAGS: u64 = 6;

/// A request, and how many documents of a split of each shape match.
#[derive(Deserialize, Serialize)]
pub struct Question {
    /// What to ask.
    pub body: Value,
    /// By shape.
    pub counts: [u64; SHAPES],
}

/// Where a split is.
pub fn address(number: usize) -> SplitAddress {
    SplitAddress::new(name(number).into())
}

fn name(number: usize) -> String {
    format!("{number:04}.split")
}

/// Writes splits into a folder, and questions about them; answers how many bytes of splits there
/// are.
pub fn write(folder: &Path, splits: usize, docs: u64) -> Outcome<u64> {
    let mut bytes = 0;
    for number in 0..splits {
        let path = folder.join(name(number));
        if number < SHAPES {
            fs::write(&path, split(number as u64, docs)?)?;
        } else {
            fs::hard_link(folder.join(name(number % SHAPES)), &path)?;
        }
        bytes += fs::metadata(&path)?.len();
    }
    let facts: Vec<Facts> = (0..SHAPES as u64).map(|it| Facts::of(it, docs)).collect();
    let mut rng = StdRng::seed_from_u64(1);
    let questions: Vec<Question> = (0..QUESTIONS)
        .map(|_| question(&mut rng, &facts, docs))
        .collect();
    fs::write(folder.join(ASKED), serde_json::to_vec(&questions)?)?;
    Ok(bytes)
}

/// The questions about the splits of a folder.
pub fn questions(folder: &Path) -> Outcome<Vec<Question>> {
    Ok(serde_json::from_slice(&fs::read(folder.join(ASKED))?)?)
}

fn split(shape: u64, docs: u64) -> Outcome<Vec<u8>> {
    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT | STORED);
    let key = schema.add_text_field("key", STRING | STORED);
    let tag = schema.add_text_field("tag", STRING | FAST);
    let price = schema.add_u64_field("price", FAST | INDEXED | STORED);
    let directory = RamDirectory::create();
    let mut writer = Index::builder()
        .schema(schema.build())
        .single_segment_index_writer(directory.clone(), 128 << 20)?;
    for number in 0..docs {
        let one = Document { shape, number };
        let mut document = TantivyDocument::new();
        let words = (0..WORDS_A_DOCUMENT).map(|at| one.word(at));
        let words: Vec<String> = words.map(|word| format!("w{word}")).collect();
        document.add_text(body, format!("{} old man{}", words.join(" "), one.tag()));
        document.add_text(key, one.key());
        document.add_text(tag, format!("t{}", one.tag()));
        document.add_u64(price, one.price());
        writer.add_document(document)?;
    }
    writer.finalize()?;
    let packed = pack(&directory, &PackSettings::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = object_store::memory::InMemory::new();
    runtime.block_on(async {
        use object_store::ObjectStoreExt;
        packed.upload(&store, &"split".into()).await?;
        Ok(store.get(&"split".into()).await?.bytes().await?.to_vec())
    })
}

/// One document of a shape: all that is in it follows from its number.
struct Document {
    shape: u64,
    number: u64,
}

impl Document {
    fn hash(&self, salt: u64) -> u64 {
        // splitmix64
        let mut z =
            (self.shape << 48 ^ self.number << 16 ^ salt).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The word at a place: low ones are more common.
    fn word(&self, at: u64) -> u64 {
        let drawn = self.hash(at + 16) % (WORDS * WORDS);
        (drawn as f64).sqrt() as u64 * (drawn % 16) / 16
    }

    fn key(&self) -> String {
        format!("{:016x}", self.hash(1))
    }

    fn tag(&self) -> u64 {
        self.hash(2) % TAGS
    }

    fn price(&self) -> u64 {
        self.hash(3) % PRICES
    }
}

/// What is known of the documents of a shape.
struct Facts {
    documents: Vec<Document>,
    /// By word: the documents that have it.
    with: Vec<Vec<u64>>,
}

impl Facts {
    fn of(shape: u64, docs: u64) -> Self {
        let documents: Vec<_> = (0..docs).map(|number| Document { shape, number }).collect();
        let mut with = vec![Vec::new(); WORDS as usize];
        for one in &documents {
            for at in 0..WORDS_A_DOCUMENT {
                with[one.word(at) as usize].push(one.number);
            }
        }
        with.iter_mut().for_each(Vec::dedup);
        Self { documents, with }
    }

    fn count(&self, matches: impl Fn(&Document) -> bool) -> u64 {
        self.documents.iter().filter(|it| matches(it)).count() as u64
    }

    fn count_with(&self, word: u64, matches: impl Fn(&Document) -> bool) -> u64 {
        let with = self.with[word as usize].iter();
        let with = with.map(|&number| &self.documents[number as usize]);
        with.filter(|it| matches(it)).count() as u64
    }
}

fn question(rng: &mut StdRng, facts: &[Facts], docs: u64) -> Question {
    let (tag, word) = (rng.random_range(0..TAGS), rng.random_range(0..WORDS));
    let low = rng.random_range(0..PRICES / 2);
    let high = low + rng.random_range(1..PRICES / 2);
    let priced = |it: &Document| (low..high).contains(&it.price());
    let each = |count: &dyn Fn(&Facts) -> u64| std::array::from_fn(|shape| count(&facts[shape]));
    let range = json!({"range": {"price": {"gte": low, "lt": high}}});
    let (query, counts) = match rng.random_range(0..7) {
        0 => {
            let query = json!({"term": {"tag": format!("t{tag}")}});
            (query, each(&|it| it.count(|it| it.tag() == tag)))
        }
        1 => {
            let query = json!({"term": {"body": format!("w{word}")}});
            (query, each(&|it| it.count_with(word, |_| true)))
        }
        2 => {
            let shape = rng.random_range(0..SHAPES as u64);
            let one = Document {
                shape,
                number: rng.random_range(0..docs),
            };
            let query = json!({"term": {"key": one.key()}});
            (query, each(&|it| it.count(|it| it.hash(1) == one.hash(1))))
        }
        3 => {
            let query = json!({"match_phrase": {"body": format!("old man{tag}")}});
            (query, each(&|it| it.count(|it| it.tag() == tag)))
        }
        4 => {
            let start = rng.random_range(0..256);
            let query = json!({"prefix": {"key": format!("{start:02x}")}});
            (query, each(&|it| it.count(|it| it.hash(1) >> 56 == start)))
        }
        5 => (range, each(&|it| it.count(priced))),
        _ => {
            let query = json!({"bool": {
                "must": {"term": {"body": format!("w{word}")}},
                "filter": range,
                "must_not": {"term": {"tag": format!("t{tag}")}},
            }});
            (
                query,
                each(&|it| it.count_with(word, |it| priced(it) && it.tag() != tag)),
            )
        }
    };
    let mut body = json!({"query": query, "size": rng.random_range(0..20)});
    match rng.random_range(0..4) {
        0 => body["sort"] = json!([{"price": "desc"}]),
        1 => body["aggs"] = json!({"tags": {"terms": {"field": "tag"}}}),
        _ => {}
    }
    Question { body, counts }
}
