//! forewarm (placeholder while the rooms are being built).

mod cache;
mod directory;
mod error;
mod filter;
mod needs;
mod plan;
mod pool;
mod search;
mod split;
mod store;
mod warmup;

pub use cache::CacheSettings;
pub use directory::OnMiss;
pub use error::{Error, ErrorKind, Result};
pub use filter::{
    BoolClause, Clause, ExistsClause, FieldValue, Filter, Fingerprint, MatchAllClause, MatchClause,
    MatchNoneClause, MatchPhraseClause, MinimumShouldMatch, Missing, Operator, PrefixClause,
    QueryStringClause, RangeClause, SearchRequest, Sort, SortKey, SortOrder, SourceFilter,
    TermClause, TermsClause, TrackTotalHits,
};
pub use plan::{Component, ComponentCost, Explanation};
pub use search::{
    Hit, Hits, SearchOptions, SearchReport, SearchResponse, Shards, SortValue, Total, Warming,
};
pub use split::{
    FileLayout, FileOutcome, FileReport, PackSettings, PackedSplit, SegmentLayout, Split,
    SplitAddress, SplitLayout, UploadReport, VerifyReport, pack, pack_path, verify,
};
pub use store::{SimulatedSettings, SimulatedStore, StoreSettings, Traffic};
pub use warmup::{Outcome, Statistics, Warmer, WarmerBuilder, WarmerSettings, Warmup};
