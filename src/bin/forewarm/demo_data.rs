//! Documents that look real: seeded, so that two runs make the same ones.
//!
//! Text is drawn from a made-up vocabulary by Zipf's law, as words of any language are: few words
//! in most documents, most words in few. That is what gives posting lists their real sizes.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tantivy::directory::RamDirectory;
use tantivy::schema::{
    DateOptions, DateTimePrecision, FAST, Field, INDEXED, IpAddrOptions, JsonObjectOptions,
    OwnedValue, STORED, STRING, Schema, TEXT,
};
use tantivy::{DateTime, TantivyDocument};

use crate::failure::Outcome;
use crate::index::segment_writer;
use crate::session::Interrupt;

const WORDS: usize = 40_000;
const ZIPF_EXPONENT: f64 = 1.05;
const CATEGORIES: usize = 24;
const TAGS: usize = 300;

/// Words this common stand beside each other more often than chance would have it.
pub(crate) const PHRASE: [usize; 2] = [210, 340];
const PHRASE_SHARE: f64 = 0.02;

/// 2024-01-01T00:00:00Z, when the first document was created.
pub(crate) const FIRST_SECOND: i64 = 1_704_067_200;
/// The documents are spread over two years.
pub(crate) const SECONDS: i64 = 2 * 365 * 24 * 3600;

const COLOURS: [&str; 8] = [
    "red",
    "green",
    "blue",
    "black",
    "white",
    "orange",
    "violet",
    "turquoise",
];
const MATERIALS: [&str; 6] = ["oak", "steel", "glass", "linen", "leather", "paper"];

/// What documents are made of.
pub(crate) struct Corpus {
    schema: Schema,
    fields: Fields,
    words: Vec<String>,
    word: Zipf,
    categories: Vec<String>,
    category: Zipf,
    tags: Vec<String>,
    tag: Zipf,
    seed: u64,
    docs: u64,
}

struct Fields {
    sku: Field,
    title: Field,
    body: Field,
    category: Field,
    tags: Field,
    price: Field,
    quantity: Field,
    created: Field,
    client: Field,
    in_stock: Field,
    attributes: Field,
}

impl Corpus {
    /// A corpus of `docs` documents.
    pub(crate) fn new(seed: u64, docs: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let words = vocabulary(&mut rng, WORDS);
        // Names are taken from rare words, so that they are not the most common ones of the text.
        let categories = words[WORDS / 2..][..CATEGORIES].to_vec();
        let tags = words[WORDS * 3 / 4..][..TAGS].to_vec();
        let (schema, fields) = schema();
        Self {
            schema,
            fields,
            words,
            word: Zipf::new(WORDS, ZIPF_EXPONENT),
            categories,
            category: Zipf::new(CATEGORIES, 1.0),
            tags,
            tag: Zipf::new(TAGS, 1.0),
            seed,
            docs,
        }
    }

    /// The word of this rank: 0 is the most common one.
    pub(crate) fn word(&self, rank: usize) -> &str {
        &self.words[rank % self.words.len()]
    }

    /// The category of this rank.
    pub(crate) fn category(&self, rank: usize) -> &str {
        &self.categories[rank % self.categories.len()]
    }

    /// Indexes the documents `range` as one segment. Blocks, and computes for long.
    ///
    /// # Errors
    ///
    /// An interruption, and whatever tantivy says.
    pub(crate) fn index(
        &self,
        range: std::ops::Range<u64>,
        interrupt: &Interrupt,
    ) -> Outcome<RamDirectory> {
        let directory = RamDirectory::create();
        let mut writer = segment_writer(&self.schema, &directory)?;
        // Each split has its own stream of numbers: splits may be made in any order.
        let mut rng = StdRng::seed_from_u64(self.seed ^ (range.start + 1).wrapping_mul(0x9e37));
        for number in range {
            interrupt.check()?;
            writer.add_document(self.document(number, &mut rng))?;
        }
        writer.finalize()?;
        Ok(directory)
    }

