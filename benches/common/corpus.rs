//! Splits of seeded documents, and the requests that are measured on them.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;

use forewarm::{
    Clause, PackSettings, SearchRequest, Sort, SourceFilter, SplitAddress, TrackTotalHits, pack,
};
use object_store::memory::InMemory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use tantivy::directory::RamDirectory;
use tantivy::schema::{FAST, Field, INDEXED, STORED, STRING, Schema, TEXT};
use tantivy::{DateTime, Index, TantivyDocument};

/// What a function of a bench may answer with.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const WORDS: usize = 40_000;
const CATEGORIES: usize = 24;
/// 2024-01-01T00:00:00Z; the documents are spread over the two years after it.
const FIRST_SECOND: i64 = 1_704_067_200;
const SECONDS: i64 = 2 * 365 * 24 * 3600;
/// The words that stand beside each other in one document of fifty.
const PHRASE: [usize; 2] = [210, 340];
const HASH_TABLES: usize = 64 << 20;

/// The same documents twice: packed into splits, and as the indexes in memory they were made of.
pub struct Corpus {
    /// Where the splits are.
    pub store: Arc<InMemory>,
    /// The splits, in the order of `indexes`.
    pub splits: Vec<SplitAddress>,
    /// An index in a `RamDirectory` for each split, with the very segments of the split.
    pub indexes: Vec<Index>,
}

impl Corpus {
    /// Makes `docs` documents in 2 to 8 splits of one segment each.
    pub async fn build(docs: usize) -> Outcome<Self> {
        let count = (docs / 12_500).clamp(2, 8);
        let schema = Fields::schema().0;
        let directories: Vec<RamDirectory> = (0..count)
            .into_par_iter()
            .map(|split| {
                segment(
                    split as u64,
                    docs * split / count..docs * (split + 1) / count,
                )
            })
            .collect::<Outcome<_>>()?;
        let store = Arc::new(InMemory::new());
        let mut splits = Vec::with_capacity(count);
        let mut indexes = Vec::with_capacity(count);
        for (number, directory) in directories.into_iter().enumerate() {
            let path = format!("{number:03}.split").into();
            pack(&directory, &PackSettings::default())?
                .upload(store.as_ref(), &path)
                .await?;
            splits.push(SplitAddress::new(path));
            let index = Index::open(directory)?;
            assert_eq!(index.schema(), schema, "an index keeps its schema");
            indexes.push(index);
        }
        Ok(Self {
            store,
            splits,
            indexes,
        })
    }
}

/// The requests of the suite, each with its name. They bring no stored fields, so that all ways of
/// running them do the same work.
pub fn requests() -> Vec<(&'static str, SearchRequest)> {
    let bool_range = Clause::bool()
        .must(Clause::match_text("body", word(60)))
        .filter(Clause::range("price").gte(10.0).lt(80.0))
        .filter(Clause::term("category", category(1)));
    let phrase = format!("{} {}", word(PHRASE[0]), word(PHRASE[1]));
    let prefix = Clause::prefix("body", &word(900)[..3]);
    let terms = Clause::terms("category", (0..3).map(category));
    let range = Clause::range("created")
        .gte("2024-03-01T00:00:00Z")
        .lt("2025-02-01T00:00:00Z");
    let several = format!("{} {} {}", word(20), word(150), word(2000));
    let requests = [
        ("term", SearchRequest::new(Clause::term("body", word(30)))),
        ("bool with range filter", SearchRequest::new(bool_range)),
        (
            "phrase",
            SearchRequest::new(Clause::match_phrase("body", phrase)),
        ),
        ("prefix", SearchRequest::new(prefix)),
        (
            "terms by date",
            SearchRequest::new(terms).sort([Sort::by("created").descending()]),
        ),
        (
            "range, count",
            SearchRequest::new(range)
                .size(0)
                .track_total_hits(TrackTotalHits::Exactly),
        ),
        (
            "match of three",
            SearchRequest::new(Clause::match_text("body", several)),
        ),
        ("exists", SearchRequest::new(Clause::exists("colour"))),
    ];
    requests
        .into_iter()
        .map(|(name, request)| (name, request.source(SourceFilter::None)))
        .collect()
}

/// Whether each benchmark is only to be run once, to see that it runs: `cargo bench -- --test`.
pub fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// The numbers of documents to measure: `FOREWARM_BENCH_DOCS`, separated by commas.
pub fn sizes(default: &[usize]) -> Outcome<Vec<usize>> {
    match std::env::var("FOREWARM_BENCH_DOCS") {
        Ok(sizes) => sizes
            .split(',')
            .map(|size| Ok(size.trim().replace('_', "").parse()?))
            .collect(),
        Err(_) if is_test() => Ok(vec![2_000]),
        Err(_) => Ok(default.to_vec()),
    }
}

