//! Splits to try things on: a shop's articles, in memory, behind a store as slow as S3.

use std::sync::Arc;
use std::time::Duration;

use forewarm::{PackSettings, SimulatedSettings, SimulatedStore, SplitAddress, pack};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use tantivy::directory::RamDirectory;
use tantivy::schema::{FAST, STORED, Schema, TEXT};
use tantivy::{Index, IndexSettings, doc};

/// So many splits of 2,000 articles each, and the store they are in.
pub async fn open(
    count: u64,
) -> Result<(Arc<dyn ObjectStore>, Vec<SplitAddress>), Box<dyn std::error::Error>> {
    let memory = InMemory::new();
    let mut splits = Vec::new();
    for number in 0..count {
        let split = SplitAddress::new(format!("shop/{number}.split").into());
        let packed = pack(&articles(number * 2000)?, &PackSettings::default())?;
        packed.upload(&memory, split.path()).await?;
        splits.push(split);
    }
    let mut slow = SimulatedSettings::default();
    slow.first_byte = Duration::from_millis(30);
    Ok((
        Arc::new(SimulatedStore::new(Arc::new(memory), slow)),
        splits,
    ))
}

fn articles(first: u64) -> tantivy::Result<RamDirectory> {
    const COLOURS: [&str; 4] = ["red", "green", "blue", "grey"];
    const THINGS: [&str; 5] = ["lamp", "chair", "table", "shelf", "carpet"];
    let mut schema = Schema::builder();
    let name = schema.add_text_field("name", TEXT | STORED);
    let price = schema.add_u64_field("price", FAST | STORED);
    let directory = RamDirectory::create();
    let index = Index::create(directory.clone(), schema.build(), IndexSettings::default())?;
    let mut writer = index.writer_with_num_threads(1, 15_000_000)?;
    for number in first..first + 2000 {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let colour = COLOURS[(mixed % 4) as usize];
        let thing = THINGS[(mixed / 4 % 5) as usize];
        writer.add_document(doc!(
            name => format!("{colour} {thing} {number}"),
            price => 5 + mixed % 500,
        ))?;
    }
    writer.commit()?;
    writer.wait_merging_threads()?;
    Ok(directory)
}
