//! forewarm (placeholder while the rooms are being built).
#![allow(dead_code)]
mod error;
mod filter;
mod needs;
pub use error::{Error, ErrorKind, Result};
pub use filter::{
    BoolClause, Clause, ExistsClause, FieldValue, Filter, Fingerprint, MatchAllClause, MatchClause,
    MatchNoneClause, MatchPhraseClause, MinimumShouldMatch, Missing, Operator, PrefixClause,
    QueryStringClause, RangeClause, SearchRequest, Sort, SortKey, SortOrder, SourceFilter,
    TermClause, TermsClause, TrackTotalHits,
};