struct Fields {
    id: Field,
    title: Field,
    body: Field,
    category: Field,
    colour: Field,
    price: Field,
    created: Field,
    client: Field,
    in_stock: Field,
}

impl Fields {
    fn schema() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let fields = Self {
            id: schema.add_u64_field("id", FAST | INDEXED | STORED),
            title: schema.add_text_field("title", TEXT | STORED),
            body: schema.add_text_field("body", TEXT | STORED),
            category: schema.add_text_field("category", STRING | FAST | STORED),
            colour: schema.add_text_field("colour", STRING | FAST | STORED),
            price: schema.add_f64_field("price", FAST | INDEXED | STORED),
            created: schema.add_date_field("created", FAST | INDEXED | STORED),
            client: schema.add_ip_addr_field("client", FAST | INDEXED),
            in_stock: schema.add_bool_field("in_stock", FAST | INDEXED | STORED),
        };
        (schema.build(), fields)
    }
}

/// One segment of documents.
fn segment(seed: u64, numbers: std::ops::Range<usize>) -> Outcome<RamDirectory> {
    let (schema, fields) = Fields::schema();
    let (words, categories) = (Zipf::new(WORDS, 1.05), Zipf::new(CATEGORIES, 1.0));
    let mut rng = StdRng::seed_from_u64(seed);
    let directory = RamDirectory::create();
    let mut writer = Index::builder()
        .schema(schema)
        .single_segment_index_writer(directory.clone(), HASH_TABLES)?;
    for number in numbers {
        let mut document = TantivyDocument::new();
        document.add_u64(fields.id, number as u64);
        document.add_text(fields.title, text(&words, &mut rng, 3..9));
        document.add_text(fields.body, text(&words, &mut rng, 30..90));
        document.add_text(fields.category, category(categories.draw(&mut rng)));
        if rng.random_bool(0.3) {
            let colours = ["red", "green", "blue", "black"];
            document.add_text(fields.colour, colours[rng.random_range(0..colours.len())]);
        }
        let price = 5.0 * rng.random_range(0.0..4.0_f64).exp();
        document.add_f64(fields.price, (price * 100.0).round() / 100.0);
        let second = FIRST_SECOND + rng.random_range(0..SECONDS);
        document.add_date(fields.created, DateTime::from_timestamp_secs(second));
        let client = Ipv4Addr::from(0x0a00_0000 | rng.random_range(0..1 << 16));
        document.add_ip_addr(fields.client, client.to_ipv6_mapped());
        document.add_bool(fields.in_stock, rng.random_bool(0.8));
        writer.add_document(document)?;
    }
    writer.finalize()?;
    Ok(directory)
}

fn text(words: &Zipf, rng: &mut StdRng, lengths: std::ops::Range<usize>) -> String {
    let mut text: Vec<String> = (0..rng.random_range(lengths))
        .map(|_| word(words.draw(rng)))
        .collect();
    if rng.random_bool(0.02) {
        text.extend(PHRASE.map(word));
    }
    text.join(" ")
}

/// The word of a rank, 0 the most common: three or four syllables, no two ranks alike.
pub fn word(rank: usize) -> String {
    const CONSONANTS: &[u8; 15] = b"bdfghjklmnprstv";
    const VOWELS: &[u8; 5] = b"aeiou";
    const SYLLABLES: usize = 75;
    // A factor prime to the number of words scatters the ranks over the alphabet.
    let mut rest = (rank + 1) * 104_729 % SYLLABLES.pow(3);
    let mut word = String::new();
    for _ in 0..3 {
        let syllable = rest % SYLLABLES;
        word.push(char::from(CONSONANTS[syllable / VOWELS.len()]));
        word.push(char::from(VOWELS[syllable % VOWELS.len()]));
        rest /= SYLLABLES;
    }
    word
}

fn category(rank: usize) -> String {
    format!("category-{rank:02}")
}

/// Zipf's law: the rank r is drawn in proportion to 1 / r^exponent.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(ranks: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=ranks).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Self(sums.collect())
    }

    fn draw(&self, rng: &mut StdRng) -> usize {
        let end = self.0.last().copied().unwrap_or(1.0);
        let drawn = rng.random_range(0.0..end);
        self.0.partition_point(|&sum| sum <= drawn)
    }
}
