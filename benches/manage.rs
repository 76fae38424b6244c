//! What a manager is worth, and whether it holds out.
//!
//! - `two-phase`: a reader that plans while a coordinator has its splits warmed, against a reader alone;
//!   and the same answers when warmups fail, are late, or were never asked for.
//! - `classify`: how long telling 10,000 splits apart takes, and whether what is told is so.
//! - `load`: 64 searchers and all triggers at once, over a store that is well and one that is not.
//!
//! `cargo bench --bench manage -- [part…] [--check]` runs those parts, or all; with `--check` a target
//! that is missed is a failure. `FOREWARM_LOAD_SECONDS` sets how long each load is put on (30).

#[path = "common/manage/mod.rs"]
mod manage;
#[path = "common/memory.rs"]
mod memory;
#[path = "common/soaked.rs"]
mod soaked;
#[path = "common/targets.rs"]
mod targets;

use std::sync::Arc;

use rayon::ThreadPoolBuilder;
use tokio::runtime::Runtime;

use manage::corpus::Bench;
use manage::{classified, loaded, two_phase};
use soaked::Outcome;

/// The load first: what others leave in the allocator would hide that memory grows.
const PARTS: [&str; 3] = ["load", "two-phase", "classify"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let named = arguments.iter().filter(|it| !it.starts_with('-'));
    let named: Vec<&str> = named.map(String::as_str).collect();
    if let Some(unknown) = named.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("no part {unknown:?}: there are {}", PARTS.join(", ")).into());
    }
    let bench = Bench {
        pool: Arc::new(ThreadPoolBuilder::new().build()?),
        is_test: has("--test"),
    };
    let runtime = Runtime::new()?;
    let mut missed = 0;
    for part in PARTS {
        if !named.is_empty() && !named.contains(&part) {
            continue;
        }
        missed += match part {
            "two-phase" => runtime.block_on(two_phase::run(&bench))?,
            "classify" => runtime.block_on(classified::run(&bench))?,
            _ => runtime.block_on(loaded::run(&bench))?,
        };
    }
    if missed > 0 && has("--check") {
        return Err(format!("{missed} targets are missed").into());
    }
    Ok(())
}
