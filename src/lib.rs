//! Warms [tantivy] splits in object storage before anyone searches them.
//!
//! Search services keep tantivy indexes as immutable *splits* in S3, Azure or GCS. A cold search
//! there pays a chain of dependent requests of 20 to 100 ms each. forewarm opens splits straight
//! from the object store, works out which bytes a query will read, fetches just those in as few
//! round trips as the data allows into a bounded cache, and lets the reader *join* that warmup;
//! the search itself then does no I/O at all, and the report proves it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use forewarm::{Clause, PackSettings, SearchRequest, SplitAddress, Warmer, pack};
//! use object_store::memory::InMemory;
//! use tantivy::directory::RamDirectory;
//! use tantivy::schema::{STORED, Schema, TEXT};
//! use tantivy::{Index, IndexSettings, doc};
//!
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An index of tantivy, packed into a split and uploaded. Any `ObjectStore` will do.
//! let mut schema = Schema::builder();
//! let body = schema.add_text_field("body", TEXT | STORED);
//! let directory = RamDirectory::create();
//! let index = Index::create(directory.clone(), schema.build(), IndexSettings::default())?;
//! let mut writer = index.writer_with_num_threads(1, 15_000_000)?;
//! writer.add_document(doc!(body => "the sea at night"))?;
//! writer.commit()?;
//! let store = Arc::new(InMemory::new());
//! pack(&directory, &PackSettings::default())?.upload(store.as_ref(), &"a.split".into()).await?;
//!
//! // One warmer a process.
//! let warmer = Warmer::builder(store).build()?;
//! let splits = [SplitAddress::new("a.split".into())];
//! let request = SearchRequest::new(Clause::match_text("body", "sea"));
//!
//! // Before fan-out: returns at once and fetches in the background.
//! let warmups = warmer.warm_many(&splits, &request);
//!
//! // In the reader: joins, then searches in memory.
//! let response = warmer.search(&splits, &request).await?;
//! assert_eq!(response.hits.total.map(|total| total.value), Some(1));
//! assert_eq!(response.report.late_reads, 0);
//! # drop(warmups);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to start
//!
//! | to | see |
//! |---|---|
//! | open, warm, join, search | [`Warmer`] |
//! | know which clause works on which field, and what it reads | [`clauses`] |
//! | say what is searched | [`Clause`] (the Elasticsearch query DSL, or built in Rust), [`Filter`] (that, or any query of tantivy), [`SearchRequest`] (a whole `_search` body) |
//! | search the newest of many splits first | [`Warmer::search_progressively`] |
//! | collect anything else | [`Warmer::search_with`] and any collector of tantivy |
//! | warm fields whole, whatever will be asked of them | [`Warmer::warm_components`] |
//! | know the cost beforehand | [`Warmer::explain`] |
//! | warm before fan-out, by triggers, and again after a restart | [`Manager`], [`ManagerSettings`], [`Trigger`] |
//! | keep plans and what is hot beyond the process | [`PlanStore`], [`HotSetStore`] |
//! | watch it | [`Warmer::statistics`], [`Manager::snapshot`], [`metrics`] |
//! | write splits | [`pack`], [`PackedSplit::upload`]; check them with [`verify`] |
//! | tune | [`WarmerSettings`] |
//! | understand | [`design`] |
//!
//! # Features
//!
//! | feature | does |
//! |---|---|
//! | `sstable` (default) | turns tantivy's `quickwit` on: splits with SSTable dictionaries, as Quickwit and IndexTables write them. Without it, splits of stock tantivy (FST dictionaries) are read and written. Cargo unifies features, so this is the choice of the embedding service; a split of the other kind is an error that names the feature. |
//! | `aws`, `azure`, `gcp`, `http` | `object_store`'s clients |
//! | `cli` | the binary `forewarm`; implies the four above |
//!
//! # Metrics
//!
//! Counted through the facade of the crate [`metrics`](https://docs.rs/metrics); install a recorder
//! to see them, before the first warmer is built, so that it is told what they are.
//! [All of them](crate::metrics).
//!
//! Spans `open`, `warm`, `join` and `search` (level info, through `tracing`) carry `split`,
//! `fingerprint`, `gets`, `bytes`, `rounds` and `outcome` where they apply. What a search finds warm it
//! joins without a span.
//!
//! [tantivy]: https://docs.rs/tantivy

