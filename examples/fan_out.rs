//! Pre-warms many splits, then fans out: readers join the warmup of their split, and search.
//!
//! ```sh
//! cargo run --release --example fan_out
//! ```

mod shop;

use std::time::{Duration, Instant};

use forewarm::{Manager, ManagerSettings, SearchOptions, SearchRequest, Warmth};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Eight splits behind a store that takes 30 ms to the first byte.
    let (store, splits) = shop::open(8).await?;
    let warmer = forewarm::Warmer::builder(store).build()?;
    let manager = Manager::new(warmer, ManagerSettings::default())?;
    let request = SearchRequest::from_value(&json!({
        "query": {"match": {"name": "red lamp"}},
        "sort": [{"price": "asc"}],
        "size": 3
    }))?;

    // The coordinator: tells what is to be done, begins it, and plans meanwhile.
    let started = Instant::now();
    let cold = manager.classify(&splits, &request);
    let is_cold = |warmth: &&Warmth| matches!(warmth, Warmth::Cold(_));
    println!(
        "{} of {} splits are cold",
        cold.iter().filter(is_cold).count(),
        splits.len()
    );
    let job = manager.prewarm(&splits, &request);

    // Readers, one a split here; in a fleet each runs where its split is warmed.
    let readers = splits.iter().map(|split| {
        let (manager, split, request) = (manager.clone(), split.clone(), request.clone());
        tokio::spawn(async move {
            let patience = Duration::from_secs(5);
            let outcome = manager.join(&split, request.fingerprint(), patience).await;
            let options = SearchOptions::default();
            let found = manager.search(&[split], &request, &options).await;
            found.map(|response| (outcome, response))
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        let (outcome, response) = reader.await??;
        let best = response.hits.hits.first().map(|hit| hit.source.clone());
        println!(
            "{outcome}, {} GETs while searching, best: {}",
            response.report.gets,
            json!(best)
        );
    }
    let status = job.wait(Duration::from_secs(5)).await;
    println!(
        "{}: {} GETs in {} rounds, {:?} in all",
        status.state.name(),
        status.traffic.gets,
        status.traffic.rounds,
        started.elapsed()
    );
    manager.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
