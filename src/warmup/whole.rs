//! Warming everything of splits, whatever will be asked of them.

use futures_util::future::try_join_all;

use super::warmer::Warmer;
use crate::Traffic;
use crate::error::{Error, ErrorKind, Result};
use crate::split::SplitAddress;
use crate::store::{Coalescing, TrafficCounter};

impl Warmer {
    /// Brings all bytes of splits into the cache, so that no search of them reads the store, unless
    /// they are evicted meanwhile: nothing is leased. What is cached is not fetched again.
    ///
    /// To hold splits for good see [`ResidentSplits`](crate::ResidentSplits).
    ///
    /// ```
    /// use forewarm::{Clause, SearchRequest, SplitAddress, Warmer};
    /// # use forewarm::{PackSettings, pack};
    /// # use tantivy::{Index, IndexSettings, doc, directory::RamDirectory};
    /// # use tantivy::schema::{STORED, Schema, TEXT};
    ///
    /// # #[tokio::main(flavor = "multi_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut schema = Schema::builder();
    /// # let body = schema.add_text_field("body", TEXT | STORED);
    /// # let directory = RamDirectory::create();
    /// # let index = Index::create(directory.clone(), schema.build(), IndexSettings::default())?;
    /// # let mut writer = index.writer_with_num_threads(1, 15_000_000)?;
    /// # writer.add_document(doc!(body => "the sea at night"))?;
    /// # writer.commit()?;
    /// # let store = std::sync::Arc::new(object_store::memory::InMemory::new());
    /// # pack(&directory, &PackSettings::default())?.upload(store.as_ref(), &"a.split".into()).await?;
    /// let warmer = Warmer::builder(store).build()?;
    /// let splits = [SplitAddress::new("a.split".into())];
    /// warmer.warm_whole(&splits).await?;
    ///
    /// let response = warmer.search(&splits, &SearchRequest::new(Clause::term("body", "sea"))).await?;
    /// assert_eq!(response.report.gets, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Budget` when the splits are larger than
    /// [`capacity_bytes`](crate::CacheSettings::capacity_bytes), before anything but footers is
    /// fetched; else those of [`open`](Self::open) and of the store.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up fetches that have not begun; what has arrived stays cached.
    pub async fn warm_whole(&self, splits: &[SplitAddress]) -> Result<Traffic> {
        let traffic = TrafficCounter::default();
        let opened = splits
            .iter()
            .map(|split| self.open_counted(split, &traffic));
        let opened = try_join_all(opened).await?;
        let bytes = opened.iter().map(|split| split.footer().start);
        let bytes = bytes.fold(0, u64::saturating_add);
        let capacity = self.settings().cache.capacity_bytes;
        if bytes > capacity {
            return Err(Error::new(
                ErrorKind::Budget,
                format!(
                    "{} splits of {bytes} bytes do not fit cache.capacity_bytes ({capacity}): \
                     warm fewer of them, or what requests read",
                    opened.len()
                ),
            ));
        }
        // Opening them tells a little of how fast the store is.
        let fetcher = self.inner.cache.fetcher();
        let piece = fetcher.bulk_piece();
        let rule = Coalescing {
            pieces: 1,
            ..fetcher.coalescing()
        };
        let pieces = opened.iter().flat_map(|split| {
            let end = split.footer().start;
            let starts = (0..end).step_by(piece as usize);
            starts.map(move |start| (split, start..(start + piece).min(end)))
        });
        let fetches = pieces.map(|(split, piece)| {
            let (rule, traffic) = (&rule, &traffic);
            async move {
                let extents = split.files().extents();
                if extents.recall_parts(&piece) {
                    return Ok(false);
                }
                let acquired = extents.acquire_by(rule, vec![piece], traffic).await;
                let acquired = self.forget_if_changed(&split.address(), acquired).await?;
                Ok::<_, Error>(acquired.waited)
            }
        });
        if try_join_all(fetches).await?.contains(&true) {
            traffic.count_round();
        }
        Ok(traffic.snapshot())
    }
}
