use std::sync::{Arc, Mutex, PoisonError};

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner};

/// Schedules of each kind that a test is run under, unless `INTERLEAVINGS` says another number.
const SCHEDULES: usize = 2000;

/// Where schedules begin: a run can be repeated.
const SEED: u64 = 0x5eed;

/// Runs `test` under many schedules: half of them random, half with few changes of thread, which
/// is how most mistakes show (probabilistic concurrency testing).
pub(crate) fn explore(test: impl Fn() + Send + Sync + 'static) {
    // The sources have counters for the whole process, which one test at a time may use.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = std::env::var("INTERLEAVINGS").ok();
    let schedules = asked.map_or(SCHEDULES, |asked| asked.parse().expect("a number"));
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    let test = Arc::new(test);
    let also = Arc::clone(&test);
    let random = RandomScheduler::new_from_seed(SEED, schedules);
    Runner::new(random, config.clone()).run(move || test());
    let few_changes = PctScheduler::new_from_seed(SEED, 3, schedules);
    Runner::new(few_changes, config).run(move || also());
}
