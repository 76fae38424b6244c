//! Splits of the soak, in a folder or in memory, and answers from memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forewarm::{SearchResponse, SimulatedSettings, SplitAddress, Warmer};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use rayon::ThreadPool;
use tempfile::TempDir;

use crate::soaked::{self, Outcome, Question, SHAPES};

/// Median time to the first byte.
pub const FIRST_BYTE: Duration = Duration::from_millis(30);

/// What all parts of the bench share.
pub struct Bench {
    pub pool: Arc<ThreadPool>,
    pub is_test: bool,
}

/// Splits of [`SHAPES`] kinds, and questions about them.
pub struct Corpus {
    /// The files, for as long as this lives.
    pub folder: TempDir,
    pub questions: Vec<Question>,
}

impl Corpus {
    /// Writes `splits` files of so many documents each.
    pub async fn write(splits: usize, docs: u64) -> Outcome<Self> {
        // It takes seconds, and packs in a runtime of its own.
        let write = move || {
            let folder = tempfile::tempdir()?;
            soaked::write(folder.path(), splits, docs)?;
            let questions = soaked::questions(folder.path())?;
            Ok(Self { folder, questions })
        };
        tokio::task::spawn_blocking(write).await?
    }

    /// So many splits in memory; those of one shape share their bytes.
    pub async fn in_memory(&self, splits: usize) -> Outcome<Arc<dyn ObjectStore>> {
        let store = InMemory::new();
        let shapes = (0..SHAPES).map(|shape| read(self.folder.path(), shape));
        let shapes = shapes.collect::<Outcome<Vec<_>>>()?;
        for number in 0..splits {
            let bytes = shapes[number % SHAPES].clone();
            store
                .put(soaked::address(number).path(), bytes.into())
                .await?;
        }
        Ok(Arc::new(store))
    }
}

fn read(folder: &Path, number: usize) -> Outcome<bytes::Bytes> {
    let path = folder.join(soaked::address(number).path().as_ref());
    Ok(std::fs::read(path)?.into())
}

/// The first so many splits.
pub fn addresses(splits: usize) -> Vec<SplitAddress> {
    (0..splits).map(soaked::address).collect()
}

/// A store that answers after 30 ms, each request alike.
pub fn steady() -> SimulatedSettings {
    let mut settings = SimulatedSettings::default();
    (settings.first_byte, settings.tail) = (FIRST_BYTE, 0.0);
    settings
}

/// What was answered, without what it cost.
pub fn answer(response: &SearchResponse) -> Outcome<String> {
    Ok(serde_json::to_string(&(
        &response.hits,
        &response.aggregations,
    ))?)
}

/// All plans that `warmer` knows, for another.
pub fn hand_over(from: &Warmer, to: &Warmer) {
    to.add_plans(from.plans().iter().map(|plan| plan.as_ref().clone()));
}