    fn document(&self, number: u64, rng: &mut StdRng) -> TantivyDocument {
        let fields = &self.fields;
        let mut document = TantivyDocument::new();
        document.add_text(
            fields.sku,
            format!("{:08x}", number.wrapping_mul(0x9e37_79b1)),
        );
        document.add_text(fields.title, self.sentence(rng, 3..9));
        document.add_text(fields.body, self.sentence(rng, 30..110));
        document.add_text(fields.category, &self.categories[self.category.draw(rng)]);
        for _ in 0..rng.random_range(0..4) {
            document.add_text(fields.tags, &self.tags[self.tag.draw(rng)]);
        }
        // Log-normal-like: most things are cheap, few are dear; two decimals.
        let price = 5.0 * (rng.random_range(0.0..2.0f64) + rng.random_range(0.0..2.0f64)).exp();
        document.add_f64(fields.price, (price * 100.0).round() / 100.0);
        document.add_u64(fields.quantity, rng.random_range(0..1000));
        document.add_date(fields.created, self.created(number, rng));
        let client = Ipv4Addr::from(0x0a00_0000 | rng.random_range(0..1 << 16));
        document.add_ip_addr(fields.client, client.to_ipv6_mapped());
        document.add_bool(fields.in_stock, rng.random_bool(0.8));
        let attributes = [
            ("colour", OwnedValue::Str(pick(&COLOURS, rng))),
            ("material", OwnedValue::Str(pick(&MATERIALS, rng))),
            ("weight", OwnedValue::U64(rng.random_range(1..5000))),
        ];
        document.add_object(
            fields.attributes,
            attributes
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        );
        document
    }

    /// Documents come roughly in the order of their time, as those of a growing index do.
    fn created(&self, number: u64, rng: &mut StdRng) -> DateTime {
        let share = number as f64 / self.docs.max(1) as f64;
        let second = (share * SECONDS as f64) as i64 + rng.random_range(0..3600);
        DateTime::from_timestamp_secs(FIRST_SECOND + second)
    }

    fn sentence(&self, rng: &mut StdRng, lengths: std::ops::Range<usize>) -> String {
        let length = rng.random_range(lengths);
        let phrase_at = (rng.random_bool(PHRASE_SHARE)).then(|| rng.random_range(0..length.max(1)));
        let mut text = String::with_capacity(length * 8);
        for position in 0..length {
            if position > 0 {
                text.push(' ');
            }
            if phrase_at == Some(position) {
                text.push_str(self.word(PHRASE[0]));
                text.push(' ');
                text.push_str(self.word(PHRASE[1]));
            } else {
                text.push_str(&self.words[self.word.draw(rng)]);
            }
        }
        text
    }
}

fn pick(choices: &[&str], rng: &mut StdRng) -> String {
    choices[rng.random_range(0..choices.len())].to_owned()
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let date = DateOptions::default()
        .set_indexed()
        .set_fast()
        .set_stored()
        .set_precision(DateTimePrecision::Seconds);
    let json = JsonObjectOptions::from(TEXT | STORED)
        .set_fast("raw")
        .set_expand_dots_enabled();
    let fields = Fields {
        sku: builder.add_text_field("sku", STRING | STORED),
        title: builder.add_text_field("title", TEXT | STORED),
        body: builder.add_text_field("body", TEXT | STORED),
        category: builder.add_text_field("category", STRING | STORED | FAST),
        tags: builder.add_text_field("tags", STRING | STORED | FAST),
        price: builder.add_f64_field("price", INDEXED | STORED | FAST),
        quantity: builder.add_u64_field("quantity", INDEXED | STORED | FAST),
        created: builder.add_date_field("created", date),
        client: builder.add_ip_addr_field(
            "client",
            IpAddrOptions::default()
                .set_indexed()
                .set_fast()
                .set_stored(),
        ),
        in_stock: builder.add_bool_field("in_stock", INDEXED | STORED | FAST),
        attributes: builder.add_json_field("attributes", json),
    };
    (builder.build(), fields)
}

