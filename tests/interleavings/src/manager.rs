#[path = "../../../src/manager/busy.rs"]
mod busy;

mod tests {
    mod busy;
}
