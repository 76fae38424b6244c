//! Warming everything under a prefix, against plain concurrent `get_range`s of the same bytes from
//! the same store: what is lost to opening, bookkeeping and copying.
//!
//! The store is simulated: 15 ms to the first byte, 10 MB/s a connection, which with 128 connections
//! is a network of 10 Gbit/s. All ways send as many GETs at once, by turns. The plain way goes twice, in
//! long pieces and in short ones, and may hold everything in flight; the faster counts.
//!
//! `FOREWARM_BENCH_MIB` sets how many mebibytes there are.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarm::{
    CacheSettings, PackSettings, SimulatedSettings, SimulatedStore, SplitAddress, Warmer,
    WarmerSettings, pack,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tantivy::directory::RamDirectory;
use tantivy::schema::{STORED, Schema, TEXT};
use tantivy::{Index, TantivyDocument};
use tokio::runtime::Runtime;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The least share of the throughput.
const TARGET: f64 = 0.9;
const PIECES: [u64; 2] = [8 << 20, 2 << 20];
const TURNS: usize = 5;

fn main() -> Outcome<()> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let mib: u64 = match std::env::var("FOREWARM_BENCH_MIB") {
        Ok(mib) => mib.parse()?,
        Err(_) if is_test => 2,
        Err(_) => 512,
    };
    Runtime::new()?.block_on(measure(mib << 20, if is_test { 1 } else { TURNS }))
}

async fn measure(bytes: u64, turns: usize) -> Outcome<()> {
    let inner = Arc::new(InMemory::new());
    let packed = packed()?;
    let mut splits = Vec::new();
    let mut total = 0;
    while total < bytes {
        let path = format!("splits/{:04}.split", splits.len()).into();
        packed.upload(inner.as_ref(), &path).await?;
        splits.push(SplitAddress::new(path));
        total += packed.len();
    }
    let mut settings = SimulatedSettings::default();
    settings.first_byte = Duration::from_millis(15);
    settings.bytes_per_second = 10_000_000;
    let store = Arc::new(SimulatedStore::new(inner, settings));
    println!(
        "{} splits, {:.1} MiB, 15 ms to the first byte, 10 MB/s a connection",
        splits.len(),
        total as f64 / 1_048_576.0
    );
    let mut shares = Vec::new();
    for turn in 0..turns {
        let faster_plain = async || {
            let [long, short] = PIECES;
            Outcome::Ok(plain(&store, long).await?.min(plain(&store, short).await?))
        };
        let (plain, whole) = if turn % 2 == 0 {
            let plain = faster_plain().await?;
            (plain, warm(&store, total).await?)
        } else {
            let whole = warm(&store, total).await?;
            (faster_plain().await?, whole)
        };
        let share = plain.as_secs_f64() / whole.as_secs_f64();
        let speed = |took: Duration| total as f64 / 1e6 / took.as_secs_f64();
        println!(
            "  get_range {:>7.1} MB/s, warm_whole {:>7.1} MB/s: {share:.3}",
            speed(plain),
            speed(whole)
        );
        shares.push(share);
    }
    shares.sort_by(f64::total_cmp);
    let share = shares[shares.len() / 2];
    let verdict = if share >= TARGET { "at least" } else { "NOT" };
    println!("median share of the throughput: {share:.3}, {verdict} {TARGET}");
    Ok(())
}

/// Lists the prefix and reads everything, and holds it as a cache would.
async fn plain(store: &Arc<SimulatedStore>, piece: u64) -> Outcome<Duration> {
    let started = Instant::now();
    let objects: Vec<_> = store.list(Some(&"splits".into())).try_collect().await?;
    let pieces = objects.iter().flat_map(|object| {
        let starts = (0..object.size).step_by(piece as usize);
        starts.map(move |start| {
            (
                object.location.clone(),
                start..(start + piece).min(object.size),
            )
        })
    });
    let concurrency = WarmerSettings::default().store.max_concurrent_gets;
    let fetches = stream::iter(pieces.collect::<Vec<_>>()).map(|(path, range)| async move {
        let bytes = store.get_range(&path, range).await?;
        Outcome::Ok(bytes)
    });
    let held: Vec<_> = fetches.buffer_unordered(concurrency).try_collect().await?;
    let took = started.elapsed();
    drop(held);
    Ok(took)
}

/// Lists the prefix and warms everything.
async fn warm(store: &Arc<SimulatedStore>, total: u64) -> Outcome<Duration> {
    let cache = CacheSettings::default().with_capacity_bytes(total * 2);
    let settings = WarmerSettings::default().with_cache(cache);
    let warmer = Warmer::builder(store.clone()).settings(settings).build()?;
    let started = Instant::now();
    let objects: Vec<_> = store.list(Some(&"splits".into())).try_collect().await?;
    let splits: Vec<_> = objects
        .into_iter()
        .map(|object| SplitAddress::new(object.location))
        .collect();
    warmer.warm_whole(&splits).await?;
    Ok(started.elapsed())
}

/// A split of some 30 MiB.
fn packed() -> Outcome<forewarm::PackedSplit> {
    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT | STORED);
    let directory = RamDirectory::create();
    let mut writer = Index::builder()
        .schema(schema.build())
        .single_segment_index_writer(directory.clone(), 64 << 20)?;
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..40_000 {
        let mut document = TantivyDocument::new();
        let words = (0..60).map(|_| format!("{:x}", rng.random_range(0..50_000_u32)));
        document.add_text(body, words.collect::<Vec<_>>().join(" "));
        writer.add_document(document)?;
    }
    writer.finalize()?;
    Ok(pack(&directory, &PackSettings::default())?)
}
