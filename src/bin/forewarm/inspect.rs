//! `forewarm inspect`: what is in a split.

use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::engine;
use crate::failure::Outcome;
use crate::session::{Progress, Session};
use crate::url::Place;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &InspectArgs) -> Outcome {
    let splits = Place::to_read(&args.url, &args.store.option)?.splits().await?;
    let warmer = engine::warmer(splits.store, false, None)?;
    let progress = Progress::over_items("opening", splits.addresses.len() as u64);
    let mut layouts: Vec<Value> = Vec::new();
    for address in &splits.addresses {
        let split = warmer.open(address).await?;
        layouts.push(json!({"path": split.path().to_string(), "docs": split.num_docs(), "schema": split.schema()}));
        progress.bar().inc(1);
    }
    drop(progress);
    session.print_json(&json!({ "splits": layouts }))
}
