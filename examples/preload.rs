//! A node that comes up: it preloads what it must know and what was hot in its last run, and says
//! that it is ready once that is warm. Run it twice.
//!
//! ```sh
//! cargo run --release --example preload
//! ```

mod shop;

use std::time::Duration;

use forewarm::{
    HotSetFile, Manager, ManagerSettings, PreloadSettings, SearchOptions, SearchRequest, Warmer,
};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (store, splits) = shop::open(4).await?;
    let hot_set = std::env::temp_dir().join("forewarm-example.hot");
    let start_page = json!({"query": {"match_all": {}}, "sort": [{"price": "asc"}], "size": 5});
    let preload = PreloadSettings::default().with_requests([start_page.clone()]);
    let manager = Manager::builder(Warmer::builder(store).build()?)
        .settings(ManagerSettings::default().with_preload(Some(preload)))
        .hot_set(HotSetFile::new(&hot_set)?)
        .build()?;
    manager.announce(splits.clone());
    manager.start();

    // A load balancer asks this before it sends anybody here. It may be asked again.
    let readiness = manager.ready(Duration::from_secs(10)).await;
    println!(
        "{:?}: {} of {} warm, {} pairs of the last run",
        readiness.state,
        readiness.warm,
        readiness.wanted,
        manager.hot_set().map_or(0, |hot_set| hot_set.loaded_pairs),
    );

    let lamps = json!({"query": {"match": {"name": "blue lamp"}}, "size": 3});
    for body in [start_page, lamps] {
        let request = SearchRequest::from_value(&body)?;
        let found = manager
            .search(&splits, &request, &SearchOptions::default())
            .await?;
        let report = &found.report;
        println!("{}: {} GETs, {} ms", body["query"], report.gets, found.took);
    }
    // Writes down what was hot: the second run sends no GET for either.
    let report = manager.shutdown(Duration::from_secs(5)).await;
    println!(
        "hot set written to {}: {}",
        hot_set.display(),
        report.hot_set_written
    );
    Ok(())
}