/// Words that can be pronounced, the common ones short, all different.
pub(crate) fn vocabulary(rng: &mut StdRng, count: usize) -> Vec<String> {
    const ONSETS: [&str; 20] = [
        "b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "br", "st", "tr",
        "pl", "sh", "th",
    ];
    const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ea", "ou"];
    const CODAS: [&str; 8] = ["", "", "", "n", "r", "s", "l", "nd"];
    let mut words = Vec::with_capacity(count);
    let mut seen = HashSet::new();
    while words.len() < count {
        let syllables = match words.len() {
            0..200 => 1,
            200..4000 => 2,
            _ => rng.random_range(2..5),
        };
        let mut word = String::new();
        for _ in 0..syllables {
            word.push_str(&pick(&ONSETS, rng));
            word.push_str(&pick(&VOWELS, rng));
        }
        word.push_str(&pick(&CODAS, rng));
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

/// Draws ranks by Zipf's law in constant time, with Vose's alias method.
pub(crate) struct Zipf {
    /// Per rank: the share of its own slot that it keeps.
    keep: Vec<f64>,
    /// Per rank: who gets the rest of its slot.
    alias: Vec<usize>,
}

impl Zipf {
    /// Rank r has the weight `1 / (r + 1)^exponent`.
    pub(crate) fn new(count: usize, exponent: f64) -> Self {
        let weights: Vec<f64> = (1..=count)
            .map(|rank| (rank as f64).powf(-exponent))
            .collect();
        let total: f64 = weights.iter().sum();
        let mut keep: Vec<f64> = weights
            .iter()
            .map(|weight| weight * count as f64 / total)
            .collect();
        let mut alias: Vec<usize> = (0..count).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|rank| keep[*rank] < 1.0);
        while let (Some(poor), Some(rich)) = (small.pop(), large.last().copied()) {
            alias[poor] = rich;
            keep[rich] -= 1.0 - keep[poor];
            if keep[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        // What is left over is 1 but for rounding.
        for rank in small.into_iter().chain(large) {
            keep[rank] = 1.0;
        }
        Self { keep, alias }
    }

    pub(crate) fn draw(&self, rng: &mut StdRng) -> usize {
        let slot = rng.random_range(0..self.keep.len());
        if rng.random::<f64>() < self.keep[slot] {
            slot
        } else {
            self.alias[slot]
        }
    }
}

#[cfg(test)]
mod tests {
    use tantivy::schema::document::Document;

    use super::*;

    #[test]
    fn ranks_are_drawn_by_their_weight() {
        let zipf = Zipf::new(1000, 1.0);
        let mut rng = StdRng::seed_from_u64(1);
        let mut counts = vec![0u32; 1000];
        for _ in 0..200_000 {
            counts[zipf.draw(&mut rng)] += 1;
        }
        // The harmonic number of 1000 is 7.485: rank 0 gets a share of 0.1336, rank 9 a tenth.
        assert!((25_500..28_000).contains(&counts[0]), "{}", counts[0]);
        assert!((2_300..3_050).contains(&counts[9]), "{}", counts[9]);
    }

    #[test]
    fn equal_seeds_make_equal_documents_whatever_was_made_before() {
        let text = |corpus: &Corpus, start: u64| {
            let mut rng = StdRng::seed_from_u64(start);
            corpus.document(start, &mut rng).to_json(&corpus.schema)
        };
        let (a, b) = (Corpus::new(7, 100), Corpus::new(7, 100));
        text(&b, 3);
        assert_eq!(text(&a, 5), text(&b, 5));
        assert_ne!(text(&a, 5), text(&Corpus::new(8, 100), 5));
    }

    #[test]
    fn the_vocabulary_has_no_word_twice() {
        let corpus = Corpus::new(42, 1);
        assert_eq!(corpus.words.iter().collect::<HashSet<_>>().len(), WORDS);
    }

    #[test]
    fn a_range_of_documents_becomes_one_segment() {
        let corpus = Corpus::new(42, 100);
        let directory = corpus.index(10..60, &Interrupt::default()).unwrap();
        let metas = tantivy::Index::open(directory)
            .unwrap()
            .searchable_segment_metas()
            .unwrap();
        assert_eq!(metas.len(), 1);
        assert_eq!(metas[0].num_docs(), 50);
    }
}
