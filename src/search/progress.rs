use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tracing::Instrument;

use super::execute::{observe, search_span};
use super::options::{SearchOptions, Warming};
use super::progressive::Progressive;
use super::prospects::Prospects;
use super::response::{Hits, SearchResponse};
use super::run::Run;
use crate::error::Result;
use crate::filter::SearchRequest;
use crate::split::SplitAddress;
use crate::warmup::{Warmer, Work, shared};

/// How far a progressive search has come: what the splits searched so far answer.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SearchProgress {
    /// Splits of the request.
    pub splits: usize,
    /// Splits searched.
    pub searched: usize,
    /// Splits that are not waited for any more, because nothing of theirs can be in the answer.
    pub given_up: usize,
    /// Splits that are left out, because how many of their documents match is
    /// [remembered](crate::ResultSettings).
    pub remembered: usize,
    /// The best hits so far, without what is read for the final ones only: documents, columns,
    /// highlights and names of clauses. The total is what was counted, `gte`.
    pub hits: Hits,
}

impl Warmer {
    /// Answers what [`search`](Self::search) does, searching splits as they become warm and giving
    /// up those that can no longer have a part in the answer. These are not waited for, and not
    /// warmed any further unless somebody else waits for them.
    ///
    /// A split is given up once there are all hits wanted, and none of its can stand before them:
    ///
    /// - sorted by a column whose [bounds](SplitAddress::with_bounds) are known, for which splits
    ///   are warmed in the order of their bounds; documents without a value must stand last, as
    ///   they do unless the request says otherwise;
    /// - sorted by `_doc` first, or by nothing where every match has the same score
    ///   (`match_all`, `constant_score`, a `bool` of filters, …): then those given first win.
    ///
    /// All of them are searched where each match counts: with an exact total, as a request has
    /// unless it says otherwise, with aggregations, and with highlights, which weigh words by how
    /// rare they are in all splits. A total up to a number is one more thing to be reached first.
    ///
    /// Some answers depend on the order of the segments: aggregations, and sorts with `_doc`
    /// anywhere in them. There splits are searched in the order given, and given up from the end.
    /// Where scores depend on all splits, as those of words do, they are searched at once, as
    /// [`search`](Self::search) does; and so they are without warming.
    ///
    /// A split whose warmup failed or was too late is read on demand, after all others, if it is
    /// still needed then. What is [remembered](crate::ResultSettings) of splits is of use here as it
    /// is to [`search`](Self::search): those left out for it are not begun.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use forewarm::{PackSettings, SplitAddress, pack};
    /// # use object_store::memory::InMemory;
    /// # use tantivy::directory::RamDirectory;
    /// # use tantivy::schema::{FAST, STORED, Schema};
    /// # use tantivy::{Index, IndexSettings, doc};
    /// use forewarm::{Clause, SearchOptions, SearchRequest, Sort, TrackTotalHits, Warmer};
    ///
    /// # #[tokio::main(flavor = "multi_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = Arc::new(InMemory::new());
    /// # let mut splits = Vec::new();
    /// # for day in 0..20_i64 {
    /// #     let mut schema = Schema::builder();
    /// #     let at = schema.add_i64_field("at", FAST | STORED);
    /// #     let directory = RamDirectory::create();
    /// #     let index = Index::create(directory.clone(), schema.build(), IndexSettings::default())?;
    /// #     let mut writer = index.writer_with_num_threads(1, 15_000_000)?;
    /// #     for hour in 0..24 {
    /// #         writer.add_document(doc!(at => day * 24 + hour))?;
    /// #     }
    /// #     writer.commit()?;
    /// #     let path = format!("{day}.split");
    /// #     let packed = pack(&directory, &PackSettings::default())?;
    /// #     packed.upload(store.as_ref(), &path.clone().into()).await?;
    /// #     splits.push(SplitAddress::new(path.into()).with_bounds("at", day * 24, day * 24 + 23)?);
    /// # }
    /// let warmer = Warmer::builder(store).build()?;
    /// // The newest ten, without counting the others.
    /// let request = SearchRequest::new(Clause::match_all())
    ///     .sort([Sort::by("at").descending()])
    ///     .track_total_hits(TrackTotalHits::Not);
    /// let options = SearchOptions::default().with_splits_at_once(2);
    /// let response = warmer.search_progressively(&splits, &request, &options).await?;
    /// assert_eq!(response.hits.hits.len(), 10);
    /// // One day has 24 hours.
    /// assert!(response.report.given_up_splits >= 18);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`search`](Self::search); but of splits that were given up there is no error.
    ///
    /// # Cancel safety
    ///
    /// As [`search`](Self::search).
    pub async fn search_progressively(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        options: &SearchOptions,
    ) -> Result<SearchResponse> {
        self.progress(splits, request, options, None).await
    }

    /// [`search_progressively`](Self::search_progressively) that tells how far it has come, each
    /// time more splits have been searched, but for the last: then it answers. `watch` is called by
    /// the task that polls the search, and should return soon: it may send what it is given into a
    /// channel.
    ///
    /// ```
    /// # async fn example(
    /// #     warmer: forewarm::Warmer,
    /// #     splits: Vec<forewarm::SplitAddress>,
    /// #     request: forewarm::SearchRequest,
    /// # ) -> Result<(), forewarm::Error> {
    /// let options = forewarm::SearchOptions::default();
    /// let watch = |progress: forewarm::SearchProgress| {
    ///     println!("{} hits in {} splits", progress.hits.hits.len(), progress.searched);
    /// };
    /// let response = warmer.watch_progressively(&splits, &request, &options, watch).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`search_progressively`](Self::search_progressively).
    ///
    /// # Cancel safety
    ///
    /// As [`search`](Self::search).
    pub async fn watch_progressively(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        options: &SearchOptions,
        mut watch: impl FnMut(SearchProgress) + Send,
    ) -> Result<SearchResponse> {
        self.progress(splits, request, options, Some(&mut watch))
            .await
    }

    async fn progress(
        &self,
        splits: &[SplitAddress],
        request: &SearchRequest,
        options: &SearchOptions,
        watch: Option<&mut (dyn FnMut(SearchProgress) + Send)>,
    ) -> Result<SearchResponse> {
        let prospects = match options.warming {
            Warming::Off => None,
            Warming::JoinOnly | Warming::Start => Prospects::of(request, splits),
        };
        let Some(prospects) = prospects else {
            return self.search_with_options(splits, request, options).await;
        };
        let request = shared(request);
        let work = Work::of_shared(Arc::clone(&request));
        let span = search_span(&work, splits.len());
        let record = span.clone();
        let search = async {
            let started = Instant::now();
            request.check_sorts()?;
            let run = Run::new(self, &work, options);
            let (splits, known) = self.known(splits, &request, &work, options);
            let asked = self.asked(request, known);
            let progress = Progressive::new(&run, &asked, &splits, prospects.among(&splits));
            let mut response = progress.run(watch).await?;
            response.took = started.elapsed().as_millis() as u64;
            observe(&response.report, &record);
            Ok(response)
        };
        search.instrument(span).await
    }
}
