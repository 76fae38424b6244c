//! `forewarm manage`: a manager over a prefix, for an operator to watch.

mod config;
mod report;
mod traffic;

use std::time::Duration;

use clap::Args;
use forewarm::{Error, Manager, ManagerBuilder, Warmer};
use futures_util::future::OptionFuture;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::args::SimulateArgs;
use crate::engine;
use crate::failure::{Failure, Outcome};
use crate::plans;
use crate::session::Session;
use crate::units::parse_duration;
use crate::url::{self, Place};
use config::Config;
use report::Reporter;
use traffic::Traffic;

/// How often it looks whether jobs have ended.
const LOOK: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "\
Examples:
  forewarm manage --config forewarm.toml
  forewarm manage --config forewarm.toml --json | jq 'select(.event == \"announced\")'
  forewarm manage --config forewarm.toml --bodies bodies.ndjson --every 500ms

A settings file, in TOML (or JSON, if its name ends so); only `url` is required:
  url = \"s3://bucket/logs\"
  plans = \"s3://bucket/logs/_plans\"
  hot_set = \"/var/lib/forewarm/hot.set\"
  statistics_interval = 10000            # milliseconds, as all times; 0 prints none
  shutdown_deadline = 10000

  [options]                              # of the store, as --option elsewhere
  region = \"eu-central-1\"

  [warmer.cache]
  capacity_bytes = 2147483648

  [manager.refresh]
  keep_above = 4.0
  [manager.refresh.trigger]
  interval = 30000
  bytes_per_hour = 10737418240

  [[manager.scheduled.schedules]]
  name = \"morning\"
  cron = \"30 7 * * MON-FRI\"
  zone = \"Europe/Paris\"
  requests = [{ size = 0, query = { range = { at = { gte = \"now-1d/d\" } } } }]

`refresh`, below `url`, and `preload` run without a section of their own, too; [manager.refresh.trigger]
with `enabled = false` switches one off. Every setting of [warmer] and [manager] and its default: the
pages of WarmerSettings and ManagerSettings in the documentation (cargo doc --open).

Ctrl-C stops in good order: what runs is finished or given up, what is hot is written down, and
the next start is warm. A second Ctrl-C stops at once.
";

/// Keep the splits of a prefix warm, and tell what is done
///
/// Runs a manager as a search service embeds it, without the service: splits that come are warmed
/// for what is hot before they are announced, those that go are let go of, triggers run, and what
/// is hot outlives a restart. Each line is one thing that happened, from then on until Ctrl-C.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(crate) struct ManageArgs {
    /// Read the settings from this file
    #[arg(long, value_name = "FILE")]
    config: String,

    /// Search for the requests of this file, one a line, in turn, as a service would
    #[arg(long, value_name = "FILE")]
    bodies: Option<String>,

    /// Search for one of them this often
    #[arg(long, value_name = "DURATION", default_value = "1s", requires = "bodies", value_parser = parse_duration)]
    every: Duration,

    #[command(flatten)]
    simulate: SimulateArgs,
}

/// Runs the command until `interrupted`.
pub(crate) async fn run(
    session: &Session,
    args: &ManageArgs,
    interrupted: impl Future<Output = u8>,
) -> Outcome {
    let config = Config::read(&args.config)?;
    if args.every.is_zero() {
        return Err(Failure::usage(
            "--every is 0: give a pause between searches",
        ));
    }
    let requests = match &args.bodies {
        Some(path) => engine::bodies(path).await?,
        None => Vec::new(),
    };
    let requests = requests.into_iter().map(|(_, request)| request).collect();
    let manager = manager(&config, args)?;
    if config.plans.is_some() {
        plans::load(session, manager.warmer()).await;
    }
    let mut reporter = Reporter::new(session, &manager);
    let mut traffic = Traffic::new(requests, args.every);
    let mut served = manager.watch_splits();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut statistics = config.statistics_interval().map(interval);
    reporter.tell("started", json!({ "url": config.url }), || {
        config.url.clone()
    })?;
    manager.start();
    let mut ready = Some(Box::pin(manager.ready(Duration::MAX)));
    tokio::pin!(interrupted);
    loop {
        let tick: OptionFuture<_> = statistics.as_mut().map(|it| it.tick()).into();
        let is_ready: OptionFuture<_> = ready.as_mut().into();
        tokio::select! {
            biased;
            _ = &mut interrupted => break,
            Some(readiness) = is_ready => {
                ready = None;
                reporter.jobs()?;
                reporter.ready(&readiness)?;
            }
            // Its sender lives as long as the manager.
            Ok(()) = served.changed() => {
                reporter.jobs()?;
                let now = served.borrow_and_update().clone();
                reporter.splits(&now)?;
            }
            _ = look.tick() => reporter.jobs()?,
            Some(_) = tick => reporter.statistics()?,
            () = traffic.due() => traffic.search(&manager, &reporter).await?,
        }
    }
    drop(ready);
    let report = manager
        .shutdown(Duration::from_millis(config.shutdown_deadline))
        .await;
    reporter.jobs()?;
    reporter.statistics()?;
    reporter.stopped(&report)
}

/// The manager that the settings file describes.
///
/// # Errors
///
/// When a place cannot be, or settings are wrong.
fn manager(config: &Config, args: &ManageArgs) -> Outcome<Manager> {
    let options = config.options();
    let Place { store, path, .. } = Place::to_read(&config.url, &options)?;
    let store = engine::simulate(store, args.simulate);
    let mut warmer = Warmer::builder(store).settings(config.warmer.clone());
    if let Some(plans) = &config.plans {
        warmer = warmer.plan_store(url::plan_store(plans, &options)?);
    }
    // Values that cannot be are mistakes of the file, as names are.
    let wrong = |error: Error| Failure::usage(format!("{}: {}", args.config, error.chain()));
    let warmer = warmer.build().map_err(wrong)?;
    let mut builder: ManagerBuilder =
        Manager::builder(warmer).settings(config.manager(path.as_ref()));
    if let Some(place) = &config.hot_set {
        builder = url::hot_set(builder, place, &options)?;
    }
    builder.build().map_err(wrong)
}