#![warn(missing_docs, clippy::unwrap_used)]

mod cache;
mod clock;
mod directory;
mod envelope;
mod error;
mod filter;
mod manager;
mod needs;
mod plan;
mod pool;
mod search;
mod split;
mod staged;
mod store;
mod sync;
mod telemetry;
mod warmup;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// How it works and why: `DESIGN.md`.
#[doc = include_str!("../DESIGN.md")]
pub mod design {}

/// What each clause reads on each type of field, or why it cannot: `docs/clauses.md`.
#[doc = include_str!("../docs/clauses.md")]
pub mod clauses {}

/// What is counted, by which names and in which units: `docs/metrics.md`.
#[doc = include_str!("../docs/metrics.md")]
pub mod metrics {}

pub use cache::CacheSettings;
pub use directory::OnMiss;
pub use error::{Error, ErrorKind, Result};
pub use filter::{Aggregations, DateStyle, FetchField, HighlightField, SortValue};
pub use filter::{
    BoolClause, Clause, ConstantScoreClause, DisMaxClause, ExistsClause, ExpansionSettings,
    FieldValue, Filter, Fingerprint, Fuzziness, FuzzyClause, FuzzyWords, IdsClause, MatchAllClause,
    MatchBoolPrefixClause, MatchClause, MatchNoneClause, MatchPhraseClause,
    MatchPhrasePrefixClause, MinimumShouldMatch, MinimumStep, Missing, MultiMatchClause,
    MultiMatchType, Operator, PastLimit, PrefixClause, QueryStringClause, RangeClause,
    RegexpClause, RegexpFlags, SearchRequest, SimpleQueryFlag, SimpleQueryStringClause, Sort,
    SortKey, SortOrder, SourceFilter, TermClause, TermsClause, TrackTotalHits, WildcardClause,
    ZeroTermsQuery,
};
pub use manager::{
    Event, EventBinding, EventsSettings, HeatSettings, HotPair, HotRequest, HotSetFile,
    HotSetObject, HotSetSettings, HotSetState, HotSetStatus, HotSetStore, JobHandle, JobId,
    JobItem, JobState, JobStatus, Manager, ManagerBuilder, ManagerSettings, ManagerSnapshot,
    PredictiveSettings, PreloadSettings, Readiness, ReadinessState, RefreshSettings, RequestBody,
    ScheduleSettings, ScheduleStatus, ScheduledSettings, ShutdownReport, SourceStatistics, Tally,
    TickReport, Trigger, TriggerContext, TriggerHandle, TriggerSettings, TriggerState,
    TriggerStatus, WaitBucket, Wanted,
};
pub use plan::{
    AbsenceEntry, ClauseExplanation, Component, ComponentBytes, ComponentCost, ComponentReport,
    DirectoryPlans, Explanation, ObjectPlans, PlanBatch, PlanEntry, PlanSource, PlanStore,
    PlanStoreSettings, SplitPlan,
};
pub use search::{
    Hit, Hits, ResidentSplits, SearchOptions, SearchProgress, SearchReport, SearchResponse, Shards,
    Total, Warming,
};
pub use split::{
    FileLayout, FileOutcome, FileReport, PackSettings, PackedSplit, SegmentLayout, Split,
    SplitAddress, SplitLayout, UploadReport, VerifyReport, pack, pack_path, verify,
};
pub use store::{
    GetOutcome, GetTrace, HedgeSettings, SimulatedSettings, SimulatedStore, StoreSettings, Traffic,
    Use,
};
pub use warmup::{
    ComponentSelection, ComponentWarmup, Outcome, PlanLoad, ResultSettings, Statistics, Warmer,
    WarmerBuilder, WarmerSettings, Warmth, Warmup,
};
