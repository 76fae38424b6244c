//! `forewarm explain`: what a warmup would fetch.

use serde_json::json;

use crate::args::ExplainArgs;
use crate::engine;
use crate::failure::Outcome;
use crate::session::{Progress, Session};
use crate::url::Place;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &ExplainArgs) -> Outcome {
    let place = Place::to_read(&args.url, &args.store.option)?;
    let request = engine::request(&args.request).await?;
    let splits = place.splits().await?;
    let store = engine::simulate(splits.store, args.simulate);
    let warmer = engine::warmer(store, false, None)?;
    let progress = Progress::over_items("explaining", splits.addresses.len() as u64);
    let mut explained = Vec::new();
    for address in &splits.addresses {
        explained.push(engine::value(&warmer.explain(address, &request).await?)?);
        progress.bar().inc(1);
    }
    drop(progress);
    session.print_json(&json!({ "splits": explained }))
}
