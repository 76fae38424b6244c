//! Splits that are all in memory.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join_all;

use super::documents::Way;
use super::execute::micros;
use super::known::Known;
use super::prepared::Prepared;
use super::reading::Reading;
use super::report::SearchReport;
use super::response::SearchResponse;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::SearchRequest;
use crate::pool;
use crate::split::{SchemaKey, Split, SplitAddress};
use crate::warmup::{Compiled, Outcome, Warmer};

/// How many splits are loaded at once: each is held twice meanwhile.
const LOADED_AT_ONCE: usize = 4;

/// Splits that are held in memory whole, as tantivy's own `RamDirectory`: nothing is warmed,
/// joined or read on demand. The fastest that a search can be, which warm searches are measured
/// against; and a thing to have for small indexes that are always in use.
///
/// ```
/// use forewarm::{Clause, ResidentSplits, SearchRequest, SplitAddress, Warmer};
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
///
/// let resident = ResidentSplits::load(&warmer, &splits, 64 << 20).await?;
/// let response = resident.search(&SearchRequest::new(Clause::term("body", "sea"))).await?;
/// assert_eq!(response.hits.hits.len(), 1);
/// assert_eq!(response.report.gets, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ResidentSplits {
    warmer: Warmer,
    splits: Arc<[Arc<Split>]>,
    bytes: u64,
}

impl ResidentSplits {
    /// Loads splits from the store of `warmer`, through its limits on GETs, and none of its cache.
    /// They take at most `max_bytes`: the lengths of their objects. Up to four at a time are
    /// held twice while they are loaded.
    ///
    /// What is read of tantivy's files is checked as at any opening, but not bit by bit as warm
    /// searches do: [`verify`](crate::verify) splits of which you do not know who wrote them.
    ///
    /// # Errors
    ///
    /// `Budget` when the splits take more than `max_bytes`, before any of them is loaded; else as
    /// [`Warmer::open`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops what was loaded.
    pub async fn load(warmer: &Warmer, splits: &[SplitAddress], max_bytes: u64) -> Result<Self> {
        let opened = try_join_all(splits.iter().map(|split| warmer.open(split))).await?;
        let bytes = opened
            .iter()
            .map(|split| split.size())
            .fold(0, u64::saturating_add);
        if bytes > max_bytes {
            return Err(Error::new(
                ErrorKind::Budget,
                format!(
                    "{} splits of {bytes} bytes do not fit the {max_bytes} bytes that they may \
                     take in memory: load fewer, or allow more",
                    opened.len()
                ),
            ));
        }
        let mut resident = Vec::with_capacity(opened.len());
        for few in opened.chunks(LOADED_AT_ONCE) {
            let loaded = try_join_all(few.iter().map(|split| warmer.load(split))).await?;
            resident.extend(loaded.into_iter().map(Arc::new));
        }
        Ok(Self {
            warmer: warmer.clone(),
            splits: resident.into(),
            bytes,
        })
    }

    /// Bytes of the objects that are in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of splits.
    pub fn len(&self) -> usize {
        self.splits.len()
    }

    /// Whether there are no splits.
    pub fn is_empty(&self) -> bool {
        self.splits.is_empty()
    }

    /// Searches all splits, in the order in which they were given, on the warmer's pool. Answers
    /// what [`Warmer::search`] does.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the request does not fit a split's schema, and those of tantivy.
    ///
    /// # Cancel safety
    ///
    /// What runs on the pool runs to its end.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchResponse> {
        let started = Instant::now();
        request.check_sorts()?;
        let (warmer, splits) = (self.warmer.clone(), Arc::clone(&self.splits));
        // Before it is cloned: whoever asks the same request again means the same moment.
        request.moment();
        let request = Arc::new(request.clone());
        let mut response = pool::run(self.warmer.pool(), move || {
            let limits = warmer.settings().expansion;
            let mut compiled: Vec<(SchemaKey, Compiled)> = Vec::new();
            let mut prepared = Vec::with_capacity(splits.len());
            for (place, split) in splits.iter().enumerate() {
                let key = split.schema_key();
                let known = compiled.iter().find(|(known, _)| *known == key);
                let compiled = match known {
                    Some((_, known)) => known.clone(),
                    None => {
                        let fresh = Compiled::of_request(&request, split.index(), &limits)?;
                        compiled.push((key, fresh.clone()));
                        fresh
                    }
                };
                let split = Arc::clone(split);
                prepared.push(Prepared::compiled(place, split, compiled, None));
            }
            let asked = warmer.asked(Arc::clone(&request), Known::default());
            let mut page = asked.page();
            let searching = Instant::now();
            asked.search(&prepared, &mut page, &Reading::Resident)?;
            let reading = &Reading::Resident;
            let answer = asked.answer(&prepared, page, reading, Way::InMemory, || Ok(()))?;
            let mut report = SearchReport::new(splits.len(), &Outcome::Ready);
            report.search_us = micros(searching.elapsed() - answer.reading_documents);
            report.fetch_docs_us = micros(answer.reading_documents);
            Ok(asked.respond(answer, report))
        })
        .await?;
        response.took = started.elapsed().as_millis() as u64;
        Ok(response)
    }
}

impl std::fmt::Debug for ResidentSplits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResidentSplits")
            .field("splits", &self.splits)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
