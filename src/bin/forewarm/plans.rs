//! `--plans`: what searches read, kept from one run of the program to the next.

use std::sync::Arc;

use forewarm::{PlanLoad, PlanStore, Warmer};

use crate::args::PlanArgs;
use crate::failure::Outcome;
use crate::session::Session;
use crate::units;
use crate::url;

/// The store that the arguments name, if they do.
///
/// # Errors
///
/// A usage failure for a URL or an option that nobody understands.
pub(crate) fn open(
    args: &PlanArgs,
    options: &[(String, String)],
) -> Outcome<Option<Arc<dyn PlanStore>>> {
    let open = |text: &String| url::plan_store(text, options);
    args.plans.as_ref().map(open).transpose()
}

/// Loads what there is. Plans only save time: failing to is a remark.
pub(crate) async fn load(session: &Session, warmer: &Warmer) -> PlanLoad {
    match warmer.load_plans().await {
        Ok(load) => {
            if load.rejected > 0 {
                let packs = units::counted(load.rejected, "pack");
                session.note(format!(
                    "warning: passed over {packs} of plans that cannot be read here"
                ));
            }
            load
        }
        Err(error) => {
            let error = error.chain();
            session.note(format!("warning: no plans were loaded: {error}"));
            PlanLoad::default()
        }
    }
}

/// Writes what was found out. Failing to is a remark.
pub(crate) async fn save(session: &Session, warmer: &Warmer) {
    if let Err(error) = warmer.flush_plans().await {
        let error = error.chain();
        session.note(format!("warning: plans were not kept: {error}"));
    }
}
