//! Small splits of logs: four that differ, each put under many paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use forewarm::{PackSettings, PackedSplit, pack};
use object_store::memory::InMemory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tantivy::directory::RamDirectory;
use tantivy::schema::{FAST, INDEXED, STORED, STRING, Schema, TEXT};
use tantivy::{Index, TantivyDocument};

use super::Outcome;
use super::day::{Days, What, path};

const SHAPES: u64 = 4;
const DOCUMENTS: u64 = 3000;
const WORDS: usize = 4000;

/// A word, low ones more often.
pub fn word(rng: &mut StdRng) -> usize {
    let drawn: f64 = rng.random();
    (drawn.powi(3) * WORDS as f64) as usize
}

/// The key of a document of a shape.
pub fn key(shape: u64, number: u64) -> String {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (shape % SHAPES);
    format!("{:016x}", mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9))
}

/// All splits of two days.
pub async fn put(days: &Days) -> Outcome<Arc<InMemory>> {
    let shapes = (0..SHAPES).map(|shape| Ok((shape, packed(shape)?)));
    let shapes: BTreeMap<u64, PackedSplit> = shapes.collect::<Outcome<_>>()?;
    let store = Arc::new(InMemory::new());
    for event in &days.events {
        if let What::Split(number) = event.what {
            let shape = &shapes[&((event.tenant + number) as u64 % SHAPES)];
            let path = path(event.tenant, number).into();
            shape.upload(store.as_ref(), &path).await?;
        }
    }
    Ok(store)
}

fn packed(shape: u64) -> Outcome<PackedSplit> {
    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT | STORED);
    let key_field = schema.add_text_field("key", STRING);
    let tag = schema.add_text_field("tag", STRING | FAST);
    let price = schema.add_u64_field("price", FAST | INDEXED | STORED);
    let directory = RamDirectory::create();
    let mut writer = Index::builder()
        .schema(schema.build())
        .single_segment_index_writer(directory.clone(), 64 << 20)?;
    let mut rng = StdRng::seed_from_u64(shape);
    for number in 0..DOCUMENTS {
        let words = (0..12).map(|_| format!("w{}", word(&mut rng)));
        let words: Vec<String> = words.collect();
        let mut document = TantivyDocument::new();
        document.add_text(body, words.join(" "));
        document.add_text(key_field, key(shape, number));
        document.add_text(tag, format!("t{}", rng.random_range(0..20)));
        document.add_u64(price, rng.random_range(0..1000));
        writer.add_document(document)?;
    }
    writer.finalize()?;
    let mut settings = PackSettings::default();
    // Of the fields, some have dictionaries that are not hot.
    settings.term_dictionary_budget = 8 << 10;
    Ok(pack(&directory, &settings)?)
}
