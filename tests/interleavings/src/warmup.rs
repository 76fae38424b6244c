#[path = "../../../src/warmup/outcome.rs"]
mod outcome;
#[path = "../../../src/warmup/registry.rs"]
mod registry;
#[path = "../../../src/warmup/running.rs"]
mod running;
#[path = "../../../src/warmup/task.rs"]
mod task;
mod warmed;

mod tests {
    mod registry;
    mod task;
}
