//! *Per query and forget*: how search engines on object storage warm in production today.
//!
//! Each split's footer is fetched once and stays. For each query, what it needs is worked out
//! from its terms and fields, and warmed with tantivy's own asynchronous functions, everything
//! side by side: postings and positions of terms, ranges of terms and patterns, whole columns, the
//! norms of all fields when scores are wanted. All that is read goes to a cache without a bound,
//! from which the search then reads, and which is thrown away with the query. Hits are brought
//! with tantivy's asynchronous document reader.
//!
//! It is written against tantivy's public functions, and uses nothing of forewarm but its query
//! language, so that both search for the same.

mod directory;
mod footer;
mod needs;
mod search;
mod warm;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forewarm::{SearchRequest, SplitAddress, Warmer};
use futures_util::future::try_join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rayon::ThreadPool;
use serde_json::Value;
use tantivy::query::Query;
use tantivy::schema::{Schema, TantivyDocument};
use tantivy::{Index, ReloadPolicy, Searcher};
use tokio::runtime::Handle;

use self::directory::{Files, Runs};
use self::footer::Footer;
pub(crate) use self::needs::Needs;
use crate::failure::{Failure, Outcome};

/// Splits whose footers are cached.
pub(crate) struct Forget {
    splits: Vec<Known>,
    schema: Option<Schema>,
    pool: Arc<ThreadPool>,
}

/// What is known of a split between queries.
struct Known {
    path: Path,
    footer: Range<u64>,
    files: Arc<HashMap<String, Range<u64>>>,
    hot: Arc<Runs>,
}

/// One split opened for one query.
struct Opened {
    searcher: Searcher,
    query: Box<dyn Query>,
    cached: Arc<Runs>,
    late: Arc<AtomicU64>,
}

/// What a search found and cost.
#[derive(Debug)]
pub(crate) struct Found {
    hits: usize,
    total: Option<u64>,
    /// Reads that nothing had warmed.
    pub(crate) late_reads: u64,
    /// Bytes of the caches, before the query's was thrown away.
    pub(crate) memory: u64,
}

impl Found {
    /// Fails when hits and total are not those of an answer.
    pub(crate) fn check(&self, answer: &Value) -> Outcome {
        let hits = answer["hits"]["hits"].as_array().map(Vec::len);
        let total = &answer["hits"]["total"];
        let exact = total["relation"] == "eq";
        let same = !exact || self.total.is_none() || total["value"].as_u64() == self.total;
        if hits == Some(self.hits) && same {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{} hits of {:?}, in memory it is {hits:?} of {total}",
            self.hits, self.total
        )))
    }
}

impl Forget {
    /// Learns the footers of splits.
    pub(crate) async fn prepare(
        store: &Arc<dyn ObjectStore>,
        warmer: &Warmer,
        splits: &[SplitAddress],
        pool: Arc<ThreadPool>,
    ) -> Outcome<Self> {
        let mut known = Vec::with_capacity(splits.len());
        let mut schema = None;
        for split in splits {
            let opened = warmer.open(split).await?;
            schema.get_or_insert_with(|| opened.schema().clone());
            let range = opened.footer();
            let footer = store.get_range(split.path(), range.clone()).await?;
            let Footer { files, hot } = Footer::parse(&footer, opened.has_trailer())
                .ok_or_else(|| Failure::failed(format!("{split}: its footer is unreadable")))?;
            known.push(Known {
                path: split.path().clone(),
                footer: range,
                files: Arc::new(files),
                hot: Arc::new(hot),
            });
        }
        Ok(Self {
            splits: known,
            schema,
            pool,
        })
    }

    /// What a request needs.
    ///
    /// # Errors
    ///
    /// Why this way of warming cannot serve it.
    pub(crate) fn needs(&self, request: &SearchRequest) -> Result<Needs, String> {
        let schema = self.schema.as_ref().ok_or("there are no splits")?;
        let needs = Needs::of(request, schema)?;
        search::aggregations(&needs)?;
        Ok(needs)
    }

    /// Fetches the footers of all splits, as the first query of a process does.
    pub(crate) async fn fetch_footers(&self, store: &Arc<dyn ObjectStore>) -> Outcome {
        let footers = self
            .splits
            .iter()
            .map(|split| store.get_range(&split.path, split.footer.clone()));
        try_join_all(footers).await?;
        Ok(())
    }

    /// Opens, warms, searches, brings the documents of the hits, and forgets.
    pub(crate) async fn search(
        &self,
        store: &Arc<dyn ObjectStore>,
        request: &SearchRequest,
        needs: &Needs,
    ) -> Outcome<Found> {
        let runtime = Handle::current();
        let opened = self.splits.iter().map(|split| async {
            let files = split.files(store, &runtime);
            let (cached, late) = (Arc::clone(&files.query), Arc::clone(&files.late));
            let request = request.clone();
            let open = move || open(files, &request);
            let (searcher, query) = tokio::task::spawn_blocking(open).await??;
            warm::warm(&searcher, query.as_ref(), needs).await?;
            Outcome::Ok(Opened {
                searcher,
                query,
                cached,
                late,
            })
        });
        let opened = Arc::new(try_join_all(opened).await?);
        let (send, receive) = tokio::sync::oneshot::channel();
        let (searched, asked) = (Arc::clone(&opened), request.clone());
        let aggregations = search::aggregations(needs).map_err(Failure::failed)?;
        self.pool.spawn(move || {
            let _ = send.send(search::search(&searched, &asked, aggregations));
        });
        let found = receive
            .await
            .map_err(|error| Failure::caused("a search stopped", &error))??;
        if search::brings_documents(request) {
            let documents = found.hits.iter().map(|(split, address)| {
                let searcher = &opened[*split].searcher;
                searcher.doc_async::<TantivyDocument>(*address)
            });
            try_join_all(documents).await?;
        }
        let cached = opened.iter().map(|split| split.cached.bytes());
        let hot = self.splits.iter().map(|split| split.hot.bytes());
        Ok(Found {
            hits: found.hits.len(),
            total: found.total,
            late_reads: opened
                .iter()
                .map(|split| split.late.load(Ordering::Relaxed))
                .sum(),
            memory: cached.chain(hot).sum(),
        })
    }
}

impl Known {
    /// Its files for one query, whose cache is empty.
    fn files(&self, store: &Arc<dyn ObjectStore>, runtime: &Handle) -> Files {
        Files {
            store: Arc::clone(store),
            path: self.path.clone(),
            ranges: Arc::clone(&self.files),
            hot: Arc::clone(&self.hot),
            query: Arc::default(),
            late: Arc::default(),
            runtime: runtime.clone(),
        }
    }
}

fn open(files: Files, request: &SearchRequest) -> Outcome<(Searcher, Box<dyn Query>)> {
    let index = Index::open(files)?;
    let reader = index
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .try_into()?;
    let query = request.filter().to_query(&index)?;
    Ok((reader.searcher(), query))
}
