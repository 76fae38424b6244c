//! Splits that are held in memory whole, and read by tantivy as any index in memory is.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;
use tantivy::directory::{Directory, RamDirectory};

use super::Split;
use super::open::Opener;
use super::readers::{open_over, what};
use crate::error::{Error, ErrorKind, Result};
use crate::pool;
use crate::store::TrafficCounter;

impl Opener {
    /// The same split with all of its files in a `RamDirectory`: its readers read nothing through
    /// forewarm. While it is loaded its bytes are held twice.
    ///
    /// # Errors
    ///
    /// Those of the GETs, and `Corrupt`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the GETs.
    pub(crate) async fn load(&self, split: &Split) -> Result<Split> {
        let started = Instant::now();
        let traffic = TrafficCounter::default();
        let end = split.footer.start;
        let piece = self.cache.fetcher().bulk_piece();
        let pieces = (0..end).step_by(piece as usize).map(|start| {
            let range = start..(start + piece).min(end);
            self.cache
                .fetcher()
                .get_range(&split.object, range, &traffic)
        });
        let body = try_join_all(pieces).await?.concat();
        traffic.count_round();
        let (files, tokenizers) = (Arc::clone(&split.files), self.tokenizers.clone());
        let open = move || {
            let directory = RamDirectory::create();
            for (name, range) in files.ranges() {
                let bytes = &body[range.start as usize..range.end as usize];
                directory
                    .atomic_write(Path::new(name), bytes)
                    .map_err(|error| {
                        let message = format!("{}/{name} cannot be held in memory", what(&files));
                        Error::with_source(ErrorKind::Internal, message, error)
                    })?;
            }
            // In memory nothing is read bit by bit, so nothing is checked bit by bit.
            open_over(directory, &files, tokenizers, drop)
        };
        Ok(Split {
            address: split.address.clone(),
            object: split.object.clone(),
            footer: split.footer.clone(),
            has_trailer: split.has_trailer,
            open: split.open.clone(),
            files: Arc::clone(&split.files),
            readers: pool::run(&self.pool, open).await?,
            written_by: split.written_by.clone(),
            traffic: split.traffic.then(traffic.snapshot()),
            opening: split.opening + started.elapsed(),
        })
    }
}
