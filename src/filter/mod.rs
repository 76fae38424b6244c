//! What to search for: the Elasticsearch query DSL, a Rust builder, or any query of tantivy.
//!
//! A request goes through four forms: JSON → [`Clause`] (`parse`) → `BoundClause` (`bind`, with a
//! schema) → tantivy's query and the needs of a warmup, both from the bound form. `canonical`
//! takes a shortcut from the clause to the fingerprint, without a schema.

mod addresses;
mod aggregations;
mod automaton;
mod bind;
mod bound;
mod builder;
mod canonical;
mod clause;
mod coerce;
mod column_range;
mod date_math;
mod dates;
mod expansion;
mod fetch_field;
mod field;
#[expect(
    clippy::module_inception,
    reason = "the room and its noun have one name"
)]
mod filter;
mod fingerprint;
mod highlight;
mod ids_query;
mod json;
mod json_ranges;
mod kept_terms;
mod numbers;
mod parse;
mod path;
mod phrase_prefix_query;
mod queries;
mod query_string;
mod ranges;
mod request;
mod sort;
mod sort_value;
mod source;
mod value;
mod write;
mod zone;

pub(crate) use aggregations::{AggregationRead, BoundAggregations, column_names, present_values};
pub(crate) use automaton::{AutomatonBudget, TermAutomaton};
pub(crate) use bind::Budget;
pub(crate) use bound::{BoundBool, BoundClause};
pub(crate) use column_range::{ColumnRangeQuery, ColumnValues};
pub(crate) use date_math::Moment;
pub(crate) use expansion::{Expanded, Expansion, ExpansionQuery, is_past_limit};
pub(crate) use field::Target;
pub(crate) use highlight::{BoundHighlight, bind as bind_highlights};
pub(crate) use ids_query::IdsQuery;
pub(crate) use kept_terms::KeptTerms;
pub(crate) use numbers::Number;
pub(crate) use path::Path;
pub(crate) use queries::TermsQuery;
pub(crate) use ranges::after_prefix;
pub(crate) use sort_value::{ValueType, typed_place};
pub(crate) use source::wildcard_match;

pub use expansion::{ExpansionSettings, PastLimit};

pub use aggregations::Aggregations;
pub use clause::{
    BoolClause, Clause, ConstantScoreClause, DisMaxClause, ExistsClause, Fuzziness, FuzzyClause,
    FuzzyWords, IdsClause, MatchAllClause, MatchBoolPrefixClause, MatchClause, MatchNoneClause,
    MatchPhraseClause, MatchPhrasePrefixClause, MinimumShouldMatch, MinimumStep, MultiMatchClause,
    MultiMatchType, Operator, PrefixClause, QueryStringClause, RangeClause, RegexpClause,
    RegexpFlags, SimpleQueryFlag, SimpleQueryStringClause, TermClause, TermsClause, WildcardClause,
    ZeroTermsQuery,
};
pub use fetch_field::{DateStyle, FetchField};
pub use filter::Filter;
pub use fingerprint::Fingerprint;
pub use highlight::HighlightField;
pub use request::{SearchRequest, TrackTotalHits};
pub use sort::{Missing, Sort, SortKey, SortOrder};
pub use sort_value::SortValue;
pub use source::SourceFilter;
pub use value::FieldValue;

#[cfg(test)]
mod tests;
