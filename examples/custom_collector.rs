//! A collector of one's own: what it reads is found by probing it, and warmed before it runs.
//!
//! ```sh
//! cargo run --release --example custom_collector
//! ```

mod shop;

use forewarm::{Clause, SearchOptions, Warmer};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

/// The sum of a column over all matches.
struct Sum(&'static str);

struct SegmentSum {
    column: Column<u64>,
    sum: u64,
}

impl Collector for Sum {
    type Fruit = u64;
    type Child = SegmentSum;

    /// Whatever is opened here is seen by the probe, and warmed.
    fn for_segment(
        &self,
        _: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentSum> {
        let column = reader.fast_fields().u64(self.0)?;
        Ok(SegmentSum { column, sum: 0 })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, sums: Vec<u64>) -> tantivy::Result<u64> {
        Ok(sums.into_iter().sum())
    }
}

impl SegmentCollector for SegmentSum {
    type Fruit = u64;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.sum += self.column.first(doc).unwrap_or(0);
    }

    fn harvest(self) -> u64 {
        self.sum
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (store, splits) = shop::open(4).await?;
    let warmer = Warmer::builder(store).build()?;
    // Columns that are named arrive a round earlier; naming them is not needed.
    let options = SearchOptions::default().with_columns(["price"]);
    for _ in 0..2 {
        let lamps = Clause::match_text("name", "lamp");
        let (sum, report) = warmer
            .search_with(&splits, lamps, Sum("price"), &options)
            .await?;
        println!(
            "all lamps cost {sum}; {} GETs in {} rounds, {} late reads",
            report.gets, report.rounds, report.late_reads
        );
    }
    Ok(())
}
