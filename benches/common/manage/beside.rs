//! What goes on beside the searchers: events, splits that leave and come back, and a look at memory.

use std::fmt;
use std::time::{Duration, Instant};

use forewarm::{Event, Manager};
use tokio::task::JoinHandle;

use crate::memory;
use crate::soaked::{self, Outcome};

/// Between two events, and two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// The share of the time that memory may take to fill.
const FILLING: f64 = 0.2;

/// Publishes events, one after the other, and looks at the memory of the process.
pub struct Beside(JoinHandle<Resident>);

/// Resident bytes, look by look, once the cache had time to fill.
#[derive(Debug, Default)]
pub struct Resident(Vec<u64>);

impl Beside {
    pub fn start(manager: &Manager, splits: usize, time: Duration) -> Self {
        let manager = manager.clone();
        Self(tokio::spawn(async move {
            let (started, mut looks) = (Instant::now(), Vec::new());
            let mut turn = 0;
            while started.elapsed() < time {
                manager.publish(&event(turn, splits));
                turn += 1;
                tokio::time::sleep(PAUSE).await;
                if started.elapsed() >= time.mul_f64(FILLING) {
                    looks.push(memory::resident_bytes());
                }
            }
            Resident(looks)
        }))
    }

    /// Waits until its time is over.
    pub async fn end(self) -> Outcome<Resident> {
        Ok(self.0.await?)
    }
}

/// Somebody becomes active, who owns ten splits or more, or a split is retired, or it is back.
fn event(turn: usize, splits: usize) -> Event {
    let split = soaked::address(turn / 4 * 7 % splits);
    match turn % 4 {
        1 => Event::SplitRetired {
            split: split.path().clone(),
        },
        3 => Event::SplitPublished {
            split,
            replaces: Vec::new(),
        },
        _ => Event::TenantActive {
            tenant: format!("{:03}", turn % splits.div_ceil(10)),
        },
    }
}

impl Resident {
    /// The middle of the last quarter ÷ that of the first.
    pub fn growth(&self) -> f64 {
        let [first, _, last] = self.middles();
        last / first
    }

    /// The middle of the first quarter, of all, and of the last quarter, in MiB.
    fn middles(&self) -> [f64; 3] {
        let looks = &self.0;
        let quarter = looks.len().div_ceil(4);
        let middle = |looks: &[u64]| {
            let mib = looks.iter().map(|bytes| *bytes as f64 / 1_048_576.0);
            crate::targets::median(mib.collect())
        };
        [
            middle(&looks[..quarter]),
            middle(looks),
            middle(&looks[looks.len() - quarter..]),
        ]
    }
}

impl fmt::Display for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, _, last] = self.middles();
        let peak = memory::peak_bytes() as f64 / 1_048_576.0;
        write!(f, "{first:.0} MiB, then {last:.0}; peak {peak:.0}")
    }
}
